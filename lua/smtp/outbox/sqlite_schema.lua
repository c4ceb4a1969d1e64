--- The tables of the SQLite store, and how files of older versions become those of this one.
-- @module smtp.outbox.sqlite_schema

local errors = require "smtp.errors"

local schema = {}

local APPLICATION = 0x6C736F62 -- "lsob": the file is an outbox
local VERSION = 2

-- A message that waits is in `queue`, one that a runner has is in `claims`, and in no other of
-- these; the others are over, in doubt, or have not arrived. `messages` has what was put, and never
-- changes; `changes` has what the newest attempt or decision made of it, once there was one. So
-- each step adds or removes short rows, and rewrites none.
local tables = {
   [[CREATE TABLE messages (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      outbox TEXT NOT NULL,
      id TEXT NOT NULL,
      due INTEGER NOT NULL,
      created INTEGER NOT NULL,
      since INTEGER NOT NULL,
      size INTEGER NOT NULL,
      facts BLOB NOT NULL,
      recipients BLOB NOT NULL,
      addresses TEXT NOT NULL,
      body BLOB)]], -- body: NULL where it is in pieces
   "CREATE UNIQUE INDEX messages_by_id ON messages (outbox, id)",
   [[CREATE TABLE pieces (
      number INTEGER NOT NULL,
      at INTEGER NOT NULL,
      body BLOB NOT NULL)]],
   "CREATE UNIQUE INDEX pieces_by_number ON pieces (number, at)",
   [[CREATE TABLE queue (
      outbox TEXT NOT NULL,
      due INTEGER NOT NULL,
      number INTEGER NOT NULL,
      PRIMARY KEY (outbox, due, number)) WITHOUT ROWID]],
   [[CREATE TABLE claims (
      number INTEGER PRIMARY KEY,
      outbox TEXT NOT NULL,
      due INTEGER NOT NULL,
      claim INTEGER NOT NULL,
      ending BLOB NOT NULL)]],
   [[CREATE TABLE changes (
      number INTEGER PRIMARY KEY,
      outbox TEXT NOT NULL,
      state TEXT NOT NULL,
      due INTEGER NOT NULL,
      since INTEGER,
      claim INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      recipients BLOB,
      history BLOB NOT NULL)]], -- since, recipients: NULL where they are as they were put
   "CREATE INDEX changes_by_state ON changes (outbox, state, due) WHERE state <> 'queued'",
   "CREATE TABLE notes (outbox TEXT PRIMARY KEY, note BLOB NOT NULL)",
   ("PRAGMA application_id = %d"):format(APPLICATION),
   ("PRAGMA user_version = %d"):format(VERSION),
}

-- Version 1 had one row for each message, and its body in another table.
local from_first = {
   "ALTER TABLE messages RENAME TO old",
   "DROP INDEX messages_by_id",
   "DROP INDEX messages_by_due",
   "ALTER TABLE pieces RENAME TO old_pieces",
   "DROP INDEX pieces_by_number",
   "ALTER TABLE notes RENAME TO old_notes",
   tables,
   [[INSERT INTO messages SELECT number, outbox, id, due, created, since, size, facts, recipients,
      addresses, (SELECT body FROM bodies WHERE number = old.number) FROM old]],
   "INSERT INTO pieces SELECT number, at, body FROM old_pieces",
   "INSERT INTO queue SELECT outbox, due, number FROM old WHERE state = 'queued'",
   "INSERT INTO claims SELECT number, outbox, due, claim, ending FROM old WHERE state = 'claimed'",
   [[INSERT INTO changes SELECT number, outbox, CASE state WHEN 'claimed' THEN 'queued' ELSE state
      END, due, since, claim, attempts, NULL, history FROM old
      WHERE state NOT IN ('queued', 'claimed') OR attempts > 0 OR history <> x'']],
   "INSERT INTO notes SELECT outbox, note FROM old_notes",
   -- Numbers are never used again.
   "DELETE FROM sqlite_sequence WHERE name = 'messages'",
   "INSERT INTO sqlite_sequence SELECT 'messages', seq FROM sqlite_sequence WHERE name = 'old'",
   "DROP TABLE old", "DROP TABLE old_pieces", "DROP TABLE old_notes", "DROP TABLE bodies",
}

-- From each version to this one: statements, and lists of them.
local migrations = { [0] = tables, [1] = from_first }

-- ---- errors ----

