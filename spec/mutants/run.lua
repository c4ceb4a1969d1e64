--- Changes one place of csrc or lua after the other, and runs the specs that run its line: one has to fail.
--
--    lua5.4 spec/mutants/run.lua prepare             a copy of the tree for each worker
--    lua5.4 spec/mutants/run.lua work WORKER         its share of the changes, without those that have a result
--    lua5.4 spec/mutants/run.lua report              counts; ends with 1 where too few changes were found
--    lua5.4 spec/mutants/run.lua check               ends with 1 where spec/mutants/missed has changes that are gone
--
-- The environment: MUTANTS, how many changes (a sample; all where it is not set), SEED, WORKERS (2), ONLY (a pattern of
-- Lua for paths), BUDGET, how many seconds of specs a change gets (40; the quickest first). Results are lines of
-- build/mutants/results: what came of it, the file, the change.

local changes = require "spec.mutants.changes"
local lines = require "spec.coverage.lines"
local specs = require "spec.mutants.specs"

local FOLDER = "build/mutants"
local RESULTS = FOLDER .. "/results"
local LEAST = 0.97 -- of the changes that compile are to be found
local workers = tonumber(os.getenv "WORKERS") or 2
local budget = tonumber(os.getenv "BUDGET") or 40

local function read(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read "a"
   file:close()
   return text
end

local function write(path, text, mode)
   local file = assert(io.open(path, mode or "wb"))
   file:write(text)
   file:close()
end

local function lines_of(command)
   local list, pipe = {}, io.popen(command)
   for line in pipe:lines() do list[#list + 1] = line end
   pipe:close()
   return list
end

-- ---- which changes ----

-- These have no conditions of their own: annotations, and tables made from packages of Debian.
local left_out = { ["lua/smtp/types.lua"] = true, ["lua/smtp/compose/media_types.lua"] = true }

local function changes_of(path)
   local list = changes.of(read(path), path:match "%.(%a+)$")
   for _, change in ipairs(list) do change.path = path end
   return list
end

local function all_changes()
   local list = {}
   for _, path in ipairs(lines_of "find csrc lua -name '*.c' -o -name '*.lua' | LC_ALL=C sort") do
      local found = not left_out[path] and path:find(os.getenv "ONLY" or "") and changes_of(path) or {}
      for _, change in ipairs(found) do list[#list + 1] = change end
   end
   return list
end

-- A number for a change that stays the same while other code changes: so does a sample.
local function lot(seed, key)
   local hash = 5381 + seed
   for i = 1, #key do hash = (hash * 33 ~ key:byte(i)) & 0xffffffffffff end
   return (hash * 0x9E3779B97F4A7C15) >> 1
end

local function key_of(change)
   return change.path .. "\t" .. change.name
end

local function sample(list, count)
   local seed = tonumber(os.getenv "SEED") or 1
   for _, change in ipairs(list) do change.lot = lot(seed, key_of(change)) end
   table.sort(list, function(a, b) return a.lot < b.lot end)
   for i = #list, count + 1, -1 do list[i] = nil end
   return list
end

local function wanted()
   local list, count = all_changes(), tonumber(os.getenv "MUTANTS")
   return count and sample(list, count) or list
end

local function known_results()
   local known, file = {}, io.open(RESULTS)
   for line in file and file:lines() or function() end do
      local word, key = line:match "^(%a+)\t(.*)$"
      if word then known[key] = word end
   end
   if file then file:close() end
   return known
end

-- ---- one change ----

local SHELL = "cd %s && ulimit -f 2000000 && export TMPDIR=$PWD/build/tmp && { %s; } >build/log 2>&1"

local function shell(folder, command)
   local is_well, _, code = os.execute(SHELL:format(folder, command))
   return is_well, code
end

local BUSTED = [[ulimit -v 8000000
   LUA_PATH="$PWD/lua/?.lua;$PWD/?.lua;;" LUA_CPATH="$PWD/build/LUA/?.so;;" timeout -k 5 %.0f busted --lua=LUA \
      --no-keep-going --helper=spec/tools/recorder.lua -o plainTerminal -p _spec %s </dev/null]]
local NGINX = "timeout -k 5 %.0f spec/nginx/run %s </dev/null"
local OTHERS = { "lua5.1", "luajit" } -- Luas that need code of their own

local TIMEOUT = 124 -- what `timeout` ends with

-- It compiles what was changed before, too, and is there again as it was.
local BUILD = "make -s LUA=lua5.4 CFLAGS=-O1 HARDEN= all"

local function pass(folder, list, seconds, lua)
   if not list[1] then return true end
   local runner = list[1]:find "^spec/nginx/" and NGINX or BUSTED:gsub("LUA%f[/ ]", lua or "lua5.4")
   local command = runner:format(20 + 6 * seconds, table.concat(list, " "))
   local is_well, code = shell(folder, command)
   if is_well or code == TIMEOUT then return is_well end
   return (shell(folder, command)) -- a spec that fails only on a busy machine has not found anything
end

-- The specs of a change: the first alone, then others together, until the budget is spent. Then those of nginx, and the
-- first once more under other Luas. -> whether all of them pass
local function all_pass(folder, list, path)
   local first, plain, nginx = { list[1] }, {}, {}
   local spent = { [plain] = 0, [nginx] = 0 }
   for i = 2, #list do
      local kind, seconds = list[i]:find "^spec/nginx/" and nginx or plain, specs.seconds(list[i])
      if spent[kind] + seconds <= budget then
         spent[kind] = spent[kind] + seconds
         kind[#kind + 1] = list[i]
      end
   end
   local seconds = list[1] and specs.seconds(list[1]) or 0
   local result = pass(folder, first, seconds) and pass(folder, plain, spent[plain])
      and pass(folder, nginx, spent[nginx])
   for _, lua in ipairs(path:find "%.lua$" and OTHERS or {}) do
      result = result and pass(folder, first, seconds, lua)
   end
   return result
end

local function compiles(folder, path)
   return (path:find "%.c$" or loadfile(folder .. "/" .. path)) and shell(folder, BUILD)
end

local function has_fuzzer(path)
   return path:find "^csrc/engine/" or path:find "^csrc/text/"
end

local unrun -- lines that no spec runs, with the reason: path and text
local function why_unrun(change)
   if not unrun then
      unrun = {}
      for _, entry in ipairs(lines.listed(read "spec/coverage/missed")) do
         unrun[entry.path .. "\t" .. entry.text] = entry.reason
      end
   end
   return unrun[change.path .. "\t" .. change.name:match "^(.*) @%d+ "] or unrun[change.path .. "\t*"]
end

-- "found", "broken" (it does not compile), or "missed"
local function outcome(folder, change)
   local path = change.path
   if not compiles(folder, path) then return "broken" end
   if not all_pass(folder, specs.of(path, change.line, why_unrun(change) ~= nil), path) then return "found" end
   if has_fuzzer(path) and not shell(folder, "timeout -k 5 600 spec/fuzz/run 20000") then return "found" end
   return "missed"
end

local function try(folder, change)
   local path, began = folder .. "/" .. change.path, os.time()
   local text = read(path)
   write(path, changes.apply(text, change))
   local word = outcome(folder, change)
   write(path, text)
   shell(folder, "rm -rf build/tmp && mkdir -p build/tmp")
   write(RESULTS, ("%s\t%s\n"):format(word, key_of(change)), "ab")
   print(("%-6s %3d s %s:%d %s"):format(word, os.time() - began, change.path, change.line, change.name))
end

-- ---- the calls ----

local calls = {}

function calls.prepare()
   local failed = specs.failed()
   if failed[1] then print("these specs fail where nothing is changed: " .. table.concat(failed, " ")) end
   local first = FOLDER .. "/1"
   assert(os.execute(("rm -rf %s/[0-9]* && mkdir -p %s/build/tmp && git ls-files -z | xargs -0 cp --parents -t %s")
      :format(FOLDER, first, first)))
   local all = ("%s && make -s build LUAS='%s'"):format(BUILD, table.concat(OTHERS, " "))
   assert(shell(first, all), "the library does not build")
   assert(shell(first, "spec/fuzz/run 1"), "the fuzzers do not build")
   for worker = 2, workers do assert(os.execute(("cp -a %s %s/%d"):format(first, FOLDER, worker))) end
end

function calls.work(worker)
   io.stdout:setvbuf "line"
   local folder, known = ("%s/%d"):format(FOLDER, worker), known_results()
   for i, change in ipairs(wanted()) do
      if i % workers == worker % workers and not known[key_of(change)] then try(folder, change) end
   end
end

-- By change: why it is not found. A line that no spec runs has its reason in the list of spec/coverage.
local function reasons()
   local by_key = {}
   for line in io.lines "spec/mutants/missed" do
      local key, reason = line:match "^(%S+\t[^\t]+)\t(.+)$"
      if key then by_key[key] = reason end
   end
   return function(change) return by_key[key_of(change)] or why_unrun(change) end, by_key
end

function calls.report()
   local known, counts, open = known_results(), { found = 0, missed = 0, broken = 0 }, 0
   local reason_of, listed = reasons()
   for _, change in ipairs(wanted()) do
      local word = known[key_of(change)]
      if word then counts[word] = counts[word] + 1 end
      if word == "found" and listed[key_of(change)] then
         print(("listed, but it is found: %s:%d %s"):format(change.path, change.line, change.name))
      end
      if word == "missed" and not reason_of(change) then
         open = open + 1
         print(("not found, without a reason: %s:%d %s"):format(change.path, change.line, change.name))
      end
   end
   local tried = counts.found + counts.missed
   print(("%d changes: %d found, %d not found (%d without a reason); %d did not compile"):format(tried, counts.found,
      counts.missed, open, counts.broken))
   os.exit(tried > 0 and open == 0 and counts.found >= LEAST * tried)
end

function calls.check()
   local _, by_key = reasons()
   local listed = {}
   for key in pairs(by_key) do listed[key:match "^%S+"] = true end
   for path in pairs(listed) do
      for _, change in ipairs(changes_of(path)) do by_key[key_of(change)] = nil end
   end
   for key in pairs(by_key) do print("spec/mutants/missed has a change that is gone: " .. key) end
   os.exit(next(by_key) == nil)
end

calls[arg[1]](tonumber(arg[2]))
