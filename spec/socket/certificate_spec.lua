-- Certificates for real: who is trusted, and what an untrusted server is told.
local certs = require "spec.tools.certs"
local tls_server = require "spec.tools.tls_server"
local contexts = require "smtp.tls"

local cert = certs.make()
local send = tls_server.send
local nothing_told = tls_server.nothing_told

describe("a certificate", function()
   for _, tls in ipairs { "require", "implicit", "prefer" } do
      it("that is good lets the message pass, tls = " .. tls, function()
         local receipt, err, saw = send("good", { tls = tls })
         assert(receipt, tostring(err))
         assert.equal("on", receipt.tls.state)
         assert.is_true(receipt.tls.verified)
         assert.equal("TLSv1.3", receipt.tls.version)
         assert.equal("authenticated", receipt.auth.state)
         assert.truthy(saw:find("treasure", 1, true))
      end)

      for name, reason in pairs { wrong_host = "wrong_host", expired = "expired",
         not_yet_valid = "not_yet_valid", self_signed = "self_signed", unknown_issuer = "unknown_issuer",
         cn_only = "wrong_host", client_only = "bad_purpose", no_chain = "unknown_issuer" } do
         it(("that is %s is refused, and the server is told nothing, tls = %s"):format(name, tls), function()
            local _, err, saw = send(name, { tls = tls })
            assert.equal("certificate", err.kind, tostring(err))
            assert.equal(reason, err.reason)
            assert.equal("tls", err.stage)
            assert.equal("never", err.retry)
            nothing_told(saw)
         end)
      end
   end

   it("for another host names those it is for", function()
      local _, err = send("wrong_host")
      assert.truthy(err.text:find("elsewhere.example", 1, true))
   end)

   it("with its intermediate is good", function()
      assert((send("chain")))
   end)

   it("for an address is good for that address, and a name that looks like one is not", function()
      assert((send("good", { host = "127.0.0.1" })))
      local _, err = send("ip_as_name", { host = "127.0.0.1" })
      assert.equal("wrong_host", err.reason)
   end)

   it("is checked for tls_host where that is given", function()
      assert((send("wrong_host", { tls_host = "elsewhere.example" })))
      local _, err = send("good", { tls_host = "elsewhere.example" })
      assert.equal("wrong_host", err.reason)
   end)

   it("is not checked where the caller says so, and the receipt says so", function()
      local receipt = assert((send("self_signed", { tls_verify = false })))
      assert.is_false(receipt.tls.verified)
   end)
end)

describe("a pin", function()
   it("that fits lets the message pass", function()
      assert((send("good", { tls_pin = certs.pin(cert "good") })))
      assert((send("self_signed", { tls_verify = false, tls_pin = certs.pin(cert "self_signed") })))
   end)

   it("that does not fit is refused, whatever else is good", function()
      for _, verify in ipairs { true, false } do
         local _, err, saw = send("good", { tls_verify = verify, tls_pin = certs.pin(cert "expired") })
         assert.equal("pin_mismatch", err.reason)
         nothing_told(saw)
      end
   end)

   it("does not make a bad certificate good", function()
      local _, err = send("expired", { tls_pin = certs.pin(cert "expired") })
      assert.equal("expired", err.reason)
   end)
end)

describe("a pin of a context", function()
   it("is a SHA-256 in base64", function()
      local pin = certs.pin(cert "good")
      assert(contexts.context { verify = false, pin = pin })
      for _, wrong in ipairs { "", pin:sub(1, -2), pin:sub(1, -3) .. "==", pin .. "=", ("*"):rep(44), ("A"):rep(44),
         ("A"):rep(40) } do
         local context, option, why = contexts.context { verify = false, pin = wrong }
         assert.same({ nil, "pin", "it is not a SHA-256 in base64" }, { context, option, why })
      end
   end)
end)
