--- What was said in a conversation, for people: as the session keeps it, and without the secrets
-- that a server repeats.
-- @module smtp.transcript

local core = require "smtp.core"
local guard = require "smtp.guard"

local transcript = {}

local Transcript = {}
Transcript.__index = Transcript
Transcript.__name = "smtp.Transcript"

--- Start one.
---@param trace? function   called with each line: trace(direction, line)
function transcript.new(trace)
   return setmetatable({ trace = trace, traced = 0, secrets = {} }, Transcript)
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

local function split(self, text)
   local list = {}
   for line in text:gmatch("[^\n]+") do
      list[#list + 1] = line:find("^S") and self:mask(line) or line
   end
   return list
end

--- The last lines, oldest first: "C: EHLO …", "S: 250 …".
---@param session? userdata
function Transcript:lines(session)
   return session and split(self, (session:transcript())) or {}
end

--- Trace what the session has said and heard since. A trace that fails is not called again.
---@return boolean
---@return any      what it raised
function Transcript:follow(session)
   local text, mark = session:transcript(self.traced)
   self.traced = mark
   local lines = split(self, text)
   for i = 1, #lines do
      local ok, cause = guard.call(self.trace, lines[i]:match("^(.): (.*)$"))
      if not ok then
         self.trace = nil
         return false, cause
      end
   end
   return true
end

local verbs = { ehlo = "^C: %u%uLO ", starttls = "^C: STARTTLS", auth = "^C: AUTH ",
   mail = "^C: MAIL ", rcpt = "^C: RCPT ", data = "^C: B?DAT", body = "^C: B?DAT",
   final = "^C: B?DAT" }

-- The newest of the lines that fits.
local function newest(lines, pattern)
   for i = #lines, 1, -1 do
      if lines[i]:find(pattern) then return lines[i]:sub(4) end
   end
   return nil
end

--- The command that a stage is about, without secrets; the newest one where that is not known.
---@param lines string[]   of the transcript
---@param stage? string
function transcript.last_command(lines, stage)
   return verbs[stage] and newest(lines, verbs[stage]) or newest(lines, "^C: [^(]")
end

return transcript
