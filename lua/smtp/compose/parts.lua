--- The body of a composed message: its parts (RFC 2045), their structure, and the boundaries
-- between them (RFC 2046).
-- @module smtp.compose.parts

local check = require "smtp.options.check"
local filters = require "smtp.compose.filters"
local mime = require "smtp.compose.mime"
local refuse = require("smtp.errors").refuse
local source = require "smtp.compose.source"
local system = require "smtp.ground.resources"

local attachment = system.late "smtp.compose.attachment"
local calendar = system.late "smtp.compose.calendar"

---@class smtp.Part
---@field fields table|nil        its header fields, for mime.fields
---@field head string|nil         of an attachment: the text of these, and the empty line
---@field body string|smtp.Source|nil
---@field pieces (string|smtp.Source)[]|nil   of a multipart: its body
---@field needs_line_end boolean|nil   the body is not empty and does not end with CRLF
---@field inline boolean|nil      an attachment that the html shows
---@field text string|nil         of an attachment that is sent as it is: its bytes

-- ---- text ----

local why_not = { utf8 = { " is not valid UTF-8", "Convert it to UTF-8 before sending" },
   nul = { " contains a NUL byte", "Text may not contain it: remove it" } }

-- -> part | nil, the word of filters.text_body
local function text_part(text, content_type)
   local encoding, body = filters.text_body(text)
   if not encoding then return nil, body end
   local is_base64 = encoding == "text as base64" -- which ends its last line
   return { fields = { { "Content-Type", content_type },
      { "Content-Transfer-Encoding", is_base64 and "base64" or encoding } }, body = body,
      needs_line_end = not is_base64 and text:find("[^\r\n]", -1) ~= nil }
end

-- The option `name`, a text. -> part, nil if it is not set
local function read_text(t, name, content_type)
   local value = t[name]
   if value == nil then return nil end
   if type(value) ~= "string" then check.is_type(name, value, "string") end
   local part, word = text_part(value, content_type)
   return part or refuse(name, name .. why_not[word][1], why_not[word][2])
end

-- The option `calendar` (RFC 5545, RFC 6047). -> part, nil if it is not set
local function read_calendar(value)
   if value == nil then return nil end
   if type(value) == "string" then value = { content = value } end
   if type(value) ~= "table" or type(value.content) ~= "string" then
      check.refuse_value("calendar", "iCalendar text or { content =, method = }", value,
         'Write calendar = "BEGIN:VCALENDAR…"')
   end
   check.names(value, { "content", "method" }, "calendar")
   check.is_type("calendar.method", value.method, "string", 'Write method = "REQUEST"')
   local text, method, hint = calendar.read(value.content, value.method)
   if not text then refuse("calendar", "calendar: " .. method, hint) end
   local part, word = text_part(text, "text/calendar; charset=utf-8"
      .. (method and "; method=" .. method or ""))
   return part or refuse("calendar", "calendar" .. why_not[word][1], why_not[word][2])
end

-- ---- structure ----

-- Boundaries are random where the message identifier is, and the same for the same options. No body
-- contains one: "=_" is in no quoted-printable, no base64, and no text that is sent as it is.
local function boundary(marks)
   marks.count = marks.count + 1
   return ("=_%d_%s"):format(marks.count, marks.token)
end

local function multipart(marks, subtype, list, params)
   local mark = boundary(marks)
   local pieces, line = {}, "\r\n--" .. mark .. "\r\n"
   source.map(list, function(part, i)
      pieces[#pieces + 1] = i == 1 and line:sub(3) or line
      pieces[#pieces + 1] = part.head or mime.head(part.fields)
      pieces[#pieces + 1] = part.body
      for k = 1, part.pieces and #part.pieces or 0 do pieces[#pieces + 1] = part.pieces[k] end
   end)
   pieces[#pieces + 1] = "\r\n--" .. mark .. "--\r\n"
   local content_type = ('multipart/%s; boundary="%s"%s'):format(subtype, mark, params or "")
   return { fields = { { "Content-Type", content_type } }, pieces = pieces }
end

-- An inline attachment belongs to the html that shows it (RFC 2387); text, html and calendar are
-- alternatives (RFC 2046 5.1.4); all other attachments are mixed.
local function structure(marks, found)
   local alternatives, files = {}, {}
   local html = found.html
   if found.text then alternatives[1] = found.text end
   local related = { html }
   for _, one in ipairs(found.attachments) do
      if one.inline and html then related[#related + 1] = one else files[#files + 1] = one end
   end
   if #related > 1 then html = multipart(marks, "related", related, '; type="text/html"') end
   if html then alternatives[#alternatives + 1] = html end
   if found.calendar then alternatives[#alternatives + 1] = found.calendar end
   local body = alternatives[1]
   if #alternatives > 1 then body = multipart(marks, "alternative", alternatives) end
   if #files == 0 then return body end
   if body then table.insert(files, 1, body) end
   return multipart(marks, "mixed", files)
end

-- The text that makes the boundaries of this message unique. An attached message may be one of this
-- library, so its bytes are searched.
local function token_of(id, attachments)
   local token = id:gsub("@.*", ""):gsub("[^A-Za-z0-9.]", ""):sub(-40)
   for i = 1, #attachments do
      local text = attachments[i].text
      while text and text:find("_" .. token, 1, true) do token = token .. "x" end
   end
   return token
end

--- Read the body of a message from the options text, html, calendar and attachments. Raises a
-- UsageError or a SystemError.
---@param t table        the options of a message
---@param id string      its message identifier
---@return smtp.Part     the outermost part
local function read(t, id)
   local text = read_text(t, "text", "text/plain; charset=utf-8")
   if text and t.html == nil and t.calendar == nil and t.attachments == nil then return text end
   local found = { text = text, html = read_text(t, "html", "text/html; charset=utf-8"),
      calendar = read_calendar(t.calendar),
      attachments = t.attachments ~= nil and attachment.list(t.attachments) or {} }
   if not (text or found.html or found.calendar or found.attachments[1]) then
      refuse("text", "the message has no content", "Give text, html, attachments, calendar or raw; "
         .. "text = \"\" sends an empty message on purpose")
   end
   return structure({ count = 0, token = token_of(id, found.attachments) }, found)
end

return { read = read }
