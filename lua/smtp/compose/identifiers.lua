--- Message identifiers (RFC 5322 3.6.4): the fields Message-ID, In-Reply-To and References.
-- @module smtp.compose.identifiers

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"

local ID_LEN_MAX = 900 -- so that its line stays within 998 (RFC 5322 2.1.1)

-- `sender`: the address at whose domain the identifier is.
local function new_id(sender)
   local domain = sender:match("@([^@]*)$") or "localhost"
   if domain:find("[\128-\255]") then domain = core.idna(domain) end
   return core.message_id(domain)
      or error(errors.new("system", { what = "this system has no random bytes" }), 0)
end

local function message_id(t, sender)
   local id = t.message_id
   if id == nil then return new_id(sender) end
   if type(id) ~= "string" or #id > ID_LEN_MAX or not id:find("^<[!-;=?-~]+@[!-;=?-~]+>$") then
      errors.refuse("message_id", "message_id is not of the form <left@right>, at most 900 bytes",
         'Write message_id = "<order-7@example.org>", or leave it out', id)
   end
   return id
end

-- Adds the message identifiers of a text to `list`. The text may be the value of a header as it was
-- received: with folds, commas and comments, and with identifiers that do not follow RFC 5322. It
-- may come from a stranger: no part of it is read twice.
-- -> nil, or what is not an identifier
local function take_ids(text, list)
   text = text:gsub("\r?\n([ \t])", "%1")
   local at = text:find("[^ \t,]")
   while at do
      local _, stop, id = text:find("^(<[!-;=?-~]+>)", at)
      if not id then _, stop = text:find("^%b()", at) end
      if not stop or id and #id > ID_LEN_MAX then
         local wrong = text:match("^<[^<>]*>?", at) or text:match("^[^ \t,]+", at)
         return (wrong:gsub("\r", "\\r"):gsub("\n", "\\n"))
      end
      list[#list + 1] = id
      at = text:find("[^ \t,]", stop + 1)
   end
end

local FORM = 'Write "<left@right>" (printable ASCII without blanks, at most 900 bytes), or a list '
   .. "of these"

-- The option with one or several message identifiers, a string or a list.
-- -> "<a@b> <c@d>", nil if it is not set
local function id_list(t, name)
   local value, list = t[name], {}
   if value == nil then return nil end
   if type(value) ~= "table" then value = { value } end
   check.is_list(value, name)
   for i = 1, #value do
      local wrong = value[i]
      if type(wrong) == "string" then wrong = take_ids(wrong, list) end
      if wrong ~= nil then check.refuse_value(name, "a message identifier", wrong, FORM) end
   end
   if #list == 0 then
      errors.refuse(name, name .. " contains no message identifier", FORM .. ", or leave it out")
   end
   return table.concat(list, " ")
end

--- Read the options message_id, in_reply_to and references. Raises a UsageError or a SystemError.
---@param t table         the options of a message
---@param sender string   the sender's address, for a new message_id
---@return string         the value of Message-ID
---@return string|nil     the value of In-Reply-To
---@return string|nil     the value of References
local function read(t, sender)
   local reply, references = id_list(t, "in_reply_to"), id_list(t, "references")
   return message_id(t, sender), reply, references
end

return { read = read }
