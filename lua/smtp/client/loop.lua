--- The one loop: ask the session what it wants, do it, report back. It keeps the deadline.
--
-- Lua 5.1 cannot yield across a C boundary, and a transport may yield anywhere. So in here, and in
-- all that calls it, there is no pcall, no metamethod and no iterator that may yield; a failure is
-- returned, and a function of the user's runs in a coroutine of its own, its yields passed on.
-- @module smtp.client.loop

local auth = require "smtp.client.mechanisms"
local core = require "smtp.core"
local drive_auth = require "smtp.client.login"
local guard = require "smtp.options.user_call"
local host = require "smtp.runtime.runtime"
local progress = require "smtp.result.progress"
local quirks = require "smtp.client.memory"
local source = require "smtp.compose.source"
local transcript = require "smtp.result.transcript"

local drive = {}

local now = core.now

local PIECE = 65536      -- bytes heard at once

-- ---- time ----

local function milliseconds(seconds)
   return math.max(0, math.ceil(seconds * 1000))
end

-- How many seconds the next wait may take, by the one rule of the core.
local function patience(conv)
   return conv.session:patience(conv.deadline, conv.server.reply_timeout, conv.moved)
end

local function set_patience(conv)
   local ms = milliseconds(patience(conv))
   conv.sock:settimeouts(ms, ms, ms)
end

-- ---- what a session may want ----

local doing = {}

-- The session's transcript keeps so much only: whoever traces it takes smaller steps.
local TRACED = 1024

-- A trace that fails ends the conversation.
local function follow(conv)
   local shown = conv.transcript
   if not shown.trace then return end
   local ok, cause = shown:follow(conv.session)
   if ok then return end
   conv.cause = cause
   conv.session:broken("source", "trace", shown:mask(guard.text(cause)))
end

local function heard(conv, data)
   local session = conv.session
   if not conv.transcript.trace then return session:heard(data) end
   for at = 1, #data, TRACED do
      session:heard(data:sub(at, at + TRACED - 1))
      follow(conv)
   end
end

local function sent(conv, count)
   local session = conv.session
   if not conv.transcript.trace then return session:sent(count) end
   for at = 0, count - 1, TRACED do
      session:sent(math.min(count - at, TRACED))
      follow(conv)
   end
end

-- What has arrived already. -> why there is no more of it
local function drain(conv)
   local sock, session = conv.sock, conv.session
   sock:settimeouts(0, 0, 0)
   while session:wants() ~= "nothing" do
      local data, why, text = sock:receiveany(PIECE)
      if not data then return why, text end
      heard(conv, data)
   end
end

local connect_sentences = {
   resolve = "has no address", connect = "cannot be reached", system = "cannot be connected to",
   timeout = "did not answer in time",
}

local tls_sentences = {
   certificate = "showed a certificate that is not trusted",
   tls = "could not agree on TLS",
}

-- "certificate:expired" -> what an error needs
local function tls_trouble(why, text, hint)
   local kind, reason = why:match("^([a-z]+):([^ \t-\r]+)$")
   if not kind then kind, reason = "tls", "handshake" end
   return { kind = kind, reason = reason, stage = "tls", text = text or why, hint = hint,
      sentence = tls_sentences[kind] }
end

local function lost(conv, why, text)
   local session = conv.session
   if session:wants() == "nothing" then return end
   if why == "timeout" then
      session:broken("timeout", "timeout", text or "")
   elseif why == "protocol" then
      session:broken("protocol", "tls_flood", "")
   elseif why == "system" then
      session:broken("system", "resources", text or "")
   elseif tostring(why):find("^tls:") then -- TLS 1.3 refuses a client behind the handshake
      conv.trouble = tls_trouble(why, text)
      session:broken("tls", "handshake", "")
   else
      session:broken("disconnected", "closed", text or why or "")
   end
end

-- Nothing was received, and not because it is not there yet.
local function not_received(conv, why, text)
   if why == "closed" then conv.session:heard("") end
   lost(conv, why, text)
