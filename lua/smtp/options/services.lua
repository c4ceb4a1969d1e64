--- Mail providers: where they take mail, and what they expect as credentials. The option `service`
-- names one of them; the hints of errors use the same table.
--
-- Fields of a provider:
--    title    its name for people
--    aliases  what people call it as well, in small letters and digits
--    host, port, tls
--             where it takes mail; a provider without `host` cannot be named as `service`
--    hosts    the ends of the names of its servers, from which a hint recognises the provider
--    username the user name, where it is the same for all users; true: the same as the password
--    login    which credentials it takes, in one sentence
--    scope    the scope of its OAuth tokens
--    sender   how it lets a login use a sender
-- @module smtp.options.services

local ascii = require "smtp.ground.ascii"
local refuse = require("smtp.errors").refuse
local unknown = require("smtp.ground.resources").late "smtp.options.unknown"
local user_call = require "smtp.options.user_call"

local services = {}

local providers = {
   gmail = { title = "Gmail",
      aliases = { "google", "googlemail", "gsuite", "googleworkspace" },
      host = "smtp.gmail.com", port = 465, tls = "implicit",
      hosts = { "gmail.com", "google.com", "googlemail.com" },
      login = "Gmail does not accept account passwords: create an app password at "
         .. "https://myaccount.google.com/apppasswords (it needs 2-Step Verification), or give "
         .. "token",
      scope = "https://mail.google.com/",
      sender = "add it to the account under Settings, Accounts, Send mail as" },
   microsoft365 = { title = "Microsoft 365",
      aliases = { "microsoft", "office", "office365", "o365", "m365", "outlook", "outlook365",
         "hotmail", "live", "msn", "exchange", "exchangeonline" },
      host = "smtp.office365.com", port = 587,
      tls = "require",
      hosts = { "office365.com", "outlook.com", "outlook.office.com", "hotmail.com", "live.com" },
      login = "Microsoft 365 and Outlook.com expect token (XOAUTH2, scope "
         .. "https://outlook.office.com/SMTP.Send); app passwords do not help",
      scope = "https://outlook.office.com/SMTP.Send",
      sender = "the administrator can give the login the permission Send As" },
   icloud = { title = "iCloud", aliases = { "apple", "mecom", "mac", "maccom" },
      host = "smtp.mail.me.com", port = 587, tls = "require",
      hosts = { "mail.me.com", "icloud.com" },
      login = "iCloud accepts only app-specific passwords: create one at "
         .. "https://account.apple.com (Sign-In and Security)",
      sender = "use the account's address or one of its aliases" },
   yahoo = { title = "Yahoo", aliases = { "ymail", "yahoomail" },
      host = "smtp.mail.yahoo.com", port = 465, tls = "implicit",
      hosts = { "yahoo.com", "yahoodns.net" },
      login = "Yahoo accepts only app passwords: create one at "
         .. "https://login.yahoo.com/account/security",
      sender = "use the account's address or one that is verified in its settings" },
   fastmail = { title = "Fastmail", host = "smtp.fastmail.com", port = 465, tls = "implicit",
      hosts = { "fastmail.com", "messagingengine.com" },
      login = "Fastmail accepts only app passwords: create one under Settings, Privacy & Security",
      sender = "add it under Settings, My email addresses" },
   zoho = { title = "Zoho Mail", host = "smtp.zoho.com", port = 465, tls = "implicit",
      hosts = { "zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zohomail.com", "zeptomail.com" },
      login = "Zoho Mail expects the full address as username, the server of the account's region, "
         .. "and with two-factor authentication an application-specific password",
      sender = "use the account's address or an alias of it" },
   sendgrid = { title = "SendGrid", host = "smtp.sendgrid.net", port = 465, tls = "implicit",
      hosts = { "sendgrid.net" }, username = "apikey",
      login = "SendGrid expects the word apikey as username and an API key as password",
      sender = "verify it as a Sender Identity" },
   mailgun = { title = "Mailgun", host = "smtp.mailgun.org", port = 465, tls = "implicit",
      hosts = { "mailgun.org" },
      login = "Mailgun expects the SMTP credentials of the sending domain, not the API key; "
         .. "domains "
         .. "in the EU use smtp.eu.mailgun.org",
      sender = "use a domain that is verified; a sandbox domain sends to authorized recipients "
         .. "only" },
   postmark = { title = "Postmark", host = "smtp.postmarkapp.com", port = 587, tls = "require",
      hosts = { "postmarkapp.com" }, username = true,
      login = "Postmark expects the Server API token as username and as password",
      sender = "add it as a Sender Signature, or verify its domain" },
   brevo = { title = "Brevo", aliases = { "sendinblue" },
      host = "smtp-relay.brevo.com", port = 465, tls = "implicit",
      hosts = { "brevo.com", "sendinblue.com" },
      login = "Brevo expects the login shown under SMTP & API and an SMTP key, not an API key",
      sender = "add it under Senders, or verify its domain" },
   mailjet = { title = "Mailjet", host = "in-v3.mailjet.com", port = 465, tls = "implicit",
      hosts = { "mailjet.com" },
      login = "Mailjet expects the API key as username and the secret key as password",
      sender = "validate it, or its domain, in the account" },
   ses = { title = "Amazon SES", aliases = { "aws", "amazon", "amazonses" },
      host = "email-smtp.%s.amazonaws.com", port = 465, tls = "implicit",
      hosts = { "amazonaws.com", "amazonaws.com.cn" }, start = "^email%-smtp",
      login = "Amazon SES expects its SMTP credentials (SES console, SMTP settings), not the "
         .. "access "
         .. "key and its secret; they belong to one region",
      sender = "verify it or its domain in the same region; in the sandbox the recipients, too" },
   -- For hints alone.
   mailtrap = { title = "Mailtrap", hosts = { "mailtrap.io" },
      login = "Mailtrap expects the word api as username and an API token as password; a "
         .. "sandbox has a username and password of its own",
      sender = "verify its domain in the account" },
   resend = { title = "Resend", hosts = { "resend.com" },
      login = "Resend expects the word resend as username and an API key as password",
      sender = "verify its domain" },
   sparkpost = { title = "SparkPost", hosts = { "sparkpostmail.com" },
      login = "SparkPost expects the word SMTP_Injection as username and an API key as password",
      sender = "verify its domain as a sending domain" },
   proton = { title = "Proton Mail", aliases = { "protonmail" },
      hosts = { "protonmail.ch", "proton.me" },
      login = "Proton Mail expects the address as username and an SMTP token as password: create "
         .. "one under Settings, IMAP/SMTP",
      sender = "use the address for which the token was made" },
   aol = { title = "AOL", hosts = { "aol.com" },
      login = "AOL accepts only app passwords: create one under Account Security",
      sender = "use the account's address" },
   qq = { title = "QQ Mail", hosts = { "qq.com" },
      login = "QQ Mail accepts only authorization codes as password: switch SMTP on in its "
         .. "settings, and create one there",
      sender = "it must be the same as the user name" },
   netease = { title = "NetEase Mail", aliases = { "163", "126" },
      hosts = { "163.com", "126.com", "yeah.net" },
      login = "NetEase Mail (163, 126) accepts only authorization codes as password: switch SMTP "
         .. "on in its settings, and create one there",
      sender = "it must be the same as the user name" },
   yandex = { title = "Yandex Mail", hosts = { "yandex.com", "yandex.ru", "yandex.net" },
      login = "Yandex Mail accepts only app passwords: allow mail programs in its settings, and "
         .. "create one at https://id.yandex.com/security/app-passwords",
      sender = "use the account's address" },
   mailru = { title = "Mail.ru", hosts = { "mail.ru", "inbox.ru", "list.ru", "bk.ru" },
      login = "Mail.ru accepts only app passwords: create one in its settings, under Security",
      sender = "use the account's address" },
   gmx = { title = "GMX", hosts = { "gmx.net", "gmx.com", "gmx.de", "web.de", "mail.com" },
      login = "GMX and WEB.DE allow SMTP only after POP3 and IMAP access was switched on in the "
         .. "settings; with two-factor authentication they expect an app password",
      sender = "use the account's address or an alias of it" },
   ionos = { title = "IONOS", hosts = { "ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr",
      "ionos.es", "kundenserver.de", "1and1.com" },
      login = "IONOS expects the full mail address as username and the password of that mailbox, "
         .. "not those of the customer account",
      sender = "use an address of the contract" },
   ovh = { title = "OVHcloud", hosts = { "mail.ovh.net", "mail.ovh.ca", "ssl0.ovh.net" },
      login = "OVHcloud expects the full mail address as username and the password of that mailbox",
      sender = "use the mailbox's address or an alias of it" },
}

