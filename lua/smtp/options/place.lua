--- Checks of the options that name the server and this host: url, host, port, socket, proxy,
-- tls_host, source_address and domain.
-- @module smtp.options.place

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local host_name = require "smtp.options.host_name"
local refuse = require("smtp.errors").refuse
local services = require "smtp.options.services"
local system = require "smtp.ground.resources"

local proxies = system.late "smtp.options.proxy"
local url_parts = system.late "smtp.options.url_parts"

local place = {}

local SOCKET_LEN_MAX = 107 -- sun_path

-- ---- url ----

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
      or text:find(".", 1, true) and host_name.instead_of_url(text)
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
   local url = parse(t.url)
   if t.host == nil and t.server == nil and t.socket == nil then
      t.host, t.socket = url.host, url.socket
   end
   for _, name in ipairs { "protocol", "port", "tls" } do
      if t[name] == nil then t[name] = url[name] end
   end
   if t.username == nil and t.user == nil then
      t.username = url.username
      if t.password == nil then t.password = url.password end
   end
end

--- A copy of these options in which `url` and `service` fill in what is not given.
---@param given table
---@return table
function place.complete(given)
   local t = check.copy(given)
   if t.url ~= nil then read_url(t) end
   if t.service ~= nil then services.fill(t) end
   return t
end

-- ---- the options ----

local function check_socket(t)
   if t.socket == nil then return end
   if t.host then refuse("socket", "socket and host are both given", "Keep one of them") end
   if #t.socket == 0 or #t.socket > SOCKET_LEN_MAX then
      check.refuse_value("socket", "a path of 1 to 107 bytes", t.socket,
         'Write socket = "/run/smtp.sock"')
   end
   if t.socket:find("^unix:") then
      refuse("socket", "socket contains \"unix:\"", "Write only the path", t.socket)
   end
end

--- Can this name mean anything to a server? Not "localhost" (RFC 6761 6.3), not the names that
-- systems make of it (localhost.localdomain, localhost6.localdomain6), and not a name that ends
-- like an IP address. An address literal can.
function place.is_public_name(name)
   local last = ascii.lower(name:match("[^.]*$"))
   return not (last:find("^localhost%d*$") or last:find("^localdomain%d*$") or last:find("^%d+$"))
end

local function check_domain(t)
   if t.domain == nil then return end
   local name = host_name.to_ascii("domain", t.domain)
   local ok, why = core.domain(name)
   if not ok or not place.is_public_name(name) then
      local bare = name:gsub("^%[", ""):gsub("%]$", ""):gsub("^[Ii][Pp][Vv]6:", "")
      local literal = core.literal(bare) -- the caller may have meant it by a bare IP address
      refuse("domain",
         "domain cannot be sent in EHLO: " .. (why or "it has no meaning for a server"),
         literal and ("Write %q"):format(literal)
         or "Write this host's full name, or an address literal such as [192.0.2.1]", t.domain)
   end
   t.domain = name
end

local function check_source_address(t)
   if t.source_address == nil then return end
   if t.socket then
      refuse("source_address", "source_address has no effect on a unix socket", "Remove it")
   end
   if not core.literal(t.source_address) then
      refuse("source_address", "source_address is not an IP address", "Write one of this host's "
         .. "own, such as 192.0.2.1 or 2001:db8::1", t.source_address)
   end
end

local function check_port(t)
   if t.port == 25 and t.protocol == "lmtp" then
      refuse("port", "LMTP is not spoken on port 25 (RFC 2033 5)",
         "The usual port is 24; most servers have a unix socket")
   end
end

-- What counts as loopback is decided from the option as written, never from a lookup. A transport
-- of the caller's and a proxy may lead anywhere.
local function is_loopback(t)
   if t.transport or t.proxy then return false end
   if t.socket then return true end
   local host = t.host
   return host == "localhost" or host == "127.0.0.1" or host == "::1"
      or host:find("^127%.") ~= nil and core.literal(host) ~= nil
end

local function check_proxy(t)
   if t.proxy == nil or t.transport then return end -- options/server refuses both together
   if t.socket then
      refuse("proxy", "proxy has no effect on a unix socket",
         "Remove proxy, or write host in the place of socket")
   elseif not t.host then
      refuse("proxy", "proxy is given without host", "Add host: the proxy needs to know "
         .. "the mail server")
   end
   t.proxy = proxies.read(t.proxy)
end

--- Check names, addresses, the path and the port; fill in `host`, `host_given` and `loopback`, and
--- read `proxy`.
---@param t table   the options of a connection, their kinds checked
function place.check(t)
   t.host_given = t.host ~= nil
   if t.host then t.host = host_name.read("host", t.host) end
   if t.tls_host then t.tls_host = host_name.read("tls_host", t.tls_host) end
   check_socket(t)
   check_proxy(t)
   check_source_address(t)
   check_domain(t)
   check_port(t)
   if not t.socket then t.host = t.host or "localhost" end
   t.loopback = is_loopback(t)
end

return place
