--- A connection of the caller's: it is opened once and sends any number of messages.
-- @module smtp.client.connection

local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local errors = require "smtp.errors"
local findings = require "smtp.client.findings"
local observers = require "smtp.result.observer"
local request = require "smtp.client.request"
local user_call = require "smtp.options.user_call"
local verdict = require "smtp.result.verdict"

local connection = {}

local Connection = {}
local connection_mt = { __name = "smtp.Connection" }
local connections = setmetatable({}, { __mode = "k" }) -- all that there are

function connection_mt.__index(self, name)
   local method = Connection[name]
   if method then return method end
   if name == "alive" then
      return self.conv ~= nil and self.conv.session:wants() == "ready"
   elseif name == "auth" then
      return findings.auth(self.conv)
   end
   return nil
end

function connection_mt.__tostring(self)
   return ("smtp.Connection (%s)"):format(verdict.place(self.server))
end

local function broken(self)
   local trouble = not self.closed and findings.trouble(self.conv)
   if trouble then return findings.error(self.conv, trouble) end
   return errors.usage("connection", "this connection is closed",
      "Open a new one with smtp.connect")
end

-- ---- whose call is it ----

-- A call may end without a return: by an error that a debug hook raises, or because the coroutine
-- that it is in is never resumed. What the server makes of it cannot be known then.

local ABANDONED = 5 -- seconds after the deadline of a call that has not ended

-- What `busy` is while nothing can suspend the call: only a finalizer or a debug hook finds it so.
local AT_ONCE = "at once"

local function abort(self)
   self.busy = false
   self.conv.session:broken("disconnected", "aborted", "")
   pcall(self.conv.sock.close, self.conv.sock)
end

local function is_overdue(self)
   return core.now() > self.conv.deadline + ABANDONED
end

-- Collects garbage once for each call that is found suspended: only that shows whether anything can
-- still resume it.
local function is_unreachable(self)
   if not self.searched then
      self.searched = true
      collectgarbage()
   end
   return self.owner.thread == nil or is_overdue(self)
end

-- In Lua 5.1 the coroutine of a call that has ended by an error may run on, and the main thread is
-- nil. What a function of the caller's calls runs in a coroutine of its own there.
local function is_abandoned(self)
   if self.busy == AT_ONCE then return false end
   local thread = self.owner.thread
   local running = coroutine.running()
   if not user_call.yields_across_pcall and thread == (running or "main") then return true end
   if thread == "main" then return is_overdue(self) end
   local status = thread and coroutine.status(thread)
   if status ~= "suspended" then return status == nil or status == "dead" end
   thread = nil -- luacheck: ignore (it would keep it alive)
   return is_unreachable(self)
end

-- What `message` is once it has been sent, and has no receipt yet.
local SENT = "sent"

-- May a recipient have the message of a call that raised an error? Asked before the session is
-- aborted, which may not know all that has left.
local function sent(self)
   local message = self.message
   if self.busy == AT_ONCE then return self.conv.session:may_be_sent() and "maybe" or "no" end
   if message == SENT then return "maybe" end
   return message and delivery.sent(message) or "no"
end

-- Calls a method. After an error that is not this library's, the connection is broken. The error
-- passes through, unless Lua has no memory.
local function call(method, self, argument)
   local was_busy = self.busy
   local ok, result, err = errors.guard(method, self, argument)
   if was_busy then
      if ok then return result, err end
      return errors.caught(result)
   end
   local may_be_sent = ok or sent(self)
   self.message = false
   if ok then return result, err end
   if self.busy then abort(self) end
   return errors.caught(result, may_be_sent)
end

local function leave(self)
   self.busy = false
   if self.conv.is_over then self.conv:close() end
end

-- The connection is this call's, which may be suspended.
local function take(self)
   self.busy, self.searched, self.owner.thread = true, false, coroutine.running() or "main"
end

-- May the connection be used now? A body function that uses its own connection may not.
local function enter(self, started, message)
   if self.busy and is_abandoned(self) then abort(self) end
   if self.busy then
      return nil, errors.usage("connection", "this connection is busy with a message",
         "Use another connection in a function that makes the message")
   end
   local server, conv = self.server, self.conv
   local _, misplaced = request.loop(server)
   if misplaced then return nil, misplaced end
   take(self)
   if not conv:look() then
      leave(self)
      return nil, broken(self)
   end
   conv.deadline, conv.moved = delivery.deadline(server, message, started), started
   return true
end

-- A kept connection may be dead; ask before the caller relies on it.
local function check_kept(conv, server)
   if not conv.facts then return conv end
   conv.session:ask("noop")
   if conv:run() == "ready" and conv.session:asked().code < 400 then return conv end
   conv:close()
   return delivery.open(server, conv.deadline, true)
end

--- Connect, greet, start TLS and authenticate as the options say.
---@param t table        where and how
---@param values? table   other values for some fields of its server
---@return table|nil     the connection
---@return table|nil
function connection.open(t, values)
   local server, err = request.connection(t, values)
   if not server then return nil, err end
   local conv
   conv, err = delivery.open(server, delivery.deadline(server))
   if conv then conv, err = check_kept(conv, server) end
   if conv then conv, err = delivery.settle(conv, conv.deadline) end
   if not conv then return nil, err end
   local self = setmetatable({ server = conv.server, conv = conv, busy = false,
      message = false, -- the one that is being sent
      owner = setmetatable({}, { __mode = "v" }) }, connection_mt)
   if conv.is_over then
      conv:close()
      return nil, broken(self)
   end
   findings.auth(conv) -- what is offered now is compared with what comes later
   connections[self] = true
   return self
end

