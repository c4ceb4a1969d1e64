-- Prints all texts of the library that people read: the reasons with sentence and hint, then the others.

package.path = "lua/?.lua;?.lua;" .. package.path
package.cpath = "build/lua5.4/?.so;" .. package.cpath

local reasons = require "smtp.result.reasons"
local remedies = require "smtp.result.remedies"
local texts = require "spec.tools.texts"

local function sorted(t)
   local keys = {}
   for key in pairs(t) do keys[#keys + 1] = key end
   table.sort(keys)
   return keys
end

for _, trouble in ipairs(texts.troubles()) do
   local of_kind = remedies.of_reason[trouble.kind] or {}
   print(("%s %s: %s"):format(trouble.kind, trouble.reason, trouble.sentence))
   if of_kind[trouble.reason] then print("   " .. of_kind[trouble.reason]) end
end

for _, name in ipairs(sorted(reasons)) do
   print(("%s (%s): %s"):format(name, reasons[name].concerns, reasons[name].sentence))
   for _, field in ipairs { "hint", "outside", "login" } do
      if reasons[name][field] then print("   " .. reasons[name][field]) end
   end
end

local path
for _, entry in ipairs(texts.list()) do
   if entry.path ~= path then print("\n" .. entry.path) end
   path = entry.path
   print("   " .. entry.text:gsub("\n", "\\n"))
end
