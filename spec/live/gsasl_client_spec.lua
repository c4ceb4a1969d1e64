-- The sink's AUTH against another implementation: GNU SASL's command, over GnuTLS.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"

local cert = certs.make()

local source = [[
   local sink = assert(require("smtp.sink").new { tls = "starttls", tls_cert = %q, tls_key = %q,
      tls_max_version = %q, auth = { users = { ann = "sesame-60" }, mechanisms = { %s } },
      trace = function(direction, line) print(direction .. ": " .. line) end })
   assert(sink:listen(listener))
   sink:serve { connections = 1, timeout = 10 }
]]

local command = "env -u LD_PRELOAD timeout 10 gsasl --smtp --starttls --verbose --connect=localhost:%d "
   .. "--authentication-id=ann --password=%s --mechanism=%s --x509-ca-file=%s %s </dev/null 2>&1"

-- -> what gsasl said, the dialogue as the sink saw it
local function log_in(t)
   local path, key = cert "good"
   local offered = t.offered or ("%q"):format(t.mechanism)
   local other = peer.start(source:format(path, key, t.version, offered))
   local pipe = io.popen(command:format(other.port, t.password or "sesame-60", t.mechanism, (cert "ca"),
      t.flags or ""))
   local said = pipe:read("*a")
   pipe:close()
   return said, other.finish()
end

local function welcomed(t)
   local said, heard = log_in(t)
   assert.truthy(heard:find("C: AUTH " .. t.mechanism .. "\n", 1, true), said .. heard)
   assert.truthy(heard:find("S: 235 ", 1, true), said .. heard)
   assert.truthy(said:find("server trusted", 1, true), said .. heard)
   assert.truthy(said:find("TLS" .. t.version, 1, true), said)
   return said
end

describe("the sink", function()
   setup(function()
      local pipe = io.popen("command -v gsasl")
      local found = pipe:read("*l")
      pipe:close()
      assert(found, "the command gsasl is missing: apt-get install gsasl")
   end)

   for _, version in ipairs { "1.3", "1.2" } do
      for _, mechanism in ipairs { "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" } do
         it(("lets gsasl in by %s with TLS %s"):format(mechanism, version), function()
            local said = welcomed { mechanism = mechanism, version = version }
            -- What it bound to is in its first message: "p=tls-", in base64.
            assert.truthy(said:find("\ncD10bHMt", 1, true), said)
         end)

         it(("refuses gsasl with a wrong password by %s with TLS %s"):format(mechanism, version), function()
            local said, heard = log_in { mechanism = mechanism, version = version, password = "sesame-6" }
            assert.truthy(heard:find("S: 535 ", 1, true), said .. heard)
            assert.is_nil(heard:find("S: 235 ", 1, true))
         end)
      end
   end

   -- gsasl takes no SCRAM without -PLUS over TLS unless it is told that it cannot bind.
   for _, mechanism in ipairs { "SCRAM-SHA-1", "SCRAM-SHA-256" } do
      it("lets gsasl in by " .. mechanism, function()
         welcomed { mechanism = mechanism, version = "1.3", flags = "--no-cb",
            offered = ("%q, %q"):format(mechanism, mechanism .. "-PLUS") }
      end)
   end

   for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5" } do
      it("lets gsasl in by " .. mechanism .. ", and not with a wrong password", function()
         welcomed { mechanism = mechanism, version = "1.3" }
         local said, heard = log_in { mechanism = mechanism, version = "1.3", password = "sesame-6" }
         assert.truthy(heard:find("S: 535 ", 1, true), said .. heard)
      end)
   end
end)
