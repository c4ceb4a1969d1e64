-- Send one message.
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "Ann <ann@example.org>",
   to = { "bob@example.net", "Carol <carol@example.net>" },
   subject = "Lunch",
   text = "At noon, as always.\n\nAnn\n",
}
if not receipt then
   print(err)
   os.exit(1)
end
for _, recipient in ipairs(receipt.recipients) do print(recipient.address, recipient.state) end
print("the server said: " .. receipt.reply.text)
