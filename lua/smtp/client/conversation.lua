--- A conversation with one server: a transport, the session that knows what comes next, and what
-- each part of it keeps. smtp.client.opening opens one; here messages are sent, and it is left.
-- @module smtp.client.conversation

local body = require "smtp.client.body"
local core = require "smtp.core"
local findings = require "smtp.client.findings"
local loop = require "smtp.client.loop"
local memory = require "smtp.client.memory"
local user_call = require "smtp.options.user_call"

local conversation = {}

-- The session of a conversation that is over is the next one's: 116 KiB that need not be collected
-- for every message, which took a third of the time of one on a kept connection. Weak, so that what
-- it holds goes with the next collection.
local spare = setmetatable({}, { __mode = "v" })

-- The login of a conversation without credentials.
local no_login = { mechanisms = {}, unusable = {} }

local now = core.now

local Conversation = { __name = "smtp.Conversation" }
Conversation.__index = Conversation
conversation.Conversation = Conversation

---@class smtp.Conversation
---@field server smtp.Server   where and how
---@field deadline number      core.now() at which all must be over
---@field transcript table     smtp.Transcript: what was said, without secrets
---@field observer table|nil   smtp.Observer, where the caller observes or traces
---@field moved number|nil     when something was sent or answered last
---@field sock table|userdata  the transport
---@field io userdata|nil      the socket as smtp.core uses it: one of this library, not observed
---@field context any          the TLS settings of this host, see runtime.transport
---@field pace table|nil       how other conversations have their turn, see runtime.transport
---@field is_over boolean      the session is over: only the connection is to be closed
---@field address string|nil   the server's address; a proxy does not show it
---@field tried string[]|nil   hosts that were tried before this one: what happened, in words
---@field early string|nil     bytes of the server that came with the last answer of the proxy
---@field tls table|nil        version, cipher, verified, resumed; nil without TLS
---@field tls_trouble table|nil why the handshake failed
---@field login table          smtp.Login: what AUTH needs
---@field body table|nil       smtp.Body: messages that are read piece by piece
---@field pipeline userdata|nil smtp.core's, of the messages of smtp.client.lane
---@field session userdata|nil smtp.core's
---@field words table          what the session may use of each extension, see memory.recall
---@field in_lockstep boolean  PIPELINING was given up on this connection, see lockstep
---@field record table|nil     smtp.client.memory: what is known of the server
---@field domain string        the name that EHLO said
---@field facts table|nil      session:facts() of a connection that an earlier one opened
---@field closed_here boolean|nil   by connection:close, while a call waited
---@field cause any            what a function of the caller's raised
---@field idle boolean|nil     the connection ended while nothing was said on it
---@field noted boolean|nil    smtp.client.findings: the offer was compared with earlier ones
---@field downgrade string[]|nil and these mechanisms are missing
---@field parts table|nil      what all receipts of this connection share
---@field has_carried boolean|nil it has carried a message: smtp.client.queue

Conversation.login, Conversation.is_over, Conversation.in_lockstep = no_login, false, false

--- The only constructor. The fields that are false here are filled in by smtp.client.opening for
-- every conversation, and others on the way: the table has room for those of most.
---@param server smtp.Server
---@param deadline number      core.now() at which all must be over
---@param transcript table     what is shown of it
---@param observer? table      reports to the caller's functions what happens
---@return smtp.Conversation
function conversation.new(server, deadline, transcript, observer)
   return setmetatable({ server = server, deadline = deadline, transcript = transcript,
      observer = observer, sock = false, session = false, moved = false, domain = false,
      words = false }, Conversation)
end

--- A function or an object of the caller's failed, which ends the conversation.
---@param reason string   "auth", "loop", "observe", "trace", "transport", "withheld", or one of
--   smtp.compose.source
---@param cause any       what it raised
---@param text? string    for people; by default the cause
function Conversation:fail(reason, cause, text)
   self.cause = cause
   self.session:broken(reason == "resources" and "system" or "source", reason,
      self.transcript:mask(text or user_call.text(cause)))