end

function doing.recv(conv)
   local session = conv.session
   set_patience(conv)
   local data, why, text = conv.sock:receiveany(PIECE)
   if data then
      local replies = session:replies()
      heard(conv, data)
      if session:replies() ~= replies then conv.moved = now() end
   elseif why ~= "again" then
      not_received(conv, why, text)
   end
end

function doing.send(conv)
   local session = conv.session
   local bytes = session:output()
   conv.moved = now()
   set_patience(conv)
   local count, why, text, partly = conv.sock:send(bytes)
   conv.sent_len = #bytes
   if why == "again" then count = partly or 0 end
   -- A transport that cannot tell how much has left may have sent all of it.
   local left = count or partly or #bytes
   sent(conv, left)
   if count == nil then
      drain(conv) -- the kernel may still hold what the server said before it hung up
      lost(conv, why, text)
   elseif count < #bytes and why ~= "again" then
      doing.recv(conv)
   end
end

-- The next piece of the message that is wanted.
local function next_piece(conv)
   local spoken = conv.session:spoken()
   if conv.spoken ~= spoken then
      local mail = conv.mails[spoken]
      conv.spoken, conv.read, mail.read = spoken, mail.source.open(), true
   end
   local piece, trouble = conv.read()
   if piece ~= false then return piece end
   conv.cause = trouble.cause
   conv.session:broken(trouble.reason == "resources" and "system" or "source", trouble.reason,
      source.sentence(trouble))
   return false
end

function doing.body(conv)
   local session, piece = conv.session, conv.piece
   -- A message may be refused on its way: what is left of it is not the next one's.
   if piece and conv.spoken ~= session:spoken() then piece, conv.piece = nil, nil end
   if piece then
      local at = session:body(piece, conv.piece_at)
      conv.piece_at = at
      if at > #piece then conv.piece = nil end
      return
   end
   piece = next_piece(conv)
   if piece == nil then
      session:body_end()
   elseif piece then
      conv.piece, conv.piece_at = piece, 1
   end
   if now() >= conv.deadline then lost(conv, "timeout", "the message's source was too slow") end
end

-- ---- AUTH ----

doing.secret = drive_auth.secret

function doing.answer(conv)
   drive_auth.answer(conv)
   if now() >= conv.deadline then lost(conv, "timeout", "the AUTH mechanism was too slow") end
end

-- ---- TLS ----

local function server_name(server)
   return server.tls_host or server.host
end

-- What is known of TLS that is on. Whether the peer is verified is decided here and nowhere else:
-- our own sockets know it, and the transport of a caller declares it by `secure`.
local function tls_info(conv)
   local server, sock = conv.server, conv.sock
   local info = sock.tlsinfo and sock:tlsinfo()
   if not server.transport then return info or { verified = server.tls_verify } end
   if type(info) ~= "table" then info = {} end
   return { version = info.version, cipher = info.cipher, resumed = info.resumed,
      verified = sock.secure == true }
end

-- -> true | nil, trouble
local function handshake(conv, seconds)
   local server, sock = conv.server, conv.sock
   local deadline = now() + seconds
   local ok, why, text, hint
   repeat
      local ms = milliseconds(deadline - now())
      sock:settimeouts(ms, ms, ms)
      ok, why, text, hint = sock:sslhandshake(nil, server_name(server), server.tls_verify,
         conv.context)
   until ok or why ~= "again"
   if ok then
      conv.tls = tls_info(conv)
      return true
   end
   if why == "timeout" then
      return nil, { kind = "timeout", reason = "timeout", stage = "tls", text = text,
         sentence = "did not finish the TLS handshake in time" }
   elseif why == "closed" then
      return nil, { kind = "disconnected", reason = "closed", stage = "tls", text = text,
         sentence = "closed the connection in the TLS handshake" }
   elseif why == "protocol" then
      return nil, { kind = "protocol", reason = "tls_flood", stage = "tls", text = text,
         sentence = "sent TLS messages without end" }
   elseif why == "system" then
      return nil, { kind = "system", reason = "resources", stage = "tls", text = text,
         sentence = connect_sentences.system }
   end
   return nil, tls_trouble(why, text, hint)
