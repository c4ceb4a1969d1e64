-- The measurements in Prosody.

local async = require "util.async"
local measure = require "spec.hosts.measure"
local timer = require "util.timer"

measure.all {
   loop = module:require "smtp_loop",
   spawn = function(fn) async.runner(fn):run(true) end,
   after = function(seconds, fn)
      timer.add_task(math.max(0, seconds), function() fn() end)
   end,
   run = function(main) main(function() os.exit(0) end) end,
}
