-- TLS for real: sockets, certificates, and a server that tells what it saw.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"

local cert = certs.make()

-- A server with STARTTLS (or implicit TLS) and AUTH that prints all it hears, in clear or not.
local server = [[
local sock = accept()
local context = server_context(%q, %q)
local implicit = %s
local function say(text) sock:send(text .. "\r\n") end
local function hear() local text = line(sock) print("heard " .. text) return text end
local function tls() local ok, why = sock:sslaccept(context) print("tls", ok or why) return ok end
if implicit and not tls() then os.exit() end
say "220 hi"
local function hello(last) hear() say("250-mx") say(last) end
if not implicit then
   hello "250 STARTTLS"
   hear()
   say "220 go"
   if not tls() then os.exit() end
end
hello "250 AUTH PLAIN"
while true do
   local text = hear()
   if text == "" then break end
   local verb = text:match("^%%a+") or ""
   local reply = ({ AUTH = "235 ok", DATA = "354 go", QUIT = "221 bye" })[verb] or "250 ok"
   say(reply)
   if verb == "DATA" then
      repeat text = hear() until text == ".\r\n" or text == ""
      say "250 queued"
   end
end
]]

local function send(name, more)
   more = more or {}
   local path, key = cert(name)
   local other = peer.start(server:format(path, key, tostring(more.tls == "implicit")))
   local options = { host = "localhost", port = other.port, tls = "require", tls_ca_file = cert "ca",
      username = "ann", password = "sesame", from = "ann@me.example", to = "bob@there.example",
      raw = "Subject: treasure\r\n\r\nx\r\n", timeout = 10 }
   for option, value in pairs(more) do
      if value == "none" then value = nil end
      options[option] = value
   end
   local receipt, err = safe.send(options)
   return receipt, err, other.finish()
end

local function nothing_told(saw)
   for _, word in ipairs { "sesame", "AHNlc2FtZQ", "AGFubgBzZXNhbWU=", "treasure", "MAIL", "AUTH", "ann@" } do
      assert.is_nil(saw:find(word, 1, true), saw)
   end
end

describe("a certificate", function()
   for _, tls in ipairs { "require", "implicit", "prefer" } do
      it("that is good lets the message pass, tls = " .. tls, function()
         local receipt, err, saw = send("good", { tls = tls })
         assert(receipt, tostring(err))
         assert.equal("on", receipt.tls.state)
         assert.is_true(receipt.tls.verified)
         assert.equal("TLSv1.3", receipt.tls.version)
         assert.equal("authenticated", receipt.auth.state)
         assert.truthy(saw:find("treasure", 1, true))
      end)

      for name, reason in pairs { wrong_host = "wrong_host", expired = "expired",
         not_yet_valid = "not_yet_valid", self_signed = "self_signed", unknown_issuer = "unknown_issuer",
         cn_only = "wrong_host", client_only = "bad_purpose", no_chain = "unknown_issuer" } do
         it(("that is %s is refused, and the server is told nothing, tls = %s"):format(name, tls), function()
            local _, err, saw = send(name, { tls = tls })
            assert.equal("certificate", err.kind, tostring(err))
            assert.equal(reason, err.reason)
            assert.equal("tls", err.stage)
            assert.equal("never", err.retry)
            nothing_told(saw)
         end)
      end
   end

   it("for another host names those it is for", function()
      local _, err = send("wrong_host")
      assert.truthy(err.text:find("elsewhere.example", 1, true))
   end)

   it("with its intermediate is good", function()
      assert((send("chain")))
   end)

   it("for an address is good for that address, and a name that looks like one is not", function()
      assert((send("good", { host = "127.0.0.1" })))
      local _, err = send("ip_as_name", { host = "127.0.0.1" })
      assert.equal("wrong_host", err.reason)
   end)

   it("is checked for tls_host where that is given", function()
      assert((send("wrong_host", { tls_host = "elsewhere.example" })))
      local _, err = send("good", { tls_host = "elsewhere.example" })
      assert.equal("wrong_host", err.reason)
   end)

   it("is not checked where the caller says so, and the receipt tells", function()
      local receipt = assert((send("self_signed", { tls_verify = false })))
      assert.is_false(receipt.tls.verified)
   end)
end)

describe("a pin", function()
   it("that fits lets the message pass", function()
      assert((send("good", { tls_pin = certs.pin(cert "good") })))
      assert((send("self_signed", { tls_verify = false, tls_pin = certs.pin(cert "self_signed") })))
   end)

   it("that does not fit is refused, whatever else is good", function()
      for _, verify in ipairs { true, false } do
         local _, err, saw = send("good", { tls_verify = verify, tls_pin = certs.pin(cert "expired") })
         assert.equal("pin_mismatch", err.reason)
         nothing_told(saw)
      end
   end)

   it("does not make a bad certificate good", function()
      local _, err = send("expired", { tls_pin = certs.pin(cert "expired") })
      assert.equal("expired", err.reason)
   end)
end)

