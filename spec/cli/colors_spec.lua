-- spec/live/terminal_spec.lua shows the colours at a terminal.
local colors = require "smtp.cli.colors"

describe("Colours", function()
   it("are not in what goes to a file or a pipe", function()
      local pipe = io.popen("cat >/dev/null", "w")
      for _, file in ipairs { pipe, io.tmpfile() } do
         assert.is_false(colors.are_on(file))
         assert.equal("accepted", colors.paint("green", "accepted", file))
         file:close()
      end
   end)
end)
