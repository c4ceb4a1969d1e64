-- What accounts may contain: errors name the file and the account.
local account_options = require "smtp.cli.account_options"
local errors = require "smtp.errors"

local read = errors.returning(account_options.read)

local function file(accounts, others_read)
   return { path = "/f.lua", table = { accounts = accounts }, others_read = others_read }
end

local function refused(account)
   local all, err = read(file { work = account })
   assert.is_nil(all)
   return tostring(err):match("^smtp: /f%.lua: account work: (.*)$") or tostring(err)
end

describe("the options of an account", function()
   it("are those of a connection, and the sender", function()
      local all, names = read(file { b = { host = "b.example", port = 587, tls = "require", from = "ann@b.example",
         auth_mechanisms = { "PLAIN" }, user = "ann", extensions = { chunking = "skip" }, timeout = 20 },
         a = {} })
      assert.same({ "a", "b" }, names)
      assert.same({ host = "b.example", port = 587, tls = "require", from = "ann@b.example",
         auth_mechanisms = { "PLAIN" }, user = "ann", extensions = { chunking = "skip" }, timeout = 20 },
         all.b.options)
      assert.same({}, all.a.options)
   end)

   it("have near names in errors", function()
      for text, wanted in pairs { hosst = "Did you mean host", pasword = "Did you mean password",
         password_comand = "Did you mean password_command", pass = "password", starttls = "tls = \"require\"",
         passwordeval = "password_command = { \"pass\"", subject = "It belongs to a message", to = "give it as a flag",
         transport = "lists all options", loop = "lists all options",
         [1] = "Write each option with its name" } do
         local said = refused { [text] = "x" }
         assert.matches(("there is no option \"%s\""):format(text), said, 1, true)
         assert.matches(wanted, said, 1, true)
      end
   end)

   it("are checked as smtp.send checks them", function()
      local command = { "true" }
      for _, case in ipairs {
         { { port = "x" }, "port: expected a whole number" },
         { { service = "gmial" }, "Did you mean \"gmail\"" }, { { tls = "yes" }, "tls: expected" },
         { { host = "a b" }, "host is neither" }, { { url = "x" }, "url is not of the form" },
         { { from = "ann" }, "from = \"ann\" is not a valid address" },
         { { from = { "a@b.example" } }, "from: expected" },
         { { password_command = command }, "username is missing" }, { { timeout = 1e9 }, "milliseconds" },
         { { host = "a.example", socket = "/x" }, "socket and host are both given" },
         { { username = "ann", user = "ann" }, "mean the same" },
         { { password = 12345678 }, "password: expected a string" },
         { { username = "ann", auth_mechanisms = { "PLAIM" } }, "auth_mechanisms: expected the name" },
         { "smtp.example.org", "the account: expected a table, got the string" } } do
         assert.matches(case[2], refused(case[1]), 1, true)
      end
   end)

   it("have one source for each secret", function()
      local all = read(file { a = { username = "ann", password_command = { "pass", "x y", "~/z" },
         token_env = "T" },
         b = { username = "ann", password_file = "~/p" }, c = { url = "smtps://ann:sesame-9@c.example" } })
      assert.same({ password = { kind = "_command", value = { "pass", "x y", os.getenv "HOME" .. "/z" } },
         token = { kind = "_env", value = "T" } }, all.a.secrets)
      assert.same({ password = { kind = "_file", value = os.getenv "HOME" .. "/p" } }, all.b.secrets)
      assert.same({ password = { kind = "", value = "sesame-9" } }, all.c.secrets)
      assert.same({ host = "c.example", tls = "implicit", username = "ann" }, all.c.options)
      assert.matches("password and password_file are both given", refused { password = "x", password_file = "y" })
      local said = refused { username = "ann", password_env = "sesame-9" }
      assert.matches('not the name of a variable. Write password_env = "MAIL_PASSWORD"', said, 1, true)
      assert.is_nil(said:find("sesame", 1, true))
      for _, words in ipairs { "pass", {}, { 1 }, { "a", "b\0c" }, { "" }, { x = "pass" } } do
         said = refused { username = "ann", token_command = words }
         assert.matches("token_command", said)
         assert.matches('Write token_command = { "pass"', said, 1, true)
      end
   end)

   it("contain no secret where other users may read the file", function()
      for _, account in ipairs { { username = "ann", password = "sesame-9" }, { username = "ann", token = "sesame-9" },
         { url = "smtps://ann:sesame-9@c.example" },
         { host = "c.example", proxy = "http://ann:sesame-9@proxy.example" } } do
         assert.is_table(read(file { a = {}, work = account }))
         local _, err = read(file({ a = {}, work = account }, true))
         assert.matches("/f.lua: account work: other users may read the file, but it contains a password or a token. "
            .. "Run chmod 600 /f.lua", tostring(err), 1, true)
      end
      assert.is_table(read(file({ a = { username = "ann", password_env = "X" } }, true)))
      assert.is_table(read(file({ a = { host = "c.example", proxy = "http://proxy.example" } }, true)))
   end)

   it("are in an account with a name", function()
      for _, case in ipairs { { { service = "gmail" }, 'there is no option "service" outside of an account' },
         { { acounts = {} }, "Did you mean accounts" }, { { accounts = { {} } }, "an account without a name" },
         { { accounts = { [""] = {} } }, "an account without a name" },
         { { accounts = { ["a\nb"] = {} } }, "an account without a name" }, { { accounts = 1 }, "accounts: expected" },
         { { default = {} }, "default: expected" }, { { {} }, "The names are accounts and default" } } do
         local _, err = read { path = "/f.lua", table = case[1] }
         assert.matches("^smtp: /f%.lua: ", tostring(err))
         assert.matches(case[2], tostring(err), 1, true)
      end
   end)
end)
