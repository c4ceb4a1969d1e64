--- One message on its way to all its recipients: as many transactions as it takes, over as many
-- connections; and what became of it.
-- @module smtp.client.delivery

local core = require "smtp.core"
local errors = require "smtp.errors"
local findings = require "smtp.client.findings"
local memory = require "smtp.client.memory"
local opening = require "smtp.client.opening"
local system = require "smtp.ground.resources"
local verdict = require "smtp.result.verdict"

local load_hosts = system.loader "smtp.client.hosts"
local load_observers = system.loader "smtp.result.observer"
local load_refusal = system.loader "smtp.result.refusal"
local load_sign = system.loader "smtp.compose.sign"

local delivery = {}

local guard = errors.guard

--- One deadline for the whole of it; a message of known size gets the time it needs.
function delivery.deadline(server, message, started)
   return (started or core.now())
      + core.seconds_for(message and message.size, server.timeout, server.timeout_given)
end

--- Add the signatures that a message is to have, within the time that it has.
---@return true|nil
---@return table|nil err
function delivery.sign(server, message, started)
   if not message.signers then return true end
   local sign, err = load_sign()
   if not sign then return nil, err end
   return sign.message(message, delivery.deadline(server, message, started))
end

--- A message is over: the files that it was read from are closed.
function delivery.release(message)
   local source = message.source
   if source and source.close then source.close() end
end

--- A connection with its conversation begun; with a list of hosts, with the first that greets.
---@param server smtp.Server
---@param deadline number    core.now() at which all must be over
---@param fresh? boolean     take no connection that was kept
---@return smtp.Conversation|nil
---@return smtp.Error|nil err
function delivery.open(server, deadline, fresh)
   if not server.hosts then return opening.open(server, deadline, fresh) end
   local hosts, err = load_hosts()
   if not hosts then return nil, err end
   return hosts.open(server, deadline, fresh)
end

--- Bring its opening to its end: see opening.settle.
delivery.settle = opening.settle

--- A connection that can have messages: what was heard in its beginning may have ended the session.
---@return smtp.Conversation|nil
---@return smtp.Error|nil err
function delivery.open_usable(server, deadline)
   local conv, err = delivery.open(server, deadline)
   local trouble = conv and findings.trouble(conv)
   if not trouble then return conv, err end
   conv:run() -- it may say QUIT
   conv:close()
   return nil, findings.error(conv, trouble)
end

-- ---- results: { trouble =, broken =, reply =, recipients =, left = indices, offer = how many of
-- these a transaction may have, nil: any number, of_pipelining = the server refused commands that
-- arrived together } ----

-- The codes with which a server refuses commands that arrived together: a bad sequence of commands,
-- or no more than a failure.
local of_sequence = { [503] = true, [554] = true }

-- The server offers PIPELINING and does not accept it. A later attempt waits for each answer, if
-- this connection did not do so from the start.
local function is_of_pipelining(conv, trouble)
   local word = conv.words.pipelining
   local is_off = word == "skip" and not conv.in_lockstep
   if is_off or word == "require" then return false end
   local refusal = load_refusal() -- without it the trouble stays one of the message
   if not refusal or not refusal.is_of_pipelining(trouble) then return false end
   if findings.parts(conv).pipelining ~= "off" then conv:lockstep() end
   trouble.retry = "now"
   return true
end

--- What became of a transaction that is over.
function delivery.result(conv, transaction)
   local trouble = transaction:trouble()
   local left, offer = transaction:left()
   local reply, recipients = transaction:reply(), transaction:recipients()
   local broken = trouble ~= nil and conv.session:trouble() ~= nil
   if trouble and trouble.reason == "bdat" then memory.note_no_bdat(conv.server) end
   local of_pipelining = trouble and of_sequence[trouble.code] and is_of_pipelining(conv, trouble)
   if conv.transcript.secrets[1] then conv.transcript:mask_replies({ reply }, recipients) end
   return { trouble = trouble, broken = broken, reply = reply, recipients = recipients, left = left,
      offer = offer, of_pipelining = of_pipelining }
end

--- Those whom one transaction had left out have their verdicts from a further one. A refusal is
-- those recipients' alone where the message was accepted for others; see delivery.outcome.
function delivery.merge(result, more)
   local still_left = {}
   for i = 1, #result.left do
      local one = more.recipients[i]
      -- One that was not offered again keeps the reply that it had.
      if one.code or one.state ~= "unsent" then result.recipients[result.left[i]] = one end
   end
   for i = 1, #more.left do still_left[i] = result.left[more.left[i]] end
   result.left, result.offer = still_left, more.offer or result.offer
   if result.trouble and not more.trouble then result.reply = more.reply end
   if result.trouble or more.broken then
      result.trouble, result.broken = more.trouble, more.broken
   end
end

--- Can the message be read once more, or was it not read at all?
function delivery.can_repeat(message)
   return message.text ~= nil or message.source.again or not message.read
end

