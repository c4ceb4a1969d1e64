local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local message = talk.message

local function options(more, servers)
   return talk.options_to(servers, more)
end

describe("A receipt", function()
   it("shares nothing with those of other connections", function()
      local receipts = {}
      for i = 1, 2 do
         receipts[i] = assert(smtp.send(message(options({}, { spec_server.new() }))))
         for _, part in pairs(receipts[i]) do
            if type(part) == "table" then part.mine = (part.mine or 0) + 1 end
         end
      end
      for name, part in pairs(receipts[2]) do
         if type(part) == "table" then assert.equal(1, part.mine, name) end
      end
   end)
end)
