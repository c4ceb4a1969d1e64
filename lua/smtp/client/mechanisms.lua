--- AUTH as the caller wants it: credentials, which mechanisms may be used and in which order, and
-- for each that was not, why.
-- @module smtp.client.mechanisms

local ascii = require "smtp.ground.ascii"
local bounded = require "smtp.ground.bounded"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local guard = require "smtp.options.user_call"
local sasl = require "smtp.client.sasl"

local auth = {}

local usage = errors.usage

-- In order of preference. secret: what it needs. named: only where auth_mechanisms names it.
-- bare: it has no place for authzid. Those of a user's own have shows_secret; for the others the core
-- knows it.
local known = {
   { name = "OAUTHBEARER", secret = "token", bare = true },
   { name = "XOAUTH2", secret = "token", bare = true },
   { name = "SCRAM-SHA-512-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-256-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-1-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-512", secret = "password", mutual = true },
   { name = "SCRAM-SHA-256", secret = "password", mutual = true },
   { name = "SCRAM-SHA-1", secret = "password", mutual = true },
   { name = "PLAIN", secret = "password" },
   { name = "LOGIN", secret = "password", bare = true },
   { name = "EXTERNAL", named = true },
   { name = "CRAM-MD5", secret = "password", named = true, bare = true },
}

local by_name = {}
for i = 1, #known do by_name[known[i].name] = known[i] end

-- ---- options: credentials ----

local lengths = { username = 4096, password = 4096, authzid = 4096, token = 8192 }

--- Can this be a secret or a name of a mechanism? -> true | nil, what is wrong with it
function auth.fits(name, value)
   if type(value) ~= "string" then return nil, "is a " .. type(value) .. " and no string" end
   if value:find("[%z\r\n]") then return nil, "holds a NUL or a line break" end
   if #value > lengths[name] then return nil, ("is over %d octets"):format(lengths[name]) end
   if name == "token" and value:find("[^!-~]") then
      return nil, "holds a space or another character that no token has (RFC 6750 2.1)"
   end
   if name ~= "password" and value:find("\1", 1, true) then
      return nil, "holds the control character %x01"
   end
   return true
end

local function check_secret(t, name)
   local value = t[name]
   if value == nil then return true end
   if type(value) == "function" and (name == "password" or name == "token") then return true end
   local ok, why = auth.fits(name, value)
   if ok then return true end
   return nil, usage(name, name .. " " .. why, type(value) == "string"
      and "A value read from a file often ends in a line break: remove it" or nil)
end

-- A mechanism of the user's own may want a name alone.
local function has_own(t)
   for _, entry in ipairs(t.auth_mechanisms or {}) do
      if entry.object then return true end
   end
   return false
end

local function check_credentials(t)
   local ok, err = check.each(check_secret, t, { "username", "password", "token", "authzid" })
   if not ok then return nil, err end
   for _, name in ipairs { "password", "token" } do
      if t[name] == "" then t[name] = nil end
   end
   if t.username == "" and not t.password and not t.token then t.username = nil end
   local has_user = t.username ~= nil and t.username ~= ""
   if has_user and not t.password and not t.token and not has_own(t) then
      return nil, usage("password", "username is given, and neither password nor token is",
         "Give both, or neither to send without authentication; EXTERNAL takes its identity "
         .. "from authzid")
   end
   if (t.password or t.token) and not has_user then
      local name = t.password and "password" or "token"
      return nil, usage("username", name .. " is given and username is not", "Give both")
   end
   return true
end

-- ---- options: mechanisms ----

local function names_of_known()
   local names = {}
   for i = 1, #known do names[i] = known[i].name end
   return table.concat(names, ", ")
end

-- One of the user's own. Unless it says plaintext = false, it counts as one that shows the secret.
local function own_mechanism(object)
   local name = rawget(object, "name")
   if type(name) ~= "string" or not name:find("^[A-Z0-9_-]+$") or #name > 20 then
      return nil, usage("auth_mechanisms", ("a mechanism's name is 1 to 20 of A-Z, 0-9, - and _ "
         .. "(RFC 4422 3.1), and not %s"):format(guard.text(name)))
   end
   if by_name[name] then
      return nil, usage("auth_mechanisms", name .. " is known here, and given as an object",
         ("Write %q to use it"):format(name))
   end
   for _, method in ipairs { "start", "step" } do
      if type(guard.field(object, method)) ~= "function" then
         return nil, usage("auth_mechanisms", ("the mechanism %s has no function %s"):format(name,
            method), "Give { name =, start = function(self, info), "
            .. "step = function(self, challenge) }")
      end
   end
   return { name = name, object = object, shows_secret = guard.field(object, "plaintext") ~= false }
end

local function one_mechanism(value)
   if type(value) == "table" then return own_mechanism(value) end
   local entry = type(value) == "string" and by_name[ascii.upper(value)]
   if entry then return entry end
   return nil, usage("auth_mechanisms", ("there is no mechanism %q"):format(guard.text(value)),
      "Known are " .. names_of_known() .. "; any other can be given as an object")
