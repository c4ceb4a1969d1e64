--- Send mail; every failure is returned as nil, err. No function of this module raises.
-- @module smtp.safe

local environment = require "smtp.runtime.environment"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"

---@type smtp.SafeModule
local safe = { _VERSION = "1.0.0" }

for name, class in pairs(errors.classes) do safe[name] = class end

-- A function of a module that is loaded with the first call of it.
local function late(name, call)
   local load, module = system.loader(name), nil
   return function(...)
      if not module then
         local err
         module, err = load()
         if not module then return nil, err end
      end
      return module[call](...)
   end
end

local send, defer = late("smtp.client.single", "send"), late("smtp.client.single", "defer")
local send_many, connect = late("smtp.client.many", "send"), late("smtp.client.connection", "open")
local probe, new_message = late("smtp.client.probe", "run"), late("smtp.message", "new")
local new_sink = late("smtp.sink", "new")
local new_outbox, new_redis = late("smtp.outbox", "new"), late("smtp.outbox.redis", "new")

--- Send one message over a connection of its own, or with `keepalive` over one that was kept.
---@param t smtp.Options
---@return smtp.Receipt?
---@return smtp.Error?
function safe.send(t)
   return send(t)
end

--- Send many messages over few connections: see smtp.client.many.
---@param t smtp.ConnectionOptions
---@param messages smtp.Messages
---@param settings? smtp.ManySettings
---@return smtp.Summary?
---@return smtp.Error?
function safe.send_many(t, messages, settings)
   return send_many(t, messages, settings)
end

--- In nginx: send after this, from any phase that has timers. Everything is checked and composed
-- now; failures later go to the error log, and to the callback.
---@param t smtp.Options
---@param callback? smtp.DeferCallback
---@return smtp.Deferred?
---@return smtp.Error?
function safe.defer(t, callback)
   return defer(t, callback)
end

--- Connect, greet, start TLS and authenticate as the options say.
---@param t smtp.ConnectionOptions
---@return smtp.SafeConnection?
---@return smtp.Error?
function safe.connect(t)
   return connect(t)
end

--- What does this server offer? Sends no mail; see smtp.client.probe.
---@param t smtp.ConnectionOptions
---@return smtp.Report?
---@return smtp.Error?
function safe.probe(t)
   return probe(t)
end

--- The composer alone: see smtp.message.
---@param t smtp.MessageOptions
---@return smtp.Message?
---@return smtp.Error?
function safe.message(t)
   return new_message(t)
end

--- A small receiving server for demos and tests: see smtp.sink.
---@param t? smtp.SinkOptions
---@return smtp.Sink?
---@return smtp.Error?
function safe.sink(t)
   return new_sink(t)
end

--- An outbox: messages that are delivered even if this process ends. See smtp.outbox.
---@param t smtp.OutboxOptions
---@return smtp.SafeOutbox?
---@return smtp.Error?
function safe.outbox(t)
   return new_outbox(t)
end

-- smtp:send{…} gives the module in the place of the options.
safe.modules = { [safe] = true }

local function needs_dot(name)
   return errors.usage("options", ("call smtp.%s with a dot, not with a colon"):format(name),
      ("Write smtp.%s(…)"):format(name))
end

local arguments = { send = 1, send_many = 3, defer = 2, connect = 1, probe = 1, message = 1,
   sink = 1, outbox = 1 }

local function checked(name, count, run)
   return function(a, b, c)
      if safe.modules[a] then return nil, needs_dot(name) end
      if b ~= nil and count == 1 then
         return nil, errors.usage("options", ("smtp.%s takes one table, but got two arguments")
            :format(name), "Write all options into one table")
      end
      return run(a, b, c)
   end
end

for name, count in next, arguments do
   safe[name] = checked(name, count, errors.guarded(safe[name]))
end

local open_outbox = safe.outbox

safe.outbox = setmetatable({}, { __call = function(_, ...) return open_outbox(...) end })
safe.modules[safe.outbox] = true

--- A store of an outbox that is in Redis: see smtp.outbox.redis.
---@param t smtp.RedisStoreOptions
---@return table? store
---@return smtp.Error?
safe.outbox.redis = checked("outbox.redis", 1, errors.guarded(function(t)
   return new_redis(t)
end))

--- Is it an error of ours, and of this class? See smtp.errors. A class that is given and does not
-- exist is a mistake: with a misspelt name, every error would seem to be of that class.
---@param value any
---@param ... table|string   the class
---@return boolean?
---@return smtp.Error?
function safe.is_error(value, ...)
   local class = ...
   if safe.modules[value] and class ~= nil then return nil, needs_dot "is_error" end
   if select("#", ...) > 0 and not errors.class(class) then
      return nil, errors.usage("class", ("smtp.is_error got %s as the class of an error"):format(
         type(class) == "string" and ("%q"):format(class) or "a " .. type(class)),
         'Give a class such as smtp.AuthError, or its name, such as "auth"; is it spelt correctly?')
   end
   return errors.is(value, class)
end

-- A worker of nginx that reads a file keeps all its requests waiting.
if environment.is_nginx() then system.load_late() end

return safe
