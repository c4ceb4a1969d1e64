-- Send through Microsoft 365 with a password. Most organisations have switched passwords off for
-- SMTP: then the error has the reason "token_required" or "auth_disabled", and you need OAuth
-- (microsoft365_oauth.lua), or an administrator who switches SMTP AUTH on for this mailbox.
--
--    SMTP_USER=ann@example.org SMTP_PASSWORD=… lua microsoft365.lua
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   service = not arg[1] and "microsoft365" or nil, host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = os.getenv "SMTP_FROM" or "ann@example.org", -- or one with the permission Send As
   to = "bob@example.net",
   subject = "Sent through Microsoft 365",
   text = "Hello Bob\n",
}
if not receipt then
   print(err)
   os.exit(1)
end
print(receipt.reply.text)