end

local function check_mechanisms(t)
   local list = t.auth_mechanisms
   if list == nil then return true end
   if type(list) == "string" or type(list) == "table" and rawget(list, "name") then
      list = { list }
   end
   local ok, err = check.is_list(type(list) == "table" and list or {}, "auth_mechanisms")
   if not ok then return nil, err end
   if type(list) == "table" then list = check.copy(list) end
   if type(list) ~= "table" or #list == 0 or #list > 32 then
      return nil, usage("auth_mechanisms", "auth_mechanisms must be a list of 1 to 32 mechanisms",
         "Write { \"PLAIN\", \"LOGIN\" }")
   end
   local entries, seen = {}, {}
   for i = 1, #list do
      local entry
      entry, err = one_mechanism(list[i])
      if not entry then return nil, err end
      if not seen[entry.name] then entries[#entries + 1] = entry end
      seen[entry.name] = true
   end
   t.auth_mechanisms = entries
   return true
end

-- Why these options exclude a mechanism, as a word of `exclusions`; nil where it may be used. EXTERNAL
-- and a mechanism of the user's own need no secret: to name it is to have credentials.
local function exclusion(t, entry)
   if entry.named and not t.auth_mechanisms then return "only_named" end
   if entry.secret and not t[entry.secret] then return "needs_" .. entry.secret end
   return t.authzid and entry.bare and "no_authzid" or nil
end

local function check_external(t, entry)
   if entry.name ~= "EXTERNAL" or t.tls_cert or t.transport or t.socket or t.auth == "skip" then
      return true
   end
   return nil, usage("tls_cert", "auth_mechanisms names EXTERNAL, and there is no certificate",
      "Give tls_cert and tls_key")
end

-- What may be used with these credentials, in order of preference.
local function fill_mechanisms(t)
   local usable = {}
   local list = t.auth_mechanisms or known
   for i = 1, #list do
      local entry = list[i]
      if not exclusion(t, entry) then
         local ok, err = check_external(t, entry)
         if not ok then return nil, err end
         usable[#usable + 1] = entry
      end
   end
   t.mechanisms = usable
   if t.authzid and #usable == 0 and list[1].bare and t.auth ~= "skip" then
      return nil, usage("authzid", ("%s has no place for authzid"):format(list[1].name),
         "Leave it out, or name another mechanism")
   end
   if t.auth_mechanisms and #usable == 0 and t.auth ~= "skip" then
      local secret = list[1].secret
      local name = (t.password or t.token) and secret or "username"
      return nil, usage(name, ("auth_mechanisms names %s, and there is no %s for it"):format(
         list[1].name, secret), "Give " .. (name == "username" and "username and " or "") .. secret)
   end
   return true
end

local function check_iterations(t)
   local bounds = t.scram_iterations
   if bounds == nil then
      t.scram_iterations = { 4096, 200000 }
      return true
   end
   local low = type(bounds) == "table" and tonumber(rawget(bounds, 1))
   local high = type(bounds) == "table" and tonumber(rawget(bounds, 2))
   if not low or not high or low % 1 ~= 0 or high % 1 ~= 0 or low < 1 or high < low
      or high > 999999999 then
      return nil, usage("scram_iterations", "scram_iterations must be two whole numbers, the lower "
         .. "one first", "Write { 4096, 200000 }")
   end
   t.scram_iterations = { low, high }
   return true
end

--- All options of AUTH. Fills in `auth`, `mechanisms` (entries) and `scram_iterations`.
---@param t table       the caller's options, a copy
---@return true|nil
---@return table|nil err
function auth.check(t)
   local ok, err = check.is_word(t, "auth", { "require", "prefer", "skip" })
   if not ok then return nil, err end
   ok, err = check.is_type(t, "auth_plaintext", "boolean")
   if not ok then return nil, err end
   ok, err = check.all({ check_mechanisms, check_credentials, check_iterations,
      fill_mechanisms }, t)
   if not ok then return nil, err end
   t.credentials = #t.mechanisms > 0
   if t.auth == "require" and not t.credentials then
      return nil, usage("auth", "auth = \"require\" and there are no credentials",
         "Give username and password (or token), or auth = \"skip\" to send without")
   end
   t.auth = t.auth or (t.credentials and "require") or "skip"
   return true
end

-- ---- for a session ----

--- The mechanisms a session may use; those that bind to a channel where the transport can tell it.
function auth.list(server, binds)
   local list = {}
   for i = 1, #server.mechanisms do
      local entry = server.mechanisms[i]
      if not entry.binds or binds then list[#list + 1] = entry end
   end
   return list
end

--- An exchange with the mechanism of this name, one that the core does not answer itself, and
-- whether it is one of the user's own.
function auth.exchange(server, name)
   for i = 1, #server.mechanisms do
      local entry = server.mechanisms[i]
      if entry.name == name then
         return sasl.exchange(entry.object or sasl.mechanisms[name]), entry.object ~= nil
      end
   end
end

-- Is one of these that bind offered? -> is it, is there one
local function offers_bound(list, offered)
   local any = false
   for i = 1, #list do
      local is_offered = offered:find(" " .. list[i].name .. " ", 1, true)
      any = any or list[i].binds == true
      if list[i].binds and is_offered then return true, true end
   end
   return false, any
end

--- What a mechanism may know: for its start function.
---@param facts table     session:facts()
---@param secrets table   by kind
---@return table|nil      nil: the system has no random bytes
function auth.info(server, facts, secrets, sock)
   local info = { host = server.host, port = server.port, username = server.username,
      password = secrets.password, token = secrets.token, authzid = server.authzid,
      tls = facts.tls == "on", iterations = server.scram_iterations, nonce = sasl.nonce() }
   -- A -PLUS that is none of ours does not count: somebody in between could add it.
   local offered = " " .. facts.mechanisms .. " "
   local is_offered, any = offers_bound(server.mechanisms, offered)
   info.plus_offered = is_offered or not any and offers_bound(known, offered)
   if info.tls and sock.channel_binding then
      info.binding_type, info.binding = sock:channel_binding()
   end
   return info.nonce and info
end

--- What mechanisms make of a secret before they encode it in base64: PLAIN (RFC 4616 2), XOAUTH2
-- and OAUTHBEARER (RFC 7628 3.1).
---@return string[]
function auth.messages(server, secret)
   local user = server.username or ""
   local bearer = "\1auth=Bearer " .. secret .. "\1\1"
   return { (server.authzid or "") .. "\0" .. user .. "\0" .. secret, "user=" .. user .. bearer,
      bearer }
end

-- ---- why a mechanism was not used ----

-- Why the options exclude a mechanism: a word for programs, a text for people.
local exclusions = {
   unknown = "not known here",
   not_named = "not in auth_mechanisms",
   only_named = "only where auth_mechanisms names it",
   needs_password = "it needs a password",
   needs_token = "it needs a token",
   no_authzid = "it has no place for authzid",
   no_binding = "the transport has no channel binding",
}

local function why_excluded(server, name)
   local entry, is_named = by_name[name], not server.auth_mechanisms
   if not entry then return "unknown" end
   for _, one in ipairs(server.auth_mechanisms or {}) do is_named = is_named or one.name == name end
   return not is_named and "not_named" or exclusion(server, entry) or "no_binding"
end

--- The mechanisms that the server offers, with what became of each: { name =, state = a word of
-- session:mechanisms() or of `exclusions`, text = for people }.
---@param unusable table   by name: { state =, text = }, from the start functions of mechanisms
---@return table[]
function auth.offered(session, server, unusable)
   local list = session:mechanisms()
   for i = 1, #list do
      local one = list[i]
      if one.state == "unlisted" then
         one.state = why_excluded(server, one.name)
         one.text = exclusions[one.state]
      elseif one.state == "unusable" then
         local why = unusable[one.name]
         one.state, one.text = why.state or one.state, why.text or one.text
      elseif one.state == "answered" then
         one.text = one.text .. " " .. one.code
      end
   end
   return list
end

--- Does one of our mechanisms show the secret? Those that the core answers with one do.
function auth.shows_secret(name)
   return by_name[name] ~= nil and by_name[name].secret ~= nil and not sasl.mechanisms[name]
end

--- The mechanisms that may be used with any credentials.
---@return table[]
function auth.with_any_credentials()
   local list = {}
   for i = 1, #known do
      if not known[i].named then list[#list + 1] = known[i] end
   end
   return list
end

-- ---- what a server offered before ----

local offered = bounded.new(1000) -- names of mechanisms, by server

-- Names nobody knows would fill the memory.
local function is_known(server, name)
   for _, entry in ipairs(server.mechanisms) do
      if entry.name == name then return true end
   end
   return by_name[name] ~= nil
end

--- Mechanisms that this server offered on an earlier connection of this process, and now no more:
-- a sign of somebody in between, or of a changed server (RFC 4954 9). Remembers those of now, as
-- far as we know them.
---@param place_of function   (server) -> "host:port"
---@param server smtp.Server
---@param facts table         of a session that heard EHLO
---@return string[]|nil
function auth.downgrade(place_of, server, facts)
   if server.transport and not server.host_given then return nil end -- it names no server
   if offered.empty and facts.mechanisms == "" then return nil end
   local key = (facts.tls == "on" and "tls " or "") .. place_of(server)
   local earlier = offered:get(key) or offered:set(key, {})
   local now, gone = {}, {}
   for name in facts.mechanisms:gmatch("[^ \t-\r]+") do
      now[name] = true
      if is_known(server, name) then earlier[name] = true end
   end
   for name in next, earlier do
      if not now[name] then gone[#gone + 1] = name end
   end
   table.sort(gone)
   return #gone > 0 and gone or nil
end

return auth
