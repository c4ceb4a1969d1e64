-- Kills runners of an outbox and lets others finish, against a server that writes down what really
-- arrived. Every message ends as sent, failed or in doubt; no recipient gets one twice; a message
-- is in doubt only if its mark was stored and its result was not.
--
--    lua5.4 spec/live/outbox_crash.lua safe 500     500 kills at random moments; or with `eager`
--
-- outbox_crash_spec.lua kills at every statement of the store and at every octet.
-- The last line is "N cases, N sent, N failed, N in doubt (N of these had arrived)".

local command = require "spec.tools.command"

local interpreter = "lua5.4"
local KILL_ALL = 10 -- seconds after which any program of this file is killed

-- ---- the programs ----

-- A server that writes down each message before it answers.
local server = [[
local truth = ...
local sink = require("smtp").sink { keep = 0, faults = { rcpt = function(line)
   if line:find("nobody", 1, true) then return "550 5.1.1 unknown" end
end }, on_message = function(message)
   local file = io.open(truth, "a")
   for _, address in ipairs(message.to) do
      file:write(message.data:match("Subject: (%S+)"), " ", address, "\n")
   end
   file:close()
end }
print((select(2, sink:listen())))
io.stdout:flush()
sink:serve()
]]

-- A runner. `later`: so many seconds have passed.
local runner = [[
local path, port, pipelining, later = ...
local smtp = require "smtp.safe"
local box = assert(smtp.outbox { store = path, name = "crash", lease = 60,
   server = { host = "127.0.0.1", port = port, tls = "skip", pipelining = pipelining } })
box.now = function() return os.time() + tonumber(later) end
assert(box:run { once = true })
print "over"
]]

-- Puts messages of three kinds: for one, for three, one of whom does not exist, and a long one.
local putter = [[
local path, port = ...
local smtp = require "smtp.safe"
local box = assert(smtp.outbox { store = path, name = "crash",
   server = { host = "127.0.0.1", port = port, tls = "skip" } })
for i = 1, 5 do
   local to = i % 2 == 1 and { "bob@example.net" } or { "eve@example.net", "nobody@example.net",
      "zoe@example.net" }
   assert(box:put({ from = "ann@example.org", to = to, subject = "m" .. i,
      text = i == 5 and ("a long line of text\n"):rep(8000) or "Hi\n" }, { id = "m" .. i }))
end
assert(box:put({ from = "ann@example.org", to = "nobody@example.net", subject = "m6", text = "Hi" },
   { id = "m6" }))
]]

-- ---- one case ----

local base = os.tmpname()
os.remove(base)
if os.rename("/dev/shm", "/dev/shm") then base = "/dev/shm/" .. base:match("[^/]*$") end
local store, truth = base .. ".db", base .. ".truth"
local programs = { server = base .. ".server", runner = base .. ".runner", putter = base .. ".putter" }

local function run(program, arguments, seconds)
   return command.own(("timeout -s KILL %s %s %s %s"):format(seconds or KILL_ALL, interpreter,
      programs[program], arguments))
end

local totals = { kills = 0, sent = 0, failed = 0, doubt = 0, arrived = 0 }

local function arrivals()
   local count = {}
   for line in io.lines(truth) do count[line] = (count[line] or 0) + 1 end
   return count
end

-- Was the mark of a message stored, and no result, when the first runner was killed?
local function marked_ids(port)
   local box = assert(require("smtp.safe").outbox { store = store, name = "crash",
      server = { host = "127.0.0.1", port = port } })
   local ids = {}
   local list = assert(box.store:list("crash", { state = "ending", limit = 10000 }))
   for _, entry in ipairs(list) do ids[entry.id] = true end
   box:close()
   return ids
end

local function check_recipient(entry, one, arrived, marked)
   local times = arrived[entry.id .. " " .. one.address] or 0
   local where = ("%s to %s is %s and arrived %d times"):format(entry.id, one.address, one.state, times)
   assert(times <= 1, where)
   assert(one.state == "sent" or one.state == "failed" or one.state == "doubt", where)
   assert(one.state ~= "sent" or times == 1, where)
   assert(one.state ~= "failed" or times == 0, where)
   assert(one.state ~= "doubt" or marked[entry.id], where .. ", without a mark")
   totals[one.state] = totals[one.state] + 1
   if one.state == "doubt" then totals.arrived = totals.arrived + times end
end

local function check(port, marked)
   local arrived = arrivals()
   local box = assert(require("smtp.safe").outbox { store = store, name = "crash",
      server = { host = "127.0.0.1", port = port } })
   local list = assert(box:list())
   assert(#list == 6, #list .. " messages")
   for _, entry in ipairs(list) do
      for _, one in ipairs(entry.recipients) do check_recipient(entry, one, arrived, marked) end
   end
   box:close()
end

-- Put, run until the kill, run the rest.
local function case(port, pipelining)
   command.own(("rm -f %s*; : >%s"):format(store, truth))
   local said = run("putter", ("%s %d"):format(store, port))
   assert(said == "", said)
   run("runner", ("%s %d %s 0"):format(store, port, pipelining), ("%.4f"):format(0.005 + math.random() * 0.06))
   local marked = marked_ids(port)
   said = run("runner", ("%s %d %s 100"):format(store, port, pipelining))
   assert(said == "over\n", said)
   check(port, marked)
   totals.kills = totals.kills + 1
end

-- ---- many ----

local pipelining, count = arg[1] or "safe", tonumber(arg[2] or 30)
command.write(programs.server, server)
command.write(programs.runner, runner)
command.write(programs.putter, putter)
local pipe = io.popen(("exec timeout 3600 %s %s %s"):format(interpreter, programs.server, truth))
local port = pipe:read("*n")
local ok, why = pcall(function()
   for _ = 1, count do case(port, pipelining) end
end)
command.own(("pid=$(ss -Hltnp 'sport = :%d' | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'); kill $pid; rm -f %s.*")
   :format(port, base))
pipe:close()
if not ok then error(why, 0) end
print(("%d cases, %d sent, %d failed, %d in doubt (%d of these had arrived)"):format(totals.kills,
   totals.sent, totals.failed, totals.doubt, totals.arrived))
