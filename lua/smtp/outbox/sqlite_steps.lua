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

-- Run a step until it succeeds or fails. While another process keeps the file locked, it waits.
-- No step yields inside a transaction: all jobs of a process share one connection.
local function attempt(self, began, fn, ...)
   local ok, a, b, c = pcall(fn, self, ...)
   if ok then return a, b, c end
   self.db:run("ROLLBACK") -- without a transaction this fails, and does nothing
   if type(a) ~= "table" then error(a, 0) end
   if errors.is(a) then return nil, a end
   if a.word == "busy" and lock.wait(began) then return attempt(self, began, fn, ...) end
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

--- The state of a message. A mark does not change the column `state`, so that it need not change an
-- index.
steps.STATE = "CASE WHEN state = 'claimed' AND ending <> x'' THEN 'ending' ELSE state END"

local COLUMNS = ("number, id, %s AS state, due, claim, created, since, attempts, size, facts, "
   .. "recipients, addresses, ending, history"):format(steps.STATE)

--- The beginning of a statement for records; its first parameter is the name of the outbox.
steps.SELECT = "SELECT " .. COLUMNS .. " FROM messages WHERE outbox = ? AND "

--- That of a statement for records with their bodies; `m` has the columns of the message.
steps.SELECT_WHOLE = "SELECT m." .. COLUMNS
   .. ", b.body FROM messages m LEFT JOIN bodies b ON b.number = m.number WHERE outbox = ? AND "

return steps
