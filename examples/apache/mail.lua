-- Answers a request in Apache's mod_lua, and mails. The thread of this request waits until the
-- server has the message; the other threads of Apache go on. So its time is short: timeout = 10.

local smtp = require "smtp.safe"

function handle(r)
   if r.method ~= "POST" then
      r.status = 405
      return apache2.OK
   end
   local receipt, err = smtp.send {
      host = os.getenv "MAIL_HOST", port = os.getenv "MAIL_PORT", tls = "require",
      tls_ca_file = os.getenv "MAIL_CA_FILE", timeout = 10,
      username = "ann", password = os.getenv "MAIL_PASSWORD",
      from = "ann@example.org", to = "bob@example.net",
      subject = "A request from " .. r.useragent_ip, text = "It came to " .. r.uri .. "\n",
   }
   r.content_type = "text/plain"
   if receipt then
      r:puts("sent: ", receipt.reply.text, "\n")
   else
      r:err(tostring(err)) -- to the error log: visitors do not need it
      r.status = 503
      r:puts("The message could not be sent. Try again later.\n")
   end
   return apache2.OK
end
