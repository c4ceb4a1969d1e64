local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()
local send = tls_server.send

describe("the files of TLS", function()
   it("are read again where they have changed", function()
      local own = os.tmpname()
      local function trust(name)
         local from = assert(io.open((cert(name)), "rb"))
         local to = assert(io.open(own, "wb"))
         to:write(from:read("*a"))
         from:close()
         to:close()
      end
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      trust "self_signed"
      local _, err = send("good", { tls_ca_file = own })
      assert.equal("unknown_issuer", err.reason)
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      os.remove(own)
      _, err = safe.send { host = "localhost", port = 1, tls = "require", tls_ca_file = own, from = "a@b", to = "c@d",
         text = "" }
      assert.equal("tls_ca_file", err.option)
   end)
end)
