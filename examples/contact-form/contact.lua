--- A contact form. nginx.conf calls `start`, and for each request `form`, `sent` or `problem`.
--
-- The page explains each failure, and keeps everything that the visitor has typed.
-- Nothing that the visitor types gets into the envelope or From: the address is in Reply-To.
-- The library refuses names and subjects that would become headers of their own.

local safe = require "smtp.safe"
local template = require "template"
local token = require "token"

local contact = {}

local SECONDS = 20         -- for one message: a person is waiting
local CLAIMED = 30         -- a message that goes out takes no longer
local COOKIE = "contact_form"

local settings, page

-- ---- settings, from the environment ----

local function setting(name, default)
   local value = os.getenv(name)
   if value == nil or value == "" then value = default end
   return value
end

local function store()
   return ngx.shared.contact_form
end

--- Call it before the workers start: with a wrong setting, nginx reports it and does not start.
function contact.start(folder)
   settings = {
      host = setting("SMTP_HOST"), port = tonumber(setting("SMTP_PORT")),
      username = setting("SMTP_USER"), password = setting("SMTP_PASSWORD"),
      tls = setting("SMTP_TLS"), from = setting("MAIL_FROM"), to = setting("MAIL_TO"),
      limit = tonumber(setting("CONTACT_LIMIT", 3)),
      window = tonumber(setting("CONTACT_WINDOW", 600)),
   }
   for name, field in pairs { SMTP_HOST = "host", MAIL_FROM = "from", MAIL_TO = "to",
      CONTACT_LIMIT = "limit", CONTACT_WINDOW = "window" } do
      if not settings[field] then
         error("contact form: the variable " .. name .. " has to be set", 0)
      end
   end
   page = template.load(folder .. "/page.html")
   token.start(store())
end

-- ---- the browser's cookie ----

-- A cookie with the prefix __Host- cannot be set by a neighbouring site; it takes https.
local function cookie_name()
   return (ngx.var.scheme == "https" and "__Host-" or "") .. COOKIE
end

local function browser()
   local value = ngx.var["cookie_" .. cookie_name()]
   return value and #value == 32 and value:find("^%x+$") and value or nil
end

local function known_browser()
   local number = browser()
   if number then return number end
   number = token.random(16)
   ngx.header["Set-Cookie"] = ("%s=%s; Path=/; HttpOnly; SameSite=Lax%s"):format(cookie_name(),
      number, ngx.var.scheme == "https" and "; Secure" or "")
   return number
end

-- ---- pages ----

local function show(status, values)
   ngx.status = status
   ngx.header["Content-Type"] = "text/html; charset=utf-8"
   ngx.header["Cache-Control"] = "no-store"
   ngx.print(page(values))
end

-- The form, with what was typed. `notice`: { title =, text =, list = { { field =, text = }, … } }
local function show_form(status, typed, notice)
   local values = { form = true, title = "Write to us", token = token.new(known_browser()),
      value = typed, notice = notice, error = {} }
   if notice then
      values.title = notice.title .. " – " .. values.title
      for _, one in ipairs(notice.list or {}) do
         if one.field then values.error[one.field] = one.text end
      end
   end
   show(status, values)
end

