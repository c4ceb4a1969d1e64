--- The dialogue with an HTTP proxy: CONNECT (RFC 9110 9.3.6), with the login of RFC 7617, without a
-- socket. A dialogue is as in smtp.runtime.socks.
-- @module smtp.runtime.http_connect

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"

local http_connect = {}

local BEGINNING = "HTTP/1."
local SOCKS_VERSION = 5

-- Codes after which a later attempt may help.
local is_passing = { [408] = true, [425] = true, [429] = true }

-- Does the proxy name other logins only? Each of these headers may name several (RFC 9110 11.7.1).
local function takes_no_password(header)
   header = ascii.lower(header)
   return header:find("\nproxy-authenticate:", 1, true) ~= nil
      and not header:find("\nproxy%-authenticate:[^\n]*basic")
end

-- tinyproxy 1.11 answers 401, as a web server does, where 407 is meant.
local asks_for_login = { [401] = true, [407] = true }

local function refusal(code, header)
   if asks_for_login[code] then
      return { reason = "proxy_auth", takes_no_password = takes_no_password(header) }
   end
   return { reason = "proxy_refused",
      retry = (code >= 500 or is_passing[code]) and "later" or "never" }
end

local function request(proxy, host, port)
   local place = ("%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port)
   local lines = { ("CONNECT %s HTTP/1.1"):format(place), "Host: " .. place }
   if proxy.username then
      lines[3] = "Proxy-Authorization: Basic "
         .. core.base64(proxy.username .. ":" .. proxy.password)
   end
   return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- Where the header ends: at its first empty line. `from`: nothing before it can be that end.
local function end_of(data, from)
   local _, stop = data:find("\n\r?\n", from)
   return stop
end

local function read(self, data)
   local beginning = data:sub(1, #BEGINNING)
   if beginning ~= BEGINNING:sub(1, #beginning) then
      return nil, { reason = "proxy_protocol", is_socks = data:byte(1) == SOCKS_VERSION }
   end
   local stop = end_of(data, self.from)
   if not stop then
      self.from = math.max(1, #data - 1)
      return 0
   end
   local code = tonumber(data:match("^HTTP/1%.%d (%d%d%d)[ \r\n]"))
   if not code then return nil, { reason = "proxy_protocol" } end
   if code >= 300 then return nil, refusal(code, data:sub(1, stop)) end
   self.from, self.is_open = 1, code >= 200
   return stop
end

--- Begin a dialogue.
---@param proxy smtp.Proxy
---@param host string
---@param port integer
function http_connect.new(proxy, host, port)
   return { output = request(proxy, host, port), read = read, is_open = false, from = 1 }
end

return http_connect
