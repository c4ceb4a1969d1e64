--- Which spec runs which lines: build/coverage/map has a file for each spec, which spec/coverage/run writes.

local map = {}

local FOLDER = "build/coverage/map"

local function path_of(spec)
   return FOLDER .. "/" .. spec:gsub("/", "@")
end

--- Numbers in ascending order, as "3-7 9".
local function ranges(numbers)
   local list, i = {}, 1
   while i <= #numbers do
      local first = i
      while numbers[i + 1] == numbers[i] + 1 do i = i + 1 end
      list[#list + 1] = first == i and numbers[i] or numbers[first] .. "-" .. numbers[i]
      i = i + 1
   end
   return table.concat(list, " ")
end

local function each_number(text, fn)
   for first, last in text:gmatch "(%d+)%-?(%d*)" do
      for number = tonumber(first), tonumber(last) or tonumber(first) do fn(number) end
   end
end

--- Keeps the lines that a spec has run.
---@param spec string
---@param result "passed"|"failed"
---@param seconds number
---@param ran table<string, table<integer, boolean>>   by path
function map.write(spec, result, seconds, ran)
   local file = assert(io.open(path_of(spec), "wb"))
   file:write(("%s\t%.2f\n"):format(result, seconds))
   for path, set in pairs(ran) do
      local numbers = {}
      for number in pairs(set) do numbers[#numbers + 1] = number end
      table.sort(numbers)
      if numbers[1] then file:write(("%s\t%s\n"):format(path, ranges(numbers))) end
   end
   file:close()
end

--- All specs of the last run.
---@return table<string, { result: string, seconds: number, ran: table<string, table<integer, boolean>> }>
function map.read()
   local specs, pipe = {}, io.popen("ls " .. FOLDER)
   for name in pipe:lines() do
      local file = assert(io.open(FOLDER .. "/" .. name))
      local result, seconds = file:read "l":match "^(%a+)\t(.+)$"
      local entry = { result = result, seconds = tonumber(seconds), ran = {} }
      for line in file:lines() do
         local path, numbers = line:match "^(.-)\t(.*)$"
         entry.ran[path] = {}
         each_number(numbers, function(number) entry.ran[path][number] = true end)
      end
      file:close()
      specs[name:gsub("@", "/")] = entry
   end
   pipe:close()
   return specs
end

return map
