-- Which account a command uses, and what flags take precedence over.
local accounts = require "smtp.cli.accounts"
local command = require "spec.tools.command"
local errors = require "smtp.errors"
local terminal = require "spec.tools.terminal"

local apply = errors.returning(accounts.apply)

describe("the account of a command", function()
   local path
   before_each(function() path = os.tmpname() end)
   after_each(function() os.remove(path) end)

   local function with(text, options, from)
      command.write(path, text)
      os.execute("chmod 600 " .. path)
      options.config = path
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
         assert.same({ "usage", "accounts" }, { err.kind, err.option })
      end
      local _, err = with('return { accounts = { a = {}, b = {} } }', {})
      assert.matches("there is no default among the accounts a, b. Give --account", tostring(err), 1, true)
      _, err = with('return { accounts = { a = {} }, default = "aa" }', {})
      assert.matches('default = "aa", but there is no account "aa". Did you mean a?', tostring(err), 1, true)
   end)

   it("gives options that the flags do not give, and its sender", function()
      local options = { port = "587", subject = "x" }
      local account = with(two, options, "ann@work.example")
      assert.same({ port = "587", subject = "x", service = "gmail", username = "ann@Work.example",
         from = "ann@Work.example" }, options) -- the user is the sender where no other is named
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
      end
      local options = { host = "b.example" }
      assert.is_nil(apply(options))
      assert.same({ host = "b.example" }, options)
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
      account = with(two, { url = "smtp://ann%40Work.example@b.example", account = "work" })
      assert.is_table(account.secrets.password)
   end)

   it("is not used with --no-config", function()
      local options = { config = false, to = "x" }
      assert.is_nil(apply(options))
      assert.same({ to = "x" }, options)
      local _, err = apply { config = false, account = "x" }
      assert.matches("--account and --no-config are both given", tostring(err), 1, true)
   end)

   it("is that of the author of a complete message", function()
      for header, wanted in pairs { ["From: Ann <a@b.example>\n\nx"] = " Ann <a@b.example>",
         ["To: x\r\nfrom : a@b.example\r\nX: y\r\n\r\n"] = " a@b.example",
         ["FROM:\r\n a@b.example\r\n\r\n"] = " a@b.example", ["X: y\n\nFrom: a@b.example\n"] = false,
         ["X: y\n From: a@b.example\n\n"] = false, ["\nFrom: a@b.example\n"] = false, [""] = false } do
         assert.equal(wanted or nil, accounts.author(header))
      end
      assert.equal("home", with(two, {}, " Ann <ann@home.example>").name)
   end)

   it("is one of examples/lua-smtp.lua", function()
      for from, wanted in pairs { ["x@elsewhere.example"] = "work", ["ann@gmail.com"] = "work",
         ["ann@example.com"] = "office", ["ann@example.org"] = "friends", ["cron@example.net"] = "relay" } do
         assert.equal(wanted, with(command.read "examples/lua-smtp.lua", { from = from }).name)
      end
   end)
end)

