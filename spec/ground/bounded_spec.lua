-- A map that forgets its oldest entries when it is full.
local bounded = require "smtp.ground.bounded"

local function count(map, keys)
   local kept = 0
   for i = 1, keys do
      if map.recent[i] ~= nil or map.older[i] ~= nil then kept = kept + 1 end
   end
   return kept
end

describe("a bounded map", function()
   it("is empty until an entry is set", function()
      local map = bounded.new(4)
      assert.is_true(map.empty)
      assert.is_nil(map:get("a"))
      assert.equal("x", map:set("a", "x"))
      assert.is_false(map.empty)
      assert.equal("x", map:get("a"))
   end)

   it("never holds more entries than its maximum", function()
      local map = bounded.new(10)
      for i = 1, 100 do
         map:set(i, i)
         assert.is_true(count(map, 100) <= 10)
         assert.is_true(count(map, 100) >= math.min(i, 5))
      end
   end)

   it("keeps an entry that is used, and forgets the others", function()
      local map = bounded.new(10)
      map:set("used", 0)
      for i = 1, 100 do
         map:set(i, i)
         assert.equal(0, map:get("used"))
      end
      assert.is_nil(map:get(90))
      assert.equal(100, map:get(100))
   end)

   it("has the newest value of a key, and none of a key that was removed", function()
      local map = bounded.new(4)
      map:set("a", 1)
      map:set("b", 2)
      map:set("c", 3) -- a and b are older now
      map:set("a", 4)
      assert.equal(4, map:get("a"))
      map:remove("a")
      map:remove("b")
      assert.is_nil(map:get("a"))
      assert.is_nil(map:get("b"))
      assert.equal(3, map:get("c"))
   end)
end)
