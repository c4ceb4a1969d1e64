-- Four runners on one store, one of which is killed each second, against a server that writes down what arrives. Each
-- message has to end as sent, which arrived once, or in doubt, which arrived at most once.
--
--    lua5.4 spec/live/outbox_processes.lua safe 20000      20,000 messages; or with `eager`
--
-- The last line is "N messages, N kills: N sent, N in doubt (N of these had arrived), in N s".

local command = require "spec.tools.command"
local core = require "smtp.core"
local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"

local PROCESSES, LEASE = 4, 5

local pipelining, count = arg[1] or "safe", tonumber(arg[2] or 2000)
local store = outboxes.path()
local truth = store .. ".truth"

local server = [[
local truth = io.open(..., "a")
truth:setvbuf "line"
local sink = require("smtp").sink { keep = 0, on_message = function(message)
   truth:write(message.data:match("Subject: (%S+)"), "\n")
end }
print((select(2, sink:listen())))
io.stdout:flush()
sink:serve()
]]

local runner = [[
local store, port, pipelining, lease = ...
local box = require("smtp").outbox { store = store, name = "processes", lease = tonumber(lease),
   server = { host = "127.0.0.1", port = port, tls = "skip", pipelining = pipelining } }
box:run { until_empty = true }
]]

command.write(store .. ".server", server)
command.write(store .. ".runner", runner)

-- -> the number of the process, and what it prints
local function start(program, ...)
   local words = { "exec lua5.4", store .. program, ... }
   local pipe = io.popen(("echo $$; %s"):format(table.concat(words, " ")))
   return { pid = pipe:read "*l", pipe = pipe }
end

local function is_running(process)
   return command.own("kill -0 " .. process.pid .. " 2>&1") == ""
end

local function stop(process)
   command.own("kill -9 " .. process.pid .. " 2>&1")
   process.pipe:close()
end

local function play(port)
   local box = assert(smtp.outbox { store = store, name = "processes", server = { host = "127.0.0.1", port = port } })
   for i = 1, count do
      assert(box:put({ from = "ann@me.example", to = "bob@there.example", subject = "m" .. i, text = "Hi\n" },
         { id = "m" .. i }))
   end
   local started, kills, running = core.now(), 0, {}
   for i = 1, PROCESSES do running[i] = start(".runner", store, port, pipelining, LEASE) end
   local at = 0
   while true do
      core.sleep(1)
      at = at % PROCESSES + 1
      local stats = assert(box:stats())
      if stats.queued + stats.claimed + stats.ending == 0 then break end
      if is_running(running[at]) and stats.queued > 0 then kills = kills + 1 end
      stop(running[at])
      running[at] = start(".runner", store, port, pipelining, LEASE)
   end
   local seconds = core.now() - started
   for i = 1, PROCESSES do stop(running[i]) end
   return box, kills, seconds
end

local function check(box)
   local arrived, found = {}, { sent = 0, doubt = 0, arrived = 0 }
   for line in io.lines(truth) do arrived[line] = (arrived[line] or 0) + 1 end
   for i = 1, count do
      local entry = assert(box:get("m" .. i))
      local times = arrived["m" .. i] or 0
      local where = ("m%d is %s and arrived %d times"):format(i, entry.state, times)
      assert(times == 1 and entry.state == "sent" or times <= 1 and entry.state == "doubt", where)
      assert(entry.state == "sent" or entry.attempts[#entry.attempts].reason == "crash", where)
      found[entry.state] = found[entry.state] + 1
      if entry.state == "doubt" then found.arrived = found.arrived + times end
   end
   return found
end

local sink = start(".server", truth)
local ok, why = pcall(function()
   local box, kills, seconds = play(sink.pipe:read "*l")
   local found = check(box)
   print(("%d messages, %d kills: %d sent, %d in doubt (%d of these had arrived), in %.0f s"):format(count, kills,
      found.sent, found.doubt, found.arrived, seconds))
   box:close()
end)
stop(sink)
for _, ending in ipairs { ".truth", ".server", ".runner" } do os.remove(store .. ending) end
outboxes.clean()
if not ok then error(why, 0) end
