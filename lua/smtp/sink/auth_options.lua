--- The option auth of a sink, checked.
-- @module smtp.sink.auth_options

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"
local sink_auth = require "smtp.sink.auth"
local user_call = require "smtp.options.user_call"

local auth_options = {}

local known, known_names = sink_auth.known, sink_auth.known_names

local types = { users = "table", tokens = "table", external = "string", mechanisms = "table",
   before_tls = "boolean", iterations = "number" }
local type_names = { "users", "tokens", "external", "mechanisms", "before_tls", "iterations" }

local function usage(what, hint)
   return nil, errors.usage("auth", what, hint)
end

-- A hint, nil where no name is near.
local function meant(name, names)
   local near = type(name) == "string" and #name < 40 and check.nearest(name, names)
   return near and ("Did you mean %s?"):format(near)
end

local function check_types(t)
   for name, value in next, t do
      local expected = types[name]
      if not expected then
         return usage(("auth has no field %q"):format(user_call.text(name)),
            meant(name, type_names))
      end
      if type(value) ~= expected then
         return usage(("auth.%s must be a %s"):format(name, expected))
      end
   end
   return true
end

local function check_secrets(t, name)
   for user, secret in next, t[name] or {} do
      if type(user) ~= "string" or type(secret) ~= "string" then
         return usage(("auth.%s must have strings for keys and values"):format(name))
      end
   end
   return true
end

local function check_iterations(count)
   if not count or count % 1 == 0 and count >= 1 and count <= 999999999 then return true end
   return usage("auth.iterations must be a whole number from 1 to 999,999,999")
end

local function check_fields(t)
   local ok, err = check_types(t)
   if ok then ok, err = check_secrets(t, "users") end
   if ok then ok, err = check_secrets(t, "tokens") end
   if ok then ok, err = check_iterations(t.iterations) end
   return ok, err
end

-- A mechanism of the user's own: { name =, run = function(exchange, ask) → user, identity | nil }
local function own_mechanism(object)
   local name = object.name
   if type(name) ~= "string" or not name:find("^[A-Z0-9_-]+$") or known[name]
      or type(object.run) ~= "function" then
      return usage("auth.mechanisms holds an object that is no { name =, run = function }",
         "Its name is one that the sink has not, of A-Z, 0-9, - and _")
   end
   return object
end

local function check_mechanism(t, name)
   local entry = type(name) == "string" and known[ascii.upper(name)]
   if not entry then
      return usage(("the sink has no mechanism %q"):format(user_call.text(name)),
         meant(type(name) == "string" and ascii.upper(name), known_names))
   end
   if t[entry.needs] == nil then
      return usage(("the mechanism %s needs auth.%s"):format(name, entry.needs))
   end
   return entry
end

local function load_crypto(name, hash)
   local crypto, why, err = resources.load_crypto()
   if err then return nil, err end
   if not crypto then return usage(("the mechanism %s needs smtp.crypto: %s"):format(name, why)) end
   if not crypto.hmac(hash, "", "") then
      return usage(("the mechanism %s needs %s, and libcrypto has none here"):format(name, hash))
   end
   return crypto
end

-- All that show what they are without libcrypto, and that there is something for.
local function default_mechanisms(t)
   local list = {}
   for _, name in ipairs { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "EXTERNAL" } do
      if t[known[name].needs] ~= nil then list[#list + 1] = name end
   end
   return list
end

-- A mechanism by its name, or an object of the caller's. -> name, entry | nil, error
local function read_mechanism(t, value)
   local entry, err
   if type(value) == "table" then
      entry, err = own_mechanism(value)
   else
      entry, err = check_mechanism(t, value)
   end
   if not entry then return nil, err end
   return type(value) == "table" and value.name or ascii.upper(value), entry
end

-- Adds the mechanism to the settings.
local function take_mechanism(settings, name, entry)
   local list, err = settings.mechanisms, nil
   list[#list + 1] = name
   if not known[name] then settings.own[name] = entry end
   if entry.hash then settings.crypto, err = load_crypto(name, entry.hash) end
   settings.has_plus = settings.has_plus or entry.binds
   return not err, err
end

--- The option auth of a sink.
---@param t table       users, tokens: by name; external: whom EXTERNAL is; mechanisms: a list of
--   names and of objects { name =, run = } as above, by default those of PLAIN, LOGIN, XOAUTH2,
--   OAUTHBEARER, EXTERNAL that there is something for;
--   before_tls: offer them without TLS as well; iterations: of SCRAM, default 4,096
---@return table|nil    settings for names and exchange
---@return table|nil    a UsageError
function auth_options.check(t)
   if type(t) ~= "table" or not (t.users or t.tokens or t.external or t.mechanisms) then
      return usage("auth must be false or { users = { name = \"password\" } }")
   end
   local ok, err = check_fields(t)
   if not ok then return nil, err end
   local settings = { users = t.users, tokens = t.tokens, external = t.external, own = {},
      before_tls = t.before_tls, iterations = t.iterations or 4096, mechanisms = {} }
   for _, value in ipairs(t.mechanisms or default_mechanisms(t)) do
      local name, entry = read_mechanism(t, value)
      if not name then return nil, entry end
      ok, err = take_mechanism(settings, name, entry)
      if not ok then return nil, err end
   end
   return settings
end

return auth_options
