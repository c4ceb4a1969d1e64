--- The transport inside nginx: cosockets, which wait without keeping others waiting.
--
-- What nginx settles in its configuration (CA file, TLS versions, resolver), no option can set; an
-- error that comes of it names the directive. Methods return what the loop knows: a value; or nil,
-- a stable word, what nginx said, and what to change.
-- @module smtp.runtime.nginx.transport

local ascii = require "smtp.ground.ascii"
local bounded = require "smtp.ground.bounded"
local binding = require "smtp.runtime.nginx.channel_binding"
local duplex = require "smtp.runtime.nginx.duplex"
local errors = require "smtp.errors"
local expiry = require "smtp.runtime.nginx.expiry"
local host = require "smtp.runtime.runtime"
local keep = require "smtp.runtime.nginx.pool"
local location = require "smtp.runtime.nginx.location"
local own_address = require "smtp.runtime.nginx.own_address"
local system = require "smtp.ground.resources"

local nginx = {}

-- One budget for all conversations of a worker: after so many octets sent, or so many seconds
-- worked, others get their turn.
local SENT_MAX = 49152
local WORKED_MAX = 0.0003
local PAUSE = 0.001        -- seconds; 0 would starve timers on ngx_lua 0.10.23
local FULL_READ = 1000     -- octets; a shorter read has emptied the buffers, see Transport:keep
local NO_POOL = "smtp: none"
local UNHEARD_MAX = 8192   -- octets without a look at what the server says: any buffer holds them

local function api()
   return package.loaded.ngx
end

-- ---- what nginx cannot, before anything is done ----

-- By trying: which phases have sockets differs between versions.
local function check_phase()
   local ngx = api()
   local ok, sock = pcall(ngx.socket.tcp)
   if ok and sock then return sock end
   local phase = ngx.get_phase()
   local remedy = "Use smtp.defer, which sends as soon as nginx allows it"
   if phase == "init" then
      remedy = "Send from init_worker_by_lua instead: ngx.timer.at(0, …), or smtp.defer"
   end
   return nil, errors.usage("phase", ("nginx has no sockets in the phase %s"):format(phase), remedy)
end

-- Options of TLS that belong to a directive.
local directives = {
   { "tls_ca_file", "lua_ssl_trusted_certificate" },
   { "tls_ca_path", "lua_ssl_trusted_certificate" },
   { "tls_min_version", "lua_ssl_protocols" },
   { "tls_pin", "lua_ssl_trusted_certificate" },
}

--- Do the options ask for what only a directive can set?
function nginx.check_directives(server)
   for i = 1, #directives do
      local name, directive = directives[i][1], directives[i][2]
      if server[name] ~= nil then
         return nil, errors.usage(name, ("%s cannot be set for one connection in nginx"):format(
            name), ("Remove it, and set %s in nginx.conf"):format(directive))
      end
   end
   return true
end

-- By the names of the two files, as long as these are the same, as the contexts outside nginx.
local certificates = bounded.new(64)

local function load_certificate(server)
   local key = server.tls_cert .. "\0" .. server.tls_key
   local found, stamp = certificates:get(key), host.stamp(server)
   if found and found.stamp == stamp then return found end
   local _, ssl = pcall(require, "ngx.ssl")
   found = { stamp = stamp }
   for _, one in ipairs { { "tls_cert", "parse_pem_cert" }, { "tls_key", "parse_pem_priv_key" } } do
      local name, parse = one[1], ssl[one[2]]
      local text, why = system.read_file(server[name])
      local parsed
      if text then parsed, why = parse(text) end
      if not parsed then
         return nil, errors.usage(name, ("%s cannot be used: %s"):format(name, tostring(why)))
      end
      found[name] = parsed
   end
   return certificates:set(key, found)
end

local function check_certificate(server, sock)
   if not server.tls_cert then return nil end
   local ok, ssl = pcall(require, "ngx.ssl")
   if not sock.setclientcert or not ok or not ssl.parse_pem_cert then
      return nil, errors.usage("tls_cert", "this nginx has no client certificates for Lua",
         "It takes lua-nginx-module 0.10.22 or newer, and lua-resty-core")
   end
   if server.tls == "skip" then return nil end
   return load_certificate(server)
