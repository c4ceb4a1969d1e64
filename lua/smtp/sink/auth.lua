--- AUTH as the sink offers it: the server's side of each mechanism that smtp.send has.
--
-- A mechanism is a function that runs in a coroutine of its own and reads from top to bottom:
-- ask(challenge) says 334 and gives the client's answer, both without their base64. It returns the
-- user and the identity to act as, or nothing, which is 535. No reason is given, as real ones do:
-- RFC 5802 7 leaves e= to the server, and 535 has the same news for a client of any mechanism.
-- @module smtp.sink.auth

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local sasl = require "smtp.client.sasl"

local sink_auth = {}

local ask = coroutine.yield

-- The first message of the client: its initial response, or its answer to an empty challenge.
local function opening(x)
   return x.initial or ask ""
end

-- A saslname (RFC 5801 4), nil where it is none.
local function read_name(text)
   local name = text:gsub("=2[Cc]", ","):gsub("=3[Dd]", "\0")
   if name:find("=", 1, true) then return nil end
   return (name:gsub("%z", "="))
end

-- ---- passwords that are shown ----

local function plain(x)
   local authzid, user, password = opening(x):match("^(%Z*)%z(%Z*)%z(%Z*)$")
   if user and x.auth.users[user] == password then return user, authzid end
end

local function login(x)
   local user = x.initial or ask "Username:"
   local password = ask "Password:"
   if x.auth.users[user] == password then return user end
end

-- ---- passwords that are proved ----

local function cram_md5(x)
   local challenge = ("<%s@%s>"):format(sasl.nonce(), x.domain)
   local answer = ask(challenge)
   local user = answer:match("^(.*) %x+$")
   local password = user and x.auth.users[user]
   local expected = password and sasl.cram_md5(x.auth.crypto, user, password, challenge)
   if expected and answer == expected then return user end
end

-- What c= must contain after the GS2 header; nil if the client may not go on. With y the client
-- takes the sink for a server that cannot bind: if it can, its offer was changed on the way (RFC
-- 5802 6).
local function bound(x, flag, kind)
   if flag == "p" then return x.binds and kind == "=" .. x.binding_type and x.binding or nil end
   if x.binds or kind ~= "" or flag == "y" and x.offers_plus then return nil end
   return ""
end

-- client-first-message (RFC 5802 7)
local function read_first(x, text)
   local header, flag, kind, authzid, bare =
      text:match("^(([nyp])([^,]*),([^,]*),)(n=[^,]+,r=[!-~]+)$")
   local data = header and bound(x, flag, kind)
   local user, nonce = (bare or ""):match("^n=([^,]+),r=([^,]+)")
   authzid = authzid == "" and "" or (authzid or ""):match("^a=(.+)")
   user, authzid = user and read_name(user), authzid and read_name(authzid)
   if not (data and user and authzid) then return nil end
   return { bare = bare, channel = header .. data, nonce = nonce, user = user, authzid = authzid }
end

-- client-final-message. -> what precedes the proof, c, r, the proof
local function read_final(text)
   local bare, channel, nonce, proof = text:match("^(c=([^,]*),r=([^,]*).*),p=([^,]*)$")
   if not bare then return nil end
   return bare, core.base64_decode(channel), nonce, core.base64_decode(proof)
end

local function xor(a, b)
   local out = {}
   for i = 1, #a do
      local x, y, byte = a:byte(i), b:byte(i), 0
      for place = 0, 7 do
         if math.floor(x / 2 ^ place) % 2 ~= math.floor(y / 2 ^ place) % 2 then
            byte = byte + 2 ^ place
         end
      end
      out[i] = string.char(byte)
   end
   return table.concat(out)
end

-- An unknown user has a random password.
local function salted_password(x, user, salt)
   local password, crypto = x.auth.users[user] or sasl.nonce(), x.auth.crypto
   return crypto.pbkdf2(x.hash, crypto.saslprep(password) or password, salt, x.auth.iterations)
end

-- ClientProof and ServerSignature (RFC 5802 3)
local function signatures(x, salted, message)
   local hash, crypto = x.hash, x.auth.crypto
   local client_key = crypto.hmac(hash, salted, "Client Key")
   local signature = crypto.hmac(hash, crypto.digest(hash, client_key), message)
   local server_key = crypto.hmac(hash, salted, "Server Key")
   return xor(client_key, signature), crypto.hmac(hash, server_key, message)
end

local function scram(x)
   local first = read_first(x, opening(x))
   if not first then return nil end
   local salt, ours = core.random(16), first.nonce .. sasl.nonce()
   local said = ("r=%s,s=%s,i=%d"):format(ours, core.base64(salt), x.auth.iterations)
   local bare, channel, nonce, proof = read_final(ask(said))
   if channel ~= first.channel or nonce ~= ours then return nil end
   local wanted, signature = signatures(x, salted_password(x, first.user, salt),
      table.concat({ first.bare, said, bare }, ","))
   if proof ~= wanted then return nil end
   -- 235 has no room for what the server proves (RFC 4954 4).
   if ask("v=" .. core.base64(signature)) ~= "" then return nil end
   return first.user, first.authzid
