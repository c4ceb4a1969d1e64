--- The option auth of a sink, checked.
-- @module smtp.sink.auth_options

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"
local sink_auth = require "smtp.sink.auth"
local unknown = require "smtp.options.unknown"
local user_call = require "smtp.options.user_call"

local auth_options = {}

local types = { users = "table", tokens = "table", external = "string", mechanisms = "table",
   before_tls = "boolean", iterations = "number" }
local type_hints = { users = 'Write users = { ann = "secret" }',
   tokens = 'Write tokens = { ann = "token" }', external = 'Write external = "ann"',
   mechanisms = 'Write mechanisms = { "PLAIN" }', iterations = "Write iterations = 4096" }
local fields = { "users", "tokens", "external", "mechanisms", "before_tls", "iterations" }

local function refuse(what, hint)
   errors.refuse("auth", what, hint)
end

-- A hint; nil if no name is similar.
local function meant(name, names)
   local near = type(name) == "string" and #name < 40 and unknown.nearest(name, names)
   return near and ("Did you mean %s?"):format(near)
end

local function check_types(t)
   check.names(t, fields, "auth", nil, "sink_auth")
   for name, expected in next, types do
      check.is_type("auth." .. name, t[name], expected, type_hints[name])
   end
end

local function check_secrets(t, name)
   for user, secret in next, t[name] or {} do
      if type(user) ~= "string" or type(secret) ~= "string" then
         refuse(("auth.%s: expected names and secrets as strings"):format(name), type_hints[name])
      end
   end
end

local function check_iterations(count)
   if count and (count % 1 ~= 0 or count < 1 or count > 999999999) then
      refuse("auth.iterations: expected a whole number from 1 to 999,999,999",
         type_hints.iterations)
   end
end

-- A mechanism of the caller's own, { name =, run = function(exchange, ask) → user, identity | nil }
-- -> its name, its entry
local function own_mechanism(object)
   local name = object.name
   if type(name) ~= "string" or not name:find("^[A-Z0-9_-]+$") or sink_auth.known[name]
      or type(object.run) ~= "function" then
      refuse("auth.mechanisms contains a table that is not a mechanism",
         'Write { name = "X-OWN", run = function(exchange, ask) … end }, with a name of A-Z, 0-9, '
         .. "- and _ that is not one of the sink's own")
   end
   return name, object
end

-- -> its name, its entry
local function known_mechanism(t, value)
   local name = type(value) == "string" and ascii.upper(value)
   local entry = sink_auth.known[name]
   if not entry then
      refuse(("the sink has no mechanism %q"):format(user_call.text(value)),
         meant(name, sink_auth.known_names)
         or "It has " .. table.concat(sink_auth.known_names, ", "))
   end
   if t[entry.needs] == nil then
      refuse(("the mechanism %s needs auth.%s"):format(value, entry.needs),
         type_hints[entry.needs])
   end
   return name, entry
end

local ANOTHER = 'Name another mechanism: mechanisms = { "PLAIN" }'

local function load_crypto(name, hash)
   local crypto, why, err = resources.load_crypto()
   if err then error(err, 0) end
   if not crypto then
      refuse(("the mechanism %s needs smtp.crypto: %s"):format(name, why), ANOTHER)
   end
   if not crypto.hmac(hash, "", "") then
      refuse(("the mechanism %s needs %s, which libcrypto does not have here"):format(name, hash),
         ANOTHER)
   end
   return crypto
end

-- The mechanisms that need no libcrypto, and for which the options have users or tokens.
local function default_mechanisms(t)
   local list = {}
   for _, name in ipairs { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" } do
      if t[sink_auth.known[name].needs] ~= nil then list[#list + 1] = name end
   end
   return list
end

-- Adds a mechanism, by its name or as an object of the caller's, to the settings.
local function add_mechanism(settings, t, value)
   local list, name, entry = settings.mechanisms
   if type(value) == "table" then
      name, entry = own_mechanism(value)
      settings.own[name] = entry
   else
      name, entry = known_mechanism(t, value)
   end
   list[#list + 1] = name
   if entry.hash then settings.crypto = load_crypto(name, entry.hash) end
   settings.has_plus = settings.has_plus or entry.binds
end

--- Check the option auth of a sink. Raises a UsageError or a SystemError.
---@param t table       users, tokens: by name; external: the user of EXTERNAL; mechanisms: a list
--   of names and of objects { name =, run = } as above, by default those of PLAIN, LOGIN, XOAUTH2,
--   OAUTHBEARER, EXTERNAL that there is something for;
--   before_tls: offer them without TLS as well; iterations: of SCRAM, default 4,096
---@return table        settings for names and exchange
function auth_options.check(t)
   if type(t) ~= "table" or not (t.users or t.tokens or t.external or t.mechanisms) then
      check.refuse_value("auth", "a table with users, tokens, external or mechanisms", t,
         'Write auth = { users = { ann = "secret" } }, or auth = false')
   end
   check_types(t)
   check_secrets(t, "users")
   check_secrets(t, "tokens")
   check_iterations(t.iterations)
   local settings = { users = t.users, tokens = t.tokens, external = t.external, own = {},
      before_tls = t.before_tls, iterations = t.iterations or 4096, mechanisms = {} }
   for _, value in ipairs(t.mechanisms or default_mechanisms(t)) do
      add_mechanism(settings, t, value)
   end
   return settings
end

return auth_options
