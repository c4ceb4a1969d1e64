--- The Redis store: see smtp.outbox.store for what each method does. Many machines may use it.
--
--    local store = smtp.outbox.redis { connect = function() return client end, prefix = "mail" }
--
-- The module itself can be called as well; like its function `new`, it returns nil and an error.
--
-- @module smtp.outbox.redis

require "smtp.ground.modules"
local check = require "smtp.options.check"
local delivery = require "smtp.outbox.redis_delivery"
local errors = require "smtp.errors"
local link = require "smtp.outbox.redis_link"
local put = require "smtp.outbox.redis_put"
local questions = require "smtp.outbox.redis_questions"

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

local FORM = "Write smtp.outbox.redis { connect = function() … return client end, "
   .. 'prefix = "mail" }'
local PREFIX_LEN_MAX = 100
local names = { "connect", "prefix", "replicas", "replicas_timeout", "on_warning" }

local function is_between(value, min, max)
   return value == nil or type(value) == "number" and value >= min and value <= max
end

local function check_replicas(count, seconds)
   if not is_between(count, 0, 100) or count and count % 1 ~= 0 then
      check.refuse_value("replicas", "an integer from 0 to 100", count, "Write replicas = 1")
   elseif not is_between(seconds, 0.001, 3600) then
      check.refuse_value("replicas_timeout", "seconds, from 0.001 to 3600", seconds,
         "Write replicas_timeout = 1")
   end
end

local function check_prefix(value)
   if type(value) ~= "string" or value == "" or #value > PREFIX_LEN_MAX
      or value:find "[^A-Za-z0-9_.:-]" then
      check.refuse_value("prefix", "1 to 100 letters, digits and _ . : -", value, FORM)
   end
end

--- Make a store. It connects when it is used.
---@param options smtp.RedisStoreOptions
---@return table|nil store
---@return table|nil err   UsageError
local function new(options)
   if type(options) ~= "table" then
      check.refuse_value("options", "a table", options, FORM)
   end
   options = check.copy(options)
   check.names(options, names, nil, nil, "outbox")
   if options.connect == nil then check.refuse_value("connect", "a function", nil, FORM) end
   check.is_type("connect", options.connect, "function", FORM)
   check_prefix(options.prefix)
   check.is_type("on_warning", options.on_warning, "function")
   check_replicas(options.replicas, options.replicas_timeout)
   return setmetatable({ prefix = options.prefix,
      link = link.new { connect = options.connect, on_warning = options.on_warning,
         replicas = options.replicas or 0, replicas_timeout = options.replicas_timeout or 1 },
      newest = 0,                                          -- number of a message that was put
      newest_keys = {},                                    -- those of the newest outbox
      steps = setmetatable({}, { __mode = "k" }) }, Store) -- names of results
end

new = errors.returning(new)

return setmetatable({ new = new }, { __call = function(_, options) return new(options) end })
