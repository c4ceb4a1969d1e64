-- AUTH in sessions as Lua objects: what they borrow of the caller, and for how long.
local core = require "smtp.core"

-- A session that has heard this reply to EHLO.
local function greeted(reply, more)
   local options = { domain = "me.example", tls = "skip", auth = "skip" }
   for name, value in pairs(more or {}) do options[name] = value end
   local session = core.session(options)
   session:heard("220 hi\r\n")
   session:sent(#session:output())
   session:heard(reply)
   return session
end

-- Frees what nothing holds any more, and has other strings of that length in its place.
local function churn(len)
   collectgarbage()
   collectgarbage()
   local list = {}
   for i = 1, 2000 do list[i] = ("%05d"):format(i) .. ("#"):rep(len - 5) end
   return list
end

describe("what a session borrows", function()
   it("of a secret is the one that was wanted", function()
      local more = { auth = "require", username = "ann", secret_in_clear = true, mechanisms = { { name = "LOGIN" } } }
      local session = greeted("250-mx\r\n250 AUTH LOGIN\r\n", more)
      local function secret(c) return c:rep(100) end
      session:secret(secret "s")
      session:secret(secret "t") -- not wanted: the first is still borrowed
      churn(100)
      session:sent(#session:output())
      for _, challenge in ipairs { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" } do
         session:heard("334 " .. challenge .. "\r\n")
         if session:wants() == "send" then
            if challenge == "UGFzc3dvcmQ6" then
               assert.equal(core.base64(secret "s") .. "\r\n", session:output())
            end
            session:sent(#session:output())
         end
      end
   end)

   it("of words that are not to be shown is each one, as many as there may be", function()
      local list = {}
      for i = 1, 60 do list[i] = ("hidden-%02d-"):format(i) .. ("x"):rep(40) end
      local session = greeted("250 mx\r\n")
      assert.has_error(function() session:hide { list[1], 5 } end)
      assert.has_error(function() session:hide { list[1], {} } end)
      assert.has_error(function() session:hide { [1] = list[1], [2] = true } end)
      local kept = {}
      for i = 1, #list do kept[i] = list[i] end
      session:hide(kept)
      kept = nil -- luacheck: ignore
      for i = 1, 60 do list[i] = nil end
      churn(50)
      local transaction = core.transaction { from = "a@b", to = { "c@d" }, size = 3, source_len = 3 }
      session:add(transaction, "x\r\n")
      session:sent(#session:output())
      session:heard(("550 no hidden-01-%s hidden-48-%s\r\n"):format(("x"):rep(40), ("x"):rep(40)))
      assert.equal("no [secret] [secret]", transaction:trouble().text)
   end)
end)

describe("a refusal of an answer", function()
   it("has a reason of auth_rejected", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip" }
      for _, reason in ipairs { "none_such", "", "no_pipelining" } do
         local ok, why = pcall(session.answer_refuse, session, reason)
         assert.is_false(ok)
         assert.matches("bad argument #%d to '[^']*' %(unknown%)", why)
      end
   end)
end)
