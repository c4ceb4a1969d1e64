-- Text as a terminal may show it.
local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

describe("printable text", function()
   for given, shown in pairs { [""] = "", ["plain text"] = "plain text", ["a\tb"] = "a b", ["a\nb"] = "a\nb",
      ["a\r\nb"] = "a?\nb", ["\27[2J"] = "?[2J", ["a\0b\127"] = "a?b?", ["gr\195\188n"] = "gr\195\188n",
      ["\194\155"] = "??", ["\226\128\174x"] = "???x", ["\216\156"] = "??", ["\255"] = "?", ["\195"] = "?",
      ["\237\160\128"] = "???", ["\240\159\152\128"] = "\240\159\152\128" } do
      it(("of %q is %q"):format(given, shown), function() assert.equal(shown, core.printable(given)) end)
   end

   it("stays as it is when it is made printable once more, and is UTF-8", function()
      for _, text in ipairs(bodies.inputs()) do
         local once = core.printable(text)
         assert.is_true(core.is_utf8(once))
         assert.equal(once, core.printable(once))
         assert.is_nil(once:find("[%z\1-\9\11-\31\127]"))
      end
   end)
end)
