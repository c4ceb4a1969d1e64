--- Lines that can run, lines that have run, and those that spec/coverage/missed lists.

local lines = {}

--- Does a line do something, or does it only end what others began, or is all of it texts in a table? Lua has
--- instructions there too: a function that has returned does not reach them, and LuaJIT makes a table of constants in
--- the line where it begins.
local function is_statement(text)
   for word in text:gsub('"[^"]*"', ""):gsub("%-%-.*", ""):gmatch "[^%s%(%)%[%]{},;]+" do
      if word ~= "end" and word ~= "else" then return true end
   end
   return false
end

--- The lines of a file of Lua that have instructions, from what `luac5.4 -l` prints of it.
---@param text string      the file
---@param listing string
---@return table<integer, string>   number to text
function lines.of_lua(text, listing)
   local texts, active = {}, {}
   for line in text:gmatch "([^\n]*)\n?" do texts[#texts + 1] = line end
   for digits, instruction in listing:gmatch "\n%s+%d+%s+%[(%d+)%]%s+(%u+)" do
      local number = tonumber(digits)
      -- A hook is not called for the instruction that begins a function with "...".
      if instruction ~= "VARARGPREP" and is_statement(texts[number]) then active[number] = texts[number] end
   end
   return active
end

--- Adds the lines of C that have instructions, from what `gcov --stdout` prints of an object, to `files`: the lines of
--- each file of csrc/. Several objects may contain a file: where one of them has run a line, it has run.
---@param files table<string, { active: table<integer, string>, ran: table<integer, boolean> }>
---@param output string
function lines.add_c(files, output)
   local file
   for count, number, text in output:gmatch " *([%d#=*-]+): *(%d+):([^\n]*)" do
      local path = number == "0" and text:match "^Source:(.*)$"
      if path then
         files[path] = files[path] or path:find "^csrc/" and { active = {}, ran = {} } or nil
         file = files[path]
      elseif file and count ~= "-" then
         file.active[tonumber(number)] = text
         if count:find "^%d" then file.ran[tonumber(number)] = true end
      end
   end
end

local function trimmed(text)
   return text:match "^%s*(.-)%s*$"
end

--- Reads the list: a path, the text of a line and the reason, with tabs between them. The text "*" is for all lines of
--- a file, or of a folder where the path ends with "/".
---@return { path: string, text: string, reason: string }[]
function lines.listed(text)
   local list = {}
   for line in text:gmatch "[^\n]+" do
      local path, of_line, reason = line:match "^(%S+)\t([^\t]+)\t(%S.*)$"
      if path then
         list[#list + 1] = { path = path, text = of_line, reason = reason }
      elseif not line:find "^#" then
         error("spec/coverage/missed: expected a path, a text and a reason with tabs between them: " .. line, 0)
      end
   end
   return list
end

local function is_for(entry, path, text)
   local is_folder = entry.path:find "/$" and path:find(entry.path, 1, true) == 1
   if entry.text == "*" then return is_folder or entry.path == path end
   return entry.path == path and entry.text == text and not entry.used
end

--- Finds the entry for a line. An entry with a text is for one line: where a file has the same text twice, and neither
--- has run, the list has it twice.
---@return boolean
function lines.take(list, path, text)
   text = trimmed(text)
   for _, entry in ipairs(list) do
      if is_for(entry, path, text) then
         entry.used = true
         return true
      end
   end
   return false
end

return lines
