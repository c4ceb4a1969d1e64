local address = require "smtp.options.address"
local checked = require "spec.tools.checked"
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"

local returning = require("smtp.errors").returning

local parse, parse_list = returning(address.parse), returning(address.list)

local function shown(text)
   return (text:sub(1, 60):gsub("[%z\1-\31\127]", "?"))
end

describe("an address as people write it", function()
   for given, want in pairs {
      ["Ann <a@b>"] = { "Ann", "a@b" }, ['"Ann, B." <a@b>'] = { "Ann, B.", "a@b" },
      ["<a@b>"] = { nil, "a@b" }, ["Ann \195\150 <a@b>"] = { "Ann \195\150", "a@b" },
      ["  Ann   Lee  <a@b>"] = { "Ann   Lee", "a@b" }, ["Ann<a@b>"] = { "Ann", "a@b" },
      ['"Ann \\"x\\" \\\\ <y>" <a@b>'] = { 'Ann "x" \\ <y>', "a@b" }, ['"" <a@b>'] = { nil, "a@b" },
      -- Quotes around a part of the name are part of it.
      ['Ann "the \195\150" <a@b>'] = { 'Ann "the \195\150"', "a@b" }, ['"A" B <a@b>'] = { '"A" B', "a@b" },
      ['"A" "B" <a@b>'] = { '"A" "B"', "a@b" }, ['Ann 6" <a@b>'] = { 'Ann 6"', "a@b" },
      ["a@b <c@d>"] = { "a@b", "c@d" }, ["Lee, Ann <a@b>"] = { "Lee, Ann", "a@b" },
      ['"a@x, b@y" <c@d>'] = { "a@x, b@y", "c@d" }, ["=?UTF-8?Q?x?= <a@b>"] = { "=?UTF-8?Q?x?=", "a@b" },
      ['Ann <"a>b <"@c>'] = { "Ann", '"a>b <"@c' }, ['"a<b>"@c'] = { nil, '"a<b>"@c' },
      ["A\226\128\168B <a@b>"] = { "A\226\128\168B", "a@b" },
   } do
      it("may be " .. shown(given), function()
         local entry = assert(parse(given, "to"))
         assert.same(want[1], entry.name)
         assert.equal(want[2], entry.address)
         assert.is_nil(entry.utf8)
      end)
   end

   it("may be a table", function()
      assert.same({ name = "Ann", address = "a@b" },
         parse({ name = "Ann", address = "a@b" }, "to"))
      assert.same({ name = '"Ann"', address = "a@b" },
         parse({ name = '"Ann"', address = "a@b" }, "to"))
   end)

   it("that is not valid is an AddressError that names option and value", function()
      local _, err = parse("a@b> NOTIFY=NEVER", "to")
      assert.same({ "address", "to", "a@b> NOTIFY=NEVER" }, { err.kind, err.option, err.value })
      _, err = parse("Ann <a b@c>", "to")
      assert.equal("Ann <a b@c>", err.value)
   end)

   -- What is wrong, and a word of the advice.
   for given, word in pairs {
      ["a@b> NOTIFY=x"] = "after the >", ["v@x>\r\nRCPT TO:<evil@x"] = "line break", ["a@b\0evil"] = "control",
      ["a@b\n"] = "line break", ["ann lee@b"] = "in quotes", ["a@b c"] = "Remove the space",
      ["Ann a@b"] = "after a name in < >", ['"A, \\", B" a@b'] = "after a name",
      ["a@b\r\n"] = "line break", ["\na@b"] = "line break", [" \n a@b"] = "line break",
      ["a@b \v"] = "control", ["a @b"] = "in quotes", ["a@ b"] = "Remove the space",
      ["Ann <a@b\n>"] = "line break", [" \t "] = "example.org", ["@a,@b:c@d"] = "Source routes",
      ["<@a:c@d>"] = "Source routes", ["a@x, b@y"] = "as a list", ["a@x;b@y"] = "as a list",
      ["Ann <a@x>, Bob <b@y>"] = "as a list", ["a@x, Bob <b@y>"] = "as a list", ["<a@x>, <b@y>"] = "as a list",
      ["Friends: a@x, b@y;"] = "group", ["Nobody:;"] = "group", ["a@b..c"] = "one dot",
      ["a@.b"] = "dot after the @", ["a@b."] = "dot at its end", ["Ann <a@b.>"] = "dot at its end",
      ["Name <a@b> trailing"] = "after the >", ["<a@b"] = "> at its end", ["a@b>"] = "< before",
      ["<<a@b>>"] = "alone", ["a@b (Ann)"] = "Comments", ["(Ann) a@b"] = "Comments", ["mailto:a@b"] = "mailto",
      ["a@b@c"] = "Write one @", [("l"):rep(260) .. "@x"] = "longer one", ["ann"] = "example.org",
      [""] = "example.org", ["Ann <>"] = "example.org", ["a\233@b"] = "UTF-8", ["a\194\133@b"] = "control",
      ["a@[1.2.3]"] = "example.org",
   } do
      it(("cannot be '%s', and the hint fits"):format(shown(given)), function()
         local entry, err = parse(given, "to")
         assert.is_nil(entry)
         assert.equal("address", err.kind)
         assert.truthy(err.hint:find(word, 1, true), err.hint)
         assert.is_nil(tostring(err):find("[%z\1-\31\127]"))
      end)
   end

   it("may have blanks around it, as from a web form", function()
      for _, blanks in ipairs { " ", "\t", " \t \t", (" "):rep(1000) } do
         for _, given in ipairs { "a@b" .. blanks, blanks .. "a@b", blanks .. "a@b" .. blanks,
            blanks .. "<" .. blanks .. "a@b" .. blanks .. ">" .. blanks, { address = blanks .. "a@b" .. blanks } } do
            assert.same({ address = "a@b" }, parse(given, "to"))
         end
         assert.same({ name = "Ann", address = "a@b" }, parse(" Ann <a@b" .. blanks .. ">" .. blanks, "to"))
      end
   end)

   for character, name in pairs {
      ["\194\173"] = "U+00AD", ["\226\128\139"] = "U+200B", ["\226\128\140"] = "U+200C",
      ["\226\128\141"] = "U+200D", ["\226\128\142"] = "U+200E", ["\226\128\143"] = "U+200F",
      ["\226\129\160"] = "U+2060", ["\239\187\191"] = "U+FEFF", ["\194\160"] = "U+00A0",
      ["\227\128\128"] = "U+3000", ["\226\128\170"] = "U+202A", ["\226\128\174"] = "U+202E",
      ["\226\129\166"] = "U+2066", ["\226\129\169"] = "U+2069", ["\216\156"] = "U+061C",
      ["\226\128\168"] = "U+2028", ["\226\128\131"] = "U+2003", ["\243\160\129\129"] = "U+E0041",
   } do
      it("cannot hold " .. name .. ", which is invisible, and the error names it", function()
         for _, pattern in ipairs { "%sann@x.example", "ann@x.example%s", "an%sn@x.example", "ann%s@x.example",
            "ann@%sx.example", "ann@x.ex%sample", "ann@x.example %s", "%s ann@x.example",
            "Ann <%sann@x.example>", "Ann <ann@x.example%s>", "Ann <ann@x.example>%s",
            "%s<ann@x.example>", "\"Ann\" %s<ann@x.example>" } do
            local text = pattern:format(character)
            for _, given in ipairs { text, not text:find("<") and { address = text } or nil } do
               local entry, err = parse(given, "to")
               assert.is_nil(entry)
               assert.same({ "address", "to", text }, { err.kind, err.option, err.value })
               assert.truthy(err.what:find(name, 1, true), err.what)
            end
         end
         assert(parse("A" .. character .. "B <ann@x.example>", "to"))
      end)
   end

   it("cannot have a name of invisible characters alone", function()
      for _, given in ipairs { "\226\128\139 <a@b>", "\226\128\143 \226\128\139 <a@b>",
         { name = "\226\128\139", address = "a@b" } } do
         local _, err = parse(given, "to")
         assert.equal("address", err.kind)
         assert.truthy(err.what:find("which is invisible", 1, true), err.what)
      end
      assert(parse("\226\128\143\215\144\226\128\143 <a@b>", "to"))
   end)

   it("with dots at the edge or doubled dots has a form in quotes: the hint shows it, and it works", function()
      for given, form in pairs { ["a..b@x.example"] = '"a..b"@x.example', [".a@x.example"] = '".a"@x.example',
         ["a.@x.example"] = '"a."@x.example', ["Ann <a..b.@x.example>"] = '"a..b."@x.example',
         ["a..b@[127.0.0.1]"] = '"a..b"@[127.0.0.1]', ["\195\164..b@x.example"] = '"\195\164..b"@x.example' } do
         local _, err = parse(given, "to")
         local code = err.hint:match('"\\".*"$')
         assert.equal(form, (loadstring or load)("return " .. code)()) -- luacheck: ignore
         local server = spec_server.new { capabilities = { "PIPELINING", "SMTPUTF8", "8BITMIME" } }
         assert(safe.send { transport = server, tls = "skip", from = form, to = form, text = "hi" })
         assert.same({ form }, server.taken[1].to)
         assert.truthy(server.taken[1].body:find("\r\nTo: " .. form .. "\r\n", 1, true))
      end
   end)

   it("cannot hold a control character, a space or < > unquoted", function()
      for byte = 0, 127 do
         local c = string.char(byte)
         if c:find("[%z\1-\32<>\127]") then
            local forms = { { "a", "b@c" }, { "a@b", "c" } }
            if c ~= " " and c ~= "\t" then forms[3], forms[4] = { "", "a@b" }, { "a@b", "" } end
            for _, form in ipairs(forms) do
               assert.is_nil((parse(form[1] .. c .. form[2], "to")))
               assert.is_nil((parse({ address = form[1] .. c .. form[2] }, "to")))
            end
         end
      end
   end)

   it("has a name of one line: no control characters, those beyond ASCII included", function()
      for byte = 0, 159 do
         local c = byte < 128 and string.char(byte) or "\194" .. string.char(byte)
         if c:find("[%z\1-\31\127-\255]") then
            for _, value in ipairs { { name = "A" .. c .. "B", address = "a@b" }, "A" .. c .. "B <a@b>",
               '"A' .. c .. 'B" <a@b>', c ~= "\t" and c .. "A <a@b>" or "A\tB <a@b>" } do
               local entry, err = parse(value, "to")
               assert.is_nil(entry)
               assert.equal("usage", err.kind)
            end
         end
      end
      for _, name in ipairs { "A\195", "\192\128", 7 } do
         assert.is_nil((parse({ name = name, address = "a@b" }, "to")))
      end
   end)

   it("may be a stranger's, and as long as that likes", function()
      local began = os.clock()
      for _, piece in ipairs { "@", "@.", " ", '"', '\\"', '"\\', "<", "@ ", ":", "a@b, ", "\195\164." } do
         local long = piece:rep(20000)
         for _, text in ipairs { long, '"' .. long .. "x <a@b", "x" .. long .. "x <a@b@>", "a@" .. long } do
            assert.is_nil((parse(text, "to")))
         end
      end
      assert.is_true(os.clock() - began < 10)
   end)

   for name, header in pairs {
      ["Ann"] = "Ann <a@b>", ["Ann, Dr."] = '"Ann, Dr." <a@b>', ['Ann "x"'] = '"Ann \\"x\\"" <a@b>',
      ["a@b"] = '"a@b" <a@b>', ["x <y>"] = '"x <y>" <a@b>',
      ["=?UTF-8?Q?x?="] = "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?= <a@b>",
      ["A\226\128\168B"] = "=?UTF-8?B?QeKAqEI=?= <a@b>",
   } do
      it(("named %s is shown under that name"):format(name), function()
         assert.equal(header, address.written(parse({ name = name, address = "a@b" }, "to")))
         assert.same({ header }, parse_list({ { name = name, address = "a@b" } }, "to", 4).pieces)
      end)
   end

   it("may have a domain that IDNA refuses for an invisible character: the error names it", function()
      local name, why = address.domain("x\226\128\174.example")
      assert.is_nil(name)
      assert.truthy(why:find("U+202E", 1, true), why)
   end)

   it("in a list may be one that needs SMTPUTF8: the first one is named", function()
      local list = parse_list({ "a@b", "J <j\195\182@\195\188.example>", "\195\164@b", "c@\195\188.example" }, "to", 4)
      assert.equal("j\195\182@\195\188.example", list.utf8)
      assert.same({ "a@b", list.utf8, "\195\164@b", "c@xn--tda.example" }, { list[1], list[2], list[3], list[4] })
      assert.equal("a@b, J <j\195\182@\195\188.example>, \195\164@b, c@xn--tda.example", table.concat(list.pieces))
   end)

   it("in a list is one of many", function()
      local breaths = 0
      local many = {}
      for i = 1, 2000 do many[i] = "Ann Lee <a@b>" end
      assert.equal(2000, #parse_list(many, "to", nil, function() breaths = breaths + 1 end))
      assert.is_true(breaths > 1)
      assert.equal(2, #parse_list({ "a@b", { address = "c@d" } }, "to"))
      assert.equal(1, #parse_list("a@b", "to"))
      assert.is_nil((parse_list({ "a@b", x = 1 }, "to")))
      assert.is_nil((parse_list({ 7 }, "to")))
   end)
end)

local refused = checked.refused

describe("an address as a table", function()
   it("has no other fields: a recipient may be in them", function()
      assert.equal("to.1", refused({ to = { address = "bob@there.example", "eve@there.example" } }).option)
      assert.equal("cc.notify", refused({ cc = { { address = "bob@there.example", notify = "never" } } }).option)
   end)
end)
