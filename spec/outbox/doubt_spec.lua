-- What a crash leaves, and results that come after it.
local doubts = require "smtp.outbox.doubt"
local encoding = require "smtp.outbox.encoding"
local records = require "spec.tools.outbox_records"
local states = require "smtp.outbox.states"

local after, failure, receipt, record_of = records.after, records.failure, records.receipt, records.record_of
local NOW, settings, states_of = records.NOW, records.settings, records.states_of

describe("After a crash", function()
   local function crashed(...)
      local record = record_of(...)
      record.state = "ending"
      return record
   end

   it("the recipients that were marked are in doubt, and the others are not", function()
      local record = crashed("queued", "queued", "sent")
      record.ending = encoding.encode { "u2@x.example" }
      local result = doubts.after_crash(record, settings, NOW)
      assert.equal("queued: queued doubt sent", states_of(result))
      assert.equal("ending", result.from)
      assert.is_true(result.new_claim ~= 7)
   end)

   it("all marks count", function()
      local record = crashed("queued", "queued")
      record.ending = encoding.encode { "u1@x.example" } .. encoding.encode { "u2@x.example" }
      assert.equal("doubt: doubt doubt", states_of(doubts.after_crash(record, settings, NOW)))
   end)

   it("a mark without addresses, or that cannot be read, is one of all recipients", function()
      local record = crashed("queued", "queued")
      for _, bytes in ipairs { "", "damaged", encoding.encode { "other@x.example" }, encoding.encode(true) } do
         record.ending = bytes
         assert.equal("doubt: doubt doubt", states_of(doubts.after_crash(record, settings, NOW)))
      end
   end)

   it("it is sent again where the caller accepts that", function()
      local record = crashed "queued"
      record.ending = encoding.encode { "u1@x.example" }
      local result = doubts.after_crash(record, { retry = settings.retry, resend = true }, NOW)
      assert.equal("queued: queued", states_of(result))
      assert.is_true(encoding.decode(result.recipients)[1].resent)
   end)

   it("a late result settles the doubt that it is about", function()
      local record = crashed("queued", "queued")
      record.ending = encoding.encode { "u1@x.example", "u2@x.example" }
      local doubt = doubts.after_crash(record, settings, NOW)
      local late = after(record_of("queued", "queued"), receipt("accepted 250", "refused 550 never"))
      local now_known = { number = 1, id = "m", claim = doubt.new_claim, state = "doubt",
         attempts = 0, since = 1000, recipients = doubt.recipients }
      local result = doubts.after_doubt(now_known, late, NOW + 1)
      assert.equal("sent: sent failed", states_of(result))
      assert.equal("doubt", result.from)
      late.claim = 8
      assert.is_nil(doubts.after_doubt(now_known, late, NOW + 1))
   end)
end)

describe("A message that no server has", function()
   -- What the store has after a crash, or after a later attempt.
   local function known_after(result)
      return { number = 1, id = "m", claim = result.new_claim or 8, state = result.state,
         attempts = result.attempts, since = 1000, due = result.due, recipients = result.recipients }
   end

   local function crashed(...)
      local record = record_of(...)
      record.state, record.ending = "ending", encoding.encode(true)
      return known_after(doubts.after_crash(record, settings, NOW))
   end

   -- The end was marked for the first recipient only.
   local function marked(...)
      local record = record_of(...)
      record.state, record.ending = "ending", encoding.encode { "u1@x.example" }
      return record
   end

   it("is queued again, though its runner was taken to have sent it", function()
      local late = states.released(record_of("queued", "sent"), NOW)
      local result = doubts.after_doubt(crashed("queued", "sent"), late, NOW + 1)
      assert.equal("queued: queued sent", states_of(result))
      assert.same({ 0, "" }, { result.attempts, result.history })
   end)

   it("is cancelled where it was cancelled while that was not known", function()
      local record = known_after(doubts.after_crash(marked("queued", "queued"), settings, NOW))
      record = known_after(states.cancelled(record, NOW))
      assert.equal("doubt: doubt cancelled", states_of(record))
      local late = states.released(record_of("queued", "queued"), NOW)
      assert.equal("cancelled: cancelled cancelled", states_of(doubts.after_doubt(record, late, NOW)))
      assert.equal("queued: queued queued", states_of(late)) -- as it was: a person may still decide anew
   end)

   it("is sent again after it was cancelled, where a person decides so", function()
      local record = known_after(doubts.after_crash(marked("queued", "queued"), settings, NOW))
      record = known_after(states.cancelled(record, NOW))
      local late = states.released(record_of("queued", "queued"), NOW)
      local retried = known_after(states.retried(record, NOW))
      assert.equal("queued: queued queued", states_of(doubts.after_doubt(retried, late, NOW)))
      assert.equal("queued: queued cancelled", states_of(states.resolved(record, "unsent", NOW)))
   end)

   it("waits for its time, and so do its other recipients", function()
      local record = known_after(doubts.after_crash(marked("queued", "queued"), settings, NOW))
      assert.equal("queued: doubt queued", states_of(record))
      for _, case in ipairs { { NOW + 60, NOW + 90, NOW + 60 }, { NOW + 90, NOW + 60, NOW + 60 } } do
         record.due = case[1]
         local late = states.released(record_of("queued", "queued"), case[2])
         assert.equal(case[3], doubts.after_doubt(record, late, NOW + 1).due)
      end
      local sent = after(record_of("queued", "queued"), receipt("accepted 250", "accepted 250"))
      assert.equal(record.due, doubts.after_doubt(record, sent, NOW + 1).due)
      local late = states.released(record_of "queued", NOW + 70)
      assert.equal(NOW + 70, doubts.after_doubt(crashed "queued", late, NOW + 1).due)
   end)

   it("stays in doubt where the doubt is that of another claim", function()
      local late = states.released(record_of "queued", NOW)
      late.claim = 8
      assert.is_nil(doubts.after_doubt(crashed "queued", late, NOW))
   end)

   it("stays in doubt where that is the result of a later attempt", function()
      local late = states.released(record_of "queued", NOW)
      local record = known_after(states.resolved(crashed "queued", "unsent", NOW))
      record.list, record.open, record.to = encoding.decode(record.recipients), { 1 }, { "u1@x.example" }
      local doubt = after(record, nil, failure("doubt", "unknown"))
      assert.equal("doubt: doubt", states_of(doubt))
      assert.is_nil(doubts.after_doubt(known_after(doubt), late, NOW))
   end)
end)
