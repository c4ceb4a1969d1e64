-- Lists of addresses, read in pieces. What the codecs of header fields do is in spec/text.
local core = require "smtp.core"

-- The list and its pieces, and where reading ended.
local function read(values)
   local list, pieces, at, column = {}, {}, 1, 4
   local stop, piece
   repeat
      stop, piece, column = core.addresses(values, at, #values, list, column)
      local is_over = stop == at
      at = stop
      if piece ~= "" then pieces[#pieces + 1] = piece end
   until is_over
   return list, pieces, at
end

describe("a list of addresses", function()
   it("is read at once, with its text for a header", function()
      local list, pieces, stop = read { "a@x.example", " Ann Lee <b@x.example>", '"J\195\182rg" <"c"@x.example>',
         { address = "d@x.example" }, { name = "Ann, B.", address = "e@x.example" } }
      assert.same({ "a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example" }, list)
      assert.same({ 'a@x.example, Ann Lee <b@x.example>, =?UTF-8?Q?J=C3=B6rg?= <c@x.example>,\r\n'
         .. ' d@x.example, "Ann, B." <e@x.example>' }, pieces)
      assert.equal(6, stop)
   end)

   it("ends before a value that is not plain", function()
      for _, value in ipairs { "a", "", "j\195\182rg@x.example", "a@\195\188.example", "a@x, b <b@x.example>", 7,
         true, {}, { "a@x.example" }, { address = "a@x.example", notify = "never" },
         { address = "a@x.example", name = 7 },
         { name = "Ann" }, "Ann\226\128\139<a@x.example>", "\226\128\139 <a@x.example>", "A\0 <a@x.example>",
         "A\255 <a@x.example>", ("x"):rep(600) .. " <a@x.example>", "Ann <a@x.example" } do
         local list, pieces, stop = read { "b@x.example", value, "c@x.example" }
         assert.same({ { "b@x.example" }, { "b@x.example," }, 2 }, { list, pieces, stop })
         list = { "b@x.example", "other" }
         assert.same({ 4, " c@x.example", 22 },
            { core.addresses({ "b@x.example", value, "c@x.example" }, 3, 3, list, 10) })
         assert.same({ "b@x.example", "other", "c@x.example" }, list)
      end
   end)

   it("is read in pieces where it is long", function()
      local values = {}
      for i = 1, 3000 do values[i] = ("%s %d <u%d@x.example>"):format(("J\195\182rg"):rep(i % 40 + 1), i, i) end
      local list, pieces, stop = read(values)
      assert.equal(3001, stop)
      assert.is_true(#pieces > 10)
      for _, piece in ipairs(pieces) do assert.is_true(#piece <= 16384) end
      local text, texts = table.concat(pieces), {}
      for i = 1, 3000 do
         assert.equal(("u%d@x.example"):format(i), list[i])
         local _, name = core.mailbox(values[i])
         texts[i] = core.phrase(name) .. " <" .. list[i] .. ">"
      end
      assert.equal(core.fold(table.concat(texts, ", "), 4), text)
   end)

   it("is a table, read into another one", function()
      assert.is_false(pcall(core.addresses, "a", 1, 1, {}))
      assert.is_false(pcall(core.addresses, {}, 1, 1))
      assert.is_false(pcall(core.addresses, {}, -1, 1, {}))
      assert.is_false(pcall(core.addresses, {}, 0.5, 1, {}))
      assert.same({ 1, "" }, { core.addresses({}, 1, 0, {}) })
      assert.same({ 2, "" }, { core.addresses({ "Ann <a@x>" }, 1, 1, {}) }) -- without a column, no text
      assert.same({ 2, "a@x,", 11 }, { core.addresses({ "a@x" }, 1, 2, {}, 7) }) -- the second one has gone
   end)
end)

describe("a list", function()
   for shown, list in pairs { ["{}"] = {}, ["{ 1, 2 }"] = { 1, 2 }, ["{ [1] = 1 }"] = { [1] = 1 },
      ["{ false }"] = { false } } do
      it("is " .. shown, function() assert.equal(#list, core.list_len(list)) end)
   end

   for shown, list in pairs { ["{ a = 1 }"] = { a = 1 }, ["{ [2] = 1 }"] = { [2] = 1 },
      ["{ 1, x = 1 }"] = { 1, x = 1 },
      ["{ [0] = 1 }"] = { [0] = 1 }, ["{ [1.5] = 1 }"] = { [1.5] = 1 },
      ["{ 1, nil, 3, [5] = 5 }"] = { 1, nil, 3, [5] = 5 },
      ["{ 1, [-1] = 1 }"] = { 1, [-1] = 1 }, ["{ [1/0] = 1 }"] = { [1 / 0] = 1 }, ["{ ['1'] = 1 }"] = { ["1"] = 1 } } do
      it("is not " .. shown, function() assert.is_nil((core.list_len(list))) end)
   end

   it("is read for what another one has not yet, in several calls where it is long", function()
      local unique, set, long = {}, core.set(10), {}
      assert.equal(4, core.append_new({ "a", "b", "a" }, 1, unique, set))
      assert.equal(3, core.append_new({ "c", "b" }, 1, unique, set))
      assert.same({ { "a", "b", "c" }, { a = true, b = true, c = true } }, { unique, set })
      for i = 1, 1000 do long[i] = tostring(i % 300) end
      local at, calls = 1, 0
      repeat
         at, calls = core.append_new(long, at, unique, set), calls + 1
      until at > 1000
      assert.same({ 303, "0", 16 }, { #unique, unique[303], calls })
      assert.equal(1, core.append_new({}, 1, unique, set))
      assert.is_false(pcall(core.append_new, "a", 1, {}, {}))
      assert.is_false(pcall(core.append_new, {}, 1, {}))
   end)
end)
