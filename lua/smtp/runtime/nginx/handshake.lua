--- TLS handshakes of cosockets, and the sessions that they resume.
-- @module smtp.runtime.nginx.handshake

local bounded = require "smtp.ground.bounded"
local expiry = require "smtp.runtime.nginx.expiry"
local location = require "smtp.runtime.nginx.location"
local troubles = require "smtp.runtime.nginx.troubles"

-- A TLS session of before saves round trips and arithmetic; only under the conditions under which
-- it was made: the same location of nginx.conf, server, name, verification and own certificate, and
-- while the server's certificate is valid, which OpenSSL does not look at again. TLS 1.3 gives its
-- tickets after the handshake, where this host does not look; it handshakes in full.
local sessions = bounded.new(1000) -- { session =, ends = } by key

-- The place where lua-resty-core keeps the error of nginx; nil in versions without one.
local function error_pointer()
   local base = package.loaded["resty.core.base"]
   return base and base.get_errmsg_ptr and base.get_errmsg_ptr()
end

-- The error of nginx, where lua-resty-core raised an error of its own instead.
local function thrown(message)
   local pointer = error_pointer()
   if not tostring(message):find("assertion failed", 1, true) or not pointer
      or pointer[0] == nil then
      return message
   end
   return require("ffi").string(pointer[0])
end

-- nil: the location is not known, and nothing is resumed
local function session_key(target, certificate, name, verify)
   local where = location.identity()
   if not where then return nil end
   local own = certificate and tostring(certificate) or ""
   return table.concat({ where, target, name or "", tostring(verify), own }, "\0")
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
--- A handshake. After a failure the connection is unusable.
---@param sock table           the cosocket
---@param target string        "host port"
---@param certificate? table   from checks.check
---@param name? string         what the certificate must be for
---@param verify boolean
---@param implicit? number     the port where TLS comes from the first byte
---@return number|nil ends     os.time() at which the certificate ends, where it was verified
---@return string|nil why
---@return string|nil text
---@return string|nil hint
local function start(sock, target, certificate, name, verify, implicit)
   local pointer = error_pointer()
   if pointer then pointer[0] = nil end
   local key = session_key(target, certificate, name, verify)
   local ok, session, said = pcall(sock.sslhandshake, sock, take_session(key), name, verify)
   if not ok then session, said = nil, thrown(session) end
   if session and sock:getreusedtimes() then
      local ends = verify and expiry.of(session) or math.huge
      keep_session(key, session, ends)
      return ends
   end
   if key then sessions:remove(key) end -- whatever it was, it does not help
   if session then return nil, "tls:handshake", "the connection is closed", troubles.hints.ca end
   return nil, troubles.of_handshake(said or "closed", name, implicit)
end

return { start = start }