describe("lua-smtp with accounts", function()
   local folder, pipe, port
   local sh = terminal.sh
   local message = " --to bob@there.example --subject Hi"

   before_each(function()
      folder = terminal.prepare()
      pipe, port = terminal.start_sink("--user ann@me.example --password-env SECRET --count 5")
   end)
   after_each(function()
      os.execute("rm -f " .. folder .. "/*")
      terminal.clean_up()
      pipe:close()
   end)

   -- A file with an account for each of these values of its secret.
   local function write(secrets)
      local lines = {}
      for name, text in pairs(secrets) do
         lines[#lines + 1] = ("%s = { url = 'smtp://ann%%40me.example@localhost:%s', %s }"):format(name, port, text)
      end
      command.write(folder .. "/lua-smtp.lua", "return { default = 'a', accounts = { "
         .. table.concat(lines, ",\n") .. "} }")
      os.execute("chmod 600 " .. folder .. "/lua-smtp.lua")
   end

   local function smtp(line, input)
      return sh(("%s | XDG_CONFIG_HOME=%s setsid -w env %s"):format(input or "true", folder, terminal.command(line)))
   end

   it("sends by each source of a secret, and shows none of them", function()
      command.write(folder .. "/secret", "sesame-cmd\nnot this\n")
      write { a = "password = 'sesame-cmd'", b = "password_env = 'SECRET'",
         c = "password_file = '" .. folder .. "/secret'",
         d = "password_command = { 'printf', '%s\\n%s', 'sesame-cmd', 'x' }",
         e = "from = 'e@me.example', password_command = { 'sh', '-c', 'cat; echo sesame-cmd; echo asked >&2' }" }
      for _, name in ipairs { "a", "b", "c", "d" } do
         local said, status = smtp("send --text x --from ann@me.example --account " .. name .. message)
         assert.same({ "bob@there.example: accepted\n250 queued as", 0 }, { said:match("^(.*) %d+\n$"), status }, said)
      end
      local said, status = smtp("send --text-file - --account e" .. message, "echo the text")
      assert.equal(0, status, said)
      assert.matches("^asked\nbob@there.example: accepted", said)
      local arrived = pipe:read("*a")
      assert.matches("\nthe text\n", arrived, 1, true)
      assert.matches("from <e@me.example>", arrived, 1, true)
      assert.equal(5, select(2, arrived:gsub("authenticated as ann@me.example", "")))
   end)

   it("chooses the account by the sender, of complete messages too, and probes with it", function()
      write { a = "password_command = { 'false' }", b = "from = 'Bob <bob@me.example>', password_env = 'SECRET'" }
      local said, status = smtp("send --raw --to bob@there.example", "printf 'From: bob@ME.example\\n\\nx\\n'")
      assert.equal(0, status, said)
      said, status = smtp "probe --account b"
      assert.equal(0, status, said)
      assert.matches("authenticated by", said)
   end)

   it("says what is wrong, with the file and the account", function()
      write { a = "password_command = { 'sh', '-c', 'echo sesame-out; exit 3', 'sesame-word' }",
         b = "password_env = 'NONE'", c = "password_file = '/nonexistent'", d = "token_command = { 'true' }",
         e = "password_command = { '/nonexistent' }" }
      for name, wanted in pairs { a = "password_command (sh …) failed: its exit status was 3", b = "NONE is not set",
         c = "No such file", d = "token_command (true) failed: it printed nothing", e = "No such file" } do
         local said, status = smtp("send --text x --from a@b.example --account " .. name .. message)
         assert.equal(78, status, said)
         assert.matches(folder .. "/lua-smtp.lua: account " .. name .. ": ", said, 1, true)
         assert.matches(wanted, said, 1, true)
         assert.is_nil(said:find("sesame", 1, true))
      end
      write { a = "from = 'a@me.example'" }
      assert.matches("account a: it has a user but no password, and there is no terminal to ask at. Write "
         .. "password_command", smtp("send --text x" .. message), 1, true)
      local said, status = smtp("send --json --text x --from a@b.example -Af" .. message)
      assert.equal(78, status)
      assert.matches('^{"error":"lua%-smtp: '
         .. folder .. '/lua%-smtp%.lua: %-%-account f, but there is no account', said)
      assert.matches("--config has an empty path", smtp("send --text x --config ''" .. message), 1, true)
      said, status = smtp("send --text x --from a@b.example --no-config --port 1" .. message)
      assert.equal(75, status, said)
   end)

   it("asks at the terminal with --ask-password", function()
      write { a = "password = 'sesame-wrong'" }
      local shown, status, echo = terminal.run({ "expect:Password for ann@me.example", "echo", "type:sesame-cmd\\n" },
         "send --ask-password --text x --from a@b.example --config " .. folder .. "/lua-smtp.lua" .. message)
      assert.same({ 0, "on off" }, { status, echo }, shown)
      assert.is_nil(shown:find("sesame", 1, true))
      for flags, wanted in pairs { ["--ask-password"] = "--ask-password needs a terminal",
         ["--ask-password --password-env SECRET"] = "given more than once",
         ["--ask-password --no-config"] = "Write --username NAME" } do
         local said
         said, status = smtp("send --text x --from a@b.example " .. flags .. message)
         assert.equal(64, status, said)
         assert.matches(wanted, said, 1, true)
      end
   end)
end)
