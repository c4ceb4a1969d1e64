--- A transport of lua-smtp over the sockets of HAProxy.
--
-- These sockets cannot start TLS later (STARTTLS), and their connect_ssl does not check the
-- certificate. So they lead to a section `listen` of HAProxy's configuration, which makes TLS and
-- checks it: see haproxy.cfg.

local Transport = { duplex = true }
Transport.__index = Transport

local function seconds_now()
   local now = core.now()
   return now.sec + now.usec / 1e6
end

local function limit(self, milliseconds)
   self.ends = seconds_now() + milliseconds / 1000
   self.socket:settimeout(milliseconds / 1000)
end

-- HAProxy has one text for each end of a connection.
local function failure(self, text)
   return seconds_now() >= self.ends and "timeout" or "closed", text
end

function Transport:settimeouts(connect, send, receive)
   self.times = { connect = connect, send = send, receive = receive }
end

function Transport:connect()
   self.socket = core.tcp()
   limit(self, self.times.connect)
   local ok, text = self.socket:connect(self.address)
   if ok then return true end
   return nil, failure(self, text)
end

--- The section `listen` has made the handshake, with the name that is written there.
function Transport:sslhandshake()
   self.secure = true
   return true
end

function Transport:send(bytes)
   limit(self, self.times.send)
   local count, text, partly = self.socket:send(bytes)
   if count == #bytes then return count end
   local why
   why, text = failure(self, text)
   return nil, why, text, math.max(count or partly or 0, 0)
end

--- One byte at a time: HAProxy waits until it has as many as it is asked for.
function Transport:receiveany()
   limit(self, self.times.receive)
   local byte, text = self.socket:receive(1)
   if byte and byte ~= "" then return byte end
   return nil, failure(self, text)
end

function Transport:close()
   if self.socket then self.socket:close() end
   self.socket = nil
end

--- The value of the option `transport`.
---@param address string   of the section `listen`: "unix@/run/haproxy/smtp.sock"
return function(address)
   return function() return setmetatable({ address = address }, Transport) end
end
