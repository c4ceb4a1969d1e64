-- smtp.sqlite_store: databases, and statements on them.
local outboxes = require "spec.tools.outboxes"
local store = require "smtp.sqlite_store"

local function open(path)
   return assert(store.open(path or outboxes.path(), 0))
end

local function output_of(command)
   local pipe = assert(io.popen(command))
   local text = pipe:read("*a")
   pipe:close()
   return text
end

describe("A database", function()
   after_each(outboxes.clean)

   it("is a file that only its owner can read", function()
      local path = outboxes.path()
      open(path):run "CREATE TABLE t (a)"
      assert.equal("600\n", output_of("stat -c %a " .. path))
   end)

   it("gives back what it was given", function()
      local db = open()
      assert.equal(0, db:run "CREATE TABLE t (a, b, c, d, e, f)")
      local bytes = "\0\255" .. ("x"):rep(100000)
      assert.equal(1, db:run("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", 9007199254740991, -1, 0.5,
         bytes, true, nil))
      local row = assert(db:rows("SELECT * FROM t WHERE d = ?", bytes))[1]
      assert.same({ 9007199254740991, -1, 0.5, bytes, 1 }, row)
   end)

   it("gives an empty string for an empty blob", function()
      assert.same({ { "" } }, open():rows "SELECT x''")
   end)

   it("gives rows as tables by the names of their columns", function()
      local db = open()
      assert.same({ { a = 1, b = "x" }, { a = 2 } }, db:records("SELECT 1 AS a, ? AS b UNION ALL SELECT 2, NULL", "x"))
      assert.same({}, db:records "SELECT 1 AS a WHERE 0")
      assert.equal("sqlite", select(2, db:records "SELECT * FROM missing"))
   end)

   it("tells the number of a row that was added", function()
      local db = open()
      db:run "CREATE TABLE t (a INTEGER PRIMARY KEY)"
      assert.same({ 1, 7 }, { db:run "INSERT INTO t VALUES (7)" })
   end)

   it("runs a statement again with other parameters", function()
      local db = open()
      for i = 1, 3 do assert.same({ { i } }, db:rows("SELECT ?", i)) end
      assert.same({ {} }, db:rows "SELECT ?")
   end)

   it("runs a statement once for each of many records", function()
      local db = open()
      db:run "CREATE TABLE t (a INTEGER PRIMARY KEY, b, c)"
      local insert = "INSERT INTO t VALUES (?, ?, ?)"
      local function add(records, common)
         return db:run_each(insert, { "key", "text", "of_all" }, records, common or { of_all = 7 })
      end
      assert.same({ true, true, true }, add { { key = 1, text = "x" }, { key = 2 }, { key = 3, of_all = 8 } })
      assert.same({ true, false },
         db:run_each("DELETE FROM t WHERE a = ? AND c = 8", { "key" }, { { key = 3 }, { key = 2 } }, {}))
      assert.same({}, add {})
      assert.same({ { 1, "x", 7 }, { 2, nil, 7 } }, db:rows "SELECT a, b, c FROM t ORDER BY a")
      assert.equal("constraint", select(2, add { { key = 5 }, { key = 1 }, { key = 6 } }))
      assert.same({ { 3 } }, db:rows "SELECT count(*) FROM t")
      for _, bad in ipairs { { { key = 7, text = {} } }, { 7 } } do assert.is_false(pcall(add, bad)) end
      assert.is_false(pcall(db.run_each, db, insert, nil, {}, {}))
      assert.is_false(pcall(db.run_each, db, insert, {}, {}))
      assert.same({ true }, add({ { key = 8 } }, {}))
      db:close()
      assert.equal("closed", select(2, add {}))
   end)

   -- A finalizer may run wherever a string or a table is made.
   describe("whose rows are read while a finalizer runs", function()
      local newproxy = rawget(_G, "newproxy") -- in Lua 5.1 only userdata have finalizers
      local finalize = newproxy and function(fn)
         local proxy = newproxy(true)
         getmetatable(proxy).__gc = fn
      end or function(fn) setmetatable({}, { __gc = fn }) end

      -- Rows enough for several collections.
      local function filled()
         local db = open()
         db:run "CREATE TABLE t (a)"
         for i = 1, 300 do db:run("INSERT INTO t VALUES (?)", ("%d"):format(i):rep(100)) end
         return db
      end

      -- Until a finalizer has run in the middle of a call of `read`. -> what that call returned
      local function interrupted(read, fn)
         local is_reading, has_run = false, false
         local function again()
            if has_run then return end
            if not is_reading then return finalize(again) end
            has_run = true
            fn()
         end
         finalize(again)
         -- The next collection begins at once, and ends soon, on a heap of any size (Lua 5.5 has other words). With a
         -- shorter pause Lua 5.3 would collect the whole heap at each allocation.
         local is_old, pause = pcall(collectgarbage, "setpause", 100)
         local speed = is_old and collectgarbage("setstepmul", 1000)
         local rows, word
         for _ = 1, 100000 do
            is_reading = true
            rows, word = read()
            is_reading = false
            if has_run then break end
         end
         if is_old then
            collectgarbage("setpause", pause)
            collectgarbage("setstepmul", speed)
         end
         assert(has_run, "no finalizer ran")
         return rows, word
      end

      it("is closed after that", function()
         for _, name in ipairs { "rows", "records" } do
            local db = filled()
            local rows = interrupted(function() return db[name](db, "SELECT a FROM t") end, function() db:close() end)
            assert.equal(300, #rows)
            assert.equal("closed", select(2, db:rows "SELECT 1"))
         end
      end)

      it("gives the finalizer rows of its own", function()
         local db, seen = filled(), nil
         local rows = interrupted(function() return db:rows("SELECT a FROM t WHERE a > ?", "") end, function()
            seen = #assert(db:rows("SELECT a FROM t WHERE a > ?", "1"))
         end)
         assert.equal(300, #rows)
         assert.is_true(seen > 250)
      end)

      -- Not every SQLite is built with the table sqlite_stmt.
      it("keeps one statement for each text", function()
         local db = filled()
         if not db:rows "SELECT 1 FROM sqlite_stmt" then return end
         local sql, seen = "SELECT a FROM t WHERE a > ?", nil
         local function read() return db:rows(sql, "") end
         for _ = 1, 5 do
            assert.equal(300, #interrupted(read, function() seen = #assert(db:rows(sql, "1")) end))
            assert.is_true(seen > 250)
            assert.same({ { 1 } }, db:rows("SELECT count(*) FROM sqlite_stmt WHERE sql = ?", sql))
         end
      end)

      -- The list of the names of the columns is made before the first row.
      it("gives it rows of its own before the first row, too", function()
         local db = open()
         local names = {}
         for i = 1, 100 do names[i] = "1 AS column" .. i end
         local sql = "SELECT " .. table.concat(names, ", ") .. " WHERE ? = 'outer'"
         for _ = 1, 12 do
            local rows = interrupted(function() return db:rows(sql, "outer") end, function() db:rows(sql, "inner") end)
            assert.equal(1, #rows)
         end
      end)
   end)

   it("refuses more values than the statement has parameters", function()
      local db = open()
      local ok, why = pcall(db.rows, db, "SELECT ?", 1, 2)
      assert.is_false(ok)
      assert.matches("more values", why)
   end)

   it("refuses a value that is not a string, a number or a boolean", function()
      local db = open()
      assert.is_false(pcall(db.rows, db, "SELECT ?", {}))
      assert.same({ { 1 } }, db:rows("SELECT ?", 1))
   end)

   it("says what is wrong with a statement", function()
      local db = open()
      local count, word, sentence = db:run "SELECT * FROM missing"
      assert.is_nil(count)
      assert.equal("sqlite", word)
      assert.equal("no such table: missing", sentence)
      db:run "CREATE TABLE missing (a UNIQUE)"
      assert.equal(0, db:run "SELECT * FROM missing")
      db:run("INSERT INTO missing VALUES (?)", 1)
      assert.equal("constraint", select(2, db:run("INSERT INTO missing VALUES (?)", 1)))
   end)

   it("is busy while another connection writes", function()
      local path = outboxes.path()
      local one, other = open(path), open(path)
      one:run "BEGIN IMMEDIATE"
      assert.equal("busy", select(2, other:run "BEGIN IMMEDIATE"))
      one:run "COMMIT"
      assert.equal(0, other:run "BEGIN IMMEDIATE")
   end)

   it("rolls back what is open, and otherwise does nothing", function()
      local path = outboxes.path()
      local one, other = open(path), open(path)
      one:run "CREATE TABLE t (a)"
      one:rollback()
      for _ = 1, 2 do
         one:run "BEGIN IMMEDIATE"
         one:run "INSERT INTO t VALUES (1)"
         assert.is_true(one:rollback())
         assert.equal(0, #other:rows "SELECT a FROM t")
         other:run "INSERT INTO t VALUES (2)"
         assert.equal(1, other:run "DELETE FROM t")
      end
      one:run "BEGIN IMMEDIATE"
      one:close()
      assert.is_true(one:rollback())
      assert(other:run "BEGIN IMMEDIATE")
   end)

   it("cannot be used after it was closed", function()
      local db = open()
      db:rows "SELECT 1"
      db:close()
      db:close()
      local rows, word, sentence = db:rows "SELECT 1"
      assert.same({ n = 3, "closed", "the database is closed" },
         { n = select("#", rows, word, sentence), word, sentence })
   end)

   it("does not exist where its folder does not", function()
      local db, word, sentence = store.open("/nonexistent/x.db", 0)
      assert.is_nil(db)
      assert.equal("path", word)
      assert.equal("unable to open database file", sentence)
   end)

   it("is not a database if the file has other contents", function()
      local path = outboxes.path()
      local file = io.open(path, "wb")
      file:write(("no database "):rep(1000))
      file:close()
      assert.equal("corrupt", select(2, open(path):rows "SELECT * FROM sqlite_master"))
   end)
end)
