-- The Redis store, with a real server.
local contract = require "spec.tools.store_contract"
local servers = require "spec.live.redis_servers"

describe("The Redis store", function()
   local server, store
   setup(function() server = servers.start() end)
   teardown(function() server:remove() end)
   after_each(function()
      store:close()
      server:command "flushall"
   end)

   contract.describe(function()
      store = server:store "mail"
      return store
   end)
end)
