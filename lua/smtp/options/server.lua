--- Where and how: the options of a connection, checked and completed.
-- @module smtp.options.server

local auth = require "smtp.client.mechanisms"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local extensions = require "smtp.options.extensions"
local here = require "smtp.runtime.runtime"
local place = require "smtp.options.place"

local server = {}

local usage = errors.usage
local is_word, is_type, is_line = check.is_word, check.is_type, check.is_line
local each = check.each

-- In seconds; a larger value was most likely meant in milliseconds.
local times = {
   timeout = { default = 300, max = 3600 },
   connect_timeout = { default = 15, max = 300 },
   reply_timeout = { default = 60, max = 900 },
}

-- Each check returns true, or nil and an error.
local function seconds(t, name)
   local value, max = t[name], times[name].max
   if value == nil then return times[name].default end
   local number = tonumber(value)
   if not number or number ~= number or number <= 0 or number == math.huge then
      return nil, usage(name, ("%s must be a positive number of seconds"):format(name), nil, value)
   end
   if number > max then
      return nil, usage(name, ("%s = %s is more than %d seconds"):format(name, tostring(value),
         max), "Did you mean milliseconds? Times are in seconds", value)
   end
   return number
end

-- ---- where ----

local function alias(t, name, other)
   if t[other] == nil then return true end
   if t[name] ~= nil then
      return nil, usage(other, ("%s and %s mean the same, and both are given"):format(name, other),
         "Keep " .. name)
   end
   t[name] = t[other]
   return true
end

local function check_protocol(t)
   return is_word(t, "protocol", { "smtp", "lmtp" })
end

-- ---- TLS ----

local function is_pin(pin)
   return type(pin) == "string" and #pin == 44 and pin:find("^[A-Za-z0-9+/]+=$") ~= nil
end

local function check_tls(t)
   local ok, err = is_word(t, "tls", { "implicit", "require", "prefer", "skip" })
   if not ok then return nil, err end
   ok, err = each(is_line, t, { "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key" })
   if not ok then return nil, err end
   ok, err = is_type(t, "tls_verify", "boolean")
   if not ok then return nil, err end
   ok, err = is_word(t, "tls_min_version", { "1.2", "1.3" })
   if not ok then return nil, err end
   if (t.tls_cert == nil) ~= (t.tls_key == nil) then
      local missing = t.tls_cert and "tls_key" or "tls_cert"
      return nil, usage(missing, missing .. " is missing: a client certificate needs both",
         "Give tls_cert and tls_key; one file may hold both")
   end
   if t.tls_pin ~= nil and not is_pin(t.tls_pin) then
      return nil, usage("tls_pin", "tls_pin is not a SHA-256 in base64 (44 characters)",
         "openssl x509 -pubkey … | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary "
         .. "| base64")
   end
   return true
end

-- ---- the rest of how ----

-- What only a socket of this library can do.
local ours = { "tls_ca_file", "tls_ca_path", "tls_cert", "tls_pin", "tls_min_version",
   "source_address" }

local function check_transport(t)
   local transport = t.transport
   if transport == nil then return true end
   for i = 1, #ours do
      if t[ours[i]] ~= nil then
         return nil, usage(ours[i], ours[i] .. " has no effect on a connection of your transport",
            "Remove it, and let the transport do the same")
      end
   end
   if type(transport) == "function" then return true end
   local ok, missing = here.is_transport(transport)
   if ok then return true end
   return nil, usage("transport", ("transport has no method %s"):format(missing),
      "It needs connect, send, receiveany, sslhandshake, settimeouts and close")
end

local KEPT_SECONDS, KEPT_MAX = 60, 32
local keepalive_names = { "idle", "size" }

local function keepalive_bounds(given)
   local ok, err = check.names(given, keepalive_names, "keepalive")
   if not ok then return nil, err end
   local idle, size = tonumber(given.idle or KEPT_SECONDS), tonumber(given.size or KEPT_MAX)
   if not idle or not (idle > 0 and idle <= 86400) or not size or size % 1 ~= 0
      or not (size > 0 and size <= 10000) then
      return nil, usage("keepalive", "keepalive needs seconds up to a day, and a number of "
         .. "connections from 1 to 10,000", "Write { idle = 60, size = 32 }")
   end
   return { idle = idle, size = size }
