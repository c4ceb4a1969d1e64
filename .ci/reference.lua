-- Writes the tables of lua/README.md from lua/smtp/types.lua and from the tables of the code. A
-- table is written between "<!-- NAME -->" and "<!-- end -->", and nothing else is changed:
--
--    <!-- types: smtp.Receipt -->   the fields of a class of types.lua
--    <!-- errors -->                the classes of errors, with what each means
--    <!-- troubleshooting -->       reasons and providers
--    <!-- promises -->              what is promised, and the proof of it
--
-- With "check" it changes nothing, and ends with 1 where the file is not current.
package.path = "lua/?.lua;.ci/?.lua;?.lua;" .. package.path
package.cpath = "build/lua5.4/?.so;" .. package.cpath

local annotations = require "annotations"
local proofs = require "spec.proof.proofs"
local troubleshooting = require "troubleshooting"

local PATH = "lua/README.md"
local types = annotations.read()

local function cell(text)
   return (text:gsub("|", "\\|"))
end

-- The names of types are shorter in tables; short lists of words stand for their names.
local function type_cell(kind)
   kind = kind:gsub("smtp%.(%u%a+)(%[?)", function(name, list)
      local alias = types.by_name["smtp." .. name].alias
      local words = alias and #alias < 40 and alias:find('^"') and alias:gsub(" ", "")
      return (words and list == "[" and "(" .. words .. ")" or words or name) .. list
   end)
   return "`" .. cell(kind) .. "`"
end

local function fields_of(name)
   local class = types.by_name[name] or error("no class " .. name, 0)
   local has_defaults = false
   for _, field in ipairs(class.fields) do has_defaults = has_defaults or field.default end
   local what = (name:find("Options$") or name:find("Settings$")) and "option" or "field"
   local rows = { has_defaults and ("\n| %s | type | default | |\n|---|---|---|---|\n"):format(what)
      or ("\n| %s | type | |\n|---|---|---|\n"):format(what) }
   for _, field in ipairs(class.fields) do
      local default = has_defaults and cell(field.default or "") .. " | " or ""
      rows[#rows + 1] = ("| `%s` | %s | %s%s |\n"):format(field.name, type_cell(field.type), default, cell(field.text))
   end
   return table.concat(rows) .. "\n"
end

local function add_classes(rows, parent, depth)
   for _, class in ipairs(types.classes) do
      if class.parents[1] == parent then
         local name = class.name:gsub("^smtp%.", "")
         local kind = name:gsub("Error$", ""):gsub("(%l)(%u)", "%1_%2"):lower()
         rows[#rows + 1] = ("| %s`%s` | `%s` | %s |\n"):format(("– "):rep(depth), name, kind, cell(class.text))
         add_classes(rows, class.name, depth + 1)
      end
   end
end

local function error_classes()
   local rows = { "\n| class | `kind` | |\n|---|---|---|\n" }
   add_classes(rows, "smtp.Error", 0)
   return table.concat(rows) .. "\n"
end

local function promises()
   local rows = { "\n| promise | proof | |\n|---|---|---|\n" }
   for _, proof in ipairs(proofs) do
      rows[#rows + 1] = ("| %s | `%s` | %s |\n"):format(cell(proof[2]), proof[1], cell(proof[3]))
   end
   return table.concat(rows) .. "\n"
end

local writers = { types = fields_of, errors = error_classes, promises = promises,
   troubleshooting = troubleshooting.chapter }

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

local text = read(PATH)
local current = text:gsub("(<!%-%- (%a+):? ?([%a.]*) %-%->\n).-(<!%-%- end %-%->\n)",
   function(head, kind, name, tail)
      local write = writers[kind] or error(("%s: unknown table %q"):format(PATH, kind), 0)
      return head .. write(name) .. tail
   end)

if arg[1] == "check" then
   if text ~= current then print(PATH .. " is not current: run lua5.4 .ci/reference.lua") end
   os.exit(text == current and 0 or 1)
end
local file = assert(io.open(PATH, "w"))
file:write(current)
file:close()
