--- Waits in the event loop of Prosody 0.12 and later: the option `loop` of lua-smtp. It was tested
-- with network_backend = "epoll", the default.

local async = require "util.async"
local server = require "net.server"
local timer = require "util.timer"

local loop = {}

--- What to do where this code is not in a runner.
function loop.check()
   if async.ready() then return nil end
   return "Call it in a runner: async.runner(function() … end):run(true)"
end

--- Wait until a descriptor is ready: "r", "w" or "rw". Returns false where the time is over.
function loop.wait(fd, events, seconds)
   local wait, done = async.waiter()
   local watch, task, is_ready
   local function go_on(ready)
      if is_ready ~= nil then return end
      is_ready = ready
      watch:close()
      timer.stop(task)
      done()
   end
   local function ready() go_on(true) end
   watch = server.watchfd(fd, events:find "r" and ready, events:find "w" and ready)
   watch.onreadable, watch.onwritable = ready, ready -- after an error, a descriptor is both
   task = timer.add_task(seconds, function() go_on(false) end)
   wait()
   return is_ready
end

loop.sleep = async.sleep

return loop
