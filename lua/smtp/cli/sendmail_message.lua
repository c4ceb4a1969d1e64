--- The message that sendmail reads from standard input: the addresses in its header, and the fields
-- that it lacks. What needs no change stays as it is.
-- @module smtp.cli.sendmail_message

local address_parts = require "smtp.compose.address_parts"
local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local dates = require "smtp.options.dates"
local source = require "smtp.compose.source"

local LINE_MAX = 998 -- bytes of a line without its end (RFC 5322 2.1.1)

---@class smtp.SendmailMessage
---@field fields table    { { name = in lower case, text = all of it, to the last CRLF }, … }
---@field body string
---@field prefix string   "resent-" where the message is sent once more (RFC 5322 3.6.6), else ""
local Message = { __name = "smtp.SendmailMessage" }
Message.__index = Message

-- ---- reading ----

-- The text before a line that is one dot.
local function before_dot(text)
   if text:find("^%.\r\n") or text == "." then return "" end
   local at = text:find("\r\n.\r\n", 1, true)
   if at then return text:sub(1, at + 1) end
   return (text:gsub("\r\n%.$", "\r\n"))
end

-- Where the header begins: after a byte order mark, and after lines "From …" of an mbox file.
local function header_begin(text)
   local at = text:find("^\239\187\191") and 4 or 1
   while text:find("^>?From [^:]", at) do
      local _, stop = text:find("\r\n", at, true)
      at = (stop or #text) + 1
   end
   return at
end

-- The place after the line that begins at `at`.
local function after_line(text, at)
   local _, stop = text:find("\r\n", at, true)
   return (stop or #text) + 1
end

-- The header ends before the first line that is not a field. -> fields, the place after them
local function read_fields(text, at)
   local fields = {}
   while true do
      local name = text:match("^([!-9;-~]+)[ \t]*:", at)
      if not name then return fields, at end
      local stop = after_line(text, at)
      while text:find("^[ \t]", stop) do stop = after_line(text, stop) end
      local field = text:sub(at, stop - 1)
      fields[#fields + 1] = { name = ascii.lower(name),
         text = field:find("\n$") and field or field .. "\r\n" }
      at = stop
   end
end

--- Read a message.
---@param text string        with line ends of any kind
---@param dot_ends boolean   a line that is one dot ends it
---@return smtp.SendmailMessage
local function read(text, dot_ends)
   text = core.encode(text, "7bit") -- CRLF ends each line, as in every raw message
   if dot_ends then text = before_dot(text) end
   local fields, at = read_fields(text, header_begin(text))
   if text:find("^\r\n", at) then at = at + 2 end
   local self = setmetatable({ fields = fields, body = text:sub(at), prefix = "" }, Message)
   for i = 1, #fields do
      if fields[i].name:find("^resent%-") then self.prefix = "resent-" end
   end
   return self
end

-- ---- addresses ----

--- The addresses in a text of one line, without names, comments and groups.
---@param text string
---@return table   { { address =, last = the place of its last byte }, … }
local function addresses_in(text)
   local list, words, is_literal, inner, last = {}, {}, false, nil, nil
   local function flush()
      local address = inner or ascii.trim((table.concat(words):gsub(" ?([@.]) ?", "%1")))
      if address ~= "" then list[#list + 1] = { address = address, last = last } end
      words, is_literal, inner = {}, false, nil
   end
   address_parts.each(text, function(part, c, stop)
      if c == "<" then
         inner, last = ascii.trim(part:sub(2, -2)), stop - 1
      elseif c == "," or c == ";" then
         flush()
      elseif c == ":" and not is_literal then
         words = {} -- they are the name of a group
      elseif part:find("^[ \t]") then
         words[#words + 1] = " "
      elseif c ~= "(" then
         words[#words + 1], last = part, inner and last or stop
         is_literal = is_literal or part:find("@[", 1, true) ~= nil
      end
   end)
   flush()
   return list
end

-- The addresses in a field, with their places in it. A folded line has blanks for its line end.
local function addresses_of(field)
   local name, value = field.text:match("^([^:]*:)(.*)$")
   return addresses_in((" "):rep(#name) .. value:gsub("[\r\n]", " "))
end

-- "resent-message-id" -> "Resent-Message-ID"
local function spelled(name)
   name = name:gsub("^[a-z]", ascii.upper):gsub("%-[a-z]", ascii.upper)
   return (name:gsub("Id$", "ID"):gsub("^Mime", "MIME"))
end

local function each_field(self, names, take)
   for i = 1, #self.fields do
      if names[self.fields[i].name] then take(self.fields[i]) end
   end
end

local function named(prefix, ...)
   local names = {}
   for _, name in ipairs { ... } do names[prefix .. name] = true end
   return names
end

--- The recipients that the header names: those of Resent-To, Resent-Cc and Resent-Bcc where there
-- is one of these, else those of To, Cc and Bcc.
---@return table   { { address =, name = of its field }, … }
function Message:recipients()
   local function find(prefix)
      local list, is_there = {}, false
      each_field(self, named(prefix, "to", "cc", "bcc"), function(field)
         is_there = true
         for _, one in ipairs(addresses_of(field)) do
            list[#list + 1] = { address = one.address, name = spelled(field.name) }
         end
      end)
      return is_there and list or nil
   end
   return find "resent-" or find "" or {}
end

--- The sender that the header names: the first address of Sender, or of From.
---@return string|nil
function Message:sender()
   for _, name in ipairs { "sender", "from" } do
      local found
      each_field(self, named(self.prefix, name), function(field)
         local first = addresses_of(field)[1]
         found = found or first and first.address
      end)
      if found then return found end
   end
end

--- The value of From, or of Resent-From; nil where it is missing.
---@return string|nil
function Message:author()
   local value
   each_field(self, named(self.prefix, "from"), function(field)
      value = value or field.text:match(":(.*)\r\n$"):gsub("\r\n", "")
   end)
   return value
end

--- Is this the name of a mailbox on this machine, without a domain?
---@param address string
function Message.is_local(address)
   return not address:find('@[^"@]*$')
end

local address_names = named("", "from", "sender", "reply-to", "to", "cc", "resent-from",
   "resent-sender", "resent-to", "resent-cc", "resent-reply-to")

--- Add a domain to the addresses in the header that have none.
---@param domain string
function Message:complete(domain)
   each_field(self, address_names, function(field)
      local parts, at = {}, 1
      for _, one in ipairs(addresses_of(field)) do
         if Message.is_local(one.address) then
            parts[#parts + 1] = field.text:sub(at, one.last) .. "@" .. domain
            at = one.last + 1
         end
      end
      field.text = table.concat(parts) .. field.text:sub(at)
   end)
end

-- ---- what is added, removed and changed ----

-- Bcc is for this program alone, and the server that delivers the message writes Return-Path.
local removed = { bcc = true, ["resent-bcc"] = true, ["return-path"] = true }

local function has(self, name)
   local found = false
   each_field(self, named("", name), function() found = true end)
   return found
end

local function add(self, name, value)
   if has(self, name) then return end
   self.fields[#self.fields + 1] = { name = name, text = spelled(name) .. ": " .. value .. "\r\n" }
end

--- Add the fields that the header lacks: From, Date, Message-ID, or those with Resent-.
---@param author string   the value of From
function Message:add_missing(author)
   add(self, self.prefix .. "from", author)
   add(self, self.prefix .. "date", dates.header(os.time()))
   local first = addresses_in(author)[1]
   local domain = core.idna(first and first.address:match("@([^@]*)$") or "localhost")
   local id = core.message_id(domain or "localhost")
   if id then add(self, self.prefix .. "message-id", id) end
end

-- A field with a longer line is folded at its blanks.
local function folded(text)
   if #text <= LINE_MAX then return text end
   for line in text:gmatch("[^\r\n]+") do
      if #line > LINE_MAX then
         local name, value = text:match("^([^:]*):(.*)$")
         value = ascii.trim((value:gsub("\r\n", "")))
         return name .. ": " .. core.fold(value, #name + 2) .. "\r\n"
      end
   end
   return text
end

local function value_of(self, name)
   local value = ""
   each_field(self, named("", name), function(field)
      value = ascii.lower(field.text:match(":(.*)\r\n$"))
   end)
   return ascii.trim((value:gsub("\r\n", "")))
end

local plain_encodings = { [""] = true, ["7bit"] = true, ["8bit"] = true, binary = true }

-- Is the body one text that may get another encoding?
local function is_plain_text(self)
   local content_type = value_of(self, "content-type")
   return (content_type == "" or content_type:find("^text/"))
      and plain_encodings[value_of(self, "content-transfer-encoding")]
      and not has(self, "dkim-signature")
end

-- A text with lines that no server has to accept, or with NUL, becomes quoted-printable: cron sends
-- whatever a program prints.
local function encode_body(self)
   local scan = source.scan(self.body, true)
   if not (scan.long_line or scan.nul) or not is_plain_text(self) then return end
   for i = #self.fields, 1, -1 do
      if self.fields[i].name == "content-transfer-encoding" then table.remove(self.fields, i) end
   end
   add(self, "mime-version", "1.0")
   add(self, "content-type", "text/plain; charset="
      .. (core.is_utf8(self.body) and "utf-8" or "unknown-8bit")) -- RFC 1428
   add(self, "content-transfer-encoding", "quoted-printable")
   self.body = core.encode(self.body, "quoted-printable")
end

--- The message as it is sent.
---@return string
function Message:text()
   encode_body(self)
   local parts = {}
   for i = 1, #self.fields do
      local field = self.fields[i]
      if not removed[field.name] then parts[#parts + 1] = folded(field.text) end
   end
   parts[#parts + 1] = "\r\n"
   parts[#parts + 1] = self.body
   return table.concat(parts)
end

return { read = read, addresses_in = addresses_in, is_local = Message.is_local }
