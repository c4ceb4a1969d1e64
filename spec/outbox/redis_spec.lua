-- The Redis store, with a Redis in this process; spec/live/redis_spec.lua has real servers.
local contract = require "spec.tools.store_contract"
local redis = require "smtp.outbox.redis"
local redis_model = require "spec.tools.redis_model"

describe("The Redis store", function()
   contract.describe(function()
      return assert(redis.new { connect = redis_model.new().connect, prefix = "mail" })
   end)
end)
