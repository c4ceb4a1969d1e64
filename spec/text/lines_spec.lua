local core = require "smtp.core"

-- What the scanner says of a message that is sent as it is, from its lines.
local function facts(text)
   local scanner = core.scanner(true)
   scanner:feed(text)
   return scanner:finish()
end

describe("the lines of a message", function()
   it("are counted, wherever they begin", function()
      for before = 0, 130 do
         for len = 0, 130, 13 do
            local found = facts("A: b\r\n\r\n" .. ("x"):rep(before) .. "\r\n" .. ("y"):rep(len) .. "\r\nz\r\n")
            assert.equal(8 + before + 2 + len + 2 + 3, found.wire_len)
            assert(not (found.bare or found.nul or found.eightbit or found.open or found.long_line))
         end
      end
   end)

   for name, case in pairs {
      bare = { "\r", "\n", "\n\r", "\r\r\n" },
      nul = { "\0" },
      eightbit = { "\128", "\255" },
   } do
      it("are searched for what is " .. name .. " at each place of a step", function()
         for before = 0, 130 do
            for _, odd in ipairs(case) do
               local found = facts("A: b\r\n\r\n" .. ("x"):rep(before) .. odd .. "y\r\n" .. ("z"):rep(99) .. "\r\n")
               assert(found[name], before)
               for _, other in ipairs { "bare", "nul", "eightbit" } do assert(other == name or not found[other]) end
            end
         end
      end)
   end

   it("may have 998 octets", function()
      for len = 990, 1010 do
         local found = facts("A: b\r\n\r\nx\r\n" .. ("y"):rep(len) .. "\r\n" .. ("z"):rep(80) .. "\r\n")
         if len > 998 then assert.equal(len, found.line_max) end
         assert.equal(len > 998, found.long_line)
      end
   end)

   it("are the same however a text is cut", function()
      local text = "A: b\r\n\r\n" .. (("x"):rep(50) .. "\r\n.\r\n\r\n" .. ("y"):rep(13) .. "\n\n\195\164\r"):rep(3)
      local whole = facts(text)
      for cut = 1, #text do
         local scanner = core.scanner(true)
         scanner:feed(text, 1, cut)
         scanner:feed(text, cut + 1)
         assert.same(whole, scanner:finish())
      end
   end)
end)