end

--- Can nginx do what the options ask for, in this phase?
---@return table|nil certificate   what sslhandshake needs
---@return table|nil err           UsageError
function nginx.check(server)
   local sock, err = check_phase()
   if not sock then return nil, err end
   if server.source_address and not sock.bind then
      return nil, errors.usage("source_address", "this nginx cannot bind a socket",
         "Remove it, or use lua-nginx-module 0.10.17 or newer")
   end
   local ok
   ok, err = nginx.check_directives(server)
   if not ok then return nil, err end
   return check_certificate(server, sock)
end

-- ---- pauses ----

local sent, worked = 0, 0 -- in this turn of the event loop
local tick = 0            -- nginx's time, in seconds; it moves only where the event loop turns
local slot = 0            -- when the newest pause ends; no two end together, so each has its turn

-- A new turn is a new budget: all others had their chance.
local function take_turn()
   local now = api().now()
   if now == tick then return false end
   tick, sent, worked = now, 0, 0
   return true
end

local function is_used_up()
   return sent >= SENT_MAX or worked >= WORKED_MAX
end

nginx.pace = {}

--- Before a wait, to be given to `waited` behind it.
function nginx.pace.mark()
   return worked
end

--- There was a wait, as for a reply. If nobody worked in it, all had their chance, though nginx's
-- time may show the same millisecond: a conversation of many short messages need not pause.
function nginx.pace.waited(mark)
   if worked == mark then sent, worked = 0, 0 end
end

--- So much was sent, and worked, since the last call: pauses where the budget of all conversations
-- is used up.
function nginx.pace.work(octets, seconds)
   if take_turn() then return end -- there was a wait in it
   sent, worked = sent + octets, worked + seconds
   if not is_used_up() then return end
   slot = math.max(tick, slot) + PAUSE
   api().sleep(slot - tick + PAUSE / 2) -- nginx cuts it to whole milliseconds
   -- The event loop was late, and this turn is another's: once more, and then it is ours.
   if not take_turn() and is_used_up() then
      api().sleep(PAUSE)
      take_turn()
   end
end

-- Where nginx can pause at all.
local can_pause = { rewrite = true, access = true, content = true, timer = true, preread = true,
   server_rewrite = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true }

--- The same for work that is done in any phase.
function nginx.breathe(seconds)
   if can_pause[api().get_phase()] then nginx.pace.work(0, seconds) end
end

-- ---- words ----

local CA_HINT = "Set lua_ssl_trusted_certificate in nginx.conf to a file with the issuer's "
   .. "certificate (/etc/ssl/certs/ca-certificates.crt has the public ones): without it nginx "
   .. "trusts nobody. If it is set: lua_ssl_verify_depth limits the length of chains (its default "
   .. "is 1), and the server may have to send an intermediate certificate"

-- OpenSSL's sentences, some of which were spelled otherwise before version 3.
local certificate_words = {
   ["certificate host mismatch"] = "wrong_host",
   ["certificate does not match host name"] = "wrong_host",
   ["hostname mismatch"] = "wrong_host",
   ["IP address mismatch"] = "wrong_host",
   ["certificate has expired"] = "expired",
   ["certificate is not yet valid"] = "not_yet_valid",
   ["self-signed certificate"] = "self_signed",
   ["self signed certificate"] = "self_signed",
   ["self-signed certificate in certificate chain"] = "unknown_issuer",
   ["self signed certificate in certificate chain"] = "unknown_issuer",
   ["unable to get issuer certificate"] = "unknown_issuer",
   ["unable to get local issuer certificate"] = "unknown_issuer",
   ["unable to verify the first certificate"] = "unknown_issuer",
   ["certificate chain too long"] = "chain_too_long",
   ["certificate revoked"] = "revoked",
   ["unsupported certificate purpose"] = "bad_purpose",
   ["unsuitable certificate purpose"] = "bad_purpose",
   ["EE certificate key too weak"] = "weak",
   ["CA certificate key too weak"] = "weak",
   ["CA signature digest algorithm too weak"] = "weak",
}

