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

   it("may have a list of recipients, each once, and names", function()
      for _, case in ipairs {
         { "Ann Lee <ann@x>", "Bob <b@x>", { "b@x" } },
         { '"Ann, \\"B\\"" <ann@x>', "J\195\182rg<b@x>", { "b@x" } },
         { "<ann@x>", { "b@x", "Bob <b@x>", "c@x" }, { "b@x", "c@x" } },
         { "ann@x", many, many },
      } do
         local plain = request.plain({ from = case[1], to = case[2], raw = "hi" }, server)
         local to = {}
         for i, recipient in ipairs(plain.transaction:recipients()) do to[i] = recipient.address end
         assert.same(case[3], to)
      end
      assert.is_nil(request.plain({ from = "a@x", to = too_many, raw = "hi" }, server))
      for _, from in ipairs { "a@x, b <c@x>", "A\0 <a@x>", "A\255 <a@x>", "A\226\128\139<a@x>", "A <a@x>b" } do
         assert.is_nil(request.plain({ from = from, to = "b@x", raw = "hi" }, server))
      end
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
      for i = 1, 10 do
         collectgarbage()
         collectgarbage("stop")
         local given = { from = "a@x", to = "b@x", raw = "short\r\n" }
         at_collection(function() given.raw, changed = "something longer\r\n", changed + 1 end)
         collectgarbage("setpause", 0)
         collectgarbage("setstepmul", 100 + i * 210)
         collectgarbage("restart")
         local mail, text, size = core.transaction(given, {})
         assert.is_truthy(mail)
         assert.equal(size, #text)
      end
      collectgarbage("setpause", 200)
      collectgarbage("setstepmul", 200)
      collectgarbage()
      assert.equal(10, changed)
   end)

   it("has no text beside its raw text", function()
      local given = { from = "a@x", to = "b@x", raw = "hi\r\n", text = ("x"):rep(100000) }
      assert.equal("hi\r\n", select(2, core.transaction(given, {}, nil, 1)))
      given = { from = "a@x", to = "b@x", text = "hi", ["text\0"] = ("x"):rep(100000) }
      local _, text = core.transaction(given, {}, nil, 1)
      assert.is_true(#text < 1000)
   end)

   it("has keys that are the whole names", function()
      local given = { from = "a@x", to = "b@x", ["raw\0"] = "hi\r\n" }
      assert.equal(0, select("#", core.transaction(given, {})))
   end)

   it("is refused as the text of another", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", flight_max = 1 }
      local mail = core.transaction({ from = "a@x", to = "b@x", raw = "hi\r\n" }, {})
      assert.has_error(function() session:add(mail, "RSET\r\n") end)
   end)
end)
