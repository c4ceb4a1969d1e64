-- The pause of an outbox whose server takes no message.
local circuit = require "smtp.outbox.circuit"
local errors = require "smtp.errors"

local function notes()
   local kept = {}
   return { note = function(_, outbox) return kept[outbox] or "" end,
      set_note = function(_, outbox, old, new)
         if (kept[outbox] or "") ~= old then return false end
         kept[outbox] = new
         return true
      end }
end

local function failure(kind, fields)
   fields.what = "relay.example:25 failed."
   return errors.new(kind, fields)
end

local refused = failure("connect", { stage = "connect", reason = "refused", retry = "later" })

describe("An error", function()
   local function kind_of(kind, fields)
      return { circuit.kind_of(failure(kind, fields)) }
   end

   it("about the connection pauses the outbox", function()
      for _, stage in ipairs { "resolve", "connect", "tls", "greeting", "ehlo", "starttls" } do
         assert.same({ "connection" }, kind_of("connect", { stage = stage }))
      end
      assert.same({ "connection" }, kind_of("auth_temporary", { stage = "auth" }))
   end)

   it("about the account pauses the outbox, wherever the server says it", function()
      assert.same({ "account", false }, kind_of("auth_rejected", { stage = "auth",
         concerns = "account" }))
      assert.same({ "account", true }, kind_of("sender_refused", { stage = "mail",
         concerns = "account" }))
   end)

   it("about a recipient to whom the server does not relay pauses nothing", function()
      assert.same({}, kind_of("recipients_refused", { stage = "rcpt", concerns = "account", reason = "relay_denied",
         retry = "never", code = 554 }))
   end)

   it("about the server's state pauses the outbox after an attempt", function()
      assert.same({ "connection", true }, kind_of("sender_refused", { stage = "mail",
         concerns = "server", retry = "later" }))
   end)

   it("about a rate that this machine exceeds does so, too", function()
      assert.same({ "connection", true }, kind_of("disconnected", { stage = "mail",
         concerns = "client", retry = "later" }))
   end)

   it("about a recipient does so only where the server limits or refuses this machine", function()
      local function of(code, enhanced, concerns, reason)
         return kind_of("recipients_refused", { stage = "rcpt", retry = "later", code = code,
            enhanced = enhanced, concerns = concerns, reason = reason })
      end
      for _, case in ipairs { { 450, "4.2.0", "server", "greylisted" }, { 450, "4.2.0", "server", "temporary" },
         { 450, "4.4.3", "server", "refused" }, { 451, "4.7.1", "server", "greylisted" },
         { 451, "4.3.0", "server", "misconfigured" }, { 452, "4.2.2", "recipient", "mailbox_full" } } do
         assert.same({}, of(case[1], case[2], case[3], case[4]))
      end
      for _, case in ipairs { { 421, nil, "server", "temporary" }, { 450, "4.7.1", "client", "rate_limited" },
         { 452, "4.3.1", "server", "refused" }, { 451, "4.3.2", "server", "temporary" } } do
         assert.same({ "connection", true }, of(case[1], case[2], case[3], case[4]))
      end
      local refused_data = failure("data_refused", { stage = "final", retry = "later", concerns = "server" })
      assert.same({ "connection", true }, { circuit.kind_of(refused_data, "smtp") })
      assert.same({}, { circuit.kind_of(refused_data, "lmtp") })
      refused_data.reason = "greylisted"
      assert.same({}, { circuit.kind_of(refused_data, "smtp") })
   end)

   it("about one message does not", function()
      assert.same({}, kind_of("recipients_refused", { stage = "rcpt", concerns = "recipient" }))
      assert.same({}, kind_of("data_refused", { stage = "final", concerns = "server" }))
      assert.same({}, kind_of("disconnected", { stage = "final", sent = "maybe" }))
      assert.same({}, kind_of("source", { stage = "auth", reason = "withheld" }))
   end)
end)

describe("A pause", function()
   it("grows while attempts fail", function()
      local store, now = notes(), 1000
      for tries, seconds in ipairs { 10, 30, 60, 120, 300, 300 } do
         assert(circuit.open(store, "box", "connection", refused, now))
         local pause = circuit.pause(store, "box")
         assert.same({ now + seconds, tries, 1000, "connection", "refused" },
            { pause.due, pause.tries, pause.since, pause.kind, pause.reason })
         now = now + seconds
      end
   end)

   it("is long for an account", function()
      local store = notes()
      circuit.open(store, "box", "connection", refused, 0)
      for _, seconds in ipairs { 900, 1800, 3600, 3600 } do
         circuit.open(store, "box", "account", refused, 0)
         assert.equal(seconds, circuit.pause(store, "box").due)
      end
   end)

   it("allows one attempt, to one runner", function()
      local store = notes()
      circuit.open(store, "box", "connection", refused, 0)
      local pause = circuit.pause(store, "box")
      assert.is_true(circuit.take(store, "box", pause, 99))
      assert.is_false(circuit.take(store, "box", pause, 99))
      assert.equal(99, circuit.pause(store, "box").due)
      circuit.give_back(store, "box", pause)
      assert.equal(10, circuit.pause(store, "box").due)
      assert.is_true(circuit.take(store, "box", pause, 99))
      circuit.open(store, "box", "connection", refused, 0) -- by an attempt that began before
      circuit.give_back(store, "box", pause)
      assert.equal(30, circuit.pause(store, "box").due)
   end)

   it("ends", function()
      local store = notes()
      assert.is_true(circuit.close(store, "box"))
      circuit.open(store, "box", "connection", refused, 0)
      assert.is_true(circuit.close(store, "box"))
      assert.is_nil((circuit.pause(store, "box")))
   end)

   it("says why in one line", function()
      local store = notes()
      circuit.open(store, "box", "connection", refused, 0)
      assert.equal("relay.example:25 failed.", circuit.pause(store, "box").what)
   end)

   it("passes on that the store failed", function()
      local store = { note = function() return nil, "broken" end }
      for _, call in ipairs { "pause", "close", "open", "take" } do
         local done, err = circuit[call](store, "box", "connection", refused, 0)
         assert.is_nil(done)
         assert.equal("broken", err)
      end
   end)
end)
