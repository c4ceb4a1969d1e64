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
