--- The text of received messages in UTF-8: character sets, and encoded words (RFC 2047).
--
-- The messages come from any client: whatever they contain, these functions return, in time that
-- grows with the length of the text.
-- @module smtp.sink.words

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"

local words = {}

-- ---- character sets ----

-- The bytes of windows-1252 from 128 to 159. Mail that is labelled ISO-8859-1 contains these too.
local windows = { [128] = "€", [130] = "‚", [131] = "ƒ", [132] = "„", [133] = "…", [134] = "†",
   [135] = "‡", [136] = "ˆ", [137] = "‰", [138] = "Š", [139] = "‹", [140] = "Œ", [142] = "Ž",
   [145] = "‘", [146] = "’", [147] = "“", [148] = "”", [149] = "•", [150] = "–", [151] = "—",
   [152] = "˜", [153] = "™", [154] = "š", [155] = "›", [156] = "œ", [158] = "ž", [159] = "Ÿ" }

local latin_9 = { [164] = "€", [166] = "Š", [168] = "š", [180] = "Ž", [184] = "ž", [188] = "Œ",
   [189] = "œ", [190] = "Ÿ" }

local function reader_of(special)
   local map = {}
   for byte = 128, 255 do
      map[string.char(byte)] = special[byte]
         or string.char(192 + math.floor(byte / 64), 128 + byte % 64)
   end
   return function(bytes) return (bytes:gsub("[\128-\255]", map)) end
end

local read_windows, read_latin_9 = reader_of(windows), reader_of(latin_9)

local function read_utf8(bytes)
   return core.is_utf8(bytes) and bytes or read_windows(bytes)
end

local readers = { ["utf-8"] = read_utf8, utf8 = read_utf8, ["us-ascii"] = read_utf8,
   ascii = read_utf8, ["iso-8859-1"] = read_windows, latin1 = read_windows,
   ["windows-1252"] = read_windows, cp1252 = read_windows, ["iso-8859-15"] = read_latin_9 }

--- Bytes of a character set in UTF-8. Where they are labelled as UTF-8, or not at all, and are not
-- UTF-8, they are read as windows-1252.
---@param bytes string
---@param charset? string
---@return string|nil   nil: a character set that the sink cannot read
function words.utf8(bytes, charset)
   local read = charset and readers[ascii.lower(charset)] or not charset and read_utf8
   return read and read(bytes) or nil
end

-- ---- the encodings ----

local function byte_of(digits)
   return string.char(tonumber(digits, 16))
end

--- Decode the escapes of two hexadecimal digits after this mark, "=" or "%%".
function words.unescape(text, mark)
   return (text:gsub(mark .. "([0-9A-Fa-f][0-9A-Fa-f])", byte_of))
end

--- Decode base64: up to the first "=", without the bytes that are not base64.
function words.base64(text)
   local digits = text:match("^[^=]*"):gsub("[^A-Za-z0-9+/]+", "")
   local rest = #digits % 4
   if rest == 1 then digits = digits:sub(1, -2) end
   if rest < 2 then return core.base64_decode(digits) end
   return core.base64_decode(digits .. ("A"):rep(4 - rest)):sub(1, rest - 5)
end

-- ---- encoded words ----

-- No part of it contains "?", so that a text of many beginnings is read in linear time.
local WORD = "=%?([^? \t]+)%?([BbQq])%?([^?]*)%?="

-- -> { charset, bytes }
local function read_word(charset, encoding, text)
   local name = ascii.lower(charset:match("^[^*]*")) -- a language follows "*" (RFC 2231 5)
   if encoding == "B" or encoding == "b" then return { name, words.base64(text) } end
   return { name, words.unescape(text:gsub("_", " "), "=") }
end

-- Add what is between two words. White space between two encoded words is not part of the text.
local function add_plain(list, text, is_between)
   if text ~= "" and not (is_between and not text:find("[^ \t\r\n]")) then
      list[#list + 1] = { nil, text }
   end
end

-- Some clients divide a character between two words: words of one character set are one text.
local function join(list)
   local out, i = {}, 1
   while list[i] do
      local charset, bytes = list[i][1], { list[i][2] }
      while charset and list[i + 1] and list[i + 1][1] == charset do
         i = i + 1
         bytes[#bytes + 1] = list[i][2]
      end
      out[#out + 1] = words.utf8(table.concat(bytes), charset)
      i = i + 1
   end
   return table.concat(out)
end

--- The value of a header in UTF-8. A word in a character set that the sink cannot read stays as it
-- is.
---@param text string   without the line ends at which it was folded
---@return string
function words.decode(text)
   local list, at, is_between = {}, 1, false
   while true do
      local first, last, charset, encoding, word = text:find(WORD, at)
      if not first then break end
      local decoded = read_word(charset, encoding, word)
      local is_known = readers[decoded[1]] ~= nil
      add_plain(list, text:sub(at, first - 1), is_between and is_known)
      list[#list + 1] = is_known and decoded or { nil, text:sub(first, last) }
      at, is_between = last + 1, is_known
   end
   add_plain(list, text:sub(at), false)
   return join(list)
end

return words
