--- The options of AUTH: credentials, and the mechanisms that may use them, in order of preference.
-- @module smtp.options.credentials

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local names = require "smtp.options.names"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local credentials = {}

-- ---- mechanisms ----

local known, by_name = names.mechanisms, names.mechanisms.by_name
local known_names = {}
for i = 1, #known do known_names[i] = known[i].name end

-- A mechanism of the caller's own counts as one that shows the secret, unless it declares
-- plaintext = false.
local function own_mechanism(object)
   local name = rawget(object, "name")
   if type(name) ~= "string" or not name:find("^[A-Z0-9_-]+$") or #name > 20 then
      refuse("auth_mechanisms", ("auth_mechanisms: expected a mechanism's name of 1 to 20 "
         .. "of A-Z, 0-9, - and _ (RFC 4422 3.1), got %s"):format(user_call.shown(name)),
         'Write { name = "X-OWN", start = …, step = … }')
   end
   if by_name[name] then
      refuse("auth_mechanisms", ("this library has %s, but an object is given for it"):format(name),
         ("Write %q to use it"):format(name))
   end
   for _, method in ipairs { "start", "step" } do
      if type(user_call.field(object, method)) ~= "function" then
         refuse("auth_mechanisms", ("the mechanism %s has no function %s"):format(name, method),
            "Give { name =, start = function(self, info), step = function(self, challenge) }")
      end
   end
   return { name = name, object = object,
      shows_secret = user_call.field(object, "plaintext") ~= false }
end

local function one_mechanism(value)
   if type(value) == "table" then return own_mechanism(value) end
   return type(value) == "string" and by_name[ascii.upper(value)] or refuse("auth_mechanisms",
      "auth_mechanisms: expected the name of a mechanism, got " .. user_call.shown(value),
      "This library has " .. table.concat(known_names, ", ")
      .. "; another can be given as an object")
end

local MECHANISMS_FORM = 'Write { "PLAIN", "LOGIN" }'

-- A list of names and objects; one alone is a list of one.
local function mechanism_list(value)
   if type(value) == "string" or type(value) == "table" and rawget(value, "name") then
      return { value }
   end
   if type(value) == "table" then
      check.is_list(value, "auth_mechanisms", MECHANISMS_FORM)
      local list = check.copy(value)
      if #list >= 1 and #list <= 32 then return list end
   end
   check.refuse_value("auth_mechanisms", "a list of 1 to 32 mechanisms", value, MECHANISMS_FORM)
end

