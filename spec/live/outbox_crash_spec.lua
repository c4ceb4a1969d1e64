-- A program that puts messages into an outbox and sends them. It is killed before or after whichever SQL statement or
-- command of Redis, or after whichever octet of the dialogue; or stopped there, and woken after another runner has done
-- everything; or the machine loses its power, and only what SQLite has flushed is left. Every message of which put had
-- returned is sent, has failed or is in doubt; the others are put again with the same id; no recipient gets one twice;
-- a doubt is about a message that was marked and had no result. KILLS=1 takes every call and octet, KILLS=2 every
-- second one.
local crashes = require "spec.tools.crashes"
local redis_servers = require "spec.live.redis_servers"
local tally = require "spec.tools.tally"

local stride = tonumber(os.getenv "KILLS")

local function way(fields)
   local usual = { pipelining = "safe", protocol = "smtp", tls = "skip", kind = "one", connections = 1,
      capabilities = { "PIPELINING" }, finals = {}, rcpts = {} }
   for name, value in pairs(fields) do usual[name] = value end
   return usual
end

local BDAT = { "PIPELINING", "CHUNKING" }
local ways = {
   way { name = "one recipient, DATA",},
   way { name = "one recipient, BDAT, eager", capabilities = BDAT, pipelining = "eager" },
   way { name = "three recipients, DATA, eager", kind = "three", pipelining = "eager" },
   way { name = "three recipients, BDAT, deferred", kind = "three", capabilities = BDAT,
      finals = { "451 4.3.0 later" } },
   way { name = "three recipients, one of whom is deferred, eager", kind = "spelled", pipelining = "eager",
      rcpts = { "450 4.2.1 busy", "450 4.2.1 busy" } },
   way { name = "three recipients, two connections", kind = "three", connections = 2 },
   way { name = "three recipients, LMTP, one deferred", kind = "three", protocol = "lmtp",
      finals = { "452 4.2.2 full" } },
   way { name = "three recipients, LMTP, BDAT, eager", kind = "three", protocol = "lmtp", capabilities = BDAT,
      pipelining = "eager" },
   way { name = "three recipients, TLS, eager", kind = "three", tls = "implicit", pipelining = "eager" },
   way { name = "a long message", kind = "long", is_long = true },
}

-- Every second case is before a call; with every call, both.
local function at_calls(one, count, first, signal)
   local step = stride or one.redis and 23 or 89
   for n = 1 + first % step, count, step do
      for _, sign in ipairs(stride == 1 and { -1, 1 } or { n % 2 == 0 and 1 or -1 }) do
         crashes.play(one, "calls", sign * n, signal)
      end
   end
end

local function at_octets(one, side, count, first, signal)
   local step = one.is_long and 90001 or (stride or one.redis and 911 or 409) * (signal == "STOP" and 5 or 1)
   for n = 1 + first % step, count, step do crashes.play(one, side, n, signal) end
end

-- All ways, each at some moments.
local function play_all(signals, redis)
   local first = 0
   for _, one in ipairs(ways) do
      it("somewhere: " .. one.name, function()
         one.redis = redis and redis()
         local whole = crashes.play(one)
         for _, signal in ipairs(signals) do
            first = first + 31
            at_calls(one, whole.calls, first, signal)
         end
         for _, side in ipairs { "heard", "told" } do
            for _, signal in ipairs { "KILL", "STOP" } do
               first = first + 101
               at_octets(one, side, whole[side], first, signal)
            end
         end
      end)
   end

   it("and that was often enough", function()
      local found = crashes.found
      if stride then
         print(("%d cases; recipients: %d sent, %d failed, %d in doubt (%d of these had arrived)"):format(found.cases,
            found.sent, found.failed, found.doubt, found.arrived))
      end
      tally.add(found.cases)
      assert.truthy(found.cases > 40 and found.sent > 100 and found.doubt > 0)
      crashes.found = { cases = 0, sent = 0, failed = 0, doubt = 0, arrived = 0 }
   end)
end

describe("An outbox in SQLite loses nothing and sends nothing twice when its program ends or stops", function()
   play_all { "KILL", "STOP", "POWER" }
end)

describe("An outbox in Redis loses nothing and sends nothing twice when its program ends or stops", function()
   local server
   setup(function() server = redis_servers.start "--save '' --appendonly no" end)
   teardown(function() server:remove() end)
   play_all({ "KILL", "STOP" }, function() return server end)
end)
