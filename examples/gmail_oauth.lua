-- Send through Gmail with OAuth, without a password. Create a client in the Google Cloud console,
-- and let the user agree once to the scope https://mail.google.com/ to get a refresh token.
--
--    SMTP_USER=ann@gmail.com CLIENT_ID=… CLIENT_SECRET=… REFRESH_TOKEN=… lua gmail_oauth.lua
local oauth = require "oauth"
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   service = not arg[1] and "gmail" or nil, host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER",
   token = oauth.token {
      fetch = require("ssl.https").request, -- LuaSec; any function that posts a form will do
      url = os.getenv "OAUTH_URL" or "https://oauth2.googleapis.com/token",
      client_id = os.getenv "CLIENT_ID", client_secret = os.getenv "CLIENT_SECRET",
      refresh_token = os.getenv "REFRESH_TOKEN",
   },
   from = os.getenv "SMTP_FROM" or "ann@gmail.com", to = "bob@example.net",
   subject = "Sent with OAuth", text = "Hello Bob\n",
}
print(receipt and receipt.reply.text or tostring(err))
if not receipt then os.exit(1) end
