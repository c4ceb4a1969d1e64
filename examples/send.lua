-- Send one message.
--
--    lua examples/send.lua HOST PORT     to a server of yours (SMTP_USER, SMTP_PASSWORD: optional)
--    lua examples/send.lua               to a sink in this process, which prints what arrives
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local options = {
   host = arg[1], port = arg[2],
   username = os.getenv("SMTP_USER"), password = os.getenv("SMTP_PASSWORD"),
   from = "Ann <ann@example.org>",
   to = { "bob@example.net", "Carol <carol@example.net>" },
   subject = "Lunch?",
   text = "At noon, as always.\n\nAnn\n",
}

if not arg[1] then
   options.transport = smtp.sink { on_message = function(m) print(m.data) end }:transport()
   options.tls = "skip"
end

local ok, result = pcall(smtp.send, options)
if not ok then
   print(result)
   os.exit(1)
end
for _, recipient in ipairs(result.recipients) do print(recipient.address, recipient.state) end
print("the server said: " .. result.reply.text)
