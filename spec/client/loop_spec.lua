local core = require "smtp.core"
local peer = require "spec.tools.peer"
local sockets = require "spec.tools.sockets"

local greet_and, send = sockets.greet_and, sockets.send

describe("time", function()
   it("is not extended by a server that drips", function()
      for _, drip in ipairs { "2", "250-x\\r\\n" } do
         local other = peer.start(greet_and .. ([[
            for _ = 1, 200 do -- 20 s
               sock:send("%s")
               sock:settimeouts(1, 1, 100)
               local data, why = sock:receiveany(1)
               if not data and why == "closed" then break end
            end
         ]]):format(drip))
         local started = core.now()
         local _, err = send(other.port, { timeout = 0.7 })
         local took = core.now() - started
         other.finish()
         assert.equal("timeout", err.kind)
         assert.truthy(took > 0.6 and took < 10, took)
      end
   end)

   it("for QUIT is two seconds at most, and what was delivered stays delivered", function()
      local other = peer.start(greet_and .. [[
         sock:send("250 mx\r\n")
         for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         repeat until line(sock) == ".\r\n"
         sock:send("250 queued\r\n")
         line(sock)
         sock:receiveany(1)
      ]])
      local started = core.now()
      assert(send(other.port))
      assert.truthy(core.now() - started < 20) -- and not as long as reply_timeout
      other.finish()
   end)
end)
