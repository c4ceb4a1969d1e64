-- Channel binding: both ends of one TLS connection know the same bytes, and a man in the middle of two
-- connections cannot pass a -PLUS mechanism through, though the client trusts his certificate.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"

local cert = certs.make()

local function hex(bytes)
   return bytes and (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function again(method, ...)
   local a, why, text
   repeat a, why, text = method(...) until a or why ~= "again"
   return a, why, text
end

-- A process whose OpenSSL has no extended master secret (RFC 7627), as old ones have none.
local function start_without_ems(body)
   local settings, script = os.tmpname(), os.tmpname()
   local file = assert(io.open(settings, "w"))
   file:write("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = here\n[here]\n"
      .. "Options = -ExtendedMasterSecret\n")
   file:close()
   file = assert(io.open(script, "w"))
   file:write('local socket = require "smtp.socket"\nlocal listener = assert(socket.listen("127.0.0.1", 0))\n',
      "print((select(2, listener:getsockname())))\nio.stdout:flush()\n", body)
   file:close()
   local pipe = io.popen(("OPENSSL_CONF=%s %s %s 2>&1"):format(settings, peer.interpreter, script))
   return { port = tonumber(pipe:read("*l")), finish = function()
      local text = pipe:read("*a")
      pipe:close()
      os.remove(settings)
      os.remove(script)
      return text
   end }
end

describe("sock:channel_binding()", function()
   -- Prints what binds each of `count` connections: in clear, in TLS.
   local server = [[
      local context = assert(require("smtp.tls").context { server = true, cert = %q, key = %q, max_version = %q })
      for _ = 1, %d do
         local sock
         repeat sock = listener:accept(5000) until sock
         sock:settimeouts(5000, 5000, 5000)
         local ok, why
         local clear = sock:channel_binding()
         repeat ok, why = sock:sslaccept(context) until ok or why ~= "again"
         local kind, bytes = sock:channel_binding()
         print(tostring(clear), kind, (bytes:gsub(".", function(c) return ("%%02x"):format(c:byte()) end)))
         sock:send("x")
         sock:close()
      end
   ]]

   local function connect(port)
      local context = assert(require("smtp.tls").context { verify = true, ca_file = cert "ca" })
      local sock = socket.new()
      sock:settimeouts(5000, 5000, 5000)
      assert(again(sock.connect, sock, "127.0.0.1", port))
      assert.is_nil((sock:channel_binding()))
      assert(again(sock.sslhandshake, sock, nil, "localhost", true, context))
      assert.equal("x", again(sock.receiveany, sock, 1))
      local kind, bytes = sock:channel_binding()
      sock:close()
      assert.is_nil((sock:channel_binding()))
      return kind, bytes
   end

   local function both(start, version, name)
      local path, key = cert(name)
      local other = start(server:format(path, key, version, 2))
      local kinds, said = {}, {}
      for i = 1, 2 do
         local kind, bytes = connect(other.port)
         kinds[i], said[i] = kind .. " " .. #bytes, ("nil\t%s\t%s\n"):format(kind, hex(bytes))
      end
      assert.equal(table.concat(said), other.finish())
      return kinds, said
   end

   it("is the exporter of RFC 9266 with TLS 1.3, another for each connection", function()
      local kinds, said = both(peer.start, "1.3", "good")
      assert.same({ "tls-exporter 32", "tls-exporter 32" }, kinds)
      assert.not_equal(said[1], said[2])
   end)

   it("is tls-unique with TLS 1.2, another for each connection", function()
      local kinds, said = both(peer.start, "1.2", "good")
      assert.same({ "tls-unique 12", "tls-unique 12" }, kinds)
      assert.not_equal(said[1], said[2])
   end)

   it("is tls-unique where the session was resumed as well, as Python's ssl sees it", function()
      local path, key = cert "good"
      local other = peer.start(server:format(path, key, "1.2", 3))
      local pipe = io.popen(("env -u LD_PRELOAD python3 -c '%s' %d %s 2>&1"):format([[
import socket, ssl, sys
context, session = ssl.create_default_context(cafile=sys.argv[2]), None
for _ in range(3):
    tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5),
                              server_hostname="localhost", session=session)
    tls.recv(1)
    print(tls.session_reused, "nil", "tls-unique", tls.get_channel_binding().hex(), sep="\t")
    session = tls.session
    tls.close()
]], other.port, (cert "ca")))
      local seen, resumed = pipe:read("*a"):gsub("True\t", "")
      pipe:close()
      assert.equal(2, resumed, seen)
      assert.equal(other.finish(), (seen:gsub("False\t", "")))
   end)

   it("is the hash of the server's certificate with TLS 1.2 and no extended master secret", function()
      for _, name in ipairs { "good", "chain" } do
         local kinds, said = both(start_without_ems, "1.2", name)
         assert.same({ "tls-server-end-point 32", "tls-server-end-point 32" }, kinds)
         local pipe = io.popen(("env -u LD_PRELOAD openssl x509 -in %s -noout -fingerprint -sha256")
            :format((cert(name))))
         local print_of = pipe:read("*a"):match("=([%x:]+)"):gsub(":", ""):lower()
         pipe:close()
         assert.equal(("nil\ttls-server-end-point\t%s\n"):format(print_of), said[1])
      end
   end)
end)

-- ---- a man in the middle ----

local sink_source = [[
   local sink = assert(require("smtp.sink").new { tls = %q, tls_cert = %q, tls_key = %q, tls_max_version = %q,
      auth = { users = { ann = "sesame-50" }, mechanisms = { %s } },
      trace = function(direction, line) if direction == "C" then print(line) end end })
   assert(sink:listen(listener))
   sink:serve { connections = 1, timeout = 5 }
]]

