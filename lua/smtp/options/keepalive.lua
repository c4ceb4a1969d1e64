--- Check of the option keepalive.
-- @module smtp.options.keepalive

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local refuse = require("smtp.errors").refuse

local keepalive = {}

local KEPT_SECONDS, KEPT_MAX = 60, 32 -- the defaults of idle and size

local FORM = "Write keepalive = { idle = 60, size = 32 }"
local bound_names = { "idle", "size" }

local function bounds(value)
   check.names(value, bound_names, "keepalive", nil, "keepalive")
   local idle = ascii.number(value.idle or KEPT_SECONDS)
   local size = ascii.number(value.size or KEPT_MAX)
   if idle and idle > 0 and idle <= 86400 and size and size > 0 and size <= 10000
      and size % 1 == 0 then
      return { idle = idle, size = size }
   end
   refuse("keepalive", "keepalive needs seconds up to a day, and a number of connections from 1 to "
      .. "10,000", FORM)
end

--- Check the option, and complete it: { idle = seconds, size = connections }. A mechanism of the
-- caller's own does not show which user the connection belongs to. Raises a UsageError.
---@param t smtp.Server   with its mechanisms
function keepalive.check(t)
   if type(t.keepalive) ~= "table" then
      check.refuse_value("keepalive", "a table", t.keepalive, FORM)
   elseif t.transport then
      refuse("keepalive", "keepalive has no effect on a connection of your transport",
         "Remove keepalive, or transport")
   end
   for i = 1, #t.mechanisms do
      if t.mechanisms[i].object then
         refuse("keepalive", "connections with a mechanism of your own cannot be kept",
            "Remove keepalive, or use smtp.connect")
      end
   end
   t.keepalive = bounds(t.keepalive)
end

return keepalive
