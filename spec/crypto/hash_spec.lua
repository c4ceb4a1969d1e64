-- Hashes, HMAC and PBKDF2 of smtp.crypto, against the examples of the RFCs.
local crypto = require "smtp.crypto"
local octets = require "spec.tools.octets"

describe("pbkdf2", function()
   -- RFC 6070 2 for SHA-1, and its inputs for the hashes that came later (RFC 7914 11 and others).
   for _, row in ipairs {
      { "SHA1", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6" },
      { "SHA1", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957" },
      { "SHA1", 4096, "4b007901b765489abead49d926f721d065a429c1" },
      { "SHA256", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b" },
      { "SHA256", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43" },
      { "SHA256", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a" },
      { "SHA512", 1, "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
         .. "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce" },
      { "SHA512", 4096, "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
         .. "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5" },
   } do
      it(("gives what is known for %s, %d times"):format(row[1], row[2]), function()
         assert.equal(row[3], octets.hex(crypto.pbkdf2(row[1], "password", "salt", row[2])))
      end)
   end

   it("takes a NUL in password and salt for a character (RFC 6070 2)", function()
      local key = octets.hex(crypto.pbkdf2("SHA1", "pass\0word", "sa\0lt", 4096))
      assert.equal("56fa6aa75548099dcc37d7f03425e0c3", key:sub(1, 32))
   end)
end)

describe("hmac", function()
   local larger = { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First" }
   for _, row in ipairs { -- RFC 4231 4.2, 4.3 and 4.7
      { "SHA256", ("\11"):rep(20), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
      { "SHA256", "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
      { "SHA256", larger[1], larger[2],
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
      { "SHA512", ("\11"):rep(20), "Hi There",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            .. "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
      { "SHA512", larger[1], larger[2],
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            .. "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
   } do
      it(("gives RFC 4231's result for %s and a key of %d octets"):format(row[1], #row[2]), function()
         assert.equal(row[4], octets.hex(crypto.hmac(row[1], row[2], row[3])))
      end)
   end

   it("takes an empty key, and empty data", function()
      assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
         octets.hex(crypto.hmac("SHA256", "", "")))
   end)

   it("and digest say so where libcrypto has no such hash", function()
      assert.same({ nil, "crypto" }, { crypto.hmac("NO-SUCH", "key", "data") })
      assert.same({ nil, "crypto" }, { crypto.digest("NO-SUCH", "data") })
      assert.same({ nil, "crypto" }, { crypto.pbkdf2("NO-SUCH", "password", "salt", 1) })
   end)
end)

describe("digest", function()
   it("gives what is known (FIPS 180-4)", function()
      assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", octets.hex(crypto.digest("SHA1", "abc")))
      assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         octets.hex(crypto.digest("SHA256", "abc")))
      assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         octets.hex(crypto.digest("SHA256", "")))
   end)
end)
