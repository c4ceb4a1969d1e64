-- How a process waits while another one keeps the file of a store locked.
local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local lock = require "smtp.outbox.lock"
local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"
local sqlite = require "smtp.outbox.sqlite"
local raw = require "smtp.sqlite_store"
local user_call = require "smtp.options.user_call"
local scheduler = require "smtp.runtime.scheduler"

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

   it("lets other jobs go on meanwhile", function()
      local case = outboxes.new()
      local db = raw.open(case.path, 0)
      assert(db:run "BEGIN IMMEDIATE")
      local id, err
      assert(scheduler.run {
         function() id, err = case.box:put(outboxes.message "bob@example.net") end,
         function() db:run "ROLLBACK" end,
      })
      assert(id, tostring(err))
      db:close()
   end)

   if not environment.is_nginx() then -- which refuses `loop`
      it("lets the event loop of the caller go on meanwhile", function()
         local path, db, pauses = outboxes.path(), nil, 0
         local loop = { wait = function() return true end, sleep = function(seconds)
            assert.is_true(seconds > 0)
            pauses = pauses + 1
            if pauses % 3 == 0 then db:run "ROLLBACK" end
         end }
         db = raw.open(path, 0)
         assert(db:run "BEGIN EXCLUSIVE")
         local box = assert(smtp.outbox { store = path, server = { host = "relay.example", loop = loop } })
         assert.equal(3, pauses)
         assert(db:run "BEGIN IMMEDIATE")
         assert(box:put(outboxes.message "bob@example.net"))
         assert.equal(6, pauses)
         db:close()
      end)

      -- In Lua 5.1 the error of an event loop is raised as it is.
      it("fails where that event loop fails", function()
         local path = outboxes.path()
         local box = assert(smtp.outbox { store = path, server = { host = "relay.example", loop = {
            wait = function() return true end, sleep = function() error "broken" end } } })
         local db = raw.open(path, 0)
         assert(db:run "BEGIN IMMEDIATE")
         local ok, _, err = pcall(box.put, box, outboxes.message "bob@example.net")
         assert.equal(user_call.yields_across_pcall, ok)
         assert.equal(ok and "store_busy", err and err.reason or false)
         db:close()
      end)
   end

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
