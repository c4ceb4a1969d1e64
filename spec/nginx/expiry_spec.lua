local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local cert = certs.make()
local mx

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local function start(name, version)
   local path, key = cert(name)
   mx = server.start { tls = "starttls", cert = path, key = key,
      [version == "1.2" and "tls_max" or "tls_min"] = version }
end

local function send(more)
   local t = { host = "localhost", port = mx.port, tls = "require", domain = "me.example",
      from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n", timeout = 10 }
   for name, value in pairs(more or {}) do t[name] = value end
   return safe.send(t)
end

describe("a certificate that ended meanwhile", function()
   local time = os.time
   local now

   before_each(function()
      os.time = function(...) return ... and time(...) or now or time() end -- luacheck: ignore
   end)

   after_each(function()
      os.time, now = time, nil -- luacheck: ignore
   end)

   it("is verified in full, and no session is resumed", function()
      start("good", "1.2")
      assert(send())
      assert(send())
      mx:wait("tls TLSv1.2 True", 1)
      now = time { year = 2049, month = 1, day = 2 }
      assert(send()) -- OpenSSL's clock has not moved
      assert.same({ 1, 2 }, { mx:count("tls TLSv1.2 True"), mx:count("tls TLSv1.2 False") })
      now = time { year = 2048, month = 12, day = 30 }
      assert(send())
      assert(send())
      assert.equal(2, mx:count("tls TLSv1.2 True"))
   end)

   for _, version in ipairs { "1.2", "1.3" } do
      it("is on no connection that is used or kept: TLS " .. version, function()
         start("good", version)
         local more = { keepalive = { idle = 60, size = 4 } }
         assert(send(more))
         assert(send(more))
         assert.equal(1, mx:count("open"))
         now = time { year = 2049, month = 1, day = 2 }
         assert(send(more))
         assert(send(more))
         assert.equal(3, mx:count("open"))
         now = nil
         assert(send(more))
         assert(send(more))
         assert.equal(4, mx:count("open"))
      end)
   end

   it("is nothing to a connection without verification", function()
      start("good", "1.3")
      local more = { keepalive = { idle = 60, size = 4 }, tls_verify = false }
      assert(send(more))
      now = time { year = 2049, month = 1, day = 2 }
      assert(send(more))
      assert.equal(1, mx:count("open"))
   end)
end)
