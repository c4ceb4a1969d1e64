-- Several messages over one connection. `<close>` (Lua 5.4) closes it when the block ends, even by
-- an error; elsewhere, call connection:quit().
local smtp = require "smtp"

do
   local connection <close> = smtp.connect {
      host = arg[1], port = arg[2],
      username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   }
   for _, name in ipairs { "bob", "carol", "dave" } do
      local ok, result = pcall(connection.send, connection, {
         from = "ann@example.org", to = name .. "@example.net",
         subject = "Hello, " .. name, text = "Hi!\n",
      })
      print(name, ok and result.reply.text or tostring(result))
      if not connection.alive then break end -- a refusal leaves it alive, a break does not
   end
end