local certificate_hints = {
   self_signed = "Add the certificate to the file that lua_ssl_trusted_certificate names in "
      .. "nginx.conf",
   unknown_issuer = CA_HINT,
   chain_too_long = CA_HINT,
   expired = "The server's operator must renew it",
}

local TLS_HINT = "The server may want a version of TLS that lua_ssl_protocols in nginx.conf does "
   .. "not name (write TLSv1.2 TLSv1.3), or its port speaks no TLS at this point; nginx's error "
   .. "log says more"

local function is_address(name)
   return name:find(":", 1, true) ~= nil or name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- "20: unable to get local issuer certificate". The number may be left over from an earlier
-- handshake (lua-resty-core 0.1.25), so the words decide.
local function handshake_trouble(said, name)
   local text = tostring(said):gsub("^%-?%d+: ", "")
   local reason = certificate_words[text]
   if reason == "wrong_host" and is_address(name or "") then
      return "certificate:wrong_host", text, "nginx compares names only, and this is an address: "
         .. "set tls_host to a name that the certificate is for"
   elseif reason then
      return "certificate:" .. reason, text, certificate_hints[reason]
   elseif text == "timeout" or text == "closed" then
      return text, text
   elseif text:find("certificate", 1, true) then
      return "certificate:untrusted", text, CA_HINT
   end
   return "tls:handshake", text, TLS_HINT
end

local function connect_trouble(said)
   local text = tostring(said)
   if text == "timeout" then return "timeout", text end
   if text:find("^no resolver defined") then
      return "resolve:no_resolver", text, "Set resolver in nginx.conf to the address of a name "
         .. "server, such as 127.0.0.53; nginx does not read /etc/resolv.conf"
   elseif text:find("could not be resolved", 1, true) or text:find("host not found", 1, true) then
      local unknown = ascii.lower(text):find("host not found", 1, true)
      return unknown and "resolve:unknown_host" or "resolve", text,
         "Check the spelling of host, and resolver in nginx.conf"
   end
   return "connect", text
end

local function io_trouble(said)
   if said == "timeout" then return "timeout", "nothing moved in time" end
   return "closed", tostring(said)
end

-- ---- the transport ----

local Transport = {}
Transport.__index = Transport
Transport.__name = "smtp.NginxTransport"

-- A cosocket lives as long as the request that made it; used in another one, it raises.
local function is_usable(self)
   return not self.dead and self.request == location.request()
end

local function channel_binding(self)
   if is_usable(self) then return binding.of(self.sock) end
end

--- A transport for the connection to this server.
---@param certificate? table   from nginx.check
---@param fresh? boolean       take no kept connection
function nginx.new(server, certificate, fresh)
   local sock = api().socket.tcp()
   return setmetatable({ sock = sock, certificate = certificate, fresh = fresh,
      place = server.keepalive and keep.place(server), keepalive = server.keepalive or nil,
      channel_binding = binding.is_possible(sock) and channel_binding or nil,
      request = location.request(), last_read = 0, ends = math.huge,
      duplex = nil, unheard = 0, receive_ms = 0, peer = nil, source = nil }, Transport)
end

-- nginx takes no 0 for "at once".
function Transport:settimeouts(connect, send, receive)
   if not is_usable(self) then return end
   self.receive_ms = math.max(receive, 1)
   self.sock:settimeouts(math.max(connect, 1), math.max(send, 1), self.receive_ms)
end

-- One address, or a name for the resolver. The pool is always named: the default one may hold
-- connections of anybody to the same host and port.
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
      ok, said = dial_fresh(self, targets[i], port)
      self.peer, self.source = targets[i], source_address
      if ok then break end
   end
   if not ok then return nil, connect_trouble(said) end
   if self.sock.setoption and reused_times(self) == 0 then
      self.sock:setoption("tcp-nodelay", true)
   end
   return true
end

--- The address of this end; nil where it is not known.
function Transport:getsockname()
   return self.peer and own_address.towards(self.peer, self.source)
end

--- The record of a connection that was kept, nil where this one is new.
function Transport:kept()
   local times = self.place and reused_times(self)
   if not times or times == 0 then return nil end
   self.ends = self.place.record.ends
   return self.place.record
