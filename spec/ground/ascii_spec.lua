-- Letters as protocols have them, whatever the locale of the process is.
local ascii = require "smtp.ground.ascii"

describe("ASCII", function()
   local before = os.setlocale()

   after_each(function() os.setlocale(before) end)

   for _, locale in ipairs { "C", "tr_TR.ISO-8859-9", "tr_TR.UTF-8", "de_DE.ISO-8859-1" } do
      it("has its own letters where the locale is " .. locale, function()
         if not os.setlocale(locale) then os.setlocale "C" end -- what is not installed changes nothing
         assert.equal("mail from: i", ascii.lower "MAIL FROM: I")
         assert.equal("MAIL FROM: I", ascii.upper "mail from: i")
         for byte = 128, 255 do
            local c = string.char(byte)
            assert.same({ c, c }, { ascii.lower(c), ascii.upper(c) })
         end
      end)
   end

   it("writes bytes of a class in another form", function()
      assert.equal("a+2Cb+C3+A4", ascii.escape("a,b\195\164", "[^a-z]", "+%02X"))
   end)

   it("has numbers with a point, whatever the locale has", function()
      for _, locale in ipairs { "C", "de_DE.UTF-8", "de_DE.ISO-8859-1", "tr_TR.UTF-8" } do
         os.setlocale(locale)
         assert.equal(1.5, ascii.number "1.5")
         assert.equal(25, ascii.number "25")
         for _, bad in ipairs { "1,5", "x", "" } do assert.is_nil(ascii.number(bad)) end
         assert.equal(2.5, ascii.number(2.5))
      end
   end)

   it("orders texts byte by byte", function()
      for _, pair in ipairs { { "", "a" }, { "a", "b" }, { "A", "a" }, { "Z", "a" }, { "a", "aa" },
         { "z", "\195\164" } } do
         assert.is_true(ascii.before(pair[1], pair[2]))
         assert.is_false(ascii.before(pair[2], pair[1]))
      end
      assert.is_false(ascii.before("a", "a"))
   end)
end)
