-- Values as bytes.
local encoding = require "smtp.outbox.encoding"

local encode, decode = encoding.encode, encoding.decode

describe("Encoding", function()
   it("keeps plain values", function()
      for _, value in ipairs { 0, -1, 1.5, 1e300, 9007199254740991, "", "a:b{}\0\255", true, false,
         {}, { 1, { "x", k = { true } } }, { [1.5] = "a", [true] = "b", a = 1 } } do
         local bytes = encode(value)
         local again, stop = decode(bytes)
         assert.same(value, again)
         assert.equal(#bytes + 1, stop)
      end
      assert.is_nil((decode(encode(nil))))
   end)

   it("makes a table of fields, without those that are nil", function()
      local bytes = encoding.fields("a", 1, "b", nil, "c", ("x"):rep(5000), "d", { "e" }, "f", false)
      assert.same({ a = 1, c = ("x"):rep(5000), d = { "e" }, f = false }, (decode(bytes)))
      assert.equal(encode { a = 1 }, encoding.fields("a", 1, "b", nil))
      assert.equal(encode {}, encoding.fields())
      assert.is_false(pcall(encoding.fields, "a", print))
   end)

   it("reads values that follow each other", function()
      assert.same({ "a", { 1 }, 2 }, encoding.decode_all(encode "a" .. encode { 1 } .. encode(2)))
   end)

   it("reads damaged bytes up to the damage", function()
      local bytes = encode { a = { 1, 2, 3 }, b = "hello", c = true }
      for len = 0, #bytes - 1 do
         local value, stop = decode(bytes:sub(1, len))
         assert.is_nil(value)
         assert.is_nil(stop)
      end
      for i = 1, #bytes do
         for _, byte in ipairs { "\0", "{", "}", "=", "9", "~", "\255" } do
            assert.is_true(pcall(decode, bytes:sub(1, i - 1) .. byte .. bytes:sub(i + 1)))
         end
      end
      assert.same({ "a" }, encoding.decode_all(encode "a" .. "{"))
   end)

   it("does not follow tables without end", function()
      local endless = {}
      endless[1] = endless
      assert.is_false(pcall(encode, endless))
      assert.is_nil((decode(("{1:a"):rep(100000))))
   end)

   it("refuses values that no other process understands", function()
      assert.is_false(pcall(encode, print))
      assert.is_false(pcall(encode, { coroutine.create(function() end) }))
   end)
end)
