local crypto = require "smtp.crypto"
local octets = require "spec.tools.octets"

describe("CRAM-MD5", function()
   it("answers as in RFC 2195 2", function()
      assert.equal("tim b913a602c7eda7a495b4e6e7334d3890",
         crypto.cram_md5("tim", "tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>"))
   end)

   it("sends the name as it is, spaces and all", function()
      local challenge = "<1@there.example>"
      for _, name in ipairs { "", "a b", "p\195\164t", ("x"):rep(5000) } do
         assert.equal(name .. " " .. octets.hex(crypto.hmac("MD5", "key", challenge)),
            crypto.cram_md5(name, "key", challenge))
      end
   end)
end)
