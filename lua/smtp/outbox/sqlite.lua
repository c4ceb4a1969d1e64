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

local FIRST_DUE = "SELECT min(due) FROM (SELECT min(due) AS due FROM queue WHERE outbox = ?1 "
   .. "UNION ALL SELECT min(due) FROM claims WHERE outbox = ?1)"

local function first_due(self, outbox)
   return rows(self, FIRST_DUE, outbox)[1][1]
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

local IS_THERE = "m.outbox = ?1 AND c.state IS NOT 'arriving' AND "
local GET = steps.SELECT .. IS_THERE .. "m.id = ?2"

local function one(self, outbox, id)
   return records(self, GET, outbox, id)[1]
end

function Store:get(outbox, id)
   return steps.step(self, one, outbox, id)
end

-- The numbers of the messages of one state are in one index.
local HAS = "(?4 IS NULL OR instr(m.addresses, ?4) > 0)"
local LIST = steps.SELECT:gsub("FROM messages m", "%0 NOT INDEXED") .. IS_THERE .. HAS
   .. " AND m.number > ?2 ORDER BY m.number LIMIT ?3"
local LIST_OF = steps.SELECT .. "m.number IN (SELECT s.number FROM %s s WHERE s.outbox = ?1 AND "
   .. "s.number > ?2%s AND (?4 IS NULL OR EXISTS (SELECT 1 FROM messages m WHERE m.number = "
   .. "s.number AND " .. HAS .. ")) ORDER BY s.number LIMIT ?3) ORDER BY m.number"
local LIST_OF_STATE = LIST_OF:format("changes", " AND s.state = ?5 AND s.state <> 'queued'")
local LIST_QUEUED = LIST_OF:format("queue", "")
local BEFORE = " AND (?5 IS NULL OR s.due < ?5)"
local lists = { claimed = LIST_OF:format("claims", " AND s.ending = x''" .. BEFORE),
   ending = LIST_OF:format("claims", " AND s.ending <> x''" .. BEFORE) }

local function listed(self, outbox, filter)
   local address = filter.address and "\n" .. filter.address .. "\n"
   local after, state = filter.after or 0, filter.state
   if not state or state == "queued" then
      return records(self, state and LIST_QUEUED or LIST, outbox, after, filter.limit, address)
   end
   local sql, value = LIST_OF_STATE, state
   if lists[state] then sql, value = lists[state], filter.before end
   return records(self, sql, outbox, after, filter.limit, address, value)
end

function Store:list(outbox, filter)
   return steps.step(self, listed, outbox, filter)
end

local COUNT = "SELECT 'queued', count(*) FROM queue WHERE outbox = ?1 UNION ALL "
   .. "SELECT CASE WHEN ending = x'' THEN 'claimed' ELSE 'ending' END AS state, count(*) "
   .. "FROM claims WHERE outbox = ?1 GROUP BY 1 UNION ALL SELECT state, count(*) FROM changes "
   .. "WHERE outbox = ?1 AND state <> 'queued' AND state <> 'arriving' GROUP BY state"

local function counts(self, outbox)
   local by_state = {}
   local list = rows(self, COUNT, outbox)
   for i = 1, #list do
      local state, count = list[i][1], list[i][2]
      if count > 0 then by_state[state] = count end
   end
   return by_state, rows(self, "SELECT min(due) FROM queue WHERE outbox = ?", outbox)[1][1]
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
      what = "smtp.outbox keeps its messages in SQLite, and needs the module smtp.sqlite_store: "
         .. why,
      hint = "Install libsqlite3-dev, and make install again; with LuaRocks, install "
         .. "lua-smtp-outbox" })
end

-- No statement waits for a lock by itself: smtp.outbox.lock does that.
local function open_database(path, server)
   local module, why = system.load "smtp.sqlite_store"
   if not module then return nil, no_module(why) end
   local db, word, sentence = module.open(path, 0)
   if not db then return schema.failure(path, word, sentence) end
   local began = core.now()
   local done
   repeat
      done, word, sentence = schema.prepare(db)
   until done or word ~= "busy" or not lock.wait(began, server)
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
   local db, err = open_database(self.path, self.server)
   if db and self.db then db:close() end -- another job has opened it meanwhile
   self.db = self.db or db
   return db and true, err
end

--- Open a store.
---@param path string     of the file, which is made if it does not exist
---@param server? table   the options of the connection: see smtp.outbox.lock
---@return smtp.SqliteStore|nil
---@return table|nil err   a SystemError
local function open(path, server)
   local self = setmetatable({ db = nil, path = path, server = server, lasting = true }, Store)
   if lock.is_master() then return self end
   local ok, err = self:reopen()
   return ok and self, err
end

return { open = open }
