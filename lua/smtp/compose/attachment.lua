--- Attachments: the name, the media type and the bytes of each.
-- @module smtp.compose.attachment

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local content_types = require "smtp.compose.content_types"
local core = require "smtp.core"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local mime = require "smtp.compose.mime"
local source = require "smtp.compose.source"

local fields = { "path", "content", "source", "size", "filename", "content_type", "disposition",
   "content_id", "cid" }

local function refuse(where, what, hint)
   errors.refuse(where, where .. " " .. what, hint)
end

-- ---- names ----

local NAME_MAX = 255 -- characters of a file name

-- `hint`: what helps where the name is not the caller's own.
local function check_filename(name, option, hint)
   local count = type(name) == "string" and select(2, name:gsub("[^\128-\191]", "")) or 0
   if count == 0 or count > NAME_MAX then
      check.refuse_value(option, "a name of 1 to 255 characters", name,
         hint or 'Write filename = "report.pdf"')
   end
   if name:find("[%z\1-\31\127]") then
      refuse(option, "contains a line break or another control character", hint or "Remove it")
   end
   return core.is_utf8(name) and name
      or refuse(option, "is not valid UTF-8", hint or "Convert it to UTF-8")
end

-- The option filename, or the name of the file; nil if there is neither.
local function name_of(one, where)
   if one.filename ~= nil then return check_filename(one.filename, where .. ".filename") end
   local name = type(one.path) == "string" and one.path:match("([^/]+)/*$")
   return name and check_filename(name, where .. ".path", 'Name it: filename = "report.pdf"') or nil
end

local function check_id(id, option)
   local inner = type(id) == "string" and (id:match("^<(.*)>$") or id)
   if not inner or not inner:find("^[!-;=?-~]+$") or #inner > 200 then
      refuse(option, "is not a valid identifier: it has to be printable ASCII without spaces",
         "Write \"logo\", and src=\"cid:logo\" in html")
   end
   return "<" .. inner .. ">"
end

-- ---- bytes ----

local openers = {} -- by option: (one, where) -> string or source

function openers.path(one, where)
   if type(one.path) ~= "string" or one.path == "" or one.path:find("%z") then
      check.refuse_value(where .. ".path", "the path of a file", one.path,
         'Write path = "report.pdf"')
   end
   local found, why, hint = source.of_path(one.path)
   if errors.is(hint) then error(hint, 0) end
   return found or refuse(where .. ".path", "cannot be read: " .. why, hint)
end

function openers.content(one, where)
   check.is_type(where .. ".content", one.content, "string",
      "Write content = …, a string, or path = … for a file")
   return one.content
end

function openers.source(one, where)
   local size = one.size
   if type(one.source) ~= "function" then
      check.refuse_value(where .. ".source", "a function", one.source,
         "Give a function that returns pieces, and nil at the end")
   end
   if size ~= nil and (type(size) ~= "number" or size < 0 or size % 1 ~= 0) then
      check.refuse_value(where .. ".size", "a whole number of bytes", size,
         "Write the number of bytes that source gives, or leave size out")
   end
   return source.of_function(one.source, size, where .. ".source")
end

local function open_source(one, where)
   local names = {}
   for _, name in ipairs { "path", "content", "source" } do
      if one[name] ~= nil then names[#names + 1] = name end
   end
   if #names ~= 1 then
      refuse(where, #names == 0 and "has no path, content or source"
         or ("has both %s and %s"):format(names[1], names[2]),
         "Give one of path, content and source")
   end
   if one.size ~= nil and names[1] ~= "source" then
      refuse(where .. ".size", "is for a source that is a function", "Remove it")
   end
   return openers[names[1]](one, where)
end

-- An attached message must not be encoded (RFC 2046 5.2.1). -> its bytes as they are sent, its
-- text; nil where it is not 7-bit, or can be read only once; nil and the fault of its header
local function message_text(body)
   local text = source.read_whole(body)
   local scan = text and source.scan(text, true)
   if not scan or scan.eightbit or scan.nul or scan.long_line then return nil end
   local fault = scan.header_fault
   if fault and fault ~= "bcc" then return nil, fault end
   return filters.encoded(text, "7bit", scan.wire_len - (scan.open and 2 or 0)), text
end

-- ---- the part ----

local function fields_of(one, name, content_type, encoding, id)
   local inline = one.disposition == "inline" or (one.cid and one.disposition == nil)
   local disposition = name and mime.filename(name) or {}
   table.insert(disposition, 1, inline and "inline" or "attachment")
   if name and not content_type.has.name then
      content_type[#content_type + 1] = mime.name(name)
   end
   local list = { { "Content-Type", content_type, "parameters" },
      { "Content-Transfer-Encoding", encoding },
      { "Content-Disposition", disposition, "parameters" } }
   if id then list[4] = { "Content-ID", id } end
   return list
end

local function check_names(one, where)
   if type(one) ~= "table" then
      check.refuse_value(where, "a table", one, "Write { path = \"report.pdf\" }")
   end
   check.names(one, fields, where, nil, "attachment")
   check.is_word(where .. ".disposition", one.disposition, { "attachment", "inline" },
      "disposition")
end

local function id_of(one, where)
   if one.cid ~= nil then
      if one.content_id ~= nil then
         refuse(where .. ".content_id", "and cid mean the same", "Keep cid")
      end
      return check_id(one.cid, where .. ".cid")
   end
   return one.content_id ~= nil and check_id(one.content_id, where .. ".content_id") or nil
end

-- -> the encoding, the encoded bytes, the text of an attached message
local function encode(one, content_type, body, where)
   if ascii.lower(content_type[1]):find("^message/") then
      local encoded, text = message_text(body)
      if encoded then return "7bit", encoded, text end
      if one.content_type ~= nil and text then
         local what, hint = filters.why_unsendable(text, where)
         errors.refuse(where, what, hint)
      end
      if one.content_type ~= nil then
         refuse(where .. ".content_type", "message/rfc822 needs content or a file of 7-bit lines",
            'Write content_type = "application/octet-stream" for other content')
      end
      content_type[1] = "application/octet-stream"
   end
   local size = type(body) == "string" and #body or body.size
   return "base64", filters.encoded(body, "base64", filters.base64_size(size))
end

-- Check one attachment, which errors call `where`: "attachments[1]". -> smtp.Part
local function read(one, where)
   check_names(one, where)
   local id, name, body = id_of(one, where), name_of(one, where), open_source(one, where)
   local content_type
   content_type, body = content_types.read(one.content_type, name, body, where .. ".content_type")
   local encoding, encoded, text = encode(one, content_type, body, where)
   return { head = mime.head(fields_of(one, name, content_type, encoding, id)), body = encoded,
      inline = one.cid ~= nil, text = text }
end

--- Read a list of attachments; one table with path, content or source is a list of one. Raises a
-- UsageError or a SystemError.
---@param value any
---@return smtp.Part[]
local function list(value)
   local form = "Write { { path = \"report.pdf\" } }"
   if type(value) ~= "table" then
      check.refuse_value("attachments", "a list of tables", value, form)
   end
   if value.path ~= nil or value.content ~= nil or value.source ~= nil then value = { value } end
   check.is_list(value, "attachments", form)
   return source.map(value, function(one, i) return read(one, ("attachments[%d]"):format(i)) end)
end

return { list = list }
