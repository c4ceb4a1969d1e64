-- outbox:run over time: retries, pauses, crashes, stopping. The clock is set by the waiting itself.
local environment = require "smtp.runtime.environment"
local outboxes = require "spec.tools.outboxes"

local message, states = outboxes.message, outboxes.states

local function put(case, count)
   local ids = {}
   for i = 1, count do
      ids[i] = assert(case.box:put(message("u" .. i .. "@example.net"), { id = "m" .. i }))
   end
   return ids
end

-- A relay that answers so for so many seconds; the attempts are counted.
local function relay(stage, reply, seconds, retry)
   local case
   local attempts, times = 0, {}
   local login = { username = "ann", password = "sesame-work", auth_plaintext = true }
   case = outboxes.new({ retry = retry, server = login }, {
      capabilities = { "PIPELINING", "ENHANCEDSTATUSCODES" },
      auth = { users = { ann = "sesame-work" }, before_tls = true }, faults = { [stage] = function()
         attempts = attempts + 1
         times[attempts] = case.clock.time - 1000000
         if case.clock.time < 1000000 + seconds then return reply end
      end } })
   case.times = times
   return case
end

describe("run", function()
   after_each(outboxes.clean)

   it("tries again after a minute, five, fifteen, an hour, three hours, for four days", function()
      local case = relay("rcpt", "451 4.7.1 greylisted, come back later", 1e9)
      put(case, 1)
      assert(case.box:run { until_empty = true })
      local entry = case.box:get "m1"
      assert.equal("failed", entry.state)
      assert.equal("expired", entry.recipients[1].reason)
      assert.matches("greylisted", entry.recipients[1].text)
      local expected, at = { 0, 60, 300, 900, 3600, 10800 }, 0
      for i = 1, 6 do
         at = at + expected[i]
         assert.is_true(case.times[i] >= at and case.times[i] <= at * 1.1 + i, case.times[i])
      end
      assert.is_true(#case.times >= 34 and #case.times <= 40)
      assert.is_true(case.clock.time - 1000000 >= 345600 and case.clock.time - 1000000 < 345700)
   end)

   it("delivers through a greylisting relay", function()
      local case = relay("rcpt", "451 4.7.1 greylisted, come back later", 300)
      put(case, 20)
      assert(case.box:run { until_empty = true })
      assert.equal(20, case.box:stats().sent)
      assert.is_true(#case.times <= 20 * 3)
   end)

   it("delivers to others while a recipient is refused for now", function()
      for _, reply in ipairs { "450 4.2.0 Greylisted, try later", "450 4.2.0 later", "450 4.4.3 no name server",
         "451 4.7.1 try again later", "450 later" } do
         local case = outboxes.new({}, { faults = { rcpt = function(line)
            return line:find("u1@", 1, true) and reply
         end } })
         put(case, 3)
         local totals = assert(case.box:run { once = true, connections = 1 })
         assert.same({ 2, 1 }, { totals.sent, totals.queued }, reply)
         assert.is_nil(case.box:stats().paused)
      end
   end)

   it("delivers to others while an LMTP server refuses a mailbox for now", function()
      for _, reply in ipairs { "450 4.2.0 later", "451 4.3.0 mailbox is locked" } do
         local count = 0
         local case = outboxes.new({ server = { protocol = "lmtp", port = 2424 } }, { protocol = "lmtp",
            faults = { final = function()
               count = count + 1
               return count == 1 and reply or nil
            end } })
         put(case, 3)
         local totals = assert(case.box:run { once = true, connections = 1 })
         assert.same({ 2, 1 }, { totals.sent, totals.queued }, reply)
         assert.is_nil(case.box:stats().paused)
      end
   end)

   it("delivers after an hour without the relay, and does not hammer it", function()
      local case = relay("connect", "421 4.3.2 maintenance", 3600)
      put(case, 60)
      case.box:run { once = true }
      local stats = case.box:stats()
      assert.equal(60, stats.queued)
      assert.equal("connection", stats.paused)
      assert.matches("maintenance", stats.why)
      assert.matches("next attempt in %d+ s, or at once after outbox:retry%(id%)$", stats.why)
      assert.is_nil(stats.why:find("\n"))
      assert(case.box:run { until_empty = true })
      assert.equal(60, case.box:stats().sent)
      assert.is_nil(case.box:stats().why)
      assert.is_true(#case.times < 30)
      assert.equal(1, #case.box:get("m1").attempts)
      assert.is_true(case.clock.time < 1000000 + 3600 + 700)
   end)

   it("ends the pause where the server refuses the first messages for their own sake", function()
      local case
      case = outboxes.new(nil, { faults = {
         connect = function() return case.clock.time < 1000005 and "421 4.3.2 maintenance" end,
         rcpt = function(command) return command:find "u[1-5]@" and "550 5.1.1 who?" end,
      } })
      put(case, 20)
      case.box:run { once = true }
      assert.equal("connection", case.box:stats().paused)
      assert(case.box:run { until_empty = true })
      assert.same({ 15, 5 }, { case.box:stats().sent, case.box:stats().failed })
      assert.is_true(case.clock.time < 1000000 + 30, case.clock.time)
   end)

   it("pauses when the password is refused", function()
      local case = relay("auth", "535 5.7.8 wrong password", 7200)
      put(case, 50)
      case.box:run { once = true }
      assert.equal("account", case.box:stats().paused)
      assert.matches("wrong password", case.box:stats().why)
      assert(case.box:run { until_empty = true })
      assert.equal(50, case.box:stats().sent)
      local refused = 0
      for _, time in ipairs(case.times) do refused = refused + (time < 7200 and 1 or 0) end
      assert.is_true(refused <= 5)
   end)

   it("tries at once after a person asks for it", function()
      local fault = "535 5.7.8 wrong password"
      local case = relay("auth", fault, 5)
      put(case, 2)
      case.box:run { once = true }
      case.clock.time = case.clock.time + 10
      case.box:run { once = true }
      assert.equal(0, case.box:stats().sent)
      assert.is_true(case.box:retry "m1")
      case.box:run { once = true }
      assert.equal(2, case.box:stats().sent)
   end)

   it("slows down for a relay that limits the rate", function()
      local case = relay("mail", "421 4.7.0 too many messages, slow down", 1200)
      put(case, 30)
      assert(case.box:run { until_empty = true })
      assert.equal(30, case.box:stats().sent)
      assert.is_true(#case.times < 30 * 3)
   end)

   it("gives up messages that grow too old while the relay is down", function()
      local case = relay("connect", "421 4.3.2 gone", 1e9, { give_up = 7200 })
      put(case, 3)
      assert(case.box:run { until_empty = true })
      assert.equal(3, case.box:stats().failed)
      local entry = case.box:get "m1"
      assert.equal("expired", entry.recipients[1].reason)
      assert.matches("gone", entry.attempts[1].what)
   end)

   it("tries once more at once where the connection broke, then later", function()
      local case = relay("data", "drop", 1e9)
      put(case, 1)
      case.box:run { once = true }
      assert.equal("queued", case.box:get("m1").state)
      assert.is_true(#case.box:get("m1").attempts <= 2)
      assert.is_true(case.box:get("m1").due >= case.clock.time + 60)
   end)

   it("sends nothing more after stop", function()
      local case
      case = outboxes.new { on_result = function() case.box:stop() end }
      put(case, 100)
      assert(case.box:run { connections = 1, once = true })
      local stats = case.box:stats()
      assert.is_true(stats.sent >= 1 and stats.sent < 100)
      assert.equal(100, stats.sent + stats.queued)
      assert.equal(stats.sent, #case.sink.messages)
      assert.same({ 0, 0 }, { stats.claimed, stats.ending })
   end)

   it("waits for what is put while it runs", function()
      local case
      case = outboxes.new { on_result = function(entry)
         if entry.id == "m1" then
            case.later = case.clock.time + 30
         else
            case.box:stop()
         end
      end }
      local sleep = case.box.sleep
      case.box.sleep = function(seconds)
         sleep(seconds)
         if case.later and case.clock.time >= case.later then
            case.later = nil
            assert(case.box:put(message "eve@example.net", { id = "m2" }))
         end
      end
      put(case, 1)
      local totals, err = case.box:run()
      if package.loaded.ngx then return assert.equal("run", err.option) end
      assert.equal(2, assert(totals).sent)
      assert.equal(2, #case.sink.messages)
   end)

   it("forgets what is over after the days to keep", function()
      local case = outboxes.new { keep = 2 }
      put(case, 1)
      case.box:run { once = true }
      case.clock.time = case.clock.time + 86400
      case.box:run { once = true }
      assert.equal("sent", case.box:get("m1").state)
      case.clock.time = case.clock.time + 86401
      case.box:run { once = true }
      assert.is_nil((case.box:get "m1"))
   end)

   it("sends later, and nothing twice, after the clock was set back", function()
      local case = outboxes.new()
      put(case, 2)
      local store, name = case.box.store, case.box:stats().name
      assert.equal(1, #store:claim(name, case.clock.time, case.clock.time + 120, 7, 1)) -- and dies
      case.clock.time = case.clock.time - 3600
      case.box:run { once = true }
      assert.equal(0, #case.sink.messages)
      assert(case.box:run { until_empty = true })
      assert.equal(2, case.box:stats().sent)
      assert.equal(2, #case.sink.messages)
   end)

   it("goes on after the store was busy", function()
      local case = outboxes.new()
      put(case, 1)
      local store, failures = case.box.store, 0
      local claim = store.claim
      store.claim = function(...)
         failures = failures + 1
         if failures < 4 then
            return nil, require("smtp.errors").new("system", { what = "busy", retry = "later" })
         end
         return claim(...)
      end
      assert(case.box:run { once = true })
      assert.equal("sent", case.box:get("m1").state)
   end)

   it("sends a message in doubt again, where the outbox is told to", function()
      local fault = "drop"
      local case = outboxes.new({ doubt = "resend" }, { faults = { final = function()
         return fault
      end } })
      put(case, 1)
      case.box:run { once = true }
      assert.equal("queued", case.box:get("m1").state)
      fault = nil
      assert(case.box:run { until_empty = true })
      assert.equal("sent", case.box:get("m1").state)
      assert.equal("sent", states(case.box:get "m1"))
   end)
end)

describe("an event loop that fails", function()
   after_each(outboxes.clean)

   if not environment.is_nginx() then -- where outbox:run does not wait for messages
      it("ends outbox:run, with its cause", function()
         local case = outboxes.new()
         put(case, 1)
         local cause = {}
         case.box.sleep = function() return "the loop is gone", cause end
         local totals, err = case.box:run()
         assert.is_nil(totals)
         assert.same({ "source", "loop", "outbox:run stopped, because the event loop failed: the loop is gone" },
            { err.kind, err.reason, err.what })
         assert.equal(cause, err.cause)
         assert.equal("sent", case.box:get("m1").state)
      end)
   end
end)
