--- Waits in a controller of cqueues.
-- @module smtp.loop.cqueues

local cqueues = require "cqueues"

local loop = {}

--- What to do where this code is not in a function that a controller runs.
---@return string|nil
function loop.check()
   if cqueues.running() then return nil end
   return "Call it in a function that a controller runs: queue:wrap(function() … end)"
end

--- Wait until a descriptor is ready.
---@param fd integer
---@param events "r"|"w"|"rw"
---@param seconds number
---@return boolean   false: the time is over
function loop.wait(fd, events, seconds)
   local ready = cqueues.poll({ pollfd = fd, events = events }, seconds)
   cqueues.cancel(fd) -- it may be closed before the controller looks again
   return type(ready) == "table"
end

--- Pause.
---@param seconds number
function loop.sleep(seconds)
   cqueues.poll(seconds)
end

return loop
