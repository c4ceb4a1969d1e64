local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

describe("What a pipeline gives back", function()
   local function open()
      return sessions.open { grade = "eager", flight_max = 64 }
   end

   local speak = sessions.said

   -- What all receipts of a connection share.
   local parts = { auth = { "auth" }, tls = { "tls" }, server = { "server" }, capabilities = { "offer" },
      pipelining = "eager", none = { "none" }, eightbit = { "8-bit" } }

   it("keeps long words of the server whole, up to 512 octets of each reply", function()
      local session, values, long = open(), {}, ("x"):rep(400)
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = "b@x", raw = "hi\r\n" } }, 1, 1, 1, 0)
      speak(session)
      session:heard("250 ok\r\n250 " .. long .. "\r\n")
      speak(session)
      session:heard("250 " .. long .. "\r\n")
      assert.equal(1, (line:take(values, 5, parts)))
      assert.same({ long, long }, { values[2].recipients[1].text, values[2].reply.text })
   end)

   it("gives short texts back with their identifiers", function()
      local session, values, said = open(), {}, ""
      local line = core.pipeline(session, {}, 10)
      local letter = { from = "a@x", to = "b@x", text = "hi\n" }
      assert.equal(3, (line:post({ letter, { from = "a@x", to = "b@x", raw = "hi\r\n" }, letter }, 1, 3, 1, 0)))
      for _, reply in ipairs { "250 ok\r\n250 ok\r\n", "250 ok\r\n", "250 ok\r\n250 ok\r\n", "250 ok\r\n",
         "250 ok\r\n250 ok\r\n", "550 no\r\n" } do
         while #session:output() > 0 do
            said = said .. session:output()
            session:sent(#session:output())
         end
         session:heard(reply)
      end
      local taken = { line:take(values, 5, parts) }
      assert.equal(2, taken[1])
      assert.is_truthy(said:find("Message-ID: " .. values[2].message_id .. "\r\n", 1, true))
      assert.same({ 2, nil }, { values[3], values[4].message_id })
      assert.equal(3, taken[7])
      assert.is_truthy(taken[9]:find("Message-ID: " .. taken[12] .. "\r\n", 1, true))
   end)

   it("gives them back in order, for others to take their places", function()
      local session, list, values, told = open(), {}, {}, 0
      local line = core.pipeline(session, {}, 10)
      for i = 1, 200 do
         list[i] = { from = "a@x", to = ("b%d@x"):format(i), raw = ("x"):rep(i) .. "\r\n" }
      end
      local posted = line:post(list, 1, 1, 1, 0)
      while told < 200 do
         speak(session)
         session:heard("250 ok\r\n")
         local count, _, _, _, incomplete, mail = line:take(values, 5, parts)
         assert.is_nil(mail)
         assert.is_false(incomplete)
         for i = 1, 2 * count, 2 do
            told = told + 1
            local address = ("b%d@x"):format(told)
            assert.equal(told, values[i])
            assert.same({ recipients = { { address = address, state = "accepted", code = 250, text = "ok" } },
               accepted = { address }, refused = {}, reply = { code = 250, text = "ok" }, size = told + 2, seconds = 5,
               auth = { "auth" }, tls = { "tls" }, server = { "server" }, capabilities = { "offer" },
               pipelining = "eager", extensions = { "none" } }, values[i + 1])
         end
         posted = posted + line:post(list, posted + 1, 200, posted + 1, 0)
      end
      assert.equal(0, (select(2, line:take(values, 5))))
   end)

   it("makes each receipt of tables of its own, but for what a connection shares", function()
      local session, values, message = open(), {}, { from = "a@x", to = "b@x", raw = "hi\r\n" }
      local line = core.pipeline(session, {}, 10)
      line:post({ message, message }, 1, 2, 1, 0)
      for _ = 1, 2 do
         speak(session)
         session:heard("250 2.1.0 ok\r\n250 2.1.5 yes\r\n")
         speak(session)
         session:heard("250 2.0.0 done\r\n")
      end
      speak(session)
      assert.equal(2, (line:take(values, 5, parts)))
      local one, other = values[2], values[4]
      assert.same(one, other)
      assert.same({ "2.1.5", "2.0.0" }, { one.recipients[1].enhanced, one.reply.enhanced })
      for _, name in ipairs { "recipients", "accepted", "refused", "reply" } do
         assert.is_false(rawequal(one[name], other[name]), name)
      end
      assert.is_false(rawequal(one.recipients[1], other.recipients[1]))
      assert.is_true(rawequal(one.auth, parts.auth) and rawequal(other.extensions, parts.none))
   end)

   it("says that receipts with refused recipients are incomplete, and knows 8-bit messages", function()
      local session, values = sessions.open(nil, "250-PIPELINING\r\n250-8BITMIME\r\n"), {}
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = { "b@x", "c@x" }, raw = "\195\164\r\n" } }, 1, 1, 1, 0)
      speak(session)
      session:heard("250 ok\r\n250 ok\r\n550 no\r\n")
      speak(session)
      session:heard("354 go\r\n")
      speak(session)
      session:heard("250 ok\r\n")
      local count, _, _, _, incomplete = line:take(values, 5, parts)
      assert.same({ 1, true }, { count, incomplete })
      local receipt = values[2]
      assert.same({ { "b@x" }, "c@x", { "8-bit" } },
         { receipt.accepted, receipt.refused[1].address, receipt.extensions })
      assert.is_true(rawequal(receipt.refused[1], receipt.recipients[2]))
   end)

   it("needs what receipts share where it makes one", function()
      local session = open()
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = "b@x", raw = "hi\r\n" } }, 1, 1, 1, 0)
      speak(session)
      session:heard("250 ok\r\n250 ok\r\n")
      assert.equal(0, (line:take({}, 5)))
      speak(session)
      session:heard("250 ok\r\n")
      assert.has_error(function() line:take({}, 5) end)
      assert.equal(1, (line:take({}, 5, parts)))
   end)

   it("gives one that is not accepted back whole", function()
      local session, values = open(), {}
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = "b@x", raw = "\195\164\r\n" }, { from = "a@x", to = "c@x", raw = "hi" } },
         1, 2, 7, 3)
      speak(session)
      session:heard("250 ok\r\n550 who?\r\n503 no\r\n")
      local count, left, _, _, _, mail, index, started, text, size, eightbit = line:take(values, 5)
      assert.same({ 0, 1, 7, 3, "\195\164\r\n", 4, true }, { count, left, index, started, text, size, eightbit })
      assert.equal("extension_unsupported", mail:trouble().kind)
      count, left, _, _, _, mail, index = line:take(values, 5)
      assert.same({ 0, 0, 8, "refused" }, { count, left, index, mail:recipients()[1].state })
   end)

   local function one_for(...)
      return core.transaction { from = "a@x", to = { ... }, size = 4, exact = true, source_len = 4 }
   end

   it("gives a message of which others are known already back whole", function()
      local session, entry = open(), {}
      local line = core.pipeline(session, {}, 10)
      local transaction = one_for("b@x")
      line:add(transaction, "hi\r\n", entry, 2, true)
      speak(session)
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n")
      local count, left, _, _, _, given, given_entry, started = line:take({}, 9)
      assert.same({ 0, 0, 2 }, { count, left, started })
      assert.is_true(given == transaction and given_entry == entry)
   end)
end)
