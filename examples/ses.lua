-- Send through Amazon SES. The login is a pair of SMTP credentials (SES console, SMTP settings),
-- not the access key and its secret; they belong to one region. SES signs by DKIM itself.
--
--    SMTP_USER=AKIA… SMTP_PASSWORD=… lua ses.lua
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   service = not arg[1] and "ses:eu-west-1" or nil, host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "news@example.org", -- an address or a domain that is verified in that region
   to = "bob@example.net",
   headers = { ["X-SES-CONFIGURATION-SET"] = "news" },
   subject = "Sent through SES",
   text = "Hello Bob\n",
}
if not receipt then
   print(err) -- reason "sender_not_allowed": the address is not verified
   os.exit(1)
end
print(receipt.reply.text) -- the id that SES gave the message
