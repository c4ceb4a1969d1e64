--- The Redis store: what the configuration of the server can lose.
-- @module smtp.outbox.redis_durability

local environment = require "smtp.runtime.environment"
local user_call = require "smtp.options.user_call"

local durability = {}

-- A setting as text | nil: the server or the client does not show it
local function setting(call, name)
   local reply = call("config", "get", name)
   if type(reply) ~= "table" then return nil end
   local value = reply[2] or reply[name] -- a list, or a table by name
   return type(value) == "string" and value or nil
end

local NO_FILE = "Redis writes nothing to the disk: a restart loses all messages. Set appendonly "
   .. "yes and appendfsync always"
local SNAPSHOTS = "Redis writes snapshots only: a crash loses what was put since the newest one, "
   .. "and may send messages twice. Set appendonly yes and appendfsync always"
local LATE = "Redis writes to the disk later than it replies (appendfsync %s): a power loss loses "
   .. "messages of the last seconds, and may send messages twice. Set appendfsync always"
local EVICTS = "Redis removes any keys when its memory is full (maxmemory-policy %s): it may lose "
   .. "messages. Set maxmemory-policy noeviction"

local function found(call)
   local list = {}
   local append = setting(call, "appendonly")
   if append == "no" then
      list[1] = setting(call, "save") == "" and NO_FILE or SNAPSHOTS
   elseif append == "yes" then
      local fsync = setting(call, "appendfsync")
      if fsync and fsync ~= "always" then list[1] = LATE:format(fsync) end
   end
   local policy = setting(call, "maxmemory-policy")
   if policy and policy:find "^allkeys" then list[#list + 1] = EVICTS:format(policy) end
   return list
end

local function report(text)
   if environment.is_nginx() then
      local ngx = package.loaded.ngx
      return ngx.log(ngx.WARN, "smtp.outbox: ", text)
   end
   io.stderr:write("smtp.outbox: ", text, "\n")
end

--- Look at the configuration of a server, and pass each danger to a function. A server that does
-- not show its configuration gives no warning.
---@param call function        (command, …) -> the reply, or nil
---@param on_warning? function
function durability.check(call, on_warning)
   local list = found(call)
   for i = 1, #list do user_call.call(on_warning or report, list[i]) end
end

return durability
