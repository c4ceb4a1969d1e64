--- The SQLite store: claims, marks, results, and leases that have ended.
-- @module smtp.outbox.sqlite_delivery

local steps = require "smtp.outbox.sqlite_steps"

local change, records, rows, run = steps.change, steps.records, steps.rows, steps.run

local unpack = table.unpack or unpack -- luacheck: ignore

local ALIKE_MAX = 32 -- marks in one statement

local methods = {}

-- ---- claims ----

local IS_DUE = "state = 'queued' AND due <= ? AND since <= ? ORDER BY due, %snumber LIMIT ?"
local DUE = steps.SELECT_WHOLE .. IS_DUE:format "m."
local CLAIM = "UPDATE messages SET state = 'claimed', due = ?, claim = ?, ending = x'' WHERE "
   .. "number IN (SELECT number FROM messages WHERE outbox = ? AND " .. IS_DUE:format "" .. ")"
local FOREVER = 9007199254740991

local function claim_due(self, outbox, now, lease, claim, limit, before)
   local list = records(self, DUE, outbox, now, before or FOREVER, limit)
   if not list[1] then return list end
   run(self, CLAIM, lease, claim, outbox, now, before or FOREVER, limit)
   for i = 1, #list do
      local record = list[i]
      record.state, record.due, record.claim, record.ending = "claimed", lease, claim, ""
   end
   return list
end

function methods:claim(outbox, now, lease, claim, limit, before)
   return change(self, false, claim_due, outbox, now, lease, claim, limit, before)
end

local function renew_all(self, numbers, claims, lease)
   local count = 0
   for i = 1, #numbers do
      count = count + (run(self, "UPDATE messages SET due = ? WHERE number = ? AND claim = ? AND "
         .. "state = 'claimed'", lease, numbers[i], claims[i]))
   end
   return count
end

function methods:renew(_, numbers, claims, lease)
   return change(self, false, renew_all, numbers, claims, lease)
end

-- ---- results and marks ----

local SETTLE = "UPDATE messages SET state = ?, due = ?, recipients = CAST(? AS BLOB), "
   .. "attempts = ?, history = CAST(history || ? AS BLOB), ending = x''%s WHERE number = ? AND "
   .. "claim = ?%s"
local SETTLE_ATTEMPT = SETTLE:format("", "")
local SETTLE_ANY = SETTLE:format(", since = coalesce(?, since), claim = coalesce(?, claim)",
   " AND (? IS NULL OR " .. steps.STATE .. " = ?)")
local MARK = "UPDATE messages SET ending = CAST(ending || ? AS BLOB) WHERE claim = ? AND "
   .. "state = 'claimed' AND number "
local MARK_ONE = MARK .. "= ?"

-- Most results are those of an attempt.
local function settle(self, one)
   if not (one.since or one.new_claim or one.from) then
      return run(self, SETTLE_ATTEMPT, one.state, one.due, one.recipients, one.attempts,
         one.history, one.number, one.claim) == 1
   end
   return run(self, SETTLE_ANY, one.state, one.due, one.recipients, one.attempts, one.history,
      one.since, one.new_claim, one.number, one.claim, one.from, one.from) == 1
end

-- By how many messages they are for: statements for marks with the same bytes.
local mark_some = {}

-- The marks of a flight are alike: one statement writes them. -> did all of them count?
local function mark_alike(self, marks)
   local first, numbers = marks[1], {}
   if #marks < 2 or #marks > ALIKE_MAX then return false end
   for i = 1, #marks do
      if marks[i].claim ~= first.claim or marks[i].bytes ~= first.bytes then return false end
      numbers[i] = marks[i].number
   end
   local sql = mark_some[#marks] or MARK .. "IN (?" .. (", ?"):rep(#marks - 1) .. ")"
   mark_some[#marks] = sql
   return run(self, sql, first.bytes, first.claim, unpack(numbers)) == #marks
end

-- A mark that is written twice is one mark.
local function mark_all(self, marks)
   local marked, all = {}, mark_alike(self, marks)
   for i = 1, #marks do
      local one = marks[i]
      marked[i] = all or run(self, MARK_ONE, one.bytes, one.claim, one.number) == 1
   end
   return marked
end

local function commit_all(self, settled, marks)
   local done = {}
   for i = 1, #settled do done[i] = settle(self, settled[i]) end
   return done, mark_all(self, marks)
end

function methods:commit(_, settled, marks)
   return change(self, true, commit_all, settled, marks)
end

-- ---- leases that have ended ----

local CRASHED = steps.SELECT .. "state = 'claimed' AND due < ? AND ending <> x'' ORDER BY due "
   .. "LIMIT ?"

local function expire_all(self, outbox, now, limit)
   run(self, "UPDATE messages SET state = 'queued', claim = 0 WHERE outbox = ? AND "
      .. "state = 'claimed' AND due < ? AND ending = x''", outbox, now)
   return records(self, CRASHED, outbox, now, limit)
end

local ENDED = "SELECT 1 FROM messages WHERE outbox = ? AND state = 'claimed' AND due < ? LIMIT 1"

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
