local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local sockets = require "spec.tools.sockets"
local tls = require "smtp.tls"

local cert = certs.make()

describe("TLS", function()
   it("is not begun where plain text follows the 220 of STARTTLS", function()
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

   it("with a server that requires a certificate says so, before or after the handshake", function()
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
end)

describe("A server that ends the handshake", function()
   -- What comes of a server that says these octets, and no more, after the first ones of the client.
   local function ended_by(octets)
      local other = peer.start(([[
         local sock = accept()
         sock:receiveany(1)
         sock:send(%q)
         line(sock)
         sock:close()]]):format(octets))
      local _, err = safe.send { host = "localhost", port = other.port, tls = "implicit", tls_ca_file = cert "ca",
         from = "a@b", to = "c@d", text = "", timeout = 10 }
      other.finish()
      return err
   end
   local function alert(number) return "\21\3\3\0\2\2" .. string.char(number) end

   for number, expected in pairs {
      [40] = { "no_common_cipher", "alert 40 (handshake failure)" },
      [70] = { "version", "alert 70 (protocol version)" },
      [80] = { "handshake", "alert 80 (internal error)" },
      [109] = { "handshake", "alert 109 (missing extension)" },
      [112] = { "unknown_name", "alert 112 (unrecognized name)" },
      [120] = { "handshake", "alert 120 (no application protocol)" },
   } do
      it("by an alert is quoted: " .. number, function()
         local err = ended_by(alert(number))
         assert.same({ "tls", expected[1] }, { err.kind, err.reason })
         assert.equal("the server ended it with " .. expected[2], err.text)
      end)
   end

   it("speaks plain text, or another protocol", function()
      for _, octets in ipairs { "220 hi\r\n", "HTTP/1.0 400 no\r\n", "\22\1\1\0\5hello" } do
         local err = ended_by(octets)
         assert.same({ "tls", "plaintext" }, { err.kind, err.reason }, tostring(err))
      end
   end)
end)

local pair = sockets.pair

describe("a TLS handshake", function()
   it("takes a name of 255 octets, and none of 256", function()
      for len, word in pairs { [255] = "timeout", [256] = "tls:handshake", [300] = "tls:handshake" } do
         local sock = pair()
         sock:settimeouts(100, 100, 100)
         local name = ("x"):rep(50) .. ("." .. ("y"):rep(50)):rep(5)
         name = name:sub(1, len) .. ("z"):rep(len - #name)
         local ok, why = sock:sslhandshake(nil, name:sub(1, len), false, tls.context { verify = false })
         assert.same({ nil, word }, { ok, why })
         sock:close()
      end
   end)

   it("that failed leaves a connection that is dead", function()
      local sock = pair()
      local context = tls.context { verify = false }
      sock:settimeouts(50, 50, 50)
      assert.equal("timeout", (select(2, sock:sslhandshake(nil, nil, false, context))))
      for _ = 1, 2 do
         local _, why, text = sock:sslhandshake(nil, nil, false, context)
         assert.same({ "tls:handshake", "TLS was begun on this connection before" }, { why, text })
         assert.equal("closed", (select(2, sock:send("x"))))
         assert.equal("closed", (select(2, sock:receiveany(1))))
      end
   end)
end)
