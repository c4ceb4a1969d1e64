-- What becomes of a message.
local core = require "smtp.core"
local doubts = require "smtp.outbox.doubt"
local encoding = require "smtp.outbox.encoding"
local records = require "spec.tools.outbox_records"
local states = require "smtp.outbox.states"

local after, failure, receipt, record_of = records.after, records.failure, records.receipt, records.record_of
local NOW, settings, states_of = records.NOW, records.settings, records.states_of

describe("After an attempt", function()
   it("recipients that the server accepted have the message", function()
      local result = after(record_of("queued", "queued"), receipt("accepted 250", "accepted 250"))
      assert.equal("sent: sent sent", states_of(result))
      assert.equal(NOW, result.due)
      assert.equal(1, result.attempts)
   end)

   it("each recipient has its own state", function()
      local result = after(record_of("queued", "queued", "queued"),
         receipt("accepted 250", "refused 550 never", "deferred 451 later"))
      assert.equal("queued: sent failed queued", states_of(result))
      assert.is_true(result.due >= NOW + 60 and result.due <= NOW + 67)
   end)

   it("only those that were open are changed", function()
      local result = after(record_of("sent", "queued", "failed"), receipt "accepted 250")
      assert.equal("sent: sent sent failed", states_of(result))
   end)

   it("the word of the error counts for those without a reply of their own", function()
      assert.equal("failed: failed", states_of(after(record_of "queued", nil,
         failure("never", "unsent"))))
      assert.equal("queued: queued", states_of(after(record_of "queued", nil,
         failure("later", "unsent"))))
      assert.equal("failed: failed", states_of(after(record_of "queued", nil, failure "never")))
   end)

   it("a message whose end the runner withheld is not at fault", function()
      local err = failure("never", "accepted 250", "unsent")
      err.reason = "withheld"
      local result = after(record_of("queued", "queued"), nil, err)
      assert.equal("queued: sent queued", states_of(result))
      assert.equal(NOW, result.due)
   end)

   it("another attempt follows at once, but not twice", function()
      local record = record_of "queued"
      local result = after(record, nil, failure("now", "unsent"))
      assert.equal(NOW, result.due)
      record.attempts = 1
      record.list = encoding.decode(result.recipients)
      assert.is_true(after(record, nil, failure("now", "unsent")).due >= NOW + 300)
   end)

   it("recipients that were left out get an attempt at once", function()
      local result = after(record_of("queued", "queued"), receipt("accepted 250", "unsent"))
      assert.equal("queued: sent queued", states_of(result))
      assert.equal(NOW, result.due)
   end)

   it("those that may have the message are in doubt", function()
      local result = after(record_of("queued", "queued"), nil,
         failure("doubt", "unknown", "refused 550 never"))
      assert.equal("doubt: doubt failed", states_of(result))
   end)

   it("those that may have it get it again, where the caller accepts that", function()
      local result = after(record_of "queued", nil, failure("doubt", "unknown"),
         { retry = settings.retry, resend = true })
      assert.equal("queued: queued", states_of(result))
      assert.is_true(encoding.decode(result.recipients)[1].resent)
   end)

   it("a message that is too old fails with the reason", function()
      local record = record_of("queued", "sent")
      record.since = NOW - 345600
      local result = after(record, nil, failure("later", "deferred 451 later"))
      assert.equal("sent: failed sent", states_of(result))
      assert.equal("expired", encoding.decode(result.recipients)[1].reason)
   end)

   it("the last attempt is not later than the age at which it is given up", function()
      local record = record_of "queued"
      record.since, record.attempts = NOW - 345600 + 100, 9
      assert.equal(NOW + 100, after(record, nil, failure "later").due)
   end)

   it("the history says when, where and what the server said", function()
      local result = after(record_of "queued", receipt "accepted 250")
      assert.same({ time = NOW, server = "h:25 [192.0.2.1]", code = 250, text = "ok" },
         encoding.decode(result.history))
      result = after(record_of "queued", nil, failure("later", "unsent"))
      assert.same({ time = NOW, kind = "k", reason = "r", what = "w" },
         encoding.decode(result.history))
   end)

   it("the words of a server are cut", function()
      local got = receipt "accepted 250"
      got.recipients[1].text, got.reply.text = ("x"):rep(5000), ("y"):rep(5000)
      local result = after(record_of "queued", got)
      assert.is_true(#result.recipients + #result.history < 1200)
   end)
end)

describe("A record that was damaged", function()
   it("never stops a runner", function()
      local record = record_of "queued"
      record.recipients, record.list, record.state = "damaged", nil, "ending"
      assert.equal("failed", doubts.after_crash(record, settings, NOW).state)
      assert.equal("failed", states.expired(record, "old", NOW).state)
      assert.equal("damaged", states.released(record, NOW).recipients)
      assert.is_nil(states.retried(record, NOW))
      assert.is_nil(states.cancelled(record, NOW))
   end)
end)

describe("Decisions", function()
   it("settle a doubt", function()
      local record = record_of("doubt", "failed")
      record.state = "doubt"
      assert.equal("sent: sent failed", states_of(states.resolved(record, "sent", NOW)))
      local result = states.resolved(record, "unsent", NOW)
      assert.equal("queued: queued failed", states_of(result))
      assert.equal(NOW, result.since)
      assert.is_nil(states.resolved(record_of "sent", "sent", NOW))
   end)

   it("cancel what is queued", function()
      assert.equal("sent: sent cancelled", states_of(states.cancelled(record_of("sent", "queued"),
         NOW)))
      assert.equal("cancelled: cancelled", states_of(states.cancelled(record_of "queued", NOW)))
      assert.is_nil(states.cancelled(record_of "sent", NOW))
   end)

   it("send again what failed, and never what is in doubt", function()
      assert.equal("queued: queued sent queued", states_of(states.retried(
         record_of("failed", "sent", "cancelled"), NOW)))
      assert.equal("queued: queued doubt", states_of(states.retried(record_of("failed", "doubt"),
         NOW)))
      assert.is_nil(states.retried(record_of("sent", "doubt"), NOW))
   end)
end)

describe("The random name of a step, and the number of a claim", function()
   local random = core.random

   after_each(function() core.random = random end)

   it("differ without random bytes: names at once", function()
      assert.equal(16, #states.new_name())
      core.random = function() return nil end
      assert.not_equal(states.new_name(), states.new_name())
   end)

   it("differ without random bytes: numbers in time", function()
      assert.not_equal(states.new_claim(), states.new_claim())
      core.random = function() return nil end
      local first = states.new_claim()
      core.sleep(0.001)
      local second = states.new_claim()
      assert.not_equal(first, second)
      assert.equal(second, math.floor(second))
   end)
end)
