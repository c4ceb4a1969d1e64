--- What a reader must find in a message of the gallery: a map of field names ("subject", "2.name") to values.

local expected = {}

local function addresses(value)
   if not value then return "" end
   if type(value) == "string" or value.address then value = { value } end
   local list = {}
   for i, one in ipairs(value) do
      list[i] = type(one) == "string" and one or (one.name and one.name .. "|" or "") .. one.address
   end
   return table.concat(list, "; ")
end

local function crlf(text)
   return (text:gsub("\r?\n", "\r\n"))
end

local function ids(value)
   return type(value) == "table" and table.concat(value, " ") or value
end

-- The body parts text, html and calendar that the options have, those of a single part with CRLF at the end.
local function body(options, kind, is_single)
   local value = options[kind]
   local text = crlf(type(value) == "table" and value.content or value)
   if is_single and text ~= "" and text:sub(-2) ~= "\r\n" then text = text .. "\r\n" end
   return text
end

local option_of = { ["text/plain"] = "text", ["text/html"] = "html", ["text/calendar"] = "calendar" }

-- One attachment, with what its row of `files` says.
local function file_part(found, number, attachment, file)
   found[number .. ".name"], found[number .. ".id"] = file.name, file.id
   found[number .. ".plain name"] = file.name
   found[number .. ".charset"] = file.charset
   found[number .. ".disposition"] = file.disposition or "attachment"
   found[number .. ".content"] = file.content or attachment.content
end

local function parts(found, message)
   local options, number, files, taken = message.options, 0, 0, {}
   local is_single = not message.structure:find("(", 1, true)
   for kind in message.structure:gmatch "[a-z]+/[A-Za-z0-9.+-]+" do
      number = number + 1
      local option = option_of[kind]
      found[number .. ".type"] = kind
      if option and options[option] and not taken[option] then
         taken[option] = true
         found[number .. ".content"] = body(options, option, is_single)
         found[number .. ".charset"] = "utf-8"
         if option == "calendar" then found[number .. ".method"] = message.read.method end
      else
         files = files + 1
         file_part(found, number, options.attachments[files], message.files[files])
      end
   end
end

--- @param message table   name, options, structure, files, read
function expected.of(message)
   local options, found = message.options, {}
   for option, field in pairs { from = "from", sender = "sender", reply_to = "reply-to", to = "to", cc = "cc" } do
      found[field] = addresses(options[option])
   end
   found.subject = options.subject
   found.date, found["message-id"] = tostring(options.date), options.message_id
   found["in-reply-to"], found.references = options.in_reply_to, ids(options.references)
   found.structure = message.structure
   parts(found, message)
   for key, value in pairs(message.read) do
      if key == "headers" then
         for name, text in pairs(value) do found["header " .. name] = text end
      elseif key ~= "method" then
         found[key] = value
      end
   end
   return found
end

return expected
