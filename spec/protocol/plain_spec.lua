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

local many = {}
for i = 1, 64 do many[i] = ("bob%d@there.example"):format(i) end
local too_many = { "zoe@there.example", unpack(many) }

-- A sender, or one of the recipients.
local addresses = { "ann@ME.example", "Ann <ann@me.example>", "<ann@me.example>", "Ann L. (x) <ann@me.example>",
   '"Ann, L" <ann@me.example>', "Ann, L <ann@me.example>", "a@b, Ann <ann@me.example>", "Ann@home <ann@me.example>",
   "Ann; <ann@me.example>", "Ann <ann@me.example", "A\tB <ann@me.example>", "Ann <>", "", "<>", ">", "a <b@c> ",
   " a@b", "a <b <c@d>", "\195\150 <ann@me.example>", "Ann <\195\150@me.example>", "Ann <ann@me.example> x",
   "Ann<ann@me.example>", ("n"):rep(300) .. " <ann@me.example>", ("n"):rep(65) .. "@me.example",
   '"a b"@me.example', "Ann <\"a\"@me.example>",
   "Ann <ann@[127.0.0.1]>", "mailto:ann@me.example", "Ann\\ <ann@me.example>", "Ann\0 <ann@me.example>" }

local lists = { many, too_many, {}, { "a@x", "b@x" }, { "a@x", "Al <a@x>", "b@x", "a@X" }, { "a@x", "no address" },
   { "a@x", nil, "b@x" }, { "a@x", name = "Al" }, { address = "a@x" }, { { address = "a@x" }, "b@x" }, { 1 }, 1, true,
   setmetatable({ "a@x" }, { __index = { "b@x" } }) }

local words = { {}, { chunking = "prefer" }, { ["8bitmime"] = "skip" }, { ["8bitmime"] = "require" },
   { dsn = "require" }, { binarymime = "prefer" }, { binarymime = "skip" }, { size = "skip", pipelining = "require" } }

local function list_of_some()
   local list = {}
   for i = 1, random(4) do list[i] = addresses[random(#addresses)] end
   return list
end

-- Most of them in one way other than { from =, to =, raw = } as three strings in ASCII.
local function variant()
   local one, kind = message(), random(4)
   if kind == 1 then
      one.from = addresses[random(#addresses)]
   elseif kind == 2 then
      one.to = addresses[random(#addresses)]
   elseif kind == 3 then
      one.to = random(3) == 1 and lists[random(#lists)] or list_of_some()
   end
   return one
end

local function assert_same(slow, fast)
   assert.equal(slow.text, fast.text)
   assert.equal(slow.size, fast.size)
   assert.same(slow.needs, fast.needs)
   local to = {}
   for i, recipient in ipairs(fast.transaction:recipients()) do to[i] = recipient.address end
   assert.same(slow.to, to)
end

describe("A plain message", function()
   it("is what any other way makes of it", function()
      local short = 0
      for i = 1, 3000 do
         local given = i % 2 == 0 and message() or variant()
         local fast, slow = request.plain(given, server), request.message(given, server)
         if fast then
            short = short + 1
            assert(slow, given.raw)
            assert_same(slow, fast)
         end
      end
      assert.is_true(short > 1000)
   end)

   it("may have a list of recipients, each once, and names in ASCII without specials", function()
      for _, case in ipairs {
         { "Ann Lee <ann@x>", "Bob <b@x>", { "b@x" } },
         { "<ann@x>", { "b@x", "Bob <b@x>", "c@x" }, { "b@x", "c@x" } },
         { "ann@x", many, many },
      } do
         local plain = request.plain({ from = case[1], to = case[2], raw = "hi" }, server)
         local to = {}
         for i, recipient in ipairs(plain.transaction:recipients()) do to[i] = recipient.address end
         assert.same(case[3], to)
      end
      assert.is_nil(request.plain({ from = "a@x", to = too_many, raw = "hi" }, server))
      assert.is_nil(request.plain({ from = '"Ann" <a@x>', to = "b@x", raw = "hi" }, server))
   end)

   for _, one in ipairs(words) do
      it("is said in the same octets with the words { " .. (next(one) or "") .. " " .. (one[next(one)] or "") .. " }",
         function()
         for _, capabilities in ipairs { { "PIPELINING", "8BITMIME", "SIZE", "DSN" },
            { "PIPELINING", "CHUNKING", "BINARYMIME" } } do
            local servers, connections = {}, {}
            for i = 1, 2 do
               servers[i] = spec_server.new { capabilities = capabilities }
               connections[i] = assert(smtp.connect { host = "mx.example", domain = "me.example",
                  tls = "skip", transport = servers[i], extensions = one })
            end
            for _ = 1, 60 do
               local given = variant()
               local _, why = connections[1]:send(given)
               given.recipients = "any"
               local _, why_not = connections[2]:send(given)
               assert.equal(tostring(why_not), tostring(why))
            end
            assert.same(servers[2].taken, servers[1].taken)
            assert.same(servers[2].lines, servers[1].lines)
         end
      end)
   end
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

   local function one_for(...)
      return core.transaction { from = "a@x", to = { ... }, size = 4, exact = true, source_len = 4 }
   end

   it("takes single messages, and gives their entries back", function()
      local session, values, entry = open(), {}, { name = "first" }
      local line = core.pipeline(session, {}, 10)
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

describe("Another transaction of the same message", function()
   local function said(transaction, text)
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", flight_max = 1 }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250-DSN\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
      session:add(transaction, text)
      return session:output()
   end

   local function first()
      return core.transaction { from = "a@x", to = { "b@x", "c@x", "d@x" }, size = 4, exact = true, source_len = 4,
         eightbit = true, asked = { envid = "7", orcpt_of = { ["c@x"] = "rfc822;c@y" } } }
   end

   it("says the same", function()
      assert.equal(said(first(), "hi\r\n"), said(first():again(), "hi\r\n"))
   end)

   it("is for some of the recipients, in the order given", function()
      local again = first():again({ 3, 2 }, 1)
      collectgarbage()
      local output = said(again, "hi\r\n")
      assert.matches("^MAIL FROM:<a@x> BODY=8BITMIME ENVID=7\r\nRCPT TO:<d@x>\r\nDATA", output)
      assert.matches("RCPT TO:<c@x> ORCPT=rfc822;c@y", said(first():again({ 2 })))
   end)

   it("needs recipients that there are", function()
      for _, indices in ipairs { {}, { 0 }, { 4 }, { 1.5 }, { "x" } } do
         assert.has_error(function() first():again(indices) end)
      end
   end)
end)
