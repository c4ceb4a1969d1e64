local core = require "smtp.core"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local function waiting_pair()
   local sock, other = sockets.pair()
   sock:nonblocking(true)
   sock:settimeouts(5000, 5000, 5000)
   assert.equal("again", (select(2, sock:receiveany(10))))
   return sock, other
end

describe("what sockets wait for", function()
   it("is nothing where there is none", function()
      assert.is_nil(socket.awaited {})
   end)

   it("is the descriptor of one, what for, and until when", function()
      local sock = waiting_pair()
      local seconds, count, fd, events = socket.awaited { sock }
      assert.truthy(seconds > 4 and seconds <= 5.001, seconds)
      assert.equal(1, count)
      assert.equal("number", type(fd))
      assert.equal("r", events)
   end)

   it("is a number of several, and the first time", function()
      local sock, _, other = waiting_pair(), nil, waiting_pair()
      other:settimeouts(1000, 1000, 1000)
      other:receiveany(10)
      local seconds, count, fd = socket.awaited { sock, other }
      assert.truthy(seconds <= 1.001, seconds)
      assert.equal(2, count)
      assert.is_nil(fd)
   end)
end)

describe("a poller", function()
   it("is readable once one of its sockets can go on", function()
      local poller = socket.poller()
      local sock, other = waiting_pair()
      local silent = waiting_pair()
      assert.is_true(poller:watch(sock))
      assert.is_true(poller:watch(silent))
      assert.same({}, poller:wait(0))
      other:send("hi")
      assert.same({ (select(3, socket.awaited { sock })) }, poller:wait(5))
      assert.same({}, poller:wait(0)) -- once
      assert.is_true(poller:watch(sock))
      assert.equal(1, #poller:wait(5))
      poller:close()
      assert.equal(-1, poller:fd())
      assert.is_false(poller:watch(sock))
   end)

   it("can itself be watched, and has an alarm", function()
      local inner, outer = socket.poller(), socket.poller()
      local began = core.now()
      assert.is_true(inner:alarm(0.05))
      assert.is_true(outer:add(inner:fd(), "r"))
      assert.same({ inner:fd() }, outer:wait(10))
      assert.truthy(core.now() - began >= 0.05)
      assert.is_true(inner:alarm(0))
      assert.is_true(outer:add(inner:fd(), "r"))
      assert.equal(1, #outer:wait(10))
   end)

   it("reports all of many", function()
      local poller, list = socket.poller(), {}
      for i = 1, 70 do
         local sock, other = waiting_pair()
         poller:watch(sock)
         other:send("x")
         list[i] = { sock, other }
      end
      local count = #list - 70
      while count < 70 do
         local fds = poller:wait(5)
         assert.truthy(#fds > 0)
         count = count + #fds
      end
      assert.equal(70, count)
   end)

   it("takes only what it can watch", function()
      local poller = socket.poller()
      assert.has_error(function() poller:add(-1, "r") end)
      assert.has_error(function() poller:watch(1) end)
      assert.is_false(poller:add(1000000, "r"))
   end)
end)
