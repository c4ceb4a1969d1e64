-- Sends three messages at once in the event loop of luv, in which a timer runs.

local smtp = require "smtp.safe"
local uv = require "luv"

local left, ticks = 3, 0
local timer = uv.new_timer()
timer:start(0, 5, function() ticks = ticks + 1 end)

local function send(number)
   local receipt, err = smtp.send {
      loop = "luv", host = arg[1], port = arg[2],
      username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
      from = "ann@example.org", to = "bob@example.net",
      subject = "Message " .. number, text = "Sent in the event loop of luv\n",
   }
   print(number, receipt and receipt.reply.text or tostring(err))
   left = left - 1
   if left == 0 then timer:close() end
end

for number = 1, 3 do coroutine.wrap(send)(number) end
uv.run()
print(("the timer ran %d times meanwhile"):format(ticks))
