--- Changes one place of csrc or lua after the other, and runs the specs: they have to fail.
--
--    lua5.4 spec/mutants/run.lua prepare             a copy of the tree for each worker; all specs pass there
--    lua5.4 spec/mutants/run.lua work WORKER         its share of the changes, without those that have a result
--    lua5.4 spec/mutants/run.lua report              counts; ends with 1 where too few changes were found
--
-- The environment: MUTANTS, how many changes (a sample; all where it is not set), SEED, WORKERS (2), ONLY (a pattern of
-- Lua for paths). Results are lines of build/mutants/results: what came of it, the file, the change.

local changes = require "spec.mutants.changes"

local FOLDER = "build/mutants"
local RESULTS = FOLDER .. "/results"
local LEAST = 0.97 -- of the changes that compile are to be found
local workers = tonumber(os.getenv "WORKERS") or 2

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

local function all_changes()
   local list = {}
   for _, path in ipairs(lines_of "find csrc lua -name '*.c' -o -name '*.lua' | LC_ALL=C sort") do
      local found = not left_out[path] and path:find(os.getenv "ONLY" or "") and changes.of(read(path),
         path:match "%.(%a+)$") or {}
      for _, change in ipairs(found) do
         change.path = path
         list[#list + 1] = change
      end
   end
   return list
end

local function sample(list, count)
   math.randomseed(tonumber(os.getenv "SEED") or 1)
   for i = 1, math.min(count, #list) do
      local k = math.random(i, #list)
      list[i], list[k] = list[k], list[i]
   end
   for i = #list, count + 1, -1 do list[i] = nil end
   return list
end

local function wanted()
   local list, count = all_changes(), tonumber(os.getenv "MUTANTS")
   return count and sample(list, count) or list
end

local function key_of(change)
   return change.path .. "\t" .. change.name
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

-- ---- which specs ----

local mirrored -- by path: the spec of its name
local function spec_of(path)
   if not mirrored then
      mirrored = {}
      for _, line in ipairs(lines_of "lua5.4 .ci/mirror.lua list") do
         local file, spec = line:match "^(%S+)\t(%S+)$"
         mirrored[file] = spec
      end
   end
   return mirrored[path]
end

-- Specs of the project's own scripts do not see the library.
local others = " $(.ci/specs lua5.4 | grep -vE '^spec/(project/|secrets_spec)')"

-- First those nearest to the file, then all others.
local function stages_of(path)
   local own = spec_of(path)
   local file = io.open(own)
   local stages = { { own:match "^(.*)/" .. "/*_spec.lua", 120 }, { others, 900 } }
   if not file then return stages end
   file:close()
   table.insert(stages, 1, { own, 60 })
   return stages
end

-- ---- one change ----

local SHELL = "cd %s && ulimit -f 2000000 && export TMPDIR=$PWD/build/tmp && { %s; } >build/log 2>&1"

local function shell(folder, command)
   return (os.execute(SHELL:format(folder, command)))
end

local SPECS = [[ulimit -v 8000000
   LUA_PATH="$PWD/lua/?.lua;$PWD/?.lua;;" LUA_CPATH="$PWD/build/lua5.4/?.so;;" timeout -k 5 %d busted --lua=lua5.4 \
      --no-keep-going --helper=spec/tools/recorder.lua -o plainTerminal -p _spec %s </dev/null]]

local function specs_pass(folder, specs, seconds)
   return shell(folder, SPECS:format(seconds, specs))
end

local function compiles(folder, path)
   if path:find "%.lua$" then return loadfile(folder .. "/" .. path) ~= nil end
   return shell(folder, "make -s LUA=lua5.4 all")
end

local function has_fuzzer(path)
   return path:find "^csrc/engine/" or path:find "^csrc/text/"
end

-- "found", "compiles" (not), or "missed"
local function outcome(folder, path)
   if not compiles(folder, path) then return "broken" end
   for _, stage in ipairs(stages_of(path)) do
      if not specs_pass(folder, stage[1], stage[2]) then return "found" end
   end
   if has_fuzzer(path) and not shell(folder, "timeout -k 5 600 spec/fuzz/run 20000") then return "found" end
   return "missed"
end

local function try(folder, change)
   local path = folder .. "/" .. change.path
   local text = read(path)
   write(path, changes.apply(text, change))
   local word = outcome(folder, change.path)
   write(path, text)
   shell(folder, "rm -rf build/tmp && mkdir -p build/tmp")
   write(RESULTS, ("%s\t%s\n"):format(word, key_of(change)), "ab")
   print(("%-6s %s:%d %s"):format(word, change.path, change.line, change.name))
end

-- ---- the three calls ----

local calls = {}

function calls.prepare()
   for worker = 1, workers do
      local folder = ("%s/%d"):format(FOLDER, worker)
      assert(os.execute(("rm -rf %s && mkdir -p %s/build/tmp && git ls-files -z | xargs -0 cp --parents -t %s")
         :format(folder, folder, folder)))
      assert(shell(folder, "make -s LUA=lua5.4 all"), "the library does not build")
   end
   if not specs_pass(FOLDER .. "/1", others, 900) then error(read(FOLDER .. "/1/build/log"), 0) end
end

function calls.work(worker)
   local folder, known = ("%s/%d"):format(FOLDER, worker), known_results()
   for i, change in ipairs(wanted()) do
      if i % workers == worker % workers and not known[key_of(change)] then try(folder, change) end
   end
end

local function reasons()
   local list = {}
   for line in io.lines "spec/mutants/missed" do
      local key, reason = line:match "^(%S+\t.-)\t(.+)$"
      if key then list[key] = reason end
   end
   return list
end

function calls.report()
   local known, explained, counts, open = known_results(), reasons(), { found = 0, missed = 0, broken = 0 }, 0
   for _, change in ipairs(wanted()) do
      local word = known[key_of(change)]
      if word then counts[word] = counts[word] + 1 end
      if word == "missed" and not explained[key_of(change)] then
         open = open + 1
         print(("not found, without a reason: %s:%d %s"):format(change.path, change.line, change.name))
      end
   end
   local tried = counts.found + counts.missed
   print(("%d changes: %d found, %d not found (%d without a reason); %d did not compile"):format(tried, counts.found,
      counts.missed, open, counts.broken))
   os.exit(tried > 0 and open == 0 and counts.found >= LEAST * tried)
end

calls[arg[1]](tonumber(arg[2]))
