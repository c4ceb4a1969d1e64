-- Channel binding where the host shows OpenSSL's object of a connection, as lua-nginx-module does from
-- 0.10.30 on: here by a stand-in for its cosocket, with real TLS against a sink that verifies it.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local tls_by_ffi = require "spec.nginx.tls_by_ffi"

local ngx = package.loaded.ngx
local tcp = ngx.socket.tcp
local cert = certs.make()

local function start(version, connections)
   local path, key = cert "good"
   return peer.start(([[
      local sink = assert(require("smtp.sink").new { tls = "starttls", tls_cert = %q, tls_key = %q,
         tls_max_version = %q, auth = { users = { ann = "sesame-51" },
            mechanisms = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" } },
         trace = function(direction, line) if direction == "C" then print(line) end end })
      assert(sink:listen(listener))
      sink:serve { connections = %d, timeout = 5 }
   ]]):format(path, key, version, connections or 1))
end

local function send_to(sink, more)
   local t = { host = "localhost", port = sink.port, tls = "require", username = "ann", password = "sesame-51",
      domain = "me.example", from = "ann@me.example", to = "bob@there.example", raw = "x\r\n", timeout = 10 }
   for name, value in pairs(more or {}) do t[name] = value end
   return safe.send(t)
end

local function send(version, more)
   local sink = start(version)
   local receipt, err = send_to(sink, more)
   sink.finish()
   return receipt, err
end

describe("a cosocket that shows its TLS connection", function()
   local pointer = tls_by_ffi.Socket.getsslpointer

   before_each(function()
      ngx.socket.tcp = function() return tls_by_ffi.new(tcp()) end
   end)

   after_each(function()
      ngx.socket.tcp, tls_by_ffi.Socket.getsslpointer = tcp, pointer
   end)

   -- The sink compares the bytes, and takes neither another type nor the y of a client that could have bound.
   it("is bound by the exporter of RFC 9266 with TLS 1.3, and by tls-unique with TLS 1.2", function()
      for _, version in ipairs { "1.3", "1.2" } do
         local receipt, err = send(version)
         assert(receipt, tostring(err))
         assert.equal("SCRAM-SHA-256-PLUS", receipt.auth.mechanism)
      end
   end)

   it("is bound by the server's Finished message where the session was resumed", function()
      local sink = start("1.2", 2)
      for i = 1, 2 do
         local receipt, err = send_to(sink)
         assert(receipt, tostring(err))
         assert.equal("SCRAM-SHA-256-PLUS", receipt.auth.mechanism)
         assert.equal(i == 2, tls_by_ffi.Socket.resumed)
      end
      sink.finish()
   end)

   it("is found out where it shows another connection", function()
      local other = tls_by_ffi.new(tcp())
      local sink = start "1.3"
      assert(other:connect("127.0.0.1", sink.port, { pool = "other" }))
      assert(other:receiveany(1000))
      assert(other:send("EHLO x\r\n") and other:receiveany(1000))
      assert(other:send("STARTTLS\r\n") and other:receiveany(1000))
      assert(other:sslhandshake())
      tls_by_ffi.Socket.getsslpointer = function() return pointer(other) end
      local receipt, err = send "1.3"
      other:close()
      sink.finish()
      assert.is_nil(receipt)
      assert.same({ "auth_rejected", "SCRAM-SHA-256-PLUS" }, { err.kind, err.mechanism })
   end)

   it("is not bound where it shows nothing, or raises, which no -PLUS gets around", function()
      for _, shown in ipairs { function() return nil, "no" end, function() error("bad request") end,
         function() return require("ffi").cast("void *", 0) end } do
         tls_by_ffi.Socket.getsslpointer = shown
         local receipt, err = send "1.3"
         assert.is_nil(receipt)
         assert.same({ "auth_rejected", "no" }, { err.kind, err.sent })
         assert.truthy(tostring(err):find("nothing to bind to", 1, true))
         receipt, err = send("1.3", { auth_mechanisms = "SCRAM-SHA-256" })
         assert(receipt, tostring(err))
      end
   end)
end)

describe("a cosocket that shows nothing of TLS", function()
   it("is not bound, and does not say it could be", function()
      ngx.socket.tcp = function()
         local sock = tls_by_ffi.new(tcp())
         sock.getsslpointer = false
         return sock
      end
      local receipt, err = send "1.3"
      ngx.socket.tcp = tcp
      assert(receipt, tostring(err))
      assert.equal("SCRAM-SHA-256", receipt.auth.mechanism)
   end)
end)

describe("an nginx whose OpenSSL cannot be reached by FFI", function()
   it("has no channel binding", function()
      local binding, ffi = require "smtp.runtime.nginx.channel_binding", package.loaded.ffi
      package.loaded["smtp.runtime.nginx.channel_binding"] = nil
      package.loaded.ffi = { cdef = ffi.cdef, C = setmetatable({}, { __index = function(_, name)
         error("missing declaration for symbol " .. name)
      end }) }
      assert.is_false(require("smtp.runtime.nginx.channel_binding").is_possible(tls_by_ffi.Socket))
      package.loaded["smtp.runtime.nginx.channel_binding"], package.loaded.ffi = binding, ffi
      assert.is_true(binding.is_possible(tls_by_ffi.Socket))
   end)
end)
