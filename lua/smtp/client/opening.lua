--- How a conversation begins: the transport, the connection, TLS from the first byte, the session.
-- @module smtp.client.opening

local conversations = require "smtp.client.conversation"
local core = require "smtp.core"
local login = require "smtp.client.login"
local progress = require "smtp.result.progress"
local runtime = require "smtp.runtime.runtime"
local sessions = require "smtp.client.session"
local tls = require "smtp.client.tls"
local transcript = require "smtp.result.transcript"

local opening = {}

local now = core.now

local sentences = {
   resolve = "has no address", connect = "cannot be reached", system = "cannot be connected to",
   timeout = "did not answer in time",
}

-- "resolve:unknown_host", "timeout:resolve" (while looking up) -> what an error needs
local function connect_trouble(why, text, hint)
   local kind, reason = tostring(why):match("^([a-z]+):?(.*)$")
   if not sentences[kind] then kind, reason = "connect", "" end
   local stage = (kind == "resolve" or reason == "resolve") and "resolve" or "connect"
   if reason == "" or kind == "timeout" then reason = kind end
   return { kind = kind, reason = reason, text = text or why, stage = stage, hint = hint,
      sentence = sentences[kind] }
end

-- The function that makes the transport failed, or this machine lacks something.
local function no_transport(failed)
   if failed.system then
      return { kind = "system", reason = "resources", stage = "connect", text = failed.system,
         sentence = sentences.system }
   end
   return { kind = "source", reason = "transport", stage = "connect", cause = failed.cause,
      sentence = "is not connected to: " .. failed.what }
end

local function connect(conversation)
   local server, sock = conversation.server, conversation.sock
   local deadline = math.min(now() + server.connect_timeout, conversation.deadline)
   local ok, why, text, hint
   local target = server.socket and "unix:" .. server.socket or server.host
   repeat
      local ms = math.max(0, math.ceil((deadline - now()) * 1000))
      sock:settimeouts(ms, ms, ms)
      ok, why, text, hint = sock:connect(target, server.port, server.source_address)
   until ok or why ~= "again"
   if ok then return true end
   if why == "raised" then return nil, sock:trouble "connect" end
   return nil, connect_trouble(why, text, hint)
end

local function tracer(trace)
   if trace ~= true then return trace or nil end
   return function(direction, line) io.stderr:write(direction, ": ", line, "\n") end
end

-- Connects, and starts TLS where it is on from the first byte. -> true, the record of a connection
-- that was kept | nil, trouble
local function reach(conversation)
   local server, sock = conversation.server, conversation.sock
   local ok, trouble = connect(conversation)
   conversation.connected = now()
   if not ok then return nil, trouble end
   local record = sock.kept and sock:kept()
   if record then return true, record end
   if sock.getpeername then conversation.address = sock:getpeername() end
   if server.tls == "implicit" then
      return tls.handshake(conversation,
         math.min(conversation.deadline - now(), server.reply_timeout))
   end
   if server.transport and sock:is_secure() then conversation.tls = tls.info(server, sock) end
   return true
end

--- Connect, and start a session; on a connection that was kept, go on with it.
---@param server smtp.Server
---@param context any        from runtime.context
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return table|nil conversation
---@return table|nil failed   the conversation for the error,
---@return table|nil trouble  and the trouble
function opening.open(server, context, deadline, fresh)
   local watch = progress.watcher(server.trace)
   local conversation = conversations.new(server, deadline,
      transcript.new(not watch and tracer(server.trace), login.known_secrets(server)), watch)
   local sock, failed = runtime.transport(server, context, fresh)
   if not sock then return nil, conversation, no_transport(failed) end
   conversation.sock, conversation.context, conversation.pace = sock, context, runtime.pace()
   local ok, record = reach(conversation)
   if not ok then
      sock:close()
      return nil, conversation, record
   end
   conversation.login = login.new(server, sock)
   if record then
      conversation.is_kept, conversation.tls = true, record.tls
   end
   conversation.session = sessions.new(conversation, runtime.domain(server, sock),
      record and record.facts)
   conversation.moved = now()
   if not server.transport and sock.io and not conversation.pace then
      conversation.io = sock:io()
   end
   return conversation
end

return opening
