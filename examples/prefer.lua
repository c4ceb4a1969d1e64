-- Log in where the server has a login, and send without it where the server has none. A wrong
-- password is still an error: mail goes out without a login only if the server does not offer AUTH.
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   host = arg[1] or "mail.example.org", port = arg[2],
   auth = "prefer",
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "ann@example.org", to = "bob@example.net",
   subject = "Hello", text = "Hi Bob\n",
}
if not receipt then
   print(err)
   os.exit(1)
end
if receipt.auth.state == "authenticated" then
   print("sent, logged in by " .. receipt.auth.mechanism)
else
   print("sent without a login: " .. receipt.auth.reason) -- not_advertised, helo_only, …
end
