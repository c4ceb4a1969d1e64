--- The transport inside nginx: cosockets, which wait without keeping others waiting.
--
-- What nginx settles in its configuration (CA file, TLS versions, resolver), no option can set; an
-- error that comes of it names the directive. Methods return what the loop knows: a value; or nil,
-- a stable word, what nginx said, and what to change.
-- @module smtp.runtime.nginx.transport

local binding = require "smtp.runtime.nginx.channel_binding"
local core = require "smtp.core"
local duplex = require "smtp.runtime.nginx.duplex"
local handshake = require "smtp.runtime.nginx.handshake"
local pool = require "smtp.runtime.pool"
local location = require "smtp.runtime.nginx.location"
local own_address = require "smtp.runtime.nginx.own_address"
local troubles = require "smtp.runtime.nginx.troubles"

local FULL_READ = 1000     -- octets; a shorter read has emptied the buffers, see Transport:keep
local NO_POOL = "smtp: none"
local UNHEARD_MAX = core.limits.unheard -- octets without a look at what the server says

local Transport = { __name = "smtp.NginxTransport" }
Transport.__index = Transport

-- A cosocket lives as long as the request that made it; used in another one, it raises.
local function is_usable(self)
   return not self.dead and self.request == location.request()
end

local function channel_binding(self)
   if is_usable(self) then return binding.of(self.sock) end
end

-- Where the connection is kept. nil: the location is not known, so that nothing may be kept.
local function place_of(server, certificate)
   local where = server.keepalive and location.identity()
   return where and pool.place(server, where, certificate)
end

--- A transport for the connection to this server.
---@param certificate? table   from checks.check
---@param fresh? boolean       take no kept connection
local function new(server, certificate, fresh)
   local sock = package.loaded.ngx.socket.tcp()
   return setmetatable({ sock = sock, certificate = certificate, fresh = fresh,
      implicit = server.tls == "implicit" and server.port or nil,
      place = place_of(server, certificate), keepalive = server.keepalive or nil,
      channel_binding = binding.is_possible(sock) and channel_binding or nil,
      request = location.request(), last_read = 0, ends = math.huge,
      duplex = nil, unheard = 0,
      connect_ms = 0, receive_ms = 0, peer = nil, source = nil }, Transport)
end

-- nginx takes no 0 for "at once".
function Transport:settimeouts(connect, send, receive)
   if not is_usable(self) then return end
   self.connect_ms, self.receive_ms = math.max(connect, 1), math.max(receive, 1)
   self.sock:settimeouts(self.connect_ms, math.max(send, 1), self.receive_ms)
end

-- One address, or a name for the resolver. The pool is always named: the default one may hold
-- all connections to the same host and port.
local function dial(self, target, port)
   local sock, options = self.sock, { pool = self.place and self.place.pool or NO_POOL }
   if target:find("^unix:") then return sock:connect(target, options) end
   if target:find(":", 1, true) then target = "[" .. target .. "]" end
   return sock:connect(target, port, options)
end

-- Reads nothing, writes nothing: is it still there?
local function reused_times(self)
   local times = self.sock:getreusedtimes()
   return times or nil
end

local function dial_fresh(self, target, port)
   local ok, said
   repeat
      ok, said = dial(self, target, port)
      local again = ok and self.fresh and (reused_times(self) or 0) > 0
      if again then self.sock:close() end
   until not again
   return ok, said
end

-- Where nginx has light threads.
local can_listen = { rewrite = true, access = true, content = true, timer = true }

-- nginx gives a look-up the time of resolver_timeout, whatever the socket's timeouts are: a light
-- thread does it, and is killed when the time to connect is over.
local function dial_in_time(self, target, port)
   local is_name = not (troubles.is_address(target) or target:find("^unix:"))
   local ngx = package.loaded.ngx
   local ended = is_name and can_listen[ngx.get_phase()] and duplex.new_semaphore()
   if not ended then return dial_fresh(self, target, port) end
   local thread, is_done, ok, said = ngx.thread, false, nil, troubles.NO_ANSWER
   local job = thread.spawn(function()
      ok, said = dial_fresh(self, target, port)
      is_done = true
      ended:post()
   end)
   ended:wait(self.connect_ms / 1000)
   if is_done then
      thread.wait(job)
   else
      thread.kill(job)
      self.dead = true
   end
   return ok, said
end

