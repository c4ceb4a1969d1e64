--- Send mail. Failures are raised as error objects; smtp.safe returns them.
--
--    local receipt = smtp.send { host = "mail.example.org", username = "ann", password = secret,
--       from = "ann@example.org", to = "bob@example.net", subject = "Hello", text = "Hi Bob" }
--
-- @module smtp

local environment = require "smtp.runtime.environment"
local errors = require "smtp.errors"
local safe = require "smtp.safe"

---@type smtp.Module
local smtp = { _VERSION = safe._VERSION }
safe.modules[smtp] = true

for name, class in pairs(errors.classes) do smtp[name] = class end

-- Raised here, at the outermost call, and nowhere else. nginx reports an uncaught error that is a
-- table as "unknown reason", so that the line goes to its log here.
local function raise(result, err)
   if result ~= nil then return result end
   local ngx = environment.is_nginx() and package.loaded.ngx
   if ngx and ngx.log then ngx.log(ngx.ERR, tostring(err)) end
   error(err, 0)
end

--- Is it an error of ours, and of this class? See smtp.errors.
---@param value any
---@param ... table|string   the class: smtp.AuthUnsupportedError or "auth_unsupported"
---@return boolean
function smtp.is_error(value, ...)
   return raise(safe.is_error(value, ...))
end

--- Send one message over a connection of its own, or with `keepalive` over one that was kept.
---@param options smtp.Options
---@return smtp.Receipt
function smtp.send(options)
   return raise(safe.send(options))
end

--- Send many messages over few connections; errors of single messages are among the results.
---@param options smtp.ConnectionOptions   where and how
---@param messages smtp.Messages   what
---@param settings? smtp.ManySettings
---@return smtp.Summary
function smtp.send_many(options, messages, settings)
   return raise(safe.send_many(options, messages, settings))
end

--- In nginx: send after the request; see smtp.safe.
---@param options smtp.Options
---@param callback? smtp.DeferCallback
---@return smtp.Deferred
function smtp.defer(options, callback)
   return raise(safe.defer(options, callback))
end

--- What does this server offer? Sends no mail; see smtp.probe.
---@param options smtp.ConnectionOptions
---@return smtp.Report
function smtp.probe(options)
   return raise(safe.probe(options))
end

--- The composer alone: see smtp.message.
---@param options smtp.MessageOptions
---@return smtp.Message
function smtp.message(options)
   return raise(safe.message(options))
end

--- A small receiving server for demos and tests: see smtp.sink.
---@param options? smtp.SinkOptions
---@return smtp.Sink
function smtp.sink(options)
   return raise(safe.sink(options))
end

-- The methods of an outbox, which raise what those of smtp.safe's return.
local Outbox = {}

local outbox_mt = { __name = "smtp.Outbox" }

function outbox_mt.__index(self, name)
   if not Outbox[name] and type(self.safe[name]) == "function" then
      Outbox[name] = function(box, ...)
         local own = getmetatable(box) == outbox_mt and box.safe
         local result, err = (own or self.safe)[name](own, ...)
         if err == nil then return result end
         return raise(result, err)
      end
   end
   return Outbox[name]
end

--- An outbox: messages that are delivered even if this process ends.
---@param options smtp.OutboxOptions
---@return smtp.Outbox
function smtp.outbox(options)
   return setmetatable({ safe = raise(safe.outbox(options)) }, outbox_mt)
end

local new_outbox = smtp.outbox
smtp.outbox = setmetatable({}, { __call = function(_, options) return new_outbox(options) end })
safe.modules[smtp.outbox] = true

--- A store of an outbox that is in Redis: see smtp.outbox.redis.
---@param options smtp.RedisStoreOptions
---@return table store
function smtp.outbox.redis(options)
   return raise(safe.outbox.redis(options))
end

-- The methods of connections, which raise what those of smtp.safe's return. Their module is loaded
-- with the first connection.
local Connection, connection_mt = {}, nil

local function class_of(safe_mt)
   local mt = { __name = "smtp.Connection", __tostring = safe_mt.__tostring,
      __close = safe_mt.__close }
   function mt.__index(self, name)
      local method = Connection[name]
      if method then return method end
      local value = safe_mt.__index(self, name)
      if type(value) ~= "function" then return value end
      Connection[name] = function(conn, argument)
         local result, err = value(conn, argument)
         if result ~= nil then return result end
         return raise(nil, err)
      end
      return Connection[name]
   end
   return mt
end

--- Connect once, send many.
---@param options smtp.ConnectionOptions
---@return smtp.Connection
function smtp.connect(options)
   local conn = raise(safe.connect(options))
   connection_mt = connection_mt or class_of(getmetatable(conn))
   return setmetatable(conn, connection_mt)
end

return smtp
