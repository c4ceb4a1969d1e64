local addresses = require "smtp.cli.addresses"
local errors = require "smtp.errors"

local function split(text)
   local list = {}
   addresses.add(text, list, "to")
   return list
end

describe("Addresses of a flag", function()
   it("are separated by commas", function()
      assert.same({ "a@x.example", "Bob <b@x.example>" }, split "a@x.example,Bob <b@x.example>")
      assert.same({ "a@x.example", "b@x.example" }, split " a@x.example , b@x.example, ")
   end)

   it("keep the commas of names", function()
      assert.same({ '"Lee, Ann" <ann@x.example>', "b@x.example" }, split '"Lee, Ann" <ann@x.example>, b@x.example')
      assert.same({ '"a\\", b" <a@x.example>', '"c,d"@x.example' }, split '"a\\", b" <a@x.example>,"c,d"@x.example')
   end)

   it("are one text as it is where there is no comma", function()
      for _, text in ipairs { "", "bob", "a@x.example;b@x.example", '"a@x.example' } do
         assert.same({ text }, split(text))
      end
   end)

   it("are refused where a name with a comma has no quotes", function()
      local ok, err = pcall(split, "Lee, Ann <ann@x.example>")
      assert.is_false(ok)
      assert.is_true(errors.is(err, "address"))
      assert.matches('"Lee" is not an address', tostring(err), 1, true)
      assert.matches("needs quotes", tostring(err), 1, true)
      ok, err = pcall(split, ("a@x.example,"):rep(2000) .. "Lee")
      assert.is_false(ok)
      assert.matches('%-%-to: "Lee" is not an address', tostring(err))
   end)
end)
