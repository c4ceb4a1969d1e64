local names = require "smtp.options.names"

-- The fields of a class in types.lua, in order.
local function fields_of(class)
   local list, inside = {}, false
   for line in io.lines "lua/smtp/types.lua" do
      if line:find("^%-%-%-@class") then inside = line:find("^%-%-%-@class " .. class .. "%f[^%w.]") ~= nil end
      local field = inside and line:match("^%-%-%-@field ([%w_]+)")
      if field then list[#list + 1] = field end
   end
   table.sort(list)
   return list
end

local function sorted(list)
   local copy = {}
   for i = 1, #list do copy[i] = list[i] end
   table.sort(copy)
   return copy
end

describe("the table of options", function()
   it("has the options that types.lua describes", function()
      assert.same(fields_of("smtp.ConnectionOptions"), sorted(names.connection.names))
      assert.same(fields_of("smtp.MessageOptions"), sorted(names.message.names))
   end)
end)
