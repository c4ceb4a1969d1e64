--- Checks of the options that name the server and this host: host, port, socket, proxy, tls_host,
-- source_address and domain.
-- @module smtp.options.place

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local host_name = require "smtp.options.host_name"
local refuse = require("smtp.errors").refuse

local proxies = require("smtp.ground.resources").late "smtp.options.proxy"

local place = {}

local SOCKET_LEN_MAX = 107 -- sun_path

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
