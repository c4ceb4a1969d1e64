--- The part of a conversation that authenticates: secrets and answers, when the session asks for
-- them. Functions of the caller's own may raise and yield, see smtp.options.user_call.
-- @module smtp.client.login

local core = require "smtp.core"
local credentials = require "smtp.options.credentials"
local mechanisms = require "smtp.client.mechanisms"
local transcript = require "smtp.result.transcript"
local user_call = require "smtp.options.user_call"

local login = {}

local ANSWER_MAX = core.limits.challenge -- bytes

local Login = { __name = "smtp.Login" }
Login.__index = Login

-- A server may know them from an earlier connection, and repeat them before it hears them again.
local known_secrets = setmetatable({}, { __mode = "k" }) -- by server

-- The forms of the secrets that are known before the conversation begins, see transcript.forms.
local function forms_of(server)
   local forms, proxy = known_secrets[server], server.proxy
   if forms then return forms end
   local has_login = server.credentials and server.auth ~= "skip"
   for _, kind in next, has_login and { "password", "token" } or {} do
      local secret = server[kind]
      if type(secret) == "string" then
         forms = transcript.forms(secret, mechanisms.messages(server, secret), forms)
      end
   end
   if proxy and proxy.password then
      forms = transcript.forms(proxy.password, { proxy.username .. ":" .. proxy.password }, forms)
   end
   known_secrets[server] = forms or {}
   return forms
end

--- The transcript of a conversation with this server, without the secrets of its options.
---@param server smtp.Server
function login.transcript(server)
   return transcript.new(forms_of(server))
end

--- What a conversation with this server authenticates with.
---@param server smtp.Server
---@param sock table|userdata   its transport: may a mechanism bind to the TLS connection?
function login.new(server, sock)
   return setmetatable({
      server = server,
      mechanisms = mechanisms.list(server, sock.channel_binding ~= nil), -- those that may be used
      secrets = {},          -- by kind: "password", "token"
      token_renewed = false, -- the token was asked for a second time
      unusable = {},         -- by mechanism: why its start function passed, { state =, text = }
      exchange = nil,        -- the SASL exchange that is going on,
      is_own = nil,          -- whether its mechanism is the caller's own,
      unsaid = nil,          -- and its initial response where that is for the first challenge
      refusal = nil,         -- why a mechanism would not go on
   }, Login)
end

-- A function of the caller's for AUTH failed.
local function fail(conversation, cause, what)
   conversation:fail("auth", cause, what .. ": " .. user_call.text(cause))
end

-- A secret that is a function is called when it is needed, once; a token once more where the server
-- says that it is over, with what the server said. -> the secret | nil after a failure
local function read_secret(self, conversation, kind, renewed)
   local given = self.server[kind]
   if type(given) ~= "function" then return given end
   local said = renewed and (conversation.session:facts().challenge or "") or nil
   local ok, value, cause = user_call.call(function() return given(said) end)
   if not ok then return fail(conversation, value, kind .. " raised an error") end
   if value == nil and cause ~= nil then return fail(conversation, cause, kind .. " failed") end
   local fits, why = credentials.fits(kind, value)
   if value == "" then fits, why = nil, "is empty" end
   if fits then return value end
   return fail(conversation, why, ("what %s returned"):format(kind))
end

local function get_secret(self, conversation, kind, renewed)
   if self.secrets[kind] then return self.secrets[kind] end
   local secret = read_secret(self, conversation, kind, renewed)
   if not secret then return nil end
   self.secrets[kind] = secret
   conversation.transcript:hide(secret, mechanisms.messages(self.server, secret))
   conversation.session:hide(conversation.transcript.secrets)
   return secret
end

--- The session asks for a secret.
function Login:give_secret(conversation)
   local kind, renewed = conversation.session:secret_kind()
   if renewed and not self.token_renewed then
      self.token_renewed, self.secrets.token = true, nil
   end
   local secret = get_secret(self, conversation, kind, renewed)
   if secret then conversation.session:secret(secret) end
end

-- The mechanism passes: the next one is tried.
local function pass(self, conversation, name, why, word)
   self.unusable[name] = { state = self.is_own and "unusable" or word,
      text = type(why) == "string" and conversation.transcript:mask(why) or nil }
   conversation.session:mechanism_out()
end

-- What the start function gave: an initial response or nil, and whether that is all.
local function say_initial(self, conversation, name, initial, is_all)
   local session = conversation.session
   if initial == nil and type(is_all) == "string" then
      self.refusal = is_all
      session:answer_refuse("mechanism")
   elseif initial ~= nil and (type(initial) ~= "string" or #initial > ANSWER_MAX) then
      fail(conversation, type(initial), name
         .. ".start must return a string of at most 9,216 bytes, or nil")
   else
      local said = session:answer(initial, is_all == true)
      self.unsaid = not said and initial and { initial, is_all == true } or nil
   end
end

-- For the start function; nil after a failure.
local function info_of(self, conversation)
   local session, sock = conversation.session, conversation.sock
   local info = mechanisms.info(self.server, session:facts(), self.secrets, sock)
   if sock.failure then return conversation:fail("transport", sock.cause, sock.failure) end
   if not info then return session:broken("system", "random", "") end
   return info
end

-- Before AUTH is said: may it be this mechanism, and what is its initial response?
local function begin_exchange(self, conversation, name)
   local session, server = conversation.session, self.server
   local exchange, is_own = mechanisms.exchange(server, name)
   if server.password and not get_secret(self, conversation, "password") then return end
   if is_own and server.token and not get_secret(self, conversation, "token") then return end
   local info = info_of(self, conversation)
   if not info then return end
   local ok, initial, more, lack, word = user_call.call(function() return exchange:start(info) end)
   if ok and lack and not is_own then return session:broken("system", "resources", more) end
   if not ok then return fail(conversation, initial, name .. ".start raised an error") end
   self.exchange, self.is_own = exchange, is_own
   if initial == false then return pass(self, conversation, name, more, word) end
   say_initial(self, conversation, name, initial, more)
end

local refusals = { protocol = true, server_not_authentic = true, iterations = true }

local function answer_challenge(self, conversation, name, challenge)
   local session, exchange = conversation.session, self.exchange
   local ok, answer, more = user_call.call(function() return exchange:step(challenge) end)
   if not ok then
      fail(conversation, answer, name .. ".step raised an error")
   elseif type(answer) == "string" and #answer <= ANSWER_MAX then
      session:answer(answer, more == true)
   elseif answer ~= nil and answer ~= false then
      fail(conversation, type(answer), name
         .. ".step must return a string of at most 9,216 bytes, or nil and a reason")
   elseif more == "crypto" and not self.is_own then
      session:broken("system", "crypto", "")
   elseif more ~= "again" then
      self.refusal = user_call.text(more)
      session:answer_refuse(refusals[more] and more or "mechanism")
   end
end

--- The session asks for a mechanism's answer.
function Login:give_answer(conversation)
   local name, challenge = conversation.session:challenge()
   local unsaid = self.unsaid
   if challenge == nil then
      begin_exchange(self, conversation, name)
   elseif unsaid then
      self.unsaid = nil
      conversation.session:answer(unsaid[1], unsaid[2])
   else
      answer_challenge(self, conversation, name, challenge)
   end
end

return login
