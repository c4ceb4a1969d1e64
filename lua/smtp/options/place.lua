--- Checks of the options that name the server and this host: url, host, port, socket, tls_host,
-- source_address and domain.
-- @module smtp.options.place

local address = require "smtp.options.address"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse
local services = require "smtp.options.services"

local place = {}

local SOCKET_LEN_MAX = 107 -- sun_path

-- ---- names ----

-- A name outside ASCII is resolved, verified and sent in its ASCII form.
local function to_ascii(option, text)
   if not text:find("[\128-\255]") then return text end
   local name, why, hint = address.domain(text)
   return name or refuse(option, ("%s = %q is not a valid host name: %s"):format(option, text, why),
      hint, text)
end

-- What belongs in another option: how it looks, what it is, and how to write it.
local misplaced = {
   { "^[Uu][Nn][Ii][Xx]:", "the path of a unix socket",
      "Write socket = \"/path\", or url = \"lmtp+unix:/path\"" },
   { "://", "a URL", 'Write url = "smtps://HOST" (TLS from the first byte) or url = "smtp://HOST", '
      .. 'or OPTION = "HOST" with tls = "implicit" or "require"' },
   { "@", "a user", 'Write OPTION = "HOST" and username = "ann"' },
   { "/", "a path", 'Write OPTION = "HOST"; a whole URL belongs in url' },
   { "^[^:]*:[^:]*$", "a port", 'Write OPTION = "HOST" and port = PORT' },
   { "^%[.*%]:", "a port", 'Write OPTION = "HOST" and port = PORT' },
}

-- The hint for a text in which more than a name is written: the text itself may contain a secret.
local function advise(hint, option, text)
   local authority = text:gsub("^.*://", ""):gsub("[/?#].*$", ""):gsub("^.*@", "")
   local host = authority:match("^%[.*%]") or authority:match("^[^:]*")
   if not host:find("^[A-Za-z0-9.:%[%]_-]+$") then host = "mail.example.org" end
   local values = { OPTION = option, HOST = host, PORT = authority:match(":(%d+)$") or "587" }
   return (hint:gsub("[A-Z][A-Z][A-Z][A-Z]+", values))
end

local function is_name(text)
   if #text > 254 or not text:find("^[A-Za-z0-9._-]+$") then return false end
   for label in (text:gsub("%.$", "") .. "."):gmatch("([^.]*)%.") do
      if label == "" or #label > 63 then return false end
   end
   return true
end

local has_tls = { https = true, smtps = true, ssl = true, tls = true }

-- What to write in the place of a URL in host, where that has no login.
local function instead_of_url(text)
   local scheme, name = text:match("^([A-Za-z0-9+]+)://([A-Za-z0-9.-]+)[:%d]*[^@:]*$")
   if not name then return nil end
   local is_secure = has_tls[ascii.lower(scheme)]
   return ("Write url = \"%s://%s\", or host = \"%s\"%s"):format(is_secure and "smtps" or "smtp",
      name, name, is_secure and " with tls = \"implicit\"" or "")
end

-- A host name or an IP address -> the form that this library uses
local function host_name(option, text)
   for _, part in ipairs(misplaced) do
      if text:find(part[1]) then
         refuse(option, ("%s contains %s"):format(option, part[2]),
            instead_of_url(text) or advise(part[3], option, text))
      end
   end
   local name = to_ascii(option, text)
   name = name:match("^%[(.*:.*)%]$") or name
   if not is_name(name) and not core.literal(name) then
      refuse(option, option .. " is neither a host name nor an address",
         "Write a name such as mail.example.org, or an address such as 192.0.2.1", text)
   end
   return name:find("^[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]$") and "localhost" or name
end

-- ---- url ----

