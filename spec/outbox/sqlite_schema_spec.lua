-- Files that are no store, or not a store of this version.
local outboxes = require "spec.tools.outboxes"
local raw = require "smtp.sqlite_store"
local schema = require "smtp.outbox.sqlite_schema"
local sqlite = require "smtp.outbox.sqlite"

local function refused(path)
   local store, err = sqlite.open(path)
   assert.is_nil(store)
   assert.equal("system", err.kind)
   return err
end

describe("The file of a store", function()
   after_each(outboxes.clean)

   it("is refused if it is of a newer version", function()
      local path = outboxes.path()
      assert(sqlite.open(path)):close()
      local db = raw.open(path, 0)
      db:run "PRAGMA user_version = 99"
      db:close()
      local err = refused(path)
      assert.same({ "store_newer", "never" }, { err.reason, err.retry })
      assert.matches("has version 99 of the schema, and this library knows 2", err.what)
      assert.matches("newest lua%-smtp", err.hint)
   end)

   it("of version 1 becomes one of this version, with all that it has", function()
      local path = outboxes.path()
      local db = raw.open(path, 0)
      for _, sql in ipairs {
         [[CREATE TABLE messages (number INTEGER PRIMARY KEY AUTOINCREMENT, outbox TEXT NOT NULL, id TEXT NOT NULL,
            state TEXT NOT NULL, due INTEGER NOT NULL, claim INTEGER NOT NULL, created INTEGER NOT NULL,
            since INTEGER NOT NULL, attempts INTEGER NOT NULL, size INTEGER NOT NULL, facts BLOB NOT NULL,
            recipients BLOB NOT NULL, addresses TEXT NOT NULL, ending BLOB NOT NULL, history BLOB NOT NULL)]],
         "CREATE UNIQUE INDEX messages_by_id ON messages (outbox, id)",
         "CREATE INDEX messages_by_due ON messages (outbox, state, due)",
         "CREATE TABLE bodies (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
         "CREATE TABLE pieces (number INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL)",
         "CREATE UNIQUE INDEX pieces_by_number ON pieces (number, at)",
         "CREATE TABLE notes (outbox TEXT PRIMARY KEY, note BLOB NOT NULL)",
         "INSERT INTO notes VALUES ('box', x'01')",
         "PRAGMA application_id = 1819504482", "PRAGMA user_version = 1" } do assert(db:run(sql)) end
      local function add(number, state, due, claim, attempts, ending, history)
         assert(db:run("INSERT INTO messages VALUES (?, 'box', ?, ?, ?, ?, 5, 6, ?, 1, x'66', x'72', '', "
            .. "CAST(? AS BLOB), CAST(? AS BLOB))", number, "m" .. number, state, due, claim, attempts, ending,
            history))
         assert(db:run("INSERT INTO bodies VALUES (?, CAST(? AS BLOB))", number, "body " .. number))
      end
      add(1, "sent", 20, 7, 1, "", "h")
      add(2, "queued", 30, 7, 1, "", "h")
      add(3, "queued", 31, 0, 0, "", "")
      add(4, "claimed", 40, 8, 0, "", "")
      add(5, "claimed", 41, 9, 1, "m", "h")
      add(6, "doubt", 50, 9, 1, "", "h")
      add(7, "arriving", 60, 0, 0, "", "")
      add(8, "sent", 70, 0, 1, "", "h")
      db:run "DELETE FROM messages WHERE number = 8" -- purged: its number is not used again
      db:run "DELETE FROM bodies WHERE number = 3"
      db:run "INSERT INTO pieces VALUES (3, 1, x'70')"
      db:close()

      local store = assert(sqlite.open(path))
      assert.same({ { 2 } }, store.db:rows "PRAGMA user_version")
      assert.same({ queued = 2, claimed = 1, ending = 1, sent = 1, doubt = 1 }, (store:count "box"))
      local due, claims = {}, {}
      for i = 1, 6 do
         local one = store:get("box", "m" .. i)
         due[i], claims[i] = one.due, one.claim
         assert.same({ "f", "r", 5, 6, i == 5 and "m" or "" }, { one.facts, one.recipients, one.created, one.since,
            one.ending })
      end
      assert.same({ { 8 } }, store.db:rows "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
      assert.same({ 20, 30, 31, 40, 41, 50 }, due)
      assert.same({ 7, 7, 0, 8, 9, 9 }, claims)
      assert.is_nil((store:get("box", "m7")))
      assert.equal("\1", store:note "box")
      assert.equal("m5", store:expire("box", 45, 9)[1].id)
      local list = store:claim("box", 99, 200, 5, 9)
      assert.same({ "m2", "m3", "m4" }, { list[1].id, list[2].id, list[3].id })
      assert.same({ "body 2", nil, "body 4" }, { list[1].body, list[2].body, list[3].body })
      assert.equal("p", store:read(3, 1))
      assert.is_true(store:put("box", { id = "new", due = 1, created = 1, since = 1, size = 1, body = "x",
         facts = "f", recipients = "r", addresses = "" }))
      assert.equal(9, store:get("box", "new").number)
   end)

   it("is refused if it belongs to another program", function()
      local path = outboxes.path()
      local db = raw.open(path, 0)
      db:run "CREATE TABLE accounts (a)"
      db:close()
      local err = refused(path)
      assert.same({ "store_foreign", "never" }, { err.reason, err.retry })
      assert.matches("database of another program", err.what)
      db = raw.open(path, 0)
      assert.same({ { "accounts" } }, db:rows "SELECT name FROM sqlite_master")
      assert.same({ { "delete" } }, db:rows "PRAGMA journal_mode")
   end)

   it("is refused if it is not a database", function()
      local path = outboxes.path()
      local file = io.open(path, "wb")
      file:write(("mail "):rep(2000))
      file:close()
      local err = refused(path)
      assert.equal("store_damaged", err.reason)
      assert.equal("never", err.retry)
   end)

   it("is refused if it was cut, and never takes the process down", function()
      local path = outboxes.path()
      assert(sqlite.open(path)):close()
      local file = io.open(path, "rb")
      local bytes = file:read("*a")
      file:close()
      for _, len in ipairs { 50, 4096, 5000, #bytes - 4096 } do
         file = io.open(path, "wb")
         file:write(bytes:sub(1, len))
         file:close()
         local store, err = sqlite.open(path)
         if store then
            local count
            count, err = store:count "box"
            assert.is_nil(count)
            store:close()
         end
         assert.equal("store_damaged", err.reason)
      end
   end)

   it("is refused if its folder does not exist, with what to check", function()
      local err = refused "/nonexistent/mail.db"
      assert.equal("store_path", err.reason)
      assert.equal("later", err.retry)
      assert.matches("the store /nonexistent/mail.db", err.what)
      assert.matches("folder", err.hint)
   end)
end)

describe("a database that fails while it is opened", function()
   it("at whichever question gives its word and its sentence", function()
      local db, fails_at, count = nil, 0, nil
      local function asked(name)
         return function(_, ...)
            count = count + 1
            if count == fails_at then return nil, "io", "disk I/O error" end
            return db[name](db, ...)
         end
      end
      local failing = { run = asked "run", rows = asked "rows", rollback = function() db:rollback() end }
      repeat
         fails_at, count, db = fails_at + 1, 0, assert(raw.open(outboxes.path(), 0))
         local ok, word, sentence = schema.prepare(failing)
         if not ok then assert.same({ "io", "disk I/O error" }, { word, sentence }) end
         db:close()
      until ok
      outboxes.clean()
      assert.truthy(fails_at > 10, fails_at)
   end)
end)
