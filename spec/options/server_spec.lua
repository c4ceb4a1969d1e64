local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

local refused_everywhere, untouched = checked.refused_everywhere, checked.untouched
local with, refused, server = checked.with, checked.refused, checked.server

describe("defaults", function()
   it("require TLS and, with credentials, authentication on the port for submission", function()
      local found = server { username = "ann", password = "pw" }
      assert.same({ "require", "require", 587, true },
         { found.tls, found.auth, found.port, found.tls_verify })
   end)

   it("without credentials are port 25, TLS required, no authentication", function()
      local found = server {}
      assert.same({ "require", "skip", 25 }, { found.tls, found.auth, found.port })
   end)

   it("on port 465 are TLS from the first byte", function()
      assert.equal("implicit", server({ port = 465 }).tls)
      assert.equal("implicit", server({ port = "465" }).tls)
      assert.equal(465, server({ tls = "implicit" }).port)
   end)

   for _, host in ipairs { "localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]" } do
      it("on loopback need no TLS: " .. host, function()
         local found = server { host = host }
         assert.same({ "skip", true }, { found.tls, found.loopback })
      end)
   end

   for _, host in ipairs { "localhost.example", "127.example", "128.0.0.1", "127.0.0.1.example" } do
      it("take nothing else for loopback: " .. host, function()
         assert.equal("require", server({ host = host }).tls)
      end)
   end

   it("through a transport of the user's take nothing for loopback", function()
      assert.equal("require", server({ host = "localhost", transport = untouched() }).tls)
   end)

   it("are described by a url, and the other options win", function()
      local found = server { host = nil, url = "x" and "smtp://a%40b:p%3Aw@[::1]:2525" }
      assert.equal("mx.example", found.host)
      local t = with { url = "smtp://a%40b:p%3Aw@[2001:db8::1]:2525" }
      t.host = nil
      found = assert(request.send(t))
      assert.same({ "2001:db8::1", 2525, "a@b", "p:w", "require" },
         { found.host, found.port, found.username, found.password, found.auth })
      t.url = "smtps://mx.example"
      found = assert(request.send(t))
      assert.same({ "implicit", 465 }, { found.tls, found.port })
   end)
end)

describe("times", function()
   for name, max in pairs { timeout = 3600, connect_timeout = 300, reply_timeout = 900 } do
      it("are seconds, as many as make sense: " .. name, function()
         for _, value in ipairs { max + 1, 30000, "30000", max + 0.5 } do
            for _, err in pairs(refused_everywhere { host = "mx.example", [name] = value }) do
               assert.equal(name, err.option)
               assert.truthy(err.hint:find("milliseconds?", 1, true))
            end
         end
         for _, value in ipairs { 0, -1, 0 / 0, math.huge, -math.huge, "nan", "inf", "", "soon", true, {} } do
            for _, err in pairs(refused_everywhere { host = "mx.example", [name] = value }) do
               assert.equal(name, err.option)
            end
         end
         for value, seconds in pairs { [max] = max, [0.25] = 0.25, [tostring(max)] = max, ["0.5"] = 0.5 } do
            assert.equal(seconds, server({ [name] = value })[name])
         end
      end)
   end

   it("may exceed that where the size of the message asks for it", function()
      local delivery = require "smtp.client.delivery"
      assert.truthy(delivery.deadline(server {}, { size = 1e9 }, 0) > 3600)
   end)
end)

