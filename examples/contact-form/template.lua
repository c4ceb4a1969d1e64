--- Pages from a file of HTML with marks, as Mustache has them:
--
--    {{name}}                  the value, escaped for HTML; there is no way to leave it unescaped
--    {{#name}} … {{/name}}     only where it has a value; once for each entry of a list
--    {{^name}} … {{/name}}     only where it has none
--
-- A name may lead into tables: {{error.email}}.

local template = {}

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
   ["'"] = "&#39;" }

local function escape(value)
   return (tostring(value):gsub("[&<>\"']", entities))
end

-- Reads up to the mark that closes `section`. -> parts (strings, and tables for marks), their end
local function parse(text, at, section)
   local parts = {}
   while true do
      local from, to, mark, name = text:find("{{([#^/]?)([%w_.]+)}}", at)
      parts[#parts + 1] = text:sub(at, (from or 0) - 1)
      if not from or mark == "/" then
         assert(name == section, "a section is not closed: " .. tostring(section or name))
         return parts, to and to + 1
      end
      local inner
      at = to + 1
      if mark ~= "" then inner, at = parse(text, at, name) end
      parts[#parts + 1] = { mark = mark, name = name, parts = inner }
   end
end

local function look_up(context, name)
   local value = context
   for key in name:gmatch("[^.]+") do
      if type(value) ~= "table" then return nil end
      value = value[key]
   end
   return value ~= "" and value or nil
end

local write

local function write_section(out, part, context)
   local value = look_up(context, part.name)
   if part.mark == "^" then
      if not value then write(out, part.parts, context) end
   elseif type(value) == "table" and value[1] ~= nil then
      for i = 1, #value do
         write(out, part.parts, setmetatable({}, { __index = function(_, key)
            local own = value[i][key]
            if own == nil then return context[key] end
            return own
         end }))
      end
   elseif value then
      write(out, part.parts, context)
   end
end

function write(out, parts, context)
   for i = 1, #parts do
      local part = parts[i]
      if type(part) == "string" then
         out[#out + 1] = part
      elseif part.mark == "" then
         out[#out + 1] = escape(look_up(context, part.name) or "")
      else
         write_section(out, part, context)
      end
   end
end

--- Reads a file once. Returns a function(values) that returns the page.
function template.load(path)
   local file = assert(io.open(path, "r"))
   local parts = parse(file:read("*a"), 1)
   file:close()
   return function(values)
      local out = {}
      write(out, parts, values)
      return table.concat(out)
   end
end

return template
