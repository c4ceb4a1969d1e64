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
   return setmetatable({ trace = trace, secrets = {}, notes = {}, noted = 0, half_line = "" },
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

local function shown(self, direction, bytes, kind)
   if kind == "message" then return { ("(%d bytes of the message)"):format(#bytes) } end
   if kind == "secret" then return { shown_secret(bytes) } end
   local lines = {}
   for line in bytes:gmatch("[^\n]+") do
      line = line:gsub("\r$", ""):gsub("[%z\1-\31\127]", "?")
      lines[#lines + 1] = direction == "S" and self:mask(line) or line
   end
   return lines
end

--- Note what was said. Lines are made of it only where somebody wants to see them.
---@param direction "C"|"S"|"*"
---@param bytes string
---@param kind "command"|"secret"|"message"
function Transcript:note(direction, bytes, kind)
   if direction == "C" and kind ~= "message" then
      self.command = kind == "secret" and shown_secret(bytes) or bytes
   end
   local at = self.noted % FLIGHTS_KEPT * 3
   self.noted = self.noted + 1
   self.notes[at + 1], self.notes[at + 2] = direction, kind
   self.notes[at + 3] = kind == "command" and bytes or shown(self, direction, bytes, kind)
   if not self.trace then return end
   local lines = shown(self, direction, bytes, kind)
   for i = 1, #lines do self.trace(direction, lines[i]) end
end

--- What the server says is noted by whole lines.
function Transcript:heard(data)
   local said = self.half_line .. data
   local last = said:match("^.*()\n")
   self.half_line = said:sub((last or 0) + 1, (last or 0) + HALF_LINE)
   if last then self:note("S", said:sub(1, last), "command") end
end

--- `count` of these bytes left us. Commands are noted once, however many writes they take.
function Transcript:said(bytes, count, kind)
   if count == 0 then return end
   if kind == "message" then
      self:note("C", bytes:sub(1, count), kind)
   elseif not self.begun then
      self:note("C", bytes, kind)
   end
   self.begun = count < #bytes
end

--- The last lines, oldest first: "C: EHLO …", "S: 250 …".
function Transcript:lines()
   local list = {}
   for i = math.max(0, self.noted - FLIGHTS_KEPT), self.noted - 1 do
      local at = i % FLIGHTS_KEPT * 3
      local direction, kind, said = self.notes[at + 1], self.notes[at + 2], self.notes[at + 3]
      local lines = type(said) == "table" and said or shown(self, direction, said, kind)
      for j = 1, #lines do list[#list + 1] = direction .. ": " .. lines[j] end
   end
   return list
end

--- The newest command, without secrets.
function Transcript:last_command()
   return self.command and self.command:match("([^\r\n]+)[\r\n]*$")
end

return transcript
