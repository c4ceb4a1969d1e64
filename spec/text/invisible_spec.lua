-- Characters that readers do not see.
local core = require "smtp.core"

describe("an invisible character", function()
   for text, found in pairs { ["a\194\160b"] = "U+00A0, a no-break space", ["\194\173"] = "U+00AD, a soft hyphen",
      ["a@b\226\128\139"] = "U+200B, a zero-width space", ["\226\128\143\226\128\139"] = "U+200F, a right-to-left mark",
      ["\255\239\187\191"] = "U+FEFF, a byte order mark", ["\227\128\128"] = "U+3000, an ideographic space",
      ["\226\128\174x"] = "U+202E, a control of the direction", ["\226\129\169"] = "U+2069, a control of the direction",
      ["\243\160\129\129"] = "U+E0041, a tag or a variation selector" } do
      it(("is named: %s"):format(found), function() assert.equal(found, core.invisible(text)) end)
   end

   it("is not found where there is none", function()
      for _, text in ipairs { "", "ann@x.example", "J\195\182rg", "\226\128\148\226\128\166", "\240\159\152\128",
         "\194", "\226\128", "\237\160\128", "\194\161\194\172\194\174" } do
         assert.is_nil(core.invisible(text))
      end
   end)
end)
