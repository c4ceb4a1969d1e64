--- Messages from options: headers (RFC 5322) and parts (RFC 2045), 7-bit always, so that their
-- bytes depend on the options alone and never on the server.
-- @module smtp.compose.composer

local ascii = require "smtp.ground.ascii"
local attachment = require "smtp.compose.attachment"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local guard = require "smtp.options.user_call"
local mime = require "smtp.compose.mime"
local source = require "smtp.compose.source"

local compose = {}

-- Headers that an option writes, or that nobody but the composer may.
local own = {
   from = "from", sender = "sender", to = "to", cc = "cc", bcc = "bcc", ["resent-bcc"] = "bcc",
   ["reply-to"] = "reply_to",
   subject = "subject", date = "date", ["message-id"] = "message_id",
   ["in-reply-to"] = "in_reply_to", references = "references", ["x-priority"] = "priority",
   importance = "priority", ["list-unsubscribe"] = "list_unsubscribe",
   ["list-unsubscribe-post"] = "list_unsubscribe", ["dkim-signature"] = "dkim",
   ["mime-version"] = false, ["content-type"] = false, ["content-transfer-encoding"] = false,
   ["content-disposition"] = false, ["content-id"] = false, received = false,
   ["return-path"] = false,
}

local days = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
   "Dec" }

local YEAR_10000 = 253402300800

--- A time as RFC 5322 3.3 writes it, in English whatever the locale, in UTC.
---@param time number    seconds since 1970
---@return string|nil    nil where it is in no year that can be written so
function compose.date(time)
   if not (time >= 0 and time < YEAR_10000) then return nil end -- NaN neither
   local d = os.date("!*t", math.floor(time))
   return ("%s, %02d %s %d %02d:%02d:%02d +0000"):format(days[d.wday], d.day, months[d.month],
      d.year, d.hour, d.min, d.sec)
end

local function hex(byte)
   return ("%02x"):format(byte:byte())
end

local function new_id(sender)
   local domain = core.idna(sender:match("@([^@]*)$") or "localhost")
   local bytes = core.random(16)
   if not bytes then
      return nil, errors.new("system", { what = "this system has no random bytes" })
   end
   return ("<%s@%s>"):format(bytes:gsub(".", hex), domain)
end

local function text_option(t, name)
   local value = t[name]
   if value == nil then return nil end
   if type(value) ~= "string" then
      return nil, errors.usage(name, name .. " must be a string, and is a " .. type(value))
   end
   if not core.is_utf8(value) then
      return nil, errors.usage(name, name .. " is not valid UTF-8", "Convert it before sending")
   end
   return value
end

local function body_option(t, name)
   local value, err = text_option(t, name)
   if value and value:find("%z") then
      return nil, errors.usage(name, name .. " holds a NUL", "Text has none: remove it")
   end
   return value, err
end

-- A header is one line of text; anything else would be another header.
local function one_line(value, option)
   if value:find("[%z\1-\8\10-\31\127]") then
      return nil, errors.usage(option, option .. " holds a line break or another control character",
         "Remove it: what follows it would become a header of its own")
   end
   return value
end

local function line_option(t, name)
   local value, err = text_option(t, name)
   if not value then return nil, err end
   return one_line(value, name)
end

local function check_header(name, value)
   if type(name) ~= "string" or #name > 76 or not name:find("^[!-9;-~]+$") then
      return nil, errors.usage("headers", ("headers: %q is no name for a header"):format(
         guard.text(name)), "A name has letters, digits and hyphens, at most 76")
   end
   local option = own[ascii.lower(name)]
   if option then
      return nil, errors.usage("headers", ("headers may not hold %s"):format(name),
         ("Use the option %s"):format(option))
   elseif option == false then
      return nil, errors.usage("headers", ("headers may not hold %s"):format(name),
         "The composer writes it; use raw for a message of your own making")
   end
   if type(value) == "number" then value = tostring(value) end
   if type(value) ~= "string" or not core.is_utf8(value) then
      return nil, errors.usage("headers", ("headers: %s must be UTF-8 text"):format(name))
   end
   return one_line(value, "headers." .. name)
end

