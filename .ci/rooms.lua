-- Rooms have an order: a require or an #include may stay in its room or go down, never back up.
-- Prints each one that does not, and ends with 1 where there is any.

local order = { "cli", "doors", "outbox", "sink", "client", "compose", "result", "runtime", "loop", "options", "ground" }
local c_order = { "modules", "engine", "text", "ground" }
local c_rooms = { lua = "modules", crypto = "modules", socket = "modules", store = "modules", engine = "engine", text = "text" }
local ground = { errors = true, types = true }
local FAN_OUT = 8

local function places(list)
   local at = {}
   for i, name in ipairs(list) do at[name] = i end
   return at
end

local at, c_at = places(order), places(c_order)

local function lua_room(module)
   local rest = module:match("^smtp%.(.+)$")
   if not rest then return "doors" end
   local folder = rest:match("^([a-z_]+)%.")
   if folder then return folder end
   return ground[rest] and "ground" or "doors"
end

local is_c = { ["smtp.core"] = true, ["smtp.crypto"] = true, ["smtp.socket"] = true, ["smtp.tls"] = true,
   ["smtp.sqlite_store"] = true }
local found = 0

local function tell(...)
   found = found + 1
   print(string.format(...))
end

local function each_line(command, fn)
   local pipe = io.popen(command)
   for line in pipe:lines() do fn(line) end
   pipe:close()
end

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

each_line("find lua -name '*.lua' | sort", function(path)
   local module = path:match("^lua/(.*)%.lua$"):gsub("/", ".")
   local room, count, seen = lua_room(module), 0, {}
   local function look(other)
      local below = not is_c[other] and lua_room(other)
      if below and not at[below] then tell("%s: no room is named %s", path, below) end
      if below and at[below] and at[below] < at[room] then
         tell("%s requires %s, which is above it", path, other)
      end
   end
   local text = read(path)
   for other in text:gmatch("require%s*%(?%s*[\"'](smtp[a-z_.]*)[\"']") do
      if not seen[other] then count = count + 1 end
      seen[other] = true
      look(other)
   end
   for how in ("late loader"):gmatch "%a+" do
      for other in text:gmatch("[.]" .. how .. "%s*%(?%s*[\"'](smtp[a-z_.]*)[\"']") do look(other) end
   end
   if count > FAN_OUT and module ~= "smtp.types" then tell("%s requires %d modules", path, count) end
end)

local function c_room(path)
   if path == "csrc/smtp.h" then return "engine" end
   if path:find("^csrc/l%a+%.h$") then return "modules" end
   return c_rooms[path:match("^csrc/([a-z]+)/")] or "ground"
end

local function resolve(path, name)
   local parts = {}
   for part in (path:match("^(.*)/") .. "/" .. name):gmatch("[^/]+") do
      if part == ".." then table.remove(parts) else parts[#parts + 1] = part end
   end
   return table.concat(parts, "/")
end

each_line("find csrc -name '*.[ch]' | sort", function(path)
   for name in read(path):gmatch('#include "([^"]+)"') do
      local other = resolve(path, name)
      local up = c_at[c_room(other)] < c_at[c_room(path)]
      local folder = other:match("^csrc/(%a+)/")
      local aside = c_room(other) == "modules" and folder and folder ~= path:match("^csrc/(%a+)/")
      if up or aside then tell("%s includes %s, which is above it or beside it", path, other) end
   end
end)

os.exit(found == 0 and 0 or 1)
