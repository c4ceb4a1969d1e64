--- A small receiving server, for demos and for the tests of those who send mail.
--
-- In a test, without a port or a process:
--
--    local sink = smtp.sink { auth = { users = { ann = "secret" } } }
--    smtp.send { transport = sink:transport(), tls = "skip", from = …, to = …, text = … }
--    assert(#sink.messages == 1)
--
-- As a server: local address, port = sink:listen(); sink:serve { connections = 1 }.
-- It is no mail server: it delivers nothing, and serves one connection after another.
-- @module smtp.sink

local core = require "smtp.core"
local errors = require "smtp.errors"
local sink_auth = require "smtp.sink_auth"

local LINE_MAX = 12288 -- octets of a command (RFC 4954 4)
local WAIT_MS = 60000  -- how long a client may be silent

local known = {
   host = "string", port = "number", domain = "string", capabilities = "table", tls = "any",
   tls_cert = "string", tls_key = "string", tls_max_version = "string", auth = "any",
   require_auth = "boolean", faults = "table", on_message = "function", keep = "number",
   trace = "function",
}

-- ---- one conversation, without I/O ----

local Session = {}
Session.__index = Session
Session.__name = "smtp.SinkSession"

local function new_session(sink)
   local session = setmetatable({ sink = sink, input = "", output = {}, tls = false, lines = {} },
      Session)
   session.tls = sink.options.tls == "implicit"
   return session
end

function Session:trace(direction, line)
   if self.sink.options.trace then self.sink.options.trace(direction, line) end
end

function Session:say(text)
   for line in (text .. "\n"):gmatch("(.-)\n") do self:trace("S", line) end
   self.output[#self.output + 1] = text:gsub("\n", "\r\n") .. "\r\n"
end

-- A fault on demand stands in for the reply. -> true where there was one
function Session:fault(stage, command)
   local fault = (self.sink.options.faults or {})[stage]
   if type(fault) == "function" then fault = fault(command, self) end
   if not fault then return false end
   if fault == "drop" then
      self.closed = true
   elseif fault == "silence" then
      self.silent = true
   else
      self:say(fault)
      if fault:find("^421") then self.closed = true end
   end
   return true
end

function Session:greet()
   if self:fault("connect") then return end
   self:say("220 " .. self.sink.options.domain .. " ESMTP sink")
end

function Session:reset()
   self.from, self.to = nil, {}
end

-- -> what to say of AUTH in answer to EHLO | nil
function Session:offer()
   local auth = self.sink.options.auth
   if not auth or not (self.tls or not self.sink.options.tls or auth.before_tls) then return nil end
   local names = sink_auth.names(auth, self.binding ~= nil)
   if #names == 0 and #auth.mechanisms > 0 then return nil end
   return "AUTH " .. table.concat(names, " ")
end

local commands = {}

local function hello(self, stage, line)
   if self:fault(stage, line) then return end
   self:reset()
   self.greeted = true
   local options = self.sink.options
   local list = { options.domain }
   if stage == "ehlo" then
      for i = 1, #options.capabilities do list[#list + 1] = options.capabilities[i] end
      if options.tls == "starttls" and not self.tls then list[#list + 1] = "STARTTLS" end
      list[#list + 1] = self:offer()
   end
   for i = 1, #list do list[i] = "250" .. (i < #list and "-" or " ") .. list[i] end
   self:say(table.concat(list, "\n"))
end

function commands:EHLO(line) hello(self, "ehlo", line) end
function commands:HELO(line) hello(self, "helo", line) end

function commands:STARTTLS(line)
   if self:fault("starttls", line) then return end
   if self.sink.options.tls ~= "starttls" or self.tls then return self:say("503 5.5.1 not now") end
   self:say("220 2.0.0 go ahead")
   self.handshake = true
end

local function answer(self, text)
   local exchange = self.exchange
   local reply = exchange:step(text)
   if exchange.over then
      self.exchange, self.user, self.authzid = nil, exchange.user, exchange.authzid
   end
   self:say(reply)
end

function commands:AUTH(line)
   if self:fault("auth", line) then return end
   if not self:offer() then return self:say("502 5.5.1 not offered") end
   if self.user then return self:say("503 5.5.1 once is enough") end
   local name, initial = line:match("^%S+ +(%S+) ?(.*)$")
   local options = self.sink.options
   self.exchange = name and sink_auth.exchange(options.auth, name, { domain = options.domain,
      binding_type = self.binding_type, binding = self.binding })
   if not self.exchange then return self:say("504 5.5.4 unknown mechanism") end
   if initial == "" then return answer(self, nil) end
   answer(self, initial == "=" and "" or initial)
end

function commands:MAIL(line)
   if self:fault("mail", line) then return end
   if not self.greeted then return self:say("503 5.5.1 EHLO first") end
   if self.from then return self:say("503 5.5.1 one at a time") end
   if self.sink.options.require_auth and not self.user then
      return self:say("530 5.7.0 authentication required")
   end
   local from = line:match("^%S+ [Ff][Rr][Oo][Mm]:<(.-)>")
   if not from then return self:say("501 5.5.4 MAIL FROM:<address>") end
   self:reset()
   self.from = from
   self:say("250 2.1.0 ok")
end

function commands:RCPT(line)
   if self:fault("rcpt", line) then return end
   if not self.from then return self:say("503 5.5.1 MAIL first") end
   local to = line:match("^%S+ [Tt][Oo]:<(.+)>")
   if not to then return self:say("501 5.5.4 RCPT TO:<address>") end
   self.to[#self.to + 1] = to
   self:say("250 2.1.5 ok")
end

function commands:DATA(line)
   if self:fault("data", line) then return end
   if not self.from then return self:say("503 5.5.1 MAIL first") end
   if #self.to == 0 then return self:say("554 5.5.1 nobody to send to") end
   self.data = {}
   self:say("354 end with a dot on a line by itself")
end

function commands:RSET(line)
   if self:fault("rset", line) then return end
   self:reset()
   self:say("250 2.0.0 ok")
end

function commands:NOOP() self:say("250 2.0.0 ok") end
function commands:VRFY() self:say("252 2.1.5 send and see") end

function commands:QUIT(line)
   self.closed = true
   if not self:fault("quit", line) then self:say("221 2.0.0 bye") end
end

local function finish(self)
   local sink = self.sink
   local message = { from = self.from, to = self.to, data = table.concat(self.data),
      authenticated = self.user, authzid = self.authzid, tls = self.tls }
   self.data = nil
   self:trace("C", "(" .. #message.data .. " bytes of the message)")
   self:reset()
   if self:fault("final") then return end
   local list = sink.messages
   list[#list + 1] = message
   sink.count = sink.count + 1
   if #list > sink.options.keep then table.remove(list, 1) end
   if sink.options.on_message then sink.options.on_message(message) end
   self:say("250 2.0.0 queued as " .. sink.count)
end

function Session:line(line)
   if self.data then
      if line == "." then return finish(self) end
      self.data[#self.data + 1] = line:gsub("^%.", "") .. "\r\n"
   elseif self.exchange then
      self:trace("C", line == "*" and "*" or "[secret]")
      if line ~= "*" then return answer(self, line) end
      self.exchange = nil
      self:say("501 5.7.0 cancelled")
   else
      local verb = line:match("^%S*"):upper()
      self:trace("C", verb == "AUTH" and (line:gsub("^(%S+ +%S+) .*", "%1 [secret]")) or line)
      if line:find("[%z\r\n]") then return self:say("500 5.5.2 only CRLF ends a line") end
      if not commands[verb] then return self:say("502 5.5.1 unknown command") end
      commands[verb](self, line)
   end
end

--- Bytes from the client. -> bytes for it; then `handshake` and `closed` tell what comes next.
function Session:receive(bytes)
   self.input = self.input .. bytes
   while not (self.closed or self.silent or self.handshake) do
      local at = self.input:find("\r\n", 1, true)
      if not at then
         if #self.input > LINE_MAX and not self.data then self.closed = true end
         break
      end
      local line = self.input:sub(1, at - 1)
      self.input = self.input:sub(at + 2)
      self:line(line)
   end
   local said = table.concat(self.output)
   self.output = {}
   return said
end

--- TLS is on: all that was said before counts no more. What binds to the channel, if anything
-- does, is told.
function Session:tls_started(binding_type, binding)
   self.tls, self.handshake, self.greeted, self.input = true, nil, nil, ""
   self.user, self.authzid = nil, nil
   self.binding_type, self.binding = binding_type, binding
   self:reset()
end

-- ---- in the same process, as a transport ----

local Transport = {}
Transport.__index = Transport
Transport.__name = "smtp.SinkTransport"

function Transport:connect()
   self.session = new_session(self.sink)
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

function Transport:sslhandshake()
   if self.sink.options.tls == "implicit" then return true end
   if not self.session.handshake then return nil, "tls:plaintext", "no STARTTLS was said" end
   self.session:tls_started()
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

--- Listen. -> address, port | nil, err
---@param listener? userdata   from smtp.socket, where somebody listens already
function Sink:listen(listener)
   local options, why, text = self.options, nil, nil
   if options.tls then
      local ok, err = make_context(self)
      if not ok then return nil, err end
   end
   if not listener then
      listener, why, text = require("smtp.socket").listen(options.host, options.port)
   end
   if not listener then
      return nil, errors.new("connect", { what = "the sink cannot listen: " .. (text or why) })
   end
   self.listener = listener
   return listener:getsockname()
end

local function again(method, ...)
   local a, why, text
   repeat a, why, text = method(...) until a or why ~= "again"
   return a, why, text
end

local function send_all(sock, bytes)
   while bytes ~= "" do
      local count, why = sock:send(bytes)
      if not count and why ~= "again" then return false end
      bytes = bytes:sub((count or 0) + 1)
      if bytes ~= "" then return false end -- the client talks instead of reading
   end
   return true
end

local function start_tls(self, session, sock)
   if not again(sock.sslaccept, sock, self.context) then return false end
   session:tls_started(sock:channel_binding())
   return true
end

local function converse(self, sock)
   local session = new_session(self)
   sock:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
   if session.tls and not start_tls(self, session, sock) then return end
   session:greet()
   if not send_all(sock, session:receive("")) then return end
   while not session.closed do
      local data = again(sock.receiveany, sock, 65536)
      if not data or not send_all(sock, session:receive(data)) then return end
      if session.handshake and not start_tls(self, session, sock) then return end
   end
end

--- Serve connections, one after another.
---@param t? table   connections: how many (default: without end); timeout: seconds to wait for one
---@return number    how many were served
function Sink:serve(t)
   t = t or {}
   local served = 0
   while not t.connections or served < t.connections do
      local sock = again(self.listener.accept, self.listener, (t.timeout or 86400) * 1000)
      if not sock then break end
      converse(self, sock)
      sock:close()
      served = served + 1
   end
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
   for name, value in next, t do
      local wanted = known[name]
      if not wanted then
         name = tostring(name)
         return nil, errors.usage(name, ("the sink has no option %q"):format(name))
      elseif wanted ~= "any" and type(value) ~= wanted then
         return nil, errors.usage(name, ("%s must be a %s"):format(name, wanted))
      end
   end
   if t.tls and t.tls ~= "starttls" and t.tls ~= "implicit" then
      return nil, errors.usage("tls", "tls must be false, \"starttls\" or \"implicit\"")
   end
   if t.tls_max_version and t.tls_max_version ~= "1.2" and t.tls_max_version ~= "1.3" then
      return nil, errors.usage("tls_max_version", "tls_max_version must be \"1.2\" or \"1.3\"")
   end
   return true
end

-- What a listening sink needs and a transport ignores is taken by both.
--- Make a sink.
---@param t? table   host, port, domain, capabilities, tls, tls_cert, tls_key, tls_max_version, auth
--   (see smtp.sink_auth), require_auth, faults, on_message, keep, trace
---@return table|nil   the sink; its `messages` are { from=, to=, data=, authenticated=, authzid=,
--   tls= }
---@return table|nil
local function new(t)
   t = t or {}
   local ok, err = check_options(t)
   if not ok then return nil, err end
   local options = { host = "127.0.0.1", port = 0, domain = "sink.example", keep = 1000,
      capabilities = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES" } }
   for name, value in next, t do options[name] = value end
   if options.auth then
      options.auth, err = sink_auth.check(options.auth)
      if not options.auth then return nil, err end
   end
   return setmetatable({ options = options, messages = {}, count = 0, started = core.now() }, Sink)
end

return { new = new }
