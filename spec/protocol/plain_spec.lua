-- The short way of the commonest messages against the long way that all others take.
local core = require "smtp.core"
local request = require "smtp.client.request"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"

local parts = { "\r\n", "\r", "\rBcc: x", "\n", "\r\n\r\n", "\n\n", "\r\r", "\r\n", "\n", ".", "..", "a", "Bcc:",
   "bcc \t:x", "Subject: x", "\0", "\195\164", "\128", "\t", ("x"):rep(997), ("x"):rep(998), "seven77",
   "From ", "=", ("line\r\n"):rep(11000), (".\n"):rep(33000) }

local seed = 1

local function random(max)
   seed = (seed * 16807) % 2147483647
   return seed % max + 1
end

-- The odd ones less often, the long ones seldom.
local function part()
   local one = parts[random(#parts)]
   local odds = (#one > 10000 and 50) or (#one > 900 or one == "\0" or one:find("[Bb]cc")) and 5 or 1
   return random(odds) == 1 and one or "q"
end

local function message()
   local list = {}
   for i = 1, random(12) - 1 do list[i] = part() end
   return { from = "ann@me.example", to = "bob@there.example", raw = table.concat(list) }
end

local unpack = table.unpack or unpack -- luacheck: ignore

local server = assert(request.connection { host = "mx.example", tls = "skip" })

describe("A plain message", function()
   it("is what any other way makes of it", function()
      local short = 0
      for _ = 1, 1500 do
         local given = message()
         local fast, slow = request.plain(given, server), request.message(given, server)
         if fast then
            short = short + 1
            assert(slow, given.raw)
            assert.equal(slow.text, fast.text)
            assert.equal(slow.size, fast.size)
            for i, recipient in ipairs(fast.transaction:recipients()) do
               assert.equal(slow.to[i], recipient.address)
            end
            assert.equal(#slow.to, #fast.transaction:recipients())
            assert.same(slow.needs, fast.needs)
         end
      end
      assert.is_true(short > 500)
   end)

   it("is said in the same octets", function()
      for _, capabilities in ipairs { { "PIPELINING", "8BITMIME", "SIZE" },
         { "PIPELINING", "8BITMIME", "CHUNKING" } } do
         local servers, connections = {}, {}
         for i = 1, 2 do
            servers[i] = spec_server.new { capabilities = capabilities }
            connections[i] = assert(smtp.connect { host = "mx.example", domain = "me.example",
               tls = "skip", transport = servers[i] })
         end
         for _ = 1, 200 do
            local given = message()
            local _, why = connections[1]:send(given)
            given.recipients = "any"
            local _, why_not = connections[2]:send(given)
            assert.equal(tostring(why_not), tostring(why))
         end
         assert.is_true(#servers[1].taken > 50)
         assert.same(servers[2].taken, servers[1].taken)
         assert.same(servers[2].lines, servers[1].lines)
      end
   end)
end)

describe("A plain message whose table changes while it is read", function()
   -- What runs when garbage is collected: newproxy where tables have no finalizers.
   local function at_collection(fn)
      local proxy = rawget(_G, "newproxy") and newproxy(true) -- luacheck: ignore
      if proxy then
         getmetatable(proxy).__gc = fn
      else
         setmetatable({}, { __gc = fn })
      end
   end

   it("has the text that was read", function()
      local changed = 0
      for i = 1, 30 do
         collectgarbage()
         collectgarbage("stop")
         local given = { from = "a@x", to = "b@x", raw = "short\r\n" }
         at_collection(function() given.raw, changed = "something longer\r\n", changed + 1 end)
         collectgarbage("setpause", 0)
         collectgarbage("setstepmul", 100 + i * 70)
         collectgarbage("restart")
         local mail, text, size = core.transaction(given, {})
         assert.is_truthy(mail)
         assert.equal(size, #text)
      end
      collectgarbage("setpause", 200)
      collectgarbage("setstepmul", 200)
      collectgarbage()
      assert.equal(30, changed)
   end)

   it("is refused as the text of another", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", flight_max = 1 }
      local mail = core.transaction({ from = "a@x", to = "b@x", raw = "hi\r\n" }, {})
      assert.has_error(function() session:add(mail, "RSET\r\n") end)
   end)
end)

describe("A line of plain messages", function()
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
      list[3] = { from = "a@x", to = "b@x", text = "hi" }
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

   it("must be over when its oldest must be, which has more time where it is large", function()
      local session = open()
      local line = core.pipeline(session, {}, 10, 100)
      local large = { from = "a@x", to = "b@x", raw = ("x"):rep(98) .. "\r\n" }
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
