--- Waits in the loop of luv, which is that of Neovim too.
-- @module smtp.loop.luv

local can_yield = require("smtp.options.user_call").can_yield
local is_fit = package.loaded.luv or not can_yield() -- it runs callbacks where it was loaded
assert(is_fit, 'first load it outside of coroutines: local uv = require "luv"')
local uv = require "luv"

local loop = { resumes = true } -- a callback resumes the coroutine that waits, whatever runs that
local timers, polls = {}, {} -- handles that are used again: those that rest; and by descriptor

--- What to do where this code is not in a coroutine.
function loop.check()
   return not can_yield() and "Call it in a coroutine: coroutine.wrap(function() … end)()" or nil
end

local function wait(seconds, poll, events)
   local thread, timer = coroutine.running(), table.remove(timers) or uv.new_timer()
   local function go_on(is_ready)
      timer:stop()
      timers[#timers + 1] = timer
      if poll then poll:stop() end
      if coroutine.status(thread) ~= "suspended" then return end -- Lua 5.1: it was in a pcall
      local ok, why = coroutine.resume(thread, is_ready)
      if not ok then error(debug.traceback(thread, tostring(why)), 0) end
   end
   timer:start(math.ceil(seconds * 1000), 0, function() go_on(false) end)
   if poll then poll:start(events, function() go_on(true) end) end
   return coroutine.yield()
end

loop.sleep = wait

--- Wait until a descriptor is ready for "r", "w" or "rw". Returns false where the time is over.
function loop.wait(fd, events, seconds)
   polls[fd] = polls[fd] or assert(uv.new_poll(fd))
   return wait(seconds, polls[fd], events)
end

return loop
