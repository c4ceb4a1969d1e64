-- The chapter "Troubleshooting" of lua/README.md is made of the tables of reasons, causes and providers.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local reasons = require "smtp.result.reasons"

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

describe("The chapter Troubleshooting", function()
   it("is current", function()
      assert.equal("", command.run(interpreter .. " .ci/troubleshooting.lua check"))
   end)

   it("names every reason, and is linked from the README", function()
      local text = read("lua/README.md")
      for name in pairs(reasons) do assert.matches("| `" .. name .. "` |", text, 1, true) end
      assert.is_nil(text:find("[{}]"))
      assert.matches("(lua/README.md#troubleshooting)", read("README.md"), 1, true)
   end)

   it("is not installed with the modules", function()
      local root = "build/spec/docs"
      command.run(("make -s LUA=%s install DESTDIR=%s"):format(interpreter:match("[^/]*$"), root))
      local found = command.run(("find %s -name README.md"):format(root))
      local modules = command.run(("find %s -name reasons.lua"):format(root))
      command.run("rm -rf " .. root)
      assert.equal("", found)
      assert.matches("result/reasons.lua", modules, 1, true)
   end)
end)
