-- The real library: make test-hosts.
local fake_loops = require "spec.tools.fake_loops"

describe("smtp.loop.copas", function()
   it("waits by copas.receive", function()
      local receipt, err, turns = fake_loops.send("copas", function(loop)
         return { receive = function(client, pattern)
            assert.is_false(client:dirty())
            while not client:receive(pattern) do loop.wait(client:getfd(), "r", 60) end
         end }
      end)
      assert(receipt, tostring(err))
      assert.truthy(turns > 3, turns)
   end)

   it("says what to do outside of a thread", function()
      local thread, is_main = coroutine.running()
      if thread and not is_main then return end
      local err = fake_loops.outside("copas", {})
      assert.equal("usage", err.kind)
      assert.truthy(err.hint:find("copas.addthread", 1, true))
   end)
end)
