-- A large message goes through an outbox in pieces. LARGE=1024 takes one of 1 GiB.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter

local MEBIBYTES = tonumber(os.getenv "LARGE" or 40)
local MEMORY = 25 -- MiB, whatever the size

describe("An outbox", function()
   it("never has a large message in memory", function()
      local store = os.tmpname()
      os.remove(store)
      local said = command.run(("%s spec/live/outbox_large.lua %s %d; rm -f %s*"):format(interpreter, store, MEBIBYTES,
         store))
      local got, memory = said:match "^(%d+) (%d+)\n$"
      assert.equal(MEBIBYTES * 1048576 + 3, tonumber(got), said)
      assert.is_true(tonumber(memory) <= MEMORY, memory .. " MiB")
   end)
end)
