local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local message = talk.message

local function options(more, servers)
   return talk.options_to(servers, more)
end

describe("A message", function()
   local names = { "a@x.example", "b@x.example", "c@x.example", "d@x.example" }

   it("stopped by the end of a further transaction is reported with the recipients that have it", function()
      local _, err = smtp.send(options(message { to = names }, { spec_server.one_at_a_time(2) }))
      local states = talk.states(err)
      assert.equal("partly", err.sent)
      assert.equal("accepted deferred deferred deferred", states)
   end)

   it("that some recipients have is reported as such where no connection can be made for the others", function()
      local to = { "bob@there.example", "eve@there.example" }
      local all = options(message { to = to }, { spec_server.takes_one(), spec_server.unreachable() })
      local _, err = smtp.send(all)
      local summary = smtp.send_many(options({}, { spec_server.takes_one(), spec_server.unreachable() }),
         { message { to = to } }, { connections = 1 })
      for _, failure in ipairs { err, summary.results[1] } do
         assert.equal("connect", failure.kind)
         assert.equal("partly", failure.sent)
         assert.equal("accepted", failure.recipients[1].state)
         assert.equal("deferred", failure.recipients[2].state)
         assert.matches("1 of 2 recipients have it", tostring(failure))
      end
   end)
end)
