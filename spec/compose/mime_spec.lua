-- Header fields in lines of 7-bit text. What is encoded how is in spec/text/field_spec.lua.
local address = require "smtp.options.address"
local mime = require "smtp.compose.mime"

local function text(name, value, form)
   return (select(2, mime.fields { { name, value, form } }))
end

describe("a header field", function()
   it("is written as it is, or encoded, by its form", function()
      assert.equal("A: J\195\182rg\r\n", text("A", "J\195\182rg"))
      assert.equal("A: =?UTF-8?Q?J=C3=B6rg?=\r\n", text("A", "J\195\182rg", "text"))
      assert.equal("A: " .. ("x"):rep(900) .. "\r\n", text("A", " " .. ("x"):rep(900), "own"))
      assert.truthy(text("A", ("x"):rep(901), "own"):find("^A: =%?UTF%-8%?Q%?x+%?=\r\n =%?"))
      assert.truthy(text("A", ("x"):rep(80), "text"):find("^A: =%?UTF%-8%?Q%?x+%?=\r\n =%?"))
      assert.equal("A: \r\n", text("A", "", "text"))
   end)

   it("is folded at blanks", function()
      local word = ("x"):rep(40)
      assert.equal(("A: %s\r\n %s\r\n"):format(word, word), text("A", word .. " " .. word))
      assert.equal(("A: %s\r\n %s\r\n"):format(word .. word, word), text("A", word .. word .. " " .. word))
   end)

   it("of addresses is folded between them, however many there are", function()
      local values, texts = {}, {}
      for i = 1, 1000 do
         values[i] = i % 3 == 0 and ("u%d@b\195\188cher.example"):format(i) or ("User %d <u%d@x.example>"):format(i, i)
         texts[i] = i % 3 == 0 and ("u%d@xn--bcher-kva.example"):format(i) or values[i]
      end
      local lines = text("To", address.list(values, "to", 4), "addresses")
      assert.equal("To: " .. table.concat(texts, ", ") .. "\r\n", (lines:gsub("\r\n ", " ")))
      for line in lines:gmatch("[^\r\n]+") do assert(#line <= 78, line) end
   end)
end)
