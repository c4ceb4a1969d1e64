--- The option `proxy`: socks5://user:password@host:1080 or http://user:password@host:3128.
-- @module smtp.options.proxy

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local refuse = require("smtp.errors").refuse
local url_parts = require "smtp.options.url_parts"

local proxy = {}

local LOGIN_LEN_MAX = 255 -- bytes of a user, and of a password (RFC 1929 2)

local HINT = 'Write proxy = "socks5://HOST:1080" or proxy = "http://HOST:3128", with '
   .. "USER:PASSWORD@ before the host where the proxy requires a login"
local ESCAPE_HINT = "Write %40 for @, %3A for :, %2F for /, %3F for ? and %23 for #"

local form = { option = "proxy", hint = HINT, port_hint = "Write socks5://HOST:1080",
   ports_hint = "The usual ports are 1080 (SOCKS) and 3128 (HTTP)" }

local ports = { socks5 = 1080, http = 3128 }

-- ---- what is wrong with the URL ----

local RESOLVES = "Write socks5://: the proxy always looks up the name of the server"

-- Schemes that people write in place of ours.
local elsewhere = {
   socks = RESOLVES, socks5h = RESOLVES,
   socks4 = "SOCKS 4 is not supported: write socks5:// if the proxy speaks SOCKS 5 as well",
   https = "TLS to the proxy is not supported: write http://; TLS to the mail server goes through "
      .. "the proxy's connection",
}
elsewhere.socks4a = elsewhere.socks4

local function refuse_scheme(text)
   local scheme = ascii.lower(text:match("^([A-Za-z0-9+.-]+)://") or "")
   if scheme == "" then
      refuse("proxy", "proxy does not say which kind of proxy it is", HINT)
   end
   refuse("proxy", ("proxy cannot begin with %s://"):format(scheme), elsewhere[scheme] or HINT)
end

local function refuse_rest(text)
   if text:find("[/?#].*@") then
      refuse("proxy", "proxy contains a user name or a password with / ? or #", ESCAPE_HINT)
   end
   refuse("proxy", "proxy contains more than a host and a port", "Remove what follows the port")
end

-- ---- the login ----

local function check_login(scheme, parts)
   local user, password = parts.username, parts.password
   if not user then return end
   if user == "" or not password or password == "" and scheme == "socks5" then
      refuse("proxy", "proxy contains a user without a password, or a password without a user",
         "Write USER:PASSWORD@ before the host, or leave out both")
   end
   if #user > LOGIN_LEN_MAX or #password > LOGIN_LEN_MAX then
      refuse("proxy", ("proxy contains a user or a password of more than %d bytes"):format(
         LOGIN_LEN_MAX), "No proxy takes longer ones")
   end
   if scheme == "http" and user:find(":", 1, true) then
      refuse("proxy", "proxy contains a user with a colon, which HTTP cannot express (RFC 7617 2)",
         "Write the user without the colon")
   end
end

-- ---- the whole ----

---@class smtp.Proxy
---@field scheme "socks5"|"http"
---@field host string
---@field port integer
---@field username string|nil
---@field password string|nil   there is one if and only if there is a user
---@field place string          "proxy.example:1080"
---@field url string            without the login

--- Read the option. Raises a UsageError, which never shows the value: it may contain a password.
---@param text any
---@return smtp.Proxy
function proxy.read(text)
   check.is_type("proxy", text, "string", HINT)
   url_parts.check_escapes("proxy", text)
   local name, rest = text:match("^([A-Za-z0-9]+)://(.*)$")
   local scheme = ascii.lower(name or "")
   if not ports[scheme] then refuse_scheme(text) end
   local authority = rest:match("^([^/?#]+)/?$")
   if not authority then
      if rest == "" then refuse("proxy", "proxy does not name a host", HINT) end
      refuse_rest(rest)
   end
   local parts = url_parts.authority(form, authority)
   check_login(scheme, parts)
   parts.scheme, parts.port = scheme, parts.port or ports[scheme]
   local host = parts.host:find(":", 1, true) and "[" .. parts.host .. "]" or parts.host
   parts.place = ("%s:%d"):format(host, parts.port)
   parts.url = scheme .. "://" .. parts.place
   return parts
end

return proxy