-- What became of a message; the last two are what conv:carry returned. -> receipt | nil, err
local function finish(self, message, started, transaction, receipt)
   local conv, result = self.conv, nil
   if not receipt then conv, result = delivery.finish(conv, message, transaction) end
   leave(self)
   if not receipt then return delivery.outcome(conv, message, result, started) end
   if message.plain then self.spare = message end
   return receipt
end

-- ---- in one call of smtp.core ----

-- A message that needs nothing but to be sent, over a socket of this library that is idle, goes
-- from its table to its receipt in one call of smtp.core. Any other goes in steps.
-- -> receipt | nil | nil, the message, which is on its way: see session:carry
local function send_at_once(self, t)
   local conv, server = self.conv, self.server
   local io = conv.io
   local _, misplaced = request.loop(server)
   if not io or misplaced or self.busy or not user_call.yields_across_pcall then return nil end
   self.busy = AT_ONCE
   local recipients, accepted, refused, reply, seconds, size, eightbit, id = conv.session:carry(t,
      server.extensions, io, server.timeout, server.timeout_given, server.reply_timeout)
   self.message = recipients and SENT or accepted or false
   self.busy = false
   if recipients then
      return findings.plain_receipt(conv, eightbit, id, size, seconds, recipients, accepted,
         refused, reply)
   end
   if recipients == false then conv:look_on() end
   return nil, accepted
end

-- The message of send_at_once.
local function go_on(self, message)
   take(self)
   return finish(self, message, message.started, self.conv:go_on(request.begun(message)))
end

-- ---- in steps ----

-- -> the outgoing message | nil, err
local function read(self, t, started)
   local server = self.server
   local message = request.plain(t, server, self.spare)
   if message then
      self.spare = nil
      return message
   end
   local ok, err
   message, err = request.message(t, server, "connection:send ")
   if message then ok, err = delivery.sign(server, message, started) end
   return ok and message or nil, err
end

local function carry(self, message, started)
   local receipt
   local ok, err = enter(self, started, message)
   if ok then
      self.message = message
      receipt, err = finish(self, message, started,
         self.conv:carry(message, message.transaction, started))
   end
   delivery.release(message)
   return receipt, err
end

local function send(self, t)
   local started, observe = core.now(), self.server.observe
   local message, err = read(self, t, started)
   local receipt
   if message then receipt, err = carry(self, message, started) end
   if observe then observers.tell_result(observe, receipt, err, core.now() - started) end
   return receipt, err
end

--- Send one message. A refusal leaves the connection usable.
---@param t table     from, to, subject, text, raw, …
---@return table|nil  the receipt
---@return table|nil
function Connection:send(t)
   local receipt, begun = send_at_once(self, t)
   if receipt then return receipt end
   if begun then return go_on(self, begun) end
   return send(self, t)
end

--- What the server offers now: upper-case keywords to parameters.
---@return table|nil
---@return table|nil err   where the connection has ended
function Connection:capabilities()
   if self.conv.session:wants() == "nothing" then return nil, broken(self) end
   return core.capabilities(self.conv.session:facts().capabilities)
end

local commands = { rset = "RSET", noop = "NOOP", vrfy = "VRFY" }

local function ask(self, question, argument)
   local ok, err = enter(self, core.now())
   if not ok then return nil, err end
   self.conv.session:ask(question, argument)
   local state = self.conv:run()
   leave(self)
   if state ~= "ready" then return nil, broken(self) end
   local answer = self.conv.session:asked()
   answer.text = self.conv.transcript:mask(answer.text)
   if answer.code < 400 then return answer end
   answer.kind, answer.reason, answer.stage = "reply", "refused", question
   answer.sentence = "refused " .. commands[question]
   return nil, findings.error(self.conv, answer)
end

--- RSET. @return table|nil reply { code, enhanced, text }
function Connection:reset()
   return ask(self, "rset")
end

--- NOOP: is the server still there?
function Connection:noop()
   return ask(self, "noop")
end

--- VRFY. Most servers answer 252: they will not say.
---@param address string
function Connection:verify(address)
   local invisible = type(address) == "string" and core.invisible(address)
   if invisible then
      return nil, errors.usage("address", ("address: %q contains %s, which is invisible"):format(
         address, invisible), "Remove that character: it often comes with a copied address",
         address)
   elseif type(address) ~= "string" or address == "" or address:find("[%z\1-\31\127-\255]")
      or #address > core.limits.address then
      return nil, errors.usage("address",
         ("address: expected one line of ASCII of at most %d bytes, got %s"):format(
            core.limits.address, user_call.shown(address)),
         'Write connection:verify("bob@example.net")', address)
   end
   return ask(self, "vrfy", address)
end

--- QUIT, then close. Trouble there is no error: nothing depends on it.
function Connection:quit()
   local ok, err = enter(self, core.now())
   if not ok then
      if self.busy then return nil, err end
      return self:close()
   end
   self.conv.session:quit()
   self.conv:run()
   self.busy = false
   return self:close()
end

--- Close without a word; with keepalive, where all is well, leave it to others instead. May be
-- called twice, and from another coroutine.
function Connection:close()
   if self.server.keepalive and not self.busy then self.conv:hand_back() end
   if self.busy and self.conv.session:wants() ~= "nothing" then self.conv.closed_here = true end
   self.conv:close()
   self.closed = self.closed or not findings.trouble(self.conv) -- the error reports the break
   self.conv.session:heard("")
   return true
end

-- connection.send{…} gives the options in the place of the connection.
for name, method in next, Connection do
   Connection[name] = function(self, argument)
      if self ~= nil and connections[self] then
         return call(method, self, argument)
      end
      return nil, errors.needs_colon("connection", name)
   end
end

connection_mt.__close = Connection.close

connection.methods, connection.mt = Connection, connection_mt

return connection
