--- What every store of an outbox does: smtp.outbox.store says it, these cases show it.

local assert = require "luassert"
local busted = require "busted"

local contract = {}

local before_each, it = busted.before_each, busted.it

local function record(id, changes)
   local own = { id = id, due = 10, created = 5, since = 5, size = 5, body = "hello", facts = "\0f",
      recipients = "r", addresses = "\nann@x.example\n" }
   for name, value in pairs(changes or {}) do own[name] = value end
   return own
end

local function result(claimed, changes)
   local own = { number = claimed.number, claim = claimed.claim, state = "sent", due = 20,
      recipients = "R", attempts = 1, history = "h" }
   for name, value in pairs(changes or {}) do own[name] = value end
   return own
end

local function ids(list)
   local names = {}
   for i = 1, #list do names[i] = list[i].id end
   return table.concat(names, " ")
end

--- Describe a store.
---@param open function   () -> a new store, empty
function contract.describe(open)
   local store

   before_each(function() store = open() end)

   local function put(id, changes)
      assert.is_true(assert(store:put("box", record(id, changes))))
   end

   local function claim(now, limit, before)
      return assert(store:claim("box", now or 10, 100, 7, limit or 10, before))
   end

   local function commit(results, marks)
      return assert(store:commit("box", results, marks or {}))
   end

   local function state(id)
      return store:get("box", id).state
   end

   it("keeps a record as it was put", function()
      put("a", { facts = "\255\0", body = "\0" .. ("b"):rep(65535) })
      local got = claim()[1]
      assert.same({ "a", "claimed", 100, 7, 5, 5, 0, 5, "\255\0", "r", "\nann@x.example\n", "", "" },
         { got.id, got.state, got.due, got.claim, got.created, got.since, got.attempts, got.size,
            got.facts, got.recipients, got.addresses, got.ending, got.history })
      assert.equal("\0" .. ("b"):rep(65535), got.body)
   end)

   it("keeps one message of each id, in each outbox", function()
      put "a"
      assert.is_false(store:put("box", record("a", { facts = "other" })))
      assert.is_true(store:put("other", record "a"))
      assert.equal("\0f", store:get("box", "a").facts)
   end)

   it("keeps a long body in pieces", function()
      local at, pieces = 0, { "one", "two", ("x"):rep(65536) }
      for i = 4, 40 do pieces[i] = "piece " .. i end
      assert.is_true(store:put("box", record("a"), function()
         at = at + 1
         return pieces[at]
      end))
      local got = claim()[1]
      assert.is_nil(got.body)
      for i = 1, #pieces do assert.equal(pieces[i], store:read(got.number, i)) end
      assert.is_nil((store:read(got.number, #pieces + 1)))
   end)

   it("has no message whose body did not arrive", function()
      local at = 0
      local done, err = store:put("box", record("a"), function()
         at = at + 1
         if at < 40 then return "piece" end
         return false, "no more"
      end)
      assert.is_nil(done)
      assert.equal("no more", err)
      assert.is_nil((store:get("box", "a")))
      assert.equal("", ids(claim()))
      put "a"
   end)

   it("claims what is due, the oldest first", function()
      put("late", { due = 11 })
      put("b", { due = 9 })
      put "a"
      put "c"
      assert.equal("b a", ids(claim(10, 2)))
      assert.equal("c", ids(claim(10, 2)))
      assert.equal("", ids(claim(10, 2)))
      assert.equal("late", ids(claim(11, 2)))
   end)

   it("claims only messages that are old enough, where this is asked", function()
      put("old", { since = 3 })
      put("new", { since = 6 })
      assert.equal("old", ids(claim(10, 9, 5)))
   end)

   it("gives no message to another outbox", function()
      put "a"
      assert.equal("", ids(store:claim("other", 99, 100, 7, 10)))
      assert.is_nil((store:get("other", "a")))
      assert.equal("", ids(store:list("other", { limit = 9 })))
      assert.is_nil((store:due_at "other"))
      assert.same({}, (store:count "other"))
      assert.same({}, store:expire("other", 999, 9))
      assert.equal(0, store:purge("other", 999))
   end)

   it("marks a message while the claim is its own", function()
      put "a"
      local own = claim()[1]
      local mark = { number = own.number, claim = own.claim, bytes = "\0m" }
      assert.same({ true }, select(2, commit({}, { mark })))
      assert.same({ true }, select(2, commit({}, { mark })))
      assert.equal("ending", state "a")
      assert.equal("\0m\0m", store:get("box", "a").ending)
      mark.claim = 8
      assert.same({ false }, select(2, commit({}, { mark })))
   end)

   it("marks those of several messages whose claim is its own", function()
      for _, id in ipairs { "a", "b", "c" } do put(id) end
      local marks = {}
      for i, own in ipairs(claim()) do marks[i] = { number = own.number, claim = own.claim, bytes = "+" } end
      assert.same({ true, true, true }, select(2, commit({}, marks)))
      commit { result(marks[2]) }
      assert.same({ true, false, true }, select(2, commit({}, marks)))
      assert.equal("a c", ids(store:list("box", { limit = 9, state = "ending" })))
      assert.equal("", ids(store:list("box", { limit = 9, state = "claimed" })))
      assert.same({ ending = 2, sent = 1 }, (store:count "box"))
   end)

   it("does not mark a message that has a result", function()
      put "a"
      local own = claim()[1]
      assert.same({ true }, (commit { result(own) }))
      assert.same({ false }, select(2, commit({}, { { number = own.number, claim = own.claim,
         bytes = "m" } })))
   end)

   it("stores results and marks in one step", function()
      put "a"
      put "b"
      local list = claim()
      local done, marked = commit({ result(list[1]) }, { { number = list[2].number, claim = 7,
         bytes = "m" } })
      assert.same({ { true }, { true } }, { done, marked })
      assert.equal("sent ending", state "a" .. " " .. state "b")
   end)

   it("takes a result of the newest claim only", function()
      put "a"
      local own = claim()[1]
      assert.same({ false }, (commit { result(own, { claim = 6 }) }))
      assert.same({ true }, (commit { result(own, { state = "queued", due = 30, attempts = 2 }) }))
      assert.same({ true }, (commit { result(own, { history = "i", new_claim = 9 }) }))
      assert.same({ false }, (commit { result(own) }))
      local got = store:get("box", "a")
      assert.same({ "sent", 20, "R", 1, "hi", 9 }, { got.state, got.due, got.recipients,
         got.attempts, got.history, got.claim })
   end)

   it("takes a result only from the state that it expects, where it expects one", function()
      put "a"
      local own = claim()[1]
      assert.same({ false }, (commit { result(own, { from = "ending" }) }))
      assert.same({ true }, (commit { result(own, { from = "claimed", since = 50 }) }))
      assert.equal(50, store:get("box", "a").since)
   end)

   it("takes a result only while the lease is the one that it expects, where it expects one", function()
      put "a"
      put "b"
      local list = claim()
      commit({}, { { number = list[1].number, claim = 7, bytes = "m" } })
      local results = { result(list[1], { from = "ending", lease = 100 }),
         result(list[2], { from = "claimed", lease = 100 }) }
      store:renew("box", { list[1].number, list[2].number }, { 7, 7 }, 200)
      assert.same({ false, false }, (commit(results)))
      assert.equal("ending claimed", state "a" .. " " .. state "b")
      results[1].lease, results[2].lease = 200, 200
      assert.same({ true, true }, (commit(results)))
      assert.equal("sent sent", state "a" .. " " .. state "b")
   end)

   it("queues a message again whose lease has ended before its mark", function()
      put "a"
      claim()
      assert.same({}, store:expire("box", 100, 9))
      assert.equal("claimed", state "a")
      assert.same({}, store:expire("box", 101, 9))
      assert.equal("queued", state "a")
      assert.equal("a", ids(claim(101)))
   end)

   it("does not mark a message that was queued again", function()
      put "a"
      local own = claim()[1]
      store:expire("box", 101, 9)
      assert.same({ false }, select(2, commit({}, { { number = own.number, claim = own.claim,
         bytes = "m" } })))
   end)

   it("shows messages whose lease has ended after their mark", function()
      put "a"
      local own = claim()[1]
      commit({}, { { number = own.number, claim = own.claim, bytes = "m" } })
      assert.equal("a", ids(store:expire("box", 101, 9)))
      assert.equal("ending", state "a")
      assert.equal("", ids(claim(200)))
   end)

   it("renews claims that exist", function()
      put "a"
      put "b"
      local list = claim()
      commit { result(list[2]) }
      store:renew("box", { list[1].number, list[2].number }, { 7, 7 }, 200)
      store:expire("box", 150, 9)
      assert.equal("claimed sent", state "a" .. " " .. state "b")
      store:renew("box", { list[1].number }, { 8 }, 300)
      store:expire("box", 250, 9)
      assert.equal("queued", state "a")
   end)

   it("knows when something is due", function()
      assert.is_nil((store:due_at "box"))
      put("a", { due = 30 })
      put("b", { due = 20 })
      assert.equal(20, store:due_at "box")
      local own = claim(20)[1]
      assert.equal(30, store:due_at "box")
      claim(30)
      assert.equal(100, store:due_at "box")
      commit { result(own) }
      assert.equal(100, store:due_at "box")
   end)

   it("lists messages in the order in which they were put", function()
      for i = 1, 5 do
         put("m" .. i, { addresses = "\nu" .. i % 2 .. "@x.example\n" })
      end
      commit { result(claim(10, 1)[1]) }
      assert.equal("m1 m2", ids(store:list("box", { limit = 2 })))
      local last = store:list("box", { limit = 2 })[2].number
      assert.equal("m3 m4 m5", ids(store:list("box", { limit = 9, after = last })))
      assert.equal("m1", ids(store:list("box", { limit = 9, state = "sent" })))
      assert.equal("m1 m3 m5", ids(store:list("box", { limit = 9, address = "u1@x.example" })))
      assert.equal("m3 m5", ids(store:list("box", { limit = 9, address = "u1@x.example",
         state = "queued" })))
      assert.equal("", ids(store:list("box", { limit = 9, address = "1@x.example" })))
   end)

   it("lists those whose lease ends before a time", function()
      for i = 1, 6 do put("m" .. i, { due = 10 - i, addresses = "\nu" .. i % 2 .. "@x.example\n" }) end
      local list, marks = claim(), {}
      for i = 4, 6 do marks[i - 3] = { number = list[i].number, claim = 7, bytes = "m" } end -- m3 m2 m1
      commit({}, marks)
      store:renew("box", { list[1].number, list[4].number }, { 7, 7 }, 90) -- m6 m3
      local function ended(wanted, before, changes)
         local filter = { state = wanted, before = before, limit = 9 }
         for name, value in pairs(changes or {}) do filter[name] = value end
         return ids(assert(store:list("box", filter)))
      end
      assert.same({ "", "m6", "m4 m5 m6" }, { ended("claimed", 90), ended("claimed", 91), ended("claimed", 101) })
      assert.same({ "", "m3", "m1 m2 m3" }, { ended("ending", 90), ended("ending", 100), ended("ending", 101) })
      assert.equal("m4 m5", ended("claimed", 101, { limit = 2 }))
      assert.equal("m5", ended("claimed", 101, { limit = 1, after = list[3].number }))
      assert.equal("m5", ended("claimed", 101, { address = "u1@x.example" }))
      assert.equal("", ended("claimed", 101, { after = list[1].number }))
   end)

   it("counts messages by state", function()
      put "a"
      put("b", { due = 8 })
      put("c", { due = 9 })
      commit { result(claim(8)[1]) }
      local counts, oldest = store:count "box"
      assert.same({ queued = 2, sent = 1 }, counts)
      assert.equal(9, oldest)
   end)

   it("keeps a note, which is replaced only by those that know it", function()
      assert.equal("", store:note "box")
      assert.is_true(store:set_note("box", "", "\0one"))
      assert.is_false(store:set_note("box", "", "two"))
      assert.is_true(store:set_note("box", "\0one", "two"))
      assert.equal("two", store:note "box")
      assert.equal("", store:note "other")
   end)

   it("forgets what is over", function()
      for _, id in ipairs { "a", "b", "c", "d" } do put(id) end
      local list = claim(10, 4)
      commit { result(list[1]), result(list[2], { due = 40 }), result(list[3], { state = "doubt" }) }
      assert.equal(1, store:purge("box", 30))
      assert.equal("b c d", ids(store:list("box", { limit = 9 })))
      put "a"
   end)
end

return contract
