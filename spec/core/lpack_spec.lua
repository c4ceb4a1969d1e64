-- Plain values as bytes, as stores keep them. spec/outbox/encoding_spec.lua has more of them.
local core = require "smtp.core"

describe("core.pack", function()
   it("writes bytes that later versions have to read", function()
      for bytes, value in pairs { ["~"] = "nil", ["+"] = true, ["-"] = false, ["=12;"] = 12, ["=-1;"] = -1,
         ["=0.5;"] = 0.5, ["0:"] = "", ["3:a:b"] = "a:b", ["{}"] = {}, ["{=1;{1:a+}}"] = { { a = true } } } do
         if value == "nil" then value = nil end
         assert.equal(bytes, core.pack(value))
         local again, stop = core.unpack(bytes)
         assert.same(value, again)
         assert.equal(#bytes + 1, stop)
      end
   end)

   it("keeps more than the memory it begins with", function()
      local list = {}
      for i = 1, 300 do list[i] = ("x"):rep(i) end
      assert.same(list, (core.unpack(core.pack(list))))
      local long = ("\0y"):rep(100000)
      assert.equal(long, (core.unpack(core.pack(long))))
   end)

   it("keeps every digit of a number, in every locale", function()
      for _, number in ipairs { 0.1, 1 / 3, -2.5e-300, 1e15, 999999999999999, 2 ^ 53, -7 } do
         assert.equal(number, (core.unpack(core.pack(number))))
      end
   end)

   it("writes nothing that cannot be read again", function()
      local function nest(depth)
         local value = {}
         for _ = 2, depth do value = { value } end
         return value
      end
      for depth = 1, 20 do assert.same(nest(depth), (core.unpack(core.pack(nest(depth))))) end
      assert.has_error(function() core.pack(nest(21)) end)
      assert.same({}, { core.unpack(("{=1;"):rep(21) .. ("}"):rep(21)) })
      for _, number in ipairs { 1 / 0, -1 / 0, 0 / 0 } do
         assert.has_error(function() core.pack { number } end)
      end
      assert.same({}, { core.unpack "=1\0002;" })
   end)

   it("begins to read where it is asked to", function()
      local value, stop = core.unpack("1:a1:b", 4)
      assert.same({ "b", 7 }, { value, stop })
      for _, at in ipairs { 0, 7, 100 } do assert.is_nil((core.unpack("1:a1:b", at))) end
   end)

   it("refuses numbers and lengths that are none", function()
      for _, bytes in ipairs { "=;", "=1", "=1,5;", "=nan;", "=inf;", "=0x10;", "=" .. ("1"):rep(100) .. ";", ":",
         "5:a", "99999999999999999999:a", "-1:a", "{1:a", "{~+}", "" } do
         local value, stop = core.unpack(bytes)
         if bytes == "-1:a" then value, stop = core.unpack("{" .. bytes) end
         assert.same({}, { value, stop }, bytes)
      end
   end)
end)
