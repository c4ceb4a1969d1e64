-- The table of media types is made of Debian's packages media-types and shared-mime-info.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter

describe("The table of media types", function()
   it("is what its generator makes of the packages that it names, where they are installed", function()
      local said = command.run(interpreter .. " .ci/media_types.lua check")
      assert.truthy(said == "" or said:find("^not compared: the table is from media%-types"), said)
   end)
end)
