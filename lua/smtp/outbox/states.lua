--- What becomes of a message: after an attempt, and when a person decides (see smtp.outbox.doubt as
-- well). Each function returns what store:commit takes as a result.
--
-- The state of a message follows from those of its recipients: it is queued while a recipient is;
-- then in doubt if one is; then sent, if one has the message; then failed.
-- @module smtp.outbox.states

local core = require "smtp.core"
local encoding = require "smtp.outbox.encoding"
local errors = require "smtp.errors"
local retry = require "smtp.outbox.retry"

local states = {}

local TEXT_MAX = 400 -- bytes of a server's words, and of a sentence

-- ---- the whole ----

local order = { queued = 1, doubt = 2, sent = 3, failed = 4, cancelled = 5 }

--- The state of a message that has these recipients.
---@param list table[]
---@return string
function states.of(list)
   local first, state = math.huge, "failed"
   for i = 1, #list do
      local place = order[list[i].state]
      if place and place < first then first, state = place, list[i].state end
   end
   return state
end

local names = 0 -- made without random bytes

--- A random name, for a step that may be repeated and counts once. Where this system has no random
-- bytes it is made of the time, a count and an address in memory.
---@return string
function states.new_name()
   local bytes = core.random(16)
   if bytes then return bytes end
   names = names + 1
   return ("%.0f %d %s"):format(core.now() * 1000000, names, tostring(states))
end

--- A random number: that of a claim, or of a change that ends one. Where this system has no random
-- bytes it is the time in microseconds, which two claims of one message have to differ in.
---@return integer
function states.new_claim()
   local bytes = core.random(6)
   if not bytes then return math.floor(core.now() * 1000000) % 281474976710656 + 1 end
   local a, b, c, d, e, f = bytes:byte(1, 6)
   return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f + 1
end

local function cut(text)
   if not text or #text <= TEXT_MAX then return text end
   return errors.cut(text, TEXT_MAX, "…")
end

-- What store:commit takes; `state`: of the list. The runner adds the receipt or the error to it.
local function result(record, list, state, due, history)
   return { number = record.number, claim = record.claim, state = state, due = due,
      recipients = encoding.encode(list), list = list, attempts = record.attempts,
      history = history, record = record }
end

--- A result that changes a message in the state that it has.
---@param record table     as the store has it now
---@param list table[]     its recipients, changed
---@param due integer
---@param event? table     for the history
---@return table result
function states.changed(record, list, due, event)
   local own = result(record, list, states.of(list), due, event and encoding.encode(event) or "")
   own.from, own.new_claim = record.state, states.new_claim()
   return own
end

local change = states.changed

-- Recipients that have not been tried yet are kept as addresses, and become tables.
-- -> a new list
local function with_states(addresses)
   local list = {}
   for i = 1, #addresses do
      local one = addresses[i]
      if type(one) == "string" then
         one = { address = one, state = "queued", code = nil, enhanced = nil, text = nil }
      end
      list[i] = one
   end
   return list
end

--- The recipients of a record; none, where it was damaged: such a message has failed.
---@param record table
---@return table[]
function states.recipients(record)
   local list = encoding.decode(record.recipients)
   if type(list) ~= "table" then return {} end
   return type(list[1]) == "string" and with_states(list) or list
end

local list_of = states.recipients

-- ---- after an attempt ----

local function note_reply(one, reply, reason)
   one.code, one.enhanced, one.text = reply.code, reply.enhanced, cut(reply.text)
   one.reason = reason
end

-- What an attempt means for a recipient whose reply or verdict is not its own.
local function by_error(one, err)
   if not err then return true end -- left for a further transaction
   note_reply(one, err, err.reason)
   if err.reason == "withheld" then return true end -- by the runner: the message is not at fault
   if err.retry == "never" then one.state = "failed" end
   return err.retry == "now"
end

-- -> true: another attempt may follow at once
local function note_verdict(one, verdict, err, resend)
   local state = verdict and verdict.state
   if state == "accepted" then
      note_reply(one, verdict, nil)
      one.state = "sent"
   elseif state == "unknown" then
      note_reply(one, err or verdict, err and err.reason)
      if resend then one.resent = true else one.state, one.claim = "doubt", nil end
   elseif verdict and verdict.code then
      note_reply(one, verdict, verdict.reason)
      if verdict.retry == "never" then one.state = "failed" end
   else
      return by_error(one, err)
   end
end

local function expire(list, what)
   for i = 1, #list do
      if list[i].state == "queued" then
         list[i].state, list[i].reason = "failed", "expired"
         list[i].text = list[i].text or what
      end
   end
