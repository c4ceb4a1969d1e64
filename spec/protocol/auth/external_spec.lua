local logins = require "spec.tools.logins"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local with = logins.with
local script = talk.script

describe("EXTERNAL", function()
   it("says the identity to act as, where that is given", function()
      talk.send({ auth_mechanisms = "EXTERNAL", authzid = "boss" }, script [[
         <hello AUTH EXTERNAL>
         C: AUTH EXTERNAL Ym9zcw==
         S: 235 ok
         <accepted>
      ]])
   end)

   it("answers a challenge with nothing where there is nothing to say", function()
      talk.send({ auth_mechanisms = "EXTERNAL" }, script [[
         <hello AUTH EXTERNAL>
         C: AUTH EXTERNAL =
         S: 501 5.5.6 no initial response
         C: AUTH EXTERNAL
         S: 334
         C:
         S: 235 ok
         <accepted>
      ]])
   end)

   it("named is credentials: AUTH is required, on the port for submission", function()
      local _, err = talk.send({ auth_mechanisms = "EXTERNAL" }, script [[
         <hello X>
         <bye>
      ]])
      assert.equal("auth_unsupported", err.kind)
      assert.equal(587, err.port)
   end)

   it("is not used unless it is named", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH EXTERNAL CRAM-MD5>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("only where auth_mechanisms names it", err.mechanisms.EXTERNAL)
      assert.equal("only where auth_mechanisms names it", err.mechanisms["CRAM-MD5"])
   end)

   it("without a client certificate is a mistake of the caller's", function()
      local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example",
         text = "x", auth_mechanisms = "EXTERNAL" }
      assert.same({ "usage", "tls_cert" }, { err.kind, err.option })
   end)
end)
