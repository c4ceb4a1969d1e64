--- How a conversation begins: the transport, the connection, TLS from the first byte, the session.
-- @module smtp.client.opening

local conversations = require "smtp.client.conversation"
local findings = require "smtp.client.findings"
local login = require "smtp.client.login"
local observers = require "smtp.result.observer"
local runtime = require "smtp.runtime.runtime"
local tls = require "smtp.client.tls"
local transcript = require "smtp.result.transcript"

local opening = {}

local kinds = { resolve = true, connect = true, system = true, timeout = true }

-- "resolve:unknown_host", "timeout:resolve" (while looking up) -> what an error needs
local function connect_trouble(why, text, hint)
   local kind, reason = tostring(why):match("^([a-z]+):?(.*)$")
   if not kinds[kind] then kind, reason = "connect", "" end
   local stage = (kind == "resolve" or reason == "resolve") and "resolve" or "connect"
   if reason == "" or kind == "timeout" then reason = kind end
   return { kind = kind, reason = reason, text = text or why, stage = stage, hint = hint }
end

-- The function that makes the transport failed, or this machine lacks something.
local function no_transport(failed)
   if failed.system then
      return { kind = "system", reason = "resources", stage = "connect", text = failed.system }
   end
   return { kind = "source", reason = "transport", stage = "connect", cause = failed.cause,
      is_note = true, sentence = "no connection: " .. failed.what }
end

local function connect(conversation)
   local server, sock = conversation.server, conversation.sock
   local target = server.socket and "unix:" .. server.socket or server.host
   local ok, why, text, hint = runtime.persist(sock, nil, server.connect_timeout,
      conversation.deadline, "connect", target, server.port, server.source_address)
   if ok then return true end
   if why == "raised" then return nil, sock:trouble "connect" end
   return nil, connect_trouble(why, text, hint)
end

-- TLS from the first byte. -> true | nil, trouble
local function secure(conversation)
   local server, sock = conversation.server, conversation.sock
   if server.tls == "implicit" then
      return tls.handshake(conversation, server.reply_timeout)
   end
   if sock:is_secure() then conversation.tls = tls.info(server, sock) end
   return true
end

local function tell_connected(conversation)
   local server = conversation.server
   conversation.observer:tell { name = "connected", host = server.host, port = server.port,
      socket = server.socket, address = conversation.address, reused = conversation.is_kept }
end

-- Connects. -> true, the record of a connection that was kept | nil, trouble
local function reach(conversation)
   local sock = conversation.sock
   local ok, trouble = connect(conversation)
   if not ok then return nil, trouble end
   local record = sock.kept and sock:kept()
   if record then
      conversation.is_kept, conversation.tls = true, record.tls
      return true, record
   end
   if sock.getpeername then conversation.address = sock:getpeername() end
   if sock.io and not (conversation.pace or conversation.observer) then
      conversation.io = sock:io()
   end
   return true
end

-- Connects, and starts a session. -> true | nil, trouble
local function begin(conversation)
   local server, sock = conversation.server, conversation.sock
   local ok, record = reach(conversation)
   if not ok then return nil, record end
   if conversation.observer then tell_connected(conversation) end
   if not record and (server.tls == "implicit" or server.transport) then
      local secured, trouble = secure(conversation)
      if not secured then return nil, trouble end
   end
   if server.mechanisms[1] then conversation.login = login.new(server, sock) end
   conversation:start(runtime.domain(server, sock), record and record.facts)
   return true
end

--- Connect, and start a session; on a connection that was kept, go on with it.
---@param server smtp.Server
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return smtp.Conversation|nil
---@return smtp.Error|nil err
function opening.open(server, deadline, fresh)
   local sock, failed, pace, context = runtime.transport(server, fresh)
   if failed and failed.err then return nil, failed.err end
   local conversation = conversations.new(server, deadline,
      server.credentials and transcript.new(login.known_secrets(server))
         or transcript.without_secrets,
      (server.observe or server.trace) and observers.new(server))
   if not sock then return nil, findings.error(conversation, no_transport(failed)) end
   conversation.sock, conversation.pace, conversation.context = sock, pace, context
   local ok, trouble = begin(conversation)
   local observer = conversation.observer
   if ok and observer and not observer:follow(conversation) then
      conversation:fail(observer.failed, observer.cause)
      ok = nil
   end
   if ok then return conversation end
   conversation:close(trouble)
   return nil, findings.error(conversation, trouble)
end

return opening
