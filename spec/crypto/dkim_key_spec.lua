-- DKIM in smtp.crypto: private keys.
local command = require "spec.tools.command"
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local interpreter = require("spec.tools.peer").interpreter
local keys = require "spec.tools.dkim_keys"

local rfc = keys.rfc

local function sha256(text)
   return crypto.digest("SHA256", text)
end

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
         .. "+eXdp1Q1Dw==", core.base64(key:sign(sha256(published("ed25519-sha256", "brisbane")))))
   end)

   it("for RSA signs as RFC 8463 A.3 has it", function()
      local key = assert(crypto.dkim_key(rfc.rsa))
      assert.equal("rsa-sha256", key:algorithm())
      assert.equal("F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+"
         .. "FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNc"
         .. "UxZQ4FADY+8=", core.base64(key:sign(sha256(published("rsa-sha256", "test")))))
   end)

   it("that is dropped keeps no memory", function()
      if os.getenv "SMTP_SANITIZED" then return end -- sanitizers see that themselves, and keep memory
      local name = os.tmpname()
      command.write(name, [[
         local crypto, keys = require "smtp.crypto", require "spec.tools.dkim_keys"
         local hash = crypto.digest("SHA256", "x")
         local function pages()
            for _ = 1, 600 do assert(crypto.dkim_key(keys.rfc.ed25519)):sign(hash) end
            collectgarbage()
            local file = io.open "/proc/self/statm"
            local count = file and select(2, file:read("*n", "*n")) or 0
            if file then file:close() end
            return count
         end
         pages()
         local before = pages()
         print(pages() - before)]])
      local said = command.own(interpreter .. " " .. name)
      os.remove(name)
      assert.truthy(tonumber(said) and tonumber(said) < 50, said) -- of 150 where a part of each is not freed
   end)

   it("shows nothing of itself", function()
      local key = crypto.dkim_key(rfc.ed25519)
      assert.is_nil(tostring(key):find("MC4C", 1, true))
      assert.equal("smtp.DkimKey", getmetatable(key))
   end)
end)
