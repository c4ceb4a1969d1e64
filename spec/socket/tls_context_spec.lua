local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local tls = require "smtp.tls"

local cert = certs.make()

describe("TLS", function()
   it("of version 1.2 is enough unless 1.3 is asked for", function()
      local path, key = cert "good"
      for _, min in ipairs { "1.2", "1.3" } do
         local pipe = io.popen(("env -u LD_PRELOAD timeout 20 openssl s_server -www -accept 127.0.0.1:0 -cert %s "
            .. "-key %s -tls1_2 -naccept 1 </dev/null 2>&1"):format(path, key))
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
end)

describe("a folder of certificates", function()
   local folder = os.tmpname()

   before_each(function() command.run(("sh -c 'rm -rf %s; mkdir %s'"):format(folder, folder)) end)
   teardown(function() command.run("rm -rf " .. folder) end)

   it("needs a name that openssl rehash gives", function()
      for _, name in ipairs { false, "abcdefghij", "abcdefgh.1", "abcdefghi.0", "abcdefg.0", "ca.pem" } do
         if name then command.run(("cp %s %s/%s"):format(cert "ca", folder, name)) end
         local context, option, why = tls.context { verify = true, ca_path = folder }
         assert.same({ nil, "ca_path", "it is not a directory made by openssl rehash" }, { context, option, why }, name)
      end
      command.run(("cp %s %s/abcdefgh.0"):format(cert "ca", folder))
      assert(tls.context { verify = true, ca_path = folder })
      local context, option = tls.context { verify = true, ca_path = folder .. "/none" }
      assert.same({ nil, "ca_path" }, { context, option })
   end)

   -- What a process gets that sends with this environment, and trusts what the system does.
   local function trusts(environment)
      local path, key = cert "good"
      local other = peer.start(([[
         local sock = accept()
         if sock:sslaccept(server_context(%q, %q)) then sock:send("554 5.0.0 no\r\n") end
      ]]):format(path, key))
      local name = os.tmpname()
      command.write(name, ([[
         local _, err = require("smtp.safe").send { host = "localhost", port = %d, tls = "implicit", from = "a@b",
            to = "c@d", text = "", timeout = 5 }
         print(err.kind, err.reason, tostring(err))
         local sock = require("smtp.socket").new()
         sock:settimeouts(1000, 1000, 1000)
         sock:connect("127.0.0.1", %d)
      ]]):format(other.port, other.port))
      local pipe = io.popen(("%s %s %s 2>&1"):format(environment, peer.interpreter, name))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      other.finish()
      return said
   end

   it("or a file of them, is the system's where the environment says so", function()
      command.run(("sh -c 'cp %s %s && openssl rehash %s'"):format(cert "ca", folder, folder))
      local other = folder .. "/other"
      command.run(("sh -c 'mkdir %s && cp %s %s && openssl rehash %s'"):format(other, cert "self_signed", other, other))
      for environment, expected in pairs {
         [("SSL_CERT_FILE=%s SSL_CERT_DIR=/nowhere"):format(cert "ca")] = "greeting_refused",
         [("SSL_CERT_FILE=%s SSL_CERT_DIR=%s"):format(cert "ca", other)] = "greeting_refused",
         [("SSL_CERT_FILE=/nowhere SSL_CERT_DIR=%s"):format(folder)] = "greeting_refused",
         [("SSL_CERT_FILE=%s SSL_CERT_DIR=/nowhere"):format(cert "self_signed")] = "certificate",
         ["SSL_CERT_FILE= SSL_CERT_DIR="] = "certificate",
      } do
         local said = trusts(environment)
         assert.equal(expected, said:match("^(%S+)"), said)
      end
      local said = trusts "SSL_CERT_FILE=/nowhere SSL_CERT_DIR=/nowhere"
      assert.truthy(said:find("this machine has no certificates of authorities", 1, true), said)
   end)
end)

describe("the files of a context", function()
   it("that cannot be read are named, with the reason", function()
      local good, key = cert "good"
      for option, settings in pairs {
         ca_file = { verify = true, ca_file = "/nowhere.pem" }, cert = { cert = "/nowhere.pem", key = key },
         key = { cert = good, key = "/nowhere.pem" },
      } do
         local context, wrong, why = tls.context(settings)
         assert.same({ nil, option }, { context, wrong })
         assert.truthy(why:find("^/nowhere%.pem: %S"), why)
      end
      for _, name in ipairs { "expired", "weak" } do -- the key of the second one is for RSA
         local other = select(2, cert(name))
         assert.same({ nil, "key", other .. ": it is not the key of tls_cert" },
            { tls.context { cert = good, key = other } })
      end
   end)
end)

describe("a context", function()
   -- A server of the openssl command, which prints what it hears of the client. -> its lines
   local function hello(settings, arguments)
      local path, key = cert "good"
      local pipe = io.popen(("env -u LD_PRELOAD timeout 20 openssl s_server -www -accept 127.0.0.1:0 -cert %s -key %s "
         .. "-naccept 1 %s </dev/null 2>&1"):format(path, key, arguments))
      local port
      repeat port = pipe:read("*l"):match("^ACCEPT 127.0.0.1:(%d+)") until port
      local sock = socket.new()
      sock:settimeouts(5000, 5000, 5000)
      assert(sock:connect("127.0.0.1", tonumber(port)))
      local ok, why = sock:sslhandshake(nil, nil, false, assert(tls.context(settings)))
      local info = sock:tlsinfo()
      sock:close()
      pipe:read("*a")
      pipe:close()
      return ok and info.version or why
   end

   it("takes no version of TLS before 1.2", function()
      assert.equal("tls:version", hello({ verify = false }, "-tls1_1 -cipher ALL:@SECLEVEL=0"))
      assert.equal("TLSv1.2", hello({ verify = false }, "-tls1_2"))
      assert.equal("TLSv1.2", hello({ verify = false, max_version = "1.2" }, ""))
   end)

   it("asks at no terminal for the pass phrase of a key, and says what a file is not", function()
      local good, key = cert "good"
      local name = os.tmpname()
      for _, how in ipairs { "pkey", "ec" } do
         command.run(("openssl %s -in %s -aes128 -passout pass:sesame -out %s"):format(how, key, name))
         assert.same({ nil, "key", name .. ": it is encrypted" }, { tls.context { cert = good, key = name } })
      end
      command.write(name, "no key")
      local expected = name .. ": it is not a PEM file"
      assert.same({ nil, "cert", expected }, { tls.context { cert = name, key = key } })
      local _, option = tls.context { cert = good, key = name }
      assert.equal("key", option)
      os.remove(name)
   end)
end)
