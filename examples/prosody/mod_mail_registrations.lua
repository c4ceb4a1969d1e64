-- Mails the address in `mail_to` when a user registers. Prosody serves its other users meanwhile.

local async = require "util.async"
local smtp = require "smtp.safe"

local loop = module:require "smtp_loop"

local function option(name)
   return module:get_option("mail_" .. name)
end

local function mail(event)
   local user = event.username .. "@" .. event.host
   local receipt, err = smtp.send {
      loop = loop, host = option "host", port = option "port", tls = "require",
      tls_ca_file = option "ca_file", username = option "username", password = option "password",
      from = option "from", to = option "to", timeout = 60,
      subject = "New user: " .. user, text = user .. " has registered.\n",
   }
   if receipt then
      module:log("info", "mailed: %s", receipt.reply.text)
   else
      module:log("error", "%s", tostring(err))
   end
end

module:hook("user-registered", function(event)
   async.runner(mail):run(event)
end)
