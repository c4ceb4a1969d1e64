--- Steps of the SQLite store: statements that succeed or fail together, and rows as records.
-- @module smtp.outbox.sqlite_steps

local core = require "smtp.core"
local errors = require "smtp.errors"
local lock = require "smtp.outbox.lock"
local schema = require "smtp.outbox.sqlite_schema"

local steps = {}

-- ---- steps ----

-- Run one statement. Raises the failure, which `step` returns.
-- -> how many rows it changed; the number of the newest row that was added
function steps.run(self, sql, ...)
   local count, word, sentence = self.db:run(sql, ...)
   if not count then error({ word = word, sentence = sentence }, 0) end
   return count, word
end

--- Run one statement for each record: its parameters are these fields of the record, or, where it
-- has none, of `common`.
-- -> a list: did each run change a row?
function steps.run_each(self, sql, fields, records, common)
   if not records[1] then return {} end
   local list, word, sentence = self.db:run_each(sql, fields, records, common)
   if not list then error({ word = word, sentence = sentence }, 0) end
   return list
end

-- -> lists of values
function steps.rows(self, sql, ...)
   local list, word, sentence = self.db:rows(sql, ...)
   if not list then error({ word = word, sentence = sentence }, 0) end
   return list
end

-- -> tables of values by the names of their columns
function steps.records(self, sql, ...)
   local list, word, sentence = self.db:records(sql, ...)
   if not list then error({ word = word, sentence = sentence }, 0) end
   return list
end

-- After a step that failed. The next one opens a database again that could not end its transaction.
local function roll_back(self)
   local _, is_over = pcall(self.db.rollback, self.db)
   if is_over ~= false then return end
   self.db:close()
   self.db, self.lasting = nil, true
end

-- Run a step until it succeeds or fails. While another process keeps the file locked, it waits.
-- No step yields inside a transaction: all jobs of a process share one connection.
local function attempt(self, began, fn, ...)
   local ok, a, b, c = pcall(fn, self, ...)
   if ok then return a, b, c end
   roll_back(self)
   if type(a) ~= "table" then error(a, 0) end
   if errors.is(a) then return nil, a end
   if a.word == "busy" and self.db and lock.wait(began, self.server) then
      return attempt(self, began, fn, ...)
   end
   return schema.failure(self.path, a.word, a.sentence)
end

-- What one step returns, nil and an error if it fails.
function steps.step(self, fn, ...)
   if not self.db then
      local ok, err = self:reopen()
      if not ok then return nil, err end
   end
   return attempt(self, core.now(), fn, ...)
end

-- A step that changes something. A lasting one is on the disk when it returns.
local function transaction(self, lasting, fn, ...)
   self.db:rollback() -- an earlier step may have had no memory for that either
   if lasting ~= self.lasting then
      steps.run(self, lasting and "PRAGMA synchronous = FULL" or "PRAGMA synchronous = NORMAL")
      self.lasting = lasting
   end
   steps.run(self, "BEGIN IMMEDIATE")
   local a, b, c = fn(self, ...)
   steps.run(self, "COMMIT")
   return a, b, c
end

function steps.change(self, lasting, fn, ...)
   return steps.step(self, transaction, lasting, fn, ...)
end

-- ---- records ----

local COLUMNS = "m.number, m.id, %s AS state, %s AS due, %s AS claim, m.created, "
   .. "coalesce(c.since, m.since) AS since, coalesce(c.attempts, 0) AS attempts, m.size, m.facts, "
   .. "coalesce(c.recipients, m.recipients) AS recipients, m.addresses, %s AS ending, "
   .. "coalesce(c.history, x'') AS history"

local STATE = "CASE WHEN k.claim IS NULL THEN coalesce(c.state, 'queued') WHEN k.ending = x'' THEN "
   .. "'claimed' ELSE 'ending' END"

--- When a message that is not claimed is due, or since when it has its state.
steps.DUE = "coalesce(c.due, m.due)"

--- `m`, a message, with `c`, what changed of it.
steps.CHANGED = "messages m LEFT JOIN changes c ON c.number = m.number"

local CLAIMED = steps.CHANGED .. " LEFT JOIN claims k ON k.number = m.number"

--- The beginning of a statement for records: of messages m.
steps.SELECT = "SELECT " .. COLUMNS:format(STATE, "coalesce(k.due, " .. steps.DUE .. ")",
   "coalesce(k.claim, c.claim, 0)", "coalesce(k.ending, x'')") .. " FROM " .. CLAIMED .. " WHERE "

--- That of a statement for the records, with their bodies, of messages that wait: those of queue q.
steps.SELECT_QUEUED = "SELECT "
   .. COLUMNS:format("'queued'", "q.due", "coalesce(c.claim, 0)", "x''") .. ", m.body FROM queue q "
   .. "CROSS JOIN " .. steps.CHANGED .. " WHERE m.number = q.number AND "

--- The state, the claim, the time `due` and the lease of one message, by its number.
steps.SELECT_STATE = "SELECT " .. STATE .. ", coalesce(k.claim, c.claim, 0), " .. steps.DUE
   .. ", k.due FROM " .. CLAIMED .. " WHERE m.number = ?"

return steps
