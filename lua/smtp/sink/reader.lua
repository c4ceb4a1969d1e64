--- A received message as headers and parts (RFC 5322, RFC 2045, RFC 2046).
--
-- The message comes from any client, and may be malformed on purpose. Reading it never fails, takes
-- time that grows with its length alone, and stops at these limits: DEPTH_MAX, PARTS_MAX,
-- HEADERS_MAX.
-- @module smtp.sink.reader

local ascii = require "smtp.ground.ascii"
local parameters = require "smtp.sink.parameters"
local words = require "smtp.sink.words"

local DEPTH_MAX = 32      -- multiparts within multiparts; a deeper one counts as a single part
local PARTS_MAX = 1000    -- parts that are read; further ones are left out
local HEADERS_MAX = 10000 -- headers of a part that are read; further ones are left out
local BOUNDARY_MAX = 200  -- bytes of a boundary; RFC 2046 5.1.1 allows 70

-- ---- delimiters ----

-- -> the level of the multipart that a line divides, does it close it? nil if it is not a delimiter
local function level_of(self, line)
   local name = line:match("^%-%-(.*)$")
   name = name and ascii.trim(name:match("^(.-)\r?$"))
   if not name then return nil end
   local level = self.levels[name]
   if level then return level, false end
   return self.levels[name:match("^(.*)%-%-$")], true
end

-- The first delimiter of an open multipart from `at` on, which is where a line begins.
-- -> { first = its first byte, after = the first byte after its line, level =, closes = } | nil
local function find_delimiter(self, at)
   local text = self.text
   if self.depth == 0 or #self.parts >= PARTS_MAX then return nil end
   while at do
      if text:sub(at, at + 1) == "--" then
         local stop = text:find("\n", at, true) or #text + 1
         local line = text:sub(at, math.min(stop - 1, at + BOUNDARY_MAX + 8))
         local level, closes = level_of(self, line)
         if level then return { first = at, after = stop + 1, level = level, closes = closes } end
      end
      at = text:find("\n--", at, true)
      at = at and at + 1
   end
end

-- -> the bytes from `at` to a delimiter or the end; the line end before a delimiter belongs to it
local function content_between(self, at, delimiter)
   if not delimiter then return self.text:sub(at) end
   if delimiter.first <= at then return "" end
   local stop = delimiter.first - 2
   if self.text:byte(stop) == 13 then stop = stop - 1 end
   return self.text:sub(at, stop)
end

-- ---- headers ----

