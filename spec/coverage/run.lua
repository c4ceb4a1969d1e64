--- Which lines of lua/ and csrc/ have run:
--
--    lua5.4 spec/coverage/run.lua prepare   a file for each file of lua/, where spec/coverage/hook.c notes the lines
--    lua5.4 spec/coverage/run.lua report    prints the lines that have not run and are not in spec/coverage/missed;
--                                           ends with 1 where there is one

local lines = require "spec.coverage.lines"

local FOLDER = "build/coverage/lines"
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

local function notes_of(path)
   return FOLDER .. "/" .. path:gsub("/", "@")
end

local function prepare()
   os.execute("mkdir -p " .. FOLDER)
   each_file("*.lua", function(path)
      local file = assert(io.open(notes_of(path), "wb"))
      file:write(("\0"):rep(LINES_MAX))
      file:close()
   end)
   os.execute("chmod 666 " .. FOLDER .. "/*") -- a worker of nginx has another user
end

local listed, unlisted = lines.listed(read "spec/coverage/missed"), 0
local totals = {}

local function count(language, path, active, ran)
   local total = totals[language] or { active = 0, ran = 0, listed = 0 }
   totals[language] = total
   local numbers = {}
   for number in pairs(active) do numbers[#numbers + 1] = number end
   table.sort(numbers)
   for _, number in ipairs(numbers) do
      total.active = total.active + 1
      if ran[number] then
         total.ran = total.ran + 1
      elseif lines.take(listed, path, active[number]) then
         total.listed = total.listed + 1
      else
         unlisted = unlisted + 1
         print(("%s:%d:%s"):format(path, number, active[number]))
      end
   end
end

local function report_lua(path)
   local active = lines.of_lua(read(path), output_of("luac5.4 -l -p " .. path))
   local notes, ran = read(notes_of(path)), {}
   for number in pairs(active) do ran[number] = notes:byte(number + 1) == 1 end
   count("Lua", path, active, ran)
end

local function report_c()
   local files = {}
   each_file("*.c", function(path)
      for _, lua in ipairs { "lua5.4", "luajit" } do
         local object = path:gsub("^csrc", ("build/coverage/%s/obj"):format(lua)):gsub("%.c$", ".gcno")
         lines.add_c(files, output_of(("gcov --stdout -o %s %s 2>/dev/null"):format(object, path)))
      end
   end)
   each_file("*.[ch]", function(path)
      if files[path] then count("C", path, files[path].active, files[path].ran) end
   end)
end

local function report()
   each_file("*.lua", report_lua)
   report_c()
   for _, entry in ipairs(listed) do
      if not entry.used then print(("listed, but it runs or is gone: %s: %s"):format(entry.path, entry.text)) end
   end
   for language, total in pairs(totals) do
      print(("%s: %d lines, %d of them have run, %d are listed"):format(language, total.active, total.ran,
         total.listed))
   end
   print(("%d lines have not run and are not listed"):format(unlisted))
   return unlisted == 0
end

if arg[1] == "prepare" then
   prepare()
else
   os.exit(report())
end
