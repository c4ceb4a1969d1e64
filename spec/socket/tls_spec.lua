-- TLS over real sockets, and what the server saw of it.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()
local send = tls_server.send
local nothing_told = tls_server.nothing_told

describe("TLS", function()
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

   it("shows the client's certificate, and two conversations in one process work", function()
      local path, key = cert "client"
      for _ = 1, 2 do
         assert((send("good", { tls_cert = path, tls_key = key })))
      end
   end)
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
