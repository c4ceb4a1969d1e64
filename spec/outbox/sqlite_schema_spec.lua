-- Files that are no store, or not a store of this version.
local outboxes = require "spec.tools.outboxes"
local raw = require "smtp.sqlite_store"
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
      assert.matches("has version 99 of the schema, and this library knows 1", err.what)
      assert.matches("newest lua%-smtp", err.hint)
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
