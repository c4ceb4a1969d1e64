--- How a conversation begins: the transport, the connection, TLS from the first byte, the session.
-- @module smtp.client.opening

local connecting = require "smtp.client.connecting"
local conversations = require "smtp.client.conversation"
local findings = require "smtp.client.findings"
local runtime = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"
local tls = require "smtp.client.tls"

local load_login = system.loader "smtp.client.login"
local load_observers = system.loader "smtp.result.observer"

local opening = {}

-- The transcript of a conversation in which there is nothing to mask.
local without_secrets = { secrets = {}, mask = function(_, text) return text end }

-- The function that makes the transport failed, or this machine lacks something.
local function no_transport(failed)
   if failed.system then
      return { kind = "system", reason = "resources", stage = "connect", text = failed.system }
   end
   return { kind = "source", reason = "transport", stage = "connect", cause = failed.cause,
      is_note = true, sentence = "no connection: " .. failed.what }
end

-- TLS from the first byte. -> true | nil, trouble
local function secure(conversation)
   local server, sock = conversation.server, conversation.sock
   if server.tls == "implicit" then
      if conversation.observer then conversation.observer:enter "tls" end
      return tls.handshake(conversation, server.reply_timeout)
   end
   if sock:is_secure() then conversation.tls = tls.info(server, sock) end
   return true
end

local function tell_connected(conversation)
   local server = conversation.server
   conversation.observer:tell { name = "connected", host = server.host, port = server.port,
      socket = server.socket, address = conversation.address,
      reused = conversation.facts ~= nil, proxy = server.proxy and server.proxy.place }
end

-- Connects, and starts a session. -> true | nil, trouble
local function begin(conversation)
   local server, sock = conversation.server, conversation.sock
   if conversation.observer then conversation.observer:enter "connect" end
   local ok, trouble = connecting.connect(conversation)
   if not ok then return nil, trouble end
   if conversation.observer then tell_connected(conversation) end
   if not conversation.facts and (server.tls == "implicit" or server.transport) then
      ok, trouble = secure(conversation)
      if not ok then return nil, trouble end
   end
   if server.mechanisms[1] then conversation.login = load_login().new(server, sock) end
   conversation:start(runtime.domain(server, sock))
   return true
end

-- Most need neither of the modules that are loaded for the others.
local function is_plain(server)
   return not (server.credentials or server.proxy or server.mechanisms[1] or server.observe
      or server.trace)
end

local function has_secrets(server)
   return server.credentials or server.proxy
end

local function is_observed(server)
   return server.observe or server.trace
end

-- Loads what a conversation with this server needs: later it may be in the middle of a message.
-- -> why that cannot be
local function prepare(server)
   local _, err
   if has_secrets(server) or server.mechanisms[1] then _, err = load_login() end
   if not err and is_observed(server) then _, err = load_observers() end
   return err
end

local function new_conversation(server, deadline)
   return conversations.new(server, deadline,
      has_secrets(server) and load_login().transcript(server) or without_secrets,
      is_observed(server) and load_observers().new(server))
end

-- The session has begun: what came with the last answer of a proxy, it hears at once.
-- -> did the caller's functions return?
local function follow(conversation)
   local observer = conversation.observer
   if observer and not observer:follow(conversation) then
      conversation:fail(observer.failed, observer.cause)
      return false
   end
   if conversation.early then conversation:hear(conversation.early) end
   return true
end

--- Connect, and start a session; on a connection that was kept, go on with it.
---@param server smtp.Server
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return smtp.Conversation|nil
---@return smtp.Error|nil err
function opening.open(server, deadline, fresh)
   local plain = is_plain(server)
   local lack = not plain and prepare(server)
   if lack then return nil, lack end
   local sock, failed, pace, context = runtime.transport(server, fresh)
   if failed and failed.err then return nil, failed.err end
   local conversation = plain and conversations.new(server, deadline, without_secrets)
      or new_conversation(server, deadline)
   if not sock then return nil, findings.error(conversation, no_transport(failed)) end
   conversation.sock, conversation.pace, conversation.context = sock, pace, context
   local ok, trouble = begin(conversation)
   if ok and follow(conversation) then return conversation end
   conversation:close(trouble)
   return nil, findings.error(conversation, trouble)
end

--- Bring the opening of a conversation to its end. A server that fails at the harmless chunk gets
-- another conversation, without it; an object as transport has only one connection.
---@return smtp.Conversation|nil   it rests, or has ended
---@return smtp.Error|nil err
function opening.settle(conversation, deadline)
   local server = conversation.server
   conversation:run()
   local is_object = server.transport and type(server.transport) ~= "function"
   if not conversation.session:chunk_failed() or is_object then return conversation end
   conversation:close()
   local other, err = opening.open(server, deadline, true)
   if other then other:run() end
   return other, err
end

return opening
