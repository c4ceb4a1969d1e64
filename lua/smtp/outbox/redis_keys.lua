--- The Redis store: its keys, numbers as text, and records.
--
-- All keys begin with "{prefix}:", the hash tag of a Redis Cluster: they are on one node. Keys
-- contain numbers of this store and the name of the outbox, at their end; ids, addresses and other
-- text of messages are values only.
-- @module smtp.outbox.redis_keys

local keys = {}

--- The states of a message, in the order of their keys; "arriving": only a part of it is there.
keys.states = { "queued", "claimed", "ending", "doubt", "sent", "failed", "cancelled", "arriving" }

--- A number as text. %d would need a long of 64 bits, and %g an exponent.
function keys.text(number)
   return ("%.0f"):format(math.ceil(number))
end

--- The number of a message as a member of a set: members of one score are ordered as text.
function keys.member(number)
   return ("%016.0f"):format(number)
end

--- The keys of an outbox, which every script gets: see smtp.outbox.redis_scripts.
---@param prefix string
---@param outbox string
---@return string[]
function keys.of_outbox(prefix, outbox)
   local tag = "{" .. prefix .. "}:"
   local list = { tag .. "ids:" .. outbox, tag .. "ages:" .. outbox, tag .. "note:" .. outbox }
   for i = 1, #keys.states do list[#list + 1] = tag .. keys.states[i] .. ":" .. outbox end
   return list
end

--- The key of a message.
---@param number number|string   of the message; as text, a member of a set
function keys.message(prefix, number)
   return "{" .. prefix .. "}:message:" .. keys.member(number)
end

--- The key of the body of a message, if that is in pieces.
function keys.body(prefix, number)
   return "{" .. prefix .. "}:body:" .. keys.member(number)
end

-- In the order in which the scripts return them.
local names = { "number", "id", "state", "due", "claim", "created", "since", "attempts", "size",
   "facts", "recipients", "addresses", "ending", "history" }
local is_number = { number = true, due = true, claim = true, created = true, since = true,
   attempts = true, size = true }

--- The record that a script returned.
---@param values string[]
---@return table
function keys.record(values)
   local record = {}
   for i = 1, #names do
      local name = names[i]
      record[name] = is_number[name] and tonumber(values[i]) or values[i]
   end
   if values[#names + 1] == "" then record.body = values[#names + 2] end
   return record
end

return keys
