--- When a message is sent again: the option `retry`.
-- @module smtp.outbox.retry

local check = require "smtp.options.check"
local refuse = require("smtp.errors").refuse

local retry = {}

local MINUTE, HOUR, DAY = 60, 3600, 86400
local JITTER = 0.1       -- of each delay: messages that failed together do not come back together
local SECONDS_MAX = 365 * DAY

local default = { after = { MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR },
   give_up = 4 * DAY }

local FORM = "Write retry = { after = { 60, 300, 900 }, give_up = 345600 }"

local function check_seconds(option, value)
   if type(value) == "number" and value > 0 and value <= SECONDS_MAX and value % 1 == 0 then
      return value
   end
   check.refuse_value(option, "a whole number of seconds, at most a year", value, FORM)
end

--- Read the option. Raises a UsageError.
---@param option? table   after = a list of seconds, the last one repeats; give_up = seconds
---@return table          with both
function retry.read(option)
   if option == nil then return default end
   check.is_type("retry", option, "table", FORM)
   option = check.plain(option)
   check.names(option, { "after", "give_up" }, "retry", nil, "retry")
   local after = default.after
   if option.after ~= nil then
      check.is_type("retry.after", option.after, "table", FORM)
      check.is_list(option.after, "retry.after", FORM)
      if #option.after == 0 then refuse("retry.after", "retry.after is empty", FORM) end
      after = {}
      for i = 1, #option.after do after[i] = check_seconds("retry.after", option.after[i]) end
   end
   local give_up = option.give_up
   return { after = after, give_up = give_up == nil and default.give_up
      or check_seconds("retry.give_up", give_up) }
end

-- From 0 to 1, the same for the same message and attempt, on every machine.
local function fraction(id, attempts)
   local sum = attempts * 7919
   for i = 1, #id do sum = (sum * 31 + id:byte(i)) % 1000003 end
   return sum * 65521 % 1000003 / 1000003
end

--- Seconds until the next attempt.
---@param policy table     from retry.read
---@param id string        of the message
---@param attempts integer how many there were, at least 1
---@return integer
function retry.delay(policy, id, attempts)
   local seconds = policy.after[math.min(attempts, #policy.after)]
   return math.floor(seconds * (1 + JITTER * fraction(id, attempts)) + 0.5)
end

return retry