-- Add a line to the headers.
-- -> the field that its continuation belongs to, nil if it is not a header
local function take_line(list, line, field)
   if field and line:find("^[ \t]") then
      field[#field + 1] = line
      return field
   end
   local name, value = line:match("^([!-9;-~]+)[ \t]*:(.*)$")
   if not name then return #list == 0 and line:find("^From ") and {} or nil end -- of an mbox file
   field = { name = ascii.lower(name), value }
   list[#list + 1] = field
   return field
end

-- -> the first byte after the empty line that ends the headers
local function after_headers(text, at)
   local first, last = text:find("\n\r?\n", at)
   return first and last + 1 or #text + 1
end

-- A line that is not a header ends them; it is the first of the body unless it is empty.
-- -> a list of { name =, its lines }, the first byte of the body
local function read_fields(self, at)
   local text, list, field = self.text, {}, nil
   while at <= #text do
      if #list >= HEADERS_MAX then return list, after_headers(text, at - 1) end
      local stop = text:find("\n", at, true) or #text + 1
      local last = text:byte(stop - 1) == 13 and stop > at and stop - 2 or stop - 1
      if last < at then return list, stop + 1 end
      local line = text:sub(at, last)
      if self.depth > 0 and level_of(self, line:sub(1, BOUNDARY_MAX + 8)) then return list, at end
      field = take_line(list, line, field)
      if not field then return list, at end
      at = stop + 1
   end
   return list, at
end

-- -> the value of the first header of that name, as it was received, "" if there is none
local function find(fields, name)
   for i = 1, #fields do
      if fields[i].name == name then return ascii.trim(table.concat(fields[i])) end
   end
   return ""
end

local any_case = { __index = function(headers, name)
   return type(name) == "string" and rawget(headers, ascii.lower(name)) or nil
end }

-- -> the values by name, decoded; of a name that is repeated, a list
local function read_headers(fields)
   local headers = {}
   for i = 1, #fields do
      local name, value = fields[i].name, ascii.trim(words.decode(table.concat(fields[i])))
      local before = headers[name]
      if type(before) == "table" then
         before[#before + 1] = value
      else
         headers[name] = before and { before, value } or value
      end
   end
   return setmetatable(headers, any_case)
end

-- ---- parts ----

-- Without the blanks at the ends of lines (RFC 2045 6.7), and without the line ends after "=".
local function read_quoted_printable(text)
   local out, at = {}, 1
   while at <= #text do
      local stop = text:find("\n", at, true)
      local line = text:sub(at, (stop or #text + 1) - 1)
      local bare = line:match("^(.*)\r$") or line
      local kept = bare:match("^.*[^ \t]") or ""
      if kept:sub(-1) == "=" then
         out[#out + 1] = kept:sub(1, -2)
      else
         out[#out + 1] = kept
         out[#out + 1] = line:sub(#bare + 1) .. (stop and "\n" or "")
      end
      at = (stop or #text) + 1
   end
   return words.unescape(table.concat(out), "=")
end

local decoders = { base64 = words.base64, ["quoted-printable"] = read_quoted_printable }

local function types_around(self)
   local list = {}
   for i = 1, self.depth do list[i] = self.types[i] end
   return list
end

-- -> the text in UTF-8, with the line ends of Lua; nil if it cannot be read
local function text_of(content, charset)
   local text = words.utf8(content, charset)
   return text and (text:gsub("\r\n", "\n"))
end

local function non_empty(text)
   return text ~= "" and text or nil
end

local function add_part(self, fields, kind, values, bytes)
   if #self.parts >= PARTS_MAX then return end
   local encoding = ascii.lower(find(fields, "content-transfer-encoding"):match("^[^ \t;(]*"))
   local disposition, more = parameters.read(find(fields, "content-disposition"))
   local id, charset = find(fields, "content-id"), values.charset and ascii.lower(values.charset)
   local content = decoders[encoding] and decoders[encoding](bytes) or bytes
   self.parts[#self.parts + 1] = { content_type = kind, charset = charset,
      content = content, text = kind:find("^text/") and text_of(content, charset) or nil,
      size = #content, encoding = non_empty(encoding) or "7bit", within = types_around(self),
      disposition = non_empty(disposition), filename = more.filename or values.name,
      content_id = non_empty(id:match("<([^>]*)>") or id) }
end

-- -> the type in lower case, its parameters
local function read_type(fields, default)
   local value = find(fields, "content-type")
   local kind, values = parameters.read(value ~= "" and value or default)
   if not kind:find("^[^/]+/[^/]+$") then kind = "text/plain" end -- RFC 2045 5.2
   return kind, values
end

local function open(self, kind, boundary)
   local level = self.depth + 1
   self.depth, self.types[level] = level, kind
   self.outer[level], self.levels[boundary] = self.levels[boundary] or false, level
   return level
end

local function close(self, boundary)
   self.levels[boundary] = self.outer[self.depth]
   self.depth = self.depth - 1
end

local read_part

-- Read what a multipart contains. -> has it a delimiter?, the delimiter that ends it | nil
local function read_multipart(self, at, kind, boundary)
   local level, delimiter = open(self, kind, boundary), find_delimiter(self, at)
   local is_divided = delimiter ~= nil and delimiter.level == level
   local default = kind == "multipart/digest" and "message/rfc822" or "text/plain"
   while delimiter and delimiter.level == level and not delimiter.closes do
      delimiter = read_part(self, delimiter.after, default)
   end
   close(self, boundary)
   if delimiter and delimiter.level == level then
      delimiter = find_delimiter(self, delimiter.after)
   end
   return is_divided, delimiter
end

local function can_open(self, kind, boundary)
   return kind:find("^multipart/") and boundary and boundary ~= "" and #boundary <= BOUNDARY_MAX
      and self.depth < DEPTH_MAX
end

-- Read a part, and the parts within it. -> the delimiter that ends it | nil: the message ends it
function read_part(self, at, default)
   local fields, body = read_fields(self, at)
   self.fields = self.fields or fields
   local kind, values = read_type(fields, default)
   local is_divided, delimiter
   if can_open(self, kind, values.boundary) then
      is_divided, delimiter = read_multipart(self, body, kind, values.boundary)
   else
      delimiter = find_delimiter(self, body)
   end
   if not is_divided then
      add_part(self, fields, kind, values, content_between(self, body, delimiter))
   end
   return delimiter
end

--- Read a message.
---@param text string
---@return table message   headers: the values by name, in UTF-8, a list where the name is repeated;
--   any case of the name finds it. parts: smtp.SinkPart[], those that contain no further parts
local function read(text)
   local self = { text = text, parts = {}, depth = 0, levels = {}, outer = {}, types = {} }
   read_part(self, 1, "text/plain")
   return { headers = read_headers(self.fields), parts = self.parts }
end

return { read = read }
