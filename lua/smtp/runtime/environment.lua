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

--- Can connections be kept for later calls?
---@return true|nil
---@return table|nil err
function environment.check_keepalive()
   if environment.is_nginx() then return true end
   return nil, errors.usage("keepalive", "keepalive is for nginx, and this is not nginx",
      "Use smtp.connect to send several messages over one connection")
end

return environment
