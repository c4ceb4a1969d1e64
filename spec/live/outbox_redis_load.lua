--- Programs that put messages into an outbox in Redis and deliver them, while Redis restarts, loses what it had not
-- flushed, or is replaced by its replica; and what became of the messages.

local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local servers = require "spec.live.redis_servers"
local smtp = require "smtp.safe"

local load_of = {}

-- An SMTP server that writes down each message before it answers.
local sink = [[
local truth = ...
local file = io.open(truth, "a")
local sink = require("smtp").sink { keep = 0, on_message = function(message)
   file:write(message.data:match("Subject: (%S+)"), "\n")
   file:flush()
end }
print((select(2, sink:listen())))
io.stdout:flush()
sink:serve()
]]

local function start(line)
   local pipe = io.popen("echo $$; exec " .. line)
   return { pipe = pipe, pid = pipe:read "*l" }
end

local function stop(program)
   if not program.pipe then return "" end
   os.execute(("kill -9 %s 2>/dev/null"):format(program.pid))
   local said = program.pipe:read "*a"
   program.pipe:close()
   program.pipe = nil
   return said
end

local function counted(path)
   local count, total = {}, 0
   for line in io.lines(path) do
      count[line], total = (count[line] or 0) + 1, total + 1
   end
   return count, total
end

-- ---- what may happen to Redis ----

local events = {}

function events.nothing()
   os.execute "sleep 1"
end

function events.kill(case)
   case.primary:stop "KILL"
   case.primary:run()
end

function events.power(case)
   case.primary:lose_power()
   case.primary:run()
end

local function swap(case)
   case.primary, case.replica = case.replica, case.primary
   command.write(case.place, tostring(case.primary.port))
end

local function follow(case)
   case.replica:command("replicaof", "127.0.0.1", tostring(case.primary.port))
   case.replica:await_sync()
end

-- The old primary serves its clients for a while after the replica has become a primary.
function events.split(case)
   case.replica:command("replicaof", "no", "one")
   os.execute "sleep 0.3"
   swap(case)
   follow(case)
end

-- The old primary dies, with all it has; another replica takes its place.
function events.failover(case)
   case.primary:stop "KILL"
   case.replica:command("replicaof", "no", "one")
   swap(case)
   os.execute(("rm -rf %s/*"):format(case.replica.dir))
   case.replica:run()
   follow(case)
end

-- ---- one case ----

local function start_programs(case, runners)
   case.sink = start(("%s %s %s"):format(interpreter, case.program, case.truth))
   case.port = case.sink.pipe:read "*n"
   local line = ("%s spec/live/outbox_redis_client.lua %s %d %d"):format(interpreter, case.place, case.replicas,
      case.port)
   case.putter = start(("%s %s 1 %d 2>&1"):format(line, case.notes, case.count))
   case.runners = {}
   for i = 1, runners do case.runners[i] = start(line .. " 2>&1") end
   case.runner_line = line .. " 2>&1"
end

local function await_puts(case, count)
   for _ = 1, 6000 do
      if select(2, counted(case.notes)) >= count then return end
      os.execute "sleep 0.01"
   end
   error("the messages were not put: " .. stop(case.putter))
end

-- A runner that comes when all leases have ended.
local function finish(case)
   local box = assert(smtp.outbox { store = case.primary:store "load", name = "load",
      server = { host = "127.0.0.1", port = case.port, tls = "skip" } })
   local ahead = 1000
   box.now = function() return os.time() + ahead end
   repeat
      assert(box:run { once = true })
      ahead = ahead + 1000
   until not box.store:due_at "load"
   return box
end

-- -> lost: put had returned, it has not arrived, and the outbox does not say that it is in doubt; twice; doubt
local function check(case, box)
   local arrived = counted(case.truth)
   local found = { put = 0, lost = 0, twice = 0, doubt = 0 }
   for id in pairs((counted(case.notes))) do
      local entry = box:get(id)
      found.put = found.put + 1
      if not arrived[id] and not (entry and entry.state == "doubt") then found.lost = found.lost + 1 end
      if arrived[id] and arrived[id] > 1 then found.twice = found.twice + 1 end
      if entry and entry.state == "doubt" then found.doubt = found.doubt + 1 end
   end
   return found
end

--- One case.
---@param event "nothing"|"kill"|"power"|"split"|"failover"
---@param count integer     messages
---@param times integer     how often it happens, while they are put
---@param options table     replicas, settings = flags of redis-server, kill_runners = one at each event, runners =
--   how many; 2 unless given
---@return table   put, lost, twice, doubt: how many messages
function load_of.run(event, count, times, options)
   local base = os.tmpname()
   local case = { count = count, replicas = options.replicas or 0, place = base, notes = base .. ".notes",
      truth = base .. ".truth", program = base .. ".sink", primary = servers.start(options.settings, options.env) }
   command.write(case.program, sink)
   command.write(case.notes, "")
   command.write(case.truth, "")
   command.write(case.place, tostring(case.primary.port))
   if event == "split" or event == "failover" then
      case.replica = servers.start(options.settings, options.env)
      follow(case)
   end
   start_programs(case, options.runners or 2)
   local ok, result = pcall(function()
      for i = 1, times do
         await_puts(case, math.floor(count * i / (times + 1)))
         if options.kill_runners then
            local one = i % #case.runners + 1
            assert(stop(case.runners[one]) == "")
            case.runners[one] = start(case.runner_line)
         end
         events[event](case)
      end
      await_puts(case, count)
      for i = 1, #case.runners do assert(stop(case.runners[i]) == "") end
      return check(case, finish(case))
   end)
   stop(case.sink)
   stop(case.putter)
   for i = 1, #case.runners do stop(case.runners[i]) end
   case.primary:remove()
   if case.replica then case.replica:remove() end
   for _, ending in ipairs { "", ".notes", ".truth", ".sink" } do os.remove(base .. ending) end
   if not ok then error(result, 0) end
   return result
end

return load_of
