--- Mechanisms of AUTH for a session: which it may use, and for each that was not used, why.
-- @module smtp.client.mechanisms

local credentials = require "smtp.options.credentials"
local names = require "smtp.options.names"
local sasl = require "smtp.client.sasl"

local mechanisms = {}

local known, by_name = names.mechanisms, names.mechanisms.by_name

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
-- credentials.exclusions.
local texts = {
   unknown = "not known here",
   not_named = "not in auth_mechanisms",
   only_named = "only where auth_mechanisms names it",
   needs_password = "it needs a password",
   needs_token = "it needs a token",
   no_authzid = "it has no place for authzid",
   no_binding = "the transport has no channel binding",
}

--- Complete what became of each mechanism that the server offers: { name =, state = a word of
-- session:mechanisms() or of `texts`, text = for people }.
---@param list table[]     session:mechanisms()
---@param unusable table   by name: { state =, text = }, from the start functions of mechanisms
---@return table<string, string>   name to text
function mechanisms.explain(list, server, unusable)
   local exclusions, text_of = credentials.exclusions(server, list), {}
   for i = 1, #list do
      local one = list[i]
      if one.state == "unlisted" then
         one.state = exclusions[i] or "no_binding"
         one.text = texts[one.state]
      elseif one.state == "unusable" then
         local why = unusable[one.name]
         one.state, one.text = why.state or one.state, why.text or one.text
      elseif one.state == "answered" then
         one.text = one.text .. " " .. one.code
      end
      text_of[one.name] = one.text
   end
   return text_of
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

return mechanisms
