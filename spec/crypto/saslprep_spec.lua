local command = require "spec.tools.command"
local crypto = require "smtp.crypto"
local interpreter = require("spec.tools.peer").interpreter

describe("SASLprep", function()
   for _, row in ipairs { -- RFC 4013 3
      { "I\194\173X", "IX", "SOFT HYPHEN mapped to nothing" },
      { "user", "user", "no transformation" },
      { "USER", "USER", "case preserved" },
      { "\194\170", "a", "output is NFKC" },
      { "\226\133\168", "IX", "output is NFKC" },
   } do
      it(("makes %q of %q: %s"):format(row[2], row[1], row[3]), function()
         assert.equal(row[2], crypto.saslprep(row[1]), "is libidn there?")
      end)
   end

   it("refuses a prohibited character (RFC 4013 2.3)", function()
      assert.same({ nil, "saslprep" }, { crypto.saslprep "\7" })
      assert.same({ nil, "saslprep" }, { crypto.saslprep "a\127" })
      assert.same({ nil, "saslprep" }, { crypto.saslprep "a\0b" })
      assert.same({ nil, "saslprep" }, { crypto.saslprep "p\195\164\226\128\171" })
   end)

   it("refuses a mixture of directions (RFC 4013 2.4)", function()
      assert.same({ nil, "saslprep" }, { crypto.saslprep "\216\1671" })
   end)

   it("refuses what is not UTF-8", function()
      for _, bad in ipairs { "\255", "a\195", "\192\128", "\237\160\128", "\244\144\128\128" } do
         assert.same({ nil, "saslprep" }, { crypto.saslprep(bad) })
      end
   end)

   it("makes a space of every kind of space (RFC 4013 2.1)", function()
      assert.equal("a b c", crypto.saslprep "a\194\160b\226\128\131c")
   end)
end)

describe("SASLprep", function()
   it("keeps no memory", function()
      if os.getenv "SMTP_SANITIZED" then return end -- sanitizers see that themselves, and keep memory
      local name = os.tmpname()
      command.write(name, [[
         local crypto, text = require "smtp.crypto", ("\195\164"):rep(2000)
         local function pages()
            for _ = 1, 1000 do crypto.saslprep(text) end
            collectgarbage()
            local file = io.open "/proc/self/statm"
            local count = file and select(2, file:read("*n", "*n")) or 0
            if file then file:close() end
            return count
         end
         pages()
         local before = pages()
         print(pages() - before)]])
      local said = command.own(interpreter .. " " .. name)
      os.remove(name)
      assert.truthy(tonumber(said) and tonumber(said) < 500, said) -- of 1,000 that one text after the other would take
   end)
end)
