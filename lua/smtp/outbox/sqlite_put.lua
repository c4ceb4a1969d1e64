--- The SQLite store: how messages arrive in it, and leave it.
-- @module smtp.outbox.sqlite_put

local errors = require "smtp.errors"
local steps = require "smtp.outbox.sqlite_steps"
local stores = require "smtp.outbox.store"
local thread = require "smtp.outbox.sqlite_thread"

local change, rows, run = steps.change, steps.rows, steps.run

local PIECES_IN_STEP = 16   -- of a body that arrives: others may write between two steps
local ARRIVING = 86400      -- seconds after which a message that has not arrived never will
local PAGES_FREED = 2048    -- at once, after messages were removed
local PURGED_MAX = 500      -- messages removed at once

local methods = {}

-- ---- put ----

local INSERT = "INSERT INTO messages (outbox, id, due, created, since, size, facts, recipients, "
   .. "addresses, body) VALUES (?, ?, ?, ?, ?, ?, CAST(? AS BLOB), CAST(? AS BLOB), ?, "
   .. "CAST(? AS BLOB)) ON CONFLICT (outbox, id) DO NOTHING"
local ENTER_QUEUE = "INSERT INTO queue (outbox, due, number) VALUES (?, ?, ?)"
local FIND = "SELECT m.number, c.state FROM " .. steps.CHANGED .. " WHERE m.outbox = ? AND m.id = ?"
local ARRIVES = "INSERT INTO changes (number, outbox, state, due, claim, attempts, history) "
   .. "VALUES (?, ?, 'arriving', ?, 0, 0, x'')"
local HAS_ARRIVED = "DELETE FROM changes WHERE number = ? AND state = 'arriving'"

local function remove(self, number)
   run(self, "DELETE FROM pieces WHERE number = ?", number)
   run(self, "DELETE FROM changes WHERE number = ?", number)
   run(self, "DELETE FROM messages WHERE number = ?", number)
end

-- -> the number of the new message; false: there is one with this id. Another process may be in the
-- middle of putting the same message: the later one wins, because the earlier one may have died.
local function insert(self, outbox, record, body)
   local count, number = run(self, INSERT, outbox, record.id, record.due, record.created,
      record.since, record.size, record.facts, record.recipients, record.addresses, body)
   if count == 1 then return number end
   local found = rows(self, FIND, outbox, record.id)[1]
   if found[2] ~= "arriving" then return false end
   remove(self, found[1])
   return insert(self, outbox, record, body)
end

local function put_whole(self, outbox, record)
   local number = insert(self, outbox, record, record.body)
   if not number then return false end
   run(self, ENTER_QUEUE, outbox, record.due, number)
   return true
end

local function begin_pieces(self, outbox, record)
   local number = insert(self, outbox, record)
   if number then run(self, ARRIVES, number, outbox, record.created + ARRIVING) end
   return number
end

-- -> false: another process has put the message anew
local function add_pieces(self, number, first, list)
   if not rows(self, "SELECT 1 FROM messages WHERE number = ?", number)[1] then return false end
   for i = 1, #list do
      run(self, "INSERT INTO pieces (number, at, body) VALUES (?, ?, CAST(? AS BLOB))", number,
         first + i - 1, list[i])
   end
   return true
end

local function finish_pieces(self, outbox, number, due)
   if run(self, HAS_ARRIVED, number) == 0 then return false end
   run(self, ENTER_QUEUE, outbox, due, number)
   return true
end

-- -> true, or as put
local function add_all(self, number, pieces)
   local count, more = 0, true
   while more do
      local list
      list, more = stores.take_pieces(pieces, PIECES_IN_STEP)
      if not list then
         change(self, false, remove, number)
         return nil, more
      end
      local added, err = change(self, false, add_pieces, number, count + 1, list)
      if not added then return added, err end
      count = count + #list
   end
   return true
end

local function put_pieces(self, outbox, record, pieces)
   local number, err = change(self, false, begin_pieces, outbox, record)
   if not number then return number, err end
   local done
   done, err = add_all(self, number, pieces)
   if done then done, err = change(self, true, finish_pieces, outbox, number, record.due) end
   if done == false then -- another process has put it anew
      return errors.caught(errors.new("system", { reason = "store_busy", retry = "later",
         what = "another process is putting the message " .. record.id }))
   end
   return done, err
end

function methods:put(outbox, record, pieces)
   if pieces then return put_pieces(self, outbox, record, pieces) end
   local done, is_new, err = thread.put(self.path, outbox, record)
   if done then return is_new, err end
   return change(self, true, put_whole, outbox, record)
end

-- ---- what is no longer needed ----

local OLD = "SELECT number FROM changes WHERE outbox = ? AND state IN ('sent', 'failed', "
   .. "'cancelled', 'arriving') AND state <> 'queued' AND due < ? LIMIT ?" -- as the index says

local function purge_some(self, outbox, before)
   local list = rows(self, OLD, outbox, before, PURGED_MAX)
   for i = 1, #list do remove(self, list[i][1]) end
   return #list
end

-- The pages that became free go back to the file system, a few at a time.
local function shrink(self)
   return rows(self, ("PRAGMA incremental_vacuum(%d)"):format(PAGES_FREED))
end

function methods:purge(outbox, before)
   local count, err = change(self, true, purge_some, outbox, before)
   if not count or count == 0 then return count, err end
   local shrunk
   shrunk, err = steps.step(self, shrink)
   return shrunk and count, err
end

return methods
