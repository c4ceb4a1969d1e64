-- What a server says while nginx sends: it is heard at once, and neither waits for the other's buffers.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local duplex = require "smtp.runtime.nginx.duplex"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local cert = certs.make()
local mx

-- Our own buffer for what we send, of so many octets.
local SNDBUF = "rcvbuf" -- lua-resty-core 0.1.25 takes the one for the other
local tcp = ngx.socket.tcp
local function shrink(octets)
   ngx.socket.tcp = function() -- luacheck: ignore
      local sock = tcp()
      local connect = sock.connect
      function sock.connect(...)
         local ok, why = connect(...)
         if ok then
            assert(sock:setoption(SNDBUF, octets))
         end
         return ok, why
      end
      return sock
   end
end

after_each(function()
   ngx.socket.tcp = tcp -- luacheck: ignore
   if mx then mx:stop() end
   mx = nil
end)

local function start(tls, config)
   if tls then
      config.tls, config.cert, config.key = "starttls", cert "good"
   end
   mx = server.start(config)
end

local function options(tls, more)
   local t = { host = "localhost", port = mx.port, tls = tls and "require" or "skip", domain = "me.example",
      from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n", timeout = 20,
      reply_timeout = 6 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function many(count, domain)
   local to = {}
   for i = 1, count do to[i] = ("user%d@%s"):format(i, domain) end
   return to
end

local label = ("d"):rep(60) .. "."
local domains = { "there.example", label:rep(3) .. "example" }

-- 5 MiB
local function large()
   return "Subject: x\r\n\r\n" .. (("x"):rep(70) .. "\r\n"):rep(5 * 1024 * 1024 / 72)
end

for _, tls in ipairs { false, true } do
   local how = tls and "with TLS" or "in clear"

   describe("a server with small buffers, " .. how, function()
      for _, long in ipairs { 500, 1500, 4000 } do
         for _, domain in ipairs(domains) do
            it(("answers 1,500 recipients of a domain of %d octets by %d each"):format(#domain, long), function()
               start(tls, { buffers = 16384, long = long })
               shrink(4096)
               local receipt, err = safe.send(options(tls, { to = many(1500, domain) }))
               assert(receipt, tostring(err))
               assert.equal(1500, #receipt.accepted)
               assert.equal(1, mx:count("message"))
            end)
         end
      end

      it("takes a large message as it is", function()
         start(tls, { buffers = 16384 })
         shrink(4096)
         local text = large()
         local receipt, err = safe.send(options(tls, { raw = text }))
         assert(receipt, tostring(err))
         local hash = require("smtp.crypto").digest("SHA256", text .. ".\r\n")
         assert.equal((hash:gsub(".", function(c) return ("%02x"):format(c:byte()) end)),
            mx:log("message")[1]:match("message %d+ (%x+)"))
      end)
   end)

   describe("a reply amid a message, " .. how, function()
      for _, reply in ipairs { "552 5.3.4 too large", "451 4.3.0 no space", "421 4.3.2 going down" } do
         it("is heard while the server reads no more: " .. reply, function()
            start(tls, { buffers = 16384, early = { after = 100000, reply = reply } })
            local began = core.now()
            local receipt, err = safe.send(options(tls, { raw = large() }))
            assert.is_nil(receipt)
            assert.equal(tonumber(reply:sub(1, 3)), err.code, tostring(err))
            assert.equal("no", err.sent)
            assert.truthy(core.now() - began < 1, core.now() - began)
         end)
      end

      it("that promises delivery is not believed", function()
         start(tls, { buffers = 16384, early = { after = 100000, reply = "250 2.0.0 queued" } })
         local receipt, err = safe.send(options(tls, { raw = large() }))
         assert.is_nil(receipt)
         assert.same({ "protocol", "no" }, { err.kind, err.sent }, tostring(err))
      end)

      it("does no harm where its light thread is killed before", function()
         start(tls, { buffers = 16384, early = { after = 100000, reply = "250-" } })
         for _ = 1, 4 do
            local thread = ngx.thread.spawn(function()
               return safe.send(options(tls, { raw = large(), reply_timeout = 0.5 }))
            end)
            ngx.sleep(0.1)
            assert(ngx.thread.kill(thread))
         end
         ngx.sleep(0.6) -- what was begun in threads of its own ends
         assert.equal(0, mx:count("message"))
      end)

      it("leaves nothing that others wait for", function()
         start(tls, { buffers = 16384, early = { after = 100000, reply = "552 5.3.4 too large" } })
         local threads = {}
         local began = core.now()
         for i = 1, 8 do
            threads[i] = ngx.thread.spawn(function()
               return safe.send(options(tls, { raw = large(), keepalive = { idle = 10 } }))
            end)
         end
         for i = 1, 8 do assert.is_nil((select(2, ngx.thread.wait(threads[i])))) end
         assert.truthy(core.now() - began < 3, core.now() - began)
      end)
   end)
end

describe("a duplex", function()
   -- A socket: what it takes to send, what send returns, and what receiveany returns, in turn.
   local function open(seconds, sent, heard)
      local sock, calls = {}, 0
      function sock.send(_, data)
         if seconds > 0 then ngx.sleep(seconds) end
         sock.has_sent = true
         return unpack(sent or { #data }) -- luacheck: ignore
      end
      function sock.receiveany()
         calls = calls + 1
         if heard[calls] == "wait" then ngx.sleep(10) end
         return unpack(heard[calls]) -- luacheck: ignore
      end
      return duplex.new(sock), function() return calls end, sock
   end

   it("rests before it is used, and where all is sent at once", function()
      local one = open(0, nil, {})
      assert.is_true(one:rests())
      assert.equal(3, one:send "abc")
      assert.is_true(one:rests())
   end)

   it("listens once more where the time to listen is over, and goes on sending", function()
      local one, calls = open(0.05, nil, { { nil, "timeout" }, { nil, "timeout" }, "wait" })
      assert.equal(3, one:send "abc")
      assert.equal(3, calls())
      assert.is_false(one:rests())
      assert.same({ nil, "timeout" }, { one:receiveany(10, 1) })
      one:kill()
   end)

   it("says what it hears before it has sent all, and sends the rest after that", function()
      local one = open(0.05, nil, { { "250 ok" }, "wait" })
      assert.equal(2, one:send "abc")
      assert.is_false(one:rests())
      assert.equal("250 ok", one:receiveany(10, 100))
      assert.same({ nil, "closed" }, { one:send "d" }) -- that is not the rest
      assert.equal(1, one:send "c")
      one:kill()
   end)

   it("ends what waits where it is killed", function()
      local one, _, sock = open(0.2, nil, { { "250 ok" } })
      assert.equal(2, one:send "abc")
      one:kill()
      ngx.sleep(0.4)
      assert.is_nil(sock.has_sent)
   end)

   it("says why a socket does not send, before and after it hears something", function()
      assert.same({ nil, "broken pipe" }, { open(0, { nil, "broken pipe" }, {}):send "abc" })
      local one = open(0.05, { nil, "broken pipe" }, { { "250 ok" }, "wait" })
      assert.equal(2, one:send "abc")
      one:receiveany(10, 100)
      assert.same({ nil, "broken pipe" }, { one:send "c" })
      one:kill()
   end)

   it("says what the socket says where nothing is heard", function()
      local one = open(0.05, nil, { { nil, "closed" } })
      assert.equal(2, one:send "abc")
      assert.same({ nil, "closed" }, { one:receiveany(10, 100) })
   end)
end)
