--- Runs the proofs of spec/proof/proofs.lua, all or those that PROOF names, two at a time, and prints a row for each.
--- `lua5.4 spec/proof/run.lua NAME …` runs these, one by one.

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

-- -> a list of the names of all proofs, or of those in the text; its keys are the names, too
local function named(text)
   local known, list = {}, {}
   for i, proof in ipairs(proofs) do
      known[proof[1]] = proof
      if not text then list[i] = proof[1] end
   end
   for name in (text or ""):gmatch "%S+" do
      if not known[name] then
         print("There is no such proof: " .. name)
         os.exit(false)
      end
      list[#list + 1] = name
   end
   for _, name in ipairs(list) do list[name] = known[name] end
   return list
end

-- The long ones begin first, so that both processors end at about the same time. The changes of `mutants` need to know
-- what `coverage` finds out.
local LINES = { "coverage mutants", "failing", "crashes", "fuzz", "options", "ending", "secrets", "servers", "hosts" }

local function lines(chosen)
   local list = {}
   local function take(names)
      local line = {}
      for name in names:gmatch "%S+" do
         if chosen[name] then line[#line + 1] = name end
         chosen[name] = nil
      end
      if line[1] then list[#list + 1] = table.concat(line, " ") end
   end
   for _, names in ipairs(LINES) do take(names) end
   for _, name in ipairs(chosen) do take(name) end
   return table.concat(list, "\n")
end

os.execute("mkdir -p " .. FOLDER)
if arg[1] then
   local all_well = true
   for _, name in ipairs(arg) do all_well = run(named(name)[name]) and all_well end
   os.exit(all_well)
end
local each = lines(named(os.getenv "PROOF"))
print(("%-9s %9s %8s %7s  %s"):format("proof", "cases", "failures", "seconds", "promise"))
io.stdout:flush()
os.exit(each ~= "" and os.execute("echo '" .. each .. "' | xargs -L 1 -P 2 lua5.4 spec/proof/run.lua") == true)
