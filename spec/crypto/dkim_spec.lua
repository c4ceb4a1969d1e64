-- DKIM in smtp.crypto: the hash of a body, and keys.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local keys = require "spec.tools.dkim_keys"

local rfc = keys.rfc

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
      local signs = { "a", " ", "\t", "\r\n" }
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

-- RFC 8463 A.3, with the signatures' h=.
local canonical_headers = "from:Joe SixPack <joe@football.example.com>\r\n"
   .. "to:Suzie Q <suzie@shopping.example.net>\r\nsubject:Is dinner ready?\r\n"
   .. "date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
   .. "message-id:<20030712040037.46341.5F8J@football.example.com>\r\n"

local function published(algorithm, selector)
   return canonical_headers .. ("dkim-signature:v=1; a=%s; c=relaxed/relaxed; "
      .. "d=football.example.com; i=@football.example.com; q=dns/txt; s=%s; t=1528637909; "
      .. "h=from : to : subject : date : message-id : from : subject : date; "
      .. "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b="):format(algorithm, selector)
end

describe("a key", function()
   it("for Ed25519 signs as RFC 8463 A.3 has it", function()
      local key = assert(crypto.dkim_key(rfc.ed25519))
      assert.equal("ed25519-sha256", key:algorithm())
      assert.equal("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq"
         .. "+eXdp1Q1Dw==", core.base64(key:sign(published("ed25519-sha256", "brisbane"))))
   end)

   it("for RSA signs as RFC 8463 A.3 has it", function()
      local key = assert(crypto.dkim_key(rfc.rsa))
      assert.equal("rsa-sha256", key:algorithm())
      assert.equal("F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+"
         .. "FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNc"
         .. "UxZQ4FADY+8=", core.base64(key:sign(published("rsa-sha256", "test"))))
      local body = rfc.message:match("\r\n\r\n(.*)$")
      assert.equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", hash_of("relaxed", { body }))
   end)

   it("shows nothing of itself", function()
      local key = crypto.dkim_key(rfc.ed25519)
      assert.is_nil(tostring(key):find("MC4C", 1, true))
      assert.equal("smtp.DkimKey", getmetatable(key))
   end)
end)
