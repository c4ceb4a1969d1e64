local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local said, open, of_unknown_size = sessions.said, sessions.open, sessions.of_unknown_size
local begin = sessions.begin

describe("A session", function()
   it("that has said QUIT takes no mail, and goes on with those before", function()
      local session = open { grade = "try", flight_max = 2 }
      local first, late = core.transaction({ from = "a@x", to = "b@x", raw = "hi\r\n" }, {}), of_unknown_size()
      session:add(first, "hi\r\n")
      session:quit()
      said(session)
      session:heard("250 ok\r\n250 ok\r\n")
      assert.truthy(said(session):find("QUIT"))
      session:add(late)
      assert.equal("disconnected", late:trouble().kind)
      assert.equal("unsent", late:recipients()[1].state)
      session:heard("250 ok\r\n221 bye\r\n")
      assert.equal("accepted", first:recipients()[1].state)
   end)

   it("keeps the mails that are not over, however many come after them", function()
      local session, alive = open(), setmetatable({}, { __mode = "k" })
      for i = 1, 300 do
         local mail = core.transaction { from = "a@x", to = { "b@x" } }
         session:add(mail, "hi\r\n")
         alive[mail] = i
      end
      collectgarbage()
      collectgarbage()
      local count = 0
      for _ in pairs(alive) do count = count + 1 end
      assert.equal(300, count)
      said(session)
      session:heard("250 ok\r\n250 ok\r\n")
      assert.equal("BDAT 4 LAST\r\nhi\r\n", said(session))
   end)

   it("lets go of the mails that are over", function()
      local session, alive = open(), setmetatable({}, { __mode = "k" })
      for i = 1, 300 do
         alive[begin(session, of_unknown_size(), "hi\r\n")] = i
         said(session)
         session:heard("250 ok\r\n")
      end
      collectgarbage()
      collectgarbage()
      local count = 0
      for _ in pairs(alive) do count = count + 1 end
      assert.is_true(count < 200, count)
   end)

   it("that has ended asks for the message of no mail, and looks at none", function()
      local session = open()
      begin(session, of_unknown_size())
      session:add(of_unknown_size())
      assert.equal("body", session:wants())
      assert.is_userdata(session:spoken())
      session:broken("timeout", "timeout", "")
      assert.equal("nothing", session:wants())
      assert.is_nil(session:spoken())
      for _ = 1, 300 do session:add(of_unknown_size()) end -- the mails before these are let go
      collectgarbage()
      session:broken("disconnected", "closed", "")
      assert.equal("timeout", session:trouble().kind)
   end)

   it("gives the place of a mail to no other while it has it", function()
      local session = open()
      local options = { from = "a@x", to = "b@x", raw = "hi\r\n" }
      local mail = core.transaction(options, {})
      session:add(mail, "hi\r\n")
      assert.has_error(function() core.transaction(options, {}, mail) end)
      said(session)
      session:heard("250 ok\r\n250 ok\r\n")
      said(session)
      assert.has_error(function() core.transaction(options, {}, mail) end)
      session:heard("250 ok\r\n")
      assert.equal(mail, (core.transaction(options, {}, mail)))
   end)
end)