--- Is it certain that no server has the message?
function delivery.is_unsent(result)
   for i = 1, #result.recipients do
      local state = result.recipients[i].state
      if state == "accepted" or state == "unknown" then return false end
   end
   return true
end

--- Did the server refuse the message only because of pipelining? No recipient has it then.
function delivery.was_pipelined(result)
   return result.of_pipelining and delivery.is_unsent(result)
end

-- A server that ended the connection because of too many recipients takes fewer on another one. An
-- object as transport has only one.
local function may_reopen(conv, result)
   local transport = conv.server.transport
   return not result.broken or transport == nil or type(transport) == "function"
end

--- What became of a message that one transaction has not brought to all. Those whom it had to leave
-- out are given transactions of their own.
---@param reopen? function   () -> another connection | nil, err, where this one has ended
---@return smtp.Conversation conv   the newest
---@return table result
---@return table|nil err     where there is no other connection
function delivery.finish(conv, message, transaction, reopen)
   local result = delivery.result(conv, transaction)
   while #result.left > 0 and delivery.can_repeat(message) do
      if conv.session:wants() ~= "ready" then
         local other, err
         if reopen and may_reopen(conv, result) then other, err = reopen() end
         if not other then return conv, result, err end
         conv:close()
         conv = other
      end
      local more = conv:carry(message, transaction:again(result.left, result.offer))
      delivery.merge(result, delivery.result(conv, more))
   end
   return conv, result
end

local function has_accepted(recipients)
   for i = 1, #recipients do
      if recipients[i].state == "accepted" then return true end
   end
   return false
end

--- The receipt of a message that at least one recipient gets, or the error that says why there is
-- none.
function delivery.outcome(conv, message, result, started)
   if result.trouble and (result.broken or not has_accepted(result.recipients)) then
      return nil, findings.error(conv, result.trouble, message, result.recipients)
   end
   local accepted, refused = core.receipt(result.recipients)
   return findings.receipt(conv, message, core.now() - started, result.recipients, accepted,
      refused, result.reply)
end

-- ---- a connection of its own ----

-- Is the message to be sent once more, on another connection? No server has it, and the kept
-- connection was dead, or the server is at fault with BDAT, with the harmless chunk or with
-- pipelining: then without that.
local function is_for_another(conv, message, result, tries)
   local trouble = result.trouble
   if not trouble then return false end
   if delivery.was_pipelined(result) then return tries == 1 and delivery.can_repeat(message) end
   if not delivery.is_unsent(result) then return false end
   if conv.facts and conv:was_dead() then return true end
   if conv.session:chunk_failed() then return delivery.can_repeat(message) end
   return trouble.reason == "bdat" and delivery.can_repeat(message)
      and conv.server.extensions.chunking ~= "require"
end

-- For delivery.finish: a further connection to this place.
local function reopening(place, deadline)
   return function() return delivery.open(place, deadline, true) end
end

local function send(server, message, started)
   local deadline = delivery.deadline(server, message, started)
   local transaction, fresh, tries, place = message.transaction, false, 0, server
   while true do
      local conv, err = delivery.open(place, deadline, fresh)
      local receipt, result
      if not conv then return nil, err end
      tries, place = tries + 1, conv.server
      transaction, receipt = conv:carry(message, transaction, started, not server.keepalive)
      if not receipt then
         conv, result, err = delivery.finish(conv, message, transaction, reopening(place, deadline))
      end
      if receipt or not is_for_another(conv, message, result, tries) then
         if err then
            err = verdict.partly(err, result.recipients)
         elseif not receipt then
            receipt, err = delivery.outcome(conv, message, result, started)
         end
         conv:leave()
         return receipt, err
      end
      conv:close()
      if conv.facts and conv:was_dead() then place = server end -- it was not sent there
      transaction, fresh = transaction:again(), true
   end
end

--- What became of a message, which the caller's function `observe` is called with as well.
---@param observe? function
---@param receipt? smtp.Receipt
---@param err? smtp.Error
---@param started number          core.now() when the call began
---@return smtp.Receipt|nil
---@return smtp.Error|nil
function delivery.tell(observe, receipt, err, started)
   local observers = observe and load_observers()
   if observers then observers.tell_result(observe, receipt, err, core.now() - started) end
   return receipt, err
end

local function send_and_tell(server, message, started)
   local receipt, err = send(server, message, started)
   delivery.release(message)
   return delivery.tell(server.observe, receipt, err, started)
end

--- May a recipient have this message? Asked where a call that sends it has raised an error.
---@return "no"|"maybe"
function delivery.sent(message)
   local transaction = message.transaction
   return transaction and transaction:may_be_sent() and "maybe" or "no"
end

--- Send one message. With a list of hosts it goes to the first that greets, and stays there.
---@return table|nil receipt
---@return table|nil err
function delivery.send(server, message, started)
   local ok, receipt, err = guard(send_and_tell, server, message, started)
   if ok then return receipt, err end
   pcall(delivery.release, message)
   return errors.caught(receipt, delivery.sent(message))
end

return delivery
