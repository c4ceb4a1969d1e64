--- What the command prints: text that a terminal can show, and JSON for programs.
-- @module smtp.cli.output

local ascii = require "smtp.ground.ascii"
local colors = require "smtp.cli.colors"
local core = require "smtp.core"

local address = require("smtp.ground.resources").late "smtp.options.address"

local output = {}

--- Text that a terminal can show: it must not obey what a peer put into the text (core.printable).
function output.shown(text)
   return (text:gsub("[^\t]+", core.printable))
end

--- Print a line on standard output, or write it to `file`.
function output.say(text, file)
   (file or io.stdout):write(output.shown(text), "\n")
end

--- Print a line of which a part has a colour, on a terminal.
---@param color string   see smtp.cli.colors
---@param before string
---@param part string
---@param after string
---@param file? file*    standard output where it is not given
function output.say_in(color, before, part, after, file)
   file = file or io.stdout
   part = colors.paint(color, output.shown(part), file)
   file:write(output.shown(before), part, output.shown(after), "\n")
end

-- ---- JSON, enough for receipts and errors ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- Characters outside ASCII that a terminal may obey: C1 controls, and marks that change the
-- direction of text.
local obeyed = { "\194[\128-\159]", "\216\156",
   "\226\128[\142\143\170-\174]", "\226\129[\166-\169]" }

local function escape_wide(character)
   return ("\\u%04x"):format(address.code_point(character))
end

-- JSON is UTF-8. Where the words of a server are not, each byte counts as Latin-1.
local function quote(text)
   if not core.is_utf8(text) then
      text = text:gsub("[\128-\255]", function(c)
         return string.char(192 + math.floor(c:byte() / 64), 128 + c:byte() % 64)
      end)
   end
   text = text:gsub('[%z\1-\31\\"\127]', function(c)
      return escapes[c] or ("\\u%04x"):format(c:byte())
   end)
   for i = 1, #obeyed do text = text:gsub(obeyed[i], escape_wide) end
   return '"' .. text .. '"'
end

local function number(value)
   if value ~= value or value == math.huge or value == -math.huge then return "null" end
   if value % 1 == 0 and math.abs(value) < 1e15 then return ("%d"):format(value) end
   return (("%.6f"):format(value):gsub(",", "."))
end

-- The fields that are maps even where they are empty. Every other empty table is a list.
-- `mechanisms` is a list of names in what a server offers, and a map to reasons elsewhere.
local maps = { capabilities = true, extensions = true, limits = true, usable = true, options = true,
   parameters = true, headers = true, seconds = true, tls = true, server = true,
   ["auth.mechanisms"] = true }

local function is_map(value, name, parent)
   if next(value) ~= nil then return #value == 0 end
   return maps[name] or maps[(parent or "") .. "." .. (name or "")] or false
end

--- Any value as JSON.
---@param name? string     the name of the field that contains the value
---@param parent? string   the name of the field around that one
---@return string
function output.json(value, name, parent)
   local kind = type(value)
   if kind == "string" then return quote(value) end
   if kind == "number" then return number(value) end
   if kind ~= "table" then return kind == "boolean" and tostring(value) or "null" end
   local parts = {}
   if not is_map(value, name, parent) then
      for i = 1, #value do parts[i] = output.json(value[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   local names = {}
   for key in next, value do names[#names + 1] = tostring(key) end
   table.sort(names, ascii.before)
   for i = 1, #names do
      parts[i] = quote(names[i]) .. ":" .. output.json(value[names[i]], names[i], name)
   end
   return "{" .. table.concat(parts, ",") .. "}"
end

return output
