--- What smtp.send_many is called with, but for the options of a connection: its settings, and the
-- messages as a whole.
-- @module smtp.client.many_settings

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"

local many_settings = {}

local names = { "connections", "window", "rate", "per_connection", "on_result", "progress" }

local defaults = { connections = 2, window = 16, per_connection = 100 }

local maxima = { connections = 1000, window = core.limits.flight, per_connection = 1000000,
   rate = 1000000 }

local LIST_HINT = "Write { { from = …, to = … }, … }, or a function that returns the next message, "
   .. "and nil at the end"

local function check_count(settings, name)
   local value = settings[name]
   local whole = name == "rate" or type(value) == "number" and value % 1 == 0
   if value == nil or type(value) == "number" and value > 0 and value <= maxima[name] and whole then
      return
   end
   check.refuse_value(name, ("a %snumber above 0, at most %d"):format(
      name == "rate" and "" or "whole ", maxima[name]), value,
      ("Write %s = %d"):format(name, defaults[name] or 10))
end

local function read(given, messages)
   if given ~= nil and type(given) ~= "table" then
      check.refuse_value("settings", "a table, the third argument of send_many", given,
         "Write { connections = 2 }")
   end
   local settings = {}
   for name, value in next, defaults do settings[name] = value end
   for name, value in next, given or {} do settings[name] = value end
   for name in next, maxima do check_count(settings, name) end
   check.names(settings, names, nil, nil, "settings")
   check.is_type("on_result", settings.on_result, "function")
   check.is_type("progress", settings.progress, "boolean")
   if type(messages) == "table" then
      check.is_list(messages, "messages", LIST_HINT)
   elseif type(messages) ~= "function" then
      check.refuse_value("messages", "a list of messages or a function", messages, LIST_HINT)
   end
   return settings
end

--- The settings, with what the caller leaves out.
---@param given? table   connections, window, rate, per_connection, on_result, progress
---@param messages any   a list or a function
---@return table|nil settings
---@return table|nil err
function many_settings.check(given, messages)
   local ok, settings = pcall(read, given, messages)
   if ok then return settings end
   return errors.caught(settings)
end

return many_settings
