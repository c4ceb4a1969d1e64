--- What was said in a conversation, secrets removed by the state of the protocol.
-- @module smtp.transcript

local core = require "smtp.core"

local transcript = {}

local FLIGHTS_KEPT = 24 -- flights that a transcript remembers
local HALF_LINE = 65536 -- bytes of a line that has no end yet

local Transcript = {}
Transcript.__index = Transcript
Transcript.__name = "smtp.Transcript"

--- Start one.
---@param trace? function   called with each line: trace(direction, line)
function transcript.new(trace)
   return setmetatable({ trace = trace, secrets = {}, notes = core.array(FLIGHTS_KEPT * 4),
      noted = 0, known = 0,
      half_line = "" },
      Transcript)
end

-- What base64 shows of `text` wherever it stands within something longer: for each of the three
-- ways in which its octets can fall into groups of three, the characters that are its alone.
local function coded(text, before)
   local first = math.ceil(before * 8 / 6)
   local last = math.floor((before + #text) * 8 / 6)
   return core.base64(("\0"):rep(before) .. text):sub(first + 1, last)
end

-- A server may repeat what we told it; our own secrets are masked wherever they turn up.
--- Never show `text`, nor its base64.
function Transcript:hide(text)
   if #text < 4 then return end
   local list = self.secrets
   list[#list + 1] = (core.base64(text):gsub("%p", "%%%0"))
   for before = 0, 2 do
      list[#list + 1] = (coded(text, before):gsub("%p", "%%%0"))
   end
   list[#list + 1] = (text:gsub("%p", "%%%0"))
end

--- `text` without the secrets of this conversation.
function Transcript:mask(text)
   if text == nil then return nil end
   for i = 1, #self.secrets do text = text:gsub(self.secrets[i], "[secret]") end
   return text
end

local function shown_secret(bytes)
   if bytes == "*\r\n" then return "*" end
   local command = bytes:match("^AUTH %S+")
   if not command then return "[secret]" end
   return command .. (bytes:find("^AUTH %S+ ") and " [secret]" or "")
end

local function shown_message(count)
   return ("(%d bytes of the message)"):format(count)
end

-- Behind "BDAT n" stand n octets of a message; `inside` stand there at first. -> lines, the last
-- command among them
local function shown_commands(bytes, inside)
   local lines, at, command = {}, 1, nil
   while at <= #bytes do
      local count = math.min(inside, #bytes - at + 1)
      if count > 0 then
         lines[#lines + 1] = shown_message(count)
         at = at + count
      end
      local line, stop = bytes:match("^[\r\n]*([^\r\n]+)\r?\n?()", at)
      if not line then break end
      command = line:gsub("[%z\1-\31\127]", "?")
      lines[#lines + 1] = command
      at, inside = stop, tonumber(line:match("^BDAT (%d+)")) or 0
   end
   return lines, command
end

local function shown_replies(self, bytes)
   local lines = {}
   for line in bytes:gmatch("[^\n]+") do
      line = line:gsub("\r$", ""):gsub("[%z\1-\31\127]", "?")
      lines[#lines + 1] = self:mask(line)
   end
   return lines
end

-- A note as lines.
local function shown(self, direction, bytes, kind, inside)
   if kind == "message" then return { shown_message(bytes) } end
   if kind == "secret" then return { bytes } end
   if direction == "S" then return shown_replies(self, bytes) end
   return (shown_commands(bytes, inside or 0))
end

--- Note what was said. Lines are made of it only where somebody wants to see them; what must not be
-- seen is not kept.
---@param direction "C"|"S"|"*"
---@param bytes string|number   of a message: how many
---@param kind "command"|"secret"|"message"
---@param inside? number        so many of the bytes, at their beginning, are a message's
function Transcript:note(direction, bytes, kind, inside)
   if kind == "secret" then bytes = shown_secret(bytes) end
   if direction == "C" and kind ~= "message" then
      self.command, self.command_inside = bytes, inside
   end
   local at, notes = (self.noted - 1) % FLIGHTS_KEPT * 4, self.notes
   if kind == "message" and notes[at + 3] == "message" then
      notes[at + 2] = notes[at + 2] + bytes -- one note, in however many writes it leaves
   else
      at = self.noted % FLIGHTS_KEPT * 4
      self.noted = self.noted + 1
      notes[at + 1], notes[at + 2], notes[at + 3], notes[at + 4] = direction, bytes, kind,
         inside or 0
   end
   if not self.trace then return end
   local lines = shown(self, direction, bytes, kind, inside)
   for i = 1, #lines do self.trace(direction, lines[i]) end
end

-- A server may say its lines bit by bit.
local function heard_more(self, data)
   local notes, at = self.notes, (self.noted - 1) % FLIGHTS_KEPT * 4
   if notes[at + 1] ~= "S" or notes[at + 2]:sub(-1) == "\n" then return false end
   notes[at + 2] = notes[at + 2] .. data
   return true
end

--- What the server says. It is traced by whole lines.
function Transcript:heard(data)
   if not self.trace then
      if not heard_more(self, data) then self:note("S", data, "command") end
      return
   end
   local said = self.half_line .. data
   local last = said:match("^.*()\n")
   self.half_line = said:sub((last or 0) + 1, (last or 0) + HALF_LINE)
   if last then self:note("S", said:sub(1, last), "command") end
end

--- `count` of these bytes left us. Commands are noted once, however many writes they take: `known`
-- are those that stand before the new ones, `inside` so many of the new ones are a message's.
function Transcript:said(bytes, count, kind, inside)
   local known = self.known
   if count == 0 then return end
   if kind == "message" then
      if count > known then self:note("C", count - known, kind) end
      self.known = math.max(0, known - count)
      return
   end
   if #bytes > known then
      self:note("C", bytes:sub(known + 1), kind, inside)
   end
   self.known = #bytes - count
end

--- The last lines, oldest first: "C: EHLO …", "S: 250 …".
function Transcript:lines()
   local list = {}
   local notes = self.notes
   for i = math.max(0, self.noted - FLIGHTS_KEPT), self.noted - 1 do
      local at = i % FLIGHTS_KEPT * 4
      local direction = notes[at + 1]
      local lines = shown(self, direction, notes[at + 2], notes[at + 3], notes[at + 4])
      for j = 1, #lines do list[#list + 1] = direction .. ": " .. lines[j] end
   end
   return list
end

local verbs = { ehlo = "^C: %u%uLO ", starttls = "^C: STARTTLS", auth = "^C: AUTH ",
   mail = "^C: MAIL ", rcpt = "^C: RCPT ", data = "^C: B?DAT", body = "^C: B?DAT",
   final = "^C: B?DAT" }

--- The command that a stage is about, without secrets; the newest one where that is not known.
---@param lines string[]   of the transcript
---@param stage? string
function Transcript:last_command(lines, stage)
   local verb = verbs[stage]
   for i = #lines, verb and 1 or #lines + 1, -1 do
      if lines[i]:find(verb) then return lines[i]:sub(4) end
   end
   return self.command and select(2, shown_commands(self.command, self.command_inside or 0))
end

return transcript
