-- Send through Microsoft 365 with OAuth. Register an application in Entra ID with the permission
-- SMTP.Send, and let the user agree once to the scopes below to get a refresh token.
--
--    SMTP_USER=ann@example.org TENANT=… CLIENT_ID=… REFRESH_TOKEN=… lua microsoft365_oauth.lua
local oauth = require "oauth"
local smtp = require "smtp.safe"

local endpoint = "https://login.microsoftonline.com/%s/oauth2/v2.0/token"

local receipt, err = smtp.send {
   service = not arg[1] and "microsoft365" or nil, host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER",
   token = oauth.token {
      fetch = require("ssl.https").request, -- LuaSec; any function that posts a form will do
      url = os.getenv "OAUTH_URL" or endpoint:format(os.getenv "TENANT" or "common"),
      client_id = os.getenv "CLIENT_ID", client_secret = os.getenv "CLIENT_SECRET",
      refresh_token = os.getenv "REFRESH_TOKEN",
      scope = "https://outlook.office.com/SMTP.Send offline_access",
   },
   from = os.getenv "SMTP_FROM" or "ann@example.org", to = "bob@example.net",
   subject = "Sent with OAuth", text = "Hello Bob\n",
}
print(receipt and receipt.reply.text or tostring(err))
if not receipt then os.exit(1) end
