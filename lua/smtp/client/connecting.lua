--- The connection of a conversation: to the server, or through a proxy.
-- @module smtp.client.connecting

local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"
local tls = require "smtp.client.tls"

local load_tunnel = system.loader "smtp.runtime.tunnel"

local connecting = {}

local kinds = { resolve = true, connect = true, system = true, timeout = true }

-- "resolve:unknown_host", "timeout:resolve" (while looking up) -> what an error needs
local function connect_trouble(why, text, hint)
   local kind, reason = tostring(why):match("^([a-z]+):?(.*)$")
   if not kinds[kind] then kind, reason = "connect", "" end
   local stage = (kind == "resolve" or reason == "resolve") and "resolve" or "connect"
   if reason == "" or kind == "timeout" then reason = kind end
   return { kind = kind, reason = reason, text = text or why, stage = stage, hint = hint }
end

-- The proxy cannot be reached. The hints of a transport are about the option host; that nginx has
-- no resolver is true for both.
local function without_proxy(trouble)
   if trouble.kind == "system" or trouble.reason == "source_address" then return trouble end
   if trouble.reason ~= "no_resolver" then trouble.hint = nil end
   if trouble.reason == "unknown_host" then trouble.retry = "never" end
   trouble.reason, trouble.stage = "proxy_unreachable", "connect"
   return trouble
end

-- To the server, or to its proxy.
local function connect(server, sock, deadline)
   local target, port, proxy = server.host, server.port, server.proxy
   if proxy then
      target, port = proxy.host, proxy.port
   elseif server.socket then
      target = "unix:" .. server.socket
   end
   local ok, why, text, hint = runtime.persist(sock, nil, deadline, "connect", target, port,
      server.source_address)
   if ok then return true end
   if why == "raised" then return nil, sock:trouble "connect" end
   local trouble = connect_trouble(why, text, hint)
   return nil, proxy and without_proxy(trouble) or trouble
end

-- Goes through the proxy. -> true | nil, trouble
local function pass_proxy(conversation, deadline)
   local server = conversation.server
   local tunnel, lack = load_tunnel()
   if not tunnel then return nil, connect_trouble("system", lack.what) end
   local early, trouble = tunnel.open(conversation.sock, server, deadline)
   if early and server.tls == "implicit" then -- before TLS nothing is the server's
      trouble = { kind = "tls", reason = "plaintext", stage = "tls", text = tunnel.shown(early) }
   end
   if trouble then return nil, trouble end
   conversation.early = early
   return true
end

-- Was the connection kept?
local function find_kept(conversation)
   local sock = conversation.sock
   local facts = sock:kept()
   if not facts then return false end
   conversation.facts = facts
   if facts.tls == "on" then conversation.tls = tls.info(conversation.server, sock) end
   return true
end

--- Connect the transport of a conversation, or find a connection that was kept. The conversation
-- then knows the server's `address` and what came `early`; `facts` and `tls` of a connection that
-- was kept; and its `io`.
---@param conversation smtp.Conversation
---@return true|nil
---@return table|nil trouble
function connecting.connect(conversation)
   local server, sock = conversation.server, conversation.sock
   local deadline = core.now() + server.connect_timeout
   if deadline > conversation.deadline then deadline = conversation.deadline end
   local ok, trouble = connect(server, sock, deadline)
   if ok and not (sock.kept and find_kept(conversation)) and server.proxy then
      ok, trouble = pass_proxy(conversation, deadline)
   end
   if not ok then return nil, trouble end
   if not server.proxy and sock.getpeername then conversation.address = sock:getpeername() end
   if sock.io and not (conversation.pace or conversation.observer) then
      conversation.io = sock:io()
   end
   return true
end

return connecting