end

local function starttls_of(server)
   return server.tls == "implicit" and "skip" or server.tls
end

local function may_be_unverified(server)
   return not server.tls_verify and server.secret_unverified ~= false
end

-- Where the caller allows the end of each message by itself, no chunk goes ahead.
local function lets_chunks_go(server)
   return not server.ending or server.ending.before_flight ~= nil
end

local function session_options(self, domain, words, grade, chunks_ahead)
   local server, tls = self.server, self.tls
   return {
      domain = domain,
      tls = starttls_of(server),
      tls_on = tls ~= nil,
      tls_verified = tls ~= nil and tls.verified == true,
      auth = server.credentials and server.auth or "skip",
      username = server.username,
      authzid = server.authzid,
      mechanisms = self.login.mechanisms,
      mechanisms_named = server.auth_mechanisms ~= nil,
      token_renewable = type(server.token) == "function",
      host = server.host,
      port = server.port,
      secret_in_clear = server.loopback or server.auth_plaintext,
      secret_unverified = may_be_unverified(server),
      lmtp = server.protocol == "lmtp",
      hold_ends = server.ending ~= nil,
      chunks_ahead = chunks_ahead and lets_chunks_go(server),
      extensions = words,
      grade = grade,
      flight_max = server.flight_max or 1,
      refused_max = server.refused_max or 0,
      halt = server.halt,
      window = self.sock.duplex == true and 0 or 200,
   }
end

-- By server: the options of its newest session without a login, as smtp.core has read them, and
-- what they depend on. The next sessions most likely have the same.
local newest = setmetatable({}, { __mode = "k" })

local function read_options(self, domain, words, grade, chunks_ahead)
   local server, duplex = self.server, self.sock.duplex
   if self.tls or self.login ~= no_login then
      return session_options(self, domain, words, grade, chunks_ahead)
   end
   local known = newest[server]
   if not known or known.domain ~= domain or known.words ~= words or known.grade ~= grade
      or known.chunks_ahead ~= chunks_ahead or known.duplex ~= duplex then
      known = { domain = domain, words = words, grade = grade, chunks_ahead = chunks_ahead,
         duplex = duplex,
         options = core.options(session_options(self, domain, words, grade, chunks_ahead)) }
      newest[server] = known
   end
   return known.options
end

--- Start the session: the transport is connected.
---@param domain string    what EHLO says
function Conversation:start(domain)
   local server, old, secrets = self.server, spare[1], self.transcript.secrets
   local words, grade, chunks_ahead = server.extensions, "safe", false
   if server.pipelining == "eager" or not memory.is_empty then
      words, grade, chunks_ahead = memory.recall(server, self)
   end
   self.words, self.domain = words, domain
   spare[1] = nil
   self.session = core.session(read_options(self, domain, words, grade, chunks_ahead),
      self.facts, old)
   if secrets[1] then self.session:hide(secrets) end
   self.moved = now()
end

--- Drive the session until it rests ("ready") or is over ("nothing"): see loop.run.
Conversation.run = loop.run

--- The session hears what has arrived: see loop.hear.
Conversation.hear = loop.hear

--- Can the session still be used? Asked before something is said on an idle connection: see
-- loop.look.
Conversation.look = loop.look
Conversation.look_on = loop.look_on

Conversation.note_failure = loop.note_failure

local function new_transaction(message)
   return core.transaction { from = message.from, to = message.to,
      size = message.size, exact = message.size_is_exact,
      source_len = message.text and #message.text or message.source.size,
      eightbit = message.eightbit,
      binary = message.may_be_binary, utf8 = message.utf8_address ~= nil,
      all = message.needs_all_recipients, extensions = message.extensions,
      asked = message.parameters }
end