end

-- The server has nothing to say before our ClientHello. What is there was put there in clear text.
local function is_injected(conv)
   local sock = conv.sock
   if not sock.duplex then return false end
   sock:settimeouts(0, 0, 0)
   local data = sock:receiveany(PIECE)
   if not data then return false end
   heard(conv, data)
   return true
end

function doing.tls(conv)
   if is_injected(conv) then return end
   local ok, trouble = handshake(conv, patience(conv))
   if ok then
      conv.session:tls_started(conv.tls.verified)
      follow(conv)
      return
   end
   conv.trouble = trouble
   conv.session:broken("tls", "handshake", "")
end

-- ---- the loop ----

local busy = { body = true, answer = true, send = true }

-- Some hosts have others to serve.
local function act_and_pace(conv, want)
   local began = now()
   conv.sent_len = 0
   doing[want](conv)
   conv.pace.work(conv.sent_len, now() - began)
end

local function recv_and_pace(conv)
   local mark = conv.pace.mark()
   doing.recv(conv)
   conv.pace.waited(mark)
end

local is_flight = { send = true, recv = true }

-- With a socket of our own, flights go to and fro in C. -> what is wanted, is it for us to do?
local function wants(conv)
   local session = conv.session
   if not conv.io or conv.transcript.trace then return session:wants(), true end
   local want, moved, own = session:flights(conv.io, conv.deadline, conv.server.reply_timeout,
      conv.moved, (conv.feed or conv.watch) ~= nil)
   conv.moved = moved
   return want, own
end

--- Drive the session until it rests ("ready") or is over ("nothing"). `conv.feed`, where there is
-- one, may queue more meanwhile.
function drive.run(conv)
   while true do
      if conv.feed then conv.feed() end
      local want, own = wants(conv)
      if conv.watch then conv.watch(conv.session:octets()) end
      local act = doing[want]
      if not act then
         if want == "nothing" and conv.session:eager_failed() then
            quirks.note_grade(conv.server, "safe")
         end
         return want
      end
      if conv.pace and busy[want] then
         act_and_pace(conv, want)
      elseif conv.pace and want == "recv" then
         recv_and_pace(conv)
      elseif own or not is_flight[want] then
         act(conv)
      end
   end
end

-- ---- opening ----

-- "resolve:unknown_host", "timeout:resolve" (while looking up) -> what an error needs
local function connect_trouble(why, text, hint)
   local kind, reason = tostring(why):match("^([a-z]+):?(.*)$")
   if not connect_sentences[kind] then kind, reason = "connect", "" end
   local stage = (kind == "resolve" or reason == "resolve") and "resolve" or "connect"
   if reason == "" or kind == "timeout" then reason = kind end
   return { kind = kind, reason = reason, text = text or why, stage = stage, hint = hint,
      sentence = connect_sentences[kind] }
end

local function connect(conv)
   local server, sock = conv.server, conv.sock
   local deadline = math.min(now() + server.connect_timeout, conv.deadline)
   local ok, why, text, hint
   local target = server.socket and "unix:" .. server.socket or server.host
   repeat
      local ms = milliseconds(deadline - now())
      sock:settimeouts(ms, ms, ms)
      ok, why, text, hint = sock:connect(target, server.port, server.source_address)
   until ok or why ~= "again"
   if ok then return true end
   return nil, connect_trouble(why, text, hint)
end

local function tracer(trace)
   if trace ~= true then return trace or nil end
   return function(direction, line) io.stderr:write(direction, ": ", line, "\n") end
end

-- The session of a conversation that is over is the next one's: 116 KiB that need not be collected
-- for every message, which took a third of the time of one on a kept connection. Weak, so that what
-- it holds goes with the next collection.
local spare = setmetatable({}, { __mode = "v" })

local function take_spare()
   local session = spare[1]
   spare[1] = nil
   return session
