--- What this host offers: sockets, TLS settings, and the name to say in EHLO.
-- @module smtp.runtime.runtime

local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local place = require "smtp.options.place"
local system = require "smtp.ground.resources"

local load_callers_transport = system.loader "smtp.runtime.callers_transport"
local load_loops = system.loader "smtp.options.loop"
local load_nginx = system.loader "smtp.runtime.nginx.entry"
local load_tls_context = system.loader "smtp.runtime.tls_context"

local runtime = {}

local loaded, ceil = package.loaded, math.ceil

--- smtp.runtime.nginx.entry where this runs inside nginx, else nil.
---@return table|nil entry
---@return table|nil err   a SystemError: this runs inside nginx, and the module cannot be read now
function runtime.nginx()
   if not loaded.ngx or not environment.is_nginx() then return nil end
   return load_nginx()
end

--- The event loop in which this server's connections wait: see smtp.options.loop. Before that is
-- loaded, there is no default.
---@param server smtp.Server
---@return table|nil loop
---@return table|nil err   a UsageError or a SystemError
function runtime.loop(server)
   if server.loop == nil and not loaded["smtp.options.loop"] then return nil end
   local loops, err = load_loops()
   if not loops then return nil, err end
   return loops.of(server)
end

runtime.check_loop = environment.check_loop

-- The socket; one that gives way to others inside a job of the scheduler, and in an event loop.
local function polite(sock, loop)
   local scheduler = loaded["smtp.runtime.scheduler"]
   return scheduler and type(scheduler) == "table" and scheduler.polite(sock, loop) or sock
end

-- A socket of this library.
local function own_socket(server, loop, context, fresh)
   local socket, why = loaded["smtp.socket"], nil
   if not socket then socket, why = system.load "smtp.socket" end
   if socket and loop then why = select(2, system.load "smtp.runtime.scheduler") end
   if why then return nil, why end
   if not server.keepalive then return polite(socket.new(), loop) end
   local kept
   kept, why = system.load "smtp.runtime.kept_socket"
   if not kept then return nil, why end
   return kept.new(server, context, fresh, function(sock) return polite(sock, loop) end)
end

-- -> what sslhandshake needs | nil, the error
local function tls_settings(server, nginx)
   if nginx then return nginx.check(server) end
   local tls_context, lack = load_tls_context()
   if not tls_context then return nil, lack end
   return tls_context.get(server)
end

--- The transport to use: the caller's, or a socket of our own.
---@param server smtp.Server
---@param fresh? boolean    no connection that was kept
---@return table|userdata|nil transport
---@return table|nil failed   { err = the error }; { system = why }; { what =, cause = }: a function
--   of the caller's failed
---@return table|nil pace     how to let others have their turn, see smtp.runtime.nginx.pace
---@return any context        for sslhandshake: the TLS settings of this host
function runtime.transport(server, fresh)
   local nginx, err = runtime.nginx()
   if err then return nil, { err = err } end
   local pace = nginx and nginx.pace
   if server.transport then
      local callers_transport, lack = load_callers_transport()
      if not callers_transport then return nil, { system = lack.what } end
      local sock, failed = callers_transport.new(server.transport)
      return sock, failed, pace
   end
   local context
   if nginx or server.tls ~= "skip" then context, err = tls_settings(server, nginx) end
   if err then return nil, { err = err } end
   if nginx then return nginx.new(server, context, fresh), nil, pace, context end
   local loop
   loop, err = runtime.loop(server)
   if err then return nil, { err = err } end
   local sock, why = own_socket(server, loop, context, fresh)
   if not sock then return nil, { system = why } end
   return sock, nil, nil, context
end

--- The handshake with these settings failed, for whatever reason: see tls_context.forget.
function runtime.forget_tls(context)
   local tls_context = context ~= nil and load_tls_context()
   if tls_context then tls_context.forget(context) end
end

--- Call a method of a transport or a listener until it is done or fails: "again" is no failure. A
-- socket that does not wait says so, and any other one that a signal interrupted.
---@param waiter? table      waiter:wait() is called before the method is called again; what it
--   returns is why that cannot be, and is returned after nil, "raised"
---@param deadline? number   core.now() at which it must be over; nil: the socket has its time
---@param name string        the method
---@param ... any            its arguments
---@return any ...           what it returns, as for connect or send
function runtime.persist(sock, waiter, deadline, name, ...)
   while true do
      if deadline then
         local ms = ceil((deadline - core.now()) * 1000)
         if ms < 0 then ms = 0 end
         sock:settimeouts(ms, ms, ms)
      end
      local result, why, text, more = sock[name](sock, ...)
      if result or why ~= "again" or type(more) == "number" and more > 0 then
         return result, why, text, more
      end
      local failure = waiter and waiter:wait()
      if failure then return nil, "raised", failure, 0 end
   end
end

--- Let other conversations have their turn during long work, which began at `began` (core.now()).
---@return number   core.now(), for the next call
function runtime.breathe(began)
   local nginx = runtime.nginx()
   if not nginx then return began end
   nginx.breathe(core.now() - began)
   return core.now()
end

local newest_name, newest_is_full -- a host keeps its name,
local newest_own, newest_literal  -- and its address: nil where that makes no literal

--- The name in EHLO: the address of this host if it has no full name. A unix socket has no address.
function runtime.domain(server, sock)
   if server.domain then return server.domain end
   local name = core.hostname()
   if name ~= newest_name then -- a full name has a dot; others mean nothing (RFC 5321 4.1.4)
      newest_name, newest_is_full = name, name:find(".", 1, true) ~= nil and core.domain(name)
         and place.is_public_name(name)
   end
   if newest_is_full then return name end
   local own = sock.getsockname and sock:getsockname()
   if own and own ~= newest_own then newest_own, newest_literal = own, core.literal(own) end
   return own and newest_literal or "[127.0.0.1]"
end

return runtime