local reasons = {
   busy = { "store_busy", "later", "Another process keeps the file locked: try again. If that does "
      .. "not help, lslocks(8) names the process; it may have been stopped (state T of ps)" },
   full = { "store_full", "later", "Free some space on the disk" },
   corrupt = { "store_damaged", "never", "Check that the path is the one of an outbox. If it is, "
      .. "replace the file by a backup: that sends again what was sent since it was made" },
   readonly = { "store_readonly", "later",
      "Make the file, those beside it (-wal and -shm) and their folder writable" },
   path = { "store_path", "later", "Check the path: the folder has to exist, and this user has to "
      .. "be able to read and write it and the file" },
   newer = { "store_newer", "never", "Install the newest lua-smtp for all that use the file" },
   foreign = { "store_foreign", "never", "Give the outbox a file of its own" },
   memory = { "resources", "later" },
   io = { "store_io", "later", "Check the disk" },
   forked = { "store_forked", "never", "Make the outbox in the process that uses it" },
   closed = { "store_closed", "never", "Make the outbox again: it was closed" },
   toobig = { "store_toobig", "never", "Send less in one message" },
}

--- The error of a call of smtp.sqlite_store that failed.
---@param path string
---@param word string       as the call returned it
---@param sentence string
---@return nil
---@return table err        a SystemError
function schema.failure(path, word, sentence)
   local reason = reasons[word] or { "store", "never" }
   return nil, errors.new("system", { reason = reason[1], retry = reason[2], hint = reason[3],
      what = ("the store %s: %s"):format(path, sentence) })
end

-- ---- opening ----

local function value_of(db, sql)
   local rows, word, sentence = db:rows(sql)
   if not rows then return nil, word, sentence end
   return rows[1] and rows[1][1]
end

local function use_wal(db)
   local mode, word, sentence = value_of(db, "PRAGMA journal_mode = WAL")
   if mode == "wal" then return true end
   if word then return nil, word, sentence end
   return nil, "io", "SQLite cannot use a write-ahead log here: a network file system, most likely"
end

-- The first one writes, which waits for other processes: so only to a file that is new.
local new_settings = { "PRAGMA auto_vacuum = INCREMENTAL" }
local settings = { "PRAGMA foreign_keys = OFF", "PRAGMA trusted_schema = OFF" }
local wal_settings = { "PRAGMA synchronous = FULL", "PRAGMA journal_size_limit = 16777216",
   "PRAGMA temp_store = MEMORY" }

local run_all
function run_all(db, statements)
   for i = 1, #statements do
      local one = statements[i]
      local done, word, sentence
      if type(one) == "table" then
         done, word, sentence = run_all(db, one)
      else
         done, word, sentence = db:run(one)
      end
      if not done then return nil, word, sentence end
   end
   return true
end

local function check_version(db)
   local count, word, sentence = value_of(db, "SELECT count(*) FROM sqlite_master")
   if not count then return nil, word, sentence end
   local version, application
   version, word, sentence = value_of(db, "PRAGMA user_version")
   if version then application, word, sentence = value_of(db, "PRAGMA application_id") end
   if not application then return nil, word, sentence end
   if version > VERSION and application == APPLICATION then
      return nil, "newer", ("the file has version %d of the schema, and this library knows %d")
         :format(version, VERSION)
   elseif count ~= 0 and application ~= APPLICATION then
      return nil, "foreign", "the file is a database of another program"
   end
   return version
end

local function migrate(db)
   local began, word, sentence = db:run("BEGIN IMMEDIATE")
   if not began then return nil, word, sentence end
   local version, done
   version, word, sentence = check_version(db)
   if version and version < VERSION then
      done, word, sentence = run_all(db, migrations[version])
      version = done
   end
   if version then done, word, sentence = db:run("COMMIT") end
   if version and done then return true end
   db:rollback()
   return nil, word, sentence
end

--- Make a database that was opened ready: its settings, its tables. Where another process has the
-- file locked, the word is "busy", and it can be called again.
---@param db userdata   of smtp.sqlite_store
---@return true|nil
---@return string|nil word
---@return string|nil sentence
function schema.prepare(db)
   local version, word, sentence = check_version(db)
   if not version then return nil, word, sentence end
   local done
   done, word, sentence = run_all(db, version == 0 and new_settings or {})
   if done then done, word, sentence = run_all(db, settings) end
   if done then done, word, sentence = use_wal(db) end
   if done then done, word, sentence = run_all(db, wal_settings) end
   if not done or version == VERSION then return done, word, sentence end
   return migrate(db)
end

return schema
