local core = require "smtp.core"

local unpack = table.unpack or unpack -- luacheck: ignore

describe("A pipeline", function()
   local function open()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager",
         flight_max = 64 }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
      return session
   end

   local function speak(session)
      while #session:output() > 0 do session:sent(#session:output()) end
   end

   it("takes as many as are plain, and as there is room for", function()
      local session, list = open(), {}
      local line = core.pipeline(session, {}, 10)
      for i = 1, 70 do list[i] = { from = "a@x", to = ("b%d@x"):format(i), raw = "hi\r\n" } end
      list[3] = { from = "a@x", to = "b@x", html = "hi" }
      assert.equal(2, (line:post(list, 1, 70, 1, 0)))
      assert.equal(0, (line:post(list, 3, 70, 3, 0)))
      assert.equal(62, (line:post(list, 4, 70, 4, 0)))
      assert.equal(0, (line:post(list, 66, 70, 66, 0)))
      assert.equal(64, (select(2, line:take({}, 0))))
   end)

   it("reads each sender, though most are the one before", function()
      local line, list = core.pipeline(open(), {}, 10), {}
      for i, from in ipairs { "ann@x", "ann@x", "bob@x", "b b@x" } do
         list[i] = { from = from, to = "c@x", raw = "hi" }
      end
      assert.equal(3, (line:post(list, 1, 4, 1, 0)))
   end)

   it("keeps long words of the server whole, up to 512 octets of each reply", function()
      local session, values, long = open(), {}, ("x"):rep(400)
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = "b@x", raw = "hi\r\n" } }, 1, 1, 1, 0)
      speak(session)
      session:heard("250 ok\r\n250 " .. long .. "\r\n")
      speak(session)
      session:heard("250 " .. long .. "\r\n")
      assert.equal(1, (line:take(values, 5)))
      assert.same({ long, long }, { values[2][1].text, values[5].text })
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
      local taken = { line:take(values, 5) }
      assert.equal(2, taken[1])
      assert.is_truthy(said:find("Message-ID: " .. values[9] .. "\r\n", 1, true))
      assert.same({ 2, nil }, { values[10], values[18] })
      assert.equal(3, taken[6])
      assert.is_truthy(taken[8]:find("Message-ID: " .. taken[11] .. "\r\n", 1, true))
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
         local count, _, _, _, mail = line:take(values, 5)
         assert.is_nil(mail)
         for i = 0, count - 1 do
            told = told + 1
            local address = ("b%d@x"):format(told)
            assert.same({ told, { { address = address, state = "accepted", code = 250, text = "ok" } }, { address }, {},
               { code = 250, text = "ok" }, told + 2, 5, false }, { unpack(values, 8 * i + 1, 8 * i + 8) })
         end
         posted = posted + line:post(list, posted + 1, 200, posted + 1, 0)
      end
      assert.equal(0, (select(2, line:take(values, 5))))
   end)

   it("lets posted messages end that were allowed beforehand, for as long as that was said", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager",
         flight_max = 64, hold_ends = true }
      local line, list = core.pipeline(session, {}, 10), {}
      for i = 1, 3 do list[i] = { from = "a@x", to = "b@x", raw = "message " .. i .. "\r\n" } end
      line:post(list, 1, 3, 5, 0)
      assert.is_false(line:is_allowed())
      line:allow(6, 6, os.time() + 1000)
      line:allow(7, 7, os.time() - 1)
      session:heard("220 hi\r\n")
      speak(session)
      session:heard("250-mx\r\n250 PIPELINING\r\n")
      for i = 5, 7 do
         while session:wants() ~= "end" do
            speak(session)
            session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         end
         assert.same({ i, i == 6 }, { line:ending(), line:is_allowed() })
         session:end_allowed()
         speak(session)
         session:heard("250 ok\r\n" .. (i < 7 and "250 ok\r\n" or ""))
      end
   end)

   it("must be over when its oldest must be, which has more time where it is large", function()
      local session = open()
      local line = core.pipeline(session, {}, 10)
      local large = { from = "a@x", to = "b@x", raw = (("x"):rep(510) .. "\r\n"):rep(256) }
      assert.same({ 0, 0, nil, "eager" }, { line:take({}, 0) })
      assert.same({ 1, 1011 }, { line:post({ large }, 1, 1, 1, 1000) })
      assert.same({ 0, 1, 1011, "eager" }, { line:take({}, 0) })
   end)

   it("gives one that is not accepted back whole", function()
      local session, values = open(), {}
      local line = core.pipeline(session, {}, 10)
      line:post({ { from = "a@x", to = "b@x", raw = "\195\164\r\n" }, { from = "a@x", to = "c@x", raw = "hi" } },
         1, 2, 7, 3)
      speak(session)
      session:heard("250 ok\r\n550 who?\r\n503 no\r\n")
      local count, left, _, _, mail, index, started, text, size, eightbit = line:take(values, 5)
      assert.same({ 0, 1, 7, 3, "\195\164\r\n", 4, true }, { count, left, index, started, text, size, eightbit })
      assert.equal("extension_unsupported", mail:trouble().kind)
      count, left, _, _, mail, index = line:take(values, 5)
      assert.same({ 0, 0, 8, "refused" }, { count, left, index, mail:recipients()[1].state })
   end)

   local function one_for(...)
      return core.transaction { from = "a@x", to = { ... }, size = 4, exact = true, source_len = 4 }
   end

   it("takes single messages, and gives their entries back", function()
      local session, values, entry = open(), {}, { name = "first" }
      local line = core.pipeline(session, {}, 10, true)
      assert.equal(12, line:add(one_for("b@x", "c@x"), "hi\r\n", entry, 2))
      speak(session)
      session:heard("250 ok\r\n250 yes\r\n550 no\r\n")
      speak(session)
      session:heard("250 done\r\n")
      assert.same({ 1, 0, nil, "eager" }, { line:take(values, 9) })
      assert.equal(entry, values[1])
      assert.same({ "b@x" }, values[3])
      assert.same({ { address = "c@x", state = "refused", code = 550, text = "no" } }, values[4])
      assert.same({ code = 250, text = "done" }, values[5])
      assert.equal(7, values[7])
   end)

   it("gives a message of which others are known already back whole", function()
      local session, entry = open(), {}
      local line = core.pipeline(session, {}, 10)
      local transaction = one_for("b@x")
      line:add(transaction, "hi\r\n", entry, 2, true)
      speak(session)
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n")
      local count, left, _, _, given, given_entry, started = line:take({}, 9)
      assert.same({ 0, 0, 2 }, { count, left, started })
      assert.is_true(given == transaction and given_entry == entry)
   end)

   it("takes no transaction twice, and not more than there is room for", function()
      local line, transaction = core.pipeline(open(), {}, 10), one_for("b@x")
      line:add(transaction, "hi\r\n", {}, 1)
      assert.has_error(function() line:add(transaction, "hi\r\n", {}, 1) end)
      for _ = 2, 64 do line:add(one_for("b@x"), "hi\r\n", {}, 1) end
      assert.has_error(function() line:add(one_for("b@x"), "hi\r\n", {}, 1) end)
      assert.equal(64, (select(2, line:take({}, 2))))
   end)

   it("keeps nothing of a transaction that it did not take", function()
      local session = open()
      local line, transaction = core.pipeline(session, {}, 10), one_for("b@x")
      session:add(transaction, "hi\r\n")
      assert.has_error(function() line:add(transaction, "hi\r\n", {}, 1) end)
      assert.equal(1, (line:post({ { from = "c@x", to = "d@x", raw = "ho\r\n" } }, 1, 1, 1, 0)))
      local said = session:output()
      assert.truthy(said:find("RCPT TO:<b@x>", 1, true))
      speak(session)
      session:heard("250 ok\r\n250 ok\r\n")
      speak(session)
      session:heard("250 done\r\n")
      assert.equal("accepted", transaction:recipients()[1].state)
      assert.equal("b@x", transaction:recipients()[1].address)
   end)

   it("is the only one of its session", function()
      local session = open()
      core.pipeline(session, {}, 10)
      assert.has_error(function() core.pipeline(session, {}, 10) end)
   end)

   it("is of no use where its session has become another's", function()
      local session = open()
      local line = core.pipeline(session, {}, 10)
      core.session({ domain = "me.example", tls = "skip", auth = "skip" }, nil, session)
      assert.has_error(function() line:post({ { from = "a@x", to = "b@x", raw = "hi" } }, 1, 1, 1, 0) end)
   end)
end)
