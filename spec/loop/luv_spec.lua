-- The real library: make test-hosts.
local fake_loops = require "spec.tools.fake_loops"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"

-- Handles that call back once for each start, unless they are stopped.
local function luv_on(loop, active)
   local Handle = {}
   Handle.__index = Handle
   function Handle:start(a, b, c)
      local turn = {}
      self.turn, active.count = turn, active.count + 1
      loop.spawn(function()
         if self.fd then loop.wait(self.fd, a, 60) else loop.sleep(a / 1000) end
         if self.turn == turn then (c or b)() end
      end)
   end
   function Handle:stop()
      if self.turn then active.count = active.count - 1 end
      self.turn = nil
   end
   local function new(fd)
      active.made = active.made + 1
      return setmetatable({ fd = fd }, Handle)
   end
   loop.is_open = true
   return { new_timer = new, new_poll = new }
end

describe("smtp.loop.luv", function()
   it("waits by a poll and a timer, which are stopped and used again", function()
      local active = { count = 0, made = 0 }
      local receipt, err, turns = fake_loops.send("luv", function(loop) return luv_on(loop, active) end)
      assert(receipt, tostring(err))
      assert.truthy(turns > 3, turns)
      assert.equal(0, active.count)
      assert.equal(2, active.made)
   end)

   it("refuses functions that yield in send_many, which its callbacks cannot resume", function()
      local own = poll_loop.new()
      own.is_open = true
      local err
      own.run { function()
         err = select(2, safe.send_many({ host = "127.0.0.1", port = 1, tls = "skip", loop = { wait = own.wait,
            sleep = own.sleep, resumes = true } }, function() coroutine.yield() end))
      end }
      assert.equal("usage", err.kind)
      assert.truthy(tostring(err):find("yields in send_many", 1, true))
   end)

   it("does not load luv in a coroutine, which luv would run callbacks in", function()
      package.loaded.luv, package.loaded["smtp.loop.luv"] = nil, nil
      local _, err = coroutine.wrap(function()
         return safe.connect { host = "127.0.0.1", tls = "skip", loop = "luv" }
      end)()
      assert.truthy(err.what:find("first load it outside of coroutines", 1, true), err.what)
   end)

   it("says what to do outside of a coroutine", function()
      local thread, is_main = coroutine.running()
      if thread and not is_main then return end -- inside nginx
      local err = fake_loops.outside("luv", {})
      assert.equal("usage", err.kind)
      assert.truthy(err.hint:find("coroutine.wrap", 1, true))
   end)
end)
