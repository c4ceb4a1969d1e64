--- The address of this end of a connection, for EHLO, in nginx, whose sockets do not report it. It
-- is derived from the target, the request, and this machine's routes. Nothing is sent.
-- @module smtp.runtime.nginx.own_address

local foreign = require "smtp.runtime.nginx.foreign"

-- Linux. A UDP socket that is connected has a local address, and sends nothing.
local functions = foreign.functions [[
   int smtp_own_socket(int, int, int) __asm__("socket");
   int smtp_own_connect(int, const void *, unsigned) __asm__("connect");
   int smtp_own_name(int, void *, unsigned *) __asm__("getsockname");
   int smtp_own_close(int) __asm__("close");
   int smtp_own_parse(int, const char *, void *) __asm__("inet_pton");
   const char *smtp_own_text(int, const void *, char *, unsigned) __asm__("inet_ntop");
]]
local DATAGRAM = 0x80002   -- SOCK_DGRAM | SOCK_CLOEXEC
local PORT = 9             -- any
local TEXT_MAX = 64
-- family; where the address is in a sockaddr, and how long that is
local IPV4 = { family = 2, at = 4, len = 16 }
local IPV6 = { family = 10, at = 8, len = 28 }

-- Addresses for documentation (RFC 5737, RFC 3849): they are routed as any other one.
local ANYWHERE = { "192.0.2.1", "2001:db8::1" }

local function routed(C, fd, kind, target)
   local ffi = C.ffi
   local address, size = ffi.new("uint8_t[28]"), ffi.new("unsigned[1]", kind.len)
   ffi.cast("uint16_t *", address)[0], address[3] = kind.family, PORT
   if C.own_parse(kind.family, target, address + kind.at) ~= 1
      or C.own_connect(fd, address, kind.len) ~= 0
      or C.own_name(fd, address, size) ~= 0 then
      return nil
   end
   local text = ffi.new("char[?]", TEXT_MAX)
   if C.own_text(kind.family, address + kind.at, text, TEXT_MAX) == nil then return nil end
   return ffi.string(text)
end

-- The address that packets for `target` leave from.
local function route(target)
   local C = functions()
   if not C or C.ffi.os ~= "Linux" then return nil end
   local kind = target:find(":", 1, true) and IPV6 or IPV4
   local fd = C.own_socket(kind.family, DATAGRAM, 0)
   if fd < 0 then return nil end
   local found = routed(C, fd, kind, target)
   C.own_close(fd)
   return found
end

-- Routes rarely change, and messages on kept connections all ask.
local VALID = 10 -- seconds
local newest = { target = nil, address = nil, at = 0 }

local function known_route(target)
   if newest.target ~= target or os.time() - newest.at >= VALID then
      newest = { target = target, address = route(target), at = os.time() }
   end
   return newest.address
end

-- Where the client of this request has reached this machine: some phases have none.
local function of_request()
   local ok, address = pcall(function() return package.loaded.ngx.var.server_addr end)
   if not ok or not address or address:find("^unix:") or address:find("^127%.") then return nil end
   return address ~= "::1" and address or nil
end

--- The address of this end.
---@param target string     the address that was connected to, or a name
---@param source? string    the address that the socket was bound to
---@return string|nil
local function towards(target, source)
   if source then return source end
   if target:find("^unix:") then return nil end
   if target:find(":", 1, true) or target:find("^%d+%.%d+%.%d+%.%d+$") then
      return known_route(target)
   end
   local address = of_request()
   for i = 1, #ANYWHERE do address = address or known_route(ANYWHERE[i]) end
   return address
end

return { towards = towards }
