-- The text of header fields: encoded words, display names, lines.
local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

-- RFC 2047: the text that encoded words mean.
local function decoded(words)
   return (words:gsub("%?= =%?", "?==?"):gsub("=%?UTF%-8%?(.)%?(.-)%?=", function(form, text)
      if form == "B" then return core.base64_decode(text) end
      return (text:gsub("_", " "):gsub("=(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
   end))
end

-- Random text of whole characters.
local function random_text(len)
   local characters = { "a", "B", "1", " ", "  ", "\t", "=", "?", "_", '"', "\\", ",", ".", "@", "=?", "-",
      "\195\182", "\230\151\165", "\240\159\152\128", "word", "averyveryverylongword" }
   local text = {}
   for i = 1, len do text[i] = characters[math.random(#characters)] end
   return table.concat(text)
end

describe("encoded words", function()
   for text, words in pairs { ["J\195\182rg"] = "=?UTF-8?Q?J=C3=B6rg?=", ["a b"] = "=?UTF-8?Q?a_b?=",
      ["\230\151\165\230\156\172"] = "=?UTF-8?B?5pel5pys?=", [""] = "=?UTF-8?Q??=" } do
      it("take the shorter form: " .. words, function() assert.equal(words, core.words(text, 10)) end)
   end

   it("may be in base64", function() assert.equal("=?UTF-8?B?YQ==?=", core.words("a", 10, "B")) end)

   it("mean the text, have at most 75 bytes, and cut no character", function()
      for i = 1, 400 do
         local text, column = random_text(i % 60 + 1), i % 100
         for _, form in ipairs { false, "B" } do
            local words = core.words(text, column, form)
            assert.equal(text, decoded(words))
            for word in words:gmatch("[^ ]+") do
               assert(#word <= 75, word)
               assert.is_true(core.is_utf8(decoded(word)))
               assert.is_nil(word:find("[^!-~]"))
            end
            assert(column > 54 or column + #words:match("^[^ ]+") <= 78, words)
         end
      end
   end)
end)

describe("text", function()
   for text, plain in pairs { [""] = true, ["a b"] = true, ["a  \tb"] = true, [" a"] = false, ["a "] = false,
      ["a\t"] = false, ["a=?b"] = false, ["a=b?"] = true, ["\195\182"] = false, ["a\0"] = false, ["\127"] = false,
      ["12345678901"] = false, ["1234567890 1234567890"] = true, ["1  1234567890"] = false, ["1  123456789"] = true } do
      it(("%q %s"):format(text, plain and "stays as it is" or "has to be encoded"), function()
         assert.equal(plain, core.is_plain(text, 10))
      end)
   end
end)

describe("a display name", function()
   for name, phrase in pairs { ["Ann Lee"] = "Ann Lee", ["Ann  Lee"] = '"Ann  Lee"', ["Ann, Dr."] = '"Ann, Dr."',
      ['a "b" \\'] = '"a \\"b\\" \\\\"', ["J\195\182rg"] = "=?UTF-8?Q?J=C3=B6rg?=", ["=?x"] = "=?UTF-8?B?PT94?=",
      [" a"] = "=?UTF-8?Q?_a?=" } do
      it(("%q is written %s"):format(name, phrase), function() assert.equal(phrase, core.phrase(name)) end)
   end

   it("is read back as it was", function()
      for i = 1, 400 do
         local name = random_text(i % 40 + 1):gsub("[%z\1-\31]", " ")
         local phrase = core.phrase(name)
         local _, back = core.mailbox(phrase .. " <a@b>")
         assert.equal(name, phrase:sub(1, 2) == "=?" and decoded(phrase) or back)
         assert.is_nil(phrase:find("[^ -~]"))
      end
   end)
end)

describe("lines", function()
   it("end before a blank, and have at most 78 bytes where that is possible", function()
      assert.same({ "a b", 13 }, { core.fold("a b", 10) })
      assert.same({ "a\r\n b", 2 }, { core.fold("a b", 76) })
      assert.same({ "a\r\n \tb\r\n " .. ("c"):rep(77), 78 }, { core.fold("a \tb " .. ("c"):rep(77), 75) })
      for i = 1, 400 do
         local column = i % 80
         local text = (column == 0 and "x" or "") .. random_text(i % 200 + 1) -- a line does not begin with blanks
         local lines, stop = core.fold(text, column)
         assert.equal((text:gsub("[ \t]+$", "")), (lines:gsub("\r\n", ""):gsub("[ \t]+$", "")))
         for line in ((" "):rep(column) .. lines .. "\r\n"):gmatch("(.-)\r\n") do
            assert(#line <= 78 or not line:find("[^ \t][ \t]+[^ \t]") or column > 0, line)
            assert.truthy(line:find("[^ \t]") or text:find("^[ \t]*$") or column > 0)
         end
         assert.equal(#((" "):rep(column) .. lines):match("[^\n]*$"), stop)
      end
   end)

   it("do not depend on where the text is cut, before a blank", function()
      for i = 1, 200 do
         local text = "x" .. random_text(i % 100 + 1):gsub("[ \t]+$", "")
         local whole, pieces, column = core.fold(text, 5), {}, 5
         for piece in text:gmatch("[ \t]*[^ \t]+") do
            pieces[#pieces + 1], column = core.fold(piece, column)
         end
         assert.equal(whole, table.concat(pieces))
      end
   end)

   it("are made of whatever comes", function()
      for _, text in ipairs(bodies.inputs()) do
         assert.is_string(core.fold(text, 0))
         assert.is_string(core.words(text, 0))
         assert.is_string(core.phrase(text))
      end
   end)
end)
