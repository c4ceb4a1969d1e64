-- The real library: make test-hosts.
local fake_loops = require "spec.tools.fake_loops"

describe("smtp.loop.cqueues", function()
   it("waits by cqueues.poll, and lets go of the descriptor", function()
      local polled, cancelled, awaited = 0, 0, nil
      local receipt, err, turns = fake_loops.send("cqueues", function(loop)
         return {
            running = function() return true, true end,
            poll = function(what, seconds)
               if type(what) == "number" then return loop.sleep(what) end
               polled, awaited = polled + 1, what.pollfd
               return loop.wait(what.pollfd, what.events, seconds) and what or seconds
            end,
            cancel = function(fd)
               assert.equal(awaited, fd)
               cancelled = cancelled + 1
            end,
         }
      end)
      assert(receipt, tostring(err))
      assert.truthy(turns > 3, turns)
      assert.truthy(polled > 3)
      assert.equal(polled, cancelled)
   end)

   it("says what to do outside of a controller", function()
      local err = fake_loops.outside("cqueues", { running = function() return nil end })
      assert.equal("usage", err.kind)
      assert.equal("loop", err.option)
      assert.truthy(err.hint:find("queue:wrap", 1, true))
   end)
end)
