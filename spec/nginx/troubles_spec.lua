local core = require "smtp.core"
local running = require "spec.nginx.running"
local troubles = require "smtp.runtime.nginx.troubles"

local start, with_tls, options = running.start, running.with_tls, running.options
local plain, send_at = running.plain, running.send_at

after_each(running.stop)

describe("TLS", function()
   it("that lua_ssl_protocols does not allow names that directive", function()
      local _, err = send_at("/old_tls", options(with_tls("good", { tls_min = "1.3" })))
      assert.same({ "tls", "tls" }, { err.kind, err.stage }, tostring(err))
      assert.truthy(err.hint:find("lua_ssl_protocols", 1, true))
   end)
end)

describe("a name", function()
   it("without a resolver names that directive", function()
      local _, err = send_at("/bare", options({ port = 25 }, { host = "mx.example" }))
      assert.same({ "resolve", "no_resolver", "resolve" }, { err.kind, err.reason, err.stage })
      assert.truthy(err.hint:find("resolver", 1, true))
   end)

   it("that the resolver does not find is a ResolveError", function()
      local _, err = send_at("/resolver", options({ port = 25 }, { host = "mx.example" }))
      assert.equal("resolve", err.kind, tostring(err))
   end)

   it("that the resolver does not answer for has the time to connect, and not that of resolver_timeout", function()
      local started = core.now()
      local _, err = send_at("/slow_resolver", options({ port = 25 }, { host = "mx.example", connect_timeout = 0.2 }))
      local took = core.now() - started
      assert.equal("timeout", err.kind, tostring(err))
      assert.truthy(err.hint:find("resolver", 1, true))
      assert.truthy(took < 20, took)
   end)

   it("localhost needs no resolver", function()
      assert((send_at("/bare", options(start {}, plain))))
   end)
end)

describe("what nginx says", function()
   local ca, unknown, unreachable = troubles.hints.ca, troubles.hints.unknown_host, troubles.hints.unreachable
   local untrusted = "20: unexpected certificate problem"
   for _, case in ipairs {
      { "of_io", "timeout", { "timeout", "" } },
      { "of_io", "closed", { "closed", "" } },
      { "of_io", "broken pipe", { "closed", "broken pipe" } },
      { "of_io", "connection reset by peer", { "reset", "connection reset by peer" } },
      { "of_handshake", "timeout", { "timeout", "" } },
      { "of_handshake", "closed", { "closed", "" } },
      { "of_handshake", untrusted, { "certificate:untrusted", untrusted:sub(5), ca } },
      { "of_handshake", "ssl set client private key failed",
         { "tls:client_certificate", "ssl set client private key failed" } },
      { "of_connect", "timeout", { "timeout", "", troubles.hints.no_answer } },
      { "of_connect", "connection refused", { "connect:refused", "connection refused" } },
      { "of_connect", "broken", { "connect", "broken" } },
      { "of_connect", "network is unreachable", { "connect:unreachable", "network is unreachable", unreachable } },
      { "of_connect", "no route to host", { "connect:unreachable", "no route to host", unreachable } },
      { "of_connect", "mx could not be resolved (3: Host not found)",
         { "resolve:unknown_host", "mx could not be resolved (3: Host not found)", unknown } },
      { "of_connect", "mx could not be resolved (2: Server failure)",
         { "resolve", "mx could not be resolved (2: Server failure)", unknown } },
      { "of_connect", "mx could not be resolved (110: Operation timed out)",
         { "resolve", "mx could not be resolved (110: Operation timed out)", troubles.hints.dead_resolver } },
   } do
      it(("is an error of this library: %s, %s"):format(case[1], case[2]), function()
         assert.same(case[3], { troubles[case[1]](case[2]) })
      end)
   end

   it("about the time of a certificate has the date of this machine", function()
      local word, text, hint = troubles.of_handshake "10: certificate has expired"
      assert.same({ "certificate:expired", troubles.hints.expired }, { word, hint })
      assert.truthy(text:find("^certificate has expired, and this machine's clock says %d%d%d%d%-%d%d%-%d%d$"), text)
   end)

   it("about a name is about tls_host where that is an address", function()
      for name, hint in pairs { ["mx.example"] = "wrong_host", ["127.0.0.1"] = "wrong_address",
         ["::1"] = "wrong_address", ["1.2.3.4.example"] = "wrong_host" } do
         assert.same({ "certificate:wrong_host", "hostname mismatch", troubles.hints[hint] },
            { troubles.of_handshake("62: hostname mismatch", name) })
      end
   end)

   it("about TLS from the first byte may be due to the port", function()
      for port, pattern in pairs { [587] = "^Port 587 ", [465] = "lua_ssl_protocols", [0] = "lua_ssl_protocols" } do
         local word, text, hint = troubles.of_handshake("handshake failed", "mx", port > 0 and port or nil)
         assert.same({ "tls:handshake", "handshake failed" }, { word, text })
         assert.truthy(hint:find(pattern), hint)
      end
   end)
end)
