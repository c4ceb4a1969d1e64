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

   it("has no character that turns the order of text", function()
      local turning = { [0x61C] = true, [0x200E] = true, [0x200F] = true }
      for number = 0x202A, 0x202E do turning[number] = true end
      for number = 0x2066, 0x2069 do turning[number] = true end
      for number = 0x600, 0x207F do
         local high, last = math.floor(number / 64), string.char(0x80 + number % 64)
         local first = number < 0x800 and string.char(0xC0 + high)
            or string.char(0xE0 + math.floor(high / 64), 0x80 + high % 64)
         local text = first .. last
         for _, after in ipairs { "", "\142", "x" } do -- which is the last octet of one
            local shown = core.printable(text .. after):sub(1, #text)
            assert.equal(turning[number] and ("?"):rep(#text) or text, shown, ("%x"):format(number))
         end
      end
   end)

   it("stays as it is when it is made printable once more, and is UTF-8", function()
      for _, text in ipairs(bodies.inputs()) do
         local once = core.printable(text)
         assert.is_true(core.is_utf8(once))
         assert.equal(once, core.printable(once))
         assert.is_nil(once:find("[%z\1-\9\11-\31\127]"))
      end
   end)
end)
