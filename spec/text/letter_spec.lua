-- Short texts, composed in one step, against the long way that all other messages take.
local bodies = require "spec.tools.bodies"
local request = require "smtp.client.request"

local random = bodies.random
local server = assert(request.connection { host = "mx.example", tls = "skip" })

local names = { "Ann Lee <", "Bob <", "Ann  <", "", "Ann<", " Ann <", "<", "Ann L. <", "O'Neil & Co <", "Ann (x) <",
   "Ann: x <", "Ann=?x <", "Ann =? <", "a=b?c <", "[x] <", "Ann\t<", "\195\150 <", "\"Ann\" <", "Ann\127 <", "Ann, x <",
   "\"Ann \\\"L\\\"\" <", "\195\150 \226\130\172 x <", "\195 <", "\226\128\139 <", "a@b, Ann <", ("n"):rep(40) .. " <",
   ("n"):rep(90) .. " <", ("n y "):rep(15) .. "<", ("n y "):rep(40) .. "<", ("\195\150"):rep(64) .. " <" }

local function mailbox(name)
   return name .. ("abc"):rep(random(9)) .. "@x.example" .. (name:find("<$") and ">" or "")
end

local function mailboxes()
   if random(3) > 1 then return mailbox(names[random(#names)]) end
   local list = {}
   for i = 1, random(9) == 1 and random(70) or random(5) do list[i] = mailbox(names[random(random(#names))]) end
   return list
end

local subjects = { "Hi", "", " x", "x ", "a  b", "a\tb", "=?x", "a=?b", "a = ? b", "\195\150", "a\r\nBcc: b", "a\127",
   ("x"):rep(68), ("x"):rep(69), ("x"):rep(70), ("x "):rep(34) .. "y", ("x "):rep(36) .. "y", "1+1=2?", "\195",
   ("\208\150"):rep(128), ("\208\150 "):rep(90), ("x"):rep(256), ("x y"):rep(80), ("\t"):rep(20) .. "x", "\194\133" }

local texts = bodies.inputs()
for _, text in ipairs { ("x"):rep(4096), ("x"):rep(4097), ("\195\164\n"):rep(1365), ("=\n"):rep(2000), ("."):rep(4096),
   ("a\r"):rep(2048), "--=_1", "\195" } do
   texts[#texts + 1] = text
end

-- The bytes with one identifier for all.
local function with_id(message)
   local at, stop = message.text:find(message.message_id, 1, true)
   assert(message.message_id:find("^<%x+@x%.example>$") and #message.message_id == 44)
   assert(message.text:sub(at - 12, at - 1) == "Message-ID: ")
   return message.text:sub(1, at) .. message.text:sub(stop)
end

local function assert_same(slow, fast)
   assert.equal(with_id(slow), with_id(fast))
   assert.equal(slow.size, fast.size)
   assert.same(slow.needs, fast.needs)
   local to = {}
   for i, recipient in ipairs(fast.transaction:recipients()) do to[i] = recipient.address end
   assert.same(slow.to, to)
end

describe("A short text", function()
   it("is what the long way makes of it", function()
      local short = 0
      for i = 1, 4000 do
         local given = { from = mailbox(names[random(#names)]), to = mailboxes(), text = texts[random(#texts)],
            subject = random(4) > 1 and subjects[random(#subjects)] or nil, date = "Tue, 24 Nov 2026 12:00:00 +0100" }
         if i % 3 > 0 then given.from = "Ann <ann@x.example>" end
         if random(9) == 1 then given[({ "html", "cc", "date" })[random(3)]] = "Bob <b@x.example>" end
         local fast = request.plain(given, server)
         if fast then
            short = short + 1
            local slow, err = request.message(given, server)
            assert(slow, err)
            assert_same(slow, fast)
         end
      end
      assert.is_true(short > 400)
   end)

   it("has the date of now, or that of the option", function()
      local before = os.time()
      local message = request.plain({ from = "a@x.example", to = "b@x", text = "hi" }, server)
      local slow = request.message({ from = "a@x.example", to = "b@x", text = "hi", date = before }, server)
      if os.time() == before then assert_same(slow, message) end
      assert.is_truthy(message.text:find("^Date: %a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d %+0000\r\nFrom: "))
   end)

   it("has an identifier of its own", function()
      local given, seen = { from = "a@[127.0.0.1]", to = "b@x", text = "hi" }, {}
      for _ = 1, 100 do
         local id = request.plain(given, server).message_id
         assert.is_truthy(id:find("^<%x+@%[127%.0%.0%.1%]>$"))
         assert.is_nil(seen[id])
         seen[id] = true
      end
   end)
end)
