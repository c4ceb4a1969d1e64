--- Where and how: the options of a connection, checked and completed.
-- @module smtp.plan

local address = require "smtp.address"
local auth = require "smtp.auth"
local check = require "smtp.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local extensions = require "smtp.extensions"
local here = require "smtp.host"

local plan = {}

local usage = errors.usage
local is_word, is_type, is_line = check.is_word, check.is_type, check.is_line
local each = check.each

-- Each check returns true, or nil and an error.
local function seconds(t, name, default)
   local value = t[name]
   if value == nil then return default end
   local number = tonumber(value)
   if not number or number ~= number or number <= 0 or number == math.huge then
      return nil, usage(name, ("%s must be a positive number of seconds"):format(name), nil, value)
   end
   if number > 86400 then
      return nil, usage(name, ("%s = %s seconds is more than a day"):format(name, tostring(value)),
         "Did you mean milliseconds? Times are in seconds", value)
   end
   return number
end

-- ---- where ----

local function decode(text)
   return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local url_schemes = { smtp = true, smtps = true, lmtp = true }

local function has_place(t)
   return t.host ~= nil or t.server ~= nil or t.socket ~= nil
end

local function read_url(t)
   if t.url == nil then return true end
   local text = type(t.url) == "string" and t.url or ""
   local path = text:match("^lmtp%+unix:/*(/[^?#]*)$")
   local scheme, rest = text:match("^(%a+)://([^/?#]+)/?$")
   scheme = scheme and scheme:lower()
   if not path and not url_schemes[scheme] then
      return nil, usage("url", "url is not of the form smtp://user:password@host:587",
         "Other forms are smtps://host (TLS from the first byte), lmtp://host, lmtp+unix:/path")
   end
   if (path or scheme == "lmtp") and t.protocol == nil then t.protocol = "lmtp" end
   if path then
      if not has_place(t) then t.socket = decode(path) end
      return true
   end
   local login, place = rest:match("^(.*)@([^@]*)$")
   place = place or rest
   local host, port = place:match("^%[(.+)%](:?%d*)$")
   if not host then host, port = place:match("^([^:]+)(:?%d*)$") end
   if port and port ~= "" and not port:find("^:") then host = nil end
   port = port and port:sub(2)
   if not host then return nil, usage("url", "url names no host") end
   if not has_place(t) then t.host = decode(host) end
   if t.port == nil and port ~= "" then t.port = port end
   if t.tls == nil and scheme == "smtps" then t.tls = "implicit" end
   if login and t.username == nil and t.user == nil then
      local user, password = login:match("^([^:]*):?(.*)$")
      t.username = decode(user)
      if t.password == nil and password ~= "" then t.password = decode(password) end
   end
   return true
end

local function alias(t, name, other)
   if t[other] == nil then return true end
   if t[name] ~= nil then
      return nil, usage(other, ("%s and %s mean the same, and both are given"):format(name, other),
         "Keep " .. name)
   end
   t[name] = t[other]
   return true
end

-- A name outside ASCII is looked up, verified and said in its ASCII form.
local function to_ascii(t, name)
   if t[name] == nil or not t[name]:find("[\128-\255]") then return true end
   local ascii, why, hint = address.domain(t[name])
   if not ascii then
      return nil, usage(name, ("%s = %q is no host name: %s"):format(name, t[name], why), hint,
         t[name])
   end
   t[name] = ascii
   return true
end

local function is_ip(text)
   local bare = text:gsub("%%[^%%]+$", "") -- fe80::1%eth0
   return core.domain("[" .. text .. "]") or core.domain("[IPv6:" .. bare .. "]")
end

