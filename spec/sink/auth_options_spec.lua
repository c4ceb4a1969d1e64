local safe = require "smtp.safe"

local users, tokens = { ann = "sesame-40", ["b=o,b"] = "tre,as=ure" }, { ann = "to.ken-40" }

local function auth_of(mechanisms, more)
   local auth = { users = users, tokens = tokens, external = "ann", iterations = 4096,
      mechanisms = mechanisms }
   for key, value in pairs(more or {}) do auth[key] = value end
   return auth
end

describe("the sink's AUTH", function()
   it("checks its options", function()
      for what, bad in pairs {
         ["auth.users"] = { mechanisms = { "PLAIN" }, tokens = tokens },
         ["auth.tokens"] = { mechanisms = { "XOAUTH2" }, users = users },
         ["auth.external"] = { mechanisms = { "EXTERNAL" }, users = users },
         ["no mechanism \"SCRAM-MD5\""] = { mechanisms = { "PLAIN", "SCRAM-MD5" }, users = users },
         ["no option \"auth.user\""] = { user = "ann", users = users },
         ["strings"] = { users = { "ann" } },
         ["expected a table"] = { users = users, mechanisms = "PLAIN" },
         ["iterations"] = { users = users, iterations = 0 },
         ["a table with users"] = { before_tls = true },
         ["not a mechanism"] = { mechanisms = { { name = "PLAIN", run = print } } },
      } do
         local sink, err = safe.sink { auth = bad }
         assert.is_nil(sink, what)
         assert.same({ "usage", "auth" }, { err.kind, err.option:match("^[^.]*") })
         assert.truthy(err.what:find(what, 1, true), err.what)
      end
   end)

   it("says what to write in the place of another type", function()
      for name, hint in pairs { users = 'Write users = { ann = "secret" }', tokens = 'Write tokens = { ann = "token" }',
         external = 'Write external = "ann"', mechanisms = 'Write mechanisms = { "PLAIN" }',
         iterations = "Write iterations = 4096", before_tls = false } do
         local _, err = safe.sink { auth = auth_of(nil, { [name] = print }) }
         assert.equal("auth." .. name, err.option)
         if hint then assert.equal(hint, err.hint) end
      end
   end)

   it("says which mechanism cannot be had where smtp.crypto cannot be loaded", function()
      local loaded, preload = package.loaded["smtp.crypto"], package.preload["smtp.crypto"]
      package.loaded["smtp.crypto"] = nil
      package.preload["smtp.crypto"] = function() error("no libcrypto", 0) end
      local sink, err = safe.sink { auth = auth_of { "PLAIN", "SCRAM-SHA-256" } }
      local other = safe.sink { auth = auth_of { "PLAIN", "XOAUTH2" } }
      package.loaded["smtp.crypto"], package.preload["smtp.crypto"] = loaded, preload
      assert.is_nil(sink)
      assert.truthy(err.what:find("SCRAM-SHA-256 needs smtp.crypto: ", 1, true), err.what)
      assert.truthy(err.what:find("no libcrypto", 1, true), err.what)
      assert.is_table(other)
   end)
end)
