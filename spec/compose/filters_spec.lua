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