end

-- ---- tokens ----

-- The owner of the token in these key/value pairs; `name` may be empty (RFC 7628 3.1). A failure
-- is said in a challenge, whose answer means nothing (RFC 7628 3.2.3).
local function owner(x, name, pairs_said)
   local token = pairs_said and pairs_said:match("\1auth=[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)\1")
   if name and token then
      for user, known in next, x.auth.tokens do
         if known == token and (name == "" or name == user) then return user end
      end
   end
   ask(('{"status":"%s"}'):format(name and token and "invalid_token" or "invalid_request"))
end

local function xoauth2(x)
   return owner(x, opening(x):match("^user=([^\1]+)(\1.*\1\1)$"))
end

local function oauthbearer(x)
   local name, pairs_said = opening(x):match("^[ny],([^,]*),(\1.*\1\1)$")
   name = name == "" and "" or (name or ""):match("^a=(.+)")
   return owner(x, name and read_name(name), pairs_said)
end

-- ---- known from elsewhere ----

local function external(x)
   local authzid = opening(x)
   return x.auth.external, authzid
end

-- ---- all of them ----

-- needs: which of the options. binds: to the TLS connection. server_first: it has no opening.
local known = {
   PLAIN = { run = plain, needs = "users" },
   LOGIN = { run = login, needs = "users" },
   XOAUTH2 = { run = xoauth2, needs = "tokens" },
   OAUTHBEARER = { run = oauthbearer, needs = "tokens" },
   EXTERNAL = { run = external, needs = "external" },
   ["CRAM-MD5"] = { run = cram_md5, needs = "users", hash = "MD5", server_first = true },
}

for name, hash in next, { ["SCRAM-SHA-1"] = "SHA1", ["SCRAM-SHA-256"] = "SHA256",
   ["SCRAM-SHA-512"] = "SHA512" } do
   known[name] = { run = scram, needs = "users", hash = hash }
   known[name .. "-PLUS"] = { run = scram, needs = "users", hash = hash, binds = true }
end

local known_names = {}
for name in next, known do known_names[#known_names + 1] = name end
table.sort(known_names, ascii.before)

--- The mechanisms that the sink has, by name, and their names in order.
sink_auth.known, sink_auth.known_names = known, known_names

--- The mechanisms to offer on a connection.
---@param auth table         from check
---@param can_bind boolean   it has a channel binding
---@return string[]
function sink_auth.names(auth, can_bind)
   local names = {}
   for i = 1, #auth.mechanisms do
      local name = auth.mechanisms[i]
      if can_bind or auth.own[name] or not known[name].binds then names[#names + 1] = name end
   end
   return names
end

-- ---- an exchange ----

local Exchange = { __name = "smtp.SinkExchange" }
Exchange.__index = Exchange

--- Begin with a mechanism.
---@param auth table       from check
---@param name string      as the client says it
---@param channel table    binding_type, binding: of the connection, or nil; domain
---@return table|nil       nil: it is not offered here
function sink_auth.exchange(auth, name, channel)
   local names = sink_auth.names(auth, channel.binding ~= nil)
   for i = 1, #names do
      local entry = names[i] == ascii.upper(name) and (auth.own[names[i]] or known[names[i]])
      if entry then
         return setmetatable({ auth = auth, hash = entry.hash, binds = entry.binds,
            server_first = entry.server_first, domain = channel.domain,
            binding_type = channel.binding_type, binding = channel.binding,
            offers_plus = channel.binding and auth.has_plus,
            thread = coroutine.create(entry.run) }, Exchange)
      end
   end
end

local function not_empty(text)
   return text ~= "" and text or nil
end

local function resume(self, begins, answer)
   if not begins then return coroutine.resume(self.thread, answer) end
   self.begun, self.initial = true, answer
   return coroutine.resume(self.thread, self, ask)
end

--- Take what the client says next. When the exchange is `over`, `user` is set if it succeeded, and
-- `authzid` if the client gave one.
---@param text string|nil   in base64; nil: the command had no initial response
---@return string           the reply
function Exchange:step(text)
   local answer, begins = text and core.base64_decode(text), not self.begun
   self.over = true
   if text and not answer then return "501 5.5.2 that is not base64" end
   if begins and text and self.server_first then
      return "501 5.7.0 here the server begins" -- RFC 4954 4
   end
   local ok, said, authzid = resume(self, begins, answer)
   if not ok then error(said, 0) end
   self.over = coroutine.status(self.thread) == "dead"
   if not self.over then return "334 " .. core.base64(said) end
   self.user, self.authzid = said, not_empty(authzid)
   return said and "235 2.7.0 welcome" or "535 5.7.8 authentication failed"
end

return sink_auth
