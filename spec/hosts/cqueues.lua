-- The measurements in cqueues. BLOCKED=1: without the option of this library.

local cqueues = require "cqueues"
local measure = require "spec.hosts.measure"

local controller = cqueues.new()
local is_blocked = os.getenv "BLOCKED" ~= nil

measure.all {
   loop = not is_blocked and "cqueues" or nil,
   is_blocked = is_blocked,
   spawn = function(fn) controller:wrap(fn) end,
   after = function(seconds, fn)
      controller:wrap(function()
         cqueues.sleep(math.max(0, seconds))
         fn()
      end)
   end,
   run = function(main)
      main(function() end)
      assert(controller:loop())
   end,
}
