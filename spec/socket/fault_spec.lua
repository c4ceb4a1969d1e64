-- What an error says is wrong with a certificate.
local tls_server = require "spec.tools.tls_server"

local function fault(name)
   local _, err = tls_server.send(name)
   assert.equal("certificate", err.kind, tostring(err))
   return err.text
end

describe("What is wrong with a certificate", function()
   it("is a date, beside that of this machine's clock", function()
      local today = os.date("!%Y-%m-%d")
      assert.equal("it ended on 2021-01-01, and this machine's clock says " .. today, fault "expired")
      assert.equal("it begins on 2048-01-01, and this machine's clock says " .. today, fault "not_yet_valid")
   end)

   it("is that it is for others, of which a bounded number is named, addresses too", function()
      assert.equal("it is for elsewhere.example", fault "wrong_host")
      local text = fault "many_names"
      assert.matches("^it is for 192%.0%.2%.7, host%-001%.elsewhere%.example, .* and %d+ more$", text)
      assert.truthy(#text < 260, #text)
   end)

   it("is that it names no host, whatever its common name is", function()
      assert.equal("it names no host at all (no DNS name or address in a subjectAltName)", fault "cn_only")
   end)

   it("is the issuer that is missing, or the CA at the end of its chain", function()
      assert.equal("neither the server nor this machine has the certificate of its issuer \"middle\"", fault "no_chain")
      assert.equal("its chain ends in the CA \"Corporate Proxy CA\", which this machine does not trust",
         fault "proxied")
   end)

   it("is an issuer that may not issue any", function()
      local _, err = tls_server.send "bad_issuer"
      assert.same({ "certificate", "untrusted" }, { err.kind, err.reason })
      assert.matches("^invalid CA certificate", err.text)
   end)

   it("is its purpose, or that it signs itself", function()
      assert.equal("it is not for servers", fault "client_only")
      assert.equal("self-signed certificate", (fault "self_signed":gsub("self signed", "self-signed")))
   end)
end)
