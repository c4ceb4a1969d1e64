-- The accounts of the command lua-smtp. Copy this file to ~/.config/lua-smtp.lua, write your own
-- accounts into it, and run chmod 600 ~/.config/lua-smtp.lua.

local FRIENDS = "mail.example.org" -- it is a Lua file: variables, loops, and no functions

return {
   -- For a sender that no account has.
   default = "work",

   accounts = {
      -- An app password of Gmail, which pass(1) keeps.
      work = { service = "gmail", username = "ann@gmail.com",
         password_command = { "pass", "show", "mail/work" } },

      -- Microsoft 365: a program prints an OAuth token.
      office = { service = "microsoft365", username = "ann@example.com",
         token_command = { "oama", "access", "ann@example.com" } },

      -- The password is the first line of a file.
      friends = { host = FRIENDS, port = 465, tls = "implicit", username = "ann",
         from = "Ann Example <ann@example.org>", password_file = "~/.config/mail-friends" },

      -- A relay without a login, with a certificate of a CA of one's own.
      relay = { host = "relay.example.net", port = 25, tls = "require",
         tls_ca_file = "/etc/ssl/certs/relay-ca.pem", from = "cron@example.net" },
   },
}
