local address = require "smtp.address"
local core = require "smtp.core"

describe("an address", function()
   for given, canonical in pairs {
      ["a@b"] = "a@b", ["a.b+c@d.example"] = "a.b+c@d.example", ["A@B.Example"] = "A@B.Example",
      ['"a b"@c.example'] = '"a b"@c.example', ['"ab"@c.example'] = "ab@c.example",
      ['"a\\"b"@c.example'] = '"a\\"b"@c.example', ['"a@b> ORCPT=x"@d.example'] =
      '"a@b> ORCPT=x"@d.example', ["a@[192.0.2.1]"] = "a@[192.0.2.1]",
      ["a@[IPv6:2001:db8::1]"] = "a@[IPv6:2001:db8::1]", ['""@x'] = '""@x',
      [("l"):rep(100) .. "@x"] = ("l"):rep(100) .. "@x",
   } do
      it("may be " .. given, function()
         assert.equal(canonical, core.address(given))
      end)
   end

   for _, given in ipairs { "", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c", ".a@b", "a.@b", "a..b@c",
      "a@b..c", "a@-b", "a@b-", "a@b_c", "<a@b>", "a@b>", "a@b> NOTIFY=NEVER", "a@b,c@d", '"a@b', '"a"b@c',
      "a@[1.2.3]", "a@[1.2.3.256]", "a@[IPv6:1::2::3]", "a@[IPv6:1:2:3:4:5:6:7]", "a@[IPv6::]x", "a@[x]",
      "@relay:a@b", "a:b@c", "a@b.", ("l"):rep(250) .. "@x.example",
      "a@" .. ("x"):rep(64), "a@b\r\nRCPT TO:<c@d>" } do
      it(("cannot be '%s'"):format(given:sub(1, 40):gsub("%c", "?")), function()
         local canonical, why = core.address(given)
         assert.is_nil(canonical)
         assert.is_string(why)
      end)
   end

   it("holds no control character, DEL, or NUL anywhere", function()
      for byte = 0, 32 do
         for _, form in ipairs { "a%sb@c", "a@b%sc", '"a%sb"@c', "%sa@b", "a@b%s" } do
            local text = form:gsub("%%s", function() return string.char(byte) end)
            if not (byte == 32 and form:find('"')) then assert.is_nil((core.address(text))) end
         end
      end
      assert.is_nil((core.address("a\127b@c")))
      assert.is_nil((core.address('"a\127b"@c')))
   end)
end)

describe("an address as people write it", function()
   for given, want in pairs {
      ["Ann <a@b>"] = { "Ann", "a@b" }, ['"Ann, B." <a@b>'] = { "Ann, B.", "a@b" },
      ["<a@b>"] = { nil, "a@b" }, ["Ann \195\150 <a@b>"] = { "Ann \195\150", "a@b" },
   } do
      it("may be " .. given, function()
         local entry = assert(address.parse(given, "to"))
         assert.same(want[1], entry.name)
         assert.equal(want[2], entry.address)
      end)
   end

   it("may be a table", function()
      assert.same({ name = "Ann", address = "a@b" },
         address.parse({ name = "Ann", address = "a@b" }, "to"))
   end)

   it("that is none is an AddressError that names option and value", function()
      local _, err = address.parse("a@b> NOTIFY=NEVER", "to")
      assert.same({ "address", "to", "a@b> NOTIFY=NEVER" }, { err.kind, err.option, err.value })
   end)

   it("in a list is one of many", function()
      assert.equal(2, #address.list({ "a@b", { address = "c@d" } }, "to"))
      assert.equal(1, #address.list("a@b", "to"))
      assert.is_nil((address.list({ "a@b", x = 1 }, "to")))
      assert.is_nil((address.list({ 7 }, "to")))
   end)
end)

describe("a domain for EHLO", function()
   for _, good in ipairs { "a", "a.example", "xn--mnchen-3ya.example", "[127.0.0.1]",
      "[IPv6:::1]", "[IPv6:2001:db8::1]", "[IPv6:::ffff:1.2.3.4]", "[IPv6:1:2:3:4:5:6:7:8]" } do
      it("may be " .. good, function() assert.is_true((core.domain(good))) end)
   end
   for _, bad in ipairs { "", "a b", "a..b", ".a", "a.", "[::1]", "[IPv6:]", "[IPv6::1:2:3:4:5:6:7:8:9]",
      "a\0b", "a_b", "[1.2.3.4", "[IPv6:12345::]", "[IPv6:1:2:3:4:5:6:7::8]x" } do
      it("cannot be '" .. bad:gsub("%z", "?") .. "'", function() assert.is_nil((core.domain(bad))) end)
   end
end)
