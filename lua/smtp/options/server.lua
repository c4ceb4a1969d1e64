--- The server: the options of a connection, checked and completed.
-- @module smtp.options.server

local check = require "smtp.options.check"
local names = require "smtp.options.names"
local place = require "smtp.options.place"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"

local credentials = system.late "smtp.options.credentials"
local extensions = system.late "smtp.options.extensions"
local keepalive = system.late "smtp.options.keepalive"
local transport = system.late "smtp.options.transport"
local url = system.late "smtp.options.url"

-- ---- TLS ----

local function check_certificate(t)
   if (t.tls_cert == nil) ~= (t.tls_key == nil) then
      local missing = t.tls_cert and "tls_key" or "tls_cert"
      refuse(missing, missing .. " is missing: a client certificate needs both",
         "Give tls_cert and tls_key; one file may hold both")
   end
end

local function check_name_to_verify(t)
   if t.tls == "skip" or not t.tls_verify or t.tls_host or t.host_given then return end
   if t.socket or t.transport then
      refuse("tls_host", "the certificate cannot be checked without the server's name",
         "Give tls_host, or tls = \"skip\"")
   end
end

-- ---- AUTH ----

local of_login = { "username", "password", "token", "authzid", "auth", "auth_mechanisms",
   "scram_iterations" }

local function check_login(t)
   for i = 1, #of_login do
      if t[of_login[i]] ~= nil then return credentials.check(t) end
   end
   t.mechanisms, t.credentials, t.auth = {}, false, "skip"
end

-- ---- the whole ----

local function default_port(t)
   return t.protocol == "lmtp" and 24 or t.tls == "implicit" and 465 or t.credentials and 587 or 25
end

-- Options that depend on others, with the defaults that they need.
local function check_together(t)
   t.port = t.port or default_port(t)
   t.tls = t.tls or t.port == 465 and "implicit" or t.loopback and "skip" or "require"
   if t.tls_verify == nil then t.tls_verify = true end
   check_certificate(t)
   if t.transport ~= nil or t.loop ~= nil then transport.check(t) end
   if t.keepalive then keepalive.check(t) end
   check_name_to_verify(t)
end

---@class smtp.Server
---@field host string|nil            nil: a unix socket whose server has no name
---@field host_given boolean         the caller named the host
---@field hosts smtp.Server[]|nil    one for each of several hosts, in order of preference
---@field port integer
---@field socket string|nil          path of a unix socket
---@field loopback boolean           the caller named this machine itself
---@field proxy smtp.Proxy|nil
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
---@field loop table|false|nil       smtp.Loop; false: calls block; nil: see smtp.options.loop
---@field keepalive table|false|nil  { idle = seconds, size = connections }
---@field flight_max integer|nil     send_many: messages in flight
---@field refused_max integer|nil    send_many: refused recipients in flight
---@field secret_unverified boolean|nil  false: smtp.probe sends no secret where nothing is verified
---@field halt string|nil             the step after which smtp.client.rehearsal ends the dialogue

local defaults = { protocol = "smtp", timeout = 300, connect_timeout = 15, reply_timeout = 60,
   pipelining = "safe" }

-- The server at one host.
local function new_at(given)
   local t = check.values(given, names.connection)
   t.url, t.service, t.timeout_given = nil, nil, t.timeout ~= nil
   place.check(t)
   check_login(t)
   local has_extensions = t.extensions ~= nil or t.pipelining == "off"
   if has_extensions then extensions.check(t) else t.extensions = {} end
   check_together(t)
   for name, value in next, defaults do
      if t[name] == nil then t[name] = value end
   end
   return t
end

-- ---- a list of hosts ----

local HOSTS_MAX = 16
local SEVERAL = "^[A-Za-z0-9.-]+ *[,;] *[A-Za-z0-9.,; -]+$" -- one text that is meant as a list
local HOSTS_FORM = 'Write host = { "mx1.example.org", "mx2.example.org" }'

-- `option`: the name under which the list was given.
local function new_at_each(given, option, list)
   check.is_list(list, option, HOSTS_FORM)
   list = check.copy(list) -- its metamethods may raise
   if #list < 1 or #list > HOSTS_MAX then
      refuse(option, ("%s has %d entries, not 1 to %d"):format(option, #list, HOSTS_MAX),
         HOSTS_FORM)
   end
   local servers = {}
   for i = 1, #list do
      check.is_type(("%s[%d]"):format(option, i), list[i], "string", HOSTS_FORM)
      local one = check.copy(given)
      one[option] = list[i]
      servers[i] = new_at(one)
   end
   if #servers == 1 then return servers[1] end
   local t = check.copy(servers[1])
   t.hosts = servers
   return t
end

--- The one constructor: check the options of a connection, and complete them. The server is never
-- changed after this: calls share it. With a list of hosts it is that at the first one, and has all
-- of them as `hosts`: see smtp.client.hosts.
---@param given table        their names checked
---@return smtp.Server
local function new(given)
   if rawget(given, "url") ~= nil or rawget(given, "service") ~= nil then
      given = url.complete(given)
   end
   for _, option in ipairs { "host", "server" } do
      local list = rawget(given, option)
      if type(list) == "table" then return new_at_each(given, option, list) end
      if type(list) == "string" and list:find(SEVERAL) then
         refuse(option, option .. " contains several hosts", HOSTS_FORM, list)
      end
   end
   return new_at(given)
end

return { new = new }
