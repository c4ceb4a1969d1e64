--- A small receiving server, for demos and for the tests of those who send mail.
--
-- In a test, without a port or a process:
--
--    local sink = smtp.sink { auth = { users = { ann = "secret" } } }
--    smtp.send { transport = sink:transport(), tls = "skip", from = …, to = …, text = … }
--    assert(#sink.messages == 1)
--
-- As a server: local address, port = sink:listen(); sink:serve { connections = 1 }.
-- It is no mail server: it delivers nothing.
-- @module smtp.sink

local check = require "smtp.check"
local core = require "smtp.core"
local crowd = require "smtp.crowd"
local errors = require "smtp.errors"
local guard = require "smtp.guard"
local sink_auth = require "smtp.sink_auth"
local sink_session = require "smtp.sink_session"

local WAIT_MS = 60000    -- how long a client may be silent
local OWED_MAX = 1048576 -- octets of replies that a client may leave unread

local known = {
   host = "string", port = "number", socket = "string", protocol = "string", domain = "string",
   capabilities = "table", tls = "any", tls_cert = "string", tls_key = "string",
   tls_max_version = "string", auth = "any", require_auth = "boolean", faults = "table",
   on_message = "function", keep = "number", trace = "function",
}

-- ---- in the same process, as a transport ----

local Transport = {}
Transport.__index = Transport
Transport.__name = "smtp.SinkTransport"

function Transport:connect()
   self.session = sink_session.new(self.sink)
   self.session:greet()
   self.inbox = self.session:receive("")
   return true
end

function Transport.settimeouts()
end

function Transport:send(data)
   if not self.session or self.session.closed then return nil, "closed", "the sink is gone", 0 end
   if self.session.handshake then return nil, "closed", "a handshake was expected", 0 end
   self.inbox = self.inbox .. self.session:receive(data)
   return #data
end

function Transport:receiveany(max)
   if self.inbox ~= "" then
      local data = self.inbox:sub(1, max)
      self.inbox = self.inbox:sub(max + 1)
      return data
   end
   if not self.session or self.session.closed then
      return nil, "closed", "the sink is gone"
   end
   return nil, "timeout", "the sink is silent"
end

-- Nothing leaves this process, so that the pretended TLS is as good as verified.
function Transport:sslhandshake(_, _, verify)
   if self.sink.options.tls ~= "implicit" then
      if not self.session.handshake then return nil, "tls:plaintext", "no STARTTLS was said" end
      self.session:tls_started()
   end
   self.secure = verify == true
   return true
end

function Transport:close()
   self.session = nil
   return true
end

-- ---- over sockets ----

local Sink = {}
Sink.__index = Sink
Sink.__name = "smtp.Sink"

--- A transport for smtp.send, in this process. With tls a handshake is pretended.
function Sink:transport()
   return setmetatable({ sink = self, inbox = "", duplex = true }, Transport)
end

local function make_certificate(sink)
   local name = os.tmpname()
   os.remove(name)
   sink.options.tls_cert, sink.options.tls_key = name .. ".crt", name .. ".key"
   local ok = os.execute(("umask 077; openssl req -x509 -newkey ec -pkeyopt "
      .. "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
      .. "-addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 -keyout %s -out %s 2>/dev/null")
      :format(sink.options.tls_key, sink.options.tls_cert))
   if ok ~= true and ok ~= 0 then
      return nil, errors.usage("tls_cert", "the openssl command made no certificate",
         "Install it, or give tls_cert and tls_key")
   end
   sink.temporary = true
   return true
end

local function make_context(sink)
   local options = sink.options
   if not options.tls_cert then
      local ok, err = make_certificate(sink)
      if not ok then return nil, err end
   end
   local context, option, why = require("smtp.socket").tls_context { server = true,
      cert = options.tls_cert, key = options.tls_key or options.tls_cert,
      max_version = options.tls_max_version }
   if not context then return nil, errors.usage("tls_" .. option, why) end
   sink.context, sink.tls_ca_file = context, options.tls_cert
   return true
end

--- Listen. -> address, port | path of the unix socket | nil, err
---@param listener? userdata   from smtp.socket, where somebody listens already
function Sink:listen(listener)
   local options, why, text = self.options, nil, nil
   if options.tls then
      local ok, err = make_context(self)
      if not ok then return nil, err end
   end
   if not listener then
      local place = options.socket and "unix:" .. options.socket or options.host
      listener, why, text = require("smtp.socket").listen(place, options.port)
   end
   if not listener then
      return nil, errors.new("connect", { what = "the sink cannot listen: " .. (text or why) })
   end
   self.listener = listener
   if options.socket then return options.socket end
   return listener:getsockname()
end

local function again(method, ...)
   local a, why, text
   repeat a, why, text = method(...) until a or why ~= "again"
   return a, why, text
end

local function start_tls(self, session, sock)
   if not again(sock.sslaccept, sock, self.context) then return false end
   session:tls_started(sock:channel_binding())
   return true
end

-- A client that talks on instead of reading is heard first. -> what it is still owed | nil
local function pay(sock, owed)
   local count, why = sock:send(owed)
   if not count and why ~= "again" then return nil end
   local left = owed:sub((count or 0) + 1)
   return #left <= OWED_MAX and left or nil
end

-- Where a function of the user's fails, nobody else is let in.
local function hear(self, session, sock, data)
   local ok, said = guard.call(session.receive, session, data)
   if ok then return said end
   self.listener:close()
   sock:close()
   error(said, 0)
end

local function converse(self, sock)
   local session = sink_session.new(self)
   sock:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
   if session.tls and not start_tls(self, session, sock) then return end
   session:greet()
   local owed = pay(sock, hear(self, session, sock, ""))
   while owed and not session.closed do
      local data = again(sock.receiveany, sock, 65536)
      owed = data and pay(sock, owed .. hear(self, session, sock, data))
      if session.handshake and not (owed == "" and start_tls(self, session, sock)) then return end
   end
end

--- Serve connections, many at a time.
---@param t? table   connections: how many (default: without end); timeout: seconds to wait for one
---@return number    how many were served
function Sink:serve(t)
   t = t or {}
   local served = 0
   local ok, cause = crowd.run { function()
      while not t.connections or served < t.connections do
         local sock, why = crowd.accept(self.listener, t.timeout or 86400)
         if sock then
            served = served + 1
            crowd.spawn(function()
               converse(self, sock)
               sock:close()
            end)
         elseif why == "system" then -- no descriptors left: those who are here give them back
            crowd.sleep(0.05)
         else
            return
         end
      end
   end }
   if not ok then error(cause, 0) end
   return served
end

--- Stop listening, and remove the certificate that was made.
function Sink:close()
   if self.listener then self.listener:close() end
   if self.temporary then
      os.remove(self.options.tls_cert)
      os.remove(self.options.tls_key)
      self.temporary = nil
   end
   return true
end

-- ---- options ----

local function check_options(t)
   if type(t) ~= "table" then
      return nil, errors.usage("options", ("a table of options is wanted, and this is a %s"):format(
         type(t)), "Write { auth = { users = { … } } }, or nothing")
   end
   for name, value in next, t do
      local wanted = known[name]
      if not wanted then
         name = guard.text(name)
         return nil, errors.usage(name, ("the sink has no option %q"):format(name))
      elseif wanted ~= "any" and type(value) ~= wanted then
         return nil, errors.usage(name, ("%s must be a %s"):format(name, wanted))
      end
   end
   if t.tls and t.tls ~= "starttls" and t.tls ~= "implicit" then
      return nil, errors.usage("tls", "tls must be false, \"starttls\" or \"implicit\"")
   end
   local ok, err = check.is_word(t, "protocol", { "smtp", "lmtp" })
   if not ok then return nil, err end
   if t.socket and (t.host or t.port) then
      return nil, errors.usage("socket", "socket and host or port are both given",
         "Keep one of them")
   end
   if t.port and not (t.port >= 0 and t.port <= 65535 and t.port % 1 == 0) then
      return nil, errors.usage("port", "port is not a number from 0 (any that is free) to 65535")
   end
   if t.tls_max_version and t.tls_max_version ~= "1.2" and t.tls_max_version ~= "1.3" then
      return nil, errors.usage("tls_max_version", "tls_max_version must be \"1.2\" or \"1.3\"")
   end
   return true
end

-- What a listening sink needs and a transport ignores is taken by both.
--- Make a sink.
---@param t? table   host, port, socket, protocol, domain, capabilities, tls, tls_cert, tls_key,
--   tls_max_version, auth (see smtp.sink_auth), require_auth, faults, on_message, keep, trace
---@return table|nil   the sink; its `messages` are { from =, to =, data =, parameters =,
--   recipients = { { address =, parameters = } }, authenticated =, authzid =, tls = }
---@return table|nil
local function new(t)
   if t == nil then t = {} end
   local ok, err = check_options(t)
   if not ok then return nil, err end
   local options = { host = "127.0.0.1", port = 0, domain = "sink.example", keep = 1000,
      capabilities = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES",
         "SMTPUTF8", "CHUNKING", "DSN" } }
   for name, value in next, t do options[name] = value end
   if options.auth then
      options.auth, err = sink_auth.check(options.auth)
      if not options.auth then return nil, err end
   end
   return setmetatable({ options = options, messages = {}, count = 0, started = core.now() }, Sink)
end

return { new = new }
