-- Mail that survives a crash: put writes a message to the disk, run delivers it. A web application
-- calls put, and a service calls run; here both follow each other. Rock: lua-smtp-outbox.
local smtp = require "smtp"

local outbox = smtp.outbox {
   store = os.getenv "MAIL_STORE" or "mail.db",
   name = "shop", -- by default it follows the server: its messages would wait if that moved
   server = {
      host = arg[1], port = arg[2], username = os.getenv "SMTP_USER",
      password = function() return os.getenv "SMTP_PASSWORD" end, -- asked for at each login
   },
   on_result = function(entry, _, err) print(entry.id, entry.state, err or "") end,
}

-- A second put with the same id counts as the first one: a handler may run twice.
outbox:put({
   from = "Shop <shop@example.org>",
   to = "bob@example.net",
   subject = "Your order",
   text = "Thank you. Your order has the number 7.\n",
}, { id = "order-7" })

-- What is due now, as a cron job does it. A service calls outbox:run() instead.
local totals = outbox:run { once = true }
print(("%d sent, %d failed, %d in doubt"):format(totals.sent, totals.failed, totals.doubt))

local stats = outbox:stats()
if stats.why then print("waiting: " .. stats.why) end
for _, entry in ipairs(outbox:list { state = "doubt" }) do
   print(entry.id .. " may or may not have arrived: see outbox:resolve")
end
