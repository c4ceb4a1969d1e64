--- Which lines of lua/ and csrc/ have run:
--
--    lua5.4 spec/coverage/run.lua prepare SLOT   a file for each file of lua/, where spec/coverage/hook.c notes lines
--    lua5.4 spec/coverage/run.lua note SLOT SPEC RESULT MICROSECONDS   keeps those that a spec has run
--    lua5.4 spec/coverage/run.lua report         prints the lines that have not run and are not in
--                                                spec/coverage/missed; ends with 1 where there is one
--    lua5.4 spec/coverage/run.lua check          ends with 1 where spec/coverage/missed has lines that are gone

local lines = require "spec.coverage.lines"
local map = require "spec.coverage.map"

local FOLDER = "build/coverage"
local LINES_MAX = 4096 -- as in hook.c

-- These have nothing to run: annotations, and a table made from packages of Debian.
local left_out = { ["lua/smtp/types.lua"] = true, ["lua/smtp/compose/media_types.lua"] = true }

local function read(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read "a"
   file:close()
   return text
end

local function output_of(command)
   local pipe = assert(io.popen(command))
   local text = pipe:read "a"
   pipe:close()
   return text
end

local function each_file(pattern, fn)
   for path in output_of(("find lua csrc -name '%s' | LC_ALL=C sort"):format(pattern)):gmatch "[^\n]+" do
      if not left_out[path] then fn(path) end
   end
end

local function notes_of(slot, path)
   return ("%s/%s/lines/%s"):format(FOLDER, slot, (path:gsub("/", "@")))
end

-- In its place: processes that still run have it in their memory.
local function clear(path, mode)
   local file = assert(io.open(path, mode))
   file:write(("\0"):rep(LINES_MAX))
   file:close()
end

local calls = {}

function calls.prepare(slot)
   os.execute(("rm -rf %s/%s/lines && mkdir -p %s/%s/lines"):format(FOLDER, slot, FOLDER, slot))
   each_file("*.lua", function(path) clear(notes_of(slot, path), "wb") end)
   os.execute(("chmod 666 %s/%s/lines/*"):format(FOLDER, slot)) -- a worker of nginx has another user
end

-- ---- what one spec has run ----

local function ran_of_lua(slot, path)
   local notes, ran = read(notes_of(slot, path)), {}
   for at in notes:gmatch "()\1" do ran[at - 1] = true end
   if next(ran) then clear(notes_of(slot, path), "r+b") end
   return ran
end

local function gcov(folder, ending)
   return output_of(("find %s -name '*.%s' -print0 | xargs -0r gcov --stdout 2>/dev/null"):format(folder, ending))
end

function calls.note(slot, spec, result, microseconds)
   local ran, files, folder = {}, {}, FOLDER .. "/" .. slot
   each_file("*.lua", function(path) ran[path] = ran_of_lua(slot, path) end)
   lines.add_c(files, gcov(folder, "gcda"))
   os.execute(("find %s -name '*.gcda' -delete"):format(folder))
   for path, file in pairs(files) do ran[path] = file.ran end
   map.write(spec, result, microseconds / 1e6, ran)
end

-- ---- all of them ----

-- By path: the lines that can run.
local function active_lines()
   local active = {}
   each_file("*.lua", function(path)
      active[path] = lines.of_lua(read(path), output_of("luac5.4 -l -p " .. path))
   end)
   local files = {}
   lines.add_c(files, gcov(FOLDER .. "/0 " .. FOLDER .. "/nginx", "gcno"))
   for path, file in pairs(files) do active[path] = file.active end
   return active
end

local function sorted_keys(set)
   local list = {}
   for key in pairs(set) do list[#list + 1] = key end
   table.sort(list)
   return list
end

local function has_run(specs, path, number)
   for _, spec in pairs(specs) do
      if spec.ran[path] and spec.ran[path][number] then return true end
   end
   return false
end

function calls.report()
   local specs, active, listed, unlisted = map.read(), active_lines(), lines.listed(read "spec/coverage/missed"), 0
   local totals = { lua = { active = 0, ran = 0, listed = 0 }, csrc = { active = 0, ran = 0, listed = 0 } }
   for _, path in ipairs(sorted_keys(active)) do
      local total = totals[path:match "^%a+"]
      for _, number in ipairs(sorted_keys(active[path])) do
         total.active = total.active + 1
         if has_run(specs, path, number) then
            total.ran = total.ran + 1
         elseif lines.take(listed, path, active[path][number]) then
            total.listed = total.listed + 1
         else
            unlisted = unlisted + 1
            print(("%s:%d:%s"):format(path, number, active[path][number]))
         end
      end
   end
   for _, entry in ipairs(listed) do
      if not entry.used then print(("listed, but it runs or is gone: %s: %s"):format(entry.path, entry.text)) end
   end
   for folder, total in pairs(totals) do
      print(("%s: %d lines, %d of them have run, %d are listed"):format(folder, total.active, total.ran, total.listed))
   end
   print(("%d lines have not run and are not listed"):format(unlisted))
   os.exit(unlisted == 0)
end

--- Is each line of the list still there, and as often as the list has it?
function calls.check()
   local is_current, counts = true, {}
   for _, entry in ipairs(lines.listed(read "spec/coverage/missed")) do
      local count = 0
      if entry.text == "*" then
         count = os.execute("test -e " .. entry.path) and 1 or 0
      else
         local file = io.open(entry.path)
         for line in file and file:lines() or function() end do
            if line:match "^%s*(.-)%s*$" == entry.text then count = count + 1 end
         end
         if file then file:close() end
      end
      local key = entry.path .. "\t" .. entry.text
      counts[key] = (counts[key] or 0) + 1
      if counts[key] > count then
         is_current = false
         print(("spec/coverage/missed has a line that is gone: %s: %s"):format(entry.path, entry.text))
      end
   end
   os.exit(is_current)
end

calls[arg[1]](select(2, ...))
