--- The Redis store: see smtp.outbox.store for what each method does. Many machines may use it.
--
--    local redis = require "smtp.outbox.redis"
--    local store = assert(redis.new { connect = function() return client end, prefix = "mail" })
--
-- @module smtp.outbox.redis

require "smtp.ground.modules"
local check = require "smtp.options.check"
local delivery = require "smtp.outbox.redis_delivery"
local errors = require "smtp.errors"
local link = require "smtp.outbox.redis_link"
local put = require "smtp.outbox.redis_put"
local questions = require "smtp.outbox.redis_questions"

---@class smtp.RedisStore
local Store = { __name = "smtp.RedisStore" }
Store.__index = Store

for _, methods in ipairs { put, delivery, questions } do
   for name, method in next, methods do Store[name] = method end
end

function Store:close()
   link.close(self.link)
   return true
end

-- ---- options ----

local FORM = 'Write redis.new { connect = function() … return client end, prefix = "mail" }'
local PREFIX_LEN_MAX = 100
local names = { "connect", "prefix", "replicas", "replicas_timeout", "on_warning" }

local function check_number(option, value, min, max, hint)
   if value == nil or type(value) == "number" and value >= min and value <= max then return end
   check.refuse_value(option, ("a number from %g to %g"):format(min, max), value, hint)
end

local function check_prefix(value)
   if type(value) ~= "string" or value == "" or #value > PREFIX_LEN_MAX
      or value:find "[^A-Za-z0-9_.:-]" then
      check.refuse_value("prefix", "1 to 100 letters, digits and _ . : -", value, FORM)
   end
end

--- Make a store. It connects when it is used.
---@param options smtp.RedisStoreOptions
---@return smtp.RedisStore|nil
---@return table|nil err   UsageError
local function new(options)
   if type(options) ~= "table" then
      check.refuse_value("options", "a table", options, FORM)
   end
   check.names(options, names, nil, nil, "outbox")
   if options.connect == nil then check.refuse_value("connect", "a function", nil, FORM) end
   check.is_type("connect", options.connect, "function", FORM)
   check_prefix(options.prefix)
   check.is_type("on_warning", options.on_warning, "function")
   check_number("replicas", options.replicas, 0, 100, "Write replicas = 1")
   check_number("replicas_timeout", options.replicas_timeout, 0.001, 3600, "Write 1, in seconds")
   return setmetatable({ prefix = options.prefix,
      link = link.new { connect = options.connect, on_warning = options.on_warning,
         replicas = options.replicas or 0, replicas_timeout = options.replicas_timeout or 1 },
      newest = 0,                                          -- number of a message that was put
      steps = setmetatable({}, { __mode = "k" }) }, Store) -- names of results
end

return { new = errors.returning(new) }