local function check_mechanisms(t)
   if t.auth_mechanisms == nil then return end
   local list, entries, seen = mechanism_list(t.auth_mechanisms), {}, {}
   for i = 1, #list do
      local entry = one_mechanism(list[i])
      if not seen[entry.name] then entries[#entries + 1] = entry end
      seen[entry.name] = true
   end
   t.auth_mechanisms = entries
end

-- ---- credentials ----

local limits = core.limits

local lengths = { username = limits.secret, password = limits.secret, authzid = limits.secret,
   token = limits.token }

--- Can this value be a secret, or a name for a mechanism?
---@param name string     "username", "password", "token" or "authzid"
---@param value any
---@return true|nil
---@return string|nil     what is wrong with it
---@return string|nil     what to do, if that is more than to write another value
function credentials.fits(name, value)
   if type(value) ~= "string" then
      return nil, "has to be a string, but is " .. user_call.type_name(value)
   end
   if value:find("[%z\r\n]") then return nil, "contains a NUL byte or a line break" end
   if #value > lengths[name] then return nil, ("is over %d bytes"):format(lengths[name]) end
   if name == "token" and value:find("[^!-~]") then
      return nil, "contains a space or another character that no token has (RFC 6750 2.1)"
   end
   if name ~= "password" and value:find("\1", 1, true) then
      return nil, "contains the control character %x01"
   end
   if name == "password" or not value:find("@", 1, true) then return true end
   local invisible = core.invisible(value)
   if not invisible then return true end
   return nil, ("contains %s, which is invisible"):format(invisible),
      "Remove that character: it often comes with a copied address"
end

local fields = { "username", "password", "token", "authzid" }
local may_be_function = { password = true, token = true }

-- What to do about a value that does not fit.
local function hint_for(name, value)
   if type(value) == "string" then
      return "Remove it: a value that was read from a file often ends in a line break"
   end
   return ("Write %s = \"…\"%s"):format(name,
      may_be_function[name] and ", or a function that returns it" or "")
end

-- -> which of password and token are empty
local function check_fields(t)
   local empty = {}
   for i = 1, #fields do
      local name = fields[i]
      local value = t[name]
      if value ~= nil and not (may_be_function[name] and type(value) == "function") then
         local ok, why, hint = credentials.fits(name, value)
         if not ok then
            refuse(name, name .. " " .. why, hint or hint_for(name, value))
         end
      end
      if may_be_function[name] and value == "" then
         t[name] = nil
         empty[name] = true
      end
   end
   return empty
end

-- A mechanism of the caller's own may need a name alone.
local function has_own_mechanism(t)
   for i = 1, #(t.auth_mechanisms or {}) do
      if t.auth_mechanisms[i].object then return true end
   end
   return false
end

local VARIABLE = "Is the environment variable set that it comes from? "

local function names_external(t)
   for i = 1, #(t.auth_mechanisms or {}) do
      if t.auth_mechanisms[i].name == "EXTERNAL" then return true end
   end
   return false
end

local function refuse_without_secret(t, empty)
   local name = empty.password and "password" or empty.token and "token"
   if name then
      refuse(name, name .. " is empty",
         VARIABLE .. "To send without authentication, leave username out as well")
   end
   refuse("password", "username is given, but password and token are missing",
      names_external(t) and "EXTERNAL takes its identity from authzid"
      or VARIABLE .. "To send without authentication, leave username out")
end

local function refuse_without_name(secret, is_empty)
   refuse("username", ("%s is given, but username is %s"):format(secret,
      is_empty and "empty" or "missing"), VARIABLE .. "Give both")
end

-- A name needs a secret, and a secret needs a name.
local function check_pair(t, empty)
   local secret = t.password and "password" or "token"
   local has_name, has_secret = (t.username or "") ~= "", t[secret] ~= nil
   if has_secret and not has_name then refuse_without_name(secret, t.username == "") end
   if has_name and not has_secret and not has_own_mechanism(t) then
      refuse_without_secret(t, empty)
   end
   if not has_name then t.username = nil end
end

local function check_iterations(t)
   local bounds = t.scram_iterations
   if bounds == nil then bounds = { 4096, 200000 } end
   local low = type(bounds) == "table" and tonumber(bounds[1])
   local high = type(bounds) == "table" and tonumber(bounds[2])
   if not low or not high or low % 1 ~= 0 or high % 1 ~= 0 or low < 1 or high < low
      or high > 999999999 then
      check.refuse_value("scram_iterations", "two whole numbers, the lower one first", bounds,
         "Write { 4096, 200000 }")
   end
   t.scram_iterations = { low, high }
end

-- ---- which mechanisms may be used ----

-- Why these options exclude a mechanism: "only_named", "needs_password", "needs_token" or
-- "no_authzid"; nil if the mechanism may be used. EXTERNAL and a mechanism of the caller's own need
-- no secret: to name one is to have credentials.
local function exclusion(t, entry)
   if entry.named and not t.auth_mechanisms then return "only_named" end
   if entry.secret and not t[entry.secret] then return "needs_" .. entry.secret end
   return t.authzid and entry.bare and "no_authzid" or nil
end

--- Why these options exclude mechanisms that a server offers.
---@param t table           the server
---@param offered table[]   { name = } of each
---@return table            by its place: "unknown", "not_named" or a word of `exclusion`
function credentials.exclusions(t, offered)
   local words, named = {}, {}
   for _, entry in ipairs(t.auth_mechanisms or known) do named[entry.name] = true end
   for i = 1, #offered do
      local name = offered[i].name
      if not by_name[name] then
         words[i] = "unknown"
      else
         words[i] = not named[name] and "not_named" or exclusion(t, by_name[name])
      end
   end
   return words
end

local function lacks_certificate(t, entry)
   return entry.name == "EXTERNAL"
      and not (t.tls_cert or t.transport or t.socket or t.auth == "skip")
end

-- If none can be used because of a mistake of the caller's, name the mistake.
local function check_usable(t, first)
   if t.authzid and first.bare then
      refuse("authzid", ("%s has no field for authzid"):format(first.name),
         "Leave it out, or name another mechanism")
   end
   if not t.auth_mechanisms then return end
   local name = (t.password or t.token) and first.secret or "username"
   refuse(name, ("auth_mechanisms names %s, but there is no %s for it"):format(first.name,
      first.secret), "Give " .. (name == "username" and "username and " or "") .. first.secret)
end

local function choose(t)
   local list, usable = t.auth_mechanisms or known, {}
   for i = 1, #list do
      if not exclusion(t, list[i]) then
         if lacks_certificate(t, list[i]) then
            refuse("tls_cert", "auth_mechanisms names EXTERNAL, but there is no certificate",
               "Give tls_cert and tls_key")
         end
         usable[#usable + 1] = list[i]
      end
   end
   if #usable == 0 and t.auth ~= "skip" then check_usable(t, list[1]) end
   t.mechanisms, t.credentials = usable, #usable > 0
end

--- Check the options of AUTH, and fill in `auth`, `auth_mechanisms` (entries), `mechanisms` (the
-- entries that can be used), `credentials` (is there such an entry?) and `scram_iterations`.
---@param t table       the options of a connection, a copy
function credentials.check(t)
   check_mechanisms(t)
   check_pair(t, check_fields(t))
   check_iterations(t)
   choose(t)
   if t.auth == "require" and not t.credentials then
      refuse("auth", "auth = \"require\", but there are no credentials",
         "Give username and password (or token), or auth = \"skip\" to send without")
   end
   t.auth = t.auth or (t.credentials and "require") or "skip"
end

return credentials
