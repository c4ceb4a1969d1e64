--- Messages a second over one kept connection, and a raw cosocket loop beside them. In short rounds,
-- one after the other, so that what else this machine does hits all alike; of each the median.

local bare = require "spec.bench.nginx.bare"
local core = require "smtp.core"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local ROUNDS, COUNT = 31, 100

local function median(list)
   table.sort(list)
   return list[math.ceil(#list / 2)]
end

-- Seconds for a message: on the clock, and of this worker's processor.
local function round(send)
   local began, used = core.now(), os.clock()
   for _ = 1, COUNT do send() end
   return (core.now() - began) / COUNT, (os.clock() - used) / COUNT
end

local function measure(ways)
   local seconds, used, ratio = {}, {}, {}
   for i = 1, #ways do seconds[i], used[i], ratio[i] = {}, {}, {} end
   for r = 0, ROUNDS do -- the first one warms up
      local first
      for i = 1, #ways do
         local s, u = round(ways[i].send)
         first = first or s
         if r > 0 then seconds[i][r], used[i][r], ratio[i][r] = s, u, first / s end
      end
   end
   for i = 1, #ways do
      ngx.say(("%-34s %6.0f messages a second, %4.0f us of the processor each; %3.0f %% of the bare loop"):format(
         ways[i].name, 1 / median(seconds[i]), median(used[i]) * 1e6, median(ratio[i]) * 100))
   end
end

return function()
   local mx = server.start { fast = true, quiet = true }
   local text = "Subject: x\r\n\r\n" .. ("x"):rep(70) .. "\r\n"
   local function to_server(more)
      more.host, more.port, more.domain, more.keepalive = "127.0.0.1", mx.port, "me.example", { idle = 60 }
      return more
   end
   local sock = bare.open(mx.port)
   local raw = to_server { from = "a@b.example", to = "c@d.example", raw = text }
   local composed = to_server { from = "a@b.example", to = "c@d.example", subject = "x", text = ("x"):rep(70) }
   local conn = assert(safe.connect { host = "127.0.0.1", port = mx.port, domain = "me.example" })
   local message = { from = "a@b.example", to = "c@d.example", raw = text }
   measure {
      { name = "bare, prebuilt, one connection", send = function() bare.send(sock, text) end },
      { name = "smtp.send, raw, keepalive", send = function() assert(safe.send(raw)) end },
      { name = "smtp.send, composed, keepalive", send = function() assert(safe.send(composed)) end },
      { name = "connection:send, raw", send = function() assert(conn:send(message)) end },
   }
   conn:quit()
   sock:close()
   mx:stop()
end
