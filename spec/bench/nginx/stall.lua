--- How late a timer of 1 ms is while mails of 10 MiB go out at once, and how fast they go.

local bare = require "spec.bench.nginx.bare"
local core = require "smtp.core"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local SIZE = 10 * 1024 * 1024

local function percentile(list, p)
   table.sort(list)
   return list[math.max(1, math.ceil(#list * p))] * 1000
end

-- Runs n times `send` at once, with the timer beside it.
local function measure(name, n, send)
   local late, going = {}, true
   local ticker = ngx.thread.spawn(function()
      while going do
         local before = core.now()
         ngx.sleep(0.001)
         late[#late + 1] = math.max(0, core.now() - before - 0.001)
      end
   end)
   ngx.sleep(0.02)
   late = {}
   local began, threads, done = core.now(), {}, {}
   for i = 1, n do
      threads[i] = ngx.thread.spawn(function()
         local ok, why = send()
         done[i] = core.now() - began
         return ok, why
      end)
   end
   for i = 1, n do
      local ok, receipt, why = ngx.thread.wait(threads[i])
      assert(ok and receipt, tostring(why or receipt))
   end
   local seconds = core.now() - began
   going = false
   ngx.thread.wait(ticker)
   table.sort(done)
   ngx.say(("%-22s %3d at once: late by p50 %5.2f p99 %6.2f max %6.2f ms (%4d ticks); %6.0f MiB/s; done %.2f to %.2f s")
      :format(name, n, percentile(late, 0.5), percentile(late, 0.99), percentile(late, 1), #late,
         n * SIZE / 1048576 / seconds, done[1], done[n]))
   ngx.flush(true)
end

return function()
   local mx = server.start { fast = true, quiet = true }
   local line = ("x"):rep(70) .. "\r\n"
   local text = "Subject: x\r\n\r\n" .. line:rep(SIZE / #line)
   local function options(raw)
      return { host = "127.0.0.1", port = mx.port, from = "a@b.example", to = "c@d.example", raw = raw }
   end
   local name = os.tmpname()
   local file = io.open(name, "w")
   file:write(text)
   file:close()
   measure("idle", 1, function() ngx.sleep(0.5) return true end)
   for _ = 1, 1 do
      for _, n in ipairs { 1, 10, 50 } do
         measure("bare", n, function()
            local sock = bare.open(mx.port)
            bare.send(sock, text)
            return sock:close()
         end)
         measure("smtp, function", n, function()
            local at = 1
            return safe.send(options(function()
               if at > #text then return nil end
               at = at + 49152
               return text:sub(at - 49152, at - 1)
            end))
         end)
         measure("smtp, string", n, function() return safe.send(options(text)) end)
         measure("smtp, file", n, function()
            local opened = io.open(name)
            local receipt, err = safe.send(options(opened))
            opened:close()
            return receipt, err
         end)
      end
   end
   os.remove(name)
   mx:stop()
end
