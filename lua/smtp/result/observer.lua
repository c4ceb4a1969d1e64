--- What a conversation reports to the caller's functions while it goes on: `observe`, `trace`, and
-- the progress bar get the same events.
-- @module smtp.result.observer

local core = require "smtp.core"
local user_call = require "smtp.options.user_call"

local now = core.now

local Observer = { __name = "smtp.Observer" }
Observer.__index = Observer

local STEP = 1024 -- bytes sent or heard at once: the session keeps only so many lines

local count = 0 -- conversations that were observed in this process

local directions = { sent = "C", heard = "S", tls = "*" } -- of events, for trace

-- `trace` as a function of events: the lines of the dialogue. The bytes of a message are one line.
local function of_trace(trace)
   if trace == true then
      trace = function(direction, line) io.stderr:write(direction, ": ", line, "\n") end
   end
   local bytes = 0
   return function(event)
      local direction = directions[event.name]
      if event.name == "message" then bytes = bytes + event.bytes end
      if direction and bytes > 0 then
         local text = ("(%d bytes of the message)"):format(bytes)
         bytes = 0
         trace("C", text)
      end
      if direction then trace(direction, event.text or "TLS") end
   end
end

--- The observer of a new conversation.
---@param server table   the options of the connection: `trace` or `observe`, or both
---@return table
local function new(server)
   count = count + 1
   return setmetatable({
      trace = server.trace and of_trace(server.trace), observe = server.observe,
      connection = count,
      host = server.host, port = server.port, socket = server.socket,
      began = now(),
      has_session = false, -- the session has begun
      mark = 0,          -- of the session's lines: see session:news
      stage = nil,       -- the stage that was reported last
      entered = nil,     -- when that was
      bytes = 0,         -- of messages, that the lines up to `mark` contain
      reported = 0,      -- of messages, that events contain
      size = nil,        -- bytes of the message that is sent now
      sent_bytes = 0,    -- to the server, inside TLS or not
      heard_bytes = 0,   -- from it
      failed = nil,      -- "trace" or "observe": it raised an error
      cause = nil,       -- what it raised
      is_done = false,   -- the event "done" was reported
   }, Observer)
end

local function call(self, name, event)
   local fn = self[name]
   if not fn or self.failed then return end
   local ok, cause = user_call.call(fn, event)
   if not ok then self.failed, self.cause = name, cause end
end

--- Report one event. After an error of the caller's function nothing more is reported.
---@param event table   its fields without `seconds` and `connection`
---@return boolean      did the caller's functions return?
function Observer:tell(event)
   event.seconds, event.connection = now() - self.began, self.connection
   call(self, "trace", event)
   call(self, "observe", event)
   return not self.failed
end

local function tell_bytes(self, total)
   local bytes = total - self.reported
   if bytes <= 0 then return end
   self.reported = total
   self:tell { name = "message", bytes = bytes, size = self.size }
end

-- A line of the session's news, as an event.
local function tell_line(self, conv, side, value, stage)
   if side == "M" then
      self.bytes = self.bytes + value
      tell_bytes(self, self.bytes)
   elseif side == "C" then
      self:tell { name = "sent", text = value, stage = stage }
   elseif side == "S" then
      self:tell { name = "heard", text = conv.transcript:mask(value), stage = self.stage }
   else
      local tls = conv.tls or {}
      self:tell { name = "tls", version = tls.version, cipher = tls.cipher,
         verified = tls.verified, resumed = tls.resumed }
   end
end

--- The conversation has reached this stage.
---@param stage string
function Observer:enter(stage)
   if stage == self.stage then return end
   local ended, began = self.stage, self.entered
   self.stage, self.entered = stage, now()
   self:tell { name = "stage", stage = stage, ended = ended, took = ended and self.entered - began }
end

--- Report that the conversation is over. What the caller's functions raise now changes nothing.
---@param trouble? table   why it broke
---@param is_kept? boolean the connection stays open for another conversation
function Observer:done(trouble, is_kept)
   if self.is_done then return end
   self.is_done = true
   self:tell { name = "done", kind = trouble and trouble.kind, reason = trouble and trouble.reason,
      host = self.host, port = self.port, socket = self.socket, kept = is_kept or false,
      ended = self.stage, took = now() - self.entered,
      sent_bytes = self.sent_bytes, heard_bytes = self.heard_bytes }
end

--- Report what the session has sent and heard since.
---@return boolean   did the caller's functions return?
function Observer:follow(conv)
   local session = conv.session
   conv:note_failure() -- the caller's functions may yield
   if not self.has_session then
      self.has_session = true
      self:enter(session:stage())
   end
   local news
   news, self.mark = session:news(self.mark)
   for i = 1, news and #news or 0, 3 do
      tell_line(self, conv, news[i], news[i + 1], news[i + 2])
   end
   self:enter(session:stage())
   return not self.failed
end

--- The session hears what has arrived, line by line.
---@return boolean   did the caller's functions return?
function Observer:heard(conv, data)
   local at, session = 1, conv.session
   self.heard_bytes = self.heard_bytes + #data
   while at <= #data and not self.failed do
      local stop = math.min(data:find("\n", at, true) or #data, at + STEP - 1)
      session:heard(data:sub(at, stop))
      self:follow(conv)
      at = stop + 1
   end
   return not self.failed
end

--- So many bytes of the session's output have left.
---@return boolean   did the caller's functions return?
function Observer:sent(conv, len)
   local session = conv.session
   self.sent_bytes = self.sent_bytes + len
   -- The bytes of a message are no lines, and of a known size one command says it.
   local step = self.size and self.stage == "body" and math.max(len, 1) or STEP
   for at = 0, len - 1, step do
      session:sent(math.min(len - at, step))
      self:follow(conv)
   end
   tell_bytes(self, session:octets())
   return not self.failed
end

local function count_accepted(recipients)
   local accepted = 0
   for i = 1, #recipients do
      if recipients[i].state == "accepted" then accepted = accepted + 1 end
   end
   return accepted
end

--- Report what became of a message. What the caller's function raises now changes nothing, and one
-- that has raised is not called again.
---@param observe? fun(event: smtp.Event)
---@param receipt? smtp.Receipt
---@param err? smtp.Error
---@param seconds? number   that the message took, where there is no receipt
local function tell_result(observe, receipt, err, seconds)
   if not observe or err and err.kind == "source" and err.reason == "observe" then return end
   local recipients = (receipt or err).recipients or {}
   local accepted = count_accepted(recipients)
   user_call.call(observe, { name = "result", seconds = receipt and receipt.seconds or seconds,
      kind = err and err.kind, reason = err and err.reason, size = receipt and receipt.size,
      accepted = accepted, refused = #recipients - accepted })
end

return { new = new, tell_result = tell_result }
