--- A composed message: header and body made from the options. It is always 7-bit, so that its bytes
-- depend on the options alone and never on the server.
-- @module smtp.compose.composed

local filters = require "smtp.compose.filters"
local headers = require "smtp.compose.headers"
local mime = require "smtp.compose.mime"
local parts = require "smtp.compose.parts"
local refuse = require("smtp.errors").refuse

local function check_options(t, lists)
   for _, name in ipairs { "eightbit", "size" } do
      if t[name] ~= nil then refuse(name, name .. " is for raw messages only", "Remove it") end
   end
   if #lists.from == 0 then
      refuse("from", "from is missing", "Name the author: from = \"ann@example.org\"")
   end
   if #lists.from > 1 and not lists.sender then
      refuse("sender", "several addresses in from need a sender", "Name one of them")
   end
end

--- Compose a message. Raises a UsageError or a SystemError.
---@param t table         the options of a message
---@param lists table     from, sender, to, cc, reply_to: smtp.AddressList, sender may be nil
---@return table          source, text, size, size_is_exact, eightbit, message_id, header_fields,
--   body, body_at and utf8_address of smtp.OutgoingMessage
local function read(t, lists)
   check_options(t, lists)
   local fields, id, utf8_address = headers.read(t, lists)
   local part = parts.read(t, id)
   for i = 1, #part.fields do fields[#fields + 1] = part.fields[i] end
   local header_fields, head = mime.fields(fields)
   local content = { eightbit = false, message_id = id, header_fields = header_fields,
      body_at = #head + 3, utf8_address = utf8_address }
   local pieces = part.pieces or { part.body, part.needs_line_end and "\r\n" or nil }
   table.insert(pieces, 1, head .. "\r\n")
   local whole = filters.join(pieces)
   if type(whole) == "string" then
      content.text, content.size, content.size_is_exact = whole, #whole, true
   else
      content.source, content.size = whole, whole.size
      content.size_is_exact = whole.size ~= nil and whole.again == true
      table.remove(pieces, 1)
      content.body = t.dkim ~= nil and filters.join(pieces) or nil
   end
   return content
end

return { read = read }
