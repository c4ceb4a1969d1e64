local handshake = require "smtp.runtime.nginx.handshake"
local running = require "spec.nginx.running"
local safe = require "smtp.safe"

local with_tls, options = running.with_tls, running.options

after_each(running.stop)

describe("a certificate", function()
   it("is verified once more where a session is resumed, and not resumed for another name", function()
      local mx = with_tls("good", { tls_max = "1.2" })
      for _ = 1, 3 do assert(safe.send(options(mx))) end
      mx:wait("tls TLSv1.2 True", 2)
      assert.equal(1, mx:count("tls TLSv1.2 False"))
      local _, err = safe.send(options(mx, { tls_host = "elsewhere.example" }))
      assert.same({ "certificate", "wrong_host" }, { err.kind, err.reason })
      assert.equal(2, mx:count("tls TLSv1.2 True"))
      assert(safe.send(options(mx, { tls_verify = false })))
      assert.equal(2, mx:count("tls TLSv1.2 True"))
   end)
end)

describe("a handshake", function()
   it("that raises an error fails with its words", function()
      local sock = { sslhandshake = function() error("mine", 0) end, getreusedtimes = function() return 0 end }
      local ends, why, text = handshake.start(sock, "mx.example 25", nil, "mx.example", true)
      assert.same({ nil, "tls:handshake", "mine" }, { ends, why, text })
   end)
end)
