--- The header fields of a composed message (RFC 5322 3.6), read from the options.
-- @module smtp.compose.headers

local address_fields = require "smtp.compose.address_fields"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local dates = require "smtp.options.dates"
local identifiers = require "smtp.compose.identifiers"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local headers = {}

-- ---- dates ----

-- A time, or a date of RFC 5322, as a header has it. `name`: what errors call it.
local function read_date(value, option, name)
   local date, what, hint = dates.header(value)
   return date or refuse(option, what and ("%s: %s"):format(name, what)
      or name .. " is neither a time nor a date of RFC 5322", hint
      or "Write os.time(), or \"Tue, 24 Nov 2026 12:00:00 +0000\"")
end

-- ---- subject ----

-- A header field is one line of text; anything else would be another field.
local function check_line(value, option)
   if value:find("[%z\1-\8\10-\31\127]") then
      refuse(option, option .. " contains a line break or another control character",
         "Remove it: the text after it would become a header of its own")
   end
end

local function read_subject(t)
   local value = t.subject
   if value == nil then return nil end
   if type(value) ~= "string" then check.is_type("subject", value, "string") end
   check_line(value, "subject")
   if not core.is_utf8(value) then
      refuse("subject", "subject is not valid UTF-8", "Convert it to UTF-8 before sending")
   end
   return value
end

-- ---- list_unsubscribe (RFC 2369, RFC 8058) ----

-- -> why the value is not a URI for List-Unsubscribe, nil if it is
local function why_no_uri(uri, one_click)
   local invisible = type(uri) == "string" and core.invisible(uri)
   if invisible then return ("contains %s, which is invisible"):format(invisible) end
   if type(uri) ~= "string" or not uri:find("^[!-;=?-~]+$") or uri:find("[,<>]") or #uri > 900 then
      return "is not a valid URI: it has to be printable ASCII without commas and < >"
   end
   local lower = ascii.lower(uri)
   if lower:find("^https://[^/]") or lower:find("^mailto:[^?]") then return nil end
   if not lower:find("^http://[^/]") then
      return 'must begin with "https://", "http://" or "mailto:"'
   end
   return one_click and "must be https for one_click (RFC 8058 3.1)" or nil
end

local UNSUBSCRIBE_FORM = 'Write { "https://example.org/u/7", one_click = true }'

-- The value of List-Unsubscribe: "<uri>, <uri>"
local function uri_list(value)
   local uris = check.copy(value)
   uris.one_click = nil
   check.is_list(uris, "list_unsubscribe", UNSUBSCRIBE_FORM)
   local has_https = false
   for i = 1, #uris do
      local why = why_no_uri(uris[i], value.one_click)
      if why then
         refuse("list_unsubscribe", "list_unsubscribe " .. why, UNSUBSCRIBE_FORM, uris[i])
      end
      has_https = has_https or uris[i]:find("^[Hh][Tt][Tt][Pp][Ss]:") ~= nil
      uris[i] = "<" .. uris[i] .. ">"
   end
   if value.one_click and not has_https then
      refuse("list_unsubscribe", "one_click needs an https URI (RFC 8058 3.1)",
         "Add one that unsubscribes when it receives a POST")
   end
   return table.concat(uris, ", ")
end

-- -> the values of List-Unsubscribe and List-Unsubscribe-Post
local function unsubscribe(value)
   if type(value) == "string" then value = { value } end
   if type(value) ~= "table" or #value == 0 then
      check.refuse_value("list_unsubscribe", "a URI or a list of them", value, UNSUBSCRIBE_FORM)
   end
   return uri_list(value), value.one_click and "List-Unsubscribe=One-Click"
end

-- ---- fields of the caller's own ----

-- Fields that an option writes; false: fields that only the composer writes.
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

-- Fields whose value is a date (RFC 5322 3.6.6, RFC 4021).
local date_fields = { ["resent-date"] = true, expires = true, ["expiry-date"] = true,
   ["reply-by"] = true, ["deferred-delivery"] = true, ["latest-delivery-time"] = true,
   ["delivery-date"] = true }

local function check_name(name)
   if type(name) ~= "string" or #name > 76 or not name:find("^[!-9;-~]+$") then
      refuse("headers", ("headers: %q is not a valid header name"):format(user_call.text(name)),
         "A name has letters, digits and hyphens, at most 76 bytes")
   end
   local option = own[ascii.lower(name)]
   if option ~= nil then
      refuse("headers", ("headers may not contain %s"):format(name), option
         and ("Use the option %s"):format(option)
         or "The composer writes it; use raw for a message of your own making")
   end
end

