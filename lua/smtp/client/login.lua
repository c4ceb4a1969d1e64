--- The part of smtp.drive that authenticates: secrets and answers, whenever the session asks for
-- them. Functions of the user's own may raise and yield, see smtp.guard.
-- @module smtp.client.login

local auth = require "smtp.client.mechanisms"
local guard = require "smtp.options.user_call"

local drive_auth = {}

local call = guard.call

local ANSWER_MAX = 9216 -- octets of a SASL answer: 12,288 in base64 (RFC 4954 4)

-- A function of the user's for AUTH failed.
local function auth_failed(conv, cause, what)
   conv.cause = cause
   conv.session:broken("source", "auth", conv.transcript:mask(what .. ": " .. guard.text(cause)))
end

-- A secret that is a function is called when it is needed, once; a token once more where the server
-- says that it is over, with what the server said. -> the secret | nil after a failure
local function read_secret(conv, kind, renewed)
   local given = conv.server[kind]
   if type(given) ~= "function" then return given end
   local said = renewed and (conv.session:facts().challenge or "") or nil
   local ok, value, cause = call(function() return given(said) end)
   if not ok then return auth_failed(conv, value, kind .. " raised an error") end
   if value == nil and cause ~= nil then return auth_failed(conv, cause, kind .. " failed") end
   local fits, why = auth.fits(kind, value)
   if value == "" then fits, why = nil, "is empty" end
   if fits then return value end
   return auth_failed(conv, why, ("what %s returned"):format(kind))
end

local function get_secret(conv, kind, renewed)
   if conv.secrets[kind] then return conv.secrets[kind] end
   local secret = read_secret(conv, kind, renewed)
   if not secret then return nil end
   conv.secrets[kind] = secret
   conv.transcript:hide(secret, auth.messages(conv.server, secret))
   conv.session:hide(conv.transcript.secrets)
   return secret
end

--- The session wants a secret.
function drive_auth.secret(conv)
   local kind, renewed = conv.session:secret_kind()
   if renewed and not conv.token_renewed then
      conv.token_renewed, conv.secrets.token = true, nil
   end
   local secret = get_secret(conv, kind, renewed)
   if secret then conv.session:secret(secret) end
end

-- Before AUTH is said: may it be this mechanism, and what is its initial response?
local function begin_exchange(conv, name)
   local session, server = conv.session, conv.server
   local exchange, own = auth.exchange(server, name)
   if server.password and not get_secret(conv, "password") then return end
   if own and server.token and not get_secret(conv, "token") then return end
   local info = auth.info(conv)
   if not info then return session:broken("system", "random", "") end
   local ok, initial, more, lack = call(function() return exchange:start(info) end)
   if ok and lack and not own then return session:broken("system", "resources", more) end
   if not ok then return auth_failed(conv, initial, name .. ".start raised an error") end
   if initial == false then
      conv.out[name] = type(more) == "string" and conv.transcript:mask(more)
         or "it cannot be used here"
      return session:mechanism_out()
   elseif initial == nil and type(more) == "string" then
      conv.refusal = more
      return session:answer_refuse("mechanism")
   elseif initial ~= nil and (type(initial) ~= "string" or #initial > ANSWER_MAX) then
      return auth_failed(conv, type(initial), name
         .. ".start must return a string of at most 9,216 octets, or nil")
   end
   conv.exchange, conv.own = exchange, own
   local said = session:answer(initial, more == true)
   conv.unsaid = not said and initial and { initial, more == true } or nil
end

local refusals = { protocol = true, server_not_authentic = true, iterations = true }

local function answer_challenge(conv, name, challenge)
   local session, exchange = conv.session, conv.exchange
   local ok, answer, more = call(function() return exchange:step(challenge) end)
   if not ok then
      auth_failed(conv, answer, name .. ".step raised an error")
   elseif type(answer) == "string" and #answer <= ANSWER_MAX then
      session:answer(answer, more == true)
   elseif answer ~= nil and answer ~= false then
      auth_failed(conv, type(answer), name
         .. ".step must return a string of at most 9,216 octets, or nil and a reason")
   elseif more == "crypto" and not conv.own then
      session:broken("system", "crypto", "")
   elseif more ~= "again" then
      conv.refusal = guard.text(more)
      session:answer_refuse(refusals[more] and more or "mechanism")
   end
end

--- The session wants a mechanism's answer.
function drive_auth.answer(conv)
   local name, challenge = conv.session:challenge()
   local unsaid = conv.unsaid
   if challenge == nil then
      begin_exchange(conv, name)
   elseif unsaid then
      conv.unsaid = nil
      conv.session:answer(unsaid[1], unsaid[2])
   else
      answer_challenge(conv, name, challenge)
   end
end

return drive_auth
