-- Takes an order, and puts its mail into an outbox. README.md says how to use it.
local smtp = require "smtp.safe"
local order = {}

local outbox = assert(smtp.outbox {
   store = os.getenv "MAIL_STORE" or "/var/lib/shop/mail.db",
   name = "shop",                     -- the same as in outbox.service
   server = { host = os.getenv "SMTP_HOST" }, -- outbox.service has the rest
})

--- POST with number=…&email=…. Answers after the mail is on the disk. The id of the message has the
-- number of the order: a form that is sent twice causes one message.
function order.take()
   ngx.req.read_body()
   local form = ngx.req.get_post_args() or {}
   -- Whole numbers only: the id must not be that of another order.
   local number = tostring(form.number):match "^[1-9][0-9]*$"
   if not number or #number > 15 or type(form.email) ~= "string" then return ngx.exit(400) end
   local id, err = outbox:put({
      from = "Shop <shop@example.org>",
      to = form.email,
      subject = ("Your order %s"):format(number),
      text = ("Thank you. Your order has the number %s.\n"):format(number),
   }, { id = ("order-%s"):format(number) })
   if id then return ngx.say "Thank you. A confirmation is on its way." end
   ngx.log(ngx.ERR, tostring(err))
   return ngx.exit(smtp.is_error(err, "address") and 400 or 503)
end

return order
