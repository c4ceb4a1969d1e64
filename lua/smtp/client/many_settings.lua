--- What smtp.send_many is called with, but for the options of a connection: its settings, and the
-- messages as a whole.
-- @module smtp.client.many_settings

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"

local many_settings = {}

local usage = errors.usage

local names = { "connections", "window", "rate", "per_connection", "on_result", "progress" }

local defaults = { connections = 2, window = 16, per_connection = 100 }

local maxima = { connections = 1000, window = core.limits.flight, per_connection = 1000000,
   rate = 1000000 }

local function is_count(settings, name)
   local value = settings[name]
   local whole = name == "rate" or type(value) == "number" and value % 1 == 0
   if value == nil or type(value) == "number" and value > 0 and value <= maxima[name] and whole then
      return true
   end
   return nil, usage(name, ("%s must be a number above 0, at most %d"):format(name, maxima[name]),
      nil, value)
end

--- The settings, with what the caller leaves out.
---@param given? table   connections, window, rate, per_connection, on_result, progress
---@return table|nil settings
---@return table|nil err
function many_settings.check(given)
   if given ~= nil and type(given) ~= "table" then
      return nil, usage("settings", "the settings of send_many must be a table",
         "Write { connections = 2 }")
   end
   local settings = {}
   for name, value in next, defaults do settings[name] = value end
   for name, value in next, given or {} do settings[name] = value end
   local ok, err = check.names(settings, names)
   if not ok then return nil, err end
   ok, err = check.each(is_count, settings, { "connections", "window", "rate", "per_connection" })
   if not ok then return nil, err end
   ok, err = check.is_type(settings, "on_result", "function")
   if not ok then return nil, err end
   ok, err = check.is_type(settings, "progress", "boolean")
   return ok and settings, err
end

--- Are these messages a list or a function?
---@return true|nil
---@return table|nil err
function many_settings.check_messages(messages)
   local kind = type(messages)
   if kind == "function" then return true end
   if kind == "table" then return check.is_list(messages, "messages") end
   return nil, usage("messages",
      ("messages must be a list or a function, and is a %s"):format(kind),
      "Write { { from = …, to = … }, … }; a function returns the next one, nil at the end")
end

return many_settings
