-- Whatever servers and connections do: each message is reported once, and what is reported is true.
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"
local tally = require "spec.tools.tally"

-- The same numbers everywhere.
local function numbers(seed)
   seed = seed * 7919
   return function(max)
      seed = (seed * 16807) % 2147483647
      return seed % max + 1
   end
end

-- One of many replies is another one.
local odd = {
   mail = { "450 later", "550 no", "421 bye" },
   rcpt = { "450 later", "550 no", "452 4.5.3 too many", "452 4.5.3 too many", "421 bye" },
   data = { "451 later", "503 no", "421 bye" },
   chunk = { "452 full", "552 too much", "502 what?", "421 bye" },
   final = { "451 later", "554 no", "500 what?", "250 ok\r\n421 bye", "421 bye" },
}

-- A server that takes few recipients at once, and after some refusals ends the connection.
local function limit(server, random)
   local reply, at_once, patience, count = server.reply, random(4), random(6), 0
   local refusal = ({ "452 4.5.3 too many", "431 too many", "550 5.1.1 who?" })[random(3)]
   local farewell = random(2) == 1 and "\r\n421 too many errors" or ""
   function server.reply(self, what)
      if what ~= "rcpt" or #(self.to or {}) < at_once then return reply(self, what) end
      count = count + 1
      if count < patience then return refusal end
      self.closing = true
      return refusal .. farewell
   end
end

local function make_server(random)
   local oddness = ({ 1000000, 50, 10 })[random(3)]
   local server = spec_server.new { mute = random(2) == 1,
      cut = random(3) == 1 and ({ 300, 3000, 100000 })[random(3)] or nil,
      stall = random(6) == 1 and random(2000) or nil,
      reply = function(self, what)
         if random(oddness) > 1 then return nil end
         if random(3) > 1 then return odd[what][random(#odd[what])] end
         self:vanish()
      end,
      portion = random(3) == 1 and function(len) return random(len) end or nil }
   if server.cut then server.cut = random(server.cut) + 30 end
   if random(3) == 1 then limit(server, random) end
   server.capabilities = ({ { "PIPELINING", "CHUNKING" }, { "PIPELINING" }, { "CHUNKING" },
      { "PIPELINING", "CHUNKING", "LIMITS RCPTMAX=2 MAILMAX=3" } })[random(4)]
   if random(10) == 1 then
      function server.connect() return nil, "connect:refused", "refused" end
   end
   return server
end

local function source(text)
   local given = false
   return function()
      if given then return nil end
      given = true
      return text
   end
end

-- A long one can be read again where it is a string; one may be no address, or need 8BITMIME.
local function make_message(i, random, longest)
   local to, text = {}, ("message %d\r\n"):format(i):rep(({ 1, 10, longest })[random(3)])
   for j = 1, random(({ 3, 3, 9 })[random(3)]) do to[j] = ("r%d@there.example"):format(j) end
   if random(20) == 1 then to[1] = "nobody" end
   if random(20) == 1 then text = text .. "\195\164\r\n" end
   return { from = random(9) > 1 and "ann@me.example" or "eve@me.example",
      to = #to == 1 and to[1] or to, raw = random(random(2) * 4 - 3) == 2 and source(text) or text }
end

-- As a list or as a function.
local function iterator(list)
   local i = 0
   return function()
      i = i + 1
      return list[i]
   end
end

-- How often recipient `to` was given message `i`.
local function count_taken(servers, i, to)
   local count = 0
   for _, server in ipairs(servers) do
      for _, taken in ipairs(server.taken) do
         for _, address in ipairs(taken.to) do
            local ours = tonumber(taken.body:match("^message (%d+)")) == i and address == to
            count = count + (ours and 1 or 0)
         end
      end
   end
   return count
end

local function check(servers, i, given, result)
   local states = {}
   for _, entry in ipairs(result.recipients or {}) do states[entry.address] = entry.state end
   for _, to in ipairs(type(given.to) == "table" and given.to or { given.to }) do
      local state, count = states[to] or "unsent", count_taken(servers, i, to)
      local what = ("message %d to %s: %s, taken %d times"):format(i, to, state, count)
      assert.is_true(count <= 1, what)
      if state == "accepted" then assert.equal(1, count, what) end
      if state ~= "accepted" and state ~= "unknown" then assert.equal(0, count, what) end
   end
   if result.kind and result.sent == "no" then
      for to in pairs(states) do assert.equal(0, count_taken(servers, i, to)) end
   end
end

local function play(seed)
   local random, servers, list, results, told = numbers(seed), {}, {}, {}, 0
   local few = random(4) > 1
   for i = 1, random(few and 12 or 200) do list[i] = make_message(i, random, few and 8000 or 40) end
   local all = talk.options { from = false, to = false, raw = false, port = 7000 + seed,
      pipelining = random(3) > 1 and "eager" or "safe" }
   all.transport = function()
      servers[#servers + 1] = make_server(random)
      return servers[#servers]
   end
   local messages = random(2) == 1 and list or iterator(list)
   local summary = assert(smtp.send_many(all, messages, { connections = random(3),
      window = random(few and 8 or 64),
      on_result = function(index, receipt, err)
         assert(not results[index], "told twice")
         results[index], told = receipt or err, told + 1
      end }))
   assert.equal(#list, told)
   assert.equal(#list, summary.sent + summary.failed)
   for i = 1, #list do check(servers, i, list[i], results[i]) end
   for _, server in ipairs(servers) do
      local limited = server.capabilities[3] ~= nil
      assert.is_true(not limited or #server.taken <= 3)
   end
end

describe("send_many", function()
   it("loses no message, sends none twice, and knows", function()
      local seeds = tonumber(os.getenv("SEEDS")) or 60
      tally.add(seeds)
      for seed = 1, seeds do
         local ok, why = pcall(play, seed)
         if not ok then error(("seed %d: %s"):format(seed, tostring(why)), 0) end
      end
   end)
end)
