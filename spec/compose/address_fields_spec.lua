-- The caller's own fields with addresses: only the words beside the addresses are encoded.
local composing = require "spec.tools.composing"

local NAME = "Disposition-Notification-To"

-- The field as it is written, unfolded; nil and the error.
local function written(name, value)
   local message, err = composing.message { text = "", headers = { [name] = value } }
   if not message then return nil, err end
   local header = tostring(message):match("^(.-\r\n)\r\n")
   for line in header:gmatch("[^\r\n]+") do assert(#line <= 78 or not line:find(" .* "), line) end
   return header:gsub("\r\n([ \t])", "%1"):match("\r\n" .. name:gsub("%-", "%%-") .. ": (.-)\r\n"), message
end

local JOERG = "=?UTF-8?Q?J=C3=B6rg?="

describe("a field with addresses", function()
   for given, value in pairs {
      ["J\195\182rg <j@x.example>"] = JOERG .. " <j@x.example>",
      ["J\195\182rg<j@x.example>"] = JOERG .. " <j@x.example>",
      ['"J\195\182rg" <j@x.example>'] = JOERG .. " <j@x.example>",
      ['"M\195\188ller, J\195\182rg" <j@x.example>,b@x.example, Bob <b@x.example>'] =
         "=?UTF-8?B?TcO8bGxlciwgSsO2cmc=?= <j@x.example>,b@x.example, Bob <b@x.example>",
      ["j@x.example (J\195\182rg)"] = "j@x.example (" .. JOERG .. ")",
      ["j@x.example (a (\\) J\195\182rg))"] = "j@x.example (=?UTF-8?B?YSAoKSBKw7ZyZyk=?=)",
      ["Gr\195\182\195\159e: a@x.example, J\195\182rg <j@x.example>;"] =
         "=?UTF-8?B?R3LDtsOfZQ==?= : a@x.example, " .. JOERG .. " <j@x.example>;",
      ["J\195\182rg j@x.example"] = JOERG .. " j@x.example",
      ["j\195\182rg@x.example <j@x.example>"] = "=?UTF-8?B?asO2cmdAeC5leGFtcGxl?= <j@x.example>",
      ['J\195\182rg "the" "B\195\188g" <"a>b <"@x.example>'] =
         '=?UTF-8?B?SsO2cmcgdGhlIELDvGc=?= <"a>b <"@x.example>',
      ['"J\195\182rg (j@x.example)", a@x.example'] = "=?UTF-8?B?SsO2cmcgKGpAeC5leGFtcGxlKQ==?=, a@x.example",
      -- What has no end begins nothing.
      ['"J\195\182rg <j@x.example>'] = "=?UTF-8?B?IkrDtnJn?= <j@x.example>",
      ["(J\195\182rg <j@x.example>"] = "=?UTF-8?B?KErDtnJn?= <j@x.example>",
      ["J\195\182rg < j@x.example"] = "=?UTF-8?B?SsO2cmcgPA==?= j@x.example",
      -- ASCII stays as it is, whatever it is.
      ['  "Ann  B." <a@x.example>,\tBob <b@x.example> '] = '"Ann  B." <a@x.example>,\tBob <b@x.example>',
      [JOERG .. " <j@x.example>"] = JOERG .. " <j@x.example>",
      -- A domain becomes ASCII.
      ["Ann <a@m\195\188ller.example>"] = "Ann <a@xn--mller-kva.example>",
   } do
      it("has only its words encoded: " .. given, function()
         for _, name in ipairs { NAME, "Return-Receipt-To", "Resent-From", "Resent-Cc", "Errors-To",
            "Mail-Followup-To", "X-Confirm-Reading-To", "Mail-Reply-To", "Author", "X-Envelope-Sender" } do
            local text, message = written(name, given)
            assert.equal(value, text)
            assert.is_nil(message.outgoing.utf8_address)
         end
      end)
   end

   it("needs SMTPUTF8 for an address outside ASCII before the @", function()
      for given, address in pairs { ["j\195\182rg@x.example"] = "j\195\182rg@x.example",
         ["Ann <j\195\182rg@m\195\188ller.example>"] = "j\195\182rg@m\195\188ller.example",
         ['Ann <a@x.example>, "j\195\182 rg"@x.example'] = '"j\195\182 rg"@x.example' } do
         local text, message = written(NAME, given)
         assert.equal(given, text)
         assert.equal(address, message.outgoing.utf8_address)
      end
   end)

   it("with an invisible character in an address, or beside it, is refused, and the error names that", function()
      for _, given in ipairs { "Ann <a\226\128\139@x.example>", "a@x.example\226\128\139",
         "Ann <a@x.example>\226\128\139", "\226\128\139 <a@x.example>", "\226\128\139a@x.example" } do
         local _, err = written("Errors-To", given)
         assert.same({ "address", "headers.Errors-To", given }, { err.kind, err.option, err.value })
         assert.truthy(err.what:find("U+200B", 1, true), err.what)
      end
   end)

   it("of a list has URIs and identifiers, which stay as they are", function()
      assert.equal("=?UTF-8?Q?Liste_f=C3=BCr_alle?= <all.xn--mller-kva.example>",
         written("List-Id", "Liste f\195\188r alle <all.m\195\188ller.example>"))
      assert.equal("<mailto:x@x.example> (=?UTF-8?Q?f=C3=BCr_alle?=)",
         written("List-Help", "<mailto:x@x.example> (f\195\188r alle)"))
      local _, err = written("List-Archive", "<https://x.example/\195\188>")
      assert.same({ "usage", "headers" }, { err.kind, err.option })
      assert.truthy(err.hint:find("%C3", 1, true))
   end)

   it("whose name is unknown is known by an address in < >", function()
      assert.equal("=?UTF-8?Q?Bitte_=C3=BCber?= <abuse@x.example> melden",
         written("X-Report-Abuse", "Bitte \195\188ber <abuse@x.example> melden"))
      assert.equal("=?UTF-8?B?PMO8PiA8YUB4PiA8IDE=?=", written("X-Note", "<\195\188> <a@x> < 1"))
   end)

   it("has no word that is too long for a line", function()
      local _, err = written("Errors-To", ("a@x.example,"):rep(80))
      assert.equal("headers", err.option)
      assert.truthy(err.hint:find("after each comma", 1, true))
   end)

   it("takes time in proportion to its length", function()
      local began = os.clock()
      for _, piece in ipairs { "(", '"', "<", "\\", '\\"', ") (", "\195\182 ", "a@b,", ", ", "(\195\182", '<"',
         "<a@", "<a@a@", ">" } do
         local value = "\195\182 " .. piece:rep(20000)
         written(NAME, value)
         composing.message { text = "", headers = { ["X-Note"] = value .. " <a@x>" } }
      end
      assert.is_true(os.clock() - began < 10)
   end)
end)

describe("two blanks and a TAB", function()
   it("stay as they are in any field", function()
      for _, text in ipairs { "a  b", "a\tb", "a \t b" } do
         assert.equal(text, written("X-Note", text))
         assert.equal(text, (composing.bytes { text = "", subject = text }):match("\r\nSubject: (.-)\r\n"))
      end
      assert.equal("Ann", written("X-Note", "  Ann\t"))
      assert.equal("=?UTF-8?Q?=C3=84__B?= <a@x.example>", written("Errors-To", "\195\132\t\tB <a@x.example>"))
      assert.truthy(composing.bytes({ text = "", to = "Ann  Lee <a@x.example>" }):find(
         '\r\nTo: "Ann  Lee" <a@x.example>\r\n', 1, true))
   end)

   it("never make a line too long, and are all there", function()
      local text = ("a  b\tc   "):rep(40) .. "d"
      assert.equal(text, written("X-Note", text))
      for line in composing.bytes({ text = "", subject = "a" .. (" "):rep(2000) .. "b" }):gmatch("[^\r\n]+") do
         assert(#line <= 78, line)
      end
   end)
end)
