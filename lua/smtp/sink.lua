--- A small receiving server, for demos and for the tests of programs that send mail.
--
-- In a test, without a port or a process:
--
--    local sink = smtp.sink { auth = { users = { ann = "secret" } } }
--    smtp.send { transport = sink:transport(), tls = "skip", from = …, to = …, text = … }
--    assert(#sink.messages == 1)
--
-- As a server: local address, port = sink:listen(); sink:serve { connections = 1 }.
-- It is not a mail server: it delivers nothing.
-- @module smtp.sink

local system = require "smtp.ground.resources"
local certificate = require "smtp.sink.certificate"
local runtime = require "smtp.runtime.runtime"
local scheduler = require "smtp.runtime.scheduler"
local errors = require "smtp.errors"
local sink_options = require "smtp.sink.options"
local sink_session = require "smtp.sink.session"
local user_call = require "smtp.options.user_call"

local WAIT_MS = 60000    -- how long a client may be silent
local LAST_MS = 2000     -- and after the last message
local DAY = 86400        -- seconds
local OWED_MAX = 1048576 -- octets of replies that a client may leave unread

-- ---- in the same process, as a transport ----

local Transport = { __name = "smtp.SinkTransport" }
Transport.__index = Transport

-- A fault may delay a reply.
local function hear_client(self, data)
   repeat
      self.inbox = self.inbox .. self.session:receive(data)
      local pause = self.session:take_pause()
      if pause then scheduler.sleep(pause) end
      data = ""
   until not pause
end

function Transport:connect()
   self.session = sink_session.new(self.sink)
   self.session:greet()
   hear_client(self, "")
   return true
end

function Transport.settimeouts()
end

function Transport:send(data)
   if not self.session or self.session.closed then return nil, "closed", "the sink is gone", 0 end
   if self.session.handshake then return nil, "closed", "a handshake was expected", 0 end
   hear_client(self, data)
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

local Sink = { __name = "smtp.Sink" }
Sink.__index = Sink

-- Has the last message arrived that it is to serve?
function Sink:has_enough()
   return self.last ~= nil and self.count >= self.last
end

--- A transport for smtp.send, in this process. With tls a handshake is pretended.
function Sink:transport()
   return setmetatable({ sink = self, inbox = "", duplex = true }, Transport)
end

local function forget_certificate(sink)
   local remover = sink.remover
   sink.remover = nil
   if remover then remover:close() end
end

local function make_context(sink)
   local tls, lack = system.load "smtp.tls"
   if not tls then return nil, system.error(lack) end
   local options, made = sink.options, nil
   if not options.tls_cert then
      local err
      made, err = certificate.make()
      if not made then return nil, err end
      sink.remover = made.remover
   end
   local cert = made and made.certificate or options.tls_cert
   local context, option, why = tls.context { server = true, cert = cert,
      key = made and made.key or options.tls_key or cert, max_version = options.tls_max_version }
   if made then os.remove(made.key) end
   if not context then
      forget_certificate(sink)
      return nil, sink_options.unusable_tls(option, why, options["tls_" .. option] or cert)
   end
   sink.context, sink.tls_ca_file = context, cert
   return true
end

-- Why the sink cannot listen. -> nil, err
local function unable(sink, why, text)
   forget_certificate(sink)
   if why == "system" then return nil, system.error("the sink cannot listen: " .. text) end
   return nil, errors.new("connect", { what = "the sink cannot listen: " .. (text or why),
      hint = sink.options.socket
         and "Give a path in a folder that exists and that this user may write to; the sink "
            .. "replaces a socket that no program uses, and no other file"
         or "Give an address of this machine, and a port that is free (0: any)" })
end

--- Listen. -> address, port | path of the unix socket | nil, err
---@param listener? userdata   from smtp.socket, if one listens already
function Sink:listen(listener)
   local options, why, text = self.options, nil, nil
   if options.tls then
      local ok, err = make_context(self)
      if not ok then return nil, err end
   end
   if not listener then
      local place = options.socket and "unix:" .. options.socket or options.host
      local socket, lack = system.load "smtp.socket"
      if not socket then return nil, system.error(lack) end
      listener, why, text = socket.listen(place, options.port)
   end
   if not listener then return unable(self, why, text) end
   self.listener = listener
   if options.socket then return options.socket end
   return listener:getsockname()
end

local function start_tls(self, session, sock)
   local ok = runtime.persist(sock, nil, nil, "sslaccept", self.context)
   if not ok then return false end
   session:tls_started(sock:tlsinfo(), sock:channel_binding())
   return true
end

-- A client that sends instead of reading is heard first. -> the rest of its replies | nil
local function send_owed(sock, owed)
   local count, why = sock:send(owed)
   if not count and why ~= "again" then return nil end
   local left = owed:sub((count or 0) + 1)
   return #left <= OWED_MAX and left or nil
end

-- After a function of the caller's failed, no further client is accepted.
local function hear(self, session, sock, data)
   local ok, said = user_call.call(session.receive, session, data)
   if ok then return said end
   self.listener:close()
   sock:close()
   error(said, 0)
end

-- A fault may delay a reply, and what is read after it. -> the rest of the replies | nil
local function answer(self, session, sock, owed, data)
   repeat
      owed = owed .. hear(self, session, sock, data)
      local pause = session:take_pause()
      if pause then scheduler.sleep(pause) end
      owed, data = send_owed(sock, owed), ""
   until not (owed and pause)
   return owed
end

local function set_patience(self, sock)
   local ms = self:has_enough() and LAST_MS or WAIT_MS
   sock:settimeouts(ms, ms, ms)
end

local function converse(self, sock)
   local session = sink_session.new(self)
   set_patience(self, sock)
   if session.tls and not start_tls(self, session, sock) then return end
   session:greet()
   local owed = answer(self, session, sock, "", "")
   while owed and not session.closed do
      set_patience(self, sock)
      local data = runtime.persist(sock, nil, nil, "receiveany", 65536)
      owed = data and answer(self, session, sock, owed, data)
      if session.handshake and not (owed == "" and start_tls(self, session, sock)) then return end
   end
end

-- The connections that are open end with the last message.
local function serve_client(self, sock)
   self.open[sock] = true
   converse(self, sock)
   self.open[sock] = nil
   sock:close()
   if not self:has_enough() then return end
   self.listener:close()
   for other in next, self.open do other:close() end
end

-- -> how many were served
local function accept_clients(self, limit, timeout)
   local served = 0
   while served < limit do
      local sock, why = scheduler.accept(self.listener, timeout or DAY)
      if sock then
         served = served + 1
         scheduler.spawn(function() serve_client(self, sock) end)
      elseif why == "system" then -- no descriptors left: the present clients give some back
         scheduler.sleep(0.05)
      elseif why ~= "timeout" or timeout then
         return served
      end
   end
   return served
end

--- Serve connections, many at a time.
---@param t? table   connections: how many (default: without end); messages: the number of messages
--   after which it ends; timeout: seconds to wait for a connection
---@return number|nil   how many connections were served
---@return table|nil    err: `t` is wrong
function Sink:serve(t)
   local err, served
   t, err = sink_options.read_serve(t)
   if not t then return nil, err end
   self.last, self.open = t.messages and self.count + t.messages, {}
   local ok, cause = scheduler.run { function()
      served = accept_clients(self, t.connections or math.huge, t.timeout)
   end }
   if not ok then error(cause, 0) end
   return served
end

--- Stop listening, and remove the certificate that was made.
function Sink:close()
   if self.listener then self.listener:close() end
   forget_certificate(self)
   return true
end

-- sink.listen() gives nothing in the place of the sink.
for name, method in next, Sink do
   if type(method) == "function" then
      local run = errors.guarded(method)
      Sink[name] = function(self, ...)
         if getmetatable(self) == Sink then return run(self, ...) end
         return nil, errors.needs_colon("sink", name)
      end
   end
end

--- Make a sink. A transport ignores what only a listening sink needs.
---@param t? table   see smtp.types, SinkOptions
---@return table|nil   the sink; its `messages` are described in smtp.types, SinkMessage
---@return table|nil
local function new(t)
   local options, err = sink_options.read(t)
   if not options then return nil, err end
   return setmetatable({ options = options, messages = {}, sessions = 0, count = 0 }, Sink)
end

return { new = new }
