--- The pause of an outbox whose server takes no message at all: it refuses connections, its
-- certificate is wrong, or it refuses the password. One message at a time finds out whether that is
-- over, for all runners of the outbox together: what is known is a note in the store.
-- @module smtp.outbox.circuit

local encoding = require "smtp.outbox.encoding"
local errors = require "smtp.errors"

local circuit = {}

-- Seconds until the next attempt; the last one repeats. An account is locked after a few logins
-- that failed.
local delays = { connection = { 10, 30, 60, 120, 300 }, account = { 900, 1800, 3600 } }
local WHAT_MAX = 300

-- What concerns the connection, and no single message.
local of_connection = { resolve = true, connect = true, tls = true, greeting = true, ehlo = true,
   starttls = true, auth = true }

-- A server that is too busy, or limits how much this machine may send, says so to each message.
local of_all = { server = true, client = true }

-- What these mean is not about the recipient (RFC 3463 3.4): the system is full, or takes no mail.
local of_system = { ["4.3.1"] = true, ["4.3.2"] = true }

-- Does it say that the server takes no message now? A refusal of a recipient, and greylisting, are
-- about that message, unless the server says that it limits or refuses this machine.
-- With LMTP the replies to the end of a message are about recipients as well (RFC 2033 4.2).
local function is_of_all(err, protocol)
   if err.retry ~= "later" or err.reason == "greylisted" then return false end
   local is_of_recipient = err.kind == "recipients_refused"
      or protocol == "lmtp" and err.kind == "data_refused"
   if not is_of_recipient then return of_all[err.concerns] == true end
   return err.concerns == "client" or err.code == 421 or of_system[err.enhanced] == true
end

--- Which pause does an error ask for?
---@param err smtp.Error
---@param protocol? string   "lmtp"
---@return "account"|"connection"|nil   nil: it concerns one message
---@return boolean|nil   it was an attempt to send a message
function circuit.kind_of(err, protocol)
   if err.sent ~= "no" or err.reason == "withheld" then return nil end
   -- What may not be relayed for this account depends on the recipient.
   if err.concerns == "account" and err.reason ~= "relay_denied" then
      return "account", not of_connection[err.stage]
   end
   if of_connection[err.stage] then return "connection" end
   if is_of_all(err, protocol) then return "connection", true end
   return nil
end

-- -> the pause, or nil; the bytes of the note
local function read(store, outbox)
   local note, err = store:note(outbox)
   if not note then return nil, nil, err end
   return note ~= "" and encoding.decode(note) or nil, note
end

--- The pause of an outbox.
---@return table|nil pause   kind, since, due = when the next attempt is allowed, tries, what
---@return table|nil err
function circuit.pause(store, outbox)
   local pause, _, err = read(store, outbox)
   return pause, err
end

--- May this runner make the next attempt? Only one runner gets true.
---@param pause table     as circuit.pause returned it
---@param due integer   when the next runner may, if this one says nothing
---@return boolean|nil
---@return table|nil err
function circuit.take(store, outbox, pause, due)
   local newest, note, err = read(store, outbox)
   if not note then return nil, err end
   if not newest or newest.due ~= pause.due then return false end
   newest.due = due
   return store:set_note(outbox, note, encoding.encode(newest))
end

--- The attempt was not made, because no message was due.
---@param pause table   as circuit.pause returned it
function circuit.give_back(store, outbox, pause)
   local newest, note = read(store, outbox)
   if not newest or newest.tries ~= pause.tries then return end -- an attempt has failed meanwhile
   newest.due = pause.due
   store:set_note(outbox, note, encoding.encode(newest))
end

--- An attempt failed. Several runners may note it at the same time; one of them counts.
---@param kind "account"|"connection"
---@param failure smtp.Error
---@return true|nil
---@return table|nil err
function circuit.open(store, outbox, kind, failure, now)
   local pause, note, err = read(store, outbox)
   if not note then return nil, err end
   local list = delays[kind]
   local tries = pause and pause.kind == kind and pause.tries + 1 or 1
   local new = { kind = kind, since = pause and pause.since or now, tries = tries,
      due = now + list[math.min(tries, #list)], reason = failure.reason,
      what = errors.cut((tostring(failure):gsub("^smtp: ", "")), WHAT_MAX, "…") }
   local set
   set, err = store:set_note(outbox, note, encoding.encode(new))
   return set ~= nil or nil, err
end

--- An attempt succeeded, or a person wants one now.
---@return true|nil
---@return table|nil err
function circuit.close(store, outbox)
   local _, note, err = read(store, outbox)
   if not note then return nil, err end
   if note == "" then return true end
   local set
   set, err = store:set_note(outbox, note, "")
   return set ~= nil or nil, err
end

return circuit
