--- Which specs have to find a change, the likeliest first: from build/coverage/map.

local map = require "spec.coverage.map"

local specs = {}

local LINES_MAX = 12 -- of one statement, of which gcov and Lua count only the first, or some

local ran_by -- a spec: what map.read has of it
local mirrored -- by path: the spec of its name
local failed

local function read_all()
   if ran_by then return end
   ran_by, mirrored, failed = map.read(), {}, {}
   for spec, entry in pairs(ran_by) do
      if entry.result ~= "passed" then failed[#failed + 1] = spec end
   end
   table.sort(failed)
   for _, spec in ipairs(failed) do ran_by[spec] = nil end
   local pipe = io.popen "lua5.4 .ci/mirror.lua list"
   for line in pipe:lines() do
      local path, spec = line:match "^(%S+)\t(%S+)$"
      if path then mirrored[path] = spec end
   end
   pipe:close()
end

local function with_line(path, number)
   local list = {}
   for spec, entry in pairs(ran_by) do
      if entry.ran[path] and (not number or entry.ran[path][number]) then list[#list + 1] = spec end
   end
   return list
end

local function folder_of(spec)
   return spec:match "^(.*)/"
end

-- The spec of its name, then those beside that, then all others; of these, the quickest first.
local function rank_of(spec, own)
   return spec == own and 0 or folder_of(spec) == folder_of(own) and 1 or 2
end

local function sorted(list, path)
   local own = mirrored[path]
   table.sort(list, function(a, b)
      local rank, other = rank_of(a, own), rank_of(b, own)
      if rank ~= other then return rank < other end
      if ran_by[a].seconds ~= ran_by[b].seconds then return ran_by[a].seconds < ran_by[b].seconds end
      return a < b
   end)
   return list
end

--- The specs that run a line. Where the line has no count, the line above it that has one decides, or else the file.
---@param is_unrun boolean   spec/coverage/missed lists it
---@return string[]
function specs.of(path, number, is_unrun)
   read_all()
   if is_unrun and not with_line(path, number)[1] then return {} end
   for line = number, math.max(1, number - LINES_MAX), -1 do
      local list = with_line(path, line)
      if list[1] then return sorted(list, path) end
   end
   return sorted(with_line(path), path)
end

--- How long a spec took.
function specs.seconds(spec)
   return ran_by[spec].seconds
end

--- The specs that fail where nothing is changed: they find nothing.
function specs.failed()
   read_all()
   return failed
end

return specs
