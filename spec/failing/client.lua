-- Lets the machine fail in one scenario after the other: lua client.lua FAULTS SHARE SCENARIO…, with the library FAULTS
-- preloaded (faults.c). Of each list of cases every SHARE-th is tried. Each case is a process of its own, in which the
-- calls of one function fail; then it says what it got, and the servers (servers.lua) which messages they have.

local faults = package.loadlib(arg[1], "luaopen_faults")()
local core = require "smtp.core"
local errnos = require "spec.failing.errnos"
local oracle = require "spec.failing.oracle"
local scenarios = require "spec.failing.scenarios"
local truth = require "spec.failing.truth"

local unpack = table.unpack or unpack -- luacheck: ignore
local share = tonumber(arg[2])
local SECONDS = 30 -- for one case
local ALL = 1e9    -- calls
local PATIENCE = 4 -- seconds for an answer
local patience     -- less for a case in which there is none

local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir " .. folder)

local function write(name, text)
   local file = assert(io.open(folder .. "/" .. name, "wb"))
   file:write(text)
   file:close()
end

write("attached", ("an attachment\n"):rep(3000))
write("large", "\r\n" .. ("a line of text\r\n"):rep(20000))

local servers = truth.start()
local ports = servers.ports

-- ---- one case ----

local found = { cases = 0, struck = 0, receipts = 0, unsent = 0, doubts = 0, problems = 0 }

