--- Header fields that are 7-bit: encoded words, folded lines, parameters.
-- @module smtp.compose.mime

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"

local mime = {}

-- ---- headers ----

local LINE = 78 -- bytes of a header's line, where it can be folded (RFC 5322 2.1.1)

-- RFC 2047 4.2, with the characters that 5 (3) leaves free in a phrase.
local function q_encode(text)
   return (ascii.escape(text, "[^A-Za-z0-9!*+/ -]", "=%02X"):gsub(" ", "_"))
end

-- An encoded word has at most 75 bytes, of which "=?UTF-8?Q?" and "?=" take 12 (RFC 2047 2).
local FRAME, WORD_ROOM = 12, 63

-- Bytes that the characters from `from` to `stop` need in an encoded word. `used`: what those
-- before `at`, the first byte of the last character, need.
local function needed_len(is_q, text, from, at, stop, used)
   if is_q then return used + #q_encode(text:sub(at, stop)) end
   return math.ceil((stop + 1 - from) / 3) * 4
end

--- Encoded words.
---@param column integer   where the first one begins in its line
---@param form? string     "B"; otherwise the shorter one
function mime.words(text, column, form)
   local words, from, at, used = {}, 1, 1, 0
   local is_q = form ~= "B" and #q_encode(text) <= (#text + 2) / 3 * 4
   local encode = is_q and q_encode or core.base64
   local frame = is_q and "=?UTF-8?Q?%s?=" or "=?UTF-8?B?%s?="
   local room = math.max(12, math.min(WORD_ROOM, LINE - column - FRAME))
   while at <= #text do
      local stop = at + core.utf8_len(text, at) - 1
      local needed = needed_len(is_q, text, from, at, stop, used)
      if at > from and needed > room then
         words[#words + 1] = frame:format(encode(text:sub(from, at - 1)))
         from, room = at, WORD_ROOM
         needed = needed_len(is_q, text, from, at, stop, 0)
      end
      used, at = needed, stop + 1
   end
   words[#words + 1] = frame:format(encode(text:sub(from)))
   return table.concat(words, " ")
end

-- May the text be written as it is? Readers drop the blanks at its ends; a word that looks like an
-- encoded word, and a word of more than `room` bytes, must be encoded. Further blanks before a word
-- count.
local function is_plain(text, room)
   if text:find("[^\t -~]") or text:find("=?", 1, true) or text:find("^[ \t]")
      or text:find("[ \t]$") then
      return false
   end
   for blanks, word in text:gmatch("([ \t]*)([^ \t]+)") do
      if #word > room or #blanks + #word > room + 1 then return false end
   end
   return true
end

local LONG = 900 -- bytes of a word that stays within a line of 998 (RFC 5322 2.1.1)

local NAMES = #"Reply-To: " -- the longest header that holds display names

-- A display name (RFC 5322 3.2.5): atoms, a quoted string, or encoded words.
local function phrase(text)
   if not is_plain(text, LINE - NAMES) then return mime.words(text, NAMES) end
   if not text:find("[^A-Za-z0-9!#$%%&'*+/=?^_`{|}~ -]") and not text:find("  ", 1, true) then
      return text
   end
   local quoted = '"' .. text:gsub('["\\]', "\\%0") .. '"'
   return is_plain(quoted, LINE - NAMES) and quoted or mime.words(text, NAMES)
end

--- The text of one address in a header: Ann <ann@example.org>. An address outside ASCII stays as it
-- is: the header is then one of RFC 6532.
---@param entry table   { name =, address = }, as address.parse returns it
function mime.address(entry)
   if not entry.name then return entry.address end
   return phrase(entry.name) .. " <" .. entry.address .. ">"
end

-- A field with its lines folded at blanks: none over 78 bytes where that is possible. The first
-- word stays on the line of the name: some readers take a fold before it for a space, or the end.
local function fold(name, value)
   local line = name .. ": " .. value
   if #line <= LINE then return line .. "\r\n" end
   local lines, first, rest = {}, value:match("^([^ \t]*)(.*)$")
   line = name .. ": " .. first
   for space, word in rest:gmatch("([ \t]+)([^ \t]+)") do
      if #line + #space + #word > LINE then
         lines[#lines + 1] = line
         line = ""
      end
      line = line .. space .. word
   end
   lines[#lines + 1] = line
   return table.concat(lines, "\r\n") .. "\r\n"
end

-- A field of a value and parameters, folded between these alone: some readers keep a line end that
-- is in a quoted string.
local function fold_parameters(name, list)
   local text, used = name .. ": " .. list[1], #name + 2 + #list[1]
   for i = 2, #list do
      local one = list[i]
      local needed = 2 + #one:match("^[^\r]*") -- the space before it, ";" after it
      local is_full = used + 1 + needed > LINE
      text = text .. (is_full and ";\r\n " or "; ") .. one
      used = (is_full and 0 or used + 1) + needed - 1
   end
   return text .. "\r\n"
end

-- The value of a field as it is written, by its form.
local write = {}

function write.text(value, name)
   local column = #name + 2
   return (value == "" or is_plain(value, LINE - column)) and value or mime.words(value, column)
end

-- The text of a field that this library does not know. In a structured field, readers do not decode
-- encoded words (RFC 2047 5 (3)): "<https://…>" is long, and stays as it is.
function write.own(value, name)
   value = ascii.trim(value)
   return is_plain(value, LONG) and value or write.text(value, name)
end

function write.addresses(list)
   if not list[2] then return mime.address(list[1]) end
   local texts = {}
   for i = 1, #list do texts[i] = mime.address(list[i]) end
   return table.concat(texts, ", ")
end

--- Encode and fold header fields.
---@param list table     { { name, value, form }, … }. The form is nil: the value is written as it
--   is; "text": free text (RFC 2047 5 (1)); "own": text of a field that the caller named;
--   "addresses": the value is a list of { name =, address = }; "parameters": the value is a list,
--   of a value and of "name=value"
---@return table fields  { { name, raw }, … }, raw with CRLF at its end
---@return string text   all of them
function mime.fields(list)
   local fields, raws = {}, {}
   for i = 1, #list do
      local name, value, form = list[i][1], list[i][2], list[i][3]
      if form == "parameters" then
         raws[i] = fold_parameters(name, value)
      else
         raws[i] = fold(name, form and write[form](value, name) or value)
      end
      fields[i] = { name, raws[i] }
   end
   return fields, table.concat(raws)
end

-- ---- file names (RFC 2045 5.1, RFC 2183 2, RFC 2231) ----

local QUOTED = 78 -- characters of a quoted string (RFC 2183 2)

-- `parameter` with a name in ASCII as one quoted string; nil for other names, and for those that
-- readers would change: they decode "=?", and cut blanks at the ends.
local function quoted(parameter, value)
   if #value > QUOTED or value:find("[^ -~]") or value:find("=?", 1, true)
      or value:find("^ ") or value:find(" $") then
      return nil
   end
   return ('%s="%s"'):format(parameter, (value:gsub('["\\]', "\\%0")))
end

local SECTION = 57 -- characters of a section: one line has room for it, its name and its number

-- A value as RFC 2231 4 writes it, in sections; some readers decode each one, so that no character
-- is cut.
local function sections(value)
   local list, section = {}, ""
   for char in value:gmatch("[^\128-\191][\128-\191]*") do
      local coded = ascii.escape(char, "[^A-Za-z0-9._-]", "%%%02X")
      if #section + #coded > SECTION then
         list[#list + 1] = section
         section = ""
      end
      section = section .. coded
   end
   list[#list + 1] = section
   return list
end

--- A file name as parameters of Content-Disposition.
---@param value string   UTF-8
---@return string[]
function mime.filename(value)
   local plain = quoted("filename", value)
   if plain then return { plain } end
   local list = sections(value)
   if not list[2] then return { "filename*=UTF-8''" .. list[1] } end
   for i = 1, #list do
      list[i] = ("filename*%d*=%s%s"):format(i - 1, i == 1 and "UTF-8''" or "", list[i])
   end
   return list
end

local NAME = #' name="' + 1 -- with the quotation mark that ends it

--- A file name as the parameter of Content-Type, for readers that do not support RFC 2231. They
-- decode the words in a quoted string, although RFC 2047 5 (3) does not allow them there.
---@param value string   UTF-8
---@return string        with line ends between encoded words
function mime.name(value)
   return quoted("name", value)
      or ('name="%s"'):format((mime.words(value, NAME, "B"):gsub(" ", "\r\n ")))
end

return mime
