--- Waits in the loop of copas. Old versions of copas have no timers: a descriptor serves as one.
-- @module smtp.loop.copas

local copas = require "copas"
local core = require "smtp.core"
local socket = require "smtp.socket"
local user_call = require "smtp.options.user_call"

local loop = {}

--- What to do where this code is not in a thread of copas.
function loop.check()
   if user_call.can_yield() then return nil end
   return "Call it in a thread of copas: copas.addthread(function() … end)"
end

-- Copas takes this object for a socket, which has nothing to read until the poller is readable.
local function await(seconds, fd, events)
   local poller, is_called = socket.poller(), false
   assert(poller and poller:alarm(seconds) and (not fd or poller:add(fd, events)),
      "this system has no poller, or no descriptor is left")
   local function receive()
      is_called = not is_called
      return not is_called or nil, "timeout"
   end
   copas.receive({ receive = receive, getfd = function() return poller:fd() end,
      dirty = function() return false end, close = function() end }, 1)
   poller:close()
end

--- Wait until a descriptor is ready for "r", "w" or "rw". Returns false where the time is over.
function loop.wait(fd, events, seconds)
   local ends = core.now() + seconds
   await(seconds, fd, events)
   return core.now() < ends
end

loop.sleep = await

return loop
