local address = require "smtp.options.address"
local core = require "smtp.core"

local parse = require("smtp.errors").returning(address.parse)

local function shown(text)
   return (text:sub(1, 60):gsub("[%z\1-\31\127]", "?"))
end

describe("an address", function()
   for given, canonical in pairs {
      ["a@b"] = "a@b", ["a.b+c@d.example"] = "a.b+c@d.example", ["A@B.Example"] = "A@B.Example",
      ['"a b"@c.example'] = '"a b"@c.example', ['"ab"@c.example'] = "ab@c.example",
      ['"a\\"b"@c.example'] = '"a\\"b"@c.example', ['"a@b> ORCPT=x"@d.example'] =
      '"a@b> ORCPT=x"@d.example', ["a@[192.0.2.1]"] = "a@[192.0.2.1]",
      ["a@[IPv6:2001:db8::1]"] = "a@[IPv6:2001:db8::1]", ['""@x'] = '""@x',
      [("l"):rep(100) .. "@x"] = ("l"):rep(100) .. "@x",
      [("l"):rep(252) .. "@x"] = ("l"):rep(252) .. "@x",
      ["!#$%&'*+-/=?^_`{|}~@x"] = "!#$%&'*+-/=?^_`{|}~@x", ['"a.b"@x'] = "a.b@x",
      ['"\\a\\ \\\\"@x'] = '"a \\\\"@x', ['"a..b"@x'] = '"a..b"@x', ['"\\a"@x'] = "a@x",
      -- RFC 6531 3.3; what a domain outside ASCII becomes is for IDNA to say.
      ["pel\195\169@b"] = "pel\195\169@b", ["\240\159\146\169@b"] = "\240\159\146\169@b",
      ['"pel\195\169 x"@b'] = '"pel\195\169 x"@b', ['"pel\195\169"@b'] = "pel\195\169@b",
      ["\194\160@b"] = "\194\160@b", ["a@\195\164"] = "a@\195\164",
   } do
      it("may be " .. shown(given), function()
         assert.equal(canonical, core.address(given))
         assert.equal(canonical, core.address(canonical))
      end)
   end

   for _, given in ipairs { "", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c", ".a@b", "a.@b", "a..b@c",
      "a@b..c", "a@-b", "a@b-", "a@b_c", "<a@b>", "a@b>", "a@b> NOTIFY=NEVER", "a@b,c@d", '"a@b', '"a"b@c',
      "a@[1.2.3]", "a@[1.2.3.256]", "a@[IPv6:1::2::3]", "a@[IPv6:1:2:3:4:5:6:7]", "a@[IPv6::]x", "a@[x]",
      "@relay:a@b", "a:b@c", "a@b.", ("l"):rep(253) .. "@x", "a@[\195\164]", '"\\\195\164"@b',
      ("l"):rep(250) .. "@x.example",
      "a@" .. ("x"):rep(64), "a@b\r\nRCPT TO:<c@d>", '"a\\', '"a\\"', '"a"', '"a"@' } do
      it(("cannot be '%s'"):format(shown(given)), function()
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

   it("holds no UTF-8 that is overlong, cut, a surrogate or a control character", function()
      for _, bad in ipairs { "\128", "\191", "\192\128", "\193\191", "\224\159\191", "\240\143\191\191",
         "\237\160\128", "\237\191\191", "\244\144\128\128", "\245\128\128\128", "\255", "\195", "\226\130",
         "\240\159\146", "\194\128", "\194\133", "\194\159" } do
         for _, form in ipairs { "%s@c", "a%s@c", "a%sb@c", '"%s"@c', '"a%sb"@c', "a@%s", "a@b%sc", "a@%s.c" } do
            assert.is_nil((core.address((form:gsub("%%s", bad)))))
         end
      end
   end)
end)

describe("whatever is accepted", function()
   local parts = { "a", "b.c", "ex", "@", "b", "pel\195\169", ".", "..", '"', '"', "\\", " ", "<", ">", ",", ";",
      ":", "(", ")", "[", "]", "[192.0.2.1]", "[IPv6:::1]", "-", "_", "\r\n", "\0", "\t", "\127", "xn--mnchen-3ya",
      "\195\164", "\195", "\195\188.de", "\239\188\160", "\239\188\142", "\227\128\130", "\239\185\164",
      "\226\132\128", "\226\128\168", "\194\133", "\194\173", "\237\160\128", "\240\159\146\169", "RCPT TO:",
      "Ann ", "@x", '"@x', '"a b"@x' }

   -- The same numbers under every Lua.
   local state = 20240229
   local function random(count)
      state = (state * 1664525 + 1013904223) % 16777216
      return math.floor(state / 256) % count + 1
   end

   local function without_quoted(text)
      return (text:gsub("\\.", ""):gsub('"[^"]*"', ""))
   end

   it("means itself, and holds nothing that ends an address or a line", function()
      local accepted, wide = 0, 0
      for _ = 1, 30000 do
         local list = {}
         for i = 1, random(4) do list[i] = parts[random(#parts)] end
         if random(2) == 1 then table.insert(list, random(#list), "@") end
         local text = table.concat(list)
         local entry = parse(text, "to")
         if entry then
            local one = entry.address
            accepted, wide = accepted + 1, wide + (entry.utf8 and 1 or 0)
            assert.equal(one, core.address(one))
            local same = parse(one, "to")
            assert.same({ one, entry.utf8 }, { same.address, same.utf8 })
            assert.is_nil(one:find("[%z\1-\31\127]"), text)
            assert.is_nil(without_quoted(one):find("[ <>,;()]"), text)
            assert.is_true(core.is_utf8(one))
            assert.is_true(#one <= 254)
            -- In ASCII but for what SMTPUTF8 was made for.
            assert.equal(entry.utf8, one:find("[\128-\255]") and true or nil)
            local shown_again = parse(address.written(entry), "to")
            assert.equal(one, shown_again.address)
         end
      end
      assert.is_true(accepted > 300 and wide > 100, accepted .. " " .. wide)
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
