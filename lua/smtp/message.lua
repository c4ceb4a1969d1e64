--- Text messages: headers (RFC 5322) and a body that is 7-bit always, so that its bytes depend on
-- the options alone and never on the server.
-- @module smtp.message

local address = require "smtp.address"
local core = require "smtp.core"
local errors = require "smtp.errors"
local mime = require "smtp.mime"

local message = {}

-- Headers that an option writes, or that nobody but the composer may.
local own = {
   from = "from", sender = "sender", to = "to", cc = "cc", bcc = "bcc", ["reply-to"] = "reply_to",
   subject = "subject", date = "date", ["message-id"] = "message_id", ["mime-version"] = false,
   ["content-type"] = false, ["content-transfer-encoding"] = false,
}

local days = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
   "Dec" }

--- A time as RFC 5322 3.3 writes it, in English whatever the locale, in UTC.
---@param time number   seconds since 1970
function message.date(time)
   local d = os.date("!*t", time)
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
   if not mime.is_utf8(value) then
      return nil, errors.usage(name, name .. " is not valid UTF-8", "Convert it before sending")
   end
   return value
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
   if type(name) ~= "string" or not name:find("^[!-9;-~]+$") then
      return nil, errors.usage("headers", ("headers: %q is no name for a header"):format(
         tostring(name)), "A name has letters, digits and hyphens")
   end
   local option = own[name:lower()]
   if option then
      return nil, errors.usage("headers", ("headers may not hold %s"):format(name),
         ("Use the option %s"):format(option))
   elseif option == false then
      return nil, errors.usage("headers", ("headers may not hold %s"):format(name),
         "The composer writes it; use raw for a message of your own making")
   end
   if type(value) == "number" then value = tostring(value) end
   if type(value) ~= "string" or not mime.is_utf8(value) then
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
         list[#list + 1] = { key, value, tostring(key) }
      end
   end
   table.sort(list, function(a, b)
      if type(a[3]) == type(b[3]) then return a[3] < b[3] end
      return type(a[3]) == "number"
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
   for i = 1, #list do texts[i] = address.format(list[i]) end
   return table.concat(texts, ", ")
end

local function date_of(t)
   local date = t.date
   if date == nil then return message.date(os.time()) end
   if type(date) == "number" then return message.date(date) end
   if type(date) ~= "string" or not date:find("^[A-Z]%l%l, %d%d? [A-Z]%l%l %d%d%d%d %d%d:%d%d")
      or date:find("[^ -~]") then
      return nil, errors.usage("date", "date is neither a time nor a date of RFC 5322",
         "Write os.time(), or \"Tue, 24 Nov 2026 12:00:00 +0000\"")
   end
   return date
end

local function id_of(t, sender)
   local id = t.message_id
   if id == nil then return new_id(sender) end
   if type(id) ~= "string" or not id:find("^<[!-;=?-~]+@[!-;=?-~]+>$") then
      return nil, errors.usage("message_id", "message_id is not of the form <left@right>")
   end
   return id
end

--- Compose a message.
---@param t table   from, sender, reply_to, to, cc: lists of { name=, address= }, checked; subject,
--   text, headers, date, message_id: as the caller gave them
---@return table|nil   { string=, message_id= }
---@return table|nil   UsageError
function message.compose(t)
   local out = {}
   local function add(name, value) out[#out + 1] = mime.header(name, value) end
   local subject, err = line_option(t, "subject")
   if err then return nil, err end
   local text
   text, err = text_option(t, "text")
   if err then return nil, err end
   if text and text:find("%z") then
      return nil, errors.usage("text", "text holds a NUL", "Text has none: remove it")
   end
   local date, id, headers
   date, err = date_of(t)
   if not date then return nil, err end
   id, err = id_of(t, (t.sender or t.from[1]).address)
   if not id then return nil, err end
   headers, err = header_list(t.headers)
   if not headers then return nil, err end

   add("Date", date)
   add("From", joined(t.from))
   if t.sender then add("Sender", address.format(t.sender)) end
   if #t.reply_to > 0 then add("Reply-To", joined(t.reply_to)) end
   if #t.to > 0 then add("To", joined(t.to)) end
   if #t.cc > 0 then add("Cc", joined(t.cc)) end
   if subject then add("Subject", mime.text(subject)) end
   add("Message-ID", id)
   for i = 1, #headers do add(headers[i][1], mime.text(headers[i][2])) end
   local encoding, body = mime.body(text or "")
   add("MIME-Version", "1.0")
   add("Content-Type", "text/plain; charset=utf-8")
   add("Content-Transfer-Encoding", encoding)
   return { string = table.concat(out) .. "\r\n" .. body, message_id = id }
end

return message
