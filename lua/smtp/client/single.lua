--- One message over a connection of its own: smtp.send, and smtp.defer in nginx.
-- @module smtp.client.single

local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local errors = require "smtp.errors"
local request = require "smtp.client.request"
local runtime = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"

local load_defer = system.loader "smtp.runtime.nginx.defer"

local single = {}

--- Send one message now.
---@param t smtp.Options
---@return smtp.Receipt|nil
---@return smtp.Error|nil
function single.send(t)
   local started = core.now()
   local server, message = request.send(t)
   if not server then return nil, message end
   if message.signers then
      local ok, err = delivery.sign(server, message, started)
      if not ok then return nil, err end
   end
   local receipt, err = delivery.send(server, message, started)
   if receipt and message.plain then request.recycle(message) end
   return receipt, err
end

--- In nginx: send one message after this request. Everything is checked, composed and signed now.
---@param t smtp.Options
---@param callback? smtp.DeferCallback
---@return smtp.Deferred|nil
---@return smtp.Error|nil
function single.defer(t, callback)
   local nginx, lack = runtime.nginx()
   if lack then return nil, lack end
   if not nginx then
      return nil, errors.usage("defer", "smtp.defer works in nginx, but this is not nginx",
         "Use smtp.send")
   end
   if callback ~= nil and type(callback) ~= "function" then
      return nil, errors.usage("callback",
         "callback: expected a function, got a " .. type(callback),
         "Write smtp.defer(options, function(receipt, err) … end)")
   end
   local server, message = request.send(t, "smtp.defer ")
   if not server then return nil, message end
   local ok, err = nginx.check_directives(server)
   if ok then ok, err = delivery.sign(server, message) end
   if not ok then return nil, err end
   local defer
   defer, lack = load_defer()
   if not defer then return nil, lack end
   return defer.add(delivery.send, server, message, callback)
end

return single
