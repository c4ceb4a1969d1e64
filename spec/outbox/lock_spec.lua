-- How a process waits while another one keeps the file of a store locked.
local core = require "smtp.core"
local lock = require "smtp.outbox.lock"
local outboxes = require "spec.tools.outboxes"
local sqlite = require "smtp.outbox.sqlite"
local raw = require "smtp.sqlite_store"

describe("A store that is locked", function()
   after_each(outboxes.clean)

   it("is waited for, for ten seconds", function()
      local began = core.now()
      assert.is_true(lock.wait(began))
      assert.is_true(core.now() > began)
      assert.is_true(lock.wait(began - 9))
      assert.is_false(lock.wait(began - 10))
   end)

   it("is waited for while it is made", function()
      local path = outboxes.path()
      local db = raw.open(path, 0)
      assert(db:run "BEGIN EXCLUSIVE")
      local wait, tries = lock.wait, 0
      lock.wait = function()
         tries = tries + 1
         if tries == 3 then db:run "ROLLBACK" end
         return tries < 9
      end
      local store, err = sqlite.open(path)
      lock.wait = wait
      assert(store, tostring(err))
      assert.equal(3, tries)
      assert.same({ {} }, { store:count "box" })
      db:close()
   end)

   it("fails after that, with what to look for", function()
      local case = outboxes.new()
      local db = raw.open(case.path, 0)
      assert(db:run "BEGIN IMMEDIATE")
      local wait, tries = lock.wait, 0
      lock.wait = function()
         tries = tries + 1
         return tries < 3
      end
      local id, err = case.box:put(outboxes.message "bob@example.net")
      lock.wait = wait
      assert.is_nil(id)
      assert.equal(0, assert(outboxes.beside(case)):stats().queued) -- questions do not wait
      assert.same({ "system", "store_busy", "later", 3 }, { err.kind, err.reason, err.retry, tries })
      assert.matches(case.path .. ": database is locked", err.what, 1, true)
      assert.matches("state T", err.hint)
      db:close()
      assert(case.box:put(outboxes.message "bob@example.net"))
   end)
end)
