--- Options that nginx cannot satisfy are found here, before anything is sent.
-- @module smtp.runtime.nginx.checks

local bounded = require "smtp.ground.bounded"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"
local tls_context = require "smtp.runtime.tls_context"

system.load "ngx.ssl" -- so that no request reads it

local checks = {}

-- Options of TLS that belong to a directive.
local directives = {
   { "tls_ca_file", "lua_ssl_trusted_certificate" },
   { "tls_ca_path", "lua_ssl_trusted_certificate" },
   { "tls_min_version", "lua_ssl_protocols" },
   { "tls_pin", "lua_ssl_trusted_certificate" },
}

-- By trying: which phases have sockets differs between versions.
local function check_phase()
   local ngx = package.loaded.ngx
   local ok, sock = pcall(ngx.socket.tcp)
   if ok and sock then return sock end
   local phase = ngx.get_phase()
   local remedy = "Use smtp.defer, which sends as soon as nginx allows it"
   if phase == "init" then
      remedy = "Send from init_worker_by_lua instead: ngx.timer.at(0, …), or smtp.defer"
   end
   return nil, errors.usage("phase", ("nginx has no sockets in the phase %s"):format(phase), remedy)
end

--- Do the options ask for what only a directive can set?
function checks.check_directives(server)
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

local pem_files = {
   { "tls_cert", "parse_pem_cert", ": it contains no certificate in PEM" },
   { "tls_key", "parse_pem_priv_key", ": it contains no private key in PEM, or it is encrypted" } }

local function load_certificate(server, ssl)
   local key = server.tls_cert .. "\0" .. server.tls_key
   local found, stamp = certificates:get(key), tls_context.stamp(server)
   if found and found.stamp == stamp then return found end
   found = { stamp = stamp }
   for i = 1, #pem_files do
      local name, parse, fault = pem_files[i][1], ssl[pem_files[i][2]], pem_files[i][3]
      local text, why = system.read_file(server[name])
      local parsed = text and parse(text) -- what ngx.ssl says names a function of OpenSSL
      if not parsed then
         return nil, tls_context.unusable(name:sub(5), why or server[name] .. fault, server[name])
      end
      found[name] = parsed
   end
   return certificates:set(key, found)
end

local function check_certificate(server, sock)
   if not server.tls_cert then return nil end
   local ssl, why, lacks = system.load "ngx.ssl"
   if lacks then return nil, system.error(why) end
   if not sock.setclientcert or not ssl or not ssl.parse_pem_cert then
      return nil, errors.usage("tls_cert", "this nginx has no client certificates for Lua",
         "Install lua-nginx-module 0.10.22 or newer, and lua-resty-core")
   end
   if server.tls == "skip" then return nil end
   return load_certificate(server, ssl)
end

--- Can nginx do what the options ask for, in this phase?
---@return table|nil certificate   what sslhandshake needs
---@return table|nil err           UsageError, SystemError
function checks.check(server)
   local sock, err = check_phase()
   if not sock then return nil, err end
   if server.source_address and not sock.bind then
      return nil, errors.usage("source_address", "this nginx cannot bind a socket",
         "Remove it, or use lua-nginx-module 0.10.17 or newer")
   end
   local ok, wrong = checks.check_directives(server)
   if not ok then return nil, wrong end
   return check_certificate(server, sock)
end

return checks
