-- Messages that handlers of nginx put into an outbox, under load, while workers end: each arrives once.
-- spec/live/outbox_nginx.py says what it does, and can go on for longer.
local command = require "spec.tools.command"

describe("An outbox in nginx loses nothing, and sends nothing twice, when", function()
   for name, event in pairs { kill = "a worker is killed", hup = "nginx gets a new configuration",
      quit = "nginx is stopped and started" } do
      it(event, function()
         local said = command.run(("python3 spec/live/outbox_nginx.py %s 2"):format(name))
         local accepted = said:match("^" .. name .. ": (%d+) accepted, %d+ arrived, 0 lost, 0 twice, 0 in doubt ")
         assert.truthy(tonumber(accepted) and tonumber(accepted) > 0, said)
      end)
   end
end)
