--- Messages over one kept connection, short ones and of 10 MiB, and a raw cosocket loop beside them. In short rounds,
-- one after the other, so that what else this machine does hits all alike; of each the median.

local bare = require "spec.bench.nginx.bare"
local core = require "smtp.core"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local ROUNDS = 31

local function median(list)
   table.sort(list)
   return list[math.ceil(#list / 2)]
end

-- Seconds for a message: on the clock, and of this worker's processor.
local function round(send, count)
   local began, used = core.now(), os.clock()
   for _ = 1, count do send() end
   return (core.now() - began) / count, (os.clock() - used) / count
end

local function measure(count, ways)
   local seconds, used, ratio, used_ratio = {}, {}, {}, {}
   for i = 1, #ways do seconds[i], used[i], ratio[i], used_ratio[i] = {}, {}, {}, {} end
   for r = 0, ROUNDS do -- the first one warms up
      local first, first_used
      for i = 1, #ways do
         local s, u = round(ways[i].send, count)
         first, first_used = first or s, first_used or u
         if r > 0 then seconds[i][r], used[i][r], ratio[i][r], used_ratio[i][r] = s, u, first / s, first_used / u end
      end
   end
   for i = 1, #ways do
      ngx.say(("%-34s %6.0f messages a second, %5.0f us of the processor each; of the bare loop %3.0f %%, by the "
         .. "processor %3.0f %%"):format(ways[i].name, 1 / median(seconds[i]), median(used[i]) * 1e6,
         median(ratio[i]) * 100, median(used_ratio[i]) * 100))
      ngx.flush(true)
   end
end

local function fields(text)
   return { from = "a@b.example", to = "c@d.example", raw = text }
end

return function()
   local mx = server.start { fast = true, quiet = true }
   local text = "Subject: x\r\n\r\n" .. ("x"):rep(70) .. "\r\n"
   local long = "Subject: x\r\n\r\n" .. (("x"):rep(70) .. "\r\n"):rep(10 * 1048576 / 72)
   local path = os.tmpname()
   local written = assert(io.open(path, "wb"))
   written:write(long)
   written:close()
   local function to_server(more)
      more.host, more.port, more.domain, more.keepalive = "127.0.0.1", mx.port, "me.example", { idle = 60 }
      return more
   end
   local sock = bare.open(mx.port)
   local raw, bulk = to_server(fields(text)), to_server(fields(long))
   local composed = to_server { from = "a@b.example", to = "c@d.example", subject = "x", text = ("x"):rep(70) }
   local conn = assert(safe.connect { host = "127.0.0.1", port = mx.port, domain = "me.example" })
   measure(100, {
      { name = "bare, prebuilt, one connection", send = function() bare.send(sock, text) end },
      { name = "smtp.send, raw, keepalive", send = function() assert(safe.send(raw)) end },
      { name = "smtp.send, composed, keepalive", send = function() assert(safe.send(composed)) end },
      { name = "connection:send, raw", send = function() assert(conn:send(fields(text))) end },
   })
   measure(2, {
      { name = "10 MiB: bare", send = function() bare.send(sock, long) end },
      { name = "10 MiB: smtp.send, raw, keepalive", send = function() assert(safe.send(bulk)) end },
      { name = "10 MiB: connection:send, a file", send = function()
         local file = assert(io.open(path, "rb"))
         assert(conn:send(fields(file)))
         file:close()
      end },
      { name = "10 MiB: smtp.send, an attachment", send = function()
         assert(safe.send(to_server { from = "a@b.example", to = "c@d.example", text = "x",
            attachments = { path = path } }))
      end },
   })
   conn:quit()
   sock:close()
   os.remove(path)
   mx:stop()
end
