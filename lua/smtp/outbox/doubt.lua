--- Messages whose runner ended between the mark and the result, and results that come after that.
-- Each function returns what store:commit takes as a result.
-- @module smtp.outbox.doubt

local encoding = require "smtp.outbox.encoding"
local states = require "smtp.outbox.states"

local doubts = {}

-- Each mark is a list of addresses, or true: for all recipients.
-- -> the addresses; nil: all
local function marked_of(record)
   local marked = {}
   local lists = encoding.decode_all(record.ending)
   for i = 1, #lists do
      if type(lists[i]) ~= "table" then return nil end
      for j = 1, #lists[i] do marked[lists[i][j]] = true end
   end
   return marked
end

-- An address that is spelled in another way may be any of them.
local function is_complete(marked, list)
   if not marked then return false end
   local known = {}
   for i = 1, #list do known[list[i].address] = true end
   for address in next, marked do
      if not known[address] then return false end
   end
   return next(marked) ~= nil
end

--- The runner that was about to send the end has died, and the store has no result.
---@param record table     its state is "ending"
---@param settings table   retry, resend
---@param now integer
---@return table result
function doubts.after_crash(record, settings, now)
   local list, marked = states.recipients(record), marked_of(record)
   local all = not is_complete(marked, list)
   for i = 1, #list do
      local one = list[i]
      if one.state == "queued" and (all or marked[one.address]) then
         if settings.resend then
            one.resent = true
         else
            one.state, one.claim, one.reason = "doubt", record.claim, "crash"
         end
      end
   end
   local own = states.changed(record, list, now, { time = now, reason = "crash",
      what = "a runner ended between the mark and the result: the server may have the message" })
   own.lease = record.due -- a runner that was only late may renew it before this is stored
   return own
end

-- What is known now of a recipient in doubt; nil: the doubt is another one. If it was cancelled
-- meanwhile, it does not get the message any more.
local function known_of(one, known, claim)
   if one.state ~= "doubt" or one.claim ~= claim then return nil end
   if not known or known.state == "doubt" then return nil end
   if known.state == "queued" and one.is_cancelled then -- `known` stays: a person may decide anew
      return { address = known.address, state = "cancelled", reason = "cancelled",
         code = known.code, enhanced = known.enhanced, text = known.text }
   end
   return known
end

-- When a message is due that is queued because of a result that came late, or still is.
local function due_after(record, list, late, is_queued, now)
   if states.of(list) ~= "queued" then return now end
   if record.state ~= "queued" then return late.due end
   return is_queued and math.min(record.due, late.due) or record.due
end

--- A result that arrives after the doubt that it settles.
---@param record table     as the store has it now
---@param late table       the result that did not count
---@param now integer
---@return table|nil result   nil: no recipient is in doubt because of it
function doubts.after_doubt(record, late, now)
   local list, known_list = states.recipients(record), late.list or states.recipients(late)
   local settled, is_queued = false, false
   for i = 1, #list do
      local known = known_of(list[i], known_list[i], late.claim)
      if known then
         list[i], settled, is_queued = known, true, is_queued or known.state == "queued"
      end
   end
   if not settled then return nil end
   local own = states.changed(record, list, due_after(record, list, late, is_queued, now))
   own.attempts = own.attempts + (late.history ~= "" and 1 or 0)
   own.history = late.history
   return own
end

return doubts