-- -> the value as text
local function check_header(name, value)
   check_name(name)
   if date_fields[ascii.lower(name)] then
      return read_date(value, "headers", "headers: " .. name)
   end
   if type(value) == "number" then value = tostring(value) end
   if type(value) ~= "string" or not core.is_utf8(value) then
      refuse("headers", type(value) == "string" and ("headers: %s is not valid UTF-8"):format(name)
         or ("headers: expected text for %s, got %s"):format(name, user_call.shown(value)),
         ('Write headers = { ["%s"] = "…" }, in UTF-8'):format(name))
   end
   check_line(value, "headers." .. name)
   return value
end

-- Numbers come before other keys.
local function is_before(a, b)
   local first, second = a.key, b.key
   if type(first) ~= type(second) then return type(first) == "number" end
   if type(first) == "string" then return ascii.before(first, second) end
   return first < second
end

-- The option `headers`: a map, in the order of its names, or an ordered list of { name, value }.
-- -> { { name, value, form }, … }, an address because of which the message needs SMTPUTF8
local HEADERS_FORM = 'Write headers = { ["X-Name"] = "value" }'

local function header_list(map)
   local list = {}
   if type(map) ~= "table" then
      check.refuse_value("headers", "a table", map, HEADERS_FORM)
   end
   for key, value in next, map do
      local entry = { key, value, key = user_call.text(key) }
      if type(key) == "number" then
         if type(value) ~= "table" then
            refuse("headers", ("headers[%s]: expected { name, value }, got %s"):format(
               user_call.text(key), user_call.shown(value)), HEADERS_FORM)
         end
         entry = { value[1], value[2], key = key }
      end
      list[#list + 1] = entry
   end
   table.sort(list, is_before)
   local utf8_address
   for i = 1, #list do
      local name, value = list[i][1], check_header(list[i][1], list[i][2])
      local encoded, needs_utf8 = address_fields.encode(name, value)
      utf8_address = utf8_address or needs_utf8
      list[i] = { name, encoded or value, not encoded and "own" or nil }
   end
   return list, utf8_address
end

-- ---- all fields ----

local priorities = { high = "1", normal = "3", low = "5" }

-- The options that become fields with one value each, by the names that `ordered` has.
local function read_values(t, sender)
   local values = { priority = priorities[t.priority], importance = t.priority,
      date = read_date(t.date == nil and os.time() or t.date, "date", "date"),
      subject = read_subject(t) }
   values.message_id, values.in_reply_to, values.references = identifiers.read(t, sender)
   if t.list_unsubscribe ~= nil then
      values.unsubscribe, values.unsubscribe_post = unsubscribe(t.list_unsubscribe)
   end
   return values
end

-- Each field that an option gives: its name, the name of its value, the form of that.
local ordered = { { "Date", "date" }, { "From", "from", "addresses" },
   { "Sender", "sender", "addresses" }, { "Reply-To", "reply_to", "addresses" },
   { "To", "to", "addresses" }, { "Cc", "cc", "addresses" }, { "Subject", "subject", "text" },
   { "Message-ID", "message_id" }, { "In-Reply-To", "in_reply_to" },
   { "References", "references" }, { "X-Priority", "priority" }, { "Importance", "importance" },
   { "List-Unsubscribe", "unsubscribe" }, { "List-Unsubscribe-Post", "unsubscribe_post" } }

--- Read the header fields of a message, without those of its body, in the order in which they are
-- written. Raises a UsageError or a SystemError.
---@param t table         the options of a message
---@param lists table     from, sender, to, cc, reply_to: smtp.AddressList, sender may be nil
---@return table          { { name, value, form }, … } for mime.fields
---@return string         the message identifier
---@return string|nil     an address in the option headers because of which SMTPUTF8 is needed
function headers.read(t, lists)
   local values, fields = read_values(t, (lists.sender or lists.from)[1]), {}
   local own_fields, utf8_address = {}, nil
   for i = 1, #ordered do
      local name, key, form = ordered[i][1], ordered[i][2], ordered[i][3]
      local value = values[key]
      if form == "addresses" then value = lists[key] and lists[key][1] and lists[key] end
      if key == "to" and not value and not lists.cc[1] then
         value, form = "undisclosed-recipients:;", nil -- some filters expect a To field
      end
      if value then fields[#fields + 1] = { name, value, form } end
   end
   if t.headers ~= nil then own_fields, utf8_address = header_list(t.headers) end
   for i = 1, #own_fields do fields[#fields + 1] = own_fields[i] end
   fields[#fields + 1] = { "MIME-Version", "1.0" }
   return fields, values.message_id, utf8_address
end

return headers
