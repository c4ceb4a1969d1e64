-- Sends three messages at once in threads of copas (version 1.2, as Debian has it, or later).

local copas = require "copas"
local smtp = require "smtp.safe"

local left = 3

local function send(number)
   local receipt, err = smtp.send {
      loop = "copas", host = arg[1], port = arg[2],
      username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
      from = "ann@example.org", to = "bob@example.net",
      subject = "Message " .. number, text = "Sent in a thread of copas\n",
   }
   print(number, receipt and receipt.reply.text or tostring(err))
   left = left - 1
end

for number = 1, 3 do copas.addthread(function() send(number) end) end
while left > 0 do copas.step() end
