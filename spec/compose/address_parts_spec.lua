local address_parts = require "smtp.compose.address_parts"

-- The parts, and the places of their last bytes as a check.
local function parts(text)
   local list, at = {}, 0
   address_parts.each(text, function(part, c, stop)
      at = at + #part
      assert.equal(at, stop)
      list[#list + 1] = c and part:find('^["(<,;:]') and c .. part or part
   end)
   assert.equal(#text, at)
   return list
end

describe("the parts of a text with addresses", function()
   it("are words, blanks, strings, comments, what is in < > and separators", function()
      assert.same({ "Ann", " ", '""A, \\"B"', "\t ", "<<a@b>", ",,", " ", "((x (y) \\)z)", "::", ";;" },
         parts 'Ann "A, \\"B"\t <a@b>, (x (y) \\)z):;')
      assert.same({ '""ann lee"@x.example', ",,", '<<"a>b"@c>' }, parts '"ann lee"@x.example,<"a>b"@c>')
   end)

   it("are letters like others where they have no end", function()
      assert.same({ "a", " ", '"', "b" }, parts 'a "b')
      assert.same({ "a", " ", "(", "b" }, parts "a (b")
      assert.same({ "<", "a", " ", "<", "b" }, parts "<a <b")
      assert.same({}, parts "")
   end)
end)
