-- EXTERNAL and PLAIN at a real Exim: who the client is, its certificate says.
local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

describe("AUTH at Exim", function()
   local live = servers.during(setup, teardown, servers.start_exim)
   local cert = certs.make()

   local raw = servers.head "auth" .. "hello\n"

   local function options(more)
      local t = servers.options(live, live.open_port, more)
      t.raw = t.raw or raw
      return t
   end

   local function external(name, more)
      local t = { auth_mechanisms = { "EXTERNAL" } }
      t.tls_cert, t.tls_key = cert(name)
      for key, value in pairs(more or {}) do t[key] = value end
      return t
   end

   -- Exim writes down as which user it let us in, and how.
   local function delivers(identity, mechanism, more)
      local receipt, err = safe.send(options(more))
      assert(receipt, tostring(err))
      assert.same({ "authenticated", mechanism, true },
         { receipt.auth.state, receipt.auth.mechanism, receipt.tls.verified })
      local note = ("X-Identity: %s by %s\n\n"):format(identity, mechanism:lower())
      assert.same({ (raw:gsub("\n\n", "\n" .. note)) }, live.arrived("bob", 1))
   end

   local function fails(kind, code, more)
      local receipt, err = safe.send(options(more))
      assert.is_nil(receipt)
      assert.same({ kind, "never", "no" }, { err.kind, err.retry, err.sent })
      assert.equal(code, err.code)
      return err
   end

   it("with EXTERNAL is the user of the certificate", function()
      delivers("ann", "EXTERNAL", external("client"))
   end)

   it("with EXTERNAL is so where only trusted certificates are offered it", function()
      delivers("ann", "EXTERNAL", external("client", { port = live.strict_port }))
   end)

   it("with EXTERNAL and an authzid acts as that one, if it may", function()
      delivers("office", "EXTERNAL", external("client", { authzid = "office" }))
      fails("auth_rejected", 535, external("client", { authzid = "boss" }))
   end)

   it("with EXTERNAL and the certificate of an issuer that Exim does not know is rejected", function()
      local err = fails("auth_rejected", 535, external("unknown_issuer"))
      assert.equal("auth", err.stage)
   end)

   it("with EXTERNAL and no certificate is refused here", function()
      local err = fails("usage", nil, { auth_mechanisms = { "EXTERNAL" } })
      assert.equal("tls_cert", err.option)
   end)

   it("with EXTERNAL and no certificate, on a transport of one's own, is rejected", function()
      fails("auth_rejected", 535, { auth_mechanisms = { "EXTERNAL" }, transport = servers.transport() })
   end)

   it("with EXTERNAL and a certificate that is not trusted finds it not offered", function()
      local err = fails("auth_unsupported", nil, external("unknown_issuer", { port = live.strict_port }))
      assert.same({ "no_common_mechanism", { "PLAIN" } }, { err.reason, err.offered })
   end)

   it("with a certificate and a password uses the password, unless EXTERNAL is named", function()
      local more = external("client", { username = "ann", password = "sesame" })
      more.auth_mechanisms = nil
      delivers("ann", "PLAIN", more)
   end)

   it("with PLAIN and a wrong password is rejected", function()
      fails("auth_rejected", 535, { username = "ann", password = "wrong" })
   end)

   it("with a certificate and no credentials is not authenticated", function()
      local more = external("client")
      more.auth_mechanisms = nil
      local err = fails("auth_required", 530, more)
      assert.equal("mail", err.stage)
   end)
end)
