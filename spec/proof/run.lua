--- Runs the proofs of spec/proof/proofs.lua, all or those that PROOF names, and prints a row for each.

local proofs = require "spec.proof.proofs"

local FOLDER = "build/proof"
local SECONDS_MAX = 3000 -- of one proof

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

os.execute("mkdir -p " .. FOLDER)
io.stdout:setvbuf "line"
local wanted, tried, all_well = os.getenv "PROOF", 0, true
print(("%-9s %9s %8s %7s  %s"):format("proof", "cases", "failures", "seconds", "promise"))
for _, proof in ipairs(proofs) do
   if not wanted or (" " .. wanted .. " "):find(" " .. proof[1] .. " ", 1, true) then
      tried = tried + 1
      all_well = run(proof) and all_well
   end
end
if tried == 0 then print("There is no such proof: PROOF=" .. wanted) end
os.exit(tried > 0 and all_well)
