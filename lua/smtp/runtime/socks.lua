--- The dialogue with a SOCKS proxy (RFC 1928, and RFC 1929 for the login), without a socket. The
-- proxy looks up the name of the server.
--
-- A dialogue has `output`, the bytes to send next, nil where there are none; `read`, which gets all
-- bytes that the proxy has sent and that were not read before, and returns how many of them it has
-- read, 0 where more are needed, or nil and what went wrong; and `is_open`: what follows is the
-- server's.
-- @module smtp.runtime.socks

local core = require "smtp.core"

local socks = {}

local VERSION, LOGIN_VERSION, CONNECT = 5, 1, 1
local NO_LOGIN, LOGIN, NO_METHOD = 0, 2, 255
local IPV4, NAME, IPV6 = 1, 3, 4

local char = string.char

-- By the reply to CONNECT: what it says, and whether a later attempt may help.
local replies = {
   { "general failure", "later" }, { "not allowed by the rules of the proxy", "never" },
   { "network unreachable", "later" }, { "host unreachable", "later" },
   { "connection refused", "later" }, { "the packets took too long", "later" },
   { "command not supported", "never" }, { "type of address not supported", "never" },
}

local Dialogue = {}
Dialogue.__index = Dialogue

-- ---- addresses ----

-- "2001:db8" -> 4 octets, "1.2.3.4" as well
local function octets_of(part)
   local out = {}
   for group in part:gmatch("[^:]+") do
      if group:find(".", 1, true) then
         for number in group:gmatch("%d+") do out[#out + 1] = char(tonumber(number)) end
      else
         local number = tonumber(group, 16)
         out[#out + 1] = char(math.floor(number / 256), number % 256)
      end
   end
   return table.concat(out)
end

-- The address of the server as the request contains it.
local function encoded(host)
   if not core.literal(host) then return char(NAME, #host) .. host end
   if not host:find(":", 1, true) then return char(IPV4) .. octets_of(host) end
   local head, tail = host:match("^(.-)::(.*)$")
   head, tail = octets_of(head or host), octets_of(tail or "")
   return char(IPV6) .. head .. ("\0"):rep(16 - #head - #tail) .. tail
end

-- ---- what the proxy says ----

local function foreign()
   return nil, { reason = "proxy_protocol" }
end

local function refused(status)
   local reply = replies[status] or { "reply " .. status, "later" }
   return nil, { reason = "proxy_refused", text = reply[1], retry = reply[2] }
end

-- The bytes of a reply, by the kind of the address in it; a name has its length first.
local reply_len = { [IPV4] = 10, [IPV6] = 22, [NAME] = 7 }

local function read_connected(self, data)
   local version, status, _, kind, name_len = data:byte(1, 5)
   if version ~= VERSION or kind and not reply_len[kind] then return foreign() end
   if status and status ~= 0 then return refused(status) end
   if not name_len then return 0 end
   local len = reply_len[kind] + (kind == NAME and name_len or 0)
   if #data < len then return 0 end
   self.is_open = true
   return len
end

local function request(self)
   self.output = char(VERSION, CONNECT, 0) .. encoded(self.host)
      .. char(math.floor(self.port / 256), self.port % 256)
   self.read = read_connected
end

-- Some proxies answer with another version.
local function read_login(self, data)
   if #data < 2 then return 0 end
   if data:byte(2) ~= 0 then
      return nil, { reason = "proxy_auth", text = "it refused the user and the password" }
   end
   request(self)
   return 2
end

local function refused_method(proxy)
   if not proxy.username then
      return nil, { reason = "proxy_auth", text = "it requires a login" }
   end
   return nil, { reason = "proxy_auth",
      text = "it accepts neither a login with a password nor a connection without a login",
      takes_no_password = true }
end

local function read_method(self, data)
   local version, method = data:byte(1, 2)
   local proxy = self.proxy
   if version ~= VERSION then return foreign() end
   if not method then return 0 end
   if method == NO_METHOD then return refused_method(proxy) end
   if method == NO_LOGIN then
      request(self)
   elseif method == LOGIN and proxy.username then
      self.output = char(LOGIN_VERSION, #proxy.username) .. proxy.username
         .. char(#proxy.password) .. proxy.password
      self.read = read_login
   else
      return foreign()
   end
   return 2
end

--- Begin a dialogue.
---@param proxy smtp.Proxy
---@param host string
---@param port integer
function socks.new(proxy, host, port)
   return setmetatable({ proxy = proxy, host = host, port = port, is_open = false,
      output = proxy.username and char(VERSION, 2, NO_LOGIN, LOGIN) or char(VERSION, 1, NO_LOGIN),
      read = read_method }, Dialogue)
end

return socks