local function decode(text)
   return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

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
      or text:find(".", 1, true) and instead_of_url(text)
   if not what then
      refuse("url", "url is not of the form smtp://user:password@host:587", hint or FORM_HINT)
   end
   refuse("url", ("url is the address of %s, not of a mail server"):format(what),
      hint or "Write url = \"smtp://user:password@mail.example.org:587\"")
end

local ESCAPE_HINT = "Write %40 for @, %3A for :, %2F for /, %3F for ? and %23 for #, or give "
   .. "username and password as options of their own"

local function check_escapes(text)
   if text:gsub("%%[0-9A-Fa-f][0-9A-Fa-f]", ""):find("%", 1, true) then
      refuse("url", "url contains a % without two hexadecimal digits after it", "Write %25 for %")
   end
   if decode(text):find("[%z\r\n]") then
      refuse("url", "url contains a line break or a NUL", "Remove it")
   end
end

local schemes = { smtp = {}, smtps = { tls = "implicit" }, lmtp = { protocol = "lmtp" } }

-- mail.example.org:587, [::1]:25 -> host, port ("" for none)
local function split_place(text)
   local host, port = text:match("^%[(.+)%]:?(%d*)$")
   if host and text:find("%]%d") then return nil end
   if not host then host, port = text:match("^([^:]+):?(%d*)$") end
   return host, port
end

-- ann:secret@mail.example.org:587 becomes fields of `parts`, which is returned.
local function read_authority(parts, text)
   local login, where = text:match("^(.*)@([^@]*)$")
   local host, port = split_place(where or text)
   if not host and (where or text):find("^[^:%[%]]+:[^:]+$") then
      refuse("url", "url has a port that is not a number", "Write smtp://HOST:587")
   end
   if not host then refuse("url", "url does not name a host", FORM_HINT) end
   parts.host = host_name("url", decode(host))
   parts.port = tonumber(port)
   if parts.port and (parts.port < 1 or parts.port > 65535) then
      refuse("url", ("the port %s in url is not a number from 1 to 65535"):format(port),
         "The usual ports are 587, 465 and 25")
   end
   if login then
      local user, password = login:match("^([^:]*):?(.*)$")
      parts.username = decode(user)
      if password ~= "" then parts.password = decode(password) end
   end
   return parts
end

-- A URL -> { protocol =, host =, socket =, port =, tls =, username =, password = }
local function parse(text)
   check_escapes(text)
   local path = text:match("^[Ll][Mm][Tt][Pp]%+[Uu][Nn][Ii][Xx]:/*(/[^?#]*)$")
   if path then return { protocol = "lmtp", socket = decode(path) } end
   local name, rest = text:match("^([A-Za-z]+)://([^/?#]+)/?$")
   local scheme = name and schemes[ascii.lower(name)]
   if not scheme then
      if text:find("^[A-Za-z]+://[^@]*[/?#:].*@") then
         refuse("url", "url contains a user name or a password with @ : / ? or #", ESCAPE_HINT)
      end
      refuse_scheme(text)
   end
   return read_authority(check.copy(scheme), rest)
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
   local name = to_ascii("domain", t.domain)
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

-- What counts as loopback is decided from the option as written, never from a lookup, and never for
-- a transport of the caller's.
local function is_loopback(t)
   if t.transport then return false end
   if t.socket then return true end
   local host = t.host
   return host == "localhost" or host == "127.0.0.1" or host == "::1"
      or host:find("^127%.") ~= nil and core.literal(host) ~= nil
end

--- Check names, addresses, the path and the port; fill in `host`, `host_given` and `loopback`.
---@param t table   the options of a connection, their kinds checked
function place.check(t)
   t.host_given = t.host ~= nil
   if t.host then t.host = host_name("host", t.host) end
   if t.tls_host then t.tls_host = host_name("tls_host", t.tls_host) end
   check_socket(t)
   check_source_address(t)
   check_domain(t)
   check_port(t)
   if not t.socket then t.host = t.host or "localhost" end
   t.loopback = is_loopback(t)
end

return place
