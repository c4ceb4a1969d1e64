-- Runners of an outbox that are killed or stopped, against a server that writes down what arrived.
-- spec/live/outbox_crash.lua says what must hold, and can do this for as long as is wanted.
local command = require "spec.tools.command"

local function survives(words)
   local said = command.run("lua5.4 spec/live/outbox_crash.lua " .. words)
   local cases, sent = said:match("^(%d+) cases, (%d+) sent, %d+ failed, %d+ in doubt %(%d+ of these had arrived%)\n$")
   assert.truthy(cases, said)
   return tonumber(cases), tonumber(sent)
end

describe("An outbox sends nothing twice, and loses nothing, when its runner", function()
   it("is killed before and after each call of the store", function()
      assert.is_true(survives "calls safe 100" > 30)
      assert.equal(16, (survives "calls eager 8"))
   end)

   it("is killed at some moment", function()
      assert.equal(8, (survives "times safe 8"))
      assert.equal(8, (survives "times eager 8"))
   end)

   it("is stopped for longer than its lease, and goes on", function()
      local cases, sent = survives "stops safe 5"
      assert.equal(10, cases)
      assert.equal(10 * 7, sent)
   end)
end)
