-- Send through Gmail. Gmail does not accept the password of the account: create an app password at
-- https://myaccount.google.com/apppasswords (it needs 2-Step Verification).
--
--    SMTP_USER=ann@gmail.com SMTP_PASSWORD="abcd efgh ijkl mnop" lua gmail.lua
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   service = not arg[1] and "gmail" or nil, host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = os.getenv "SMTP_FROM" or "ann@gmail.com", -- your address, or one that Gmail has verified
   to = "bob@example.net",
   subject = "Sent through Gmail",
   text = "Hello Bob\n",
}
if not receipt then
   print(err) -- reason "app_password_required": this was the password of the account
   os.exit(1)
end
print(receipt.reply.text)