describe("TLS", function()
   it("of version 1.2 is enough unless 1.3 is asked for", function()
      local path, key = cert "good"
      for _, min in ipairs { "1.2", "1.3" } do
         local pipe = io.popen(("sleep 3 | env -u LD_PRELOAD timeout 5 openssl s_server -accept 127.0.0.1:0 -cert %s "
            .. "-key %s -tls1_2 -naccept 1 2>&1"):format(path, key))
         local port
         repeat port = pipe:read("*l"):match("^ACCEPT 127.0.0.1:(%d+)") until port
         local _, err = safe.send { host = "localhost", port = tonumber(port), tls = "implicit",
            tls_ca_file = cert "ca", tls_min_version = min, timeout = 1, from = "a@b", to = "c@d", text = "" }
         -- s_server speaks no SMTP: with 1.2 we get as far as waiting for its greeting.
         assert.same(min == "1.2" and { "timeout", "greeting" } or { "tls", "tls" }, { err.kind, err.stage })
         if min == "1.3" then assert.equal("version", err.reason) end
         pipe:close()
      end
   end)

   it("against a port that speaks plain SMTP names the remedy", function()
      local other = peer.start [[
         local sock = accept()
         sock:send("220 plain\r\n")
         print(#line(sock))
      ]]
      local _, err = safe.send { host = "localhost", port = other.port, tls = "implicit",
         tls_ca_file = cert "ca", from = "a@b", to = "c@d", text = "", timeout = 5 }
      other.finish()
      assert.same({ "tls", "plaintext" }, { err.kind, err.reason })
      assert.truthy(err.hint:find('tls = "require"', 1, true))
   end)

   it("is not begun where plain text stands behind the 220 of STARTTLS", function()
      for _, pause in ipairs { "", "socket.new():connect('127.0.0.1', 1)" } do
         local other = peer.start(([[
            local sock = accept()
            sock:send("220 hi\r\n")
            line(sock)
            sock:send("250-mx\r\n250 STARTTLS\r\n")
            line(sock)
            sock:send("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n") %s
            print(("%%q"):format(line(sock)))
         ]]):format(pause))
         local _, err = safe.send { host = "localhost", port = other.port, tls = "require",
            tls_ca_file = cert "ca", username = "ann", password = "sesame", from = "a@b", to = "c@d",
            text = "", timeout = 5 }
         local saw = other.finish()
         assert.same({ "protocol", "injected", "never" }, { err.kind, err.reason, err.retry })
         assert.equal('""\n', saw) -- not one byte of a handshake
      end
   end)

   it("that is stripped is an error, and nothing secret is said", function()
      local other = peer.start [[
         local sock = accept()
         sock:send("220 hi\r\n")
         print(line(sock))
         sock:send("250-mx\r\n250 AUTH PLAIN\r\n")
         print(line(sock))
         sock:send("221 bye\r\n")
         print(line(sock))
      ]]
      local _, err = safe.send { host = "localhost", port = other.port, tls = "require",
         tls_ca_file = cert "ca", username = "ann", password = "sesame", from = "a@b", to = "c@d",
         text = "", timeout = 5 }
      local saw = other.finish()
      assert.equal("tls_unsupported", err.kind)
      nothing_told(saw)
      assert.truthy(saw:find("QUIT", 1, true))
   end)

   it("cut or stalled in the handshake ends in time", function()
      for _, ending in ipairs { "sock:close()", "local s = line(sock) s = line(sock)" } do
         local other = peer.start("local sock = accept() " .. ending)
         local _, err = safe.send { host = "localhost", port = other.port, tls = "implicit",
            tls_ca_file = cert "ca", from = "a@b", to = "c@d", text = "", timeout = 1 }
         other.finish()
         assert.equal("tls", err.stage)
         assert.truthy(err.kind == "disconnected" or err.kind == "timeout")
      end
   end)

   it("with a server that wants to see a certificate says so, before or behind the handshake", function()
      local path, key = cert "good"
      for _, version in ipairs { "-tls1_2", "-tls1_3" } do
         for _, own in ipairs { "", "self_signed" } do
            local pipe = io.popen(("openssl s_server -accept 127.0.0.1:0 -naccept 1 -cert %s -key %s -CAfile %s "
               .. "-www -Verify 1 -verify_return_error %s </dev/null 2>&1"):format(path, key, cert "ca", version))
            local port
            repeat port = tonumber(pipe:read("*l"):match("^ACCEPT .*:(%d+)$")) until port
            local options = { host = "localhost", port = port, tls = "implicit", tls_ca_file = cert "ca", from = "a@b",
               to = "c@d", text = "", timeout = 10 }
            if own ~= "" then options.tls_cert, options.tls_key = cert(own) end
            local _, err = safe.send(options)
            pipe:read("*a")
            pipe:close()
            assert.same({ "tls", "never", "no" }, { err.kind, err.retry, err.sent })
            -- Before TLS 1.3 a server only says that the handshake has failed where there is none.
            if version == "-tls1_3" or own ~= "" then
               assert.equal("client_certificate", err.reason)
               assert.truthy(err.hint:find("tls_cert", 1, true))
            end
         end
      end
   end)

   it("shows the client's certificate, and two conversations in one process work", function()
      local path, key = cert "client"
      for _ = 1, 2 do
         assert((send("good", { tls_cert = path, tls_key = key })))
      end
   end)
end)

describe("the files of TLS", function()
   it("are read again where they have changed", function()
      local own = os.tmpname()
      local function trust(name)
         local from = assert(io.open((cert(name)), "rb"))
         local to = assert(io.open(own, "wb"))
         to:write(from:read("*a"))
         from:close()
         to:close()
      end
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      trust "self_signed"
      local _, err = send("good", { tls_ca_file = own })
      assert.equal("unknown_issuer", err.reason)
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      os.remove(own)
      _, err = safe.send { host = "localhost", port = 1, tls = "require", tls_ca_file = own, from = "a@b", to = "c@d",
         text = "" }
      assert.equal("tls_ca_file", err.option)
   end)
end)

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
         for i = 1, 4 do
            local receipt = assert(safe.send(options))
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

   it("whose certificate has expired is not resumed", function()
      local path, key, remove = certs.make_short(3)
      local other, options = sink(nil, 3, "1.3", path, key)
      assert(safe.send(options))
      assert.is_true(assert(safe.send(options)).tls.resumed)
      os.execute("sleep 3")
      local _, err = safe.send(options)
      assert.equal("expired", err.reason)
      assert.equal("2\n", other.finish())
      remove()
   end)

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
      local context, seen = assert(socket.tls_context { verify = true, ca_file = cert "ca" }), {}
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
   local function open(context, port, count)
      local socks, resumed = {}, {}
      local function shake(sock) return sock:sslhandshake(nil, "localhost", true, context) end
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

   -- A server that gives two tickets behind each handshake, and a line that brings them along.
   local function ticket_server(connections, version)
      local path, key = cert "good"
      return peer.start(([[
         local context = assert(socket.tls_context { server = true, cert = %q, key = %q, max_version = %q })
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
      local context = assert(socket.tls_context { verify = true, ca_file = cert "ca" })
      local other = ticket_server(15, "1.3")
      local full = open(context, other.port, 5) -- ten tickets
      for i = 1, 5 do assert.is_false(full[i]) end
      local resumed = open(context, other.port, 10)
      for i = 1, 10 do assert.equal(i <= 8, resumed[i]) end
      collectgarbage()
      other.finish()
   end)

   for version, resumed in pairs { ["1.3"] = { true, true, false }, ["1.2"] = { true, false, false } } do
      it("of TLS " .. version .. " is with one connection at a time", function()
         local context = assert(socket.tls_context { verify = true, ca_file = cert "ca" })
         local other = ticket_server(4, version)
         assert.same({ false }, open(context, other.port, 1))
         assert.same(resumed, open(context, other.port, 3))
         collectgarbage()
         other.finish()
      end)
   end
end)

describe("a 421 without a line end, before the end of the connection,", function()
   for _, tls in ipairs { "implicit", "skip" } do
      it("is shown, tls = " .. tls, function()
         local path, key = cert "good"
         local other = peer.start(([[
            local sock = accept()
            if %s then sock:sslaccept(server_context(%q, %q)) end
            sock:send("220 hi\r\n")
            line(sock)
            sock:send("250 mx\r\n")
            line(sock)
            sock:send("421 4.3.2 going down")
            sock:close()
         ]]):format(tostring(tls == "implicit"), path, key))
         local _, err = safe.send { host = "localhost", port = other.port, tls = tls, tls_ca_file = cert "ca",
            from = "ann@me.example", to = "bob@there.example", raw = "x", timeout = 10 }
         other.finish()
         assert.same({ "disconnected", "mail", 421, "going down", "later" },
            { err.kind, err.stage, err.code, err.text, err.retry }, tostring(err))
      end)
   end
end)
