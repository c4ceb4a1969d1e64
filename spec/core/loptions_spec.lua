-- The table of options that a session is made of.
local core = require "smtp.core"

local function session(more)
   local all = { domain = "me.example" }
   for name, value in pairs(more or {}) do all[name] = value end
   return core.session(all)
end

describe("The options of a session", function()
   it("need nothing but a domain", function()
      assert.is_userdata(session())
      assert.has_error(function() core.session {} end)
   end)

   for name, values in pairs { domain = { "a b", "", 7 }, tls = { "maybe", 1 }, auth = { "yes" }, grade = { "fast" },
      extensions = { { nonsense = "skip" }, { [1] = "dsn" } }, mechanisms = { { 7 }, { {} }, { { name = "" } },
         { { name = ("X"):rep(21) } } }, username = { ("x"):rep(core.limits.secret + 1) },
      authzid = { ("x"):rep(core.limits.secret + 1) }, host = { ("x"):rep(256) }, port = { 65536 },
      flight_max = { core.limits.flight + 1 }, halt = { "data" } } do
      it("are refused where this is not valid: " .. name, function()
         for _, value in ipairs(values) do
            assert.has_error(function() session { [name] = value } end)
         end
      end)
   end

   it("can be read once for several sessions", function()
      local given = { domain = ("me."):rep(20) .. "example", tls = "require", extensions = { dsn = "skip" } }
      local options = core.options(given)
      given = nil -- luacheck: ignore
      collectgarbage()
      for _ = 1, 2 do
         local one = core.session(options)
         one:heard("220 hi\r\n")
         assert.equal("EHLO " .. ("me."):rep(20) .. "example\r\n", one:output())
      end
      assert.has_error(function() core.options {} end)
      assert.has_error(function() core.options "me.example" end)
      assert.has_error(function() core.session(core.scanner()) end)
   end)

   it("take as many mechanisms as there is room for", function()
      local list = {}
      for i = 1, 40 do list[i] = { name = ("X-%d"):format(i) } end
      assert.is_userdata(session { mechanisms = list })
   end)
end)

describe("session:grade", function()
   it("is the one given, and can be set", function()
      for _, grade in ipairs { "safe", "try", "eager" } do
         assert.equal(grade, session({ grade = grade }):grade())
         assert.equal(grade, session():grade(grade))
      end
      assert.equal("safe", session():grade())
      assert.has_error(function() session():grade("fast") end)
   end)

   it("is always safe in LMTP, where each recipient has a verdict", function()
      assert.equal("safe", session({ lmtp = true, grade = "eager" }):grade("eager"))
   end)
end)

describe("core.same", function()
   local names = { host = {}, port = {}, extensions = {} }

   it("counts the options of a set that are as they are known", function()
      local known = { host = "mx.example", extensions = { dsn = "skip" } }
      for i, case in ipairs {
         { {}, 0 }, { { text = "hi" }, 0 }, { { host = "mx.example", text = "hi" }, 1 },
         { { host = "mx.example", extensions = { dsn = "skip" } }, 2 }, { { host = "mx.example", port = 25 }, nil },
         { { host = "mx2.example" }, nil }, { { extensions = {} }, nil }, { { extensions = { dsn = "prefer" } }, nil },
         { { extensions = { dsn = "skip", size = "skip" } }, nil }, { { extensions = { dsn = {} } }, nil },
         { { host = {} }, nil }, { "host", nil },
      } do
         assert.equal(case[2], (core.same(case[1], known, names)), i)
      end
   end)
end)
