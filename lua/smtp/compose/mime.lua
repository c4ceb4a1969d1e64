--- Header fields that are 7-bit: encoded words, folded lines, parameters.
-- @module smtp.compose.mime

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"

local mime = {}

-- ---- headers ----

local LINE = 78 -- bytes of a header's line, where it can be folded (RFC 5322 2.1.1)

local LONG = 900 -- bytes of a word that stays within a line of 998 (RFC 5322 2.1.1)

local LARGE = 65536 -- bytes of a header after which others may have their turn

-- A field with its lines folded at blanks: none over 78 bytes where that is possible. The first
-- word stays on the line of the name: some readers take a fold before it for a space, or the end.
local function fold(name, value)
   local column = #name + 2
   if column + #value > LINE then value = core.fold(value, column) end
   return name .. ": " .. value .. "\r\n"
end

-- A field of addresses, which is in lines already.
local function join_addresses(name, list)
   local texts, began = { name .. ": " }, list.pieces[2] and core.now()
   for i = 1, #list.pieces do texts[i + 1] = list.pieces[i] end
   texts[#texts + 1] = "\r\n"
   local field = table.concat(texts)
   if began then runtime.breathe(began) end
   return field
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

-- A field as it is written, by the form of its value.
local write = { addresses = join_addresses, parameters = fold_parameters }

function write.text(name, value)
   local column = #name + 2
   return fold(name, core.is_plain(value, LINE - column) and value or core.words(value, column))
end

-- The text of a field that this library does not know. In a structured field, readers do not decode
-- encoded words (RFC 2047 5 (3)): "<https://…>" is long, and stays as it is.
function write.own(name, value)
   value = ascii.trim(value)
   if core.is_plain(value, LONG) then return fold(name, value) end
   return write.text(name, value)
end

local function field(one)
   return (write[one[3]] or fold)(one[1], one[2])
end

--- Encode and fold header fields.
---@param list table     { { name, value, form }, … }. The form is nil: the value is written as it
--   is; "text": free text (RFC 2047 5 (1)); "own": text of a field that the caller named;
--   "addresses": the value is an smtp.AddressList; "parameters": the value is a list,
--   of a value and of "name=value"
---@return table fields  { { name, raw }, … }, raw with CRLF at its end
---@return string text   all of them
function mime.fields(list)
   local fields, raws = {}, {}
   for i = 1, #list do
      raws[i] = field(list[i])
      fields[i] = { list[i][1], raws[i] }
   end
   local began = core.now()
   local text = table.concat(raws)
   if #text > LARGE then runtime.breathe(began) end
   return fields, text
end

--- The text of header fields, and of the empty line after them.
---@param list table     as for mime.fields
---@return string
function mime.head(list)
   local raws = {}
   for i = 1, #list do raws[i] = field(list[i]) end
   raws[#raws + 1] = "\r\n"
   return table.concat(raws)
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
   local coded = ascii.escape(value, "[^A-Za-z0-9._-]", "%%%02X")
   local list, at = {}, 1
   while #coded - at >= SECTION do
      local next_at = at + SECTION
      next_at = math.min(next_at, coded:find("%", next_at - 2, true) or next_at)
      while coded:find("^%%[89AB]", next_at) do next_at = next_at - 3 end
      list[#list + 1] = coded:sub(at, next_at - 1)
      at = next_at
   end
   list[#list + 1] = coded:sub(at)
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
      or ('name="%s"'):format((core.words(value, NAME, "B"):gsub(" ", "\r\n ")))
end

return mime
