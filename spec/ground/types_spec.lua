-- lua/smtp/types.lua describes what the code has, and describes all of it.
local annotations = dofile ".ci/annotations.lua"
local errors = require "smtp.errors"
local names = require "smtp.options.names"
local smtp = require "smtp"
local safe = require "smtp.safe"

local file = annotations.read()

local basic = {}
for word in ("any boolean string number integer table function userdata nil true false fun file self")
   :gmatch("%a+") do
   basic[word] = true
end

local function fields_of(class)
   local list = {}
   for _, field in ipairs(file.by_name[class].fields) do list[#list + 1] = field.name end
   table.sort(list)
   return list
end

local function sorted(list)
   local copy = {}
   for i = 1, #list do copy[i] = list[i] end
   table.sort(copy)
   return copy
end

-- The names of types in a type, without names of arguments and fields, and without literals.
local function types_in(kind)
   local list = {}
   kind = kind:gsub('"[^"]*"', ""):gsub("[%a_]+%??: ?", " ")
   for name in kind:gmatch("%a[%a.]*") do
      if not basic[name] then list[#list + 1] = name end
   end
   return list
end

-- Those that can be called: smtp.outbox has fields as well.
local function functions_of(module)
   local list = {}
   for name, value in pairs(module) do
      if type(value) == "function" or (getmetatable(value) or {}).__call then list[#list + 1] = name end
   end
   return sorted(list)
end

describe("types.lua", function()
   it("has the options that the code has", function()
      assert.same(sorted(names.connection.names), fields_of "smtp.ConnectionOptions")
      assert.same(sorted(names.message.names), fields_of "smtp.MessageOptions")
   end)

   it("has the functions of both modules", function()
      assert.same(functions_of(smtp), fields_of "smtp.Module")
      assert.same(functions_of(safe), fields_of "smtp.SafeModule")
   end)

   it("has the methods of a connection", function()
      local methods = { "alive", "auth" }
      for name in pairs(require("smtp.client.connection").methods) do methods[#methods + 1] = name end
      assert.same(sorted(methods), fields_of "smtp.Connection")
      assert.same(sorted(methods), fields_of "smtp.SafeConnection")
   end)

   it("has a text for each class and each field, in whole sentences", function()
      for _, class in ipairs(file.classes) do
         assert(class.text:find("%.$"), class.name .. " has no text")
         for _, field in ipairs(class.fields) do
            local text = field.text .. (field.default and "." or "")
            assert(text:find("%.$"), ("%s.%s has no text: %q"):format(class.name, field.name, text))
         end
      end
   end)

   it("names only types that exist", function()
      for _, class in ipairs(file.classes) do
         for _, parent in ipairs(class.parents) do assert(file.by_name[parent], parent) end
         for _, field in ipairs(class.fields) do
            for _, name in ipairs(types_in(field.type)) do
               assert(file.by_name[name], ("%s.%s has the type %s"):format(class.name, field.name, name))
            end
         end
      end
   end)

   it("is what the doors return", function()
      for _, path in ipairs { "lua/smtp.lua", "lua/smtp/safe.lua" } do
         local documented
         for line in io.lines(path) do
            local kind = line:match("^%-%-%-@return ([%a.]+)")
            if kind and not basic[kind] then
               documented = true
               assert(file.by_name[kind], path .. " returns " .. kind)
            end
         end
         assert(documented, path)
      end
   end)

   it("has the fields that errors have", function()
      local has = {}
      for _, field in ipairs(file.by_name["smtp.Error"].fields) do has[field.name] = true end
      local err = errors.new("source", { reason = "x", stage = "body", what = "x" })
      for name in pairs(err) do assert(has[name], name) end
   end)
end)
