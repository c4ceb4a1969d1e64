--- Starts real servers (servers.sh: Postfix with Dovecot's SASL; exim.sh; dovecot.sh: its LMTP; haraka.sh) and reads
-- what they delivered; and programs that send mail by sendmail (sendmail.sh).

local certs = require "spec.tools.certs"
local core = require "smtp.core"
local safe = require "smtp.safe"

local servers = {}

-- Inside nginx no option names a CA file: locations of spec/nginx/nginx.conf.in do, and where the specs run, it
-- is the one that the servers' certificates are of.
local nginx = require("smtp.runtime.runtime").nginx()

--- tls_ca_file for the CA of this name, or what takes its place.
local function ca_file(name)
   return not nginx and certs.make()(name) or nil
end

local token_key = "a key that the issuer of tokens and Dovecot share"

local function url_base64(bytes)
   return (core.base64(bytes):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

--- A token as an issuer makes it (RFC 7519), with HS256 by the openssl command. `left`: seconds until it is
-- over, may be negative. `key`: instead of the one that Dovecot knows.
function servers.token(user, left, key)
   local now = os.time()
   local signed = url_base64 '{"alg":"HS256","typ":"JWT"}' .. "." .. url_base64(
      ('{"sub":"%s","iat":%d,"exp":%d}'):format(user, now - 7200, now + left))
   local pipe = io.popen(("printf %%s %s | env -u LD_PRELOAD openssl dgst -sha256 -hmac '%s' -binary"):format(
      signed, key or token_key))
   local signature = pipe:read("*a")
   pipe:close()
   assert(#signature == 32, "the openssl command did not sign")
   return signed .. "." .. url_base64(signature)
end

--- Sends where the CA `other` is trusted, and no other.
function servers.send_trusting_other(t)
   t.tls_ca_file = ca_file "other"
   if not nginx then return safe.send(t) end
   local context = { run = function() return safe.send(t) end }
   package.loaded.ngx.location.capture("/other", { ctx = context })
   return context.result[1], context.result[2]
end

local function socket_with_tls()
   if nginx then return nginx.new {} end
   local socket = require "smtp.socket"
   return socket.new(), assert(require("smtp.tls").context { verify = true, ca_file = ca_file "ca" })
end

--- Do the sockets here know what binds a channel? What SCRAM says of it in base64 (RFC 5802 6): y,, or n,,.
servers.binding_flag = nginx and not nginx.new({}).channel_binding and "biws" or "eSws"

--- A transport of the caller's own: a socket with TLS that trusts the CA of the servers and has no certificate.
-- `said` (if given) gets what is sent.
function servers.transport(said)
   return function()
      local inner, context = socket_with_tls()
      local self = setmetatable({}, { __index = function(_, method)
         return inner[method] and function(_, ...) return inner[method](inner, ...) end
      end })
      function self.send(_, bytes)
         if said then said[#said + 1] = bytes end
         return inner:send(bytes)
      end
      function self.sslhandshake(_, session, host, verify)
         local ok, why, text, hint = inner:sslhandshake(session, host, verify, context)
         self.secure = ok and verify or nil
         return ok, why, text, hint
      end
      return self
   end
end

--- Runs the script of this name, which says "ready" and then name=value: its ports, its process, its directory.
---@return table|nil server   { ports, work = directory, user, password, ca_file, arrived = function(box), stop }
---@return string? why
function servers.run(file_name)
   certs.make()
   local pipe = io.popen(("TOKEN_KEY='%s' bash spec/live/%s 2>&1"):format(token_key, file_name))
   local ready
   local said = {}
   for line in pipe:lines() do
      said[#said + 1] = line
      ready = line:match("^ready (.*)$")
      if ready then break end
   end
   if not ready then
      pipe:close()
      return nil, table.concat(said, "\n")
   end
   local fields, ports = {}, {}
   for name, value in ready:gmatch("(%w+)=(%S+)") do fields[name], ports[name] = value, tonumber(value) end
   local pid, work = fields.pid, fields.work
   local self = { ports = ports, pid = pid, work = work, user = fields.user or "ann",
      password = "sesame", ca_file = ca_file "ca" }

   -- What came to `box@live.example` since the last time, oldest first: each message without the lines
   -- that the servers put on top. Waits up to 10 seconds for `count` of them.
   function self.arrived(box, count)
      local script = ([[cd %s/var/boxes/%s/new 2>/dev/null && for f in $(ls -tr); do
         printf '%%s\n' "$PWD/$f"; done]]):format(work, box)
      local names
      for _ = 1, 100 do
         names = {}
         local list = io.popen(script)
         for name in list:lines() do names[#names + 1] = name end
         list:close()
         if #names >= count then break end
         os.execute("sleep 0.1")
      end
      local messages = {}
      for i, name in ipairs(names) do
         local file = assert(io.open(name, "rb"))
         local text = file:read("*a")
         file:close()
         os.remove(name)
         -- Return-Path, X-Original-To, Delivered-To where they are added, and one Received.
         messages[i] = ("\n" .. text):gsub("^.-\nReceived: [^\n]*\n", "", 1)
         while messages[i]:find("^[ \t]") do messages[i] = messages[i]:gsub("^[^\n]*\n", "", 1) end
      end
      return messages
   end

   function self.stop()
      os.execute("kill " .. pid)
      pipe:read("*a")
      pipe:close()
   end
   return self
end

--- Postfix with Dovecot's SASL: submission_port requires TLS and AUTH, relay_port offers neither.
function servers.start()
   local self, why = servers.run("servers.sh")
   if not self then return nil, why end
   self.submission_port, self.relay_port = self.ports.submission, self.ports.plain
   return self
end

--- Exim: open_port offers EXTERNAL to everybody, strict_port only to those whose certificate it trusts.
function servers.start_exim()
   local self, why = servers.run("exim.sh")
   if not self then return nil, why end
   self.open_port, self.strict_port = self.ports.submission, self.ports.strict
   return self
end

--- Dovecot's LMTP, on lmtp_port and on the unix socket lmtp_socket.
function servers.start_dovecot()
   local self, why = servers.run("dovecot.sh")
   if not self then return nil, why end
   self.lmtp_port, self.lmtp_socket = self.ports.lmtp, self.work .. "/lmtp"
   return self
end

--- Haraka, on port: it refuses what follows the end of a message before its answer.
function servers.start_haraka()
   local self, why = servers.run("haraka.sh")
   if not self then return nil, why end
   self.port = self.ports.plain
   return self
end

--- Programs that send mail by sendmail, which is a link to lua-smtp: no server.
function servers.start_senders()
   return servers.run("sendmail.sh")
end

--- The header of a message that no server adds to.
---@param subject string
---@param id? string   before @ of the Message-ID
function servers.head(subject, id)
   return ("From: ann@live.example\nMessage-ID: <%s@live.example>\nDate: Tue, 24 Nov 2026 12:00:00 +0000\n"
      .. "Subject: %s\n\n"):format(id or "1", subject)
end

--- The options of a message from ann to bob by STARTTLS, and more; "none" leaves an option out.
---@param live table   one of these servers
---@param port number
function servers.options(live, port, more)
   local t = { host = "localhost", port = port, from = "ann@live.example", to = "bob@live.example", timeout = 30,
      tls = "require", tls_ca_file = live.ca_file }
   for key, value in pairs(more or {}) do t[key] = value end
   for key, value in pairs(t) do if value == "none" then t[key] = nil end end
   if t.transport then t.tls_ca_file = nil end
   return t
end

--- One of these servers, for the specs of a block: started before them, ended after them.
---@param start_one function   servers.start, servers.start_exim …
---@return table server    with the fields of what it starts
function servers.during(setup, teardown, start_one)
   local live, why
   setup(function() live, why = start_one() end)
   teardown(function() if live then live.stop() end end)
   return setmetatable({}, { __index = function(_, name) return assert(live, why)[name] end })
end

return servers
