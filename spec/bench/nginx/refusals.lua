--- Handshakes with certificates that are wrong: all refused, nothing raised, nothing told.

local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local COUNT = 300

return function()
   local cert = certs.make()
   for _, version in ipairs { "1.2", "1.3" } do
      for _, name in ipairs { "wrong_host", "unknown_issuer", "expired" } do
         local path, key = cert(name)
         local mx = server.start { tls = "starttls", cert = path, key = key, auth = { ann = "sesame" },
            [version == "1.2" and "tls_max" or "tls_min"] = version }
         local found = {}
         for _ = 1, COUNT do
            local ok, receipt, err = pcall(safe.send, { host = "localhost", port = mx.port, tls = "require",
               username = "ann", password = "sesame", from = "a@b.example", to = "c@d.example", text = "x" })
            local what = not ok and "raised " .. tostring(receipt) or receipt and "sent"
               or err.kind .. ":" .. tostring(err.reason)
            found[what] = (found[what] or 0) + 1
         end
         mx:wait("over", COUNT)
         local told = mx:count("MAIL") + mx:count("auth") + mx:count("message") + mx:count("AUTH")
         for what, count in pairs(found) do
            ngx.say(("TLS %s %-15s %3d times %s; the server was told %d things"):format(version, name, count,
               what, told))
         end
         ngx.flush(true)
         mx:stop()
      end
   end
end
