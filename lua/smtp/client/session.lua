--- The session of a conversation, made in smtp.core from the options of the server.
-- @module smtp.client.session

local core = require "smtp.core"
local memory = require "smtp.client.memory"

local session = {}

-- The session of a conversation that is over is the next one's: 116 KiB that need not be collected
-- for every message, which took a third of the time of one on a kept connection. Weak, so that what
-- it holds goes with the next collection.
local spare = setmetatable({}, { __mode = "v" })

--- Another conversation may have this session.
function session.give_back(old)
   spare[1] = old
end

--- A session for this conversation, whose transport is connected.
---@param domain string    what EHLO says
---@param facts? table     of the session that had this connection before
---@return userdata
function session.new(conversation, domain, facts)
   local server, sock, tls = conversation.server, conversation.sock, conversation.tls
   local old = spare[1]
   spare[1] = nil
   local new = core.session({
      domain = domain,
      tls = server.tls == "implicit" and "skip" or server.tls,
      tls_on = tls ~= nil,
      tls_verified = tls ~= nil and tls.verified == true,
      auth = server.credentials and server.auth or "skip",
      username = server.username,
      authzid = server.authzid,
      mechanisms = conversation.login.mechanisms,
      mechanisms_named = server.auth_mechanisms ~= nil,
      token_renewable = type(server.token) == "function",
      host = server.host,
      port = server.port,
      secret_in_clear = server.loopback or server.auth_plaintext,
      secret_unverified = not server.tls_verify and server.secret_unverified ~= false,
      lmtp = server.protocol == "lmtp",
      extensions = memory.extensions(server),
      grade = memory.grade(server, conversation),
      flight_max = server.flight_max or 1,
      refused_max = server.refused_max or 0,
      window = sock.duplex == true and 0 or 200,
   }, facts, old)
   local secrets = conversation.transcript.secrets
   if secrets[1] then new:hide(secrets) end
   return new
end

return session
