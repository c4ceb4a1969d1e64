--- What was said in a conversation, for people: as the session keeps it, and without the secrets
-- that a server repeats.
-- @module smtp.result.transcript

local core = require "smtp.core"

local transcript = {}

local Transcript = { __name = "smtp.Transcript" }
Transcript.__index = Transcript

local none = {}

--- The transcript of a new conversation.
---@param secrets? string[]   from transcript.forms, of secrets that are known already
function transcript.new(secrets)
   return setmetatable({ secrets = secrets or none }, Transcript)
end

-- What base64 shows of `text` wherever it is within something longer: for each of the three ways in
-- which its octets can fall into groups of three, the characters that are its alone.
local function coded(text, before)
   local first = math.ceil(before * 8 / 6)
   local last = math.floor((before + #text) * 8 / 6)
   return core.base64(("\0"):rep(before) .. text):sub(first + 1, last)
end

local SECRET_LEN_MIN = 4 -- octets: less may be a part of anything

local function add(list, text)
   if #text < SECRET_LEN_MIN then return end
   for i = 1, #list do
      if list[i] == text then return end
   end
   list[#list + 1] = text
end

local function add_coded(list, text)
   add(list, core.base64(text))
   for before = 0, 2 do add(list, coded(text, before)) end
end

local LONG = 40 -- octets of a secret that a server may cut, or spread over several lines

-- A server may repeat what the client sent: its secrets are masked wherever they appear.

--- All forms in which a secret may be repeated: as it is, in base64, and in that of the messages
--- with which mechanisms send it.
---@param text string
---@param messages string[]
---@param list? string[]     forms of other secrets
---@return string[]          the longest first, which may hold others; `long` has the long ones
function transcript.forms(text, messages, list)
   local forms = {}
   for i = 1, #(list or none) do forms[i] = list[i] end
   if #text < SECRET_LEN_MIN then return forms end
   add(forms, text)
   add(forms, (text:gsub("\t", " "):gsub("[\1-\31\127]", "?"))) -- as it is shown
   add_coded(forms, text)
   for i = 1, #messages do add_coded(forms, messages[i]) end
   table.sort(forms, function(a, b) return #a > #b end)
   forms.long = list and list.long
   if #text >= LONG then
      forms.long = table.concat({ forms.long or "", text, coded(text, 0), coded(text, 1),
         coded(text, 2) }, "\0")
   end
   return forms
end

--- Never show `text` in any form.
function Transcript:hide(text, messages)
   for i = 1, #self.secrets do
      if self.secrets[i] == text then return end
   end
   self.secrets = transcript.forms(text, messages, self.secrets)
end

local MASK = "\1" -- no text that is shown holds it

local function replace(text, secret)
   local at = text:find(secret, 1, true)
   if not at then return text end
   local parts, from = {}, 1
   while at do
      parts[#parts + 1] = text:sub(from, at - 1)
      from = at + #secret
      at = text:find(secret, from, true)
   end
   parts[#parts + 1] = text:sub(from)
   return table.concat(parts, MASK)
end

-- Where does the end of `text` become the beginning of `secret`?
local function cut_at(text, secret)
   local head = secret:sub(1, SECRET_LEN_MIN)
   local at = text:find(head, math.max(1, #text - #secret + 1), true)
   while at and text:sub(at) ~= secret:sub(1, #text - at + 1) do
      at = text:find(head, at + 1, true)
   end
   return at
end

local PROBE, PART_MIN, PLACES_MAX = 4, 8, 16 -- a part of so many octets is found

-- The octets on which `a`, beyond `i`, and `b`, beyond `j`, agree, in steps of 1 or -1.
local function agreement(a, i, b, j, step)
   local count = 0
   while true do
      local octet = a:byte(i + step * (count + 1))
      if not octet or octet == 0 or octet ~= b:byte(j + step * (count + 1)) then return count end
      count = count + 1
   end
end

-- Where does a part of `long` begin and end that holds the octets of `text` at `at`?
local function find_part(text, at, long)
   local probe, place = text:sub(at, at + PROBE - 1), 0
   for _ = 1, PLACES_MAX do
      place = long:find(probe, place + 1, true)
      if not place then return nil end
      local first = at - agreement(text, at, long, place, -1)
      local last = at - 1 + PROBE + agreement(text, at - 1 + PROBE, long, place - 1 + PROBE, 1)
      if last - first + 1 >= PART_MIN then return first, last end
   end
end

-- A server may repeat a long secret in part, or in parts over several lines.
local function mask_parts(text, long)
   local parts, from, at = {}, 1, 1
   while at + PROBE - 1 <= #text do
      local first, last = find_part(text, at, long)
      if first then
         parts[#parts + 1] = text:sub(from, math.max(first, from) - 1)
         from, at = last + 1, last + 1
      else
         at = at + PROBE
      end
   end
   if not parts[1] then return text end
   parts[#parts + 1] = text:sub(from)
   return table.concat(parts, MASK)
end

local function mask_end(text, secrets)
   local first
   for i = 1, #secrets do
      local at = cut_at(text, secrets[i])
      if at and (not first or at < first) then first = at end
   end
   return first and text:sub(1, first - 1) .. MASK or text
end

local CUT = core.limits.cut_mark

--- `text` without the secrets of this conversation, of which one may be there in part where the
-- text was cut.
---@param text? string
---@param cut? boolean   it was cut at its end, though it does not say so
function Transcript:mask(text, cut)
   local secrets = self.secrets
   if text == nil or not secrets[1] then return text end
   for i = 1, #secrets do text = replace(text, secrets[i]) end
   if secrets.long then text = mask_parts(text, secrets.long) end
   if text:sub(-#CUT) == CUT then
      text = mask_end(text:sub(1, -#CUT - 1), secrets) .. CUT
   elseif cut then
      text = mask_end(text, secrets)
   end
   return (text:gsub("\1+", "[secret]"))
end

--- Mask the texts of these replies: a server may repeat a secret in any reply.
---@param ... table[]   lists of replies
function Transcript:mask_replies(...)
   for _, replies in ipairs { ... } do
      for i = 1, #replies do replies[i].text = self:mask(replies[i].text) end
   end
end

--- Mask the lines of a session's transcript.
---@param lines string[]  those that begin with "S" are the server's, which may repeat a secret
---@param open boolean    the server's newest line is not whole
function Transcript:mask_lines(lines, open)
   local newest
   for i = 1, #lines do
      if lines[i]:sub(1, 1) == "S" then
         lines[i] = self:mask(lines[i])
         newest = i
      end
   end
   if open and newest then lines[newest] = self:mask(lines[newest], true) end
end

return transcript
