-- Try again for as long as the error says that it helps. A message that may have arrived is not
-- sent twice, and a refusal is not repeated.
local smtp = require "smtp.safe"

local message = {
   host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "ann@example.org", to = "bob@example.net",
   subject = "Once is enough", text = "Hi Bob\n",
   message_id = ("<%d.%d@example.org>"):format(os.time(), math.random(1e6)), -- the same each time
}

local pauses = { 5, 60, 300, 900, 3600 } -- seconds; greylisting needs some minutes
local function send(sleep)
   for attempt = 1, #pauses + 1 do
      local receipt, err = smtp.send(message)
      if receipt then return receipt end
      local again = err.retry == "now" or err.retry == "later"
      if not again or not pauses[attempt] then return nil, err end
      print(("attempt %d: %s"):format(attempt, tostring(err)))
      sleep(err.retry == "now" and 1 or pauses[attempt])
   end
end

local receipt, err = send(function(seconds) os.execute("sleep " .. seconds) end)
if receipt then
   print(receipt.reply.text)
else
   if err.retry == "doubt" then print "It may have arrived. Look before you send it again:" end
   print(err)
   os.exit(1)
end
