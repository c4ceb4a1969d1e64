--- Attachments: the name, the media type and the bytes of each.
-- @module smtp.compose.attachment

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local media_types = require "smtp.compose.media_types"
local mime = require "smtp.compose.mime"
local source = require "smtp.compose.source"

local attachment = {}

local fields = { "path", "content", "source", "size", "filename", "content_type", "disposition",
   "content_id", "cid" }

local function refuse(where, what, hint)
   return nil, errors.usage(where, where .. " " .. what, hint)
end

-- ---- names and types ----

local function check_filename(name, where)
   if type(name) ~= "string" or name == "" or #name > 255 then
      return refuse(where .. ".filename", "is not a name of 1 to 255 octets")
   end
   if name:find("[%z\1-\31\127]") then
      return refuse(where .. ".filename", "holds a line break or another control character",
         "Remove it")
   end
   if not core.is_utf8(name) then
      return refuse(where .. ".filename", "is not valid UTF-8", "Convert it")
   end
   return name
end

local TOKEN = "[A-Za-z0-9!#$%%&'*+.^_`{|}~-]+"

-- "type/subtype; name=value; …" (RFC 2045 5.1)
local function check_type(text, where)
   local option = where .. ".content_type"
   if type(text) ~= "string" or #text > 500 then return refuse(option, "must be a media type") end
   local main, rest = text:match("^(" .. TOKEN .. "/" .. TOKEN .. ")(.*)$")
   if not main then
      return refuse(option, "is no media type", "Write \"application/pdf\"")
   end
   while rest ~= "" do
      local after = rest:match("^ *; *" .. TOKEN .. "=" .. TOKEN .. "(.*)$")
         or rest:match('^ *; *' .. TOKEN .. '="[ !#-%[%]-~]*"(.*)$')
      if not after then
         return refuse(option, "has parameters that are none", "Write \"text/csv; charset=utf-8\"")
      end
      rest = after
   end
   main = ascii.lower(main)
   if main:find("^multipart/") then
      return refuse(option, "is multipart: an attachment is one part", "Give each part by itself")
   end
   return text
end

local function check_id(id, option)
   local inner = type(id) == "string" and (id:match("^<(.*)>$") or id)
   if not inner or not inner:find("^[!-;=?-~]+$") or #inner > 200 then
      return refuse(option, "is no identifier of printable ASCII without spaces",
         "Write \"logo\", and src=\"cid:logo\" in html")
   end
   return "<" .. inner .. ">"
end

-- ---- bytes ----

local function open_path(one, where)
   if type(one.path) ~= "string" or one.path == "" or one.path:find("%z") then
      return refuse(where .. ".path", "is no path")
   end
   local found, why, hint = source.of_path(one.path)
   if errors.is(hint) then return nil, hint end
   if not found then return refuse(where .. ".path", "cannot be read: " .. why, hint) end
   return found
end

local function open_function(one, where)
   local size = one.size
   if type(one.source) ~= "function" then
      return refuse(where .. ".source", "must be a function that gives pieces, and nil at the end")
   end
   if size ~= nil and (type(size) ~= "number" or size < 0 or size % 1 ~= 0) then
      return refuse(where .. ".size", "must be a whole number of octets")
   end
   return source.of_function(one.source, size, where .. ".source")
end

