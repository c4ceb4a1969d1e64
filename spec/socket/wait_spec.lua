local core = require "smtp.core"
local peer = require "spec.tools.peer"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local pair = sockets.pair

describe("a connection", function()
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
         print(#kept > 1023, sock:receiveany(10))]]))
      local said = pipe:read("*a")
      pipe:close()
      assert.equal("true\thi\n", said)
   end)
end)

describe("a wait that is interrupted", function()
   it("ends at once on Ctrl-C", function()
      local other = peer.start "local sock = accept() sock:receiveany(1)"
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write(('io.stdout:setvbuf("no") print(1) require("smtp").send { host = "localhost", port = %d, '
         .. 'from = "a@b", to = "c@d", text = "" }'):format(other.port))
      file:close()
      local started = core.now()
      -- Linux shows an established connection by the port of its other end, and 01.
      local pipe = io.popen(("bash -c 'setsid env %s %s & P=$!; until grep -q :%04X.01 /proc/net/tcp /proc/net/tcp6; "
         .. "do sleep 0.02; done; sleep 0.2; kill -INT $P; wait $P' 2>&1"):format(peer.interpreter, name, other.port))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      other.finish()
      assert.truthy(core.now() - started < 30, said)
      assert.truthy(said:find("interrupted!", 1, true), said)
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
         assert.truthy(took >= ms and took < ms + 20000, took)
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

   it("sends no more at once than others can wait for", function()
      local sock = pair()
      sock:nonblocking(true)
      sock:settimeouts(10000, 10000, 10000)
      local count, why, _, partly = sock:send(("x"):rep(33554432))
      assert.is_nil(count)
      assert.equal("again", why)
      assert.truthy(partly <= 262144, partly)
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
