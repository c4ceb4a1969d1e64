-- Specs mirror the rooms: each file of lua/ and csrc/ has a spec of its name, or a row in the
-- tables of spec/README.md; each spec of a room has a file of its name, or such a row. Prints those
-- those that have neither, and rows of files that are not there; ends with 1 where there is any. With
-- the argument "list" it prints each file with the spec of its name instead.

local rooms = { -- the files of a folder, the folder of their specs: the first that fits
   { "^lua/(smtp)%.lua$", "doors" },
   { "^lua/smtp/(errors)%.lua$", "ground" }, { "^lua/smtp/(types)%.lua$", "ground" },
   { "^lua/smtp/([a-z_]+)%.lua$", "doors" },
   { "^lua/smtp/runtime/nginx/([a-z_]+)%.lua$", "nginx" },
   { "^lua/smtp/(%a+/[a-z_]+)%.lua$" },
   { "^csrc/engine/([a-z0-9_/]+)%.c$", "protocol" },
   { "^csrc/lua/([a-z0-9_]+)%.c$", "core" },
   { "^csrc/(%a+/[a-z0-9_]+)%.c$" },
}
local apart = { project = true, live = true, hosts = true, browser = true, exhaust = true, regress = true, diagnosis = true,
   failing = true, peers = true, fuzz = true }

local function spec_of(path)
   for _, room in ipairs(rooms) do
      local name = path:match(room[1])
      if name then return ("spec/%s%s_spec.lua"):format(room[2] and room[2] .. "/" or "", name) end
   end
end

local rows = {} -- the first column of the tables in spec/README.md: files, and subjects
for line in io.lines "spec/README.md" do
   local cell = line:match("^| (`[^|]+) |")
   for name in (cell or ""):gmatch("`([%w_/]+%.%a+)`") do
      rows[name] = name:find("^lua/") or name:find("^csrc/") or name:find("_spec%.lua$")
   end
end

local found = 0
local function tell(...)
   found = found + 1
   print(string.format(...))
end

local specs, wanted = {}, {}
local function each(command, fn)
   local pipe = io.popen(command)
   for line in pipe:lines() do fn(line) end
   pipe:close()
end

local function take_row(path)
   local is_there = rows[path]
   rows[path] = nil
   return is_there
end

each("find spec -mindepth 2 -name '*_spec.lua' | LC_ALL=C sort", function(path)
   specs[#specs + 1] = path
end)
local exists = {}
for _, path in ipairs(specs) do exists[path] = true end

each("find lua csrc -name '*.lua' -o -name '*.c' | LC_ALL=C sort", function(path)
   local spec = spec_of(path)
   if arg[1] == "list" then return print(path, spec) end
   if not spec then return tell("%s: .ci/mirror.lua does not know its room", path) end
   wanted[spec] = true
   if not exists[spec] and not take_row(path) then tell("%s has no %s", path, spec) end
end)

if arg[1] == "list" then os.exit(true) end

for _, path in ipairs(specs) do
   local folder = path:match("^spec/(%a+)/")
   if not wanted[path] and not apart[folder] and not take_row(path:match("^spec/(.*)$")) then
      tell("%s is named after no file", path)
   end
end

for name in pairs(rows) do
   local file = io.open((name:gsub("^.*_spec%.lua$", "spec/%0")))
   if file then file:close() else tell("spec/README.md has a row for %s, which is not there", name) end
end

os.exit(found == 0 and 0 or 1)
