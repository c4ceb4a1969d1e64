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

   it("must be over when its oldest must be, which has more time where it is large", function()
      local session = open()
      local line = core.pipeline(session, {}, 10)
      local large = { from = "a@x", to = "b@x", raw = (("x"):rep(510) .. "\r\n"):rep(256) }
      assert.same({ 0, 0, nil, "eager", false }, { line:take({}, 0) })
      assert.same({ 1, 1011 }, { line:post({ large }, 1, 1, 1, 1000) })
      assert.same({ 0, 1, 1011, "eager", false }, { line:take({}, 0) })
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
      assert.same({ 1, 0, nil, "eager", true }, { line:take(values, 9, {}) })
      assert.equal(entry, values[1])
      local receipt = values[2]
      assert.same({ "b@x" }, receipt.accepted)
      assert.same({ { address = "c@x", state = "refused", code = 550, text = "no" } }, receipt.refused)
      assert.same({ code = 250, text = "done" }, receipt.reply)
      assert.equal(7, receipt.seconds)
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
