--- The lines of --trace: when, how long a reply took, which side, what.
--
--       0.041           C: EHLO me.example
--       0.080           S: 250-mx.example
--       0.080   +0.039  S: 250 STARTTLS
--
-- C: is the client, S: the server, *: what happened to the connection. The time is in seconds since
-- the start; the second one, on the last line of a reply, since its command has left.
-- @module smtp.cli.trace

local bounded = require "smtp.ground.bounded"
local colors = require "smtp.cli.colors"
local core = require "smtp.core"
local output = require "smtp.cli.output"

local trace = {}

local Trace = { __name = "smtp.Trace" }
Trace.__index = Trace

local reply_colors = { ["4"] = "yellow", ["5"] = "red" }

local function color_of(side, text)
   if side == "C" then return "cyan" end
   if side == "S" then return reply_colors[text:sub(1, 1)] or "green" end
   return "magenta"
end

-- Write one line; `took`: the second time.
local function show(self, seconds, side, text, took)
   local line = ("%s%s: %s"):format(self.label, side, output.shown(text))
   if self.color then line = colors.wrap(color_of(side, text), line) end
   self.write(("%8.3f  %8s  %s\n"):format(seconds, took and ("+%.3f"):format(took) or "", line))
end

-- The bytes of a message that have left since the last line are one line.
local function show_bytes(self)
   if self.bytes == 0 then return end
   show(self, self.bytes_at, "C", ("(%.0f bytes of the message)"):format(self.bytes))
   self.bytes = 0
end

-- By the name of an event.
local notes = {}

function notes.connected(self, event)
   self.waiting, self.asked_at = {}, event.seconds
   local form = (event.host or ""):find(":", 1, true) and "[%s]:%s" or "%s:%s"
   local place = event.socket or form:format(event.host or "?", tostring(event.port))
   local address = event.address and event.address ~= event.host and " (" .. event.address .. ")"
   local proxy = event.proxy and " through the proxy " .. event.proxy or ""
   show(self, event.seconds, "*", "connected to " .. place .. (address or "") .. proxy)
end

function notes.tls(self, event)
   show(self, event.seconds, "*", ("%s, %s, certificate %s"):format(event.version or "TLS",
      event.cipher or "cipher unknown", event.verified and "verified" or "not verified"),
      event.seconds - self.newest_at)
   self.asked_at = event.seconds -- TLS from the first byte: the greeting follows
end

-- A sink reports the bytes of a message as a line, which in a chunk is no command of its own.
function notes.sent(self, event)
   local is_message = event.text:find("^%(%d+ bytes")
   self.waiting[is_message and math.max(1, #self.waiting) or #self.waiting + 1] = event.seconds
   show(self, event.seconds, "C", event.text)
end

-- A chunk is answered when all of it is there.
function notes.message(self, event)
   self.bytes, self.bytes_at = self.bytes + event.bytes, event.seconds
   if self.waiting[1] then self.waiting[#self.waiting] = event.seconds end
end

-- A reply ends with the line that has no - after its code. In LMTP several replies answer the end
-- of a message.
function notes.heard(self, event)
   if event.text:find("^%d%d%d%-") then return show(self, event.seconds, "S", event.text) end
   self.asked_at = table.remove(self.waiting, 1) or self.asked_at
   show(self, event.seconds, "S", event.text, event.seconds - self.asked_at)
end

-- Errors that end a connection by themselves; after a refusal the client closes it.
local is_break = { disconnected = true, timeout = true, protocol = true, tls = true,
   certificate = true, system = true, source = true }

function notes.done(self, event)
   if event.kept then return show(self, event.seconds, "*", "kept open") end
   show(self, event.seconds, "*", is_break[event.kind]
      and "closed: " .. (event.reason or event.kind):gsub("_", " ") or "closed")
end

-- An event's time counts from the beginning of its connection.
local function note_connection(self, event)
   if event.connection == self.connection then return end
   self.connection = event.connection
   self.offset = math.max(0, core.now() - self.began - event.seconds)
end

--- A function for the option `observe` that shows every event.
---@param t? table   write: fun(text), by default to standard error, with colours where that is a
--   terminal; color: boolean, otherwise; label: what is to come before each line, for connections
--   at the same time; began: when their common time began; observe: a function that gets each
--   event as well
---@return fun(event)
function trace.new(t)
   t = t or {}
   local self = setmetatable({
      write = t.write or function(text) io.stderr:write(text) end,
      color = t.color or not t.write and colors.are_on(io.stderr),
      label = t.label and t.label .. " " or "",
      began = t.began or core.now(),
      connection = nil,  -- the number of the newest one,
      offset = 0,        -- and when it began
      waiting = {},      -- when each command without a reply has left, oldest first
      asked_at = 0,      -- when the command that is answered now has left
      newest_at = 0,     -- when the newest event was
      bytes = 0,         -- of the message, since the last line
      bytes_at = 0,
   }, Trace)
   return function(event)
      if t.observe then t.observe(event) end
      local note = notes[event.name]
      if not note then return end
      note_connection(self, event)
      local moved = setmetatable({ seconds = event.seconds + self.offset }, { __index = event })
      if event.name ~= "message" then show_bytes(self) end
      note(self, moved)
      self.newest_at = moved.seconds
   end
end

local names = { C = "sent", S = "heard" }

local CONNECTIONS_MAX = 1000 -- whose commands without a reply are known

--- The same for the option `trace` of a sink: a function of direction, line, and the number of the
-- connection, which is the label.
---@param t? table   write, color: as for trace.new
---@return fun(direction, line, connection)
function trace.lines(t)
   local began, observers = core.now(), bounded.new(CONNECTIONS_MAX)
   t = t or {}
   return function(direction, line, connection)
      local observe = observers:get(connection) or observers:set(connection,
         trace.new { write = t.write, color = t.color, label = tostring(connection) })
      observe { name = names[direction] or "sent", text = line, seconds = core.now() - began }
   end
end

return trace
