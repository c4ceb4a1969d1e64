local core = require "smtp.core"

describe("A message identifier", function()
   it("is of random bytes, at a domain", function()
      local first, second = core.message_id("x.example"), core.message_id("x.example")
      assert.is_truthy(first:find("^<" .. ("[0-9a-f]"):rep(32) .. "@x%.example>$"))
      assert.is_true(first ~= second)
      assert.equal(35 + 255, #core.message_id(("x"):rep(255)))
      assert.is_nil(core.message_id(("x"):rep(256)))
      assert.has_error(function() core.message_id() end)
   end)
end)

describe("A short text whose table changes while it is read", function()
   it("has the values that were read", function()
      for i = 1, 60 do
         local given = { from = "a@x", to = "b@x", subject = "first " .. i, text = ("short %d\n"):format(i) }
         local proxy = rawget(_G, "newproxy") and newproxy(true) or setmetatable({}, {}) -- luacheck: ignore
         getmetatable(proxy).__gc = function() given.text, given.subject = nil, nil end
         proxy = nil -- luacheck: ignore
         collectgarbage("step", i)
         local transaction, text, size, _, id = core.transaction(given, {})
         if transaction then
            assert.equal(size, #text)
            assert.is_truthy(text:find(id, 1, true) and text:find("Subject: first " .. i, 1, true))
            assert.equal(("\r\n\r\nshort %d\r\n"):format(i), text:sub(-13 - #tostring(i) + 1))
         end
      end
   end)
end)
