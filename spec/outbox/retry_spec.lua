-- When a message is sent again.
local retry = require "smtp.outbox.retry"

local function refused(option)
   local ok, err = pcall(retry.read, option)
   assert.is_false(ok)
   assert.equal("usage", err.kind)
   return err
end

describe("retry", function()
   it("follows the schedule, with up to a tenth more", function()
      local policy = retry.read(nil)
      for attempts, seconds in ipairs { 60, 300, 900, 3600, 10800, 10800, 10800 } do
         for _, id in ipairs { "a", "b", "order-7" } do
            local delay = retry.delay(policy, id, attempts)
            assert.is_true(delay >= seconds and delay <= seconds * 1.1 + 1)
         end
      end
      assert.equal(345600, policy.give_up)
   end)

   it("does not bring messages back together that failed together", function()
      local policy, seen, count = retry.read(nil), {}, 0
      for i = 1, 100 do
         local delay = retry.delay(policy, "message-" .. i, 4)
         if not seen[delay] then seen[delay], count = true, count + 1 end
      end
      assert.is_true(count > 50)
   end)

   it("takes a schedule of the caller's", function()
      local policy = retry.read { after = { 10, 20 }, give_up = 100 }
      assert.same({ { 10, 20 }, 100 }, { policy.after, policy.give_up })
      assert.is_true(retry.delay(policy, "a", 9) >= 20)
      assert.equal(60, retry.read { give_up = 100 }.after[1])
   end)

   it("refuses what is not a schedule", function()
      assert.equal("retry", refused(5).option)
      assert.matches("give_up", refused { giveup = 5 }.hint)
      assert.equal("retry.after", refused { after = {} }.option)
      assert.equal("retry.after", refused { after = { 60, "soon" } }.option)
      assert.equal("retry.after", refused { after = { 0 } }.option)
      assert.equal("retry.give_up", refused { give_up = -1 }.option)
      assert.equal("retry.give_up", refused { give_up = 0 / 0 }.option)
   end)
end)
