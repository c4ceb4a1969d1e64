-- An outbox in Redis while messages are put and delivered, and Redis restarts, loses its power or is replaced by its
-- replica. With `appendfsync always`, and with `replicas` where there is one, no message is lost, none arrives twice.
-- MESSAGES=2000 puts so many and prints what became of them, also with settings that can lose messages.
local load_of = require "spec.live.outbox_redis_load"
local servers = require "spec.live.redis_servers"

local count = tonumber(os.getenv "MESSAGES")
local SETTINGS = "--save '' --appendonly yes --appendfsync %s --repl-diskless-sync-delay 0"
local ALWAYS, EVERYSEC = SETTINGS:format "always", SETTINGS:format "everysec"

local function run(event, options)
   local found = load_of.run(event, count or 90, count and 5 or 2, options)
   if count then
      print(("%s: %d put, %d lost, %d arrived twice, %d in doubt"):format(options.name, found.put, found.lost,
         found.twice, found.doubt))
   end
   return found
end

describe("An outbox in Redis loses nothing and sends nothing twice", function()
   for _, case in ipairs {
      { "kill", { name = "when Redis is killed and starts again", settings = ALWAYS, kill_runners = true } },
      { "power", { name = "when Redis loses what it has not flushed", settings = ALWAYS, power = true } },
      { "split", { name = "when two servers are primaries for a while", settings = ALWAYS, replicas = 1 } },
      { "failover", { name = "when the primary is lost", settings = ALWAYS, replicas = 1, kill_runners = true } },
   } do
      it(case[2].name, function()
         if case[2].power then case[2].env = servers.flushed() end
         local found = run(case[1], case[2])
         assert.same({ 0, 0 }, { found.lost, found.twice })
      end)
   end

   if count then
      for _, case in ipairs {
         { "power", { name = "appendfsync everysec: Redis loses what it has not flushed", settings = EVERYSEC,
            power = true } },
         { "kill", { name = "appendfsync everysec: Redis is killed and starts again", settings = EVERYSEC } },
         { "split", { name = "replicas = 0: two servers are primaries for a while", settings = ALWAYS } },
         { "failover", { name = "replicas = 0: the primary is lost", settings = ALWAYS } },
      } do
         it("not for certain: " .. case[2].name, function()
            if case[2].power then case[2].env = servers.flushed() end
            run(case[1], case[2])
         end)
      end
   end
end)