-- ---- the option ----

local function written(name)
   return name == "ses" and "ses:REGION" or name
end

-- The names for `service`, for people.
local function known_names()
   local names = {}
   for name, provider in next, providers do
      if provider.host then names[#names + 1] = written(name) end
   end
   table.sort(names)
   return names
end

-- "Office 365", "hotmail.com" -> "microsoft365", its provider
local function recognised(value)
   local at, word = services.of_host(value), ascii.lower(value):gsub("[^a-z0-9]", "")
   for name, provider in next, providers do
      if name == word or provider == at then return name, provider end
      for _, alias in ipairs(provider.aliases or {}) do
         if alias == word then return name, provider end
      end
   end
end

local function name_hint(value)
   local names, near = known_names(), nil
   if type(value) == "string" then
      local name, provider = recognised(value)
      if name and provider.host then return ("Write service = %q"):format(written(name)) end
      if name then
         return ("There are no settings for %s: give host and port. %s"):format(provider.title,
            provider.login)
      end
      near = unknown.nearest(value, names)
   end
   return ("%sThe providers are %s; for another one give host and port"):format(
      near and ("Did you mean %q? "):format(near) or "", table.concat(names, ", "))
end

local function refuse_name(value)
   refuse("service", "service: expected the name of a provider, got " .. user_call.shown(value),
      name_hint(value), value)
end

-- "ses:eu-west-1" -> the provider, the name of its server
local function find(value)
   local name, region
   if type(value) == "string" then name, region = value:match("^([a-z0-9]+):?([a-z0-9-]*)$") end
   local provider = providers[name or ""]
   if not provider or not provider.host or region ~= "" and name ~= "ses" then
      refuse_name(value)
   end
   if name ~= "ses" then return provider, provider.host end
   if region == "" then
      refuse("service", "Amazon SES has a server in each region",
         "Write service = \"ses:eu-west-1\", with the region of your SMTP credentials", value)
   end
   local host = provider.host:format(region)
   return provider, region:find("^cn%-") and host .. ".cn" or host
end

local function fill_place(t, provider, host)
   if t.socket ~= nil then return end
   if t.host == nil and t.server == nil then t.host = host end
   if t.port == nil and (t.tls == nil or t.tls == provider.tls) then
      t.port = provider.port
   elseif t.port == nil and t.tls ~= "implicit" then
      t.port = 587
   end
   if t.tls == nil and (t.port == provider.port or t.port == tostring(provider.port)) then
      t.tls = provider.tls
   end
end

--- Adds what the provider named by `service` gives to these options; they take precedence.
---@param t table   the options of a connection, a copy
function services.fill(t)
   local provider, host = find(t.service)
   fill_place(t, provider, host)
   if t.username == nil and t.user == nil and t.password ~= nil then
      local username = provider.username
      if username == true then username = type(t.password) == "string" and t.password or nil end
      t.username = username
   end
end

-- ---- hints ----

local function is_at(host, ending)
   return host == ending or host:sub(-#ending - 1) == "." .. ending
end

--- The provider of a server with this name, nil where it is not one of these.
---@param host? string
---@return table|nil
function services.of_host(host)
   if not host then return nil end
   host = host:gsub("[A-Z]", ascii.lower_of):gsub("%.$", "")
   for _, provider in next, providers do
      for i = 1, #provider.hosts do
         local is_its = is_at(host, provider.hosts[i]) and host:find(provider.start or "")
         if is_its then return provider end
      end
   end
end

--- A provider by its name: one for `service`, or one that only hints know.
---@param name string
---@return table|nil
function services.get(name)
   return providers[name]
end

return services
