--- TLS of a conversation: the handshake, and whether the server counts as verified.
-- @module smtp.client.tls

local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"

local tls = {}

--- What an error needs, from the word of a failed handshake: "certificate:expired", or
-- "certificate:unknown_issuer:root", whose last part is its case.
---@param why string
---@return table trouble
function tls.trouble(why, text, hint)
   local kind, reason, case = why:match("^([a-z]+):([^ :\t-\r]+):?([^ \t-\r]*)$")
   if kind ~= "certificate" and kind ~= "tls" then
      kind, reason, case = "tls", "handshake", ""
   end
   return { kind = kind, reason = reason, case = case ~= "" and case or nil, stage = "tls",
      text = text or why, hint = hint }
end

-- The words of a failed handshake that say nothing about TLS.
local other_troubles = {
   timeout = { "timeout", "timeout" }, closed = { "disconnected", "closed" },
   reset = { "disconnected", "closed" },
   protocol = { "protocol", "tls_flood" }, system = { "system", "resources" },
}

-- Verdicts on the server's certificate that are certain, whatever the state of OpenSSL.
local is_certain = { ["certificate:expired"] = true, ["certificate:not_yet_valid"] = true,
   ["certificate:wrong_host"] = true, ["certificate:self_signed"] = true,
   ["certificate:pin_mismatch"] = true }

--- What is known about TLS that is on. Whether the server is verified is decided here and nowhere
-- else: the sockets of this library know it, and a transport of the caller's declares it.
---@return table   version, cipher, verified, resumed
function tls.info(server, sock)
   local info = sock.tlsinfo and sock:tlsinfo()
   if not server.transport then return info or { verified = server.tls_verify } end
   info = info or {}
   return { version = info.version, cipher = info.cipher, resumed = info.resumed,
      verified = sock:is_secure() }
end

--- Start TLS on the connection of a conversation, which then knows its `tls`.
---@param conversation smtp.Conversation
---@param seconds number   how long it may take, until the deadline at most
---@return true|nil
---@return table|nil trouble
function tls.handshake(conversation, seconds)
   local server, sock = conversation.server, conversation.sock
   local deadline = math.min(conversation.deadline, core.now() + seconds)
   local ok, why, text, hint = runtime.persist(sock, nil, deadline,
      "sslhandshake", nil, server.tls_host or server.host, server.tls_verify, conversation.context)
   if ok then
      conversation.tls = tls.info(server, sock)
      return true
   end
   if why == "raised" then return nil, sock:trouble "tls" end
   local other = other_troubles[why]
   if why == "system" or not other and not is_certain[why] then
      runtime.forget_tls(conversation.context)
   end
   if not other then return nil, tls.trouble(why, text, hint) end
   return nil, { kind = other[1], reason = other[2], stage = "tls",
      text = text ~= "" and text or nil }
end

return tls
