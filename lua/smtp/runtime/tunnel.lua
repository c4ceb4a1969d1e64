--- The way through a proxy: the dialogue with it, over a transport that is connected to it. What
-- follows its last answer is the server's.
-- @module smtp.runtime.tunnel

local core = require "smtp.core"
local errors = require "smtp.errors"
local http_connect = require "smtp.runtime.http_connect"
local runtime = require "smtp.runtime.runtime"
local socks = require "smtp.runtime.socks"

local tunnel = {}

local dialogues = { socks5 = socks.new, http = http_connect.new }

local PIECE = 65536      -- bytes read at once
local SAID_MAX = 16384   -- bytes that a proxy may say before the connection
local SHOWN_MAX = 400    -- bytes of that in an error

--- What a proxy said, or a server through it, as people may see it.
---@param said string
---@return string
local function shown(said)
   local text = core.printable((said:gsub("\r\n", "\n"):gsub("[ \n]+$", "")))
   return errors.cut(text, SHOWN_MAX, core.limits.cut_mark)
end
tunnel.shown = shown

-- What went wrong in the dialogue, as a trouble of the conversation. Without words of its own it
-- shows what the proxy said that was not read.
local function trouble_of(wrong, unread)
   return { kind = "connect", reason = wrong.reason, stage = "connect",
      text = wrong.text or shown(unread), retry = wrong.retry or "never",
      concerns = wrong.reason == "proxy_auth" and "account" or nil, -- the outbox waits long
      is_closed = wrong.is_closed, is_socks = wrong.is_socks,
      takes_no_password = wrong.takes_no_password }
end

local of_transport = { timeout = "timeout", system = "system" }

-- The transport failed in the dialogue.
local function lost(why, text, unread)
   local kind = of_transport[why]
   if kind then
      local has_words = unread:find("[A-Za-z]")
      return { kind = kind, reason = kind, stage = "connect",
         text = has_words and shown(unread) or text }
   end
   return trouble_of({ reason = "proxy_protocol", retry = "later", is_closed = true,
      text = unread == "" and text ~= "" and text or nil }, unread)
end

-- -> true | nil, why, text
local function send(sock, deadline, bytes)
   while bytes ~= "" do
      local count, why, text, partly = runtime.persist(sock, nil, deadline, "send",
         bytes)
      if why == "again" then count = partly end
      if not count then return nil, why, text end
      if core.now() >= deadline then return nil, "timeout" end
      bytes = bytes:sub(count + 1)
   end
   return true
end

-- -> bytes | nil, why, text
local function receive(sock, deadline)
   if core.now() >= deadline then return nil, "timeout" end
   return runtime.persist(sock, nil, deadline, "receiveany", PIECE)
end

-- Reads what there is. -> what was not read | nil, what went wrong
local function read(dialogue, data)
   while data ~= "" and not dialogue.is_open do
      -- A proxy answers; it has nothing to say before it is asked.
      if dialogue.output then return nil, { reason = "proxy_protocol" } end
      local count, wrong = dialogue:read(data)
      if not count then return nil, wrong end
      if count == 0 then break end
      data = data:sub(count + 1)
   end
   return data
end

-- A read of a whole piece may have left more in a buffer of the transport. After a handshake that
-- would count as encrypted.
local function is_too_much(dialogue, said_len)
   return said_len > SAID_MAX and not dialogue.is_open or said_len >= PIECE
end

--- Have the proxy connect to the server. Any transport will do.
---@param sock table|userdata   connected to the proxy
---@param server smtp.Server
---@param deadline number       core.now() at which it must be over
---@return string|nil early     bytes that the server has sent already; nil: none
---@return table|nil trouble
function tunnel.open(sock, server, deadline)
   local host = server.host:gsub("%%.*$", "") -- a zone of IPv6 means nothing to the proxy
   local dialogue = dialogues[server.proxy.scheme](server.proxy, host, server.port)
   local rest, said_len = "", 0
   while not dialogue.is_open do
      local ok, data, why, text = true, nil, nil, nil
      if dialogue.output then ok, why, text = send(sock, deadline, dialogue.output) end
      dialogue.output = nil
      if ok then data, why, text = receive(sock, deadline) end
      if why == "raised" then return nil, sock:trouble "connect" end
      if not data then return nil, lost(why, text, rest) end
      data, said_len = rest .. data, said_len + #data
      local left, wrong = read(dialogue, data)
      if not wrong and is_too_much(dialogue, said_len) then
         wrong = { reason = "proxy_protocol" }
      end
      if wrong then return nil, trouble_of(wrong, data) end
      rest = left
   end
   return rest ~= "" and rest or nil
end

return tunnel
