--- What this host offers: sockets, TLS settings, and the name to say in EHLO.
-- @module smtp.runtime.runtime

local bounded = require "smtp.ground.bounded"
local callers_transport = require "smtp.runtime.callers_transport"
local core = require "smtp.core"
local errors = require "smtp.errors"
local guard = require "smtp.options.user_call"
local place = require "smtp.options.place"
local system = require "smtp.ground.resources"

local host = {}

--- smtp.nginx where this runs inside nginx, else nil.
function host.nginx()
   local ngx = package.loaded.ngx
   return type(ngx) == "table" and ngx.socket and ngx.socket.tcp and require "smtp.runtime.nginx.transport" or nil
end

-- Where the caller's function makes none, there is none: to connect without it might go past a
-- proxy that he relies on.
local function made_by(make)
   local ok, transport, why = guard.call(make)
   if not ok then
      return nil, { what = "transport raised an error: " .. guard.text(transport),
         cause = transport }
   elseif transport == nil and why ~= nil then
      return nil, { what = "transport failed: " .. guard.text(why), cause = why }
   end
   local complete, missing = guard.is_transport(transport)
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

local stamped = { "tls_ca_file", "tls_cert", "tls_key" }

--- A text that changes when one of the certificate files in the options does: certificates are
-- renewed.
---@return string
function host.stamp(server)
   local stamp = ""
   for i = 1, #stamped do
      local path = server[stamped[i]]
      local _, found = nil, nil
      if path then _, found = core.file(path) end
      if found then stamp = stamp .. found .. "\n" end
   end
   return stamp
end

-- One TLS context per configuration, as long as its files are the same: making one costs more than
-- a message, and sessions resume within it. { context =, stamp = } by the options of TLS, and by
-- server.
local contexts, by_server = bounded.new(64), setmetatable({}, { __mode = "k" })

local function key_of(server)
   return table.concat({ tostring(server.tls_verify), server.tls_ca_file or "",
      server.tls_ca_path or "", server.tls_cert or "", server.tls_key or "",
      server.tls_min_version or "", server.tls_pin or "" }, "\0")
end

local function tls_context(server, stamp)
   local key = key_of(server)
   local entry = contexts:get(key)
   if entry and entry.stamp == stamp then return entry end
   local socket, lack = system.load "smtp.socket"
   if not socket then return nil, system.error("TLS cannot be used: " .. lack) end
   local context, option, why = socket.tls_context {
      verify = server.tls_verify, ca_file = server.tls_ca_file, ca_path = server.tls_ca_path,
      cert = server.tls_cert, key = server.tls_key,
      min_version = server.tls_min_version or "1.2", pin = server.tls_pin,
   }
   if option == "system" then return nil, system.error("TLS cannot be used: " .. why) end
   if not context then
      return nil, errors.usage("tls_" .. option, ("tls_%s cannot be used: %s"):format(option, why))
   end
   return contexts:set(key, { context = context, stamp = stamp })
end

--- Can this host do what the options ask for? The TLS settings, checked; nil where the transport
-- brings its own TLS.
---@return any context     for host.transport and sslhandshake
---@return table|nil err
function host.context(server)
   if server.transport then return nil end
   local nginx = host.nginx()
   if nginx then return nginx.check(server) end
   if server.keepalive then
      return nil, errors.usage("keepalive", "keepalive is for nginx, and this is not nginx",
         "Use smtp.connect to send several messages over one connection")
   end
   if server.tls == "skip" then return nil end
   local entry, stamp, err = by_server[server], host.stamp(server), nil
   if not entry or entry.stamp ~= stamp then
      entry, err = tls_context(server, stamp)
      by_server[server] = entry
   end
   return entry and entry.context, err
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
