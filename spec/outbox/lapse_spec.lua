-- What the outbox shows, and allows, where a runner has gone and no other one has come yet.
local encoding = require "smtp.outbox.encoding"
local lapse = require "smtp.outbox.lapse"
local link = require "smtp.outbox.redis_link"
local outboxes = require "spec.tools.outboxes"
local redis = require "smtp.outbox.redis"
local redis_model = require "spec.tools.redis_model"
local sqlite = require "smtp.outbox.sqlite"
local store_methods = require("smtp.outbox.store").methods

local message = outboxes.message

-- A store of the caller's around another one; `changes`: methods of its own, (store, outbox, …).
local function store_around(inner, changes)
   local outer = {}
   for _, name in ipairs(store_methods) do
      local method = changes[name] or inner[name]
      outer[name] = function(_, ...) return method(inner, ...) end
   end
   return outer
end

-- One that was written when neither filters had `before` nor results `lease`.
local function older_store()
   return store_around(assert(sqlite.open(outboxes.path())), {
      list = function(inner, outbox, filter)
         return inner:list(outbox, { state = filter.state, address = filter.address, limit = filter.limit,
            after = filter.after })
      end,
      commit = function(inner, outbox, results, marks)
         for _, one in ipairs(results) do one.lease = nil end
         return inner:commit(outbox, results, marks)
      end,
   })
end

local stores = {
   SQLite = function() return assert(sqlite.open(outboxes.path())) end,
   Redis = function()
      return assert(redis { prefix = "spec", connect = redis_model.new().connect, on_warning = function() end })
   end,
}
local all_stores = { SQLite = stores.SQLite, Redis = stores.Redis, ["an older store of the caller's"] = older_store }

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

for kind, new_store in pairs(all_stores) do
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
         local first, second = case.box:get("m2").recipients[1], case.box:get("m3").recipients[1]
         assert.same({ nil, true }, { first.resent, second.resent })
      end)
   end)
end

-- A runner that is late renews its claims of the messages after this method of the store was called, once.
local function renewing(case, method)
   local box, is_renewed = case.box, false
   local name, numbers, inner = box.settings.name, {}, box.store
   for i = 2, 3 do numbers[#numbers + 1] = inner:get(name, "m" .. i).number end
   box.store = store_around(inner, { [method] = function(_, ...)
      local result, more = inner[method](inner, ...)
      if not is_renewed then assert(inner:renew(name, numbers, { 77, 77 }, case.clock.time + 60)) end
      is_renewed = true
      return result, more
   end })
end

for kind, new_store in pairs(stores) do
   describe("A runner of an outbox in " .. kind .. " that renews its lease late", function()
      after_each(outboxes.clean)

      local decisions = { ["retry m2"] = "keep", ["retry m3"] = "resend", ["cancel m3"] = "resend",
         ["resolve m3"] = "keep" }

      for words, doubt in pairs(decisions) do
         it("keeps its message: " .. words, function()
            local method, id = words:match "^(%S+) (%S+)$"
            local case = abandoned(new_store, doubt)
            case.clock.time = case.clock.time + 61
            renewing(case, "get")
            local done, err = case.box[method](case.box, id, "unsent")
            assert.is_nil(done)
            local state = id == "m2" and "claimed" or "ending"
            assert.matches("its state is " .. state .. " (a runner has it for 60 s more)", err.what, 1, true)
            local record = case.box.store:get(case.box.settings.name, id)
            assert.same({ state, 77, case.clock.time + 60, "" },
               { record.state, record.claim, record.due, record.history })
         end)
      end

      it("keeps its message while another runner looks for those whose runner has gone", function()
         local case = abandoned(new_store, "resend")
         case.clock.time = case.clock.time + 61
         renewing(case, "expire")
         assert(case.box:run { once = true })
         assert.equal("ending", case.box:get("m3").state)
         assert.same({ 2, 1 }, { #case.sink.messages, case.box:stats().ending })
      end)
   end)
end

local QUEUED = 2000

for kind, new_store in pairs(stores) do
   it("An outbox in " .. kind .. " with many messages reads only those that it shows", function()
      local case = outboxes.new { store = new_store() }
      local inner, name, read, scripts = case.box.store, case.box.settings.name, 0, 0
      for i = 1, QUEUED + 1 do
         assert(inner:put(name, { id = "m" .. i, due = 9, created = 9, since = 9, size = 1, body = "x", facts = "",
            recipients = "", addresses = "\na@x.example\n" }))
      end
      assert.equal(1, #inner:claim(name, case.clock.time, case.clock.time + 60, 77, 1))
      case.box.store = store_around(inner, { list = function(_, ...)
         local list, err = inner:list(...)
         read = read + #list
         return list, err
      end })
      local run = link.run
      finally(function()
         link.run = run
         outboxes.clean()
      end)
      link.run = function(...)
         scripts = scripts + 1
         return run(...)
      end
      local is_redis = kind == "Redis"
      local stats = assert(case.box:stats())
      assert.same({ QUEUED, 1, 0, is_redis and 3 or 0 }, { stats.queued, stats.claimed, read, scripts })
      scripts = 0
      assert.equal("m2", assert(case.box:list { state = "queued", limit = 1 })[1].id)
      assert.same({ 1, is_redis and 4 or 0 }, { read, scripts })
   end)
end

it("A message whose state changes between two questions is listed once", function()
   local inner, rounds = stores.SQLite(), 0
   local store = store_around(inner, { list = function(self, outbox, filter)
      local list = assert(self:list(outbox, filter))
      rounds = rounds + 1
      if filter.state == "ending" then -- the next runner comes
         assert(self:commit(outbox, { { number = list[1].number, claim = 77, state = "doubt",
            recipients = list[1].recipients, history = "", due = 0, attempts = 0 } }, {}))
      end
      return list
   end })
   local case = abandoned(function() return store end)
   case.clock.time = case.clock.time + 61
   assert.equal("m3", case.ids "doubt")
   assert.equal(3, rounds)
   outboxes.clean()
end)

describe("A record", function()
   it("that no runner has, or has still, is seen as it is", function()
      for _, record in ipairs { { state = "queued", due = 1 }, { state = "doubt", due = 1 },
         { state = "ending", due = 9 }, { state = "claimed", due = 9 } } do
         assert.equal(record, lapse.see(record, {}, 9))
      end
   end)
end)
