local checked = require "spec.tools.checked"

local refused, server = checked.refused, checked.server

describe("credentials", function()
   it("come in pairs", function()
      assert.equal("password", refused({ username = "ann" }).option)
      assert.equal("username", refused({ password = "pw" }).option)
      assert.equal("password", refused({ username = "ann", password = "" }).option)
   end)

   it("name an invisible character in a user name that is an address", function()
      local err = refused { username = "ann\226\128\139@x.example", password = "pw" }
      assert.equal("username", err.option)
      assert.truthy(err.what:find("U+200B", 1, true), err.what)
      assert.truthy(err.hint:find("^Remove that character"), err.hint)
      err = refused { username = "ann", authzid = "ann\226\128\174@x.example", password = "pw" }
      assert.equal("authzid", err.option)
      assert.truthy(err.what:find("U+202E", 1, true), err.what)
   end)

   it("both empty count as no credentials", function()
      assert.equal("skip", server({ username = "", password = "" }).auth)
   end)

   it("count as on loopback only for what is an address there", function()
      assert.equal("skip", server({ host = "127.0.0.1" }).tls)
      assert.equal("skip", server({ host = "127.255.255.254" }).tls)
      for _, host in ipairs { "127.999.1.1", "127.0.0.256", "127.1", "127.0.0.1.example", "127.00.0.1" } do
         assert.equal("require", server({ host = host }).tls, host)
      end
   end)

   it("may be a token, for a user", function()
      assert.same({ "require", 587 }, { server({ username = "ann", token = "t" }).auth,
         server({ username = "ann", token = "t" }).port })
      assert.equal("username", refused({ token = "t" }).option)
      assert.equal("token", refused({ username = "ann", token = 7 }).option)
   end)

   it("have to fit one of the mechanisms named", function()
      assert.equal("token", refused({ username = "ann", password = "pw", auth_mechanisms = "XOAUTH2" }).option)
      assert.equal("password", refused({ username = "ann", token = "t", auth_mechanisms = "PLAIN" }).option)
      assert.equal("username", refused({ auth = "prefer", auth_mechanisms = "PLAIN" }).option)
   end)

   it("give the bounds of SCRAM's work", function()
      assert.same({ 4096, 200000 }, server({ username = "ann", password = "pw" }).scram_iterations)
      assert.same({ 1, 5 }, server({ scram_iterations = { 1, 5 } }).scram_iterations)
      for _, bad in ipairs { 7, {}, { 1 }, { 2, 1 }, { 0, 5 }, { 1.5, 3 }, { "x", 3 }, { 1, 1e10 } } do
         assert.equal("scram_iterations", refused({ scram_iterations = bad }).option)
      end
   end)

   it("are needed for auth = require", function()
      assert.equal("auth", refused({ auth = "require" }).option)
      assert.equal("prefer", server({ auth = "prefer" }).auth)
   end)

   for _, bad in ipairs { "a\0b", "a\r\nb", "a\n" } do
      it(("refuse %q"):format(bad):gsub("%c", "?"), function()
         refused { username = bad, password = "pw" }
         refused { username = "ann", password = bad }
         refused { username = "ann", password = "pw", authzid = bad }
      end)
   end
end)

describe("credentials that are empty or missing", function()
   for what, t in pairs { ["password is empty"] = { username = "ann", password = "" },
      ["token is empty"] = { username = "ann", token = "" },
      ["password is given, but username is empty"] = { username = "", password = "sesame" } } do
      it("ask about the environment variable: " .. what, function()
         local err = checked.refused(t)
         assert.equal(what, err.what)
         assert.truthy(err.hint:find("^Is the environment variable set"), err.hint)
      end)
   end

   it("say what is missing", function()
      assert.equal("username is given, but password and token are missing", checked.refused { username = "ann" }.what)
      assert.equal("password is given, but username is missing", checked.refused { password = "sesame" }.what)
      local err = checked.refused { username = "ann", password = 271828 }
      assert.equal("password has to be a string, but is a number", err.what)
      assert.is_nil(tostring(err):find("271828", 1, true) or err.value)
   end)
end)

describe("%x01", function()
   it("is in no user name and no token, where OAUTHBEARER would end with it", function()
      local err = refused { username = "ann\1", password = "pw" }
      assert.equal("username", err.option)
      assert.matches("%x01", err.what, 1, true)
   end)
end)
