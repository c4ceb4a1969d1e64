-- How fast one prefix of the Redis store is, for spec/bench/outbox/run: its put beside redis-benchmark, which runs the
-- same script over one connection, in turns; claims and results; and a million messages beside none.
-- lua spec/bench/outbox/redis.lua COUNT TURNS MILLION
local core = require "smtp.core"
local keys = require "smtp.outbox.redis_keys"
local scripts = require "smtp.outbox.redis_scripts"
local servers = require "spec.live.redis_servers"

local unpack = table.unpack or unpack -- luacheck: ignore
local COUNT, TURNS, MILLION = tonumber(arg[1] or 4000), tonumber(arg[2] or 3), tonumber(arg[3] or 1000000)
local BATCH = 32
local BODY = (("x"):rep(70) .. "\r\n"):rep(14) -- 1 KiB
local FACTS, RECIPIENTS, HISTORY = ("f"):rep(150), ("r"):rep(100), ("h"):rep(200)

local server, store, last = nil, nil, 0

-- -> microseconds of each message by the clock; of the processor of Redis
local function timed(count, fn, ...)
   local text = server:command("info", "cpu")
   local before = text:match "used_cpu_user_main_thread:([%d.]+)" + text:match "used_cpu_sys_main_thread:([%d.]+)"
   local started = core.now()
   fn(...)
   local seconds = core.now() - started
   text = server:command("info", "cpu")
   local after = text:match "used_cpu_user_main_thread:([%d.]+)" + text:match "used_cpu_sys_main_thread:([%d.]+)"
   return seconds / count * 1e6, (after - before) / count * 1e6
end

local function put_some()
   for _ = 1, COUNT do
      last = last + 1
      assert(store:put("box", { id = "own-" .. last, due = 1, created = 1, since = 1, size = #BODY, body = BODY,
         facts = FACTS, recipients = RECIPIENTS, addresses = "\nbob@example.net\n" }))
   end
end

local function claim_some(list)
   repeat
      local some = store:claim("box", 9, 99, 7, BATCH)
      for i = 1, #some do list[#list + 1] = some[i] end
   until not some[1]
end

-- A mark, and later a result, for each.
local function commit_all(list)
   for first = 1, #list, BATCH do
      local results, marks = {}, {}
      for i = first, math.min(#list, first + BATCH - 1) do
         marks[#marks + 1] = { number = list[i].number, claim = 7, bytes = "m" }
         results[#results + 1] = { number = list[i].number, claim = 7, state = "sent", due = 20, attempts = 1,
            recipients = RECIPIENTS, history = HISTORY }
      end
      store:commit("box", {}, marks)
      store:commit("box", results, {})
   end
end

-- What redis-benchmark needs for `count` puts of messages that are due at this time.
local function benchmark(count, due, flags)
   local random = "0000__rand_int__" -- it makes 12 digits
   local list = keys.of_outbox("bench", "box")
   list[#list + 1] = "{bench}:message:" .. random
   list[#list + 1] = "{bench}:body:" .. random
   local words = { "evalsha", server:command("script", "load", scripts.put), #list, unpack(list) }
   for _, word in ipairs { random, "put", "m" .. random, "", "queued", due, due, "1", #BODY, FACTS, RECIPIENTS, "b",
      (BODY:gsub("%s", " ")) } do
      words[#words + 1] = word
   end
   for i = 1, #words do words[i] = "'" .. words[i] .. "'" end
   local root = servers.root()
   local line = ("LD_LIBRARY_PATH=$(echo %s/usr/lib/*-linux-gnu) %s/usr/bin/redis-benchmark -p %d -n %d -r 2000000000")
      :format(root, root, server.port, count)
   os.execute(line .. " -q " .. flags .. " " .. table.concat(words, " ") .. " >/dev/null")
end

local function start()
   server = servers.start "--save '' --appendonly yes --appendfsync everysec"
   store = server:store "bench"
end

local function median(list)
   table.sort(list)
   return list[math.ceil(#list / 2)]
end

local function row(name, own, other)
   print(("  %-42s %8.0f %8s us %8s"):format(name, own, other and ("%.0f"):format(other) or "",
      other and ("%.2f"):format(other / own) or ""))
end

local own, other, redis, claims, commits = {}, {}, {}, {}, {}
for turn = 1, TURNS do
   start()
   own[turn], redis[turn] = timed(COUNT, put_some)
   local list = {}
   local clock, processor = timed(COUNT, claim_some, list)
   claims[turn], redis[turn] = clock, redis[turn] + processor
   clock, processor = timed(COUNT, commit_all, list)
   commits[turn], redis[turn] = clock, redis[turn] + processor
   other[turn] = timed(COUNT, benchmark, COUNT, 1, "-c 1")
   server:remove()
end
row("put / redis-benchmark, one connection", median(own), median(other))
row("claim", median(claims))
row("mark and result", median(commits))
row("processor of Redis for a message in all", median(redis))
start()
benchmark(MILLION, 1000, "-c 8 -P 16")
local full = {}
for turn = 1, TURNS do full[turn] = timed(COUNT, put_some) end
row(("put, %d messages / none"):format(MILLION), median(full), median(own))
print("  memory of Redis with these: " .. server:command("info", "memory"):match "used_memory_human:([^\r\n]*)")
server:remove()
