local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"

local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }

local function send(port, more)
   local options = { host = "localhost", port = port, timeout = 10 }
   for _, list in ipairs { message, more or {} } do
      for key, value in pairs(list) do options[key] = value end
   end
   return safe.send(options)
end

local greet_and = [[
   local sock = accept()
   sock:send("220 hi\r\n")
   line(sock)
]]

describe("a connection", function()
   it("that nobody takes is refused", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      listener:close()
      local _, err = send(port)
      assert.same({ "connect", "connect", "later" }, { err.kind, err.stage, err.retry })
      assert.truthy(tostring(err):find("refused", 1, true))
   end)

   it("to a name that does not exist fails in the look-up", function()
      local started = core.now()
      local _, err = send(25, { host = "nowhere.invalid", tls = "skip", connect_timeout = 3 })
      assert.truthy(err.kind == "resolve" or err.kind == "timeout", tostring(err))
      assert.equal("resolve", err.stage)
      assert.equal(err.reason == "unknown_host" and "never" or "later", err.retry)
      assert.truthy(core.now() - started < 5)
   end)

   it("is tried over both families", function()
      local listener = socket.listen("::1", 0)
      if not listener then return end -- a host without IPv6 has nothing to try
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(2000, 2000, 2000)
      assert.is_true((sock:connect("localhost", port)))
      assert.equal("::1", (sock:getpeername()))
      listener:close()
   end)

   it("may go through a unix socket", function()
      local name = os.tmpname()
      os.remove(name)
      local listener = assert(socket.listen("unix:" .. name))
      local sock = socket.new()
      sock:settimeouts(2000, 2000, 2000)
      assert.is_true((sock:connect("unix:" .. name)))
      local other = assert(listener:accept(1000))
      sock:send("hello")
      assert.equal("hello", other:receiveany(100))
      listener:close()
      local _, err = safe.send { socket = name, from = "a@b", to = "c@d", text = "" }
      assert.equal("connect", err.kind)
      assert.truthy(err.hint:find("socket", 1, true))
   end)

   -- Stopping and going on again interrupts connect() (signal(7)).
   it("to a unix socket with a full queue waits on when it is interrupted", function()
      local name = os.tmpname()
      os.remove(name)
      local listener, waiting = assert(socket.listen("unix:" .. name)), {}
      repeat
         waiting[#waiting + 1] = socket.new()
         waiting[#waiting]:settimeouts(1, 1, 1)
      until not waiting[#waiting]:connect("unix:" .. name)
      local script = os.tmpname()
      local file = assert(io.open(script, "w"))
      file:write(([[
         local sock = require("smtp.socket").new()
         sock:settimeouts(1000, 1000, 1000)
         local ok, why
         repeat ok, why = sock:connect("unix:%s") until why ~= "again"
         print(ok, why)]]):format(name))
      file:close()
      local pipe = io.popen(("%s %s & sleep 0.3; kill -STOP $!; kill -CONT $!; wait"):format(peer.interpreter, script))
      assert.equal("nil\ttimeout", pipe:read("*l"))
      pipe:close()
      os.remove(script)
      listener:close()
   end)

   it("is not inherited by other programs", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(1000, 1000, 1000)
      sock:connect("127.0.0.1", port)
      local pipe = io.popen("ls -l /proc/self/fd")
      local open = pipe:read("*a")
      pipe:close()
      assert.is_nil(open:find("socket:", 1, true))
      listener:close()
   end)

   it("works with descriptors above 1023", function()
      local pipe = io.popen(("ulimit -n 4096 && %s -e '%s' 2>&1"):format(peer.interpreter, [[
         local socket = require "smtp.socket"
         local kept = {}
         for i = 1, 1100 do kept[i] = assert(io.open("/dev/null")) end
         local listener = assert(socket.listen("127.0.0.1", 0))
         local sock = socket.new()
         sock:settimeouts(1000, 1000, 1000)
         assert(sock:connect("127.0.0.1", (select(2, listener:getsockname()))))
         local other = assert(listener:accept(1000))
         other:send("hi")
         print(sock:getfd() > 1023, sock:receiveany(10))]]))
      local said = pipe:read("*a")
      pipe:close()
      assert.equal("true\thi\n", said)
   end)

   it("can be closed twice, and is closed to all after that", function()
      local sock = socket.new()
      assert.is_true(sock:close())
      assert.is_true(sock:close())
      assert.equal("closed", (select(2, sock:receiveany(1))))
      assert.equal("closed", (select(2, sock:send("x"))))
   end)

   it("leaves the collector nothing but a descriptor to close", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(1000, 1000, 1000)
      sock:connect("127.0.0.1", port)
      local other = listener:accept(1000)
      other:settimeouts(1000, 1000, 1000)
      sock = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      local data, why = other:receiveany(10)
      assert.is_nil(data)
      assert.equal("closed", why)
      listener:close()
   end)
end)

describe("time", function()
   it("is not extended by a server that drips", function()
      for _, drip in ipairs { "2", "250-x\\r\\n" } do
         local other = peer.start(greet_and .. ([[
            for _ = 1, 40 do
               sock:send("%s")
               sock:settimeouts(1, 1, 100)
               local data, why = sock:receiveany(1)
               if not data and why == "closed" then break end
            end
         ]]):format(drip))
         local started = core.now()
         local _, err = send(other.port, { timeout = 0.7 })
         local took = core.now() - started
         other.finish()
         assert.equal("timeout", err.kind)
         assert.truthy(took > 0.6 and took < 1.2, took)
      end
   end)

   it("for a connect that nobody answers is bounded", function()
      -- Once a listener's queue is full, the kernel answers no more.
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local kept, ok, why = {}, true, nil
      local started
      while ok and #kept < 500 do
         local sock = socket.new()
         sock:settimeouts(300, 300, 300)
         started = core.now()
         ok, why = sock:connect("127.0.0.1", port)
         kept[#kept + 1] = sock
      end
      local took = core.now() - started
      assert.equal("timeout", why)
      assert.truthy(took > 0.2 and took < 1, took)
      local _, err = send(port, { connect_timeout = 0.3 })
      assert.same({ "timeout", "connect" }, { err.kind, err.stage })
      listener:close()
   end)

   it("for QUIT is two seconds at most, and what was delivered stays delivered", function()
      local other = peer.start(greet_and .. [[
         sock:send("250 mx\r\n")
         for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         repeat until line(sock) == ".\r\n"
         sock:send("250 queued\r\n")
         line(sock)
         sock:receiveany(1)
      ]])
      local started = core.now()
      assert(send(other.port))
      assert.truthy(core.now() - started < 3)
      other.finish()
   end)

   it("in a wait ends at once on Ctrl-C", function()
      local other = peer.start "local sock = accept() sock:receiveany(1)"
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write(('io.stdout:setvbuf("no") print(1) require("smtp").send { host = "localhost", port = %d, '
         .. 'from = "a@b", to = "c@d", text = "" }'):format(other.port))
      file:close()
      local started = core.now()
      local pipe = io.popen(("bash -c '%s %s & P=$!; sleep 0.5; kill -INT $P; wait $P' 2>&1")
         :format("exec 3>&1; " .. "setsid env " .. peer.interpreter, name))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      other.finish()
      assert.truthy(core.now() - started < 4, said)
      assert.truthy(said:find("interrupted!", 1, true), said)
   end)
end)

-- A connected pair in this process.
local function pair()
   local listener = assert(socket.listen("127.0.0.1", 0))
   local sock = socket.new()
   sock:settimeouts(2000, 2000, 2000)
   assert(sock:connect("127.0.0.1", (select(2, listener:getsockname()))))
   local other = assert(listener:accept(2000))
   other:settimeouts(2000, 2000, 2000)
   listener:close()
   return sock, other
end

-- Descriptors of this process: sockets and pipes.
local function count_open()
   local pipe = io.popen("ls -l /proc/$PPID/fd | grep -c socket:")
   local count = tonumber(pipe:read("*l"))
   pipe:close()
   return count
end

describe("connection attempts that lose the race", function()
   it("are closed, whether one wins or none", function()
      local listener, kept = assert(socket.listen("127.0.0.1", 0)), {}
      local _, port = listener:getsockname()
      local winner = socket.listen("::1", port)
      if not winner then return end -- a host without IPv6 has no race
      repeat -- until the queue is full, and an attempt there hangs
         kept[#kept + 1] = socket.new()
         kept[#kept]:settimeouts(200, 200, 200)
      until not kept[#kept]:connect("127.0.0.1", port)
      collectgarbage()
      local before, socks = count_open(), {}
      for i = 1, 3 do
         socks[i] = socket.new()
         socks[i]:settimeouts(5000, 5000, 5000)
         assert(socks[i]:connect("localhost", port))
         assert.equal("::1", (socks[i]:getpeername()))
      end
      assert.equal(before + 3, count_open())
      for i = 1, 3 do socks[i]:close() end
      winner:close()
      local sock = socket.new()
      sock:settimeouts(600, 600, 600)
      assert.is_nil((sock:connect("localhost", port)))
      assert.equal(before - 1, count_open())
      listener:close()
   end)
end)

describe("a TLS handshake", function()
   it("takes a name of 255 octets, and none of 256", function()
      for len, word in pairs { [255] = "timeout", [256] = "tls:handshake", [300] = "tls:handshake" } do
         local sock = pair()
         sock:settimeouts(100, 100, 100)
         local name = ("x"):rep(50) .. ("." .. ("y"):rep(50)):rep(5)
         name = name:sub(1, len) .. ("z"):rep(len - #name)
         local ok, why = sock:sslhandshake(nil, name:sub(1, len), false, socket.tls_context { verify = false })
         assert.same({ nil, word }, { ok, why })
         sock:close()
      end
   end)

   it("that failed leaves a connection that is dead", function()
      local sock = pair()
      local context = socket.tls_context { verify = false }
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

describe("a wait", function()
   it("is as long as was said, under a second and over it", function()
      local sock = pair()
      for _, ms in ipairs { 30, 1200, 0, 300 } do
         sock:settimeouts(1, 1, ms)
         local started = core.now()
         assert.equal("timeout", (select(2, sock:receiveany(10))))
         local took = (core.now() - started) * 1000
         assert.truthy(took >= ms and took < ms + 400, took)
      end
   end)

   it("ends at once where something comes, whatever the last one was", function()
      local sock, other = pair()
      sock:settimeouts(1, 1, 10)
      sock:receiveany(10)
      sock:settimeouts(1, 1, 60000)
      other:send("hi")
      assert.equal("hi", sock:receiveany(10))
   end)
end)

describe("a socket that does not wait", function()
   it("says again, for as long as it was given time", function()
      local sock, other = pair()
      sock:nonblocking(true)
      sock:settimeouts(10000, 10000, 10000)
      local started = core.now()
      assert.equal("again", (select(2, sock:receiveany(10))))
      assert.truthy(core.now() - started < 5)
      other:send("hi")
      assert.same({ 1 }, socket.wait({ sock }, 5000))
      assert.equal("hi", sock:receiveany(10))
      sock:settimeouts(100, 100, 100)
      started = core.now()
      local why
      repeat
         why = select(2, sock:receiveany(10))
         if why == "again" then socket.wait({ sock }, 60000) end
      until why ~= "again"
      assert.equal("timeout", why)
      local took = core.now() - started
      assert.truthy(took >= 0.1 and took < 10, took)
   end)

   it("sends what the kernel takes, and tells when there is something to read first", function()
      local sock, other = pair()
      sock:nonblocking(true)
      local data, sent = ("x"):rep(65536), 0
      local count, why, _, partly
      repeat
         count, why, _, partly = sock:send(data)
         sent = sent + (count or partly)
      until why
      assert.equal("again", why)
      assert.same({}, socket.wait({ sock }, 20))
      other:send("stop")
      assert.same({ 1 }, socket.wait({ sock }, 1000))
      -- The kernel may have found room for some more: poll() only tells of a third of it (tcp(7)).
      repeat
         count = assert(sock:send(data))
         sent = sent + count
      until count < #data
      assert.equal("stop", sock:receiveany(10))
      while sent > 0 do sent = sent - #other:receiveany(65536) end
      assert.equal(#data, sock:send(data))
   end)

   it("connects, both by name and by address, and shakes hands", function()
      local certs = require "spec.tools.certs"
      local path, key = certs.make()("good")
      for _, name in ipairs { "127.0.0.1", "localhost", "127.1" } do -- the last one by the resolver
         local other = peer.start(([[
            local sock = accept()
            sock:sslaccept(server_context(%q, %q))
            sock:send("hi")
            sock:receiveany(1)
         ]]):format(path, key))
         local sock, again = socket.new(), 0
         sock:nonblocking(true)
         local function drive(method, ...)
            local ok, why, text
            repeat
               ok, why, text = sock[method](sock, ...)
               if why == "again" then
                  again = again + 1
                  socket.wait({ sock }, 5000)
               end
            until why ~= "again"
            return ok, why, text
         end
         sock:settimeouts(5000, 5000, 5000)
         assert(drive("connect", name, other.port))
         assert(drive("sslhandshake", nil, nil, false, socket.tls_context { verify = false }))
         assert.equal("hi", (drive("receiveany", 10)))
         assert.truthy(again >= 2, again)
         sock:close()
         other.finish()
      end
   end)

   it("that never said again is ready, and a wait for none is a sleep", function()
      local sock = pair()
      assert.same({ 1 }, socket.wait({ sock }, 1000))
      local started = core.now()
      assert.same({}, socket.wait({}, 50))
      assert.truthy(core.now() - started >= 0.05)
      assert.has_error(function() socket.wait({ 1 }, 1) end)
   end)
end)

describe("many replies and a slow reader", function()
   -- With Nagle's algorithm, as most servers: our own sockets never have it.
   it("do not wait for each other's acknowledgement", function()
      local pipe = io.popen(("env -u LD_PRELOAD python3 -c '%s'"):format([[
import socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(1)
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
s.sendall(b"220 hi\r\n")
for line in s.makefile("rb"):
    for reply in {b"EHLO": (b"250-mx\r\n", b"250 PIPELINING\r\n"), b"DATA": (b"354 go\r\n",),
                  b"QUIT": (b"221 bye\r\n",), b"\r\n": ()}.get(line[:4], (b"250 ok\r\n",)):
        s.sendall(reply)
]]))
      local connection = assert(safe.connect { host = "127.0.0.1", port = tonumber(pipe:read("*l")), timeout = 10 })
      local to = {}
      for i = 1, 50 do to[i] = ("u%d@x.example"):format(i) end
      local started = core.now()
      for _ = 1, 20 do assert(connection:send { from = "a@b.example", to = to, raw = "\r\n" }) end
      local took = core.now() - started
      connection:quit()
      pipe:close()
      assert.truthy(took < 0.6, took) -- otherwise 40 ms for each message
   end)

   it("do not block each other: it reads while it writes", function()
      local other = peer.start(greet_and .. [[
         sock:send("250-mx\r\n250 PIPELINING\r\n")
         -- Answers each line at length, and does not read on before the answer is taken.
         local long = "250 " .. ("x"):rep(400) .. "\r\n"
         local count = 0
         while true do
            local text = line(sock)
            if text == "" then break end
            count = count + 1
            if text == "DATA\r\n" then
               sock:send("354 go\r\n")
               repeat text = line(sock) until text == ".\r\n" or text == ""
               sock:send("250 ok\r\n")
            elseif text == "QUIT\r\n" then
               sock:send("221 bye\r\n")
               break
            else
               local sent = 0
               while sent < #long do
                  local n = sock:send(long:sub(sent + 1))
                  if not n then os.exit() end
                  sent = sent + n
               end
            end
         end
         print(count)
      ]])
      local to = {}
      for i = 1, 5000 do to[i] = ("u%d@x.example"):format(i) end
      local receipt, err = send(other.port, { to = to, timeout = 30 })
      local saw = other.finish()
      assert(receipt, tostring(err) .. saw)
      assert.equal(5000, #receipt.accepted)
   end)

   it("that refuses in the middle of a message and hangs up is heard", function()
      local other = peer.start(greet_and .. [[
         sock:send("250 mx\r\n")
         for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         sock:receiveany(1000)
         sock:send("552 5.3.4 enough\r\n")
         sock:close()
      ]])
      local _, err = send(other.port, { raw = ("x"):rep(70):rep(1) .. ("\r\n" .. ("y"):rep(70)):rep(400000) })
      other.finish()
      assert.equal("message_too_large", err.kind, tostring(err))
      assert.equal(552, err.code)
      assert.equal("refused", err.recipients[1].state)
   end)
end)
