-- Addresses as people write them, and the names beside them.
local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

describe("the parts of an address as it is written", function()
   for given, want in pairs {
      ["a@b"] = { "a@b", "", "", false }, [" \ta@b\t"] = { "a@b", "", "", false },
      ["Ann <a@b>"] = { "a@b", "Ann", " ", false }, ["<\ta@b > "] = { "a@b", "", "", false },
      ['"Ann \\"x\\" \\\\" <a@b>'] = { "a@b", 'Ann "x" \\', " ", false },
      ['"A" B<a@b>'] = { "a@b", '"A" B', "B", false }, ['"" <a@b>'] = { "a@b", "", " ", false },
      ['"a < b" <c@d>'] = { "c@d", "a < b", " ", false }, ['a "b <c@d>'] = { "c@d", 'a "b', " ", false },
      ['"\\" <a@b>'] = { "a@b", '"\\"', " ", false }, ["a@x, b <c@d>"] = { "c@d", "a@x, b", " ", true },
      ['"a@x, b" <c@d>'] = { "c@d", "a@x, b", " ", false }, ["Lee, Ann <c@d>"] = { "c@d", "Lee, Ann", " ", false },
      ["Ann\226\128\139<a@b>"] = { "a@b", "Ann\226\128\139", "\226\128\139", false },
      ["Ann <a@b> x"] = { "Ann <a@b> x", "", "", false }, ["a@b>"] = { "a@b>", "", "", false },
      ["<<a@b>>"] = { "<a@b>", "", "", false }, [""] = { "", "", "", false }, ["<>"] = { "", "", "", false },
      ['"a<b>"@c'] = { '"a<b>"@c', "", "", false },
   } do
      it(("are found in %q"):format(given), function() assert.same(want, { core.mailbox(given) }) end)
   end

   it("are parts of it, whatever it is", function()
      for _, text in ipairs(bodies.inputs()) do
         local spec, _, beside = core.mailbox(text)
         assert.truthy(text:find(spec, 1, true))
         assert.truthy(text:find(beside, 1, true))
         assert.is_true(#beside <= 4)
      end
   end)
end)

describe("a name", function()
   for name, trouble in pairs { [""] = false, ["Ann  Lee"] = false, ["J\195\182rg"] = false,
      ["A\226\128\139B"] = false,
      [" "] = false, ["\226\128\168x"] = false, ["\215\144\226\128\143"] = false, ["a\0"] = "control",
      ["a\t"] = "control",
      ["\127"] = "control", ["a\194\133"] = "control", ["\194\160"] = "invisible", ["a\194"] = "utf8",
      ["\226\128\139 \239\187\191"] = "invisible", ["\255"] = "utf8",
      ["\237\160\128"] = "utf8", ["\194\1"] = "utf8" } do
      it(("%q is %s"):format(name, trouble or "valid"), function()
         assert.equal(trouble or nil, core.name_trouble(name))
      end)
   end
end)