-- Two TLS connections, and the lines between them as they are, or as `change` makes them.
local proxy_source = [[
   local tls, port, cert, key, ca, version, change = %q, %d, %q, %q, %q, %q, %s
   local function again(method, ...)
      local a, why
      repeat a, why = method(...) until a or why ~= "again"
      return a, why
   end
   local inner = assert(require("smtp.tls").context { server = true, cert = cert, key = key, max_version = version })
   local outer = assert(require("smtp.tls").context { verify = true, ca_file = ca })
   local client, server = accept(), socket.new()
   server:settimeouts(5000, 5000, 5000)
   assert(again(server.connect, server, "127.0.0.1", port))
   local function shake()
      assert(again(client.sslaccept, client, inner))
      assert(again(server.sslhandshake, server, nil, "localhost", true, outer))
   end
   local unread = { [client] = "", [server] = "" }
   local function read(sock)
      while not unread[sock]:find("\n", 1, true) do
         local data = again(sock.receiveany, sock, 65536)
         if not data then os.exit() end
         unread[sock] = unread[sock] .. data
      end
      local text, rest = unread[sock]:match("^(.-\n)(.*)$")
      unread[sock] = rest
      return text
   end
   local function pass(text, sock) assert(sock:send(text) == #text) end
   local function reply()
      local text
      repeat
         text = change(read(server))
         pass(text, client)
      until text:find("^%%d%%d%%d ")
      return text
   end
   if tls == "implicit" then shake() end
   reply()
   while true do
      local text = read(client)
      print((text:gsub("[\r\n]", "")))
      pass(text, server)
      local code = reply():sub(1, 3)
      if code == "220" then shake() end
      if code == "354" then
         repeat
            text = read(client)
            pass(text, server)
         until text == ".\r\n"
         reply()
      end
   end
]]

local nothing = "function(text) return text end"
local strip = 'function(text) return (text:gsub(" %S+%-PLUS", "")) end'

-- -> receipt, err, what the sink heard, what the proxy heard
local function send(t)
   local tls = t.tls or "starttls"
   local good, good_key = cert "good"
   local other, other_key = cert "chain"
   local start = t.without_ems and start_without_ems or peer.start
   local sink = start(sink_source:format(tls, good, good_key, t.version or "1.3", t.mechanisms))
   local proxy = t.direct and { port = sink.port, finish = function() return "" end }
      or peer.start(proxy_source:format(tls, sink.port, other, other_key, cert "ca", t.version or "1.3",
         t.change or nothing))
   local receipt, err = safe.send { host = "localhost", port = proxy.port, tls_ca_file = cert "ca",
      tls = tls == "implicit" and tls or "require", username = "ann", password = "sesame-50",
      from = "ann@me.example", to = "bob@there.example", raw = "x\r\n", timeout = 10,
      auth_mechanisms = t.allowed, extensions = { chunking = "skip" } }
   local passed = proxy.finish()
   return receipt, err, sink.finish(), passed
end

local function caught(err, heard, passed)
   assert.same({ "auth_rejected", "rejected", "no", 535 }, { err.kind, err.reason, err.sent, err.code })
   assert.truthy(heard:find("AUTH SCRAM-SHA-256", 1, true), heard)
   assert.is_nil(heard:find("MAIL", 1, true), heard)
   assert.is_nil(passed:find("PLAIN", 1, true), passed)
end

describe("a man in the middle whose certificate we trust", function()
   local all = '"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"'

   for _, tls in ipairs { "starttls", "implicit" } do
      for _, version in ipairs { "1.2", "1.3" } do
         it(("is caught by SCRAM-SHA-256-PLUS, tls = %s, TLS %s"):format(tls, version), function()
            local receipt, err, heard, passed = send { tls = tls, version = version, mechanisms = all }
            assert.is_nil(receipt)
            caught(err, heard, passed)
            assert.equal("SCRAM-SHA-256-PLUS", err.mechanism)
         end)

         it(("who strips -PLUS is caught by the y of the client, tls = %s, TLS %s"):format(tls, version), function()
            local receipt, err, heard, passed = send { tls = tls, version = version, mechanisms = all,
               change = strip }
            assert.is_nil(receipt)
            caught(err, heard, passed)
            assert.same({ "SCRAM-SHA-256", { "PLAIN", "SCRAM-SHA-256" } }, { err.mechanism, err.offered })
         end)

         it(("passes what does not bind, tls = %s, TLS %s"):format(tls, version), function()
            local receipt, err, heard, passed = send { tls = tls, version = version, mechanisms = all,
               allowed = "PLAIN" }
            assert(receipt, tostring(err))
            assert.is_true(receipt.tls.verified)
            assert.truthy(heard:find("MAIL FROM", 1, true), heard)
            assert.truthy(passed:find("AUTH PLAIN AGFubgBzZXNhbWUtNTA=", 1, true), passed)
         end)
      end
   end

   it("before a server that cannot bind is not seen by SCRAM", function()
      local receipt, err = send { mechanisms = '"SCRAM-SHA-256"' }
      assert(receipt, tostring(err))
   end)

   it("is caught by tls-server-end-point as well, which lets the server itself pass", function()
      local receipt, err, heard, passed = send { without_ems = true, version = "1.2", mechanisms = all }
      assert.is_nil(receipt)
      caught(err, heard, passed)
      receipt, err = send { without_ems = true, direct = true, version = "1.2", mechanisms = all }
      assert(receipt, tostring(err))
      assert.equal("SCRAM-SHA-256-PLUS", receipt.auth.mechanism)
   end)
end)
