--- Reads the annotations of lua/smtp/types.lua: classes with their fields, and aliases. Used by the
-- check of this file and by the script that writes the chapters of reference.
local annotations = {}

local PATH = "lua/smtp/types.lua"

-- "string|fun(): string  The text." -> the type, the text. A type ends at two blanks.
local function split_type(rest)
   local kind, text = rest:match("^(.-)  +(.*)$")
   return kind or rest, text or ""
end

local function join(before, after)
   if before == "" or after == "" then return before .. after end
   return before .. " " .. after
end

-- "… Default: `x`." -> the text without it, the default
local function split_default(text)
   local before, default = text:match("^(.-) ?Default: (.*)%.$")
   return before or text, default
end

local readers = {}

function readers.class(file, rest, text)
   local name, parents = rest:match("^([A-Za-z.]+):? ?(.*)$")
   local class = { name = name, parents = {}, text = text, fields = {} }
   for parent in parents:gmatch("[A-Za-z.]+") do class.parents[#class.parents + 1] = parent end
   file.classes[#file.classes + 1], file.by_name[name] = class, class
end

function readers.field(file, rest, text)
   local name, optional, kind = rest:match("^([A-Za-z_]+)(%??) (.*)$")
   local after
   kind, after = split_type(kind)
   local field = { name = name, optional = optional == "?", type = kind }
   field.text, field.default = split_default(join(text, after))
   local class = file.classes[#file.classes]
   class.fields[#class.fields + 1] = field
end

local latest -- alias

function readers.alias(file, rest)
   local name, kind = rest:match("^([A-Za-z.]+) ?(.*)$")
   latest = { alias = kind }
   file.by_name[name] = latest
end

-- One more value of the alias: `"prefer"   # with a text`.
function readers.value(_, rest)
   local value = rest:match("^ ?(.-) *#") or rest:match("^ ?(.-) *$")
   latest.alias = latest.alias == "" and value or latest.alias .. " | " .. value
end

function readers.meta() end

--- Reads types.lua.
---@return table   classes in order, and by_name; a class has name, parents, text and fields
function annotations.read()
   local file, text = { classes = {}, by_name = {} }, ""
   for line in io.lines(PATH) do
      local tag, rest = line:match("^%-%-%-@(%a+) ?(.*)$")
      if tag then
         local reader = readers[tag] or error(PATH .. ": unknown tag @" .. tag, 0)
         reader(file, rest, text)
         text = ""
         elseif line:find("^%-%-%-|") then
         readers.value(file, line:sub(5))
      else
         text = join(text, line:match("^%-%-%- (.*)$") or "")
      end
   end
   return file
end

return annotations