end

--- Everything that was said is answered: the buffers are empty.
function Transport:rests()
   self.unheard = 0
   if self.duplex and self.duplex:rests() then self.duplex = nil end
end

-- Where nginx has light threads and semaphores.
local can_listen = { rewrite = true, access = true, content = true, timer = true }

-- What the buffers may not hold is sent with an ear to the server.
local function send(self, data)
   if not self.duplex then
      self.unheard = self.unheard + #data
      if self.unheard > UNHEARD_MAX and can_listen[api().get_phase()] then
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
   return nil, io_trouble(said)
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
   return nil, io_trouble(said)
end

-- What nginx had found out when lua-resty-core threw it away.
local function thrown(message)
   local base = package.loaded["resty.core.base"]
   local pointer = base and base.get_errmsg_ptr and base.get_errmsg_ptr()
   if not tostring(message):find("assertion failed", 1, true) or not pointer
      or pointer[0] == nil then
      return message
   end
   return require("ffi").string(pointer[0])
end

local function forget_thrown()
   local base = package.loaded["resty.core.base"]
   if base and base.get_errmsg_ptr then base.get_errmsg_ptr()[0] = nil end
end

-- A TLS session of before saves round trips and arithmetic; only under the conditions under which
-- it was made: the same location of nginx.conf, server, name, verification and own certificate, and
-- while the server's certificate is valid, which OpenSSL does not look at again. TLS 1.3 gives its
-- tickets after the handshake, where this host does not look; it handshakes in full.
local sessions = bounded.new(1000) -- { session =, ends = } by key

-- nil: the location is not known, and nothing is resumed
local function session_key(self, name, verify)
   local where = location.identity()
   if not where then return nil end
   local own = self.certificate and tostring(self.certificate) or ""
   return table.concat({ where, self.target, name or "", tostring(verify), own }, "\0")
end

local function keep_session(key, session, ends)
   if key == nil then return end
   sessions:remove(key)
   if type(session) == "boolean" or ends <= os.time() then return end
   sessions:set(key, { session = session, ends = ends })
end

local function take_session(key)
   local entry = key and sessions:get(key)
   if not entry then return nil end
   if entry.ends > os.time() then return entry.session end
   sessions:remove(key)
end

-- Two faults of lua-resty-core before 0.1.32, where a handshake fails without having waited: with a
-- session of nil or one of before it raises, with `false` it says true on a connection that is
-- closed already. So: pcall, which LuaJIT can yield across; never `false`; and a look afterwards.
--- TLS. Whatever goes wrong, not another byte leaves.
function Transport:sslhandshake(_, name, verify)
   if not is_usable(self) then return nil, "closed", "the connection is over" end
   local sock = self.sock
   if verify and not name then return nil, "tls:handshake", "there is no name to verify" end
   name = name and name:gsub("%.$", "")
   if not verify and name and is_address(name) then name = nil end -- no SNI (RFC 6066 3)
   if self.certificate then
      local ok, said = sock:setclientcert(self.certificate.tls_cert, self.certificate.tls_key)
      if not ok then return nil, "tls:client_certificate", tostring(said) end
   end
   forget_thrown()
   local key = session_key(self, name, verify)
   local ok, session, said = pcall(sock.sslhandshake, sock, take_session(key), name, verify)
   if not ok then session, said = nil, thrown(session) end
   if session and reused_times(self) then
      if verify then self.ends = expiry.of(session) end
      keep_session(key, session, self.ends)
      return true
   end
   if key then sessions:remove(key) end -- whatever it was, it does not help
   self.dead = true
   if session then return nil, "tls:handshake", "the connection is closed", CA_HINT end
   return nil, handshake_trouble(said or "closed", name)
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
function Transport:keep(facts, tls)
   if self.duplex and not self.duplex:rests() then return false end
   if not self.place or not is_usable(self) or self.ends <= os.time()
      or not keep.fits(self.place, facts, tls, self.ends) then
      return false
   end
   if has_unread(self) then return false end
   local ok = self.sock:setkeepalive(self.keepalive.idle * 1000, self.keepalive.size)
   self.dead = ok ~= nil
   return self.dead
end

return nginx
