local core = require "smtp.core"

describe("UTF-8", function()
   -- RFC 3629 4: the first and the last character of each length, and what is next to them.
   local good = { "\127", "\194\128", "\223\191", "\224\160\128", "\237\159\191",
      "\238\128\128", "\239\191\191", "\240\144\128\128", "\244\143\191\191" }
   local bad = { "\128", "\193\191", "\224\159\191", "\237\160\128",
      "\240\143\191\191", "\244\144\128\128", "\245\128\128\128",
      "\194", "\224\160", "\240\144\128", "\194\65", "\255" }

   it("is what RFC 3629 says, at any place of a text", function()
      for before = 0, 17 do
         local start = ("x"):rep(before)
         for _, character in ipairs(good) do assert.is_true(core.is_utf8(start .. character .. "y")) end
         for _, broken in ipairs(bad) do
            assert.is_false(core.is_utf8(start .. broken))
            assert.is_false(core.is_utf8(start .. broken .. "y"))
         end
      end
      for before = 0, 40 do -- a block of sixteen begins and ends within characters
         for after = 0, 20 do
            for _, character in ipairs(good) do
               local text = ("x"):rep(before) .. character:rep(9) .. ("y"):rep(after)
               assert.is_true(core.is_utf8(text))
               assert.equal(after == 0 and #character > 1, not core.is_utf8(text:sub(1, -2)))
            end
         end
      end
      assert.is_true(core.is_utf8(""))
      assert.has_error(function() core.is_utf8() end)
   end)
end)
