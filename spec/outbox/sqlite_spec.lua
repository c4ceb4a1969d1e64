-- The SQLite store.
local contract = require "spec.tools.store_contract"
local outboxes = require "spec.tools.outboxes"
local sqlite = require "smtp.outbox.sqlite"

local function record(id, body)
   return { id = id, due = 1, created = 1, since = 1, size = 1, body = body or "x", facts = "f",
      recipients = "r", addresses = "\na@x.example\n" }
end

local function size_of(path)
   local file = assert(io.open(path, "rb"))
   local size = file:seek "end"
   file:close()
   return size
end

describe("The SQLite store", function()
   after_each(outboxes.clean)

   contract.describe(function() return assert(sqlite.open(outboxes.path())) end)

   it("keeps its messages when it is closed", function()
      local path = outboxes.path()
      local store = assert(sqlite.open(path))
      assert.is_true(store:put("box", record "a"))
      store:close()
      assert.equal("a", sqlite.open(path):get("box", "a").id)
   end)

   it("waits for the disk after what must not be lost, and for nothing else", function()
      local store = assert(sqlite.open(outboxes.path()))
      local function lasts(name, ...)
         local result, err = store[name](store, ...)
         assert(err == nil or type(err) == "table" and not err.kind, tostring(err))
         return name .. " " .. tostring(store.lasting), result
      end
      assert.equal("put true", (lasts("put", "box", record "a")))
      local said, list = lasts("claim", "box", 9, 99, 5, 1)
      assert.equal("claim false", said)
      local mark = { number = list[1].number, claim = 5, bytes = "m" }
      assert.equal("set_note true", (lasts("set_note", "box", "", "x")))
      assert.equal("renew false", (lasts("renew", "box", { list[1].number }, { 5 }, 200)))
      assert.equal("commit true", (lasts("commit", "box", {}, { mark })))
      assert.equal("expire false", (lasts("expire", "box", 999, 9)))
      assert.equal("purge true", (lasts("purge", "box", 999)))
      local given = 0
      local function pieces()
         given = given + 1
         return given <= 3 and "x" or nil
      end
      assert.equal("put true", (lasts("put", "box", record "b", pieces)))
   end)

   it("returns an error after it was closed", function()
      local store = assert(sqlite.open(outboxes.path()))
      store:close()
      local done, err = store:put("box", record "a")
      assert.is_nil(done)
      assert.equal("system", err.kind)
      assert.matches("the database is closed", err.what)
      assert.same({ "store_closed", "never", "Make the outbox again: it was closed" },
         { err.reason, err.retry, err.hint })
   end)

   -- From its first INSERT on, a step with this database has no memory; for so many calls, not for a rollback either.
   local function lacking(db, rollbacks)
      local lacks = false
      return setmetatable({}, { __index = function(_, name)
         return function(_, sql, ...)
            lacks = lacks or name == "run" and sql:find "^INSERT" ~= nil
            if name == "rollback" and lacks then rollbacks = rollbacks - 1 end
            if lacks and (name ~= "rollback" or rollbacks >= 0) then error("not enough memory", 0) end
            return db[name](db, sql, ...)
         end
      end })
   end

   it("leaves the file to others when Lua has no memory in the middle of a step", function()
      local path = outboxes.path()
      local store, other = assert(sqlite.open(path)), assert(sqlite.open(path))
      store.db = lacking(store.db, 0)
      assert.same({ false, "not enough memory" }, { pcall(store.put, store, "box", record "a") })
      assert.equal(0, other.db:run "BEGIN IMMEDIATE")
   end)

   it("goes on after that, even if there was no memory for the end of the step either", function()
      local store = assert(sqlite.open(outboxes.path()))
      local db = store.db
      store.db = lacking(db, 1)
      assert.is_false(pcall(store.put, store, "box", record "a"))
      store.db = db
      assert.same({}, store:claim("box", 9, 99, 5, 1)) -- unlike put, it does not wait for the disk: a pragma
      assert.is_true(store:put("box", record "b"))
      assert.is_nil(store:get("box", "a"))
   end)

   it("opens its file again where SQLite could not end a step that failed", function()
      local path = outboxes.path()
      local store, other = assert(sqlite.open(path)), assert(sqlite.open(path))
      local db = store.db
      store.db = { rollback = function() return false end, close = function() db:close() end,
         run = function(_, sql, ...)
            if sql:find "^INSERT" then return nil, "memory", "out of memory" end
            return db:run(sql, ...)
         end }
      local done, err = store:put("box", record "a")
      assert.is_nil(done)
      assert.same({ "resources", "later" }, { err.reason, err.retry })
      assert.is_true(other:put("box", record "b"))
      assert.is_true(store:put("box", record "c"))
      assert.is_nil(store:get("box", "a"))
   end)

   it("says that it is busy where it could not end a step either", function()
      local store = assert(sqlite.open(outboxes.path()))
      local db = store.db
      store.db = { rollback = function() return false end, close = function() db:close() end,
         run = function() return nil, "busy", "the database is locked" end }
      local done, err = store:put("box", record "a")
      assert.is_nil(done)
      assert.same({ "store_busy", "later" }, { err.reason, err.retry })
      assert.is_true(store:put("box", record "a"))
   end)

   it("is one store for all that open the file", function()
      local path = outboxes.path()
      local one, other = assert(sqlite.open(path)), assert(sqlite.open(path))
      one:put("box", record "a")
      assert.equal("a", other:claim("box", 9, 99, 5, 1)[1].id)
      assert.same({}, one:claim("box", 9, 99, 6, 1))
   end)

   it("puts a message anew of which a part has arrived", function()
      local store = assert(sqlite.open(outboxes.path()))
      for _, kind in ipairs { "short", "long" } do
         local at = 0
         local function pieces()
            at = at + 1
            if at == 20 then
               local again = kind == "long" and function()
                  at = at + 1
                  return at < 40 and "again" or nil
               end or nil
               assert.is_true(store:put("box", record(kind), again))
            end
            return at < 60 and "piece" or nil
         end
         local done, err = store:put("box", record(kind), pieces)
         assert.is_nil(done)
         assert.equal("store_busy", err.reason)
      end
      assert.equal("x", store:claim("box", 9, 99, 5, 1)[1].body)
      local long = store:claim("box", 9, 99, 5, 1)[1]
      assert.equal("again", store:read(long.number, 1))
      assert.equal(19, store.db:rows "SELECT count(*) FROM pieces"[1][1])
   end)

   it("gives space on the disk back after messages are gone", function()
      local path = outboxes.path()
      local store = assert(sqlite.open(path))
      for i = 1, 40 do assert(store:put("box", record("m" .. i, ("x"):rep(60000)))) end
      local results = {}
      for i, one in ipairs(store:claim("box", 9, 99, 5, 50)) do
         results[i] = { number = one.number, claim = 5, state = "sent", due = 10, recipients = "r",
            attempts = 1, history = "" }
      end
      store:commit("box", results, {})
      store:close()
      local before = size_of(path)
      store = assert(sqlite.open(path))
      assert.equal(40, store:purge("box", 20))
      store:close()
      assert.is_true(before > 2400000)
      assert.is_true(size_of(path) < before - 1000000)
   end)

   it("builds no statement from text", function()
      local store = assert(sqlite.open(outboxes.path()))
      local odd = "x'); DROP TABLE messages; --\0\""
      assert.is_true(store:put(odd, { id = odd, due = 1, created = 1, since = 1, size = 1,
         body = odd, facts = odd, recipients = odd, addresses = "\n" .. odd .. "\n" }))
      local got = store:claim(odd, 9, 99, 5, 1)[1]
      assert.same({ odd, odd, odd }, { got.id, got.body, got.facts })
      assert.equal(odd, store:list(odd, { limit = 1, address = odd })[1].id)
   end)
end)
