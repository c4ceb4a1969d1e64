-- An outbox inside nginx: messages that are put in any phase.
local core = require "smtp.core"
local outboxes = require "spec.tools.outboxes"
local phases = require "spec.nginx.phases"
local raw = require "smtp.sqlite_store"

describe("an outbox", function()
   after_each(outboxes.clean)

   it("that is made in the phase init opens its file in a worker", function()
      phases.visit "content"
      local found = phases.put.init
      assert.is_true(found.ok, tostring(found.id))
      assert.same({ "usage", "phase" }, { found.err.kind, found.err.option })
      assert.matches("init_worker", found.err.hint)
   end)

   for _, phase in ipairs { "init_worker", "set", "rewrite", "access", "header_filter", "body_filter", "log",
      "balancer" } do
      it("takes a message in the phase " .. phase, function()
         phases.visit(phase)
         local found = phases.put[phase]
         assert.is_true(found.ok, tostring(found.id))
         assert.equal(phase, found.id, tostring(found.err))
         assert.equal("queued", phases.outbox():get(phase).state)
      end)
   end

   it("in Redis says which phases have no sockets", function()
      phases.visit "log"
      for _, phase in ipairs { "init", "set", "header_filter", "body_filter", "log", "balancer" } do
         local err = phases.put_into_redis[phase]
         assert.same({ "usage", "phase" }, { err.kind, err.option }, phase)
         assert.matches("the phase " .. phase, err.what, 1, true)
         assert.matches("timer", err.hint)
      end
      for _, phase in ipairs { "rewrite", "access" } do
         assert.matches("nobody", phases.put_into_redis[phase].what)
      end
   end)

   it("takes a message in a timer", function()
      local box, id = outboxes.new().box, nil
      ngx.timer.at(0, function() id = box:put(outboxes.message "bob@example.net") end)
      while not id do ngx.sleep(0.005) end
      assert.equal("queued", box:get(id).state)
   end)

   it("waits for a file that is locked, and other requests go on", function()
      local case = outboxes.new()
      local db = raw.open(case.path, 0)
      assert(db:run "BEGIN IMMEDIATE")
      local turns, going, done = 0, true, nil
      local thread = ngx.thread.spawn(function() done = case.box:put(outboxes.message "bob@example.net") end)
      local other = ngx.thread.spawn(function()
         while going do
            ngx.sleep(0.001)
            turns = turns + 1
         end
      end)
      while turns < 20 do ngx.sleep(0.001) end
      assert.is_nil(done)
      db:run "ROLLBACK"
      db:close()
      ngx.thread.wait(thread)
      going = false
      ngx.thread.wait(other)
      assert.equal("queued", case.box:get(done).state)
   end)

   it("in a phase that cannot wait gives up after a second", function()
      local lock = require "smtp.outbox.lock"
      local now = core.now()
      assert.is_true(lock.wait(now - 5))
      local can_pause = ngx.get_phase
      ngx.get_phase = function() return "log" end -- luacheck: ignore
      local found = { lock.wait(now), lock.wait(now - 5) }
      ngx.get_phase = can_pause -- luacheck: ignore
      assert.same({ true, false }, found)
   end)
end)
