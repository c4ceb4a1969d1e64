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
local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"
local scheduler = require "smtp.runtime.scheduler"
local errors = require "smtp.errors"
local sink_options = require "smtp.sink.options"
local sink_session = require "smtp.sink.session"
local user_call = require "smtp.options.user_call"

local WAIT_MS = 60000    -- how long a client may be silent
local OWED_MAX = 1048576 -- octets of replies that a client may leave unread

-- ---- in the same process, as a transport ----

local Transport = { __name = "smtp.SinkTransport" }
Transport.__index = Transport

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

local Sink = { __name = "smtp.Sink" }
Sink.__index = Sink

--- A transport for smtp.send, in this process. With tls a handshake is pretended.
function Sink:transport()
   return setmetatable({ sink = self, inbox = "", duplex = true }, Transport)
end

local function shell_word(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- A pipe to a command; where this machine lacks the means: nil and a SystemError.
local function open_pipe(command, mode)
   local pipe, why, errno = io.popen(command, mode)
   if pipe or not system.lacks(errno) then return pipe end
   return nil, system.error("a certificate cannot be made: " .. why:gsub("^.*: ", ""))
end

-- In a folder that only this user may enter. Room comes first, since openssl does not report a
-- full disk.
local COMMAND = "exec 2>&1; umask 077; mkdir %s && cd %s || exit; "
   .. "head -c 16384 /dev/zero >key.pem || exit; "
   .. "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
   .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 "
   .. "-keyout key.pem -out certificate.pem >/dev/null 2>&1 && echo made || echo none"

-- The name of the folder cannot be foreseen: mkdir fails where it exists. A shell waits at the
-- other end of a pipe until the sink closes it, or until this process ends in whatever way, and
-- then removes the folder.
-- -> { key =, certificate =, remover = } | nil, err
local function make_certificate()
   local folder = ("%s/lua-smtp-%s"):format(os.getenv "TMPDIR" or "/tmp",
      core.base64(core.random(18)):gsub("/", "-"))
   local word = shell_word(folder)
   local made = { key = folder .. "/key.pem", certificate = folder .. "/certificate.pem" }
   local pipe, err
   made.remover, err = open_pipe("trap '' HUP INT QUIT TERM; exec >/dev/null 2>&1; read end; "
      .. "rm -rf " .. word, "w")
   if not err then pipe, err = open_pipe(COMMAND:format(word, word), "r") end
   local said = pipe and pipe:read("*l")
   if pipe then pipe:close() end
   if said == "made" then return made end
   if made.remover then made.remover:close() end
   if pipe and said ~= "none" then
      err = system.error("a certificate cannot be made: " .. (said or "the shell was ended"))
   end
   return nil, err or errors.usage("tls_cert", "the openssl command made no certificate",
      "Install it, or give tls_cert and tls_key")
end

local function forget_certificate(sink)
   local remover = sink.remover
   sink.remover = nil
   if remover then remover:close() end
end

local function make_context(sink)
   local socket, lack = system.load "smtp.socket"
   if not socket then return nil, system.error(lack) end
   local options, made = sink.options, nil
   if not options.tls_cert then
      local err
      made, err = make_certificate()
      if not made then return nil, err end
      sink.remover = made.remover
   end
   local cert = made and made.certificate or options.tls_cert
   local context, option, why = socket.tls_context { server = true, cert = cert,
      key = made and made.key or options.tls_key or cert, max_version = options.tls_max_version }
   if made then os.remove(made.key) end
   if not context then
      forget_certificate(sink)
      return nil, sink_options.unusable_tls(option, why, options["tls_" .. option] or cert)
   end
   sink.context, sink.tls_ca_file = context, cert
   return true
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
   if not listener then
      forget_certificate(self)
      if why == "system" then return nil, system.error("the sink cannot listen: " .. text) end
      return nil, errors.new("connect", { what = "the sink cannot listen: " .. (text or why),
         hint = "Give an address of this machine, and a port that is free (0: any)" })
   end
   self.listener = listener
   if options.socket then return options.socket end
   return listener:getsockname()
end

local function start_tls(self, session, sock)
   local ok = runtime.persist(sock, nil, nil, nil, "sslaccept", self.context)
   if not ok then return false end
   session:tls_started(sock:channel_binding())
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

local function converse(self, sock)
   local session = sink_session.new(self)
   sock:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
   if session.tls and not start_tls(self, session, sock) then return end
   session:greet()
   local owed = send_owed(sock, hear(self, session, sock, ""))
   while owed and not session.closed do
      local data = runtime.persist(sock, nil, nil, nil, "receiveany", 65536)
      owed = data and send_owed(sock, owed .. hear(self, session, sock, data))
      if session.handshake and not (owed == "" and start_tls(self, session, sock)) then return end
   end
end

--- Serve connections, many at a time.
---@param t? table   connections: how many (default: without end); timeout: seconds to wait for one
---@return number|nil   how many were served
---@return table|nil    err: `t` is wrong
function Sink:serve(t)
   local err
   t, err = sink_options.read_serve(t)
   if not t then return nil, err end
   local served = 0
   local ok, cause = scheduler.run { function()
      while not t.connections or served < t.connections do
         local sock, why = scheduler.accept(self.listener, t.timeout or 86400)
         if sock then
            served = served + 1
            scheduler.spawn(function()
               converse(self, sock)
               sock:close()
            end)
         elseif why == "system" then -- no descriptors left: the present clients give some back
            scheduler.sleep(0.05)
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
   forget_certificate(self)
   return true
end

-- sink.listen() gives nothing in the place of the sink.
for name, method in next, Sink do
   if type(method) == "function" then
      Sink[name] = function(self, ...)
         if getmetatable(self) == Sink then return method(self, ...) end
         return nil, errors.usage("sink", ("call sink:%s with a colon"):format(name),
            ("Write sink:%s(…)"):format(name))
      end
   end
end

--- Make a sink. A transport ignores what only a listening sink needs.
---@param t? table   see smtp.sink_options
---@return table|nil   the sink; its `messages` are { from =, to =, data =, parameters =,
--   recipients = { { address =, parameters = } }, authenticated =, authzid =, tls = }
---@return table|nil
local function new(t)
   local options, err = sink_options.read(t)
   if not options then return nil, err end
   return setmetatable({ options = options, messages = {}, count = 0, started = core.now() }, Sink)
end

return { new = new }
