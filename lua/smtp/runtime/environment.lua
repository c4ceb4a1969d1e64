--- Where this library runs.
-- @module smtp.runtime.environment

local environment = {}

--- Does it run inside nginx?
---@return boolean
function environment.is_nginx()
   local ngx = package.loaded.ngx
   return type(ngx) == "table" and ngx.socket ~= nil and ngx.socket.tcp ~= nil
end

return environment
