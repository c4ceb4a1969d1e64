-- Mail that many machines put and deliver: the messages are in Redis. The client is redis-lua here
-- (Debian: lua-redis and lua-socket); another one that has `eval` does as well, and in nginx
-- lua-resty-redis does.
local redis = require "redis"
local smtp = require "smtp"

local store = smtp.outbox.redis {
   prefix = "mail", -- all keys in Redis begin with {mail}
   connect = function() -- whenever the store needs a connection: log in to Redis here
      local host, port = os.getenv "REDIS_HOST" or "127.0.0.1", os.getenv "REDIS_PORT" or 6379
      return redis.connect(host, port, 5) -- seconds
   end,
   -- replicas = 1, if a replica may take the place of the server
}

local outbox = smtp.outbox {
   store = store,
   name = "shop",
   server = {
      host = arg[1], port = arg[2], username = os.getenv "SMTP_USER",
      password = function() return os.getenv "SMTP_PASSWORD" end,
   },
   on_result = function(entry, _, err) print(entry.id, entry.state, err or "") end,
}

-- A web server does this, and the same again after an error: the id says that it is one message.
outbox:put({
   from = "Shop <shop@example.org>",
   to = "bob@example.net",
   subject = "Your order",
   text = "Thank you. Your order has the number 7.\n",
}, { id = "order-7" })

-- Other machines do this, as many as you like, without `once`.
local totals = outbox:run { once = true }
print(("%d sent, %d failed, %d in doubt"):format(totals.sent, totals.failed, totals.doubt))
