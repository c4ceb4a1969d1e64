-- What becomes of a message.
local encoding = require "smtp.outbox.encoding"
local retry = require "smtp.outbox.retry"
local states = require "smtp.outbox.states"

local NOW = 5000

-- A record with recipients in these states; those that are queued are open.
local function record_of(...)
   local list, open, to = {}, {}, {}
   for i, state in ipairs { ... } do
      list[i] = { address = "u" .. i .. "@x.example", state = state }
      if state == "queued" then open[#open + 1], to[#to + 1] = i, list[i].address end
   end
   return { number = 1, id = "m", claim = 7, state = "claimed", attempts = 0, since = 1000,
      list = list, open = open, to = to, recipients = encoding.encode(list), ending = "", history = "" }
end

local settings = { retry = retry.read(nil) }

local function states_of(result)
   local words = {}
   for i, one in ipairs(encoding.decode(result.recipients)) do words[i] = one.state end
   return result.state .. ": " .. table.concat(words, " ")
end

local function verdicts(...)
   local list = {}
   for i, one in ipairs { ... } do
      local state, code, word = one:match("^(%w+) ?(%d*) ?(%w*)$")
      list[i] = { state = state, code = tonumber(code), text = code ~= "" and "said" or nil,
         retry = word ~= "" and word or nil }
   end
   return list
end

local function receipt(...)
   return { recipients = verdicts(...), reply = { code = 250, text = "ok" },
      server = { host = "h", port = 25, address = "192.0.2.1" } }
end

local function failure(word, ...)
   return { recipients = verdicts(...), retry = word, kind = "k", reason = "r", what = "w" }
end

local function after(record, got, err, own)
   return states.after_attempt(record, got, err, own or settings, NOW)
end

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

describe("After a crash", function()
   local function crashed(...)
      local record = record_of(...)
      record.state = "ending"
      return record
   end

   it("the recipients that were marked are in doubt, and the others are not", function()
      local record = crashed("queued", "queued", "sent")
      record.ending = encoding.encode { "u2@x.example" }
      local result = states.after_crash(record, settings, NOW)
      assert.equal("queued: queued doubt sent", states_of(result))
      assert.equal("ending", result.from)
      assert.is_true(result.new_claim ~= 7)
   end)

   it("all marks count", function()
      local record = crashed("queued", "queued")
      record.ending = encoding.encode { "u1@x.example" } .. encoding.encode { "u2@x.example" }
      assert.equal("doubt: doubt doubt", states_of(states.after_crash(record, settings, NOW)))
   end)

   it("a mark without addresses, or that cannot be read, is one of all recipients", function()
      local record = crashed("queued", "queued")
      for _, bytes in ipairs { "", "damaged", encoding.encode { "other@x.example" }, encoding.encode(true) } do
         record.ending = bytes
         assert.equal("doubt: doubt doubt", states_of(states.after_crash(record, settings, NOW)))
      end
   end)

   it("it is sent again where the caller accepts that", function()
      local record = crashed "queued"
      record.ending = encoding.encode { "u1@x.example" }
      local result = states.after_crash(record, { retry = settings.retry, resend = true }, NOW)
      assert.equal("queued: queued", states_of(result))
      assert.is_true(encoding.decode(result.recipients)[1].resent)
   end)

   it("a late result settles the doubt that it is about", function()
      local record = crashed("queued", "queued")
      record.ending = encoding.encode { "u1@x.example", "u2@x.example" }
      local doubt = states.after_crash(record, settings, NOW)
      local late = after(record_of("queued", "queued"), receipt("accepted 250", "refused 550 never"))
      local now_known = { number = 1, id = "m", claim = doubt.new_claim, state = "doubt",
         attempts = 0, since = 1000, recipients = doubt.recipients }
      local result = states.after_doubt(now_known, late, NOW + 1)
      assert.equal("sent: sent failed", states_of(result))
      assert.equal("doubt", result.from)
      late.claim = 8
      assert.is_nil(states.after_doubt(now_known, late, NOW + 1))
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
      return known_after(states.after_crash(record, settings, NOW))
   end

   -- The end was marked for the first recipient only.
   local function marked(...)
      local record = record_of(...)
      record.state, record.ending = "ending", encoding.encode { "u1@x.example" }
      return record
   end

   it("is queued again, though its runner was taken to have sent it", function()
      local late = states.released(record_of("queued", "sent"), NOW)
      local result = states.after_doubt(crashed("queued", "sent"), late, NOW + 1)
      assert.equal("queued: queued sent", states_of(result))
      assert.same({ 0, "" }, { result.attempts, result.history })
   end)

   it("is cancelled where it was cancelled while that was not known", function()
      local record = known_after(states.after_crash(marked("queued", "queued"), settings, NOW))
      record = known_after(states.cancelled(record, NOW))
      assert.equal("doubt: doubt cancelled", states_of(record))
      local late = states.released(record_of("queued", "queued"), NOW)
      assert.equal("cancelled: cancelled cancelled", states_of(states.after_doubt(record, late, NOW)))
   end)

   it("is sent again after it was cancelled, where a person decides so", function()
      local record = known_after(states.after_crash(marked("queued", "queued"), settings, NOW))
      record = known_after(states.cancelled(record, NOW))
      local late = states.released(record_of("queued", "queued"), NOW)
      local retried = known_after(states.retried(record, NOW))
      assert.equal("queued: queued queued", states_of(states.after_doubt(retried, late, NOW)))
      assert.equal("queued: queued cancelled", states_of(states.resolved(record, "unsent", NOW)))
   end)

   it("waits for its time, and so do its other recipients", function()
      local record = known_after(states.after_crash(marked("queued", "queued"), settings, NOW))
      assert.equal("queued: doubt queued", states_of(record))
      for _, case in ipairs { { NOW + 60, NOW + 90, NOW + 60 }, { NOW + 90, NOW + 60, NOW + 60 } } do
         record.due = case[1]
         local late = states.released(record_of("queued", "queued"), case[2])
         assert.equal(case[3], states.after_doubt(record, late, NOW + 1).due)
      end
      local sent = after(record_of("queued", "queued"), receipt("accepted 250", "accepted 250"))
      assert.equal(record.due, states.after_doubt(record, sent, NOW + 1).due)
      local late = states.released(record_of "queued", NOW + 70)
      assert.equal(NOW + 70, states.after_doubt(crashed "queued", late, NOW + 1).due)
   end)

   it("stays in doubt where the doubt is that of another claim", function()
      local late = states.released(record_of "queued", NOW)
      late.claim = 8
      assert.is_nil(states.after_doubt(crashed "queued", late, NOW))
   end)

   it("stays in doubt where that is the result of a later attempt", function()
      local late = states.released(record_of "queued", NOW)
      local record = known_after(states.resolved(crashed "queued", "unsent", NOW))
      record.list, record.open, record.to = encoding.decode(record.recipients), { 1 }, { "u1@x.example" }
      local doubt = after(record, nil, failure("doubt", "unknown"))
      assert.equal("doubt: doubt", states_of(doubt))
      assert.is_nil(states.after_doubt(known_after(doubt), late, NOW))
   end)
end)

describe("A record that was damaged", function()
   it("never stops a runner", function()
      local record = record_of "queued"
      record.recipients, record.list, record.state = "damaged", nil, "ending"
      assert.equal("failed", states.after_crash(record, settings, NOW).state)
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