end

-- The server may know them from an earlier connection, and repeat them before it hears them again.
local secrets_of = setmetatable({}, { __mode = "k" }) -- by server

local function known_secrets(server)
   if not server.credentials or server.auth == "skip" then return nil end
   local forms = secrets_of[server]
   if forms then return forms end
   for i = 1, 2 do
      local secret = server[i == 1 and "password" or "token"]
      if type(secret) == "string" then
         forms = transcript.forms(secret, auth.messages(server, secret), forms)
      end
   end
   secrets_of[server] = forms or {}
   return forms
end

local told = setmetatable({}, { __mode = "k" }) -- by server: the options of its newest session

-- What a session is told: mostly the same as the one before it.
local function session_options(server, grade, domain, tls_on, verified, binds, window)
   local words, known = quirks.extensions(server), told[server]
   if known and known.domain == domain and known.tls_on == tls_on and known.tls_verified == verified
      and known.binds == binds and known.window == window and known.extensions == words
      and known.grade == grade then
      return known
   end
   return {
      domain = domain, tls = server.tls == "implicit" and "skip" or server.tls, tls_on = tls_on,
      tls_verified = verified,
      auth = server.credentials and server.auth or "skip", username = server.username,
      authzid = server.authzid, mechanisms = auth.list(server, binds),
      mechanisms_named = server.auth_mechanisms ~= nil,
      token_renewable = type(server.token) == "function", host = server.host, port = server.port,
      secret_in_clear = server.loopback or server.auth_plaintext,
      secret_unverified = not server.tls_verify,
      lmtp = server.protocol == "lmtp", extensions = words,
      grade = grade, flight_max = server.flight_max or 1, refused_max = server.refused_max or 0,
      window = window,
      binds = binds, -- known here alone
   }
end

-- `facts`: of the session that had this connection before.
local function new_session(conv, facts)
   local server, sock, tls = conv.server, conv.sock, conv.tls
   local grade = quirks.grade(server, conv)
   local given = session_options(server, grade, host.domain(server, sock), tls ~= nil,
      tls ~= nil and tls.verified == true, sock.channel_binding ~= nil,
      sock.duplex == true and 0 or 200)
   told[server], conv.mechanisms = given, given.mechanisms
   local session, secrets = core.session(given, facts, take_spare()), conv.transcript.secrets
   if secrets[1] then session:hide(secrets) end
   return session
end

--- Connect, and start a session; on a connection that was kept, go on with it.
---@param server smtp.Server
---@param context any        from host.context
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return table|nil conv
---@return table conv_or_trouble   the conversation for the report, the trouble
function drive.open(server, context, deadline, fresh)
   local watch = progress.watcher(server.trace)
   local conv = { server = server, context = context, deadline = deadline, moved = now(),
      secrets = {}, out = {}, -- by kind; by mechanism, why it dropped out
      transcript = transcript.new(not watch and tracer(server.trace), known_secrets(server)),
      watch = watch, reasons = auth.reasons,
      -- What most conversations come to have: room for it is made at once.
      sock = nil, pace = nil, connected = nil, tls = nil, address = nil, mechanisms = nil,
      session = nil, io = nil, cause = nil, noted = nil, downgrade = nil, parts = nil, idle = nil }
   local ok, trouble, failed
   conv.pace = host.pace()
   conv.sock, failed = host.transport(server, context, fresh)
   if failed and failed.system then
      return nil, conv, { kind = "system", reason = "resources", stage = "connect",
         text = failed.system, sentence = connect_sentences.system }
   elseif failed then
      return nil, conv, { kind = "source", reason = "transport", stage = "connect",
         cause = failed.cause, sentence = "is not connected to: " .. failed.what }
   end
   ok, trouble = connect(conv)
   conv.connected = now()
   local record = ok and conv.sock.kept and conv.sock:kept()
   if record then
      conv.tls, conv.session, conv.reused = record.tls, new_session(conv, record.facts), true
      return conv
   end
   if ok and conv.sock.getpeername then conv.address = conv.sock:getpeername() end
   if ok and server.tls == "implicit" then
      ok, trouble = handshake(conv, math.min(deadline - now(), server.reply_timeout))
   end
   if not ok then
      conv.sock:close()
      return nil, conv, trouble
   end
   if server.transport and conv.sock.secure == true then conv.tls = conv.tls or tls_info(conv) end
   conv.session = new_session(conv)
   conv.moved = now()
   local is_ours = not server.transport and conv.sock.io
   if is_ours and not conv.pace then conv.io = conv.sock:io() end
   return conv
