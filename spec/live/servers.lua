--- Starts Postfix and Dovecot (servers.sh) and reads what they delivered.

local certs = require "spec.certs"

local servers = {}

--- -> { submission_port, relay_port, user, password, ca_file, arrived = function(box), stop } | nil, why
function servers.start()
   local cert = certs.make()
   local pipe = io.popen("bash spec/live/servers.sh 2>&1")
   local submission, relay, pid, work
   local said = {}
   for line in pipe:lines() do
      said[#said + 1] = line
      submission, relay, pid, work = line:match("^ready (%d+) (%d+) (%d+) (%S+)$")
      if submission then break end
   end
   if not submission then
      pipe:close()
      return nil, table.concat(said, "\n")
   end
   local self = { submission_port = tonumber(submission), relay_port = tonumber(relay), user = "ann",
      password = "sesame", ca_file = cert "ca" }

   -- What came to `box@live.example` since the last time, oldest first: each message without the lines
   -- that the servers put on top. Waits up to 10 seconds for `count` of them.
   function self.arrived(box, count)
      local script = ([[cd %s/var/boxes/%s/new 2>/dev/null && for f in $(ls -tr); do
         printf '%%s\n' "$PWD/$f"; done]]):format(work, box)
      local names
      for _ = 1, 100 do
         names = {}
         local list = io.popen(script)
         for name in list:lines() do names[#names + 1] = name end
         list:close()
         if #names >= count then break end
         os.execute("sleep 0.1")
      end
      local messages = {}
      for i, name in ipairs(names) do
         local file = assert(io.open(name, "rb"))
         local text = file:read("*a")
         file:close()
         os.remove(name)
         -- Return-Path, X-Original-To, Delivered-To, and one Received of two or three lines.
         messages[i] = text:gsub("^.-\nReceived: [^\n]*\n", "", 1)
         messages[i] = messages[i]:gsub("^[ \t][^\n]*\n", ""):gsub("^[ \t][^\n]*\n", "")
            :gsub("^[ \t][^\n]*\n", "")
      end
      return messages
   end

   function self.stop()
      os.execute("kill " .. pid)
      pipe:read("*a")
      pipe:close()
   end
   return self
end

return servers
