-- outbox:start outside nginx. spec/nginx/outbox_start_spec.lua shows what it does.
local outboxes = require "spec.tools.outboxes"

describe("outbox:start", function()
   after_each(outboxes.clean)

   it("checks its options", function()
      local box = outboxes.new().box
      for option, given in pairs { connections = { connections = 0 }, rate = { rate = "fast" }, once = { once = true },
         start = 5 } do
         local ok, err = box:start(given)
         assert.is_nil(ok)
         assert.same({ "usage", option }, { err.kind, err.option })
      end
   end)

   if not package.loaded.ngx then
      it("works in nginx alone", function()
         local ok, err = outboxes.new().box:start()
         assert.is_nil(ok)
         assert.same({ "usage", "start" }, { err.kind, err.option })
         assert.matches("outbox:run", err.hint)
      end)
   end
end)
