--- Runs the proofs of spec/proof/proofs.lua, all or those that PROOF names, two at a time, and prints a row for each.
--- `lua5.4 spec/proof/run.lua NAME` runs one.

local proofs = require "spec.proof.proofs"

local FOLDER = "build/proof"
local SECONDS_MAX = 3300 -- of one proof

local function read(path)
   local file = io.open(path, "rb")
   local text = file and file:read "a" or ""
   if file then file:close() end
   return text
end

local function sum(text, pattern)
   local total = 0
   for number in text:gmatch(pattern) do total = total + tonumber(number) end
   return total
end

-- -> how many cases there were, and how many have failed
local function counted(proof, ended_well, log, tally)
   local failures = sum(log, "(%d+) failures? /") + sum(log, "(%d+) errors? /") + sum(log, "(%d+) pending :")
   local cases = sum(log, proof[5] or "(%d+) successe?s? /") + sum(tally, "%d+")
   return cases, (ended_well and cases > 0) and failures or math.max(failures, 1)
end

local function run(proof)
   local name = ("%s/%s"):format(FOLDER, proof[1])
   os.remove(name .. ".tally")
   local began = os.time()
   local ended_well = os.execute(("TALLY=$PWD/%s.tally timeout -k 5 %d sh -c '%s' >%s.log 2>&1 </dev/null"):format(name,
      SECONDS_MAX, proof[4], name))
   local cases, failures = counted(proof, ended_well, read(name .. ".log"), read(name .. ".tally"))
   print(("%-9s %9.0f %8d %7d  %s"):format(proof[1], cases, failures, os.time() - began, proof[2]))
   if failures > 0 then print(("          see %s.log"):format(name)) end
   return failures == 0
end

-- -> the proofs of these names
local function named(names)
   local by_name, list = {}, {}
   for _, proof in ipairs(proofs) do by_name[proof[1]] = proof end
   for name in names:gmatch "%S+" do
      if not by_name[name] then
         print("There is no such proof: " .. name)
         os.exit(false)
      end
      list[#list + 1] = by_name[name]
   end
   return list
end

os.execute("mkdir -p " .. FOLDER)
if arg[1] then os.exit(run(named(arg[1])[1])) end

-- The longest begin first, so that both processors end at about the same time.
local wanted = os.getenv "PROOF"
local chosen = wanted and named(wanted) or proofs
table.sort(chosen, function(a, b) return (a.minutes or 0) > (b.minutes or 0) end)
print(("%-9s %9s %8s %7s  %s"):format("proof", "cases", "failures", "seconds", "promise"))
io.stdout:flush()
local names = {}
for i, proof in ipairs(chosen) do names[i] = proof[1] end
local run_each = "printf '%%s\\n' %s | xargs -n 1 -P 2 lua5.4 spec/proof/run.lua"
os.exit(os.execute(run_each:format(table.concat(names, " "))))