local function show_errors(typed, list)
   show_form(422, typed, { title = "Your message was not sent yet", list = list, listed = true,
      text = #list == 1 and "One thing has to be changed:"
         or ("%d things have to be changed:"):format(#list) })
end

local function show_confirmation(id)
   return ngx.redirect("/sent?id=" .. id, 303)
end

-- ---- what was typed ----

local fields = {
   { name = "name", label = "name", max = 100, one_line = true, missing = "Write your name." },
   { name = "email", label = "e-mail address", max = 254, one_line = true,
     missing = "Write your e-mail address, so that we can answer." },
   { name = "subject", label = "subject", max = 150, one_line = true },
   { name = "message", label = "message", max = 5000, missing = "Write a message." },
}

-- nil where there is no form in the request. Anyone may have sent it, so its token and its lengths
-- are checked before anything that costs more than one look at each byte.
local function read()
   ngx.req.read_body()
   local ok, args = pcall(ngx.req.get_post_args, 20)
   if not ok or not args then return nil end
   local function text(name)
      return type(args[name]) == "string" and args[name] or ""
   end
   return { name = text "name", email = text "email", subject = text "subject",
      message = text "message", token = text "token", website = text "website" }
end

-- One pattern for this would try each blank as the first of the last ones, and take too long.
local function trim(text)
   local first, last = text:find("[^ \t\r\n]"), #text
   if not first then return "" end
   while text:find("^[ \t\r\n]", last) do last = last - 1 end
   return text:sub(first, last)
end

-- As browsers count for maxlength, or less: a line break is one character.
local function length(text)
   return select(2, text:gsub("\r\n", "\n"):gsub("[^\128-\191]", ""))
end

local function fault(field, value)
   local count = length(value)
   if count > field.max then
      return ("The %s is too long: it may have %d characters, and has %d."):format(field.label,
         field.max, count)
   elseif not value:find("[^ \t\r\n]") then
      return field.missing
   elseif field.name == "email" and not value:find("^[^@ \t\r\n]+@[^@ \t\r\n]+$") then
      return "This is no complete e-mail address. It looks like ann@example.org."
   end
end

local function check(typed)
   local list = {}
   for _, field in ipairs(fields) do
      local value = typed[field.name]
      if field.one_line and #value <= field.max * 4 then value = trim(value) end
      typed[field.name] = value
      local text = fault(field, value)
      if text then list[#list + 1] = { field = field.name, text = text } end
   end
   -- People do not see this field; programs fill in all there are. Should it have been a person
   -- after all (a browser that fills in forms), then nothing is lost in silence.
   if typed.website ~= "" then
      typed.website = ""
      list[#list + 1] = { text = "A hidden field was filled in, which is there to catch programs. "
         .. "It is empty again: please send once more." }
   end
   return list
end

local no_such_letters = "We cannot write to addresses with letters like ä or é before the @. "
   .. "Please give another one."

-- The fields that made the library refuse the message. -> list, or nil if no field did
local function refused(err)
   local bad = "The %s holds a line break, or another character that cannot be sent. Please type "
      .. "it again."
   if err.option == "reply_to" and safe.is_error(err, safe.AddressError) then
      return { { field = "email",
         text = "This is no e-mail address that mail can be sent to. Please check it." } }
   elseif err.reason == "smtputf8" then
      return { { field = "email", text = no_such_letters } }
   elseif safe.is_error(err, safe.UsageError) then
      local field = ({ reply_to = "name", subject = "subject", text = "message" })[err.option]
      return field and { { field = field, text = bad:format(field) } }
   end
end

-- ---- each form once, and not too many ----

-- A form is sent once, however often its button is pressed. -> "ours", "sent" or "doubt"
local function claim(id)
   for _ = 1, CLAIMED * 10 do
      if store():add("form:" .. id, "going", CLAIMED) then return "ours" end
      local state = store():get("form:" .. id)
      if state and state ~= "going" then return state end
      ngx.sleep(0.1)
   end
   return "doubt"
end

local function settle(id, state)
   if state then return store():set("form:" .. id, state, token.LIFETIME) end
   store():delete("form:" .. id)
end

-- A visitor with IPv6 has at least a /64.
local function visitor()
   local address = ngx.var.binary_remote_addr
   return "visitor:" .. (#address == 16 and address:sub(1, 8) or address)
end

-- -> nil, or the seconds to wait
local function count_message()
   local count = store():incr(visitor(), 1, 0, settings.window)
   if not count or count <= settings.limit then return nil end
   store():incr(visitor(), -1)
   return math.max(1, math.ceil(store():ttl(visitor()) or settings.window))
end

-- A message that was certainly not sent does not count.
local function forget_message()
   store():incr(visitor(), -1)
end

-- ---- what to tell the visitor ----

local NOT_SENT = "Your message was not sent"

local doubt = { title = "Your message may have arrived",
   text = "The connection to our mail server broke after the message and before the answer. We "
      .. "cannot tell whether it arrived. If you send it again, we may get it twice, which does "
      .. "no harm." }

local stale = { title = NOT_SENT,
   text = "This form was open for too long, or your browser keeps no cookies. Everything you typed "
      .. "is still here: please send it again." }

local function failure(err)
   if err.sent ~= "no" or err.retry == "doubt" then
      return 502, doubt
   elseif err.retry == "now" then
      return 503, { title = NOT_SENT, text = "The connection to our mail server broke. Everything "
         .. "you typed is still here: please send it again." }
   elseif err.retry == "later" then
      return 503, { title = NOT_SENT, text = "Our mail server cannot take it at the moment. "
         .. "Everything you typed is still here: please try again in a few minutes." }
   elseif safe.is_error(err, safe.DataRefusedError)
      or safe.is_error(err, safe.MessageTooLargeError) then
      return 502, { title = NOT_SENT, text = "Our mail server refused the text, as it does with "
         .. "what looks like advertising. Everything you typed is still here: you may change it, "
         .. "or reach us in another way." }
   end
   return 502, { title = NOT_SENT, text = "Our mail server refuses it, and trying again will not "
      .. "help. We keep a record of the reason. Please copy what you typed, and reach us in "
      .. "another way." }
end

local function too_many(seconds)
   ngx.header["Retry-After"] = seconds
   local minutes = math.ceil(seconds / 60)
   return { title = NOT_SENT, text = ("%d messages came from your connection in a short time, and "
      .. "no more are taken for now. Everything you typed is still here: please send it again in "
      .. "%s."):format(settings.limit, minutes == 1 and "a minute" or minutes .. " minutes") }
end

-- ---- the mail ----

local function send(typed)
   return safe.send {
      host = settings.host, port = settings.port, tls = settings.tls, username = settings.username,
      password = settings.password, timeout = SECONDS, connect_timeout = 5,
      from = settings.from, to = settings.to,
      reply_to = { name = typed.name, address = typed.email },
      subject = "[Contact] " .. (typed.subject ~= "" and typed.subject or typed.name),
      text = typed.message,
   }
end

local function send_once(id, typed)
   local receipt, err = send(typed)
   if receipt then
      settle(id, "sent")
      return show_confirmation(id)
   end
   local in_doubt = err.sent ~= "no"
   settle(id, in_doubt and "doubt" or nil)
   if not in_doubt then forget_message() end
   local list = refused(err)
   if list then return show_errors(typed, list) end
   ngx.log(ngx.ERR, "contact form: ", tostring(err))
   local status, notice = failure(err)
   if err.retry == "later" then ngx.header["Retry-After"] = 120 end
   show_form(status, typed, notice)
end

local function take()
   local typed = read()
   if not typed then return ngx.exit(400) end
   local id = token.check(browser(), typed.token)
   if not id then return show_form(403, typed, stale) end
   local list = check(typed)
   if #list > 0 then return show_errors(typed, list) end
   local state = claim(id)
   if state == "sent" then return show_confirmation(id) end
   if state == "doubt" then return show_form(502, typed, doubt) end
   local seconds = count_message()
   if seconds then
      settle(id)
      return show_form(429, typed, too_many(seconds))
   end
   send_once(id, typed)
end

-- ---- the doors ----

--- The form: GET shows it, POST sends it.
function contact.form()
   local method = ngx.req.get_method()
   if method == "POST" then return take() end
   if method == "GET" or method == "HEAD" then return show_form(200, {}) end
   ngx.header["Allow"] = "GET, HEAD, POST"
   return ngx.exit(405)
end

--- The confirmation, for messages that were sent; it may be reloaded.
function contact.sent()
   local id = ngx.var.arg_id
   if not id or store():get("form:" .. id) ~= "sent" then return ngx.redirect("/", 303) end
   show(200, { sent = true, title = "Thank you" })
end

local problems = {
   [404] = { "There is no such page", "Perhaps the address was mistyped." },
   [413] = { "This is too much", "Nothing was sent. Go back, and shorten the message." },
   [429] = { "Too many requests", "Nothing was sent. Go back, wait a minute, and send again." },
}

--- Pages for errors that nginx finds.
function contact.problem()
   local status = ngx.status
   local words = problems[status] or { "This did not work",
      status >= 500 and "The fault is ours. Go back, and try again in a few minutes."
         or "The request was not understood." }
   if status == 429 then ngx.header["Retry-After"] = 60 end
   show(status, { problem = { text = words[2] }, title = words[1] })
end

return contact
