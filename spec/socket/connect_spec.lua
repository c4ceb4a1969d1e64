local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local send = sockets.send

describe("a connection", function()
   it("that no server accepts is refused", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      listener:close()
      local _, err = send(port)
      assert.same({ "connect", "connect", "later" }, { err.kind, err.stage, err.retry })
      assert.truthy(tostring(err):find(("127.0.0.1:%d: "):format(port), 1, true))
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

   it("to a unix socket that is connected at once, in no time, rests while it waits", function()
      local name = os.tmpname()
      os.remove(name)
      local listener, sock = assert(socket.listen("unix:" .. name)), socket.new()
      sock:settimeouts(0, 0, 0)
      assert.is_true((sock:connect("unix:" .. name)))
      sock:settimeouts(200, 200, 200)
      local began = os.clock()
      local _, why = sock:receiveany(10)
      assert.equal("timeout", why)
      assert.is_true(os.clock() - began < 0.1)
      sock:close()
      listener:close()
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
end)

-- Descriptors of this process: sockets and pipes.
local function count_open()
   local pipe = io.popen("ls -l /proc/$PPID/fd | grep -c socket:")
   local count = tonumber(pipe:read("*l"))
   pipe:close()
   return count
end

describe("connection attempts that lose the race", function()
   it("are closed, whether one wins or none", function()
      local listener, kept = assert(socket.listen("127.0.0.1", 0, 4)), {}
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

describe("a socket that does not wait", function()
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
         assert(drive("sslhandshake", nil, nil, false, require("smtp.tls").context { verify = false }))
         assert.equal("hi", (drive("receiveany", 10)))
         assert.truthy(again >= 2, again)
         sock:close()
         other.finish()
      end
   end)
end)

describe("time", function()
   it("for a connect without an answer is bounded", function()
      -- Once a listener's queue is full, the kernel answers no more.
      local listener = socket.listen("127.0.0.1", 0, 4)
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
      assert.truthy(took > 0.2 and took < 20, took)
      local _, err = send(port, { connect_timeout = 0.3 })
      assert.same({ "timeout", "connect" }, { err.kind, err.stage })
      listener:close()
   end)
end)

describe("a source address", function()
   it("is where the connection comes from, at a port of the system's choice", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      for _, name in ipairs { "127.0.0.1", "localhost" } do
         local sock = socket.new()
         sock:settimeouts(2000, 2000, 2000)
         assert(sock:connect(name, port, "127.0.0.9"))
         local other = assert(listener:accept(2000))
         local from, from_port = other:getpeername()
         assert.equal("127.0.0.9", from)
         assert.truthy(from_port > 1023, from_port)
         sock:close()
         other:close()
      end
      listener:close()
   end)

   it("is that of a message", function()
      local other = peer.start [[
         local sock = accept()
         print((sock:getpeername()))
         sock:send("554 no\r\n")
      ]]
      local _, err = send(other.port, { host = "127.0.0.1", source_address = "127.0.0.8" })
      assert.equal("greeting_refused", err.kind)
      assert.equal("127.0.0.8\n", other.finish())
   end)

   it("has a family, and only addresses of that family are tried", function()
      local v6 = socket.listen("::1", 0)
      if not v6 then return end
      local _, port = v6:getsockname()
      local sock = socket.new()
      sock:settimeouts(2000, 2000, 2000)
      assert(sock:connect("localhost", port, "::1"))
      assert.equal("::1", (sock:getsockname()))
      local ok, why, text = socket.new():connect("localhost", port, "127.0.0.1")
      assert.same({ nil, "connect:refused" }, { ok, why })
      assert.truthy(text:find(("^127%%.0%%.0%%.1:%d: [^;]+$"):format(port)), text)
      _, why, text = socket.new():connect("127.0.0.1", port, "::1")
      assert.same({ "connect:source_address", "127.0.0.1 has no address of the family of ::1" }, { why, text })
      v6:close()
   end)

   it("that this machine does not have is an error", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local _, why, text = socket.new():connect("127.0.0.1", port, "192.0.2.7")
      assert.equal("connect:source_address", why)
      assert.truthy(text:find(("127.0.0.1:%d: "):format(port), 1, true), text)
      _, why, text = socket.new():connect("127.0.0.1", port, "here")
      assert.same({ "connect:source_address", "the source address here is not an IP address" }, { why, text })
      _, why, text = socket.new():connect("127.0.0.1", port, ("1"):rep(64))
      assert.equal("connect:source_address", why)
      assert.truthy(text:find("^the source address"), text)
      listener:close()
   end)
end)

-- A listener whose queue is full: an attempt there hangs. -> it, its port, what fills the queue
local function full_listener()
   local listener, kept = assert(socket.listen("127.0.0.1", 0, 4)), {}
   local _, port = listener:getsockname()
   repeat
      kept[#kept + 1] = socket.new()
      kept[#kept]:settimeouts(200, 200, 200)
   until not kept[#kept]:connect("127.0.0.1", port)
   kept[#kept]:close()
   return listener, port, kept
end

describe("an attempt that hangs", function()
   it("fails as soon as it is refused after all", function()
      local listener, port = full_listener()
      local sock = socket.new()
      sock:nonblocking(true)
      sock:settimeouts(20000, 1, 1)
      assert.equal("again", (select(2, sock:connect("127.0.0.1", port))))
      listener:close() -- the system tries again after a second
      local ok, why, text
      local began = core.now()
      repeat
         socket.wait({ sock }, 15000)
         ok, why, text = sock:connect("127.0.0.1", port)
      until why ~= "again"
      assert.same({ nil, "connect:refused" }, { ok, why })
      assert.truthy(text:find(("^127%%.0%%.0%%.1:%d: [^;]+$"):format(port)), text)
      assert.truthy(core.now() - began < 12)
   end)

   it("is waited for until there is room, and the socket waits then as any other", function()
      local listener, port = full_listener()
      local ok, why
      local sock = socket.new()
      sock:nonblocking(true)
      sock:settimeouts(20000, 100, 100)
      assert.equal("again", (select(2, sock:connect("127.0.0.1", port))))
      repeat
         local other = listener:accept(0)
      until not other
      local began = core.now()
      repeat
         socket.wait({ sock }, 15000)
         ok, why = sock:connect("127.0.0.1", port)
      until why ~= "again"
      assert.truthy(ok, why)
      assert.truthy(core.now() - began < 12)
      sock:nonblocking(false)
      began = core.now()
      assert.equal("timeout", (select(2, sock:receiveany(1))))
      assert.truthy(core.now() - began >= 0.1)
      listener:close()
   end)

   it("is followed by the next after a quarter of a second, whoever waits", function()
      local listener, port = full_listener()
      local v6 = socket.listen("::1", port)
      if not v6 then return end
      for _, nonblocking in ipairs { false, true } do
         local ok, why
         local sock = socket.new()
         sock:nonblocking(nonblocking)
         sock:settimeouts(20000, 1, 1)
         local began = core.now()
         repeat
            ok, why = sock:connect("localhost", port)
            if why == "again" then socket.wait({ sock }, 15000) end
         until why ~= "again"
         local took = core.now() - began
         assert.truthy(ok, why)
         assert.equal("::1", (sock:getpeername()))
         assert.truthy(took >= 0.25 and took < 10, took)
      end
      v6:close()
      listener:close()
   end)

   it("ends in time, and says where there was no answer, and what failed before", function()
      local listener, port = full_listener()
      local v6 = socket.listen("::1", port)
      if v6 then v6:close() end
      for _, nonblocking in ipairs { false, true } do
         local _, why, text
         local sock = socket.new()
         sock:nonblocking(nonblocking)
         sock:settimeouts(500, 1, 1)
         local began = core.now()
         repeat
            _, why, text = sock:connect("localhost", port)
            if why == "again" then socket.wait({ sock }, 15000) end
         until why ~= "again"
         local took = core.now() - began
         assert.equal("timeout", why)
         assert.truthy(took >= 0.5 and took < 10, took)
         assert.truthy(text:find(("^no answer from 127%%.0%%.0%%.1:%d"):format(port)), text)
         if v6 then assert.truthy(text:find(("; [::1]:%d: "):format(port), 1, true), text) end
      end
      listener:close()
   end)

   it("is given up for another host, port or source", function()
      local listener, port = full_listener()
      local open = socket.listen("127.0.0.1", 0)
      local other = socket.listen("127.0.0.2", port)
      local _, open_port = open:getsockname()
      for _, target in ipairs { { "127.0.0.1", open_port }, { "127.0.0.2", port },
         { "127.0.0.2", port, "127.0.0.3" } } do
         local sock = socket.new()
         sock:nonblocking(true)
         sock:settimeouts(20000, 1, 1)
         assert.equal("again", (select(2, sock:connect("127.0.0.1", port))))
         local ok, why
         repeat
            ok, why = sock:connect(target[1], target[2], target[3])
            if why == "again" then socket.wait({ sock }, 500) end
         until why ~= "again"
         assert.truthy(ok, why)
         local host, at = sock:getpeername()
         assert.same({ target[1], target[2] }, { host, at })
         if target[3] then assert.equal(target[3], (sock:getsockname())) end
      end
      local sock = socket.new() -- the same host and port, from elsewhere
      sock:nonblocking(true)
      sock:settimeouts(20000, 1, 1)
      assert.equal("again", (select(2, sock:connect("127.0.0.1", port))))
      assert.equal("connect:source_address", (select(2, sock:connect("127.0.0.1", port, "192.0.2.7"))))
      open:close()
      other:close()
      listener:close()
   end)
end)

describe("a socket that is connected", function()
   it("is not connected again", function()
      local sock = sockets.pair()
      local _, why, text = sock:connect("127.0.0.1", 25)
      assert.same({ "system", "this socket is connected already" }, { why, text })
   end)

   it("may have the descriptor 0", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write(([[
         local socket = require "smtp.socket"
         for _, nonblocking in ipairs { false, true } do
            local ok, why
            local sock = socket.new()
            sock:nonblocking(nonblocking)
            sock:settimeouts(5000, 1000, 1000)
            repeat
               ok, why = sock:connect("127.0.0.1", %d)
               if why == "again" then socket.wait({ sock }, 5000) end
            until why ~= "again"
            local pipe = io.popen "readlink /proc/$PPID/fd/0"
            print(ok, why, (pipe:read("*a"):match("^socket")))
            pipe:close()
            sock:close()
         end
      ]]):format(port))
      file:close()
      local pipe = io.popen(("%s %s <&- 2>&1"):format(peer.interpreter, name))
      assert.equal(("true\tnil\tsocket\n"):rep(2), pipe:read("*a"))
      pipe:close()
      os.remove(name)
      listener:close()
   end)
end)

describe("what has no room", function()
   it("is refused before anything is resolved", function()
      local long = ("x"):rep(1000)
      local sock = socket.new()
      assert.same({ "resolve", "a host name of 1000 bytes" }, { select(2, sock:connect(long, 25)) })
      assert.same({ "connect:source_address", "the source address is too long" },
         { select(2, socket.new():connect("127.0.0.1", 25, long)) })
   end)
end)
