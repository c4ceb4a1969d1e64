--- The SQLite store: claims, marks, results, and leases that have ended.
-- @module smtp.outbox.sqlite_delivery

local steps = require "smtp.outbox.sqlite_steps"

local change, records, rows = steps.change, steps.records, steps.rows
local run, run_each = steps.run, steps.run_each

local methods = {}

-- ---- claims ----

local DUE = steps.SELECT_QUEUED .. "q.outbox = ? AND q.due <= ? AND "
   .. "coalesce(c.since, m.since) <= ? ORDER BY q.due, q.number LIMIT ?"
local ENTER_QUEUE = "INSERT INTO queue (outbox, due, number) VALUES (?, ?, ?)"
local LEAVE_QUEUE = "DELETE FROM queue WHERE outbox = ? AND due = ? AND number = ?"
local CLAIM = "INSERT INTO claims (number, outbox, due, claim, ending) VALUES (?, ?, ?, ?, x'')"
local FOREVER = 9007199254740991

local PLACE, CLAIMED = { "outbox", "due", "number" }, { "number", "outbox", "lease", "new_claim" }

local function claim_due(self, outbox, now, lease, claim, limit, before)
   local list = records(self, DUE, outbox, now, before or FOREVER, limit)
   local common = { outbox = outbox, lease = lease, new_claim = claim }
   run_each(self, LEAVE_QUEUE, PLACE, list, common)
   run_each(self, CLAIM, CLAIMED, list, common)
   for i = 1, #list do
      local record = list[i]
      record.state, record.due, record.claim = "claimed", lease, claim
   end
   return list
end

local function any_old(self, outbox, now, before)
   return records(self, DUE, outbox, now, before, 1)[1] ~= nil
end

function methods:claim(outbox, now, lease, claim, limit, before)
   if before then -- a runner asks this in each second of a pause, and others put meanwhile
      local found, err = steps.step(self, any_old, outbox, now, before)
      if err then return nil, err end
      if not found then return {} end
   end
   return change(self, false, claim_due, outbox, now, lease, claim, limit, before)
end

local function renew_all(self, numbers, claims, lease)
   local count = 0
   for i = 1, #numbers do
      count = count + (run(self, "UPDATE claims SET due = ? WHERE number = ? AND claim = ?", lease,
         numbers[i], claims[i]))
   end
   return count
end

function methods:renew(_, numbers, claims, lease)
   return change(self, false, renew_all, numbers, claims, lease)
end

-- ---- results and marks ----

local END_CLAIM = "DELETE FROM claims WHERE number = ? AND claim = ?"
local CHANGE = "INSERT INTO changes (number, outbox, state, due, claim, attempts, recipients, "
   .. "history) VALUES (?, ?, ?, ?, coalesce(?, ?), ?, CAST(? AS BLOB), CAST(? AS BLOB)) "
   .. "ON CONFLICT (number) DO UPDATE SET state = excluded.state, due = excluded.due, "
   .. "claim = excluded.claim, attempts = excluded.attempts, recipients = excluded.recipients, "
   .. "history = CAST(history || excluded.history AS BLOB)"
local MARK = "UPDATE claims SET ending = CAST(ending || ? AS BLOB) WHERE number = ? AND claim = ?"

local OF_CLAIM, OF_MARK = { "number", "claim" }, { "bytes", "number", "claim" }
local OF_CHANGE = { "number", "outbox", "state", "due", "new_claim", "claim", "attempts",
   "recipients", "history" }

-- Takes a message that may not be claimed out of where it is, if it has this claim, and its state
-- and its lease are those expected. -> was it there?
local function take_out(self, outbox, one)
   local row = rows(self, steps.SELECT_STATE, one.number)[1]
   if not row or row[2] ~= one.claim or one.from and row[1] ~= one.from
      or one.lease and row[4] ~= one.lease then return false end
   if row[1] == "queued" then
      run(self, LEAVE_QUEUE, outbox, row[3], one.number)
   else
      run(self, END_CLAIM, one.number, one.claim)
   end
   return true
end

-- Most results are those of an attempt, and end a claim. -> which results count
local function take_all(self, outbox, settled)
   local ends, places = {}, {}
   for i = 1, #settled do
      if not settled[i].from then ends[#ends + 1], places[#places + 1] = settled[i], i end
   end
   local ended, done = run_each(self, END_CLAIM, OF_CLAIM, ends, {}), {}
   for i = 1, #ends do done[places[i]] = ended[i] end
   for i = 1, #settled do done[i] = done[i] or take_out(self, outbox, settled[i]) end
   return done
end

-- What differs from one message to the other, and from the commonest result.
local function note_change(self, outbox, one)
   if one.since then
      run(self, "UPDATE changes SET since = ? WHERE number = ?", one.since, one.number)
   end
   if one.state == "queued" then run(self, ENTER_QUEUE, outbox, one.due, one.number) end
end

local function settle(self, outbox, settled)
   local done, counted = take_all(self, outbox, settled), {}
   for i = 1, #settled do
      if done[i] then counted[#counted + 1] = settled[i] end
   end
   run_each(self, CHANGE, OF_CHANGE, counted, { outbox = outbox })
   for i = 1, #counted do note_change(self, outbox, counted[i]) end
   return done
end

-- A mark that is written twice is one mark.
local function mark(self, marks)
   return run_each(self, MARK, OF_MARK, marks, {})
end

local function commit_all(self, outbox, settled, marks)
   return settle(self, outbox, settled), mark(self, marks)
end

function methods:commit(outbox, settled, marks)
   return change(self, true, commit_all, outbox, settled, marks)
end

-- ---- leases that have ended ----

local LAPSED = "claims WHERE outbox = ? AND due < ? AND ending = x''"
local QUEUE_AGAIN = ("INSERT INTO queue (outbox, due, number) SELECT m.outbox, %s, m.number FROM "
   .. "%s WHERE m.number IN (SELECT number FROM %s)"):format(steps.DUE, steps.CHANGED, LAPSED)
local CRASHED = steps.SELECT .. "m.number IN (SELECT number FROM claims WHERE "
   .. "outbox = ?1 AND due < ?2 AND ending <> x'' ORDER BY due LIMIT ?3)"

local function expire_all(self, outbox, now, limit)
   run(self, QUEUE_AGAIN, outbox, now)
   run(self, "DELETE FROM " .. LAPSED, outbox, now)
   return records(self, CRASHED, outbox, now, limit)
end

local ENDED = "SELECT 1 FROM claims WHERE outbox = ? AND due < ? LIMIT 1"

local function any_expired(self, outbox, now)
   return rows(self, ENDED, outbox, now)[1] ~= nil
end

function methods:expire(outbox, now, limit)
   local found, err = steps.step(self, any_expired, outbox, now)
   if err then return nil, err end
   if not found then return {} end
   return change(self, false, expire_all, outbox, now, limit)
end

return methods
