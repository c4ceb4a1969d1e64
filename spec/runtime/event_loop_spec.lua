-- Calls that wait in an event loop: what they send and report is what they do without one.
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"

local function options(port, more)
   local t = { host = "127.0.0.1", port = port, tls = "skip", timeout = 20, from = "a@b.example", to = "c@d.example",
      raw = "x\r\n" }
   for key, value in pairs(more or {}) do t[key] = value end
   return t
end

-- A server that takes so many milliseconds for each reply.
local slow = [[
   local sock, replies = accept(), { EHLO = "250 mx", MAIL = "250 ok", RCPT = "250 ok", DATA = "354 go",
      QUIT = "221 bye", [".\r\n"] = "250 queued" }
   local core = require "smtp.core"
   sock:send("220 hi\r\n")
   while true do
      local text = line(sock)
      if text == "" then break end
      local reply = replies[text:match("^%%u%%u%%u%%u") or text]
      if reply then core.sleep(%g) sock:send(reply .. "\r\n") end
   end
]]

describe("a call in an event loop", function()
   it("sends while other coroutines go on", function()
      local other = peer.start(slow:format(0.05))
      local result, loop, turns = poll_loop.call(function(loop)
         return safe.send(options(other.port, { loop = loop }))
      end)
      other.finish()
      assert(result[1], tostring(result[2]))
      assert.truthy(turns > 20, turns)
      assert.truthy(loop.waits >= 6, loop.waits)
   end)
end)
