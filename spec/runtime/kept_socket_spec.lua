-- Connections that are kept outside nginx: whose they are, how long, and who waits for them. What is the same in
-- nginx: spec/runtime/pool_spec.lua.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local pool = require "smtp.runtime.pool"
local request = require "smtp.client.request"
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local server = require "spec.nginx.server"

local cert = certs.make()
local mx

local function start(config)
   mx = server.start(config)
end

local function start_tls(name)
   local path, key = cert(name)
   start { tls = "starttls", cert = path, key = key }
end

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local connection = { host = "localhost", tls = "skip", domain = "me.example", timeout = 10, keepalive = { idle = 60 } }
local message = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" }

-- These options; "none" leaves one out.
local function options(...)
   local all = { port = mx and mx.port }
   for _, list in ipairs { ... } do
      for name, value in pairs(list) do
         if value == "none" then value = nil end
         all[name] = value
      end
   end
   return all
end

local function send(more)
   return assert(safe.send(options(connection, message, more or {})))
end

local trusting = { tls = "require", tls_ca_file = cert "ca" }

describe("a connection that cannot be kept", function()
   it("ends with QUIT", function()
      start {}
      local fits = pool.fits
      finally(function() pool.fits = fits end)
      function pool.fits() return false end
      send()
      mx:wait("C QUIT", 1)
      mx:wait("over", 1)
      pool.fits = fits
      send()
      send()
      assert.equal(2, mx:count("open"))
      assert.equal(1, mx:count("C QUIT"))
   end)
end)

describe("a connection that a forked process has inherited", function()
   local library = "build/spec/forking.so"

   setup(function()
      command.run "mkdir -p build/spec"
      assert.equal("", command.run(("cc -shared -fPIC -o %s.$$ spec/tools/forking.c && mv %s.$$ %s"):format(library,
         library, library)))
   end)

   -- Runs the program, in which send() sends a message, and fork(fn) calls fn in a child.
   local function run(text)
      local name = os.tmpname()
      command.write(name, ([[
         local safe = require "smtp.safe"
         local options = { host = "localhost", port = %d, tls = "require", tls_ca_file = %q, domain = "me.example",
            timeout = 10, keepalive = { idle = 60 } }
         local function send()
            local all = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" }
            for option, value in pairs(options) do all[option] = value end
            assert(safe.send(all))
         end
         local forking = assert(package.loadlib(%q, "forking"))
         local waiting = assert(package.loadlib(%q, "waiting"))
         local function fork(fn)
            if forking(true) then
               fn()
               os.exit(0)
            end
            waiting()
         end
      ]]):format(mx.port, (cert "ca"), library, library) .. text)
      local said = command.own(peer.interpreter .. " " .. name)
      os.remove(name)
      assert.equal("", said)
   end

   it("is neither used nor ended there", function()
      start_tls "good"
      run [[
         send()
         fork(function() send() send() end)
         send()
      ]]
      assert.equal(2, mx:count "open")
      assert.equal(4, mx:count "message")
   end)

   it("is not kept there either, and the child's collector says nothing on it", function()
      start_tls "good"
      run [[
         local conn = assert(safe.connect(options))
         fork(function()
            conn:close()
            conn = nil
            collectgarbage()
            send()
         end)
         assert(conn:noop())
         conn:close()
         send()
      ]]
      assert.equal(2, mx:count "open")
      assert.equal(2, mx:count "message")
      assert.equal(0, mx:count "C QUIT")
   end)
end)