end

-- With a mechanism of the user's own we cannot tell whose connection it is.
local function check_keepalive(t)
   local given = t.keepalive
   if not given then return true end
   local what, hint
   if not here.nginx() then
      what = "keepalive is for nginx, and this is not nginx"
      hint = "Use smtp.connect to send several messages over one connection"
   elseif type(given) ~= "table" then
      what, hint = "keepalive must be a table", "Write { idle = 60, size = 32 }"
   elseif t.transport then
      what, hint = "keepalive is for connections made here", "Remove it, or transport"
   end
   for i = 1, what and 0 or #t.mechanisms do
      if t.mechanisms[i].object then
         what = "connections with a mechanism of your own cannot be kept"
         hint = "Remove keepalive, or use smtp.connect"
      end
   end
   if what then return nil, usage("keepalive", what, hint) end
   local err
   t.keepalive, err = keepalive_bounds(given)
   return t.keepalive and true, err
end

local function check_rest(t)
   local ok, err = check_transport(t)
   if not ok then return nil, err end
   ok, err = is_word(t, "pipelining", { "safe", "eager", "off" })
   if not ok then return nil, err end
   t.extensions, err = extensions.check(t.extensions)
   if not t.extensions then return nil, err end
   ok, err = extensions.settle_pipelining(t)
   if not ok then return nil, err end
   if t.trace ~= nil and t.trace ~= true and t.trace ~= false and type(t.trace) ~= "function" then
      return nil, usage("trace", "trace must be true or a function(direction, line)")
   end
   return check_keepalive(t)
end

local function check_name_to_verify(t)
   if t.tls == "skip" or not t.tls_verify or t.tls_host or t.host_given then
      return true
   end
   if not t.socket and not t.transport then return true end
   return nil, usage("tls_host", "the certificate cannot be checked without the server's name",
      "Give tls_host, or tls = \"skip\"")
end

local function fill(t)
   local made = check.copy(t)
   made.given = { tls_ca_file = t.tls_ca_file, tls_ca_path = t.tls_ca_path, tls_pin = t.tls_pin,
      tls_min_version = t.tls_min_version }
   made.host_given = t.host ~= nil
   if not t.socket then made.host = t.host or "localhost" end
   made.loopback = place.is_loopback(made)
   made.protocol = t.protocol or "smtp"
   made.port = t.port or (t.protocol == "lmtp" and 24) or (t.tls == "implicit" and 465)
      or (t.credentials and 587) or 25
   made.tls = t.tls or (made.port == 465 and "implicit") or (made.loopback and "skip") or "require"
   if t.tls_verify == nil then made.tls_verify = true end
   made.tls_min_version = t.tls_min_version or "1.2"
   made.pipelining = t.pipelining or "safe"
   made.timeout_given = t.timeout ~= nil
   local ok, err
   made.timeout, err = seconds(t, "timeout")
   if not made.timeout then return nil, err end
   made.connect_timeout, err = seconds(t, "connect_timeout")
   if not made.connect_timeout then return nil, err end
   made.reply_timeout, err = seconds(t, "reply_timeout")
   if not made.reply_timeout then return nil, err end
   ok, err = check_name_to_verify(made)
   if not ok then return nil, err end
   return made
end

-- Options whose metatables count.
local objects = { transport = true, auth_mechanisms = true }

--- A server is never changed after this.
---@param given table        options of a connection, their names checked
---@return smtp.Server|nil
---@return table|nil err
function server.new(given)
   local t = check.plain(given, objects)
   local ok, err = place.read_url(t)
   if not ok then return nil, err end
   ok, err = alias(t, "host", "server")
   if not ok then return nil, err end
   ok, err = alias(t, "username", "user")
   if not ok then return nil, err end
   ok, err = check.all({ place.check, check_protocol, place.check_port, check_tls, auth.check,
      check_rest }, t)
   if not ok then return nil, err end
   return fill(t)
end

return server