local function new_case(name, number, seconds)
   local case, count = { ports = ports, folder = folder, patience = seconds or PATIENCE, outcomes = {},
      settled = {}, name = name, inside = false }, 0
   function case.id(_)
      count = count + 1
      return ("m%d-%d"):format(count, number)
   end
   function case.add(_, id, receipt, err)
      case.outcomes[#case.outcomes + 1] = { id = id, receipt = receipt, err = err }
   end
   function case.settle(_, ...)
      case.settled[#case.settled + 1] = { ... }
   end
   return case
end

-- How many more descriptors are open than that: a thread that looks up a name may end a moment later.
local function count_open(before)
   for _ = 1, 100 do
      if faults.descriptors() <= before then break end
      core.sleep(0.005)
   end
   return faults.descriptors() - before
end

-- Lua keeps the memory for so many calls in each other: a call of the library may not fail before it has begun.
local function deepen(count)
   return count > 0 and 1 + deepen(count - 1) or 0
end

local function run(case, plan)
   deepen(100)
   local before, began = faults.descriptors(), core.now()
   if plan then faults.arm(unpack(plan)) end
   local ok, why = pcall(scenarios[case.name], case)
   if plan then case.struck, case.calls = faults.disarm() end
   case.raised = not ok and why or nil
   if case.finish then
      if not ok then collectgarbage() end -- it closes the store
      ok, why = pcall(case.finish)
      case.unfinished = not ok and why or nil
   end
   case.seconds = core.now() - began
   if case.raised == "not enough memory" then collectgarbage() end -- the scenario had no memory
   case.open = count_open(before + (case.kept or 0))
   if case.open > 0 then
      collectgarbage()
      collectgarbage()
      case.left_open = faults.descriptors() - before - (case.kept or 0)
   end
   return case
end

local is_start = false -- after a case, nothing is sent again

-- In the process of the case: what went wrong, and what there is to be compared with the servers.
local function play(name, plan, path)
   local case, again = new_case(name, 1, patience), new_case(name, 2)
   run(case, plan)
   if plan[1] and not is_start and not case.finish then run(again, nil) end
   local file = io.open(path, "w")
   file:write(oracle.report(case, again))
   file:close()
end

local whole = {} -- by scenario: the bytes of its messages

local word_of = {}
for word, number in pairs(faults.numbers) do word_of[number] = word end

local function described(plan)
   if not plan[1] then return "whole" end
   local last = plan[6] >= ALL and "the end" or ("%d"):format(plan[6])
   return ("%s %s: %s, calls %d to %s"):format(plan[1], plan[2], word_of[plan[4]] or plan[3], plan[5], last)
end

local function try(name, plan)
   local path = folder .. "/report"
   for _, file in ipairs { "report", "box", "box-wal", "box-shm" } do os.remove(folder .. "/" .. file) end
   local child = faults.fork(SECONDS)
   if child == 0 then
      local ok, why = xpcall(function() play(name, plan, path) end, debug.traceback)
      if not ok then print(why) end
      io.stdout:flush()
      os.exit(0, true)
   end
   local status, signal = faults.wait(child)
   local arrived, sizes = servers:settle()
   local report, problems = oracle.judge(path, status, signal, arrived, plan.is_harmless)
   whole[name] = whole[name] or sizes
   for id, size in pairs(sizes) do
      if size ~= (whole[name][id:gsub("-2$", "-1")] or size) then
         problems[#problems + 1] = ("%s has %s bytes"):format(id, size)
      end
   end
   found.cases = found.cases + 1
   for _, field in ipairs { "struck", "receipts", "unsent", "doubts" } do
      found[field] = found[field] + (report[field] or 0)
   end
   for _, problem in ipairs(problems) do
      found.problems = found.problems + 1
      print(("%s: %s: %s"):format(name, described(plan), problem))
   end
   return report
end

-- ---- all cases ----

local turn = 0

local function try_some(name, plan)
   turn = turn + 1
   if turn % share == 0 then try(name, plan) end
end

local function number_of(word)
   return assert(faults.numbers[word], word)
end

-- What says "once more" is not said for ever; and an outbox waits long for its store.
local endless = { EINTR = 50, EAGAIN = 50 }
local of_sqlite = 5

-- One call fails, and all calls from then on.
local function fail_each(name, callers, call, calls)
   local way = call == "getaddrinfo" and "result" or "errno"
   if call == "getentropy" then calls = math.min(calls, 1) end -- a system that has none never has any
   for n = 1, calls do
      for word in errnos[call]:gmatch "%S+" do
         local is_harmless = word == "EINTR" and callers == "own"
         for _, last in ipairs { n, n + (callers == "sqlite" and of_sqlite or endless[word] or ALL) } do
            try_some(name, { callers, call, way, number_of(word), n, last, is_harmless = is_harmless })
         end
      end
   end
end

local function sum(counts, callers, call)
   local total = 0
   for caller in callers:gmatch "%S+" do total = total + (counts[caller .. " " .. call] or 0) end
   return total
end

local parts = {}

-- Every errno of every call but those for memory.
function parts.errnos(name, counts)
   for _, callers in ipairs { "own", "openssl", "sqlite", "lua" } do
      for call in pairs(errnos) do
         if call ~= "malloc" then fail_each(name, callers, call, sum(counts, callers, call)) end
      end
   end
end

local function fail_memory(name, callers, counts)
   for n = 1, sum(counts, callers, "malloc") do
      for _, last in ipairs { n, n + 1, ALL } do try_some(name, { callers, "malloc", "errno", 12, n, last }) end
   end
end

-- One allocation of Lua's, two (it tries again after a collection), and all from then on.
function parts.lua(name, counts)
   fail_memory(name, "lua", counts)
end

-- The same of C, at the start of a program. What OpenSSL cannot begin then, it never tries again.
function parts.start(name, counts)
   is_start = true
   fail_memory(name, "own openssl sqlite", counts)
   is_start = false
end

-- The same of C, in a program that has sent messages.
function parts.memory(name, counts)
   fail_memory(name, "own openssl sqlite", counts)
end

-- The certificates of the specs were made a moment ago.
local shows_certificate = { starttls = true, implicit = true, kept = true, connection = true, loop = true,
   probe = true }

-- The kernel takes and gives one byte at a time; and the time of day is another one, from each call on.
function parts.harmless(name, counts)
   for _, callers in ipairs { "own", "sqlite" } do
      for _, call in ipairs { "recv", "send", "read", "pread", "pwrite" } do
         if sum(counts, callers, call) > 0 then
            try_some(name, { callers, call, "short", 0, 1, ALL, is_harmless = true })
         end
      end
   end
   local all = "own openssl sqlite lua"
   for n = 1, sum(counts, all, "time") do
      for _, seconds in ipairs { -86400, -1, 1, 86400 } do
         local is_harmless = seconds > 0 or not shows_certificate[name]
         try_some(name, { all, "time", "jump", seconds, n, ALL, is_harmless = is_harmless })
      end
   end
end

-- A signal at each of the first calls: what TLS says by itself is among them.
function parts.interrupted(name)
   for _, call in ipairs { "send", "recv" } do
      for n = 1, 6 do
         try_some(name, { "own", call, "errno", number_of "EINTR", n, n, is_harmless = true })
      end
   end
end

-- What fails without end does not take longer than it may.
function parts.endless(name)
   patience = 0.5
   for _, call in ipairs { "recv", "send", "poll", "connect" } do
      for _, word in ipairs { "EINTR", "EAGAIN" } do
         try_some(name, { "own", call, "errno", number_of(word), 1, ALL })
      end
   end
   patience = nil
end

local function warm_up()
   for _, other in ipairs { "starttls", "implicit", "signed" } do
      local case = run(new_case(other, 0))
      assert(not case.raised and case.outcomes[1].receipt, case.raised or tostring(case.outcomes[1].err))
   end
end

for part in (os.getenv "PARTS" or "errnos harmless endless lua start memory"):gmatch "%S+" do
   if part == "memory" then warm_up() end
   for i = 3, #arg do
      local report = try(arg[i], {})
      parts[part](arg[i], report.calls)
   end
end
servers:stop()
os.execute("rm -r " .. folder)
local words = {}
for name, number in pairs(found) do words[#words + 1] = ("%s %d"):format(name, number) end
table.sort(words)
print("done: " .. table.concat(words, ", "))
