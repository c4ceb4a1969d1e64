-- smtp.tls is loaded when TLS is first needed, and adds its methods to the sockets that there are by then.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

-- Runs a program with `show(sock)`, which prints what is known of the TLS of a socket.
local function run(text)
   local name = os.tmpname()
   command.write(name, [[
      local socket = require "smtp.socket"
      local function show(sock)
         print(sock:tlsinfo() ~= nil, sock:certificate() ~= nil, sock:verified_until() ~= nil,
            sock:channel_binding() ~= nil)
      end
   ]] .. text)
   local said = command.own(peer.interpreter .. " " .. name)
   os.remove(name)
   return said
end

describe("a socket", function()
   it("has no TLS before smtp.tls is loaded, nor before its handshake", function()
      local none = "false\tfalse\tfalse\tfalse\n"
      assert.equal("nil\n" .. none .. "function\n" .. none, run [[
         local sock = socket.new()
         print(sock.sslhandshake)
         show(sock)
         require "smtp.tls"
         print(type(sock.sslhandshake))
         show(sock)
      ]])
   end)

   it("that was connected before smtp.tls was loaded can use TLS after that", function()
      local cert = certs.make()
      local path, key = cert("good")
      local other = peer.start(([[
         local sock = accept()
         sock:sslaccept(server_context(%q, %q))
         sock:send("hi")
         print(sock:receiveany(10))
      ]]):format(path, key))
      local said = run(([[
         local sock = socket.new()
         assert(sock:connect("localhost", %d))
         local context = require("smtp.tls").context { verify = true, ca_file = %q }
         assert(sock:sslhandshake(nil, "localhost", true, context))
         show(sock)
         print(sock:receiveany(10))
         sock:send("bye")
         sock:close()
         show(sock)
      ]]):format(other.port, (cert("ca"))))
      assert.equal("true\ttrue\ttrue\ttrue\nhi\nfalse\tfalse\tfalse\tfalse\n", said)
      assert.equal("bye\n", other.finish())
   end)

   -- The sanitizers see where the first one is read after it was freed.
   it("keeps the settings of its handshake, though other ones are offered after that", function()
      local pair = require("spec.tools.tls_pair").open()
      local first = setmetatable({ pair.context }, { __mode = "v" })
      pair.context = nil
      local other = require("smtp.tls").context { verify = true }
      local ok, word, why = pair.client:sslhandshake(nil, "localhost", true, other)
      assert.same({ nil, "tls:handshake", "TLS was begun on this connection before" }, { ok, word, why })
      for _ = 1, 3 do collectgarbage() end
      assert.is_not_nil(first[1])
      assert.is_false(pair.client:tlsinfo().verified)
      assert.is_nil(pair.client:verified_until())
      pair:close()
   end)
end)

describe("smtp.tls", function()
   it("loads smtp.socket, whose sockets it is for", function()
      assert.equal("true\n", run [[
         package.loaded["smtp.socket"] = nil
         require "smtp.tls"
         print(package.loaded["smtp.socket"] ~= nil)
      ]])
   end)

   it("does not touch sockets of another version: the library was replaced while this process runs", function()
      for _, layout in ipairs { "nil", "1" } do
         assert.matches("^false\t[^\n]*smtp.socket and smtp.tls are of different versions[^\n]*\nnil\n$", run(([[
            debug.getregistry()["smtp.Socket"].layout = %s
            print(pcall(require, "smtp.tls"))
            print(socket.new().sslhandshake)
         ]]):format(layout)))
      end
   end)
end)