end

-- In nginx a look takes a millisecond, and it listens by itself to what its pools keep.
local COSOCKET_IDLE = 0.05

local function can_look(conv)
   local sock = conv.sock
   return sock.duplex or sock.keep ~= nil and now() - conv.moved > COSOCKET_IDLE
end

--- The connection was idle: hear what the server has said since, and whether it has closed, before
-- anything is sent.
---@return boolean   can the session still be used?
function drive.look(conv)
   local session = conv.session
   if session:wants() ~= "ready" then return false end
   if conv.io and session:look(conv.io) or not can_look(conv) then return true end
   local why, text = drain(conv)
   if why and why ~= "timeout" and why ~= "again" then not_received(conv, why, text) end
   conv.idle = session:wants() == "nothing"
   return not conv.idle
end

--- Send one message to those at `to`. It is over when the transaction is, and the session rests.
---@param to? table               addresses; all of the mail's by default
---@param transaction? userdata   made for it already
---@return userdata transaction
function drive.send(conv, mail, to, transaction)
   transaction = transaction or core.transaction { from = mail.from, to = to or mail.to, size = mail.size,
      exact = mail.size_is_exact, source_len = mail.text and #mail.text or mail.source.size,
      eightbit = mail.eightbit, binary = mail.may_be_binary, utf8 = mail.utf8_address ~= nil,
      all = mail.needs_all_recipients, offer = mail.offer, extensions = mail.extensions,
      asked = mail.parameters }
   if not mail.text then
      conv.mails = conv.mails or setmetatable({}, { __mode = "k" }) -- by transaction
      conv.mails[transaction] = mail
   end
   conv.cause, conv.moved = nil, now()
   if conv.watch then conv.watch(conv.session:octets(), mail.size or false) end
   if conv.pace and conv.sock.rests and conv.session:rests() then conv.sock:rests() end
   conv.session:add(transaction, mail.text)
   return transaction
end

--- Was this a kept connection that the server had closed already, or that it refuses to renew?
-- Then nothing was heard on it but perhaps a goodbye, and the message can be sent on another one.
function drive.was_dead(conv)
   local session = conv.session
   local trouble = conv.reused and session:trouble()
   if not trouble then return false end
   if trouble.reason == "reset_refused" then return true end
   if trouble.kind ~= "disconnected" then return false end
   return session:replies() == (trouble.code and 1 or 0)
end

--- Keep the connection for others, where that can be.
---@return boolean kept
function drive.hand_back(conv)
   local sock, session = conv.sock, conv.session
   return sock.keep ~= nil and session:rests() and sock:keep(session:facts(), conv.tls)
end

--- The conversation is over: keep the connection, or end it.
function drive.leave(conv)
   quirks.leave(conv.server, conv)
   if drive.hand_back(conv) then return end
   conv.session:quit()
   drive.run(conv)
   conv.sock:close()
end

--- Nobody asks this conversation any more: another may have its session.
function drive.forget(conv)
   spare[1], conv.session = conv.session, nil
end

--- The trouble of the session, with what only the driver knows.
function drive.trouble(conv, trouble)
   trouble = trouble or conv.session:trouble()
   if trouble and conv.trouble and trouble.kind == "tls" and trouble.reason == "handshake" then
      return conv.trouble
   end
   if trouble and trouble.kind == "source" then trouble.cause = conv.cause end
   if trouble then trouble.idle = conv.idle end
   return trouble
end

return drive
