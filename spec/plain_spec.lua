-- The short way of the commonest messages against the long way that all others take.
local options = require "smtp.options"
local smtp = require "smtp.safe"
local spec_server = require "spec.server"

local parts = { "\r\n", "\r", "\n", "\r\n\r\n", "\n\n", "\r\r", "\r\n", "\n", ".", "..", "a", "Bcc:",
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

local plan = assert(options.connection { host = "mx.example", tls = "skip" })

describe("A plain message", function()
   it("is what any other way makes of it", function()
      local short = 0
      for _ = 1, 1500 do
         local given = message()
         local fast, slow = options.plain(given, plan), options.mail(given, plan)
         if fast then
            short = short + 1
            assert(slow, given.raw)
            for _, name in ipairs { "from", "text", "size", "exact", "source_len", "eightbit" } do
               assert.equal(slow[name], fast[name])
            end
            assert.same(slow.to, fast.to)
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
