local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local unpack = table.unpack or unpack -- luacheck: ignore

describe("What a pipeline gives back", function()
   local function open()
      return sessions.open { grade = "eager", flight_max = 64 }
   end

   local speak = sessions.said

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
end)
