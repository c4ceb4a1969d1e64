-- Reads the messages of a folder as smtp.sink does: read.lua FOLDER HEADER…
local read = require("smtp.sink.reader").read

local function show(key, value)
   if value == nil then return end
   print(key .. "\t" .. value:gsub("[^ -%[%]-~]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local function show_part(number, part)
   for key, field in pairs { type = "content_type", charset = "charset", disposition = "disposition",
      name = "filename", id = "content_id", content = "content" } do
      show(number .. "." .. key, part[field])
   end
end

local function show_message(message)
   for _, name in ipairs { "subject", "message-id", "in-reply-to", "references" } do
      show(name, message.headers[name])
   end
   for i = 2, #arg do show("header " .. arg[i], message.headers[arg[i]]) end
   for number, part in ipairs(message.parts) do show_part(number, part) end
end

local pipe = io.popen(("ls %s/*.eml"):format(arg[1]))
for path in pipe:lines() do
   print("= " .. path:match("[^/]+$"))
   local file = assert(io.open(path, "rb"))
   show_message(read(file:read("*a")))
   file:close()
end
pipe:close()
