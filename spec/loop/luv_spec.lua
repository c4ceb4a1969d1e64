-- The real library: make test-hosts.
local fake_loops = require "spec.tools.fake_loops"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"

-- Handles that call back once, unless they were closed before.
local function luv_on(loop, open)
   local Handle = {}
   Handle.__index = Handle
   function Handle:start(a, b, c)
      loop.spawn(function()
         if self.fd then loop.wait(self.fd, a, 60) else loop.sleep(a / 1000) end
         if not self.closed then (c or b)() end
      end)
   end
   function Handle:close()
      assert.is_nil(self.closed)
      self.closed, open.count = true, open.count - 1
   end
   local function new(fd)
      open.count = open.count + 1
      return setmetatable({ fd = fd }, Handle)
   end
   loop.is_open = true
   return { new_timer = new, new_poll = new }
end

describe("smtp.loop.luv", function()
   it("waits by a poll and a timer, and closes both", function()
      local open = { count = 0 }
      local receipt, err, turns = fake_loops.send("luv", function(loop) return luv_on(loop, open) end)
      assert(receipt, tostring(err))
      assert.truthy(turns > 3, turns)
      assert.equal(0, open.count)
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

   it("says what to do outside of a coroutine", function()
      local thread, is_main = coroutine.running()
      if thread and not is_main then return end -- inside nginx
      local err = fake_loops.outside("luv", {})
      assert.equal("usage", err.kind)
      assert.truthy(err.hint:find("coroutine.wrap", 1, true))
   end)
end)
