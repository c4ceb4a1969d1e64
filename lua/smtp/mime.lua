--- Text for headers and bodies that has to be 7-bit.
-- @module smtp.mime

local core = require "smtp.core"

local mime = {}

-- The lead bytes of UTF-8 and how many bytes follow each (RFC 3629 4).
local function sequence_at(text, i)
   local a, b = text:byte(i, i + 1)
   if a < 0x80 then return 1 end
   if a >= 0xC2 and a <= 0xDF then return text:find("^[\128-\191]", i + 1) and 2 end
   if not b then return nil end
   if a >= 0xE0 and a <= 0xEF then
      local low, high = a == 0xE0 and 0xA0 or 0x80, a == 0xED and 0x9F or 0xBF
      return b >= low and b <= high and text:find("^[\128-\191]", i + 2) and 3
   end
   if a >= 0xF0 and a <= 0xF4 then
      local low, high = a == 0xF0 and 0x90 or 0x80, a == 0xF4 and 0x8F or 0xBF
      return b >= low and b <= high and text:find("^[\128-\191][\128-\191]", i + 2) and 4
   end
   return nil
end

--- Is it well-formed UTF-8?
function mime.is_utf8(text)
   local i = text:find("[\128-\255]")
   while i and i <= #text do
      local width = sequence_at(text, i)
      if not width then return false end
      i = text:find("[\128-\255]", i + width)
   end
   return true
end

local function q_byte(byte)
   return ("=%02X"):format(byte:byte())
end

-- RFC 2047 4.2, with the characters that 5 (3) leaves free in a phrase.
local function q_encode(text)
   return (text:gsub("[^A-Za-z0-9!*+/ -]", q_byte):gsub(" ", "_"))
end

-- An encoded word has at most 75 octets, of which "=?UTF-8?Q?" and "?=" take 12.
local WORD_ROOM = 63

local function encoded_words(text)
   local words, from, i = {}, 1, 1
   local is_q = #q_encode(text) <= (#text + 2) / 3 * 4
   local encode = is_q and q_encode or core.base64
   local mark = is_q and "Q" or "B"
   while i <= #text do
      local width = sequence_at(text, i)
      if i > from and #encode(text:sub(from, i + width - 1)) > WORD_ROOM then
         words[#words + 1] = ("=?UTF-8?%s?%s?="):format(mark, encode(text:sub(from, i - 1)))
         from = i
      end
      i = i + width
   end
   words[#words + 1] = ("=?UTF-8?%s?%s?="):format(mark, encode(text:sub(from)))
   return table.concat(words, " ")
end

-- What a reader would take for an encoded word, and a word too long for any line, need encoding.
local function is_plain(text)
   if text:find("[^ -~]") or text:find("=?", 1, true) or text:find("^ ") or text:find(" $")
      or text:find("  ", 1, true) then
      return false
   end
   for word in text:gmatch("[^ ]+") do
      if #word > 76 then return false end
   end
   return true
end

--- Free text of a header (RFC 2047 5 (1)): as it is, or as encoded words.
function mime.text(text)
   return (text == "" or is_plain(text)) and text or encoded_words(text)
end

--- A display name (RFC 5322 3.2.5): atoms, a quoted string, or encoded words.
function mime.phrase(text)
   if not is_plain(text) then return encoded_words(text) end
   if not text:find("[^A-Za-z0-9!#$%%&'*+/=?^_`{|}~ -]") then return text end
   return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

--- A header with its lines folded at spaces: none over 78 octets where that can be.
---@param name string
---@param value string   without line ends
---@return string        with CRLF at its end
function mime.header(name, value)
   local lines, line, empty = {}, name .. ":", true
   for space, word in value:gmatch("( *)([^ ]+)") do
      if not empty and #line + #space + #word > 78 then
         lines[#lines + 1] = line
         line = ""
      end
      line = line .. (space == "" and " " or space) .. word
      empty = false
   end
   lines[#lines + 1] = line
   return table.concat(lines, "\r\n") .. "\r\n"
end

local function base64_lines(text)
   return (core.base64(text):gsub(("."):rep(76), "%0\r\n"))
end

-- One line of quoted-printable (RFC 2045 6.7): soft line ends at 76, none within an escape.
local function quoted_line(text)
   text = text:gsub("[^\t !-<>-~]", q_byte):gsub("[\t ]$", q_byte)
   local lines = {}
   while #text > 76 do
      local cut = 75
      if text:sub(cut, cut) == "=" then
         cut = cut - 1
      elseif text:sub(cut - 1, cut - 1) == "=" then
         cut = cut - 2
      end
      lines[#lines + 1] = text:sub(1, cut) .. "="
      text = text:sub(cut + 1)
   end
   lines[#lines + 1] = text
   return table.concat(lines, "\r\n")
end

local function crlf(text)
   return (text:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
end

--- A body that is 7-bit, by content: as it is, quoted-printable or base64, whichever is shorter.
---@param text string
---@return string encoding   "7bit", "quoted-printable" or "base64"
---@return string body       with CRLF line ends
function mime.body(text)
   text = crlf(text)
   local plain = not text:find("[\128-\255]") and not text:find("[%z\1-\8\11\12\14-\31\127]")
   if plain then
      for line in text:gmatch("[^\n]+") do
         if #line > 999 or line:find("^From ") then plain = false end
      end
   end
   if plain then return "7bit", text end
   local _, special = text:gsub("[^\t\r\n !-<>-~]", "")
   if special * 3 > #text then return "base64", base64_lines(text) end
   local lines = {}
   for line in (text .. "\r\n"):gmatch("(.-)\r\n") do
      lines[#lines + 1] = quoted_line(line)
   end
   return "quoted-printable", table.concat(lines, "\r\n")
end

return mime
