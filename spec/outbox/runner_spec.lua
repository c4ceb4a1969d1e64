-- How messages are claimed, marked, sent and recorded.
local after_crash = require("smtp.outbox.doubt").after_crash
local errors = require "smtp.errors"
local outboxes = require "spec.tools.outboxes"

local message, states = outboxes.message, outboxes.states

-- Calls of the store, with what happens before and after them.
local function spied(case, name, before, after)
   local store = case.box.store
   local method = store[name]
   store[name] = function(self, ...)
      if before then
         local handled, err = before(...)
         if handled ~= nil then return handled or nil, err end
      end
      local a, b = method(self, ...)
      if after then after(a, b) end
      return a, b
   end
end

-- This runner was stopped past its lease: another one records a doubt for all that it had marked.
local function take_over(case)
   local other = outboxes.beside(case)
   local name = other.settings.name
   case.clock.time = case.clock.time + 500
   for _, record in ipairs(assert(other.store:expire(name, case.clock.time, 99))) do
      local doubt = after_crash(record, other.settings, case.clock.time)
      assert.same({ true }, (assert(other.store:commit(name, { doubt }, {}))))
   end
end

-- Does something before the store is given marks for that time.
local function before_mark(case, nth, action)
   local count = 0
   spied(case, "commit", function(_, _, marks)
      if #marks == 0 then return nil end
      count = count + 1
      if count == nth then return action() end
   end)
end

-- A run whose marks of whole flights have always served their time: each end is asked for.
local function run_asking(case)
   local time = os.time
   os.time = function() return 0 end -- luacheck: ignore
   local ok, totals, err = pcall(case.box.run, case.box, { once = true, connections = 1 })
   os.time = time -- luacheck: ignore
   assert(ok and totals, err or totals)
   return totals
end

local function store_failure()
   return false, errors.new("system", { what = "no disk", retry = "later" })
end

-- How often each recipient has got a message.
local function copies(case)
   local list = {}
   for _, one in ipairs(case.sink.messages) do
      for _, address in ipairs(one.to) do list[address] = (list[address] or 0) + 1 end
   end
   return list
end

