-- Which account a command uses, and what flags take precedence over.
local accounts = require "smtp.cli.accounts"
local command = require "spec.tools.command"
local errors = require "smtp.errors"

local apply = errors.returning(accounts.apply)

describe("the account of a command", function()
   local path
   before_each(function() path = os.tmpname() end)
   after_each(function() os.remove(path) end)

   local function with(text, options, from)
      command.write(path, text)
      os.execute("chmod 600 " .. path)
      options.config = options.config == nil and path or options.config or nil
      return apply(options, from)
   end

   local two = [[return { accounts = {
      work = { service = "gmail", username = "ann@Work.example", password = "sesame-work" },
      home = { host = "mail.home.example", from = "Ann <ann@home.example>", user = "ann",
         password_file = "/nonexistent" },
      list = { host = "mail.list.example" } }, default = "list" }]]

   it("is the one that is named, or that of the sender, or the default", function()
      for _, case in ipairs { { "work", account = "work" }, { "work", from = "ann@work.EXAMPLE" },
         { "work", from = "A <ann@work.example>" }, { "home", from = "ann@home.example" },
         { "list", from = "Ann@work.example" }, { "list", from = "not an address" }, { "list" },
         { "home", account = "home", from = "ann@work.example" } } do
         local account = with(two, { account = case.account, from = case.from })
         assert.equal(case[1], account.name)
         assert.equal(case[1], with(two, { account = case.account }, case.from).name)
      end
   end)

   it("is the only one where there is no default", function()
      local options = {}
      assert.equal("a", with('return { accounts = { a = { host = "a.example" } } }', options).name)
      assert.same({ host = "a.example" }, options)
      for _, text in ipairs { "return {}", "return { accounts = {} }" } do assert.is_nil(with(text, {})) end
   end)

   it("prefers the account that sends as an address to one that logs in by it", function()
      local text = [[local host = "a.example"
         return { accounts = { a = { host = host, username = "ann@a.example", password_env = "X" },
            b = { host = host, from = "ann@a.example" }, c = { host = host, from = "c@a.example" },
            d = { host = host, from = "c@a.example" } }, default = "%s" }]]
      assert.equal("b", with(text:format "a", { from = "ann@a.example" }).name)
      assert.equal("d", with(text:format "d", { from = "c@a.example" }).name)
      local _, err = with(text:format "a", { from = "c@a.example" })
      assert.matches(path .. ": the accounts c, d have this sender, and none of them is the default", tostring(err), 1,
         true)
   end)

   it("is named in errors with those that there are", function()
      for _, case in ipairs {
         { { account = "wrk" }, '%-%-account wrk, but there is no account "wrk". Did you mean work' },
         { { account = "other" }, "The accounts are home, list, work" } } do
         local _, err = with(two, case[1])
         assert.matches(case[2], tostring(err))
         assert.same({ "usage", "config" }, { err.kind, err.option })
      end
      local _, err = with('return { accounts = { a = {}, b = {} } }', {})
      assert.matches("there is no default among the accounts a, b. Give --account", tostring(err), 1, true)
      _, err = with('return { accounts = { a = {} }, default = "aa" }', {})
      assert.matches('default = "aa", but there is no account "aa". Did you mean a?', tostring(err), 1, true)
   end)

   it("gives options that the flags do not give, and its sender", function()
      local options = { port = "587", subject = "x" }
      local account = with(two, options, "ann@work.example")
      assert.same({ port = "587", subject = "x", service = "gmail", username = "ann@Work.example" }, options)
      assert.same({ password = { kind = "", value = "sesame-work" } }, account.secrets)
      assert.matches(": account work: $", account.label)
      options = { account = "home" }
      with(two, options)
      assert.equal("Ann <ann@home.example>", options.from)
      options = { account = "home", from = "bob@home.example" }
      with(two, options)
      assert.equal("bob@home.example", options.from)
   end)

   it("gives nothing of its own server to another one", function()
      local text = [[return { accounts = { a = { url = "smtps://ann:sesame-url@a.example:4650", tls_pin = ("%s="),
         tls_verify = false, timeout = 7 } } }]]
      text = text:format(("x"):rep(43))
      for _, flags in ipairs { { host = "b.example" }, { url = "smtp://b.example" }, { service = "gmail" },
         { socket = "/b" } } do
         local wanted = { timeout = 7, username = "ann" }
         for name, value in pairs(flags) do wanted[name] = value end
         with(text, flags)
         assert.same(wanted, flags)
         local options = { host = "b.example", config = false }
         assert.is_nil(with(text, options))
         assert.same({ host = "b.example" }, options)
      end
   end)

   it("gives no secret to another user", function()
      local account, other
      local options, same = { username = "bob" }, { username = "ann@Work.example" }
      account, other = with(two, options, "ann@work.example"), with(two, same, "ann@work.example")
      assert.same({ username = "bob", service = "gmail" }, options)
      assert.same({}, account.secrets)
      assert.is_table(other.secrets.password)
      account = with(two, { url = "smtp://bob@b.example", account = "work" })
      assert.same({}, account.secrets)
   end)

   it("is not used with --no-config", function()
      local options = { no_config = true, config = false, to = "x" }
      assert.is_nil(with(two, options))
      assert.same({ to = "x" }, options)
      for _, name in ipairs { "config", "account" } do
         local _, err = apply { no_config = true, [name] = "x" }
         assert.matches("%-%-" .. name .. " and %-%-no%-config are both given", tostring(err))
      end
   end)

   it("is one of examples/lua-smtp.lua", function()
      for from, wanted in pairs { ["x@elsewhere.example"] = "work", ["ann@gmail.com"] = "work",
         ["ann@example.com"] = "office", ["ann@example.org"] = "friends", ["cron@example.net"] = "relay" } do
         assert.equal(wanted, with(command.read "examples/lua-smtp.lua", { from = from }).name)
      end
   end)
end)
