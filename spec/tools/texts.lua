--- All texts of the library that people read: its string literals of several words, in Lua and in C.
-- Literals that are joined by `..`, or follow each other in C, are one text.

local texts = {}

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

local function files(pattern)
   local pipe, list = io.popen("find lua csrc -name '" .. pattern .. "' | sort"), {}
   for path in pipe:lines() do list[#list + 1] = path end
   pipe:close()
   return list
end

-- Annotations for editors, and replies as servers write them: add_causes has the rest of that file.
local left_out = { ["lua/smtp/types.lua"] = true, ["lua/smtp/result/causes.lua"] = true }

local function unescape(text)
   return (text:gsub("\\(.)", function(c) return c == "n" and "\n" or c end))
end

-- The literal that begins at `at`, whose quote is `quote`. -> its text, where it ends
local function literal(source, at, quote)
   local from = at + 1
   local stop = from
   while source:sub(stop, stop) ~= quote do
      stop = stop + (source:sub(stop, stop) == "\\" and 2 or 1)
   end
   return unescape(source:sub(from, stop - 1)), stop
end

-- Calls `add` with each literal, and whether it continues the one before it.
local function scan_literals(source, is_lua, add)
   local at, last = 1, 0
   while true do
      local found = source:find(is_lua and "[\"'%-%[]" or "[\"'/#]", at)
      if not found then return end
      local two, skip = source:sub(found, found + 1), nil
      if is_lua and two == "--" then
         skip = source:find("\n", found, true) or #source
      elseif is_lua and two == "[[" then
         skip = select(2, source:find("]]", found, true))
      elseif not is_lua and two == "/*" then
         skip = select(2, source:find("*/", found, true))
      elseif not is_lua and two:sub(1, 1) == "#" then
         skip = source:match("^#include[^\n]*()", found)
      end
      local quote = two:sub(1, 1)
      if skip then
         at = skip + 1
      elseif quote == "\"" or quote == "'" then
         local text, stop = literal(source, found, quote)
         local between = source:sub(last + 1, found - 1)
         add(text, last > 0 and between:find(is_lua and "^%s*%.%.%s*$" or "^%s*\\?%s*$") ~= nil)
         at, last = stop + 1, stop
      else
         at = found + 1
      end
   end
end

-- Several words, and not a pattern, a reply or a piece of code.
local function is_text(text)
   local words = 0
   for word in text:gmatch("%S+") do
      if word:find("^[%(\"]?%a[%a'-]+[,.;:?%)\"]*$") then words = words + 1 end
   end
   return words >= 3
end

-- The sentences and hints of single rows.
local function add_causes(list)
   for _, group in ipairs(require "smtp.result.causes") do
      for i = 2, #group do
         for _, field in ipairs { "sentence", "hint" } do
            local text = group[i][field]
            if text then list[#list + 1] = { path = "lua/smtp/result/causes.lua", text = text } end
         end
      end
   end
end

---@return table[] list   { path =, text = }
function texts.list()
   local list = {}
   add_causes(list)
   for _, pattern in ipairs { "*.lua", "*.[ch]" } do
      for _, path in ipairs(files(pattern)) do
         local mine = {}
         local function add(text, is_more)
            if is_more then mine[#mine] = mine[#mine] .. text else mine[#mine + 1] = text end
         end
         if not left_out[path] then scan_literals(read(path), pattern == "*.lua", add) end
         for _, text in ipairs(mine) do
            if is_text(text) then list[#list + 1] = { path = path, text = text } end
         end
      end
   end
   return list
end

--- The sentences of the core's troubles.
---@return table[] list   { kind =, reason =, sentence = }
function texts.troubles()
   local list = {}
   local pattern = 'X%([%w_]+, +"([%w_]+)", +"([%w_-]+)", +[A-Z_(]*"(.-[^\\])"%)'
   for kind, reason, sentence in read("csrc/smtp.h"):gmatch(pattern) do
      list[#list + 1] = { kind = kind, reason = reason, sentence = unescape(sentence) }
   end
   return list
end

return texts
