-- DKIM in smtp.crypto: the hash of a body.
local core = require "smtp.core"
local crypto = require "smtp.crypto"

local function hash_of(how, pieces)
   local body = assert(crypto.dkim_body(how))
   for i = 1, #pieces do body:add(pieces[i]) end
   return core.base64(assert(body:finish()))
end

local function sha256(text)
   return core.base64(crypto.digest("SHA256", text))
end

local function octets(text)
   local list = {}
   for c in text:gmatch(".") do list[#list + 1] = c end
   return list
end

describe("the body", function()
   local rows = {
      { "of RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n", " C \r\nD \t E\r\n" },
      { "that is empty", "", "", "\r\n" },
      { "of one line end", "\r\n", "", "\r\n" },
      { "of empty lines", "\r\n\r\n\r\n", "", "\r\n" },
      { "of whitespace", " \t", "", " \t\r\n" },
      { "of lines of whitespace", " \r\n\t\r\n", "", " \r\n\t\r\n" },
      { "without a last line end", "a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n" },
      { "that ends with whitespace", "a\r\nb \t", "a\r\nb\r\n", "a\r\nb \t\r\n" },
      { "with empty lines inside", "a\r\n\r\n\r\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
      { "with blank lines inside", "a\r\n \r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n \r\n\t\r\nb\r\n" },
      { "that begins with empty lines", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
      { "with whitespace in front", " \t a\r\n  b\r\n", " a\r\n b\r\n", " \t a\r\n  b\r\n" },
      { "with lone CR and LF", "a\rb\n \r \rc\r", "a\rb\n \r \rc\r\r\n", "a\rb\n \r \rc\r\r\n" },
      { "with 8-bit octets and others", "\255 \128\0\11\r\n", "\255 \128\0\11\r\n", "\255 \128\0\11\r\n" },
   }
   for _, row in ipairs(rows) do
      for i, how in ipairs { "relaxed", "simple" } do
         it(row[1] .. ", " .. how .. ", has one hash, whole and at every cut", function()
            local body, want = row[2], sha256(row[2 + i])
            assert.equal(want, hash_of(how, { body }))
            assert.equal(want, hash_of(how, octets(body)))
            for cut = 1, #body - 1 do
               for second = cut, #body do
                  assert.equal(want, hash_of(how,
                     { body:sub(1, cut), body:sub(cut + 1, second), body:sub(second + 1) }))
               end
            end
         end)
      end
   end

   it("that is empty has the hashes that RFC 6376 3.4.3 and 3.4.4 give", function()
      assert.equal("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", hash_of("simple", {}))
      assert.equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", hash_of("relaxed", {}))
   end)

   -- The rules once more, as they are written.
   local function canonical(how, body)
      if how == "relaxed" then
         body = (body .. "\r\n"):gsub("[ \t]+", " "):gsub(" \r\n", "\r\n")
      else
         body = body .. "\r\n"
      end
      local last = #body
      while body:sub(last - 3, last) == "\r\n\r\n" do last = last - 2 end
      return how == "relaxed" and last == 2 and "" or body:sub(1, last)
   end

   it("has the same hash as by the words of the RFC, whatever is in it", function()
      local signs = { "a", " ", "\t", "\r\n", "\r", "\n" }
      local function try(body, depth)
         for _, how in ipairs { "relaxed", "simple" } do
            local want = sha256(canonical(how, body))
            for cut = 0, #body do
               assert.equal(want, hash_of(how, { body:sub(1, cut), body:sub(cut + 1) }))
            end
         end
         for i = 1, depth > 0 and #signs or 0 do try(body .. signs[i], depth - 1) end
      end
      try("", 5)
   end)

   -- Blocks of octets are looked at together: what changes may be anywhere in them, and at their edge.
   it("has this hash wherever in a long line something changes", function()
      local plain = ("abcdefgh ijklmno"):rep(5)
      for _, change in ipairs { "  ", "\t", " \r\n", "\r\n\r\n", "\r\n ", "\r", " \r", "\n", " \n", "\r\n\t \r\n",
         "\255 " } do
         for at = 0, #plain do
            for _, rest in ipairs { plain:sub(at + 1), "", "\r\n\r\n", " " } do
               local text = plain:sub(1, at) .. change .. rest
               for _, how in ipairs { "relaxed", "simple" } do
                  local want = sha256(canonical(how, text))
                  assert.equal(want, hash_of(how, { text }))
                  assert.equal(want, hash_of(how, { text:sub(1, at + 1), text:sub(at + 2) }))
               end
            end
         end
      end
   end)

   it("takes time in proportion to its length, whatever is in it", function()
      local function seconds(piece, count)
         local text = piece:rep(count)
         local began = os.clock()
         for _, how in ipairs { "relaxed", "simple" } do hash_of(how, { text }) end
         return os.clock() - began
      end
      for _, piece in ipairs { "\r\n", "\n", "\r", " ", "\t", "a \r\n", "\r\n\r\n ", "a\r\n\r\n\r\n \t", " \n" } do
         local short, long = seconds(piece, 20000), seconds(piece, 320000)
         assert.truthy(long < 0.5 + 60 * short, ("%q: %.4f, %.4f"):format(piece, short, long))
      end
   end)

   it("may be long", function()
      local line = ("word  word\t\t word "):rep(50) .. "\r\n"
      local body = line:rep(300) .. ("\r\n"):rep(5000) .. ("x"):rep(20000) .. ("\r\n"):rep(5000)
      for _, how in ipairs { "relaxed", "simple" } do
         local want = sha256(canonical(how, body))
         for _, size in ipairs { 1, 7, 4095, 4096, 4097, #body } do
            local pieces = {}
            for at = 1, #body, size do pieces[#pieces + 1] = body:sub(at, at + size - 1) end
            assert.equal(want, hash_of(how, pieces))
         end
      end
   end)

   it("is over when it is over", function()
      local body = crypto.dkim_body("simple")
      assert(body:finish())
      body:add("more")
      assert.same({ nil, "crypto" }, { body:finish() })
   end)
end)
