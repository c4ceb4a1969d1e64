-- A session led by hand, call by call: what no transcript can show.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local said, open, of_unknown_size = sessions.said, sessions.open, sessions.of_unknown_size

describe("A session", function()
   it("has a line end for the last line where its buffer is all but full", function()
      for size = 65510, 65540 do
         local session = open({}, "250-CHUNKING\r\n")
         local text = (("x"):rep(900) .. "\r\n"):rep(80):sub(1, size)
         local mail = core.transaction({ from = "a@x", to = "b@x", raw = text }, {})
         session:add(mail, text)
         for _ = 1, 3 do
            said(session)
            session:heard("250 ok\r\n")
         end
         assert.is_nil(mail:trouble())
      end
   end)

   it("takes an empty message for empty after one without a line end", function()
      local session = open({}, "250-PIPELINING\r\n")
      for _, message in ipairs { { "hello", "hello\r\n.\r\n" }, { "", ".\r\n" } } do
         session:add(of_unknown_size())
         said(session)
         session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         session:body(message[1], 1)
         session:body_end()
         assert.equal(message[2], said(session))
         session:heard("250 ok\r\n")
      end
   end)

   it("waits for no answer to the lone dot in LMTP, where no recipient was accepted", function()
      local session = open({ lmtp = true }, "250-PIPELINING\r\n")
      local mail = of_unknown_size()
      session:add(mail)
      said(session)
      session:heard("250 ok\r\n550 who?\r\n354 go\r\n")
      assert.equal(".\r\nRSET\r\n", said(session))
      assert.is_true(mail:over())
      session:heard("250 ok\r\n")
      assert.equal("ready", session:wants())
   end)
end)
