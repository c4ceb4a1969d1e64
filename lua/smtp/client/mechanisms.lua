--- Mechanisms of AUTH for a session: which it may use, and for each that was not used, why.
-- @module smtp.client.mechanisms

local ascii = require "smtp.ground.ascii"
local bounded = require "smtp.ground.bounded"
local credentials = require "smtp.options.credentials"
local sasl = require "smtp.client.sasl"

local mechanisms = {}

local known, by_name = credentials.mechanisms, credentials.by_name

-- ---- for a session ----

--- The mechanisms a session may use; those that bind to a channel where the transport can tell it.
function mechanisms.list(server, binds)
   local list = {}
   for i = 1, #server.mechanisms do
      local entry = server.mechanisms[i]
      if not entry.binds or binds then list[#list + 1] = entry end
   end
   return list
end

--- An exchange with the mechanism of this name, one that the core does not answer itself, and
-- whether it is one of the user's own.
function mechanisms.exchange(server, name)
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
function mechanisms.info(server, facts, secrets, sock)
   local info = { host = server.host, port = server.port, username = server.username,
      password = secrets.password, token = secrets.token, authzid = server.authzid,
      tls = facts.tls == "on", iterations = server.scram_iterations, nonce = sasl.nonce() }
   -- A -PLUS that is none of ours does not count: a man in the middle could add it.
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
function mechanisms.messages(server, secret)
   local user = server.username or ""
   local bearer = "\1auth=Bearer " .. secret .. "\1\1"
   return { (server.authzid or "") .. "\0" .. user .. "\0" .. secret, "user=" .. user .. bearer,
      bearer }
end

-- ---- why a mechanism was not used ----

-- Why the options exclude a mechanism: a word for programs, a text for people. Most words come from
-- credentials.exclusion.
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
   return not is_named and "not_named" or credentials.exclusion(server, entry) or "no_binding"
end

--- The mechanisms that the server offers, with what became of each: { name =, state = a word of
-- session:mechanisms() or of `exclusions`, text = for people }.
---@param unusable table   by name: { state =, text = }, from the start functions of mechanisms
---@return table[]
function mechanisms.offered(session, server, unusable)
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
function mechanisms.shows_secret(name)
   return by_name[name] ~= nil and by_name[name].secret ~= nil and not sasl.mechanisms[name]
end

--- The mechanisms that may be used with any credentials.
---@return table[]
function mechanisms.with_any_credentials()
   local list = {}
   for i = 1, #known do
      if not known[i].named then list[#list + 1] = known[i] end
   end
   return list
end

-- ---- what a server offered before ----

local offered = bounded.new(1000) -- names of mechanisms, by server
local changes = 0                 -- grows with each name
-- By server: { offer =, tls =, changes = } of the last time that nothing was missing.
local complete = setmetatable({}, { __mode = "k" })

-- Names that are not known would fill the memory.
local function is_known(server, name)
   for _, entry in ipairs(server.mechanisms) do
      if entry.name == name then return true end
   end
   return by_name[name] ~= nil
end

-- Those of `earlier` that are not in `now`, in order; nil where there are none.
local function missing(earlier, now)
   local gone = {}
   for name in next, earlier do
      if not now[name] then gone[#gone + 1] = name end
   end
   table.sort(gone, ascii.before)
   return gone[1] and gone or nil
end

local function compare(server, facts)
   local key = ("%s %s %s"):format(facts.tls, server.socket or server.host, tostring(server.port))
   local earlier, now = offered:get(key) or offered:set(key, {}), {}
   for name in facts.mechanisms:gmatch("[^ \t-\r]+") do
      now[name] = true
      if not earlier[name] and is_known(server, name) then
         earlier[name], changes = true, changes + 1
      end
   end
   local gone = missing(earlier, now)
   complete[server] = not gone and { offer = facts.mechanisms, tls = facts.tls, changes = changes }
      or nil
   return gone
end

--- Mechanisms that this server offered on an earlier connection of this process, and now no more:
-- a sign of a man in the middle, or of a changed server (RFC 4954 9). Remembers those of now, as
-- far as this library knows them.
---@param server smtp.Server
---@param facts table         of a session that heard EHLO
---@return string[]|nil
function mechanisms.downgrade(server, facts)
   if server.transport and not server.host_given then return nil end -- it names no server
   if offered.empty and facts.mechanisms == "" then return nil end
   local last = complete[server]
   if last and last.offer == facts.mechanisms and last.tls == facts.tls
      and last.changes == changes then
      return nil
   end
   return compare(server, facts)
end

return mechanisms
