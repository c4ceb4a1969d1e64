local core = require "smtp.core"

describe("Another transaction of the same message", function()
   local function said(transaction, text)
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", flight_max = 1 }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250-DSN\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
      session:add(transaction, text)
      return session:output()
   end

   local function first()
      return core.transaction { from = "a@x", to = { "b@x", "c@x", "d@x" }, size = 4, exact = true, source_len = 4,
         eightbit = true, asked = { envid = "7", orcpt_of = { ["c@x"] = "rfc822;c@y" } } }
   end

   it("says the same", function()
      assert.equal(said(first(), "hi\r\n"), said(first():again(), "hi\r\n"))
   end)

   it("is for some of the recipients, in the order given", function()
      local again = first():again({ 3, 2 }, 1)
      collectgarbage()
      local output = said(again, "hi\r\n")
      assert.matches("^MAIL FROM:<a@x> BODY=8BITMIME ENVID=7\r\nRCPT TO:<d@x>\r\nDATA", output)
      assert.matches("RCPT TO:<c@x> ORCPT=rfc822;c@y", said(first():again({ 2 })))
   end)

   it("needs recipients that there are", function()
      for _, indices in ipairs { {}, { 0 }, { 4 }, { 1.5 }, { "x" } } do
         assert.has_error(function() first():again(indices) end)
      end
   end)
end)

describe("core.transaction", function()
   local function make(asked)
      return pcall(core.transaction, { from = "a@b", to = { "c@d" }, asked = asked })
   end

   it("takes no parameter that could be more than one", function()
      for _, key in ipairs { "notify", "ret", "envid", "hold_until", "mt_priority" } do
         assert.is_true(make { [key] = "x" }, key)
         for _, bad in ipairs { "a b", "a\r", "a\n", "\0", "=", "\127", "\195", ("x"):rep(101), 7, true, {} } do
            assert.is_false(make { [key] = bad }, ("%s %q"):format(key, tostring(bad)))
         end
      end
      for _, key in ipairs { "notify_of", "orcpt_of" } do
         assert.is_true(make { [key] = { ["c@d"] = "x" } })
         for _, bad in ipairs { "a b", "a\r\nDATA", ("x"):rep(501), 7 } do
            assert.is_false(make { [key] = { ["c@d"] = bad } })
         end
      end
      for _, key in ipairs { "by_seconds", "hold_seconds" } do
         for _, bad in ipairs { -1, 1e9, "x", {} } do assert.is_false(make { [key] = bad }) end
      end
      for _, bad in ipairs { { nonsense = "require" }, { "dsn" }, { dsn = true } } do
         assert.is_false(pcall(core.transaction, { from = "a@b", to = { "c@d" }, extensions = bad }))
         assert.is_false(pcall(core.session, { domain = "x.example", extensions = bad }))
      end
   end)

   it("never says REQUIRETLS to a server that does not offer it", function()
      local session = core.session { domain = "me.example", tls_on = true, tls_verified = true }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250 mx\r\n")
      local asking_mail = core.transaction { from = "a@b", to = { "c@d" }, asked = { requiretls = true } }
      session:add(asking_mail)
      assert.equal("requiretls", asking_mail:trouble().reason)
   end)

   it("keeps what it is given", function()
      local session = core.session { domain = "me.example" }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250 DSN\r\n")
      local long = ("x"):rep(49)
      local mail_asking = core.transaction { from = "a@b", to = { "c@d" }, asked = { envid = long .. "y" .. long } }
      collectgarbage()
      for i = 1, 1000 do assert(("%099d"):format(i)) end
      session:add(mail_asking)
      assert.equal("MAIL FROM:<a@b> ENVID=" .. ("x"):rep(49) .. "y" .. ("x"):rep(49) .. "\r\n", (session:output()))
   end)
end)
