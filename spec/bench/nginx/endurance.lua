--- Ten thousand mails through one worker: memory and descriptors before, in between and after.

local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local COUNT, STEP = 10000, 2000

local function descriptors()
   local pipe = io.popen("ls /proc/" .. ngx.worker.pid() .. "/fd | wc -l")
   local count = tonumber(pipe:read("*a"))
   pipe:close()
   return count
end

local function resident()
   local kib
   for line in io.lines("/proc/self/status") do kib = line:match("^VmRSS:%s+(%d+)") or kib end
   return tonumber(kib)
end

local function report(count)
   collectgarbage()
   collectgarbage()
   ngx.say(("%5d mails: Lua %6.0f KiB, resident %6d KiB, %d descriptors"):format(count,
      collectgarbage("count"), resident(), descriptors()))
   ngx.flush(true)
end

-- In a request of its own, as mails have: what nginx takes from a request's pool comes back with it.
local function in_timer(run)
   local done, why
   assert(ngx.timer.at(0, function()
      local ok, raised = pcall(run)
      done, why = true, not ok and raised
   end))
   repeat ngx.sleep(0.001) until done
   assert(not why, tostring(why))
end

return function()
   local path, key = certs.make()("good")
   local mx = server.start { fast = true, quiet = true, auth = { ann = "sesame" } }
   local secure = server.start { fast = true, quiet = true, tls = "starttls", cert = path, key = key }
   local function send(i)
      local t = { host = "127.0.0.1", port = mx.port, from = "a@b.example", to = "c@d.example", subject = "x",
         text = "hello", username = "ann", password = "sesame" }
      if i % 4 == 0 then t.keepalive = { idle = 60 } end -- the others have a connection each
      if i % 50 == 0 then
         t.host, t.port, t.tls, t.username, t.password = "localhost", secure.port, "require", nil, nil
      end
      local receipt, err = safe.send(t)
      assert(receipt, tostring(err))
   end
   report(0)
   for i = 1, COUNT, 10 do
      in_timer(function() for k = i, i + 9 do send(k) end end)
      if (i + 9) % STEP == 0 then report(i + 9) end
   end
   mx:stop()
   secure:stop()
end
