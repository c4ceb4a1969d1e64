local certs = require "spec.tools.certs"
local safe = require "smtp.safe"

local cert = certs.make()

describe("TLS", function()
   it("of version 1.2 is enough unless 1.3 is asked for", function()
      local path, key = cert "good"
      for _, min in ipairs { "1.2", "1.3" } do
         local pipe = io.popen(("sleep 3 | env -u LD_PRELOAD timeout 5 openssl s_server -accept 127.0.0.1:0 -cert %s "
            .. "-key %s -tls1_2 -naccept 1 2>&1"):format(path, key))
         local port
         repeat port = pipe:read("*l"):match("^ACCEPT 127.0.0.1:(%d+)") until port
         local _, err = safe.send { host = "localhost", port = tonumber(port), tls = "implicit",
            tls_ca_file = cert "ca", tls_min_version = min, timeout = 1, from = "a@b", to = "c@d", text = "" }
         -- s_server speaks no SMTP: with 1.2 we get as far as waiting for its greeting.
         assert.same(min == "1.2" and { "timeout", "greeting" } or { "tls", "tls" }, { err.kind, err.stage })
         if min == "1.3" then assert.equal("version", err.reason) end
         pipe:close()
      end
   end)
end)
