-- The service lua.mail of HAProxy: mails what is posted to it. HAProxy serves other requests
-- meanwhile. See haproxy.cfg.

require "smtp.preload" -- all of it now: HAProxy may call chroot, and no request waits for a file
local smtp = require "smtp.safe"
local transport = require "haproxy_transport"

core.register_service("mail", "http", function(applet)
   local receipt, err = smtp.send {
      transport = transport "unix@/run/haproxy/smtp.sock", tls = "implicit",
      host = "mail.example.org", domain = "www.example.org",
      username = "web", password = os.getenv "MAIL_PASSWORD",
      from = "web@example.org", to = "ann@example.org", timeout = 20,
      subject = "A message from the web", text = applet:receive(),
   }
   if not receipt then core.Alert(tostring(err)) end
   local text = receipt and "sent\n" or "The message could not be sent. Try again later.\n"
   applet:set_status(receipt and 200 or 503)
   applet:add_header("content-type", "text/plain")
   applet:add_header("content-length", #text)
   applet:start_response()
   applet:send(text)
end)
