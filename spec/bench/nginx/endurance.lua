--- Ten thousand mails through one worker: memory and descriptors before, in between and after.

local certs = require "spec.certs"
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
   for line in io.lines("/proc/self/status") do
      local kib = line:match("^VmRSS:%s+(%d+)")
      if kib then return tonumber(kib) end
   end
end

local function report(count)
   collectgarbage()
   collectgarbage()
   ngx.say(("%5d mails: Lua %6.0f KiB, resident %6d KiB, %d descriptors"):format(count,
      collectgarbage("count"), resident(), descriptors()))
   ngx.flush(true)
end

return function()
   local path, key = certs.make()("good")
   local mx = server.start { fast = true, quiet = true, auth = { ann = "sesame" } }
   local secure = server.start { fast = true, quiet = true, tls = "starttls", cert = path, key = key }
   report(0)
   for i = 1, COUNT do
      local t = { host = "127.0.0.1", port = mx.port, from = "a@b.example", to = "c@d.example", subject = "x",
         text = "hello", username = "ann", password = "sesame" }
      if i % 4 == 0 then t.keepalive = { idle = 60 } end -- the others have a connection each
      if i % 50 == 0 then
         t.host, t.port, t.tls, t.username, t.password = "localhost", secure.port, "require", nil, nil
      end
      local receipt, err = safe.send(t)
      if not receipt then
         ngx.say(tostring(err))
         break
      end
      if i % STEP == 0 then report(i) end
   end
   mx:stop()
   secure:stop()
end
