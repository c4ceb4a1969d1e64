-- The option dkim: keys and the other fields of a signer.
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"
local keys = require "spec.tools.dkim_keys"

local clock, signer, rfc = keys.clock, keys.signer, keys.rfc

describe("the option dkim", function()
   local key = keys.make()

   local function refused(value, option, words)
      local found, err = dkim.check(value)
      assert.is_nil(found)
      assert.truthy(errors.is(err, "usage"))
      assert.equal(option, err.option)
      if words then assert.truthy(tostring(err):find(words, 1, true), tostring(err)) end
      return err
   end

   -- No field of it, and no key of the table that was checked, shows anything of the key.
   local function shows_nothing(err, pem)
      for _, shown in pairs(err) do
         for line in pem:gmatch("[^\r\n]+") do
            assert.is_nil(#line > 8 and tostring(shown):find(line, 1, true) or nil)
         end
      end
   end

   it("takes PEM text and paths, RSA of 1,024 bits and more, Ed25519", function()
      for name, algorithm in pairs { rsa = "rsa-sha256", rsa1024 = "rsa-sha256", ed25519 = "ed25519-sha256" } do
         local path, pem = key(name)
         for _, given in ipairs { path, pem, "a comment\n" .. pem, (pem:gsub("\n", "\r\n")) } do
            local found = assert(dkim.check(signer { key = given }))
            assert.equal(algorithm, found[1].algorithm)
         end
      end
   end)

   it("refuses other keys, with what is wrong and nothing of the key", function()
      for name, words in pairs { rsa768 = "1,024", rsa_pss = "neither an RSA nor", ed448 = "neither an RSA nor",
         ec = "neither an RSA nor", encrypted = "encrypted", encrypted_old = "encrypted",
         public = "public key", certificate = "public key", der = "not a PEM file", damaged = "can be read",
         cut = "can be read", none = "not a PEM file" } do
         local path, pem = key(name)
         shows_nothing(refused(signer { key = path }, "dkim.key", words), pem)
         if pem:find("-----BEGIN", 1, true) then
            shows_nothing(refused(signer { key = pem }, "dkim.key", words), pem)
         end
      end
   end)

   it("refuses what is not a key at all", function()
      local _, pem = key("ed25519")
      local bare = pem:match("\n(.-)\n")
      for given, words in pairs { [""] = "neither the text",
         ["/nowhere/key.pem"] = "/nowhere/key.pem: No such file or directory. Check the path, or its permissions",
         [bare] = "neither the text", ["a\0b"] = "neither the text", ["/"] = "/: Is a directory",
         ["-----BEGIN"] = "can be read",
         ["-----BEGIN PRIVATE KEY-----\n" .. ("A"):rep(70000)] = "can be read" } do
         local err = refused(signer { key = given }, "dkim.key", words)
         if given:sub(1, 1) ~= "/" then shows_nothing(err, given) end
      end
      refused({ domain = "example.org", selector = "s" }, "dkim.key", "is missing")
      shows_nothing(refused(signer { key = 12345678 }, "dkim.key", "expected a string, got a number"), "12345678")
      shows_nothing(refused(signer { selector = pem }, "dkim.selector"), pem)
      shows_nothing(refused(signer { domain = pem }, "dkim.domain"), pem)
      shows_nothing(refused(signer { identity = pem }, "dkim.identity"), pem)
      shows_nothing(refused(signer { canonicalization = pem }, "dkim.canonicalization"), pem)
      shows_nothing(refused({ pem }, "dkim[1]"), pem)
   end)

   it("refuses domains and selectors that DNS has not", function()
      for _, domain in ipairs { "", "org", "a..org", "exa mple.org", "example.org;x=1", "[192.0.2.1]",
         "b\195\188cher.example", ("a."):rep(130) .. "org", "example.org." } do
         refused(signer { domain = domain }, "dkim.domain")
      end
      for _, selector in ipairs { "", ".", "a.", ".a", "a..b", "a b", "a;b", "-a", "a-", "a\n", ("a"):rep(64),
         ("a."):rep(120) .. "a", "s\195\188" } do
         refused(signer { selector = selector }, "dkim.selector")
      end
      for _, selector in ipairs { "a", "2026", "a.b-c.d", "s_1", "_x", ("a"):rep(63) } do
         assert(dkim.check(signer { selector = selector }))
      end
      refused({ selector = "s", key = rfc.rsa }, "dkim.domain", "is missing")
      refused({ domain = "example.org", key = rfc.rsa }, "dkim.selector", "is missing")
   end)

   it("refuses an identity outside of the domain", function()
      for _, identity in ipairs { "ann@example.net", "ann@anexample.org", "ann", "example.org", "@", "ann@",
         "a b@example.org", "@.example.org", "ann@-.example.org", "@example.org;x", "" } do
         refused(signer { identity = identity }, "dkim.identity")
      end
   end)

   it("refuses other fields and words by name", function()
      refused(signer { keys = "x" }, "dkim.keys", "Did you mean key?")
      refused(signer { canonicalization = "nofws" }, "dkim.canonicalization", "relaxed/relaxed")
      refused({ signer(), signer { expire = 1 } }, "dkim[2].expire", "no option")
      refused({ signer(), domain = "example.org" }, "dkim", "is a list")
      refused({ signer(), "x" }, "dkim[2]", "expected a table")
      refused({}, "dkim.domain", "is missing")
      refused("x", "dkim", "expected a table")
      refused(true, "dkim")
   end)

   it("can be checked once and used often", function()
      local found = assert(dkim.check(signer()))
      assert.equal(found, dkim.check(found))
      assert.equal(dkim.sign(rfc.message, signer(), clock), dkim.sign(rfc.message, found, clock))
      assert.equal("smtp.DkimSigners", tostring(found))
   end)

   it("says where the signing library cannot be had, and why", function()
      local loaded, preload = package.loaded["smtp.crypto"], package.preload["smtp.crypto"]
      package.loaded["smtp.crypto"] = nil
      package.preload["smtp.crypto"] = function()
         error("smtp.crypto is built for OpenSSL 3, and this process has OpenSSL 1", 0)
      end
      local found, err = dkim.check(signer())
      package.loaded["smtp.crypto"], package.preload["smtp.crypto"] = loaded, preload
      assert.is_nil(found)
      assert.same({ "usage", "dkim" }, { err.kind, err.option })
      assert.truthy(err.what:find("this process has OpenSSL 1", 1, true))
   end)
end)