local function check_host(t)
   local ok, err = each(is_line, t, { "host", "socket", "source_address", "tls_host", "domain" })
   if not ok then return nil, err end
   ok, err = each(to_ascii, t, { "host", "tls_host", "domain" })
   if not ok then return nil, err end
   if t.socket and t.host then
      return nil, usage("socket", "socket and host are both given", "Keep one of them")
   end
   if t.socket and (#t.socket == 0 or #t.socket > 107) then
      return nil, usage("socket", "socket is no path of 1 to 107 octets", nil, t.socket)
   end
   if t.host then t.host = t.host:match("^%[(.*:.*)%]$") or t.host end
   if t.host and (t.host == "" or #t.host > 255 or t.host:find("[^!-~]")) then
      return nil, usage("host", "host is neither a host name nor an address", nil, t.host)
   end
   if t.source_address and not is_ip(t.source_address) then
      return nil, usage("source_address", "source_address is no IP address", "Write one of this "
         .. "host's own, such as 192.0.2.1 or 2001:db8::1", t.source_address)
   end
   if t.domain == nil then return true end
   local is_domain, why = core.domain(t.domain)
   if is_domain then return true end
   return nil, usage("domain", "domain cannot be said in EHLO: " .. why,
      "Write this host's full name, or an address literal such as [192.0.2.1]", t.domain)
end

local function is_loopback(t)
   if t.transport then return false end
   if t.socket then return true end
   local host = t.host
   return host == "localhost" or host == "::1"
      or host:find("^127%.") ~= nil and core.domain("[" .. host .. "]") ~= nil
end

local function check_port(t)
   if t.port == nil then return true end
   local port = tonumber(t.port)
   if not port or port < 1 or port > 65535 or port % 1 ~= 0 then
      return nil, usage("port", "port is not a number from 1 to 65535", nil, t.port)
   end
   if port == 25 and t.protocol == "lmtp" then
      return nil, usage("port", "LMTP is not spoken on port 25 (RFC 2033 5)",
         "The usual port is 24; most servers have a unix socket")
   end
   t.port = port
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

local function check_transport(t)
   local transport = t.transport
   if transport == nil or type(transport) == "function" then return true end
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
   local idle, size = given.idle or KEPT_SECONDS, given.size or KEPT_MAX
   if type(idle) ~= "number" or not (idle > 0 and idle <= 86400) or type(size) ~= "number"
      or size % 1 ~= 0 or not (size > 0 and size <= 10000) then
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
   made.loopback = is_loopback(made)
   made.protocol = t.protocol or "smtp"
   made.port = t.port or (t.protocol == "lmtp" and 24) or (t.tls == "implicit" and 465)
      or (t.credentials and 587) or 25
   made.tls = t.tls or (made.port == 465 and "implicit") or (made.loopback and "skip") or "require"
   if t.tls_verify == nil then made.tls_verify = true end
   made.tls_min_version = t.tls_min_version or "1.2"
   made.pipelining = t.pipelining or "safe"
   made.timeout_given = t.timeout ~= nil
   local ok, err
   made.timeout, err = seconds(t, "timeout", 300)
   if not made.timeout then return nil, err end
   made.connect_timeout, err = seconds(t, "connect_timeout", 15)
   if not made.connect_timeout then return nil, err end
   made.reply_timeout, err = seconds(t, "reply_timeout", 60)
   if not made.reply_timeout then return nil, err end
   ok, err = check_name_to_verify(made)
   if not ok then return nil, err end
   return made
end

-- Options whose metatables count.
local objects = { transport = true, auth_mechanisms = true }

--- A plan, which nobody changes any more.
---@param given table        options of a connection, their names checked
---@return table|nil plan
---@return table|nil err
function plan.new(given)
   local t = check.plain(given, objects)
   local ok, err = read_url(t)
   if not ok then return nil, err end
   ok, err = alias(t, "host", "server")
   if not ok then return nil, err end
   ok, err = alias(t, "username", "user")
   if not ok then return nil, err end
   ok, err = check.all({ check_host, check_protocol, check_port, check_tls, auth.check,
      check_rest }, t)
   if not ok then return nil, err end
   return fill(t)
end

return plan
