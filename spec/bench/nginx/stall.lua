--- How late a timer of 1 ms is while mails of 10 MiB go out at once, and how fast they go.

local bare = require "spec.bench.nginx.bare"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"
local ticks = require "spec.bench.nginx.ticks"

local SIZE, WARM_SIZE, PIECE = 10 * 1024 * 1024, 1024 * 1024, 49152
local SECONDS = 3

local percentile = ticks.percentile

local function measure(name, n, send)
   local result = ticks.measure(SECONDS, n, send)
   ngx.say(("%-14s %3d at once: late by p50 %5.2f p99 %5.2f max %6.2f ms, by work p99 %5.2f (%4d ticks); %4.0f MiB/s")
      :format(name, n, percentile(result.late, 0.5), percentile(result.late, 0.99), percentile(result.late, 1),
         percentile(result.worked, 0.99), #result.late, result.count * SIZE / 1048576 / result.seconds))
   ngx.flush(true)
end

-- Each way to send a message of this size: { name =, send = }
local function ways(port, size)
   local line = ("x"):rep(70) .. "\r\n"
   local text = "Subject: x\r\n\r\n" .. line:rep(size / #line)
   local name = os.tmpname()
   local file = io.open(name, "w")
   file:write(text)
   file:close()
   local function send(raw)
      return safe.send { host = "127.0.0.1", port = port, from = "a@b.example", to = "c@d.example", raw = raw }
   end
   local function send_function()
      local at = 1
      return send(function()
         if at > #text then return nil end
         at = at + PIECE
         return text:sub(at - PIECE, at - 1)
      end)
   end
   local function send_file()
      local opened = io.open(name)
      local receipt, err = send(opened)
      opened:close()
      return receipt, err
   end
   local function send_bare()
      local sock = bare.open(port)
      bare.send(sock, text)
      return sock:close()
   end
   return { { name = "bare", send = send_bare }, { name = "smtp, function", send = send_function },
      { name = "smtp, string", send = function() return send(text) end },
      { name = "smtp, file", send = send_file } }, name
end

return function()
   local mx = server.start { fast = true, quiet = true }
   -- LuaJIT compiles as it sees what is run often, which takes up to a millisecond each time.
   local small, small_name = ways(mx.port, WARM_SIZE)
   for i = 1, 400 do assert(small[i % #small + 1].send()) end
   local all, name = ways(mx.port, SIZE)
   measure("idle", 1, function() ngx.sleep(0.1) return true end)
   for _, n in ipairs { 1, 10, 50 } do
      for i = 1, #all do measure(all[i].name, n, all[i].send) end
   end
   os.remove(small_name)
   os.remove(name)
   mx:stop()
end
