local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local mx

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local function options(more)
   local t = { host = "127.0.0.1", port = mx and mx.port or 1, tls = "skip", domain = "me.example",
      from = "ann@me.example", to = "bob@there.example", text = "x", timeout = 5 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

describe("an option that only a directive can set", function()
   for option, directive in pairs { tls_ca_file = "lua_ssl_trusted_certificate",
      tls_ca_path = "lua_ssl_trusted_certificate", tls_min_version = "lua_ssl_protocols",
      tls_pin = "lua_ssl_trusted_certificate" } do
      it("is refused without TLS, too: " .. option, function()
         local value = option == "tls_min_version" and "1.3" or option == "tls_pin" and ("a"):rep(43) .. "=" or "/x"
         for _, host in ipairs { "localhost", "127.0.0.1" } do
            for _, call in ipairs { "send", "defer" } do
               local _, err = safe[call](options { host = host, [option] = value })
               assert.same({ "usage", option }, { err.kind, err.option }, tostring(err))
               assert.truthy(err.hint:find(directive, 1, true))
            end
         end
      end)
   end
end)

describe("host in nginx", function()
   for _, host in ipairs { "mail.example.org:587", "smtp://x", "ssl://x", "ann@x", "unix:/path" } do
      it("is a host and nothing else: " .. host, function()
         local _, err = safe.send(options { host = host })
         assert.equal("usage", err.kind, tostring(err))
         _, err = safe.defer(options { host = host })
         assert.equal("usage", err.kind, tostring(err))
         _, err = safe.connect { host = host, tls = "skip" }
         assert.equal("usage", err.kind, tostring(err))
      end)
   end
end)

describe("TLS", function()
   it("has options that are directives in nginx", function()
      mx = server.start {}
      for option, directive in pairs { tls_ca_file = "lua_ssl_trusted_certificate",
         tls_ca_path = "lua_ssl_trusted_certificate", tls_min_version = "lua_ssl_protocols",
         tls_pin = "lua_ssl_trusted_certificate" } do
         local value = option == "tls_min_version" and "1.2" or option == "tls_pin" and ("a"):rep(43) .. "=" or "/x"
         for _, tls in ipairs { "require", "prefer", "implicit", "skip" } do
            local t = options { [option] = value, tls = tls, host = "localhost", username = "ann", password = "sesame" }
            local errors = { select(2, safe.send(t)), select(2, safe.defer(t)) }
            for _, name in ipairs { "from", "to", "text" } do t[name] = nil end
            errors[3], errors[4] = select(2, safe.connect(t)), select(2, safe.probe(t))
            for i = 1, 4 do
               assert.same({ "usage", option }, { errors[i].kind, errors[i].option })
               assert.truthy(errors[i].hint:find(directive, 1, true))
            end
         end
         assert.equal(0, mx:count("open"))
      end
   end)

   it("has no other event loop", function()
      local _, err = safe.send(options { loop = { wait = print, sleep = print } })
      assert.same({ "usage", "loop" }, { err.kind, err.option })
      assert.matches("in nginx", err.what)
   end)
end)
