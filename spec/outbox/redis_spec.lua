-- The Redis store, with a Redis in this process; spec/live/redis_spec.lua has real servers.
local contract = require "spec.tools.store_contract"
local outboxes = require "spec.tools.outboxes"
local redis = require "smtp.outbox.redis"
local redis_model = require "spec.tools.redis_model"

local function new_store(model, options)
   local given = { connect = model.connect, prefix = "mail" }
   for name, value in pairs(options or {}) do given[name] = value end
   return assert(redis.new(given))
end

local function record(id)
   return { id = id, due = 10, created = 5, since = 5, size = 5, body = "hello", facts = "f", recipients = "r",
      addresses = "\nann@x.example\n" }
end

local function result(claimed, changes)
   local own = { number = claimed.number, claim = claimed.claim, state = "sent", due = 20, recipients = "R",
      attempts = 1, history = "h" }
   for name, value in pairs(changes or {}) do own[name] = value end
   return own
end

local function pieces_of(count)
   local at = 0
   return function()
      at = at + 1
      return at <= count and "piece " .. at or nil
   end
end

describe("The Redis store", function()
   contract.describe(function() return new_store(redis_model.new()) end)

   it("is one store for all that use the prefix", function()
      local model = redis_model.new()
      local one, other = new_store(model), new_store(model)
      local apart = new_store(model, { prefix = "news" })
      one:put("box", record "a")
      assert.same({}, apart:claim("box", 10, 99, 5, 9))
      assert.equal("a", other:claim("box", 10, 99, 5, 9)[1].id)
      assert.same({}, one:claim("box", 10, 99, 6, 9))
   end)

   it("makes no key from the text of a message", function()
      local model = redis_model.new()
      local store = new_store(model)
      local odd = "x} {y}:\0\r\n*3\r\n"
      local own = record(odd)
      own.body, own.facts, own.recipients, own.addresses = odd, odd, odd, "\n" .. odd .. "\n"
      assert.is_true(store:put("box", own))
      own.id = odd .. "2"
      assert.is_true(store:put("box", own, pieces_of(3)))
      assert.equal(odd, store:claim("box", 10, 99, 5, 1)[1].id)
      assert.equal(odd .. "2", store:list("box", { limit = 9, address = odd })[2].id)
      for key in pairs(model.db) do assert.matches("^{mail}:[a-z:0-9]+$", key) end
   end)

   it("orders messages that are due in the same second", function()
      local store = new_store(redis_model.new())
      for i = 1, 12 do store:put("box", record("m" .. i)) end
      local list = store:claim("box", 10, 99, 5, 20)
      for i = 1, 12 do assert.equal("m" .. i, list[i].id) end
   end)

   it("takes messages of several processes in the same second", function()
      local model = redis_model.new()
      local stores, last = {}, {}
      for i = 1, 4 do stores[i] = new_store(model) end
      for i = 1, 400 do assert.is_true(stores[i % 4 + 1]:put("box", record(i % 4 + 1 .. " " .. i))) end
      local list = stores[1]:list("box", { limit = 1000 })
      for _, one in ipairs(list) do
         local process, i = one.id:match "^(%d) (%d+)$"
         assert.truthy(tonumber(i) > (last[process] or 0))
         last[process] = tonumber(i)
      end
      assert.equal(400, #list)
   end)

   it("puts a message anew of which a part has arrived", function()
      local model = redis_model.new()
      local store = new_store(model)
      for _, kind in ipairs { "short", "long" } do
         local at = 0
         local done, err = store:put("box", record(kind), function()
            at = at + 1
            if at == 20 then
               assert.is_true(store:put("box", record(kind), kind == "long" and pieces_of(12) or nil))
            end
            return at < 60 and "lost" or nil
         end)
         assert.is_nil(done)
         assert.equal("store_busy", err.reason)
      end
      local list = store:claim("box", 10, 99, 5, 9)
      assert.equal("hello", list[1].body)
      assert.equal("piece 12", store:read(list[2].number, 12))
      assert.is_nil((store:read(list[2].number, 13)))
      local bodies = 0
      for key in pairs(model.db) do bodies = bodies + (key:find ":body:" and 1 or 0) end
      assert.equal(1, bodies)
   end)

   it("leaves nothing of messages that it forgets", function()
      local model = redis_model.new()
      local store = new_store(model)
      for i = 1, 300 do store:put("box", record("m" .. i), i % 2 == 0 and pieces_of(2) or nil) end
      local list = store:claim("box", 10, 99, 5, 300)
      for i = 1, 300 do list[i] = result(list[i]) end
      store:commit("box", list, {})
      assert.equal(300, store:purge("box", 30))
      assert.is_nil((next(model.db)))
   end)

   it("commits as many results as there are", function()
      local model = redis_model.new()
      local store = new_store(model)
      for i = 1, 1002 do store:put("box", record("m" .. i)) end
      local list, settled = store:claim("box", 10, 99, 5, 1002), {}
      for i = 1, 1000 do settled[i] = result(list[i], { claim = i % 7 == 0 and 6 or 5 }) end
      local marks = { { number = list[1001].number, claim = 6, bytes = "m" },
         { number = list[1002].number, claim = 5, bytes = "m" } }
      local left = 4
      model.fault = function(_, name)
         if name ~= "evalsha" then return nil end
         left = left - 1
         if left < 0 then return "reply", "OOM command not allowed" end
      end
      assert.equal("store_busy", select(2, store:commit("box", settled, marks)).reason)
      model.fault = nil
      assert.is_nil(store:count("box").ending)
      assert.truthy(store:count("box").sent > 100)
      local counted, marked = store:commit("box", settled, marks)
      for i = 1, 1000 do assert.equal(i % 7 ~= 0, counted[i]) end
      assert.same({ 1000, { false, true } }, { #counted, marked })
      assert.same({ "h", "" }, { store:get("box", "m1").history, store:get("box", "m7").history })
      assert.same({ sent = 858, ending = 1, claimed = 143 }, (store:count "box"))
   end)

   it("goes on where Redis has lost messages", function()
      local model = redis_model.new()
      local store = new_store(model)
      for _, id in ipairs { "a", "b", "c", "d" } do store:put("box", record(id)) end
      local list = store:claim("box", 10, 99, 5, 2)
      store:commit("box", { result(list[1]) }, {})
      for key in pairs(model.db) do
         if key:find ":message:" then model.db[key] = nil end
      end
      assert.same({}, store:claim("box", 10, 99, 5, 9))
      assert.same({}, store:expire("box", 999, 9))
      assert.equal(1, store:purge("box", 999))
      assert.equal(0, store:purge("box", 999))
      assert.is_nil((store:due_at "box"))
      assert.same({}, (store:count "box"))
   end)

   it("claims messages that other runners leave", function()
      local model = redis_model.new()
      local store, other = new_store(model), new_store(model)
      for i = 1, 4 do store:put("box", record("m" .. i)) end
      local is_first = true
      model.fault = function(_, name, digest)
         if is_first and name == "evalsha" and digest:find("local now, lease, claim", 1, true) then
            is_first = false
            assert.equal(2, #other:claim("box", 10, 99, 6, 2))
         end
      end
      assert.equal(2, #store:claim("box", 10, 10, 5, 2)) -- to make the digests known
      store:expire("box", 11, 9)
      is_first = true
      assert.equal(2, #store:claim("box", 10, 99, 5, 2))
   end)
end)

describe("The Redis store with replicas", function()
   local model, store
   before_each(function()
      model = redis_model.new()
      store = new_store(model, { replicas = 2, replicas_timeout = 0.5 })
   end)

   it("accepts a message only if they have it", function()
      model.replicas = 1
      for _ = 1, 2 do -- the message is there already
         for _, id in ipairs { "a", "long" } do
            local done, err = store:put("box", record(id), id == "long" and pieces_of(2) or nil)
            assert.is_nil(done)
            assert.same({ "store_replicas", "later" }, { err.reason, err.retry })
            assert.matches("1 of 2 replicas confirmed a change within 500 ms", err.what)
         end
      end
      model.replicas = 2
      assert.is_false(store:put("box", record "a"))
      assert.is_true(store:put("box", record "b"))
   end)

   it("accepts no message that only an old primary has", function()
      local new = redis_model.new()
      local primary = model
      store = assert(redis.new { prefix = "mail", replicas = 1, connect = function() return primary.connect() end })
      assert.is_nil((store:put("box", record "a")))
      model.fault = function(_, name)
         if name == "wait" then return "reply", "ERR WAIT cannot be used with replica instances." end
      end
      primary, new.replicas = new, 1
      assert.is_true(store:put("box", record "a"))
      assert.equal("a", store:get("box", "a").id)
   end)

   it("takes a mark back that they do not have", function()
      model.replicas = 2
      for _, id in ipairs { "a", "b" } do store:put("box", record(id)) end
      local list = store:claim("box", 10, 100, 7, 9)
      local marks = { { number = list[1].number, claim = 7, bytes = "first" } }
      assert.same({ true }, select(2, store:commit("box", {}, marks)))
      model.replicas = 1
      marks = { { number = list[1].number, claim = 7, bytes = "second" }, { number = list[2].number, claim = 7,
         bytes = "m" } }
      local done, err = store:commit("box", {}, marks)
      assert.is_nil(done)
      assert.equal("store_replicas", err.reason)
      local a, b = store:get("box", "a"), store:get("box", "b")
      assert.same({ "ending", "first", "claimed", "" }, { a.state, a.ending, b.state, b.ending })
      assert.same({ "a" }, { store:expire("box", 101, 9)[1].id })
      assert.equal("queued", store:get("box", "b").state)
   end)

   it("counts a result once that is committed with a mark that they do not have", function()
      model.replicas = 2
      for _, id in ipairs { "a", "b" } do store:put("box", record(id)) end
      local list = store:claim("box", 10, 100, 7, 9)
      local settled = { result(list[1], { new_claim = 9 }) }
      model.replicas = 0
      assert.is_nil((store:commit("box", settled, { { number = list[2].number, claim = 7, bytes = "m" } })))
      assert.is_nil((store:commit("box", settled, {})))
      model.replicas = 2
      assert.same({ true }, (store:commit("box", settled, {})))
      assert.equal("h", store:get("box", "a").history)
   end)

   -- Does this, while the connection breaks before the first WAIT that comes after model.lag.
   local function refuse(step)
      local is_over = false
      model.fault = function(_, name)
         if name ~= "wait" or model.lagging == 0 or is_over then return nil end
         is_over = true
         return "before"
      end
      local done, err = step()
      assert.is_true(is_over)
      assert.is_nil(done)
      assert.equal("store_replicas", err.reason)
      model.fault = nil
      model.lag(0)
   end

   it("asks them for what was written over a connection that broke", function()
      model.replicas = 2
      store:put("box", record "old")
      local own = store:claim("box", 10, 100, 7, 1)[1]
      refuse(function()
         model.lag(1)
         return store:put("box", record "new")
      end)
      refuse(function()
         return store:put("box", record "long", function() model.lag(1) end) -- before the last step
      end)
      refuse(function()
         model.lag(1)
         return store:commit("box", {}, { { number = own.number, claim = 7, bytes = "m" } })
      end)
      assert.same({ "claimed", "" }, { store:get("box", "old").state, store:get("box", "old").ending })
      local settled = result(own)
      refuse(function()
         model.lag(1)
         return store:commit("box", { settled }, {})
      end)
      assert.same({ true }, (store:commit("box", { settled }, {})))
   end)

   it("asks them for a message that is there already", function()
      model.replicas = 2
      model.lag(1)
      for _ = 1, 3 do -- over a new connection each time
         local done, err = new_store(model, { replicas = 2 }):put("box", record "a")
         assert.is_nil(done)
         assert.equal("store_replicas", err.reason)
      end
      model.lag(0)
      assert.is_false(new_store(model, { replicas = 2 }):put("box", record "a"))
      assert.equal("a", store:list("box", { limit = 9 })[1].id)
   end)

   it("ends no message without them", function()
      model.replicas = 2
      local case = outboxes.new { store = store }
      assert(case.box:put(outboxes.message "bob@example.net"))
      model.replicas = 1
      assert.equal("store_replicas", select(2, case.box:run { once = true }).reason)
      assert.equal(0, #case.sink.messages)
      model.replicas = 2
      case.clock.time = case.clock.time + 1000
      assert(case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
      assert.same({ 1, 0 }, { case.box:stats().sent, case.box:stats().doubt })
   end)
end)

-- Everything that a store does, as text.
local function play(store)
   local said = {}
   local function note(...)
      for i = 1, select("#", ...) do said[#said + 1] = tostring((select(i, ...))) end
   end
   local function note_list(list)
      for _, one in ipairs(list) do
         note(one.id, one.state, one.due, one.claim, one.since, one.attempts, one.ending, one.history, one.body)
      end
   end
   local function note_bits(...)
      for _, list in ipairs { ... } do
         for _, bit in ipairs(list) do note(bit) end
      end
   end
   for i = 1, 6 do note(assert(store:put("box", record("m" .. i), i == 6 and pieces_of(20) or nil))) end
   note(store:put("box", record "m1"))
   local own = assert(store:claim("box", 10, 100, 7, 5))
   note_list(own)
   note(store:renew("box", { own[1].number, own[2].number }, { 7, 8 }, 200))
   note_bits(assert(store:commit("box", { result(own[1], { new_claim = 9 }), result(own[5], { from = "ending" }),
      result(own[3], { state = "queued", since = 30, due = 40 }) }, {
      { number = own[2].number, claim = 7, bytes = "m" }, { number = own[4].number, claim = 7, bytes = "m" },
      { number = own[5].number, claim = 6, bytes = "m" } })))
   note_list(assert(store:list("box", { limit = 9 })))
   note_list(assert(store:expire("box", 150, 9)))
   note(store:due_at "box")
   local last = assert(store:claim("box", 150, 250, 10, 9, 5))
   note_list(last)
   note(store:set_note("box", "", "one"), store:set_note("box", "", "two"), store:note "box")
   for _, one in ipairs(last) do note(store:read(one.number, 20)) end
   note_bits(assert(store:commit("box", { result(last[1], { state = "failed" }) }, {})))
   note(store:purge("box", 30))
   local counts, oldest = assert(store:count "box")
   note(counts.queued, counts.claimed, counts.ending, counts.sent, counts.failed, oldest)
   note_list(assert(store:list("box", { limit = 9 })))
   note(assert(store:get("box", "m2")).state)
   return table.concat(said, " ")
end

describe("The Redis store does everything once, wherever a connection breaks:", function()
   local model = redis_model.new()
   local expected = play(new_store(model))
   local calls = model.calls

   for _, moment in ipairs { "before", "after" } do
      it(moment .. " a command", function()
         for at = 1, calls do
            model = redis_model.new()
            model.fault = function(n) return n == at and moment or nil end
            assert.equal(expected, play(new_store(model)), "command " .. at)
         end
         assert.truthy(calls > 50)
      end)
   end

   it("and where Redis forgets the scripts", function()
      model = redis_model.new()
      model.fault = function() model.loaded = {} end
      assert.equal(expected, play(new_store(model)))
   end)
end)

describe("The options of a Redis store", function()
   local function refused(changes)
      local given = { connect = print, prefix = "mail" }
      for name, value in pairs(changes) do given[name] = value ~= "nil" and value or nil end
      local store, err = redis.new(given)
      assert.is_nil(store)
      assert.equal("usage", err.kind)
      assert.is_truthy(err.hint)
      return err.option
   end

   it("are checked", function()
      assert.equal("connect", refused { connect = "nil" })
      assert.equal("connect", refused { connect = {} })
      assert.equal("prefix", refused { prefix = "nil" })
      assert.equal("prefix", refused { prefix = "" })
      assert.equal("prefix", refused { prefix = "a}b" })
      assert.equal("prefix", refused { prefix = ("a"):rep(101) })
      assert.equal("replicas", refused { replicas = -1 })
      assert.equal("replicas", refused { replicas = "one" })
      assert.equal("replicas", refused { replicas = 1.5 })
      assert.equal("replicas_timeout", refused { replicas_timeout = 0 })
      assert.equal("on_warning", refused { on_warning = "print" })
      assert.equal("host", refused { host = "redis.example.org" })
      assert.equal("options", select(2, redis.new()).option)
      assert.equal("options", select(2, redis()).option)
   end)

   it("may be given to the module itself", function()
      assert.is_true(redis({ connect = redis_model.new().connect, prefix = "mail" }):put("box", record "a"))
   end)
end)
