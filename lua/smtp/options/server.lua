--- The server: the options of a connection, checked and completed.
-- @module smtp.options.server

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local credentials = require "smtp.options.credentials"
local errors = require "smtp.errors"
local extensions = require "smtp.options.extensions"
local names = require "smtp.options.names"
local place = require "smtp.options.place"
local user_call = require "smtp.options.user_call"

local server = {}

local usage = errors.usage

-- ---- TLS ----

local function check_certificate(t)
   if (t.tls_cert == nil) == (t.tls_key == nil) then return true end
   local missing = t.tls_cert and "tls_key" or "tls_cert"
   return nil, usage(missing, missing .. " is missing: a client certificate needs both",
      "Give tls_cert and tls_key; one file may hold both")
end

local function check_name_to_verify(t)
   if t.tls == "skip" or not t.tls_verify or t.tls_host or t.host_given then return true end
   if not t.socket and not t.transport then return true end
   return nil, usage("tls_host", "the certificate cannot be checked without the server's name",
      "Give tls_host, or tls = \"skip\"")
end

-- ---- the transport ----

-- Options that only a socket of this library can satisfy.
local of_our_socket = { "tls_ca_file", "tls_ca_path", "tls_cert", "tls_pin", "tls_min_version",
   "source_address" }

local function check_transport(t)
   local transport = t.transport
   if transport == nil then return true end
   for i = 1, #of_our_socket do
      local name = of_our_socket[i]
      if t[name] ~= nil then
         return nil, usage(name, name .. " has no effect on a connection of your transport",
            "Remove it, and let the transport do the same")
      end
   end
   if type(transport) == "function" then return true end
   local ok, missing = user_call.is_transport(transport)
   if ok then return true end
   return nil, usage("transport", ("transport has no method %s"):format(missing),
      "It needs connect, send, receiveany, sslhandshake, settimeouts and close")
end

-- ---- keepalive ----

local KEPT_SECONDS, KEPT_MAX = 60, 32
local keepalive_names = { "idle", "size" }

local function keepalive_bounds(keepalive)
   local ok, err = check.names(keepalive, keepalive_names, "keepalive")
   if not ok then return nil, err end
   local idle = ascii.number(keepalive.idle or KEPT_SECONDS)
   local size = ascii.number(keepalive.size or KEPT_MAX)
   if idle and idle > 0 and idle <= 86400 and size and size > 0 and size <= 10000
      and size % 1 == 0 then
      return { idle = idle, size = size }
   end
   return nil, usage("keepalive", "keepalive needs seconds up to a day, and a number of "
      .. "connections from 1 to 10,000", "Write { idle = 60, size = 32 }")
end

-- A mechanism of the caller's own does not show to whom the connection belongs.
local function check_keepalive(t)
   if not t.keepalive then return true end
   if type(t.keepalive) ~= "table" then
      return nil, usage("keepalive", "keepalive must be a table", "Write { idle = 60, size = 32 }")
   elseif t.transport then
      return nil, usage("keepalive", "keepalive is for connections made here",
         "Remove it, or transport")
   end
   for i = 1, #t.mechanisms do
      if t.mechanisms[i].object then
         return nil, usage("keepalive", "connections with a mechanism of your own cannot be kept",
            "Remove keepalive, or use smtp.connect")
      end
   end
   local err
   t.keepalive, err = keepalive_bounds(t.keepalive)
   return t.keepalive and true, err
end

-- ---- the whole ----

local function check_extensions(t)
   if t.extensions == nil and t.pipelining ~= "off" then
      t.extensions = {}
      return true
   end
   return extensions.check_connection(t)
end

local function default_port(t)
   if t.protocol == "lmtp" then return 24 end
   if t.tls == "implicit" then return 465 end
   return t.credentials and 587 or 25
end

local function default_tls(t)
   if t.port == 465 then return "implicit" end
   return t.loopback and "skip" or "require"
end

-- Options that depend on others, with the defaults that they need.
local function check_together(t)
   t.port = t.port or default_port(t)
   t.tls = t.tls or default_tls(t)
   if t.tls_verify == nil then t.tls_verify = true end
   local ok, err = check_certificate(t)
   if ok then ok, err = check_transport(t) end
   if ok then ok, err = check_keepalive(t) end
   if ok then ok, err = check_name_to_verify(t) end
   return ok, err
