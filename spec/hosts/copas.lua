-- The measurements in Debian's copas, which has no timers: the program that calls copas.step has them.

local copas = require "copas"
local core = require "smtp.core"
local measure = require "spec.hosts.measure"

local timers, is_over = {}, false

local function call_due()
   local due, rest = {}, {}
   for _, timer in ipairs(timers) do
      local list = timer.at <= core.now() and due or rest
      list[#list + 1] = timer
   end
   timers = rest
   for _, timer in ipairs(due) do timer.fn() end
   local seconds = 0.1
   for _, timer in ipairs(timers) do seconds = math.min(seconds, timer.at - core.now()) end
   return math.max(0, seconds)
end

measure.all {
   loop = "copas",
   spawn = function(fn) copas.addthread(fn) end,
   after = function(seconds, fn) timers[#timers + 1] = { at = core.now() + seconds, fn = fn } end,
   run = function(main)
      main(function() is_over = true end)
      while not is_over do copas.step(call_due()) end
   end,
}
