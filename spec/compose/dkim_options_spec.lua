-- The option dkim: the fields of a signer. Its key is in dkim_keys_spec, its headers in dkim_headers_spec.
local dkim = require "smtp.dkim"
local keys = require "spec.tools.dkim_keys"

local clock, signer, rfc = keys.clock, keys.signer, keys.rfc
local refused, shows_nothing = keys.refused, keys.shows_nothing

describe("the option dkim", function()
   local key = keys.make()

   it("needs each of its fields, and shows none of them", function()
      local _, pem = key("ed25519")
      refused({ domain = "example.org", selector = "s" }, "dkim.key", "is missing")
      shows_nothing(refused(signer { key = 12345678 }, "dkim.key", "expected a string, got a number"), "12345678")
      shows_nothing(refused(signer { selector = pem }, "dkim.selector"), pem)
      shows_nothing(refused(signer { domain = pem }, "dkim.domain"), pem)
      shows_nothing(refused(signer { identity = pem }, "dkim.identity"), pem)
      shows_nothing(refused(signer { canonicalization = pem }, "dkim.canonicalization"), pem)
      shows_nothing(refused(signer { expires = pem }, "dkim.expires"), pem)
      shows_nothing(refused({ pem }, "dkim[1]"), pem)
   end)

   it("refuses domains and selectors that DNS has not", function()
      for _, domain in ipairs { "", "org", "a..org", "exa mple.org", "example.org;x=1", "[192.0.2.1]",
         "b\195\188cher", "b\255cher.example", ("a."):rep(130) .. "org", "example.org." } do
         refused(signer { domain = domain }, "dkim.domain")
      end
      for _, selector in ipairs { "", ".", "a.", ".a", "a..b", "a b", "a;b", "-a", "a-", "a\n", ("a"):rep(64),
         ("a."):rep(120) .. "a", "s\195\188" } do
         refused(signer { selector = selector }, "dkim.selector")
      end
      for _, selector in ipairs { "a", "2026", "a.b-c.d", "s_1", "_x", ("a"):rep(63) } do
         assert(dkim.check(signer { selector = selector }))
      end
      refused(signer { domain = "https://example.org" }, "dkim.domain", "letters, digits")
      refused(signer { domain = "x\226\128\139.example" }, "dkim.domain", "U+200B")
      for _, selector in ipairs { "s._domainkey", "s._DomainKey.example.org", "_domainkey" } do
         refused(signer { selector = selector }, "dkim.selector", "2026._domainkey.example.org")
      end
      refused({ selector = "s", key = rfc.rsa }, "dkim.domain", "is missing")
      refused({ domain = "example.org", key = rfc.rsa }, "dkim.selector", "is missing")
   end)

   it("converts a domain outside ASCII, also that of the identity", function()
      for domain, found in pairs { ["b\195\188cher.example"] = "xn--bcher-kva.example",
         ["B\195\188cher.Example"] = "xn--bcher-kva.example",
         ["mail.b\195\188cher.example"] = "mail.xn--bcher-kva.example",
         ["xn--bcher-kva.example"] = "xn--bcher-kva.example" } do
         local tags = keys.read(assert(dkim.sign(keys.head .. "\r\n", signer { domain = domain }, clock)))[1]
         assert.equal(found, tags.d)
      end
      for identity, found in pairs { ["@b\195\188cher.example"] = "@xn--bcher-kva.example",
         ["ann@b\195\188cher.example"] = "ann@xn--bcher-kva.example",
         ["ann@mail.B\195\188cher.example"] = "ann@mail.xn--bcher-kva.example",
         ["@xn--bcher-kva.example"] = "@xn--bcher-kva.example" } do
         for _, domain in ipairs { "b\195\188cher.example", "xn--bcher-kva.example" } do
            local t = signer { domain = domain, identity = identity }
            assert.equal(found, keys.read(assert(dkim.sign(keys.head .. "\r\n", t, clock)))[1].i)
         end
      end
      refused(signer { domain = "b\195\188cher.example", identity = "@bucher.example" }, "dkim.identity")
      local err = refused(signer { identity = "a\226\128\139@example.org" }, "dkim.identity")
      assert.truthy(err.what:find("U+200B", 1, true), err.what)

      refused({ signer(), signer { domain = "\240\159\152\128.example" } }, "dkim[2].domain", "IDNA 2008")
   end)

   it("takes an expiry in seconds after the signature is made", function()
      for given, x in pairs { [1] = 1528637910, [1209600] = 1529847509, ["3600"] = 1528641509, [0.5] = 1528637910 } do
         for _, by in ipairs { signer { expires = given }, { signer { expires = given } } } do
            local tags = keys.read(assert(dkim.sign(keys.head .. "\r\n", by, clock)))[1]
            assert.equal(("%d"):format(x), tags.x)
            assert.equal("1528637909", tags.t)
         end
      end
      for _, bad in ipairs { 0, -1, 0 / 0, 1 / 0, 1796000000, "soon", "", true, {} } do
         refused(signer { expires = bad }, "dkim.expires", "1209600")
      end
      refused({ signer(), signer { expires = -1 } }, "dkim[2].expires")
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
      refused({ signer(), signer { expire = 1 } }, "dkim[2].expire", "expires")
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