describe("LMTP", function()
   local function from_url(url, more)
      local t = { url = url }
      for name, value in pairs(more or {}) do t[name] = value end
      local found, err = request.connection(t)
      assert(found, tostring(err))
      return found
   end

   it("has port 24, whatever else is given", function()
      local lmtp = server { protocol = "lmtp" }
      assert.same({ 24, "lmtp", "require" }, { lmtp.port, lmtp.protocol, lmtp.tls })
      assert.equal(24, server({ protocol = "lmtp", username = "ann", password = "pw" }).port)
      assert.equal(2525, server({ protocol = "lmtp", port = 2525 }).port)
      assert.equal("smtp", server({}).protocol)
   end)

   it("is not spoken on port 25", function()
      for _, bad in ipairs { { protocol = "lmtp", port = 25 }, { protocol = "lmtp", port = "25" } } do
         assert.truthy(refused(bad).what:find("RFC 2033", 1, true))
      end
      local _, err = request.connection { url = "lmtp://mx.example:25" }
      assert.equal("port", err.option)
   end)

   it("is described by a url", function()
      local found = from_url "lmtp://mx.example"
      assert.same({ "lmtp", "mx.example", 24, "require" }, { found.protocol, found.host, found.port, found.tls })
      found = from_url "lmtp://ann:pw@[::1]:2003"
      assert.same({ "lmtp", "::1", 2003, "skip", "ann" },
         { found.protocol, found.host, found.port, found.tls, found.username })
      for _, url in ipairs { "lmtp+unix:/run/dovecot/lmtp", "lmtp+unix:///run/dovecot/lmtp",
         "lmtp+unix:/run/dovecot%2Flmtp" } do
         found = from_url(url)
         assert.same({ "lmtp", "/run/dovecot/lmtp", nil, "skip", true },
            { found.protocol, found.socket, found.host, found.tls, found.loopback })
      end
      assert.equal("mx.example", from_url("lmtp+unix:/x", { host = "mx.example" }).host)
      assert.equal("smtp", from_url("lmtp://mx.example", { protocol = "smtp" }).protocol)
   end)

   it("has urls of its form only", function()
      for _, url in ipairs { "lmtp+unix:", "lmtp+unix:x", "lmtp+unix:/x?y", "lmtps://x", "lmtp+tcp:/x",
         "lmtp+unix:/x%00y", "lmtp+unix:/" .. ("x"):rep(200), "lmtp://" } do
         local _, err = request.connection { url = url }
         assert.is_true(err.option == "url" or err.option == "socket", url)
      end
      assert.equal("protocol", refused({ protocol = "LMTP" }).option)
   end)
end)

describe("The options of a server", function()
   for name, values in pairs {
      url = { "http://x", "smtp://", 7 }, host = { "", "a b", "a\r\nb", "a\0b", 7 },
      port = { 0, 65536, "x", 25.5 }, domain = { "", "a b", "a\r\nVRFY x", "a\0b", "-a.example",
         ("a"):rep(64), ("a."):rep(200) .. "b", "m\195\188 nchen.example", "\240\159\146\169.example", "[1.2.3]" },
      tls = { "starttls", true }, tls_verify = { "yes", 1 }, tls_min_version = { "1.0", 1.2 },
      tls_cert = { "cert.pem" }, tls_key = { "key.pem" }, tls_pin = { "x", ("a"):rep(44) },
      auth = { "yes", true }, auth_mechanisms = { {}, { "NTLM" }, 7 },
      timeout = { 0, -1, "x", 0 / 0, math.huge, 86401, 300000 }, connect_timeout = { 0 },
      reply_timeout = { 0 }, pipelining = { "fast", true }, trace = { "yes" },
      keepalive = { true, "yes" }, transport = { {}, 7 }, socket = { "", ("x"):rep(200) },
      recipients = { "some" },
   } do
      for i = 1, #values do
         it(("%s = %s is refused"):format(name, tostring(values[i]):gsub("%c", "?")), function()
            local err = refused { [name] = values[i] }
            assert.truthy(err.option == name or name == "tls_cert" or name == "tls_key"
               or name == "url" or name == "socket")
         end)
      end
   end

   it("takes numbers as text", function()
      local found = server { port = "2525", timeout = "1.5" }
      assert.same({ 2525, 1.5 }, { found.port, found.timeout })
      refused { timeout = "1,5" } -- whatever the locale
      assert.equal("25", ("%s"):format(server({ port = "25.0" }).port))
   end)

   it("asks about milliseconds", function()
      assert.truthy(refused({ timeout = 300000 }).hint:find("milliseconds", 1, true))
   end)

   it("knows no two names for one thing at once", function()
      assert.equal("server", refused({ server = "x" }).option)
      assert.equal("mx2.example", assert(request.connection { server = "mx2.example" }).host)
      assert.equal("ann", assert(request.connection { user = "ann", password = "x" }).username)
   end)

   it("takes keepalive = false everywhere", function()
      assert.is_table(server { keepalive = false })
   end)

   it("needs a name for the certificate where there is only a socket", function()
      local _, err = safe.connect { socket = "/tmp/x", tls = "require" }
      assert.equal("tls_host", err.option)
   end)

   it("names the option of a certificate file that cannot be read", function()
      local t = with { tls_ca_file = "/nowhere/ca.pem" }
      local _, err = safe.send(t)
      assert.equal("tls_ca_file", err.option)
   end)
end)
