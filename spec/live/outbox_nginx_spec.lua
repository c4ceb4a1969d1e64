-- Messages that handlers of nginx put into an outbox, under load, while workers end: each arrives once.
-- spec/live/outbox_nginx.py says what it does, and can go on for longer.
local command = require "spec.tools.command"

local cases = { { "sqlite", "kill", "a worker is killed" }, { "sqlite", "quit", "nginx is stopped and started" },
   { "redis", "kill", "the worker that delivers is killed" }, { "redis", "hup", "nginx gets a new configuration" } }

describe("An outbox in nginx loses nothing, and sends nothing twice, when", function()
   for _, case in ipairs(cases) do
      local store, name, event = case[1], case[2], case[3]
      it(("%s: %s"):format(event, store), function()
         local said = command.run(("python3 spec/live/outbox_nginx.py %s %s 1.5"):format(store, name))
         local accepted = said:match(("^%s %s: (%%d+) accepted, %%d+ arrived, 0 lost, 0 twice, "):format(store, name))
         assert.truthy(tonumber(accepted) and tonumber(accepted) > 0, said)
      end)
   end
end)
