--- Where this library runs.
-- @module smtp.runtime.environment

local errors = require "smtp.errors"

local environment = {}

--- Does it run inside nginx?
---@return boolean
function environment.is_nginx()
   local ngx = package.loaded.ngx
   return type(ngx) == "table" and ngx.socket ~= nil and ngx.socket.tcp ~= nil
end

--- nginx is an event loop of its own, which this library knows. Raises a UsageError there.
function environment.check_loop()
   if environment.is_nginx() then
      errors.refuse("loop", "loop has no effect in nginx, where this library never blocks",
         "Remove loop")
   end
end

return environment
