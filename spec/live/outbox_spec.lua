-- Runners of an outbox that are killed at random moments, against a server that writes down what
-- arrived. spec/live/outbox_crash.lua says what must hold, and can go on for longer.
local command = require "spec.tools.command"

describe("An outbox sends nothing twice, and loses nothing, when its runner", function()
   for _, pipelining in ipairs { "safe", "eager" } do
      it("is killed at some moment, pipelining = " .. pipelining, function()
         local said = command.run(("lua5.4 spec/live/outbox_crash.lua %s 8"):format(pipelining))
         assert.matches("^8 cases, %d+ sent, %d+ failed, %d+ in doubt %(%d+ of these had arrived%)\n$", said)
      end)
   end
end)
