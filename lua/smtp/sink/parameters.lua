--- The values of Content-Type and Content-Disposition: a word, and parameters (RFC 2045 5.1), with
-- names of files in all the ways in which programs write them (RFC 2231, RFC 2047).
-- @module smtp.sink.parameters

local ascii = require "smtp.ground.ascii"
local words = require "smtp.sink.words"

local parameters = {}

local VALUE_MAX = 65536 -- bytes of a value that are read

-- ---- the syntax ----

local PAREN, QUOTE, EQUALS = ("("):byte(), ('"'):byte(), ("="):byte()

-- -> the first byte after the comment that begins at `at`; comments may contain comments
local function after_comment(text, at)
   local depth = 0
   repeat
      at = text:find("[()\\]", at)
      if not at then return #text + 1 end
      local mark = text:sub(at, at)
      depth = depth + (mark == "(" and 1 or mark == ")" and -1 or 0)
      at = at + (mark == "\\" and 2 or 1)
   until depth == 0
   return at
end

-- -> the first byte from `at` on that is neither white space nor a comment
local function skip(text, at)
   while true do
      at = text:find("[^ \t\r\n]", at) or #text + 1
      if text:byte(at) ~= PAREN then return at end
      at = after_comment(text, at)
   end
end

-- -> the text of a quoted string, the first byte after it; `at`: after the quote
local function read_quoted(text, at)
   local stop = text:find('["\\]', at)
   while stop and text:byte(stop) ~= QUOTE do stop = text:find('["\\]', stop + 2) end
   stop = stop or #text + 1
   return text:sub(at, stop - 1):gsub("\\(.)", "%1"), stop + 1
end

-- A name of a file with blanks should be quoted, but is not always.
local function read_value(text, at)
   if text:byte(at) == QUOTE then
      local value, after = read_quoted(text, at + 1)
      return value, after
   end
   local stop = text:find(";", at, true) or #text + 1
   local value = ascii.trim(text:sub(at, stop - 1))
   return value:match("^([^ \t(]+)[ \t]+%(.*%)$") or value, stop -- without a comment at the end
end

-- -> the word, a list of { name, value }
local function read_list(text)
   local at, list = skip(text, 1), {}
   local word = text:match("^[^;( \t\r\n]*", at)
   at = skip(text, at + #word)
   while true do
      at = text:find(";", at, true)
      if not at then return word, list end
      at = skip(text, at + 1)
      local name = text:match("^[^=;( \t\r\n]*", at)
      at = skip(text, at + #name)
      if text:byte(at) == EQUALS then
         local value
         value, at = read_value(text, skip(text, at + 1))
         list[#list + 1] = { ascii.lower(name), value }
      end
   end
end

-- ---- RFC 2231: name*0=…; name*1*=… ----

-- -> the name, the number of the section, is the value escaped?
local function read_name(name)
   local base, number, star = name:match("^([^*]+)%*([0-9]*)(%*?)$")
   if not base then return name, nil, false end
   if number == "" then return base, 0, true end
   return base, #number < 6 and tonumber(number) or -1, star == "*"
end

-- -> the value of sections 0, 1, …, up to the first that is missing
local function join(sections)
   local charset, list, number = nil, {}, 0
   while sections[number] do
      local section = sections[number]
      local text = section.text
      if section.escaped then
         if number == 0 then
            charset, text = text:match("^([^']*)'[^']*'(.*)$")
            text = text or section.text
         end
         text = words.unescape(text, "%%")
      end
      number = number + 1
      list[number] = text
   end
   local bytes = table.concat(list)
   return words.utf8(bytes, charset ~= "" and charset or nil) or words.utf8(bytes)
end

--- Read such a value.
---@param text string    the value of the header, folded or not
---@return string        its word, in lower case
---@return table<string, string>   its parameters in UTF-8, by their names in lower case; the first
--   of each name
function parameters.read(text)
   local word, list = read_list(text:sub(1, VALUE_MAX))
   local values, divided = {}, {}
   for i = 1, #list do
      local name, number, escaped = read_name(list[i][1])
      if number then
         divided[name] = divided[name] or {}
         divided[name][number] = divided[name][number]
            or { text = list[i][2], escaped = escaped }
      elseif not values[name] then
         values[name] = words.decode(list[i][2])
      end
   end
   for name, sections in next, divided do
      if sections[0] then values[name] = join(sections) end
   end
   return ascii.lower(word), values
end

return parameters