describe("A runner", function()
   after_each(outboxes.clean)

   it("marks a message before its end is sent, for those that the server accepted", function()
      local case = outboxes.new(nil, { faults = { rcpt = function(command)
         return command:find("eve") and "451 later"
      end } })
      local id = assert(case.box:put(message("bob@example.net", "eve@example.net")))
      local seen
      case.sink:transport()
      spied(case, "commit", nil, function()
         seen = seen or { state = case.box:get(id).state, delivered = #case.sink.messages }
      end)
      assert(case.box:run { once = true })
      assert.same({ state = "ending", delivered = 0 }, seen)
      assert.equal("sent queued", states(case.box:get(id)))
   end)

   it("sends no end whose claim is gone", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      local is_first = true
      spied(case, "claim", nil, function(list)
         if not is_first or not list[1] then return end
         is_first = false
         case.clock.time = case.clock.time + 500 -- this process was stopped for so long
         assert(case.box.store:expire(case.box:stats().name, case.clock.time, 9))
      end)
      local totals = assert(case.box:run { once = true })
      assert.equal(2, case.connections)
      assert.equal(1, #case.sink.messages)
      assert.same({ sent = 1, failed = 0, doubt = 0, queued = 0 }, totals)
      assert.equal(1, #case.box:get(id).attempts)
   end)

   it("sends no end that cannot be marked", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      local failures = 0
      spied(case, "commit", function()
         failures = failures + 1
         return false, errors.new("system", { what = "no disk", retry = "never" })
      end)
      local totals, err = case.box:run { once = true }
      assert.is_nil(totals)
      assert.equal("no disk", err.what)
      assert.equal(0, #case.sink.messages)
      case.clock.time = case.clock.time + 500
      assert(outboxes.beside(case):run { once = true })
      assert.equal("sent", case.box:get(id).state)
      assert.equal(1, #case.sink.messages)
   end)

   it("queues a message again whose end could not be marked", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      local failures, before = 0, case.clock.time
      spied(case, "commit", function()
         failures = failures + 1
         if failures > 1 then return nil end
         return store_failure()
      end)
      assert.equal(1, assert(case.box:run { once = true }).sent)
      assert.truthy(case.clock.time < before + 60) -- and not when the lease has ended
      assert.equal(1, #case.sink.messages)
      assert.equal(1, #case.box:get(id).attempts)
   end)

   for _, why in ipairs { "the store fails", "the claim is gone" } do
      it("sends no second copy to those of an earlier transaction, where " .. why, function()
         local refused = false
         local case = outboxes.new(nil, { faults = { rcpt = function(command)
            if refused or not command:find "eve" then return nil end
            refused = true
            return "452 4.5.3 too many recipients"
         end } })
         local id = assert(case.box:put(message("bob@example.net", "eve@example.net")))
         before_mark(case, 2, function()
            assert.same({ ["bob@example.net"] = 1 }, copies(case))
            if why == "the store fails" then return store_failure() end
            take_over(case)
            assert.equal("doubt queued", states(case.box:get(id)))
         end)
         local totals = assert(case.box:run { once = true })
         assert.same({ ["bob@example.net"] = 1, ["eve@example.net"] = 1 }, copies(case))
         assert.equal("sent sent", states(case.box:get(id)))
         assert.same({ 0, 0 }, { totals.failed, totals.doubt })
         assert.equal("sent", case.results[#case.results].entry.state)
      end)
   end

   it("queues a flight again that another runner took to be in doubt, if no end was sent", function()
      local case = outboxes.new { server = { pipelining = "eager" } }
      for i = 1, 16 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      local doubts
      before_mark(case, 2, function()
         take_over(case)
         doubts = case.box:stats().doubt
      end)
      local totals = run_asking(case)
      for _, count in pairs(copies(case)) do assert.equal(1, count) end
      assert.is_true(doubts > 1)
      assert.equal(16, #case.sink.messages)
      assert.equal(16, case.box:stats().sent)
      assert.same({ sent = 16, failed = 0, doubt = 0, queued = 0 }, totals)
   end)

   it("sends to the recipients that are open, and to no other", function()
      local fault = "451 later"
      local case = outboxes.new(nil, { faults = { rcpt = function(command)
         if command:find("eve") then return fault end
         return command:find("zoe") and "550 5.1.1 who?"
      end } })
      local id = assert(case.box:put(message("bob@example.net", "eve@example.net",
         "zoe@example.net")))
      assert(case.box:run { once = true })
      assert.equal("sent queued failed", states(case.box:get(id)))
      fault = nil
      case.clock.time = case.clock.time + 100
      assert(case.box:run { once = true })
      assert.equal("sent sent failed", states(case.box:get(id)))
      assert.same({ "eve@example.net" }, case.sink.messages[2].to)
      assert.equal("sent", case.box:get(id).state)
   end)

   it("goes on after a recipient to whom the server does not relay", function()
      local case = outboxes.new(nil, { faults = { rcpt = function(command)
         return command:find "zoe" and "554 5.7.1 <zoe@else.example>: Relay access denied"
      end } })
      for _, to in ipairs { "zoe@else.example", "bob@there.example" } do
         assert(case.box:put(outboxes.message(to)))
      end
      assert(case.box:run { once = true })
      assert.same({ 0, 1, 1 }, { case.box:stats().queued, case.box:stats().sent, case.box:stats().failed })
      assert.equal("relay_denied", case.results[1].err.reason)
      assert.is_nil(case.box:stats().paused)
   end)

   it("keeps one connection for many messages", function()
      local case = outboxes.new()
      for i = 1, 50 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      assert(case.box:run { once = true, connections = 1 })
      assert.equal(50, #case.sink.messages)
      assert.equal(1, case.connections)
   end)

   it("sends each message once over several connections, and eagerly", function()
      local case = outboxes.new { server = { pipelining = "eager" } }
      for i = 1, 70 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      assert(case.box:run { once = true, connections = 4 })
      local seen = {}
      for _, one in ipairs(case.sink.messages) do
         assert.is_nil(seen[one.to[1]])
         seen[one.to[1]] = true
      end
      assert.equal(70, #case.sink.messages)
      assert.equal(70, case.box:stats().sent)
   end)

   it("marks the messages of a flight in one step, before any of them ends", function()
      local case, marks, steps = outboxes.new { server = { pipelining = "eager" } }, 0, 0
      for i = 1, 40 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      spied(case, "commit", function(_, _, list)
         if #list == 0 then return end
         marks, steps = marks + #list, steps + 1
         assert.truthy(#case.sink.messages < marks)
      end)
      assert(case.box:run { once = true, connections = 1 })
      assert.same({ 40, 40 }, { #case.sink.messages, marks })
      assert.truthy(steps < 12)
   end)

   it("sends the messages of a flight in few writes, once their marks are stored", function()
      local case, writes = outboxes.new { server = { pipelining = "eager" } }, 0
      local transport = case.server.transport
      function case.server.transport(...)
         local peer = transport(...)
         local send = peer.send
         function peer:send(bytes)
            writes = writes + 1
            return send(self, bytes)
         end
         return peer
      end
      local box = outboxes.beside(case)
      for i = 1, 60 do assert(box:put(message("u" .. i .. "@example.net"))) end
      assert(box:run { once = true, connections = 1 })
      assert.equal(60, #case.sink.messages)
      assert.truthy(writes < 30)
   end)

   it("asks again for the ends of a flight once its lease may be over", function()
      local case, marks = outboxes.new { server = { pipelining = "eager" } }, 0
      for i = 1, 40 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      spied(case, "commit", function(_, _, list) marks = marks + #list end)
      local totals = run_asking(case)
      assert.same({ 40, 40 }, { totals.sent, #case.sink.messages })
      assert.truthy(marks > 70)
   end)

   it("is in doubt where the connection breaks after the end was sent", function()
      local fault = "drop"
      local case = outboxes.new(nil, { faults = { final = function() return fault end } })
      local id = assert(case.box:put(message "bob@example.net"))
      local totals = assert(case.box:run { once = true })
      assert.equal(1, totals.doubt)
      local entry = case.box:get(id)
      assert.equal("doubt", entry.state)
      assert.equal("disconnected", entry.attempts[1].kind)
      assert.equal("doubt", case.results[1].entry.state)
      assert.equal("doubt", case.results[1].err.retry)
      fault = nil
      case.clock.time = case.clock.time + 400000
      assert(case.box:run { once = true })
      assert.equal("doubt", case.box:get(id).state)
      assert.is_true(case.box:resolve(id, "unsent"))
      assert(case.box:run { once = true })
      assert.equal("sent", case.box:get(id).state)
   end)

   it("renews the claims of a long send", function()
      local case = outboxes.new { lease = 1 }
      local id = assert(case.box:put(message "bob@example.net"))
      local renewed = 0
      spied(case, "renew", nil, function() renewed = renewed + 1 end)
      case.sink = nil
      local slow = require("spec.tools.server").new { capabilities = { "PIPELINING" } }
      local core, stop = require "smtp.core", nil
      slow.held = function()
         stop = stop or core.now() + 0.6
         return core.now() < stop
      end
      case.server.transport = function() return slow end
      local box = outboxes.beside(case)
      box.store = case.box.store
      assert(box:run { once = true, connections = 1 })
      assert.equal(1, #slow.taken)
      assert.equal("sent", box:get(id).state)
      assert.is_true(renewed >= 1)
   end)
end)
