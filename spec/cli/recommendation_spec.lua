local recommendation = require "smtp.cli.recommendation"

local minimal = recommendation.minimal

describe("recommended options", function()
   for name, case in pairs {
      ["TLS from the first byte is the default of port 465"] =
         { { host = "mx.example", port = 465, tls = "implicit", auth = "skip" }, {},
            { host = "mx.example", port = 465 } },
      ["port 587 with STARTTLS is the default with credentials"] =
         { { host = "mx.example", port = 587, tls = "require" }, { username = "ann", password = "x" },
            { host = "mx.example" } },
      ["and not without them"] =
         { { host = "mx.example", port = 587, tls = "require" }, {}, { host = "mx.example", port = 587 } },
      ["port 25 with STARTTLS is the default without credentials"] =
         { { host = "mx.example", port = 25, tls = "require", auth = "skip" }, {}, { host = "mx.example" } },
      ["clear text is never a default elsewhere"] =
         { { host = "mx.example", port = 25, tls = "prefer" }, {}, { host = "mx.example", tls = "prefer" } },
      ["TLS is not the default on this machine"] =
         { { host = "localhost", port = 587, tls = "require" }, {}, { host = "localhost", port = 587,
            tls = "require" } },
      ["even localhost is named"] =
         { { host = "localhost", port = 25, tls = "skip" }, {}, { host = "localhost" } },
      ["what no default decides is kept"] =
         { { host = "mx.example", port = 25, tls = "require", domain = "me.example", tls_verify = false }, {},
            { host = "mx.example", domain = "me.example", tls_verify = false } },
      ["AUTH may be left to the default"] =
         { { host = "mx.example", port = 587, auth = "require" }, { username = "ann", password = "x" },
            { host = "mx.example" } },
   } do
      it("are as few as possible: " .. name, function()
         local given = {}
         for key, value in pairs(case[1]) do given[key] = value end
         assert.same(case[3], minimal(case[1], case[2]))
         assert.same(given, case[1])
      end)
   end

   it("have a proxy only where no other flag gives it", function()
      local use = { host = "mx.example", proxy = "http://proxy.example:3128" }
      assert.equal("--host mx.example --proxy http://proxy.example:3128", recommendation.flags(use, {}))
      assert.equal("--host mx.example --proxy-env WAY", recommendation.flags(use, { "--proxy-env", "WAY" }))
   end)

   it("name the provider where it says the same", function()
      assert.same({ service = "gmail" },
         minimal({ host = "smtp.gmail.com", port = 465, tls = "implicit" }, {}, "gmail"))
      assert.same({ service = "gmail", port = 587 },
         minimal({ host = "smtp.gmail.com", port = 587, tls = "require" }, {}, "gmail"))
   end)

   it("stay as they are where they are not valid", function()
      assert.same({ host = "a b" }, minimal({ host = "a b" }, {}))
   end)

   it("are flags for a shell", function()
      assert.equal("--host mx.example --port 465 --no-tls-verify --tls-ca-file '/tmp/my ca.pem' --username ann "
         .. "--extension chunking=skip --password-env PW",
         recommendation.flags({ host = "mx.example", port = 465, tls_ca_file = "/tmp/my ca.pem", tls_verify = false,
            username = "ann", extensions = { chunking = "skip" } }, { "--password-env", "PW" }))
      assert.equal([[--host 'it'\''s']], recommendation.flags { host = "it's" })
      assert.equal("--auth-mechanisms PLAIN --auth-mechanisms LOGIN --scram-iterations 4096,9999",
         recommendation.flags { auth_mechanisms = { "PLAIN", "LOGIN" }, scram_iterations = { 4096, 9999 } })
   end)

   it("are a table of Lua", function()
      local text = recommendation.lua({ host = "mx.example", port = 465, tls_verify = false,
         extensions = { chunking = "skip", ["8bitmime"] = "prefer" }, auth_mechanisms = { "PLAIN" } }, "password")
      assert.equal('{ host = "mx.example", port = 465, tls_verify = false, auth_mechanisms = { "PLAIN" }, extensions = '
         .. '{ ["8bitmime"] = "prefer", chunking = "skip" }, password = "…" }', text)
      assert.is_table(assert((loadstring or load)("return " .. text))()) -- luacheck: ignore
   end)
end)
