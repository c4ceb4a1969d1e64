local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local send = sockets.send

describe("a connection", function()
   it("that nobody takes is refused", function()
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
         assert(drive("sslhandshake", nil, nil, false, socket.tls_context { verify = false }))
         assert.equal("hi", (drive("receiveany", 10)))
         assert.truthy(again >= 2, again)
         sock:close()
         other.finish()
      end
   end)
end)

describe("time", function()
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
end)
