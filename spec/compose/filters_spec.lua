describe("in a streamed message", function()
   local core = require "smtp.core"
   local function reason(pieces_of, eightbit)
      local session = core.session { domain = "me.example" }
      session:heard("220 hi\r\n")
      session:sent(1000)
      session:heard("250-mx\r\n250 8BITMIME\r\n")
      session:add(core.transaction { from = "a@x", to = { "b@x" }, eightbit = eightbit })
      for _, reply in ipairs { "250 ok\r\n", "250 ok\r\n", "354 go\r\n" } do
         session:sent(1000)
         session:heard(reply)
      end
      for _, piece in ipairs(pieces_of) do session:body(piece, 1) end
      return (session:trouble() or {}).reason
   end

   it("what must not be sent is found at every place", function()
      for before = 0, 20 do
         for after = 0, 12 do
            local function with(octets) return { "x\r\n" .. ("x"):rep(before) .. octets .. ("\t"):rep(after) } end
            assert.equal("nul", reason(with "\0"))
            assert.equal("nul", reason(with "\0", true))
            assert.equal("nul", reason(with "\195\164\0", true))
            assert.equal("eightbit", reason(with "\128"))
            assert.equal("eightbit", reason(with "\255"))
            assert.is_nil(reason(with "\255\128", true))
            assert.is_nil(reason(with "\t\1\2\11\12\14\127"))
         end
      end
   end)

   it("a line of 998 octets passes and one of 999 does not, wherever it is cut", function()
      for _, line in ipairs { ("x"):rep(998), ("."):rep(998) } do
         for cut = 1, 998, 83 do
            assert.is_nil(reason { line:sub(1, cut), line:sub(cut + 1), "\r\n", line, "\n" .. line })
            assert.equal("line_too_long", reason { "a\n" .. line:sub(1, cut), line:sub(cut + 1) .. "x" })
            assert.equal("line_too_long", reason { line:sub(1, cut), line:sub(cut + 1), ".", "\r\n" })
         end
      end
   end)
end)

describe("a text that is too long for one string", function()
   local core = require "smtp.core"
   local filters = require "smtp.compose.filters"

   for name, line in pairs { ascii = "It is good.\n", long = ("x y "):rep(30) .. "\r\n", german = "Grüße an alle.\n",
      russian = "Добрый день\n", ["half lines"] = "a\rb\n\r", dots = ".\n" } do
      it("is encoded as a short one is, and its size is known: " .. name, function()
         for last = 0, 3 do
            local text = line:rep(math.ceil(300000 / #line)) .. ("z"):rep(last)
            local encoding, body = filters.text_body(text)
            local found, whole = core.encode_text(text)
            assert.equal(found, encoding)
            for _ = 1, 2 do
               local pieces = {}
               for piece in body.open() do pieces[#pieces + 1] = piece end
               assert(table.concat(pieces) == whole)
            end
            assert.equal(#whole, body.size)
         end
      end)
   end

   it("is refused as a short one is", function()
      local long = ("It is good.\n"):rep(30000)
      assert.same({ nil, "utf8" }, { filters.text_body(long .. "\195") })
      assert.same({ nil, "nul" }, { filters.text_body(long .. "\0" .. long) })
   end)
end)

describe("pieces of a message", function()
   local filters = require "smtp.compose.filters"

   it("are few: strings that follow one another become one", function()
      local strings = {}
      for i = 1, 1000 do strings[i] = ("%03d"):format(i % 1000):rep(100) end
      local joined, pieces = filters.join(strings), {}
      assert.equal(300000, joined.size)
      for piece in joined.open() do pieces[#pieces + 1] = piece end
      assert(#pieces < 10)
      assert(table.concat(strings) == table.concat(pieces))
      assert.equal("ab", filters.join { "a", "", "b" })
      assert.equal("", filters.join { "" })
   end)
end)

describe("the headers of a message", function()
   it("are not looked for without end", function()
      local filters = require "smtp.compose.filters"
      local count = 0
      local head, trouble = filters.split { open = function()
         return function()
            count = count + 1
            return count <= 1000 and ("X: y\r\n"):rep(1000) or nil
         end
      end }
      assert.is_nil(head)
      assert.equal("the message's headers are over 1 MiB", trouble.what)
      assert.is_true(count < 200)
   end)
end)
