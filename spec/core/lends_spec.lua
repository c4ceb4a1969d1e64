local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

describe("A pipeline whose ends are held back", function()
   it("lets posted messages end that were allowed beforehand, for as long as that was said", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager",
         flight_max = 64, hold_ends = true }
      local line, list = core.pipeline(session, {}, 10), {}
      for i = 1, 3 do list[i] = { from = "a@x", to = "b@x", raw = "message " .. i .. "\r\n" } end
      line:post(list, 1, 3, 5, 0)
      assert.is_false(line:is_allowed())
      line:allow(6, 6, os.time() + 1000)
      line:allow(7, 7, os.time() - 1)
      session:heard("220 hi\r\n")
      sessions.said(session)
      session:heard("250-mx\r\n250 PIPELINING\r\n")
      for i = 5, 7 do
         while session:wants() ~= "end" do
            sessions.said(session)
            session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         end
         assert.same({ i, i == 6 }, { line:ending(), line:is_allowed() })
         session:end_allowed()
         sessions.said(session)
         session:heard("250 ok\r\n" .. (i < 7 and "250 ok\r\n" or ""))
      end
   end)
end)
