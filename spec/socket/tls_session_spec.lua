-- TLS sessions that are resumed.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local tls = require "smtp.tls"

local cert = certs.make()

describe("a TLS session", function()
   local socket = require "smtp.socket"

   -- A sink that serves so many connections. -> the other end; options for safe.send
   local function sink(name, connections, version, path, key)
      if name then path, key = cert(name) end
      local other = peer.start(([[
         local sink = require("smtp.sink").new { tls = "implicit", tls_cert = %q, tls_key = %q, tls_max_version = %q }
         sink:listen(listener)
         sink:serve { connections = %d, timeout = 10 }
         print(#sink.messages)
      ]]):format(path, key, version or "1.3", connections))
      return other, { host = "localhost", port = other.port, tls = "implicit", tls_ca_file = cert "ca",
         from = "a@b.example", to = "c@d.example", raw = "x\r\n", timeout = 10 }
   end

   local function with(options, more)
      local t = {}
      for key, value in pairs(options) do t[key] = value end
      for key, value in pairs(more) do t[key] = value end
      return t
   end

   for _, version in ipairs { "1.2", "1.3" } do
      it("of TLS " .. version .. " is resumed by every later connection, and still verified", function()
         local other, options = sink("good", 4, version)
         local seen
         function options.observe(event)
            if event.name == "tls" then seen = event.resumed end
         end
         for i = 1, 4 do
            local receipt = assert(safe.send(options))
            assert.equal(i > 1, seen)
            assert.same({ "TLSv" .. version, true, i > 1 },
               { receipt.tls.version, receipt.tls.verified, receipt.tls.resumed })
         end
         assert.equal("4\n", other.finish())
      end)

      it("of TLS " .. version .. " serves one name, one pin and one verification only", function()
         local other, options = sink("self_signed", 6, version)
         local ca = cert "self_signed"
         options.tls_ca_file = ca
         assert(safe.send(with(options, { tls_verify = false })))
         assert.is_true(assert(safe.send(with(options, { tls_verify = false }))).tls.resumed)
         local _, err = safe.send(with(options, { tls_ca_file = cert "ca" }))
         assert.equal("self_signed", err.reason)
         _, err = safe.send(with(options, { tls_verify = false, tls_pin = certs.pin(cert "good") }))
         assert.equal("pin_mismatch", err.reason)
         assert.is_false(assert(safe.send(options)).tls.resumed)
         _, err = safe.send(with(options, { tls_host = "elsewhere.example" }))
         assert.equal("wrong_host", err.reason)
         assert.equal("3\n", other.finish())
      end)
   end

   for version, issuer in pairs { ["1.2"] = false, ["1.3"] = true } do
      local whose = issuer and "issuer's certificate" or "certificate"
      it(("of TLS %s whose %s has expired is not resumed"):format(version, whose), function()
         -- A machine that is busy needs longer until the certificate has served.
         for _, seconds in ipairs { 3, 12, 48 } do
            local expires = os.time() + seconds
            local path, key, remove = certs.make_short(seconds, issuer)
            local other, options = sink(nil, 4, version, path, key)
            local receipt = safe.send(options) and safe.send(options) and safe.send(options)
            if receipt then
               assert.is_true(receipt.tls.resumed)
               core.sleep(math.max(0, expires + 1 - os.time()))
            end
            local _, err = safe.send(options)
            local count = other.finish()
            remove()
            if receipt then
               assert.same({ "expired", "3\n" }, { err.reason, count })
               return
            end
         end
         error("the certificate expired before it was used")
      end)
   end

   it("that fails is forgotten, and those of the same server with it", function()
      local path, key = cert "good"
      local other = peer.start(([[
         local context = server_context(%q, %q)
         for i = 1, 3 do
            local sock = accept()
            if i == 2 then
               sock:receiveany(65536)
            else
               assert(sock:sslaccept(context))
               sock:send("hi")
               sock:receiveany(1)
            end
            sock:close()
         end
      ]]):format(path, key))
      local context, seen = assert(tls.context { verify = true, ca_file = cert "ca" }), {}
      for i = 1, 3 do
         local sock = socket.new()
         sock:settimeouts(5000, 5000, 5000)
         assert(sock:connect("localhost", other.port))
         local ok, why = sock:sslhandshake(nil, "localhost", true, context)
         if ok then seen[i] = sock:tlsinfo().resumed else seen[i] = why end
         sock:receiveany(10)
         sock:close()
      end
      other.finish()
      assert.same({ false, "closed", false }, seen)
   end)

   -- Connections whose handshakes all begin before one ends: was each one resumed?
   local function open(context, port, count, name)
      local socks, resumed = {}, {}
      local function shake(sock) return sock:sslhandshake(nil, name or "localhost", true, context) end
      for i = 1, count do
         socks[i] = socket.new()
         socks[i]:settimeouts(5000, 5000, 5000)
         assert(socks[i]:connect("localhost", port))
         socks[i]:nonblocking(true)
         shake(socks[i])
      end
      for i = 1, count do
         socks[i]:nonblocking(false)
         assert(shake(socks[i]))
         resumed[i] = socks[i]:tlsinfo().resumed
         assert.equal("hi\r\n", socks[i]:receiveany(100)) -- what ends our handshake goes out with it
      end
      return resumed
   end

   -- A server that gives two tickets after each handshake, and a line that brings them along.
   local function ticket_server(connections, version)
      local path, key = cert "good"
      return peer.start(([[
         local context = assert(require("smtp.tls").context { server = true, cert = %q, key = %q, max_version = %q })
         local kept = {}
         for i = 1, %d do
            kept[i] = accept()
            if not kept[i]:sslaccept(context) then break end
            kept[i]:send("hi\r\n")
         end
         kept[#kept]:receiveany(1)
      ]]):format(path, key, version, connections))
   end

   it("is kept eight times for one server, the newest ones", function()
      local context = assert(tls.context { verify = true, ca_file = cert "ca" })
      local other = ticket_server(15, "1.3")
      local full = open(context, other.port, 5) -- ten tickets
      for i = 1, 5 do assert.is_false(full[i]) end
      local resumed = open(context, other.port, 10)
      for i = 1, 10 do assert.equal(i <= 8, resumed[i]) end
      collectgarbage()
      other.finish()
   end)

   it("is of one server: not that of another port", function()
      local context = assert(tls.context { verify = true, ca_file = cert "ca" })
      local one, other = ticket_server(2, "1.3"), ticket_server(1, "1.3")
      assert.same({ false }, open(context, one.port, 1))
      assert.same({ false }, open(context, other.port, 1))
      assert.same({ true }, open(context, one.port, 1))
      collectgarbage()
      one.finish()
      other.finish()
   end)

   -- Each name brings two.
   for names, resumed in pairs { [128] = { true, true }, [129] = { false, false } } do
      it(("is kept 256 times in a context, the newest ones: after %d names"):format(names), function()
         local context = assert(tls.context { verify = false })
         local other = ticket_server(names + 2, "1.3")
         for i = 1, names do assert.same({ false }, open(context, other.port, 1, ("n%d.example"):format(i))) end
         assert.same(resumed, open(context, other.port, 2, "n1.example"))
         collectgarbage()
         other.finish()
      end)
   end

   for version, resumed in pairs { ["1.3"] = { true, true, false }, ["1.2"] = { true, false, false } } do
      it("of TLS " .. version .. " is with one connection at a time", function()
         local context = assert(tls.context { verify = true, ca_file = cert "ca" })
         local other = ticket_server(4, version)
         assert.same({ false }, open(context, other.port, 1))
         assert.same(resumed, open(context, other.port, 3))
         collectgarbage()
         other.finish()
      end)
   end
end)
