-- Results that come after a claim has gone.
local doubts = require "smtp.outbox.doubt"
local encoding = require "smtp.outbox.encoding"
local entries = require "smtp.outbox.entry"
local outboxes = require "spec.tools.outboxes"
local results = require "smtp.outbox.results"
local retry = require "smtp.outbox.retry"
local states = require "smtp.outbox.states"

-- A message that one runner has marked and sent, and that another one takes to be in doubt.
local function in_doubt()
   local case = outboxes.new()
   case.id = assert(case.box:put(outboxes.message("bob@example.net")))
   case.store, case.name = case.box.store, case.box:stats().name
   local record = case.store:claim(case.name, case.clock.time, case.clock.time + 120, 7, 1)[1]
   assert(entries.read(record))
   case.record = record
   case.store:commit(case.name, {}, { { number = record.number, claim = 7,
      bytes = encoding.encode { "bob@example.net" } } })
   case.clock.time = case.clock.time + 121
   assert(outboxes.beside(case):run { once = true })
   return case
end

local receipt = { recipients = { { state = "accepted", code = 250, text = "ok" } },
   reply = { code = 250, text = "ok" }, server = { host = "h", port = 25 } }

local function add_late(case, all)
   all:add(states.after_attempt(case.record, receipt, nil,
      { retry = retry.read(nil) }, case.clock.time), receipt)
end

describe("A result", function()
   after_each(outboxes.clean)

   it("that is missing after a mark is a doubt, which on_result is told", function()
      local case = in_doubt()
      local entry = case.box:get(case.id)
      assert.equal("doubt", entry.state)
      assert.equal("crash", entry.attempts[1].reason)
      assert.equal(case.clock.time, entry.attempts[1].time)
      assert.equal("doubt", case.results[1].entry.state)
      assert.equal(0, #case.sink.messages)
   end)

   it("that comes after the doubt settles it", function()
      local case = in_doubt()
      local all = results.new(case.box)
      add_late(case, all)
      all:flush {}
      assert.equal("doubt", case.box:get(case.id).state)
      all:settle()
      assert.equal("sent", case.box:get(case.id).state)
      all:tell()
      assert.equal("sent", case.results[2].entry.state)
   end)

   it("that no end was sent settles the doubt, and counts as no attempt", function()
      local case = in_doubt()
      local all = results.new(case.box)
      all:add(states.released(case.record, case.clock.time))
      all:flush {}
      all:settle()
      local entry = case.box:get(case.id)
      assert.equal("queued", entry.state)
      assert.equal(1, #entry.attempts) -- the crash
      assert.same({ sent = 0, failed = 0, doubt = 0, queued = 0 }, all.totals)
      assert.equal(0, #all.late)
   end)

   it("that a runner has of the crash of another one settles no doubt", function()
      local case = in_doubt()
      local all = results.new(case.box)
      local record = { number = case.record.number, id = case.id, claim = 7, state = "ending",
         recipients = case.record.recipients, attempts = 0, ending = encoding.encode { "bob@example.net" } }
      all:add(doubts.after_crash(record, {}, case.clock.time))
      all:flush {}
      assert.equal(0, #all.late)
   end)

   it("that comes after a person has decided does not count", function()
      local case = in_doubt()
      assert.is_true(case.box:resolve(case.id, "unsent"))
      local all = results.new(case.box)
      add_late(case, all)
      all:flush {}
      all:settle()
      assert.equal("queued", case.box:get(case.id).state)
   end)

   it("is kept while the store fails", function()
      local case = outboxes.new()
      assert(case.box:put(outboxes.message("bob@example.net")))
      local store, all = case.box.store, results.new(case.box)
      local record = store:claim(case.box:stats().name, case.clock.time, 9e9, 7, 1)[1]
      assert(entries.read(record))
      case.record = record
      add_late(case, all)
      local commit = store.commit
      store.commit = function() return nil, "broken" end
      assert.same({ n = 2, nil, "broken" }, { n = 2, all:flush {} })
      store.commit = commit
      assert.same({}, all:flush {})
      assert.equal("sent", case.box:get(record.id).state)
   end)
end)
