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

--- Connections are kept for later calls in nginx only. Raises a UsageError elsewhere.
function environment.check_keepalive()
   if not environment.is_nginx() then
      errors.refuse("keepalive", "keepalive works in nginx, but this is not nginx",
         "Use smtp.connect to send several messages over one connection")
   end
end

return environment