local function open_source(one, where)
   local names = {}
   for _, name in ipairs { "path", "content", "source" } do
      if one[name] ~= nil then names[#names + 1] = name end
   end
   if #names ~= 1 then
      return refuse(where, #names == 0 and "has no path, content or source"
         or "has both " .. names[1] .. " and " .. names[2], "Give one of path, content and source")
   end
   if one.size ~= nil and names[1] ~= "source" then
      return refuse(where .. ".size", "is for a source that is a function", "Remove it")
   end
   if names[1] == "path" then return open_path(one, where) end
   if names[1] == "source" then return open_function(one, where) end
   if type(one.content) ~= "string" then return refuse(where .. ".content", "must be a string") end
   return source.of_string(one.content)
end

-- An attached message must not be encoded (RFC 2046 5.2.1).
local function as_message(one, where)
   local scan = type(one.content) == "string" and source.scan(one.content)
   if not scan or scan.eightbit or scan.nul or scan.long_line then
      return refuse(where .. ".content_type",
         "message/rfc822 wants content, a string of 7-bit lines",
         "As application/octet-stream it can hold anything")
   end
   local text = core.encode(one.content, "7bit")
   return source.of_string(text), text
end

-- ---- the part ----

local function fields_of(one, name, content_type, encoding, id)
   local plain = name and mime.param("name", mime.plain_name(name)) or ""
   local inline = one.disposition == "inline" or (one.cid and one.disposition == nil)
   local list = { { "Content-Type", content_type .. plain },
      { "Content-Transfer-Encoding", encoding },
      { "Content-Disposition", (inline and "inline" or "attachment")
         .. (name and mime.param("filename", name) or "") } }
   if id then list[4] = { "Content-ID", id } end
   return list
end

local function check_names(one, where)
   if type(one) ~= "table" then
      return refuse(where, "must be a table", "Write { path = \"report.pdf\" }")
   end
   local ok, err = check.names(one, fields, where)
   if not ok then return nil, err end
   return check.is_word(one, "disposition", { "attachment", "inline" })
end

local function id_of(one, where)
   local id = one.cid
   if id == nil then id = one.content_id end
   if one.cid ~= nil and one.content_id ~= nil then
      return refuse(where .. ".content_id", "and cid mean the same", "Keep cid")
   end
   if id == nil then return false end
   return check_id(id, where .. (one.cid ~= nil and ".cid" or ".content_id"))
end

-- The option filename, or the name of the file.
local function name_of(one, where)
   local name = one.filename
   if name == nil and type(one.path) == "string" then name = one.path:match("([^/]+)/*$") end
   if name == nil then return false end
   return check_filename(name, where)
end

local function type_of(one, name, where)
   if one.content_type ~= nil then return check_type(one.content_type, where) end
   local found = media_types.of_name(name or nil)
   if found:find("^text/") and type(one.content) == "string" and core.is_utf8(one.content) then
      found = found .. "; charset=utf-8"
   end
   return found
end

--- Check one attachment.
---@param one table      as the caller gave it
---@param where string   its name in errors: "attachments[1]"
---@return smtp.Part|nil
---@return table|nil     UsageError
function attachment.read(one, where)
   local ok, err = check_names(one, where)
   if not ok then return nil, err end
   local id, name, content_type, body
   id, err = id_of(one, where)
   if id == nil then return nil, err end
   name, err = name_of(one, where)
   if name == nil then return nil, err end
   content_type, err = type_of(one, name, where)
   if not content_type then return nil, err end
   local encoding, text = "base64", nil
   if ascii.lower(content_type):find("^message/") then
      encoding = "7bit"
      body, text = as_message(one, where)
      if not body then return nil, text end
   else
      body, err = open_source(one, where)
      if not body then return nil, err end
      body = filters.encoded(body, "base64", filters.base64_size(body.size))
   end
   return { fields = fields_of(one, name, content_type, encoding, id or nil), body = body,
      inline = one.cid ~= nil, text = text }
end

--- Check a list of attachments; one table with path, content or source is a list of one.
---@param value any
---@return smtp.Part[]|nil
---@return table|nil err   UsageError, SystemError
function attachment.list(value)
   if value == nil then return {} end
   if type(value) ~= "table" then
      return refuse("attachments", "must be a list of tables",
         "Write { { path = \"report.pdf\" } }")
   end
   if value.path ~= nil or value.content ~= nil or value.source ~= nil then value = { value } end
   local ok, err = check.is_list(value, "attachments", "Write { { path = \"report.pdf\" } }")
   if not ok then return nil, err end
   local list = {}
   for i = 1, #value do
      list[i], err = attachment.read(value[i], ("attachments[%d]"):format(i))
      if not list[i] then return nil, err end
   end
   return list
end

return attachment