--- Send one message. It is over when the transaction is, and the session rests.
---@param message table
---@param transaction? userdata   made for it already
---@param pipeline? userdata      of the session, where the message is one of many
---@return userdata transaction
function Conversation:send(message, transaction, pipeline)
   transaction = transaction or new_transaction(message)
   message.transaction = transaction -- the newest
   if not message.text then
      self.body = self.body or body.new()
      self.body:add(transaction, message)
   end
   if self.observer then
      self.observer.size = self.server.pipelining ~= "eager" and message.size or nil
   end
   if self.pace and self.sock.rests and self.session:rests() then self.sock:rests() end
   if pipeline then
      self.deadline = pipeline:add(transaction, message.text, message, message.started,
         message.result ~= nil or not message.text) -- delivery.release: it may have files
   else
      self.session:add(transaction, message.text)
   end
   return transaction
end

--- Send one message, and run the session until it rests.
---@param message table
---@param transaction? userdata   made for it already
---@param started? number         when the message was, for its receipt
---@param is_last? boolean        QUIT follows
---@return userdata transaction
---@return smtp.Receipt|nil       where all recipients whom the server accepts have it, and nothing
--   more is to be reported
function Conversation:carry(message, transaction, started, is_last)
   transaction = self:send(message, transaction)
   if is_last then
      if self.record then memory.claim(self) end
      self.session:quit()
   end
   return self:conclude(message, transaction, started)
end

--- Go on with a message that session:carry has begun: see Conversation.carry.
---@param message table   also what session:carry returned
function Conversation:go_on(message)
   self.deadline, self.moved = message.deadline, message.moved
   if message.waits then loop.wait(self) end
   return self:conclude(message, message.transaction, message.started)
end

--- Run the session until it rests: see Conversation.carry.
function Conversation:conclude(message, transaction, started)
   loop.run(self)
   if not message.text then self.body:forget(self.session) end
   if not started then return transaction end
   local recipients, accepted, refused, reply = transaction:receipt()
   if not recipients then return transaction end
   return transaction, findings.receipt(self, message, self.moved - started, recipients, accepted,
      refused, reply)
end

--- Was this a kept connection that the server had closed already, or that it refuses to renew?
-- Then nothing was heard on it but perhaps a goodbye, and the message can be sent on another one.
function Conversation:was_dead()
   local trouble = self.session:trouble()
   if not trouble then return false end
   if trouble.reason == "reset_refused" then return true end
   if trouble.kind ~= "disconnected" then return false end
   return self.session:replies() == (trouble.code and 1 or 0)
end

--- The server offers PIPELINING and refuses commands that arrive together: from now on each command
-- waits for the answer to the one before it, here and on later connections.
function Conversation:lockstep()
   memory.note_no_pipelining(self.server)
   self.session:grade("off")
   self.words, self.parts, self.in_lockstep = memory.extensions(self.server), nil, true
end

--- Keep the connection for others, where that can be.
---@return boolean kept
function Conversation:hand_back()
   local session = self.session
   if not (session:rests() and self.sock:keep(self.facts or session:facts())) then return false end
   self.io = nil -- the socket is another conversation's
   if self.observer then self.observer:done(nil, true) end
   return true
end

--- Close the connection.
---@param trouble? table   why there is no session yet
function Conversation:close(trouble)
   self.sock:close()
   local observer = self.observer
   if observer then observer:done(trouble or self.session and self.session:trouble()) end
end

--- The conversation is over: keep the connection, or end it.
function Conversation:hang_up()
   if self.record then memory.leave(self) end
   if self.is_over then
      self:close()
   elseif not (self.sock.keep and self:hand_back()) then
      self.session:quit()
      loop.run(self)
      self:close()
   end
end

--- The conversation is over, and the caller asks nothing more of it: another may have its session.
function Conversation:leave()
   self:hang_up()
   spare[1], self.session = self.session, nil
end

return conversation
