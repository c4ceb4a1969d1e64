-- Send from a network that lets connections out only through a proxy:
-- MAIL_PROXY=socks5://ann:password@proxy.example.org:1080, or http://proxy.example.org:3128.
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   host = arg[1] or "mail.example.org", port = arg[2] or 587,
   proxy = os.getenv "MAIL_PROXY", -- without the variable: none
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "app@example.org", to = "ann@example.org",
   subject = "Hello from inside", text = "Hello.\n",
}
if not receipt then
   print(err) -- reason "proxy_refused": the proxy does not connect to that host and port
   os.exit(1)
end
print(receipt.reply.text)