--- Connect; localhost without a resolver.
function Transport:connect(target, port, source_address)
   if source_address then
      local ok, said = self.sock:bind(source_address)
      if not ok then return nil, "connect", tostring(said) end
   end
   self.target = target .. " " .. tostring(port)
   local targets = target == "localhost" and { "127.0.0.1", "::1" } or { target }
   local ok, said
   for i = 1, #targets do
      ok, said = dial_in_time(self, targets[i], port)
      self.peer, self.source = targets[i], source_address
      if ok then break end
   end
   if not ok then return nil, troubles.of_connect(said) end
   if self.sock.setoption and reused_times(self) == 0 then
      self.sock:setoption("tcp-nodelay", true)
   end
   return true
end

--- The address of this end; nil where it is not known.
function Transport:getsockname()
   return self.peer and own_address.towards(self.peer, self.source)
end

--- The facts of a connection that was kept, nil where this one is new.
function Transport:kept()
   local times = self.place and reused_times(self)
   if not times or times == 0 then return nil end
   self.ends = self.place.record.ends
   return self.place.record.facts
end

--- Everything that was said is answered: the buffers are empty.
function Transport:rests()
   self.unheard = 0
   if self.duplex and self.duplex:rests() then self.duplex = nil end
end

-- What the buffers may not hold is sent with an ear to the server.
local function send(self, data)
   if not self.duplex then
      self.unheard = self.unheard + #data
      if self.unheard > UNHEARD_MAX and can_listen[package.loaded.ngx.get_phase()] then
         self.duplex = duplex.new(self.sock)
      end
      if not self.duplex then return self.sock:send(data) end
   end
   return self.duplex:send(data)
end

function Transport:send(data)
   if not is_usable(self) then return nil, "closed", "the connection is over", 0 end
   local count, said = send(self, data)
   if count then return count end
   return nil, troubles.of_io(said)
end

-- Always what is there, never a line: what a line leaves in the buffer would count as encrypted
-- after the handshake.
function Transport:receiveany(max)
   if not is_usable(self) then return nil, "closed", "the connection is over" end
   local data, said
   if self.duplex then
      data, said = self.duplex:receiveany(max, self.receive_ms)
   else
      data, said = self.sock:receiveany(max)
   end
   if data then
      self.last_read = #data
      return data
   end
   return nil, troubles.of_io(said)
end

--- TLS. Whatever goes wrong, not another byte leaves.
function Transport:sslhandshake(_, name, verify)
   if not is_usable(self) then return nil, "closed", "the connection is over" end
   local sock = self.sock
   if verify and not name then return nil, "tls:handshake", "there is no name to verify" end
   name = name and name:gsub("%.$", "")
   if not verify and name and troubles.is_address(name) then name = nil end -- no SNI (RFC 6066 3)
   if self.certificate then
      local ok, said = sock:setclientcert(self.certificate.tls_cert, self.certificate.tls_key)
      if not ok then return nil, "tls:client_certificate", tostring(said) end
   end
   local ends, why, text, hint = handshake.start(sock, self.target, self.certificate, name, verify,
      self.implicit)
   if not ends then
      self.dead = true
      return nil, why, text, hint
   end
   if verify then self.ends = ends end
   return true
end

--- Close. In another request nothing can be done with it; it ends with its own.
function Transport:close()
   local usable = self.request == location.request()
   self.dead = true
   if usable then
      if self.duplex then self.duplex:kill() end
      self.sock:close()
   end
   return true
end

-- nginx looks for unread bytes in its buffer and the kernel's, not in what OpenSSL has decrypted:
-- there may be such bytes only where the last read filled its buffer.
local function has_unread(self)
   if self.last_read < FULL_READ then return false end
   self.sock:settimeouts(1, 1, 1)
   local _, said = self.sock:receiveany(1)
   return said ~= "timeout"
end

--- Hand the connection back to its pool, where it is as all the others in there.
---@param facts table   of its session, which rests
---@return boolean      false: it is for the caller to end
function Transport:keep(facts)
   if self.duplex and not self.duplex:rests() then return false end
   if not self.place or not is_usable(self) or self.ends <= os.time()
      or not pool.fits(self.place, facts, self.ends) then
      return false
   end
   if has_unread(self) then return false end
   local ok = self.sock:setkeepalive(self.keepalive.idle * 1000, self.keepalive.size)
   self.dead = ok ~= nil
   return self.dead
end

return { new = new }