describe("A session that holds ends back", function()
   local raw = "Subject: x\r\n\r\n" .. ("hello\r\n"):rep(3000) .. "end"

   local function mail(given)
      local all = { from = "ann@me.example", to = { "bob@x", "eve@x", "joe@x" }, size = #raw + 2, source_len = #raw + 2,
         exact = true }
      for name, value in pairs(given or {}) do all[name] = value end
      return core.transaction(all)
   end

   -- With this transaction added, all but its end is said; to eve, it is refused. -> the session, what was said
   local function come_to_the_end(options, capabilities, transaction)
      options.hold_ends = true
      local session = open(options, capabilities)
      session:add(transaction, raw .. "\r\n")
      said(session)
      session:heard("250 ok\r\n250 ok\r\n550 who?\r\n250 ok\r\n")
      if not capabilities:find "CHUNKING" then session:heard("354 go\r\n") end
      local text = said(session)
      assert.equal("end", session:wants())
      assert.equal("", session:output())
      assert.equal("body", session:stage())
      assert.same({ "bob@x", "joe@x" }, session:ending())
      return session, text
   end

   it("says all but the dot and its line end, or the last octet of the chunk", function()
      local session, text = come_to_the_end({}, "250-PIPELINING\r\n", mail())
      assert.equal(raw .. "\r\n", text)
      session:end_allowed()
      assert.is_nil(session:ending())
      assert.equal(".\r\n", said(session))
      assert.equal("final", session:stage())
      session, text = come_to_the_end({}, "250-PIPELINING\r\n250-CHUNKING\r\n", mail())
      assert.equal(("BDAT %d LAST\r\n"):format(#raw + 2) .. raw .. "\r", text)
      session:end_allowed()
      assert.equal("\n", said(session))
   end)

   it("holds back what follows the end as well", function()
      local session = come_to_the_end({ grade = "eager", flight_max = 2 }, "250-PIPELINING\r\n", mail())
      session:add(mail { to = { "zoe@x" } }, raw .. "\r\n")
      session:quit()
      assert.equal("end", session:wants())
      session:end_allowed()
      assert.equal(".\r\nRSET\r\nMAIL FROM:<ann@me.example>\r\nRCPT TO:<zoe@x>\r\nDATA\r\n", said(session))
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
      assert.equal(raw .. "\r\n", said(session))
      assert.same({ "zoe@x" }, session:ending())
   end)

   it("breaks where the end is withheld, and has sent nothing of it", function()
      local one, other = mail(), mail { to = { "zoe@x" } }
      local session = come_to_the_end({ grade = "eager", flight_max = 2 }, "250-PIPELINING\r\n", one)
      session:add(other, raw .. "\r\n")
      session:broken("source", "withheld", "lost")
      assert.equal("nothing", session:wants())
      assert.equal("", session:output())
      assert.is_nil(session:ending())
      session:end_allowed()
      assert.equal("", session:output())
      assert.equal("unsent", one:recipients()[1].state)
      assert.same({ "withheld", false, true }, { one:trouble().reason, one:is_bystander(), other:is_bystander() })
   end)

   it("hears meanwhile that the server refuses the message, or goes", function()
      for reply, reason in pairs { ["552 5.3.4 too big\r\n"] = "too_large", ["421 bye\r\n"] = "shutting_down" } do
         local one = mail()
         local session = come_to_the_end({}, "250-PIPELINING\r\n", one)
         session:heard(reply)
         assert.equal("nothing", session:wants())
         assert.equal(reason, one:trouble().reason)
      end
   end)

   it("lets a short text wait, so that it leaves with its end", function()
      local session = open({ hold_ends = true }, "250-PIPELINING\r\n")
      session:add(core.transaction { from = "a@x", to = { "b@x" } }, "hello")
      said(session)
      session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
      assert.equal("end", session:wants())
      assert.equal("hello\r\n", session:output())
      session:end_allowed()
      assert.equal("hello\r\n.\r\n", session:output())
   end)

   it("holds no chunk back but the last one, and of an empty one the command", function()
      local session = open { hold_ends = true }
      begin(session, of_unknown_size())
      local lines = (("x"):rep(78) .. "\r\n"):rep(1000)
      local first = session:body(lines, 1) - 1
      said(session)
      session:heard("250 ok\r\n")
      session:body(lines, first + 1)
      session:body_end()
      local len = #lines - first
      assert.equal(("BDAT %d LAST\r\n"):format(len) .. lines:sub(first + 1, -2), said(session))
      assert.equal("end", session:wants())
      session = open { hold_ends = true }
      begin(session, of_unknown_size())
      session:body_end()
      assert.equal("end", session:wants())
      session:end_allowed()
      assert.equal("BDAT 0 LAST\r\n", said(session))
   end)

   it("does not hold the lone dot back that ends a refused envelope", function()
      local session = open({ hold_ends = true }, "250-PIPELINING\r\n")
      session:add(core.transaction { from = "a@x", to = { "b@x" } }, raw)
      said(session)
      session:heard("250 ok\r\n550 who?\r\n354 go\r\n")
      assert.equal(".\r\n", said(session))
   end)
end)
