--- The SQLite store: see smtp.outbox.store for what each method does. One file, several processes.
-- @module smtp.outbox.sqlite

local core = require "smtp.core"
local delivery = require "smtp.outbox.sqlite_delivery"
local errors = require "smtp.errors"
local lock = require "smtp.outbox.lock"
local put = require "smtp.outbox.sqlite_put"
local schema = require "smtp.outbox.sqlite_schema"
local steps = require "smtp.outbox.sqlite_steps"
local system = require "smtp.ground.resources"

local change, records, rows, run = steps.change, steps.records, steps.rows, steps.run

---@class smtp.SqliteStore
local Store = { __name = "smtp.SqliteStore" }
Store.__index = Store

for _, methods in ipairs { put, delivery } do
   for name, method in next, methods do Store[name] = method end
end

-- ---- questions ----

local function first_due(self, outbox)
   return rows(self, "SELECT min(due) FROM (SELECT min(due) AS due FROM messages WHERE outbox = ?1 "
      .. "AND state = 'queued' UNION ALL SELECT min(due) FROM messages WHERE outbox = ?1 AND "
      .. "state = 'claimed')", outbox)[1][1]
end

function Store:due_at(outbox)
   return steps.step(self, first_due, outbox)
end

local function piece(self, number, at)
   local row = rows(self, "SELECT body FROM pieces WHERE number = ? AND at = ?", number, at)[1]
   return row and row[1]
end

function Store:read(number, at)
   return steps.step(self, piece, number, at)
end

local GET = steps.SELECT .. "id = ? AND state <> 'arriving'"

local function one(self, outbox, id)
   return records(self, GET, outbox, id)[1]
end

function Store:get(outbox, id)
   return steps.step(self, one, outbox, id)
end

-- Messages of one state are found by the index of states; all of them need no index.
local IN_ORDER = "number > ?2 AND (?4 IS NULL OR instr(addresses, ?4) > 0) ORDER BY number LIMIT ?3"
local LIST = steps.SELECT:gsub("FROM messages", "%0 NOT INDEXED") .. "state <> 'arriving' AND "
   .. IN_ORDER
local LIST_OF_STATE = steps.SELECT .. "state = ?5 AND " .. steps.STATE .. " = ?6 AND " .. IN_ORDER

local function listed(self, outbox, filter)
   local address = filter.address and "\n" .. filter.address .. "\n"
   local after, state = filter.after or 0, filter.state
   if not state then return records(self, LIST, outbox, after, filter.limit, address) end
   return records(self, LIST_OF_STATE, outbox, after, filter.limit, address,
      state == "ending" and "claimed" or state, state)
end

function Store:list(outbox, filter)
   return steps.step(self, listed, outbox, filter)
end

local COUNT = "SELECT state, count(*) FROM messages WHERE outbox = ? AND state <> 'arriving' "
   .. "GROUP BY state"
local COUNT_ENDING = "SELECT count(*) FROM messages WHERE outbox = ? AND state = 'claimed' AND "
   .. "ending <> x''"

local function counts(self, outbox)
   local by_state = {}
   local list = rows(self, COUNT, outbox)
   for i = 1, #list do by_state[list[i][1]] = list[i][2] end
   local ending = by_state.claimed and rows(self, COUNT_ENDING, outbox)[1][1] or 0
   if ending > 0 then
      by_state.claimed, by_state.ending = by_state.claimed - ending, ending
      if by_state.claimed == 0 then by_state.claimed = nil end
   end
   local oldest = rows(self, "SELECT min(due) FROM messages WHERE outbox = ? AND state = 'queued'",
      outbox)[1][1]
   return by_state, oldest
end

function Store:count(outbox)
   return steps.step(self, counts, outbox)
end

local function all_names(self)
   local list = rows(self, "SELECT DISTINCT outbox FROM messages ORDER BY outbox")
   for i = 1, #list do list[i] = list[i][1] end
   return list
end

--- The names of the outboxes in this file, which the command shows.
function Store:names()
   return steps.step(self, all_names)
end

-- ---- notes ----

local function note_of(self, outbox)
   local row = rows(self, "SELECT note FROM notes WHERE outbox = ?", outbox)[1]
   return row and row[1] or ""
end

function Store:note(outbox)
   return steps.step(self, note_of, outbox)
end

local function replace_note(self, outbox, old, new)
   if note_of(self, outbox) ~= old then return false end
   run(self, "INSERT OR REPLACE INTO notes (outbox, note) VALUES (?, CAST(? AS BLOB))", outbox, new)
   return true
end

function Store:set_note(outbox, old, new)
   return change(self, true, replace_note, outbox, old, new)
end

-- ---- opening and closing ----

function Store:close()
   if self.db then self.db:close() end
   return true
end

local function no_module(why)
   return errors.new("system", { reason = "not_installed", retry = "never",
      what = "smtp.outbox keeps its messages in SQLite, and the module smtp.sqlite_store cannot be "
         .. "loaded: " .. why, hint = "Install the rock lua-smtp-outbox" })
end

-- No statement waits for a lock by itself: smtp.outbox.lock does that.
local function open_database(path)
   local module, why = system.load "smtp.sqlite_store"
   if not module then return nil, no_module(why) end
   local db, word, sentence = module.open(path, 0)
   if not db then return schema.failure(path, word, sentence) end
   local began = core.now()
   local done
   repeat
      done, word, sentence = schema.prepare(db)
   until done or word ~= "busy" or not lock.wait(began)
   if done then return db end
   db:close()
   return schema.failure(path, word, sentence)
end

--- Open the file, where that was left to its first use.
---@return true|nil
---@return table|nil err
function Store:reopen()
   if lock.is_master() then
      return nil, errors.usage("phase", "nginx opens no outbox in the phase init",
         "Use the outbox from init_worker_by_lua on")
   end
   local db, err = open_database(self.path)
   self.db = self.db or db -- another job may have opened it meanwhile
   return db and true, err
end

--- Open a store.
---@param path string   of the file, which is made if it does not exist
---@return smtp.SqliteStore|nil
---@return table|nil err   a SystemError
local function open(path)
   local self = setmetatable({ db = nil, path = path, lasting = true }, Store)
   if lock.is_master() then return self end
   local ok, err = self:reopen()
   return ok and self, err
end

return { open = open }
