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

-- `column`: where the first word begins in its line.
local function encoded_words(text, column)
   local words, from, at, used = {}, 1, 1, 0
   local is_q = #q_encode(text) <= (#text + 2) / 3 * 4
   local encode = is_q and q_encode or core.base64
   local frame = is_q and "=?UTF-8?Q?%s?=" or "=?UTF-8?B?%s?="
   local room = math.min(WORD_ROOM, LINE - column - FRAME)
   if room < 12 then room = WORD_ROOM end -- the name fills the line: a fold comes after it
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

-- May the text be written as it is? A word that looks like an encoded word, and a word of more than
-- `room` bytes, must be encoded.
local function is_plain(text, room)
   if text:find("[^ -~]") or text:find("=?", 1, true) or text:find("^ ") or text:find(" $")
      or text:find("  ", 1, true) then
      return false
   end
   for word in text:gmatch("[^ ]+") do
      if #word > room then return false end
   end
   return true
end

local LONG = 900 -- bytes of a word that stays within a line of 998 (RFC 5322 2.1.1)

local NAMES = #"Reply-To: " -- the longest header that holds display names

-- A display name (RFC 5322 3.2.5): atoms, a quoted string, or encoded words.
local function phrase(text)
   if not is_plain(text, LINE - NAMES) then return encoded_words(text, NAMES) end
   if not text:find("[^A-Za-z0-9!#$%%&'*+/=?^_`{|}~ -]") then return text end
   local quoted = '"' .. text:gsub('["\\]', "\\%0") .. '"'
   return is_plain(quoted, LINE - NAMES) and quoted or encoded_words(text, NAMES)
end

--- The text of one address in a header: Ann <ann@example.org>. An address outside ASCII stays as it
-- is: the header is then one of RFC 6532.
---@param entry table   { name =, address = }, as address.parse returns it
function mime.address(entry)
   if not entry.name then return entry.address end
   return phrase(entry.name) .. " <" .. entry.address .. ">"
end

-- Some readers do not find an identifier that is on a line of its own.
local never_bare = { ["Message-ID"] = true, ["In-Reply-To"] = true, References = true }

-- A field with its lines folded at spaces: none over 78 bytes where that is possible. `joined`: the
-- first word stays on the line of the name; some readers take a fold before it for a space.
local function fold(name, value, joined)
   if #name + 2 + #value <= LINE and value:find("^[^ ]") and not value:find(" $") then
      return name .. ": " .. value .. "\r\n"
   end
   local lines, line, empty = {}, name .. ":", joined or never_bare[name]
   for space, word in value:gmatch("( *)([^ ]+)") do
      if not empty and #line + math.max(1, #space) + #word > LINE then
         lines[#lines + 1] = line
         line = ""
      end
      line = line .. (space == "" and " " or space) .. word
      empty = false
   end
   lines[#lines + 1] = line
   return table.concat(lines, "\r\n") .. "\r\n"
end

-- The value of a field as it is written, by its form.
local write = {}

function write.text(value, name)
   local column = #name + 2
   return (value == "" or is_plain(value, LINE - column)) and value or encoded_words(value, column)
end

-- The text of a field that this library does not know. In a structured field, readers do not decode
-- encoded words (RFC 2047 5 (3)): "<https://…>" is long, and stays as it is.
function write.own(value, name)
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
--   "addresses": the value is a list of { name =, address = }
---@return table fields  { { name, raw }, … }, raw with CRLF at its end
---@return string text   all of them
function mime.fields(list)
   local fields, raws = {}, {}
   for i = 1, #list do
      local name, value, form = list[i][1], list[i][2], list[i][3]
      if form then value = write[form](value, name) end
      raws[i] = fold(name, value, form == "own")
      fields[i] = { name, raws[i] }
   end
   return fields, table.concat(raws)
end

-- ---- parameters (RFC 2045 5.1, RFC 2231) ----

local SECTION = 50 -- characters of a section: one line has room for it, its name and its number

-- Cuts a value into sections; no escape is cut.
local function sections(coded)
   local list, at = {}, 1
   while at <= #coded do
      local stop = at + SECTION - 1
      local escape = coded:sub(stop - 1, stop):find("%", 1, true)
      if escape and stop < #coded then stop = stop - 3 + escape end
      list[#list + 1] = coded:sub(at, stop)
      at = stop + 1
   end
   return list
end

--- A parameter of Content-Type or Content-Disposition: "; name=value", in several sections where it
-- is long.
---@param name string
---@param value string   UTF-8
function mime.param(name, value)
   if value:find("^[A-Za-z0-9._-]+$") and #value <= SECTION then
      return ("; %s=%s"):format(name, value)
   end
   if value:find("^[A-Za-z0-9._-][A-Za-z0-9._ -]*$") and not value:find(" $")
      and not value:find("  ") and #value <= SECTION then
      return ('; %s="%s"'):format(name, value)
   end
   local coded = ascii.escape(value, "[^A-Za-z0-9._-]", "%%%02X")
   if #coded <= SECTION then return ("; %s*=UTF-8''%s"):format(name, coded) end
   local list = sections(coded)
   for i = 1, #list do
      list[i] = ("; %s*%d*=%s%s"):format(name, i - 1, i == 1 and "UTF-8''" or "", list[i])
   end
   return table.concat(list)
end

--- A file name in ASCII, for readers that do not support RFC 2231.
---@param value string   UTF-8
function mime.plain_name(value)
   local plain = value:gsub("[\128-\191]", ""):gsub("[^A-Za-z0-9._ -]", "_")
      :gsub("^ +", "_"):gsub(" +$", "_"):gsub(" +", " ")
   if #plain <= SECTION then return plain end
   local extension = plain:match("%.[A-Za-z0-9]+$") or ""
   if #extension > 10 then extension = "" end
   return plain:sub(1, SECTION - #extension) .. extension
end

return mime
