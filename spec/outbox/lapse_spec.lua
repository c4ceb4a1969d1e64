-- What the outbox shows, and allows, where a runner has gone and no other one has come yet.
local encoding = require "smtp.outbox.encoding"
local lapse = require "smtp.outbox.lapse"
local outboxes = require "spec.tools.outboxes"
local redis = require "smtp.outbox.redis"
local redis_model = require "spec.tools.redis_model"

local message = outboxes.message

local stores = {
   SQLite = function() return nil end,
   Redis = function()
      return assert(redis { prefix = "spec", connect = redis_model.new().connect, on_warning = function() end })
   end,
}

-- A runner takes m2 and m3, marks the end of m3, and has gone.
local function abandoned(new_store, options)
   local case = outboxes.new { store = new_store(), doubt = options }
   local box, store, name = case.box, case.box.store, case.box.settings.name
   for i = 2, 3 do assert(box:put(message("u@example.net", "v@example.net"), { id = "m" .. i })) end
   local list = assert(store:claim(name, case.clock.time, case.clock.time + 60, 77, 2))
   local number = list[1].id == "m3" and list[1].number or list[2].number
   assert(store:commit(name, {}, { { number = number, claim = 77, bytes = encoding.encode(true) } }))
   assert(box:put(message "w@example.net", { id = "m4" }))
   case.ids = function(state, limit, after)
      local ids = {}
      for i, one in ipairs(assert(box:list { state = state, limit = limit, after = after })) do ids[i] = one.id end
      return table.concat(ids, " ")
   end
   return case
end

for kind, new_store in pairs(stores) do
   describe("An outbox in " .. kind .. " whose runner has gone", function()
      after_each(outboxes.clean)

      it("has its messages until the lease has ended", function()
         local case = abandoned(new_store)
         assert.same({ "m4", "m2", "m3", "", "m2 m3 m4" }, { case.ids "queued", case.ids "claimed", case.ids "ending",
            case.ids "doubt", case.ids() })
         case.clock.time = case.clock.time + 60
         assert.equal("m3", case.ids "ending")
         assert.equal(case.clock.time, case.box:get("m3").due)
         local _, err = case.box:resolve("m3", "sent")
         assert.equal("the message m3 cannot be resolved: its state is ending (a runner has it for 0 s more)", err.what)
      end)

      it("shows them as the next runner makes them", function()
         local case = abandoned(new_store)
         local ended = case.clock.time + 60
         case.clock.time = ended + 1
         assert.same({ "m2 m4", "", "", "m3", "m2 m3 m4" }, { case.ids "queued", case.ids "claimed", case.ids "ending",
            case.ids "doubt", case.ids() })
         assert.same({ "m2", "" }, { case.ids("queued", 1), case.ids("doubt", 1, case.box:get("m3").number) })
         local stats = case.box:stats()
         assert.same({ 2, 0, 0, 1 }, { stats.queued, stats.claimed, stats.ending, stats.doubt })
         local entry = case.box:get "m3"
         assert.same({ "doubt", ended, "doubt doubt" }, { entry.state, entry.due, outboxes.states(entry) })
         assert.same({ "crash", ended }, { entry.attempts[1].reason, entry.attempts[1].time })
         assert.equal("ending", case.box.store:get(case.box.settings.name, "m3").state)
      end)

      it("settles, cancels and sends them without a runner", function()
         local case = abandoned(new_store)
         case.clock.time = case.clock.time + 61
         assert(case.box:resolve("m3", "sent"))
         local entry = case.box:get "m3"
         assert.same({ "sent", "sent sent", 2 }, { entry.state, outboxes.states(entry), #entry.attempts })
         assert.same({ "crash", "resolved_sent" }, { entry.attempts[1].reason, entry.attempts[2].reason })
         assert(case.box:retry "m2")
         assert(case.box:cancel "m4")
         assert.is_nil((case.box:resolve("m3", "sent")))
         local totals = assert(case.box:run { once = true })
         assert.same({ 1, 0, 1 }, { totals.sent, totals.doubt, #case.sink.messages })
         assert.same({ 0, 2, 0 }, { case.box:stats().queued, case.box:stats().sent, case.box:stats().doubt })
      end)

      it("sends again what it may", function()
         local case = abandoned(new_store, "resend")
         case.clock.time = case.clock.time + 61
         assert.same({ "m2 m3 m4", "" }, { case.ids "queued", case.ids "doubt" })
         assert.equal(0, case.box:stats().doubt)
      end)
   end)
end

describe("A record", function()
   it("that no runner has, or has still, is seen as it is", function()
      for _, record in ipairs { { state = "queued", due = 1 }, { state = "doubt", due = 1 },
         { state = "ending", due = 9 }, { state = "claimed", due = 9 } } do
         assert.equal(record, lapse.see(record, {}, 9))
      end
   end)
end)
