--- What this host offers: sockets, TLS settings, and the name to say in EHLO.
-- @module smtp.runtime.runtime

local callers_transport = require "smtp.runtime.callers_transport"
local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"
local place = require "smtp.options.place"
local system = require "smtp.ground.resources"
local tls_context = require "smtp.runtime.tls_context"

local host = {}

--- smtp.runtime.nginx.host where this runs inside nginx, else nil.
function host.nginx()
   return environment.is_nginx() and require "smtp.runtime.nginx.host" or nil
end

-- Where the caller's function makes none, there is none: to connect without it might go past a
-- proxy that he relies on.
local function made_by(make)
   local ok, transport, why = user_call.call(make)
   if not ok then
      return nil, { what = "transport raised an error: " .. user_call.text(transport),
         cause = transport }
   elseif transport == nil and why ~= nil then
      return nil, { what = "transport failed: " .. user_call.text(why), cause = why }
   end
   local complete, missing = user_call.is_transport(transport)
   if complete then return callers_transport.new(transport) end
   return nil, { what = ("transport returned a %s that has no method %s"):format(type(transport),
      missing) }
end

--- The transport to use: the caller's, or a socket of our own.
---@param server smtp.Server
---@param context? any      from host.context
---@param fresh? boolean    no connection that was kept
---@return table|userdata|nil transport
---@return table|nil trouble   { what =, cause = }: the caller's function failed; { system = why }
function host.transport(server, context, fresh)
   local transport = server.transport
   if type(transport) == "function" then return made_by(transport) end
   if transport then return callers_transport.new(transport) end
   local nginx = host.nginx()
   if nginx then return nginx.new(server, context, fresh) end
   local crowd, why = system.load "smtp.runtime.scheduler"
   if crowd then transport, why = crowd.socket() end
   if transport then return transport end
   return nil, { system = why }
end

--- How to let others have their turn: { work = function(octets sent, seconds worked), mark =,
-- waited = }, see smtp.nginx; nil where there are none.
function host.pace()
   local nginx = host.nginx()
   return nginx and nginx.pace
end

--- In the midst of long work that began at `began` (core.now()): others may have their turn now.
function host.breathe(began)
   local nginx = host.nginx()
   if nginx then nginx.breathe(core.now() - began) end
end

--- Can this host keep connections for later calls?
---@return true|nil
---@return table|nil err
function host.check_keepalive()
   if host.nginx() then return true end
   return nil, errors.usage("keepalive", "keepalive is for nginx, and this is not nginx",
      "Use smtp.connect to send several messages over one connection")
end

--- Can this host do what the options ask for? The TLS settings, checked; nil where the transport
-- brings its own TLS.
---@return any context     for host.transport and sslhandshake
---@return table|nil err
function host.context(server)
   if server.transport then return nil end
   local nginx = host.nginx()
   if nginx then return nginx.check(server) end
   if server.tls == "skip" then return nil end
   return tls_context.get(server)
end

-- A full name has a dot; others mean nothing to a server (RFC 5321 4.1.4).
local function is_full_name(name)
   return name:find(".", 1, true) ~= nil and core.domain(name) and place.is_public_name(name)
end

local newest_name, newest_is_full -- a host keeps its name

-- Without a full name our own address is sent; a unix socket has none.
--- What EHLO says.
function host.domain(server, sock)
   if server.domain then return server.domain end
   local name = core.hostname()
   if name ~= newest_name then newest_name, newest_is_full = name, is_full_name(name) end
   if newest_is_full then return name end
   local own = sock.getsockname and sock:getsockname()
   if own then
      own = own:gsub("%%.*$", "") -- the zone of fe80::1%eth0 is this host's own affair
      local literal = own:find(":", 1, true) and "[IPv6:" .. own .. "]" or "[" .. own .. "]"
      if core.domain(literal) then return literal end
   end
   return "[127.0.0.1]"
end

return host
