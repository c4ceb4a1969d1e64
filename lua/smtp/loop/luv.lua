--- Waits in the loop of luv, which is that of Neovim too.
-- @module smtp.loop.luv

local user_call = require "smtp.options.user_call"
local uv = require "luv"

local loop = { resumes = true } -- a callback resumes the coroutine that waits, whatever runs that

--- What to do where this code is not in a coroutine.
function loop.check()
   if user_call.can_yield() then return nil end
   return "Call it in a coroutine: coroutine.wrap(function() … end)()"
end

-- Starts one or two handles, and waits for the first that calls back. In Lua 5.1 the coroutine may
-- be in a pcall: then it cannot yield, and must not be resumed.
local function wait(seconds, poll, events)
   local thread, timer = coroutine.running(), uv.new_timer()
   local function go_on(is_ready)
      timer:close()
      if poll then poll:close() end
      if coroutine.status(thread) ~= "suspended" then return end
      local ok, why = coroutine.resume(thread, is_ready)
      if not ok then error(debug.traceback(thread, tostring(why)), 0) end
   end
   timer:start(math.ceil(seconds * 1000), 0, function() go_on(false) end)
   if poll then poll:start(events, function() go_on(true) end) end
   return coroutine.yield()
end

--- Wait until a descriptor is ready: "r", "w" or "rw". Returns false where the time is over.
function loop.wait(fd, events, seconds)
   return wait(seconds, assert(uv.new_poll(fd)), events)
end

function loop.sleep(seconds)
   wait(seconds)
end

return loop
