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

-- A message that is refused before a connection is made has a result, too.
local function refused(t, err, started)
   local observe = type(t) == "table" and rawget(t, "observe")
   return delivery.tell(type(observe) == "function" and observe or nil, nil, err, started)
end

--- Send one message now.
---@param t smtp.Options
---@return smtp.Receipt|nil
---@return smtp.Error|nil
function single.send(t)
   local started = core.now()
   local server, message = request.send(t)
   if not server then return refused(t, message, started) end
   if message.signers then
      local ok, err = delivery.sign(server, message, started)
      if not ok then return refused(t, err, started) end
   end
   local receipt, err = delivery.send(server, message, started)
   if receipt and message.plain then request.recycle(message) end
   return receipt, err
end

-- -> smtp.Deferred | nil, err
local function defer(nginx, t, callback)
   local server, message = request.send(t, "smtp.defer ")
   if not server then return nil, message end
   local ok, err = nginx.check_directives(server)
   if ok then ok, err = delivery.sign(server, message) end
   if not ok then return nil, err end
   local queue, lack = load_defer()
   if not queue then return nil, lack end
   return queue.add(delivery.send, server, message, callback)
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
   local started = core.now()
   local deferred, err = defer(nginx, t, callback)
   if not deferred then return refused(t, err, started) end
   return deferred
end

return single