-- A map, in the order of its names, or an ordered list of { name, value }.
local function header_list(headers)
   local list = {}
   if headers == nil then return list end
   if type(headers) ~= "table" then
      return nil, errors.usage("headers", "headers must be a table",
         "Write { [\"X-Name\"] = \"value\" }")
   end
   for key, value in next, headers do
      if type(key) == "number" then
         if type(value) ~= "table" then
            return nil, errors.usage("headers", "headers holds an entry that is no { name, value }")
         end
         list[#list + 1] = { value[1], value[2], key }
      else
         list[#list + 1] = { key, value, guard.text(key) }
      end
   end
   table.sort(list, function(a, b)
      if type(a[3]) ~= type(b[3]) then return type(a[3]) == "number" end
      if type(a[3]) == "string" then return ascii.before(a[3], b[3]) end
      return a[3] < b[3]
   end)
   for i = 1, #list do
      local value, err = check_header(list[i][1], list[i][2])
      if not value then return nil, err end
      list[i][2] = value
   end
   return list
end

local function joined(list)
   local texts = {}
   for i = 1, #list do texts[i] = mime.address(list[i]) end
   return table.concat(texts, ", ")
end

local function has(list, word)
   for i = 1, #list do
      if list[i] == word then return true end
   end
   return false
end

-- "Tue, 24 Nov 2026 12:00:00 +0000 (UTC)": seconds and what is in brackets may be left out.
local function is_date(text)
   local wday, day, month, hour, minute, rest =
      text:match("^([A-Z][a-z][a-z]), (%d%d?) ([A-Z][a-z][a-z]) %d%d%d%d (%d%d):(%d%d)(.*)$")
   if not rest or #text > 100 or not has(days, wday) or not has(months, month) then return false end
   if tonumber(day) < 1 or tonumber(day) > 31 or hour > "23" or minute > "59" then return false end
   rest = rest:gsub("^:[0-5]%d", ""):gsub("^:60", "") -- a leap second
   return rest:find("^ [+-]%d%d%d%d$") or rest:find("^ [+-]%d%d%d%d %([A-Za-z0-9 +-]+%)$")
      or rest:find("^ [A-Z]+$")
end

local function date_of(t)
   local given, date = t.date, nil
   if given == nil or type(given) == "number" then
      date = compose.date(given or os.time())
   elseif type(given) == "string" and is_date(given) then
      date = given
   end
   if date then return date end
   return nil, errors.usage("date", "date is neither a time nor a date of RFC 5322",
      "Write os.time(), or \"Tue, 24 Nov 2026 12:00:00 +0000\"")
end

local ID_LEN_MAX = 900 -- so that its line stays within 998 (RFC 5322 2.1.1)

local function id_of(t, sender)
   local id = t.message_id
   if id == nil then return new_id(sender) end
   if type(id) ~= "string" or #id > ID_LEN_MAX or not id:find("^<[!-;=?-~]+@[!-;=?-~]+>$") then
      return nil, errors.usage("message_id",
         "message_id is not of the form <left@right>, at most 900 octets")
   end
   return id
end

-- ---- identifiers of other messages ----

-- Of a text that holds message identifiers and blanks alone, the identifiers into `list`. The text
-- may come from a stranger: nothing of it is looked at twice.
local function take_ids(text, list)
   local at = 1
   while text:find("[^ ]", at) do
      local _, stop, id = text:find("^ *(<[!-;=?-~]+>)", at)
      local sign = id and id:find("@", 3, true)
      if not sign or sign == #id - 1 or #id > ID_LEN_MAX then return false end
      list[#list + 1] = id
      at = stop + 1
   end
   return true
end

-- One or several message identifiers, as a string or a list. -> "<a@b> <c@d>" | nil, err
local function id_list(t, name)
   local value = t[name]
   if value == nil then return false end
   if type(value) == "string" then value = { value } end
   local ok, err = check.is_list(type(value) == "table" and value or {}, name)
   if not ok then return nil, err end
   local list = {}
   for i = 1, type(value) == "table" and #value or 0 do
      if type(value[i]) ~= "string" or not take_ids(value[i], list) then
         list = {}
         break
      end
   end
   if #list == 0 then
      return nil, errors.usage(name, name .. " holds what is no message identifier",
         "Write \"<left@right>\", or a list of these")
   end
   return table.concat(list, " ")
end

-- ---- list_unsubscribe (RFC 2369, RFC 8058) ----

local function check_uri(uri, one_click)
   if type(uri) ~= "string" or not uri:find("^[!-;=?-~]+$") or uri:find("[,<>]") or #uri > 900 then
      return nil, "is no URI of printable ASCII without commas and angle brackets"
   end
   if uri:find("^https://[^/]") or uri:find("^mailto:[^?]") then return true end
   if uri:find("^http://[^/]") then
      if one_click then return nil, "must be https for one_click (RFC 8058 3.1)" end
      return true
   end
   return nil, "must begin with https://, http:// or mailto:"
end

-- -> { List-Unsubscribe, List-Unsubscribe-Post or nil }
local function unsubscribe(t)
   local value = t.list_unsubscribe
   if value == nil then return {} end
   if type(value) == "string" then value = { value } end
   if type(value) ~= "table" or #value == 0 then
      return nil, errors.usage("list_unsubscribe",
         "list_unsubscribe must be a URI or a list of them",
         "Write { \"https://example.org/u/7\", one_click = true }")
   end
   local uris = check.copy(value)
   uris.one_click = nil
   local ok, err = check.is_list(uris, "list_unsubscribe")
   if not ok then return nil, err end
   local list, has_https = {}, false
   for i = 1, #value do
      local is_uri, why = check_uri(value[i], value.one_click)
      if not is_uri then
         return nil, errors.usage("list_unsubscribe", "list_unsubscribe " .. why, nil, value[i])
      end
      has_https = has_https or value[i]:find("^https:") ~= nil
      list[i] = "<" .. value[i] .. ">"
   end
   if value.one_click and not has_https then
      return nil, errors.usage("list_unsubscribe", "one_click wants an https URI (RFC 8058 3.1)",
         "Add one that unsubscribes when it gets a POST")
   end
   return { table.concat(list, ", "), value.one_click and "List-Unsubscribe=One-Click" or nil }
end

-- ---- calendar (RFC 5545, RFC 6047) ----

local function read_calendar(t)
   local value = t.calendar
   if value == nil then return false end
   if type(value) == "string" then value = { content = value } end
   if type(value) ~= "table" or type(value.content) ~= "string" then
      return nil, errors.usage("calendar",
         "calendar must be iCalendar text, or { content =, method = }")
   end
   local text = value.content
   if not core.is_utf8(text) or text:find("%z") or not text:find("^BEGIN:VCALENDAR[\r\n]") then
      return nil, errors.usage("calendar", "calendar is no iCalendar text in UTF-8",
         "It begins with BEGIN:VCALENDAR")
   end
   local written = text:match("[\r\n]METHOD:([A-Za-z-]+)[\r\n]")
   local method = value.method or written or "PUBLISH"
   if type(method) ~= "string" or #method > 60 or not method:find("^[A-Za-z-]+$") then
      return nil, errors.usage("calendar", "calendar.method is no method", "Write \"REQUEST\"")
   end
   method = ascii.upper(method)
   if written and ascii.upper(written) ~= method then
      return nil, errors.usage("calendar", ("calendar.method is %s, and its text says METHOD:%s")
         :format(method, written), "Readers want them alike (RFC 6047 2.4): remove one of them")
   end
   return { text = text, method = method }
end

-- ---- parts ----

-- A part is { head = header lines, body = source }.
local function text_part(text, content_type)
   local encoding, body = mime.body(text)
   return { head = { mime.line("Content-Type", content_type),
      mime.line("Content-Transfer-Encoding", encoding) }, body = source.of_string(body),
      open_end = body ~= "" and body:sub(-2) ~= "\r\n" }
end

-- Boundaries are random where the message identifier is, and the same for the same options. No body
-- holds one: "=_" stands in no quoted-printable, no base64, and no text that is sent as it is.
local function boundary(made)
   made.boundaries = made.boundaries + 1
   return ("=_%d_%s"):format(made.boundaries, made.token)
end

local function multipart(made, subtype, parts, params)
   local mark = boundary(made)
   local list = {}
   for i = 1, #parts do
      local before = i > 1 and "\r\n--" or "--"
      list[#list + 1] = source.of_string(before .. mark .. "\r\n" .. mime.lines(parts[i].head)
         .. "\r\n")
      list[#list + 1] = parts[i].body
   end
   list[#list + 1] = source.of_string("\r\n--" .. mark .. "--\r\n")
   local content_type = ('multipart/%s; boundary="%s"%s'):format(subtype, mark, params or "")
   return { head = { mime.line("Content-Type", content_type) }, body = filters.joined(list) }
end

-- What is inline belongs to the html that shows it (RFC 2387), what says the same in another form
-- is an alternative (RFC 2046 5.1.4), the rest is mixed.
local function structure(made, parts)
   local alternatives, files = {}, {}
   local html = parts.html
   if parts.text then alternatives[1] = parts.text end
   local related = { html }
   for _, one in ipairs(parts.attachments) do
      if one.inline and html then related[#related + 1] = one else files[#files + 1] = one end
   end
   if #related > 1 then html = multipart(made, "related", related, '; type="text/html"') end
   if html then alternatives[#alternatives + 1] = html end
   if parts.calendar then alternatives[#alternatives + 1] = parts.calendar end
   local body = alternatives[1]
   if #alternatives > 1 then body = multipart(made, "alternative", alternatives) end
   if #files == 0 then return body end
   if body then table.insert(files, 1, body) end
   return multipart(made, "mixed", files)
end

local function read_parts(t)
   local parts = {}
   local text, html, err, calendar
   text, err = body_option(t, "text")
   if err then return nil, err end
   html, err = body_option(t, "html")
   if err then return nil, err end
   calendar, err = read_calendar(t)
   if err then return nil, err end
   parts.attachments, err = attachment.list(t.attachments)
   if not parts.attachments then return nil, err end
   if not (text or html or calendar or parts.attachments[1]) then
      return nil, errors.usage("text", "the message has no content", "Give text, html, "
         .. "attachments, calendar or raw; text = \"\" sends an empty message on purpose")
   end
   if text then parts.text = text_part(text, "text/plain; charset=utf-8") end
   if html then parts.html = text_part(html, "text/html; charset=utf-8") end
   if calendar then
      parts.calendar = text_part(calendar.text, "text/calendar; charset=utf-8; method="
         .. calendar.method)
   end
   return parts
end

-- ---- the whole ----

local priorities = { high = "1", normal = "3", low = "5" }

-- The header lines before those of the body, checked, in the order in which they are written.
local function read_headers(t)
   local out = {}
   local function add(name, value, behind)
      if value then out[#out + 1] = mime.line(name, value, behind) end
   end
   local ok, err = check.is_word(t, "priority", { "high", "normal", "low" })
   if not ok then return nil, err end
   local subject, date, id, reply, refs, list, own_headers
   subject, err = line_option(t, "subject")
   if err then return nil, err end
   date, err = date_of(t)
   if not date then return nil, err end
   id, err = id_of(t, (t.sender or t.from[1]).address)
   if not id then return nil, err end
   reply, err = id_list(t, "in_reply_to")
   if err then return nil, err end
   refs, err = id_list(t, "references")
   if err then return nil, err end
   list, err = unsubscribe(t)
   if not list then return nil, err end
   own_headers, err = header_list(t.headers)
   if not own_headers then return nil, err end

   add("Date", date)
   add("From", joined(t.from))
   add("Sender", t.sender and mime.address(t.sender))
   add("Reply-To", #t.reply_to > 0 and joined(t.reply_to))
   add("To", #t.to > 0 and joined(t.to))
   add("Cc", #t.cc > 0 and joined(t.cc))
   add("Subject", subject and mime.text(subject, "Subject"))
   add("Message-ID", id)
   add("In-Reply-To", reply)
   add("References", refs)
   add("X-Priority", priorities[t.priority])
   add("Importance", t.priority)
   add("List-Unsubscribe", list[1])
   add("List-Unsubscribe-Post", list[2])
   for i = 1, #own_headers do
      add(own_headers[i][1], mime.own(own_headers[i][2], own_headers[i][1]), true)
   end
   add("MIME-Version", "1.0")
   return out, id
end

-- What makes a boundary this message's own. A message within it may be one of ours.
local function token_of(id, attachments)
   local token = id:gsub("@.*", ""):gsub("[^A-Za-z0-9.]", ""):sub(-40)
   for i = 1, #attachments do
      local text = attachments[i].text
      while text and text:find("_" .. token, 1, true) do token = token .. "x" end
   end
   return token
end

--- Compose a message.
---@param t table   from, sender, reply_to, to, cc: lists of { name=, address= }, checked; subject,
--   text, html, attachments, calendar, headers, date, message_id, in_reply_to, references,
--   priority, list_unsubscribe: as the caller gave them
---@return table|nil   { header_fields = { { name, raw }, … }, body = source, message_id = }
---@return table|nil   UsageError
function compose.message(t)
   local headers, id = read_headers(t)
   if not headers then return nil, id end
   local parts, err = read_parts(t)
   if not parts then return nil, err end
   local whole = structure({ boundaries = 0, token = token_of(id, parts.attachments) }, parts)
   for i = 1, #whole.head do headers[#headers + 1] = whole.head[i] end
   local body = whole.body
   if whole.open_end then body = filters.joined { body, source.of_string("\r\n") } end
   return { header_fields = headers, body = body, message_id = id }
end

return compose
