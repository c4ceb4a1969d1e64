local core = require "smtp.core"
local running = require "spec.nginx.running"

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
