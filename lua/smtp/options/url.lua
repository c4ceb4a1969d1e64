--- The options url and service, each of which sets others: host, port, tls and so on.
-- @module smtp.options.url

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local host_advice = require "smtp.options.host_advice"
local refuse = require("smtp.errors").refuse
local services = require("smtp.ground.resources").late "smtp.options.services"
local url_parts = require "smtp.options.url_parts"

local url = {}

local ESCAPE_HINT = "Write %40 for @, %3A for :, %2F for /, %3F for ? and %23 for #, or give "
   .. "username and password as options of their own"
local FORM_HINT = "Other forms are smtps://host (TLS from the first byte), lmtp://host and "
   .. "lmtp+unix:/path; in the user and the password, write / ? # : @ % as %2F %3F %23 %3A %40 "
   .. "%25, or give them as username and password"

-- Schemes that people write in place of smtp and smtps: what they belong to.
local elsewhere = { http = "a web page", https = "a web page", ftp = "a file server",
   imap = "a mailbox", imaps = "a mailbox", pop = "a mailbox", pop3 = "a mailbox",
   pop3s = "a mailbox", mailto = "a recipient" }

-- What is wrong with a url whose scheme is not one of ours.
local function refuse_scheme(text)
   local what = elsewhere[ascii.lower(text:match("^([A-Za-z0-9]+):") or "")]
   local name = text:match("^[A-Za-z0-9-]+%.[A-Za-z0-9.-]+:?%d*$")
   local hint = name and ("Write url = \"smtp://%s\""):format(name)
      or text:find(".", 1, true) and host_advice.instead_of_url(text)
   if not what then
      refuse("url", "url is not of the form smtp://user:password@host:587", hint or FORM_HINT)
   end
   refuse("url", ("url is the address of %s, not of a mail server"):format(what),
      hint or "Write url = \"smtp://user:password@mail.example.org:587\"")
end

local form = { option = "url", hint = FORM_HINT, port_hint = "Write smtp://HOST:587",
   ports_hint = "The usual ports are 587, 465 and 25" }

local schemes = { smtp = {}, smtps = { tls = "implicit" }, lmtp = { protocol = "lmtp" } }

-- A URL -> { protocol =, host =, socket =, port =, tls =, username =, password = }
local function parse(text)
   url_parts.check_escapes("url", text)
   local path = text:match("^[Ll][Mm][Tt][Pp]%+[Uu][Nn][Ii][Xx]:/*(/[^?#]*)$")
   if path then return { protocol = "lmtp", socket = url_parts.decode(path) } end
   local name, rest = text:match("^([A-Za-z]+)://([^/?#]+)/?$")
   local scheme = name and schemes[ascii.lower(name)]
   if not scheme then
      if text:find("^[A-Za-z]+://[^@]*[/?#:].*@") then
         refuse("url", "url contains a user name or a password with @ : / ? or #", ESCAPE_HINT)
      end
      refuse_scheme(text)
   end
   local parts = url_parts.authority(form, rest)
   parts.protocol, parts.tls = scheme.protocol, scheme.tls
   if parts.password == "" then parts.password = nil end
   return parts
end

-- The parts of `url` in the place of options that are not given. All parts are checked, also if
-- another option takes precedence.
local function read_url(t)
   check.is_type("url", t.url, "string", 'Write url = "smtps://mail.example.org"')
   local parts = parse(t.url)
   if t.host == nil and t.server == nil and t.socket == nil then
      t.host, t.socket = parts.host, parts.socket
   end
   for _, name in ipairs { "protocol", "port", "tls" } do
      if t[name] == nil then t[name] = parts[name] end
   end
   if t.username == nil and t.user == nil then
      t.username = parts.username
      if t.password == nil then t.password = parts.password end
   end
end

--- A copy of these options in which `url` and `service` fill in what is not given.
---@param given table
---@return table
function url.complete(given)
   local t = check.copy(given)
   if t.url ~= nil then read_url(t) end
   if t.service ~= nil then services.fill(t) end
   return t
end

return url