end

-- All messages of one connection have the same table.
local newest, newest_text

local function server_of(known)
   if not known or not known.host then return nil end
   if known ~= newest then
      local place = ("%s:%s"):format(known.host, tostring(known.port))
      if known.address then place = ("%s [%s]"):format(place, known.address) end
      newest, newest_text = known, place
   end
   return newest_text
end

-- One attempt, for the history.
local function event_of(now, receipt, err)
   local reply = receipt and receipt.reply or err
   local server, text = server_of(receipt and receipt.server or err), cut(reply.text)
   if not err then
      return encoding.fields("time", now, "server", server, "code", reply.code, "enhanced",
         reply.enhanced, "text", text)
   end
   return encoding.fields("time", now, "server", server, "code", err.code, "enhanced", err.enhanced,
      "text", text, "kind", err.kind, "reason", err.reason, "what", cut(err.what))
end

-- When the open recipients are tried again; gives them up if the message is too old.
local function next_due(record, list, settings, hurry, now)
   local policy = settings.retry
   if hurry and not list.hurried then
      list.hurried = true
      return now
   end
   list.hurried = nil
   local last = record.since + policy.give_up
   if now >= last then
      expire(list, "the message was too old for another attempt")
      return now
   end
   return math.min(now + retry.delay(policy, record.id, record.attempts + 1), last)
end

--- After an attempt.
---@param record table         after entry.read
---@param receipt? smtp.Receipt
---@param err? smtp.Error
---@param settings table       retry, resend
---@param now integer
---@return table result
function states.after_attempt(record, receipt, err, settings, now)
   local list, open = record.list, record.open
   local verdicts = (receipt or err).recipients or {}
   local hurry = false
   if not list then list = with_states(record.to) end -- it is the first one
   for i = 1, #record.to do
      local one = list[open and open[i] or i]
      if note_verdict(one, verdicts[i], err, settings.resend) then hurry = true end
   end
   local state, due = states.of(list), now
   if state == "queued" then
      due = next_due(record, list, settings, hurry, now) -- which may give it up
      state = states.of(list)
   end
   local own = result(record, list, state, due, event_of(now, receipt, err))
   own.attempts = own.attempts + 1
   return own
end

--- Without an attempt: it was claimed, and is queued again. No server has it because of this claim.
---@param due integer
---@return table result
function states.released(record, due)
   return { number = record.number, claim = record.claim, state = "queued", due = due,
      list = record.list, recipients = record.recipients, attempts = record.attempts, history = "",
      record = record }
end

--- It was due, but is too old.
function states.expired(record, why, now)
   local list = list_of(record)
   expire(list, why)
   return result(record, list, states.of(list), now, encoding.fields("time", now, "reason",
      "expired", "what", cut(why)))
end

-- ---- decisions ----

local function decide(record, from, to, now, reason)
   local list, count = list_of(record), 0
   for i = 1, #list do
      local one = list[i]
      if one.state == from then
         one.state, one.reason, count = to, to ~= "queued" and reason or nil, count + 1
         one.is_cancelled = nil
      end
   end
   if count == 0 then return nil end
   local own = change(record, list, now, { time = now, reason = reason })
   if to == "queued" then own.since = now end
   return own
end

--- A person or a program has decided about the recipients that are in doubt.
---@param word "sent"|"unsent"
---@return table|nil result   nil: none is in doubt
function states.resolved(record, word, now)
   return decide(record, "doubt", word == "sent" and "sent" or "queued", now, "resolved_" .. word)
end

--- Do not send it to those that do not have it: those in doubt that prove to be among these, too.
---@return table|nil result   nil: none is queued
function states.cancelled(record, now)
   local list, count = list_of(record), 0
   for i = 1, #list do
      local one = list[i]
      if one.state == "queued" then
         one.state, one.reason, count = "cancelled", "cancelled", count + 1
      elseif one.state == "doubt" then
         one.is_cancelled = true
      end
   end
   if count == 0 then return nil end
   return change(record, list, now, { time = now, reason = "cancelled" })
end

--- Send it now to those that are queued, and again to those that have failed or are cancelled.
---@return table|nil result   nil: there are none
function states.retried(record, now)
   local list, count = list_of(record), 0
   for i = 1, #list do
      local one = list[i]
      if one.state == "failed" or one.state == "cancelled" or one.state == "queued" then
         one.state, count = "queued", count + 1
      end
      one.is_cancelled = nil
   end
   if count == 0 then return nil end
   list.hurried = nil
   local own = change(record, list, now, { time = now, reason = "retried" })
   own.since = now
   return own
end

return states
