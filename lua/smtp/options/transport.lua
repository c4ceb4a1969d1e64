--- The options `transport` and `loop`: a connection of the caller's own, or how ours wait.
-- @module smtp.options.transport

local loops = require "smtp.options.loop"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local transport = {}

-- Options that only a socket of this library can satisfy.
local of_our_socket = { "tls_ca_file", "tls_ca_path", "tls_cert", "tls_pin", "tls_min_version",
   "source_address", "proxy", "loop" }

--- Check both; each of them excludes others.
---@param t table   the options of a connection, their kinds checked
function transport.check(t)
   t.loop = loops.read(t.loop)
   local object = t.transport
   if object == nil then return end
   for i = 1, #of_our_socket do
      local name = of_our_socket[i]
      if t[name] then
         refuse(name, name .. " has no effect on a connection of your transport",
            "Remove it, and let the transport do the same")
      end
   end
   local missing = type(object) ~= "function" and user_call.missing_method(object)
   if missing then
      refuse("transport", ("transport has no method %s"):format(missing),
         "It needs connect, send, receiveany, sslhandshake, settimeouts and close")
   end
end

return transport
