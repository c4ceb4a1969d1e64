--- The event loop of the host, in which the calls of this library wait without blocking it.
-- @module smtp.loop

require "smtp.ground.modules"
local environment = require "smtp.runtime.environment"
local loops = require "smtp.options.loop"

local loop = {}

--- Set the default of this process for the option `loop`. Raises a UsageError.
---@param value "cqueues"|"luv"|"copas"|smtp.Loop|false   false: calls block
function loop.use(value)
   if value then environment.check_loop() end
   loops.use(value)
end

return loop