describe("a kept connection", function()
   it("ends with the Lua state", function()
      start()
      local name = os.tmpname()
      command.write(name, ([[
         local safe = require "smtp.safe"
         assert(safe.send { host = "localhost", port = %d, keepalive = { idle = 60 }, from = "ann@me.example",
            to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" })
      ]]):format(mx.port))
      assert.equal("", command.own(peer.interpreter .. " " .. name))
      os.remove(name)
      mx:wait("over", 1)
      assert.equal(0, mx:count "C QUIT")
   end)

   it("is not the connection's any more that was closed", function()
      start()
      local conn = assert(safe.connect(options(connection)))
      conn:close()
      assert.equal("usage", select(2, conn:send(message)).kind)
      assert.equal("usage", select(2, conn:noop()).kind)
      conn:close()
      send()
      conn:quit()
      send()
      assert.same({ 1, 2, 0 }, { mx:count "open", mx:count "message", mx:count "C QUIT" })
   end)

   it("keeps its time where the clock of the machine is set", function()
      start()
      local time = os.time
      for _, shift in ipairs { 0, 7200, -7200 } do
         os.time = function(...) return ... and time(...) or time() + shift end -- luacheck: ignore
         local ok, why = pcall(send)
         os.time = time -- luacheck: ignore
         assert(ok, why)
      end
      assert.equal(1, mx:count "open")
   end)

   it("is closed when the list is full", function()
      start()
      local two = { keepalive = { idle = 60, size = 2 } }
      local conns = {}
      for i = 1, 3 do conns[i] = assert(safe.connect(options(connection, two))) end
      for i = 1, 3 do conns[i]:close() end
      mx:wait("over", 1)
      assert.truthy(mx:log("over")[1]:find "^1 ")
      for i = 1, 3 do conns[i] = assert(safe.connect(options(connection, two))) end
      assert.equal(4, mx:count "open")
      for i = 1, 3 do conns[i]:quit() end
   end)

   it("is used where several hosts are named, and the first one does not answer", function()
      start()
      local hosts = { host = { "127.0.0.2", "127.0.0.1" } } -- the server listens at the second address
      for _ = 1, 3 do assert.equal("127.0.0.1", send(hosts).server.host) end
      assert.same({ 1, 3 }, { mx:count "open", mx:count "message" })
   end)

   it("shows who reuses it", function()
      start()
      local seen = {}
      local function observe(event)
         if event.name == "connected" then seen[#seen + 1] = event.reused end
         if event.name == "done" then seen[#seen + 1] = event.kept end
      end
      for _ = 1, 2 do send { observe = observe } end
      assert.same({ false, true, true, true }, seen)
      assert.truthy(mx:count "open" == 1)
   end)

   it("has stages that begin where the earlier conversation has ended", function()
      start()
      local stages
      local function observe(event)
         if event.name == "stage" then stages[#stages + 1] = event.stage end
      end
      for _, expected in ipairs { "connect greeting ehlo mail rcpt data body final ready",
         "connect ready mail rcpt data body final ready" } do
         stages = {}
         send { observe = observe }
         assert.equal(expected, table.concat(stages, " "))
      end
   end)

   it("has the name of its server and its own TLS in each receipt", function()
      start_tls "good"
      local first, second = send(trusting), send(trusting)
      assert.equal(1, mx:count "open")
      assert.same(first.server, second.server)
      assert.same(first.tls, second.tls)
      assert.equal("mx.example", second.server.name)
   end)
end)

describe("a kept connection with TLS", function()
   it("is not used once its certificate has ended", function()
      start_tls "good"
      local time = os.time
      send(trusting)
      send(trusting)
      os.time = function(...) -- luacheck: ignore
         return ... and time(...) or time { year = 2049, month = 1, day = 2 }
      end
      local ok, why = pcall(function()
         send(trusting)
         send(trusting)
      end)
      os.time = time -- luacheck: ignore
      assert(ok, why)
      assert.equal(3, mx:count "open")
      send(trusting)
      send(trusting)
      assert.equal(4, mx:count "open")
   end)

   it("is used only while the files that it trusts are the same", function()
      start_tls "good"
      local own = os.tmpname()
      local text = command.read((cert "ca"))
      command.write(own, text)
      for _ = 1, 2 do send { tls = "require", tls_ca_file = own } end
      assert.equal(1, mx:count "open")
      command.write(own, text .. "\n")
      for _ = 1, 2 do send { tls = "require", tls_ca_file = own } end
      assert.equal(2, mx:count "open")
      os.remove(own)
   end)
end)

describe("the coroutines of a scheduler", function()
   it("share kept connections with code outside it", function()
      start()
      local ticks = 0
      local function tick()
         for _ = 1, 3 do
            scheduler.sleep(0.001)
            ticks = ticks + 1
         end
      end
      send()
      assert(scheduler.run { send, tick })
      send()
      assert(scheduler.run { function() send() send() end, tick })
      assert.same({ 1, 5, 6 }, { mx:count "open", mx:count "message", ticks })
   end)

   it("wait for a kept connection without keeping others waiting", function()
      -- The answer to the second message comes when the client has ticked: by another connection.
      local other = peer.start [[
         local function say(sock, text) sock:send(text .. "\r\n") end
         local sock = accept()
         say(sock, "220 hi")
         line(sock) say(sock, "250 mx")
         for i = 1, 2 do
            for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) say(sock, reply) end
            repeat until line(sock) == ".\r\n"
            if i == 2 then accept():close() end
            say(sock, "250 queued")
         end
      ]]
      local more = { port = other.port }
      send(more)
      local function tick()
         local waker = require("smtp.socket").new()
         scheduler.sleep(0.01)
         waker:settimeouts(5000, 5000, 5000)
         assert(waker:connect("127.0.0.1", other.port))
         waker:close()
      end
      assert(scheduler.run { function() send(more) end, tick })
      other.finish()
   end)

   it("never have the same one at the same time", function()
      start()
      send()
      local taken = {}
      local function job()
         local conn = assert(safe.connect(options(connection)))
         taken[#taken + 1] = conn
         while #taken < 3 do scheduler.sleep(0.001) end
         assert(conn:send(message))
         conn:close()
      end
      assert(scheduler.run { job, job, job })
      assert.equal(3, mx:count "open")
      assert.equal(4, mx:count "message")
   end)
end)

describe("an event loop", function()
   it("shares kept connections with code outside it, and with other loops", function()
      start_tls "good"
      for _ = 1, 2 do
         send(trusting)
         local result, loop = poll_loop.call(function(loop)
            for _ = 1, 2 do send(options(trusting, { loop = loop })) end
         end)
         assert.truthy(result and loop.waits > 0)
         assert(scheduler.run { function() send(trusting) end })
      end
      assert.same({ 1, 8 }, { mx:count "open", mx:count "message" })
   end)

   it("that fails with a kept connection is the error, and the connection is not kept", function()
      start()
      send()
      local more = { loop = { wait = function() error("out of order", 0) end, sleep = function() end } }
      local ok, result, err = pcall(safe.send, options(connection, message, more))
      if ok then
         assert.same({ "nil", "source", "loop" }, { type(result), err.kind, err.reason })
      else
         assert.equal("out of order", result) -- Lua 5.1
      end
      send()
      assert.same({ 2, 2 }, { mx:count "open", mx:count "message" })
   end)
end)

describe("an LMTP server at a unix socket", function()
   it("gets the next message over the kept connection", function()
      local path = os.tmpname()
      os.remove(path)
      local other = peer.start(([[
         listener:close()
         listener = assert(socket.listen("unix:" .. %q))
         print "ready"
         io.stdout:flush()
         local sock = accept()
         local function say(text) sock:send(text .. "\r\n") end
         say "220 hi"
         print((line(sock):gsub("[\r\n]", "")))
         say "250 mx"
         for _ = 1, 2 do
            for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) say(reply) end
            repeat until line(sock) == ".\r\n"
            say "250 kept"
         end
      ]]):format(path))
      local lmtp = { protocol = "lmtp", socket = path, host = "none", port = "none" }
      for _ = 1, 200 do
         local receipt = safe.send(options(connection, message, lmtp))
         if receipt then break end
         core.sleep(0.05)
      end
      assert.equal("250", tostring(send(lmtp).reply.code))
      assert.equal("ready\nLHLO me.example\n", other.finish())
      os.remove(path)
   end)
end)

describe("the list of kept connections", function()
   -- The module by itself, with sockets that count.
   local function load_with(socket)
      local real, own = package.loaded["smtp.socket"], package.loaded["smtp.runtime.kept_socket"]
      package.loaded["smtp.socket"], package.loaded["smtp.runtime.kept_socket"] = socket, nil
      local module = require "smtp.runtime.kept_socket"
      package.loaded["smtp.socket"], package.loaded["smtp.runtime.kept_socket"] = real, own
      return module
   end

   it("has an end, whatever the number of servers", function()
      local closed = {}
      local Socket = {}
      Socket.__index = Socket
      function Socket.is_own() return true end
      function Socket.verified_until() return nil end
      function Socket:close() closed[#closed + 1] = self.number end
      local count = 0
      local kept_socket = load_with { new = function()
         count = count + 1
         return setmetatable({ number = count - 1 }, Socket) -- the first one is never connected
      end }
      for i = 1, 1002 do
         local one = assert(request.connection { host = "localhost", port = i, tls = "skip",
            keepalive = { idle = 60 } })
         local transport = kept_socket.new(one, nil, false, function(sock) return sock end)
         assert.is_true(transport:keep { server = "" })
      end
      assert.same({ 1, 2 }, closed)
   end)
end)