end

-- The one constructor. `t`: the options, checked.
local function new_server(t)
   ---@class smtp.Server
   ---@field host string|nil            nil: a unix socket whose server has no name
   ---@field host_given boolean         the caller named the host
   ---@field port integer
   ---@field socket string|nil          path of a unix socket
   ---@field loopback boolean           the caller named this machine itself
   ---@field protocol string            "smtp" or "lmtp"
   ---@field domain string|nil          the name for EHLO; nil: the runtime finds one
   ---@field source_address string|nil
   ---@field transport any              an object or a function of the caller's
   ---@field tls string                 "implicit", "require", "prefer" or "skip"
   ---@field tls_verify boolean
   ---@field tls_host string|nil        the name in the certificate; nil: `host`
   ---@field tls_ca_file string|nil
   ---@field tls_ca_path string|nil
   ---@field tls_cert string|nil
   ---@field tls_key string|nil
   ---@field tls_min_version string|nil "1.2" or "1.3"; nil: the default of the runtime
   ---@field tls_pin string|nil
   ---@field auth string                "require", "prefer" or "skip"
   ---@field credentials boolean        at least one mechanism can be used
   ---@field mechanisms table[]         entries of options/credentials.lua, in order of preference
   ---@field auth_mechanisms table[]|nil the entries that the caller named
   ---@field auth_plaintext boolean|nil
   ---@field username string|nil
   ---@field password string|function|nil
   ---@field token string|function|nil
   ---@field authzid string|nil
   ---@field scram_iterations integer[] lower and upper bound
   ---@field timeout number             seconds for a message
   ---@field timeout_given boolean      the caller gave it: the size of a message does not raise it
   ---@field connect_timeout number     seconds
   ---@field reply_timeout number       seconds
   ---@field pipelining string          "safe", "eager" or "off"
   ---@field extensions table           keyword in lower case to "require", "prefer" or "skip"
   ---@field trace boolean|function|nil
   ---@field observe function|nil
   ---@field keepalive table|false|nil  { idle = seconds, size = connections }
   ---@field flight_max integer|nil     send_many: messages in flight
   ---@field refused_max integer|nil    send_many: refused recipients in flight
   return {
      host = t.host,
      host_given = t.host_given,
      port = t.port,
      socket = t.socket,
      loopback = t.loopback,
      protocol = t.protocol or "smtp",
      domain = t.domain,
      source_address = t.source_address,
      transport = t.transport,
      tls = t.tls,
      tls_verify = t.tls_verify,
      tls_host = t.tls_host,
      tls_ca_file = t.tls_ca_file,
      tls_ca_path = t.tls_ca_path,
      tls_cert = t.tls_cert,
      tls_key = t.tls_key,
      tls_min_version = t.tls_min_version,
      tls_pin = t.tls_pin,
      auth = t.auth,
      credentials = t.credentials,
      mechanisms = t.mechanisms,
      auth_mechanisms = t.auth_mechanisms,
      auth_plaintext = t.auth_plaintext,
      username = t.username,
      password = t.password,
      token = t.token,
      authzid = t.authzid,
      scram_iterations = t.scram_iterations,
      timeout = t.timeout or 300,
      timeout_given = t.timeout ~= nil,
      connect_timeout = t.connect_timeout or 15,
      reply_timeout = t.reply_timeout or 60,
      pipelining = t.pipelining or "safe",
      extensions = t.extensions,
      trace = t.trace,
      observe = t.observe,
      keepalive = t.keepalive,
      flight_max = nil,
      refused_max = nil,
   }
end

--- Check the options of a connection. The server is never changed after this: calls share it.
---@param given table        their names checked
---@return smtp.Server|nil
---@return table|nil err
function server.new(given)
   local t, err = given, nil
   if rawget(given, "url") ~= nil then t, err = place.read_url(given) end
   if t then t, err = check.values(t, names.connection) end
   if not t then return nil, err end
   local ok
   ok, err = place.check(t)
   if ok then ok, err = credentials.check(t) end
   if ok then ok, err = check_extensions(t) end
   if ok then ok, err = check_together(t) end
   if not ok then return nil, err end
   return new_server(t)
end

return server
