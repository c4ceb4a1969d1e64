-- Where the secrets of the command come from.
local command = require "spec.tools.command"
local proxies = require "spec.tools.proxies"
local safe = require "smtp.safe"
local terminal = require "spec.tools.terminal"

local message = command.message
local sh, at_terminal, start_sink = terminal.sh, terminal.run, terminal.start_sink

describe("lua-smtp at a terminal", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   it("asks for the password of a user without echo", function()
      local pipe, port = start_sink "--count 4 --user ann --password-env SECRET"
      for _, user in ipairs { "--host localhost --port " .. port .. " --username ann", "--url smtp://ann@localhost:"
         .. port } do
         local shown, status, echo = at_terminal({ "expect:Password for ann at localhost", "echo",
            "type:sesame-cmd\\n" }, "send " .. user .. message)
         assert.equal(0, status, shown)
         assert.equal("on off", echo)
         assert.is_nil(shown:find("sesame", 1, true))
      end
      local shown, status = at_terminal({ "expect:Password for ann", "type:sesame-cmd\\n" },
         "probe ann@localhost:" .. port)
      assert.equal(0, status, shown)
      assert.matches("authenticated by", shown)
      safe.send { host = "127.0.0.1", port = port, from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
      local arrived = pipe:read("*a")
      pipe:close()
      local _, count = arrived:gsub("authenticated as ann", "")
      assert.equal(2, count)
   end)

   it("asks for the password of a sink, and for a token where only tokens are named", function()
      local shown, status = at_terminal({ "expect:Password for ann: ", "type:sesame-cmd\\n", "expect:listening",
         "type:\\x03" }, "sink --user ann")
      assert.equal(130, status, shown)
      shown, status = at_terminal({ "expect:Token for ann at localhost", "type:abcdefgh\\n" },
         "send --host localhost --port 1 --username ann --auth-mechanisms xoauth2" .. message)
      assert.equal(75, status, shown)
      shown, status = at_terminal({ "expect:Password for ann at localhost", "type:sesame-cmd\\n" },
         "send --host localhost --port 1 --username ann --auth-mechanisms oauthbearer "
         .. "--auth-mechanisms plain" .. message)
      assert.equal(75, status, shown)
   end)

   it("asks for nothing where a password is given, or not needed", function()
      for _, flags in ipairs { "--username ann --password-env SECRET", "",
         "--url smtp://ann:sesame-cmd@localhost:1" } do
         local shown, status = at_terminal({}, "send --host localhost --port 1 " .. flags .. message)
         assert.equal(75, status, shown)
         assert.is_nil(shown:find(" for ann", 1, true))
      end
   end)

   it("asks for nothing where no mechanism needs it", function()
      local shown, status = at_terminal({}, "send --host localhost --port 1 --username ann --auth-mechanisms external"
         .. message)
      assert.equal(64, status, shown)
      assert.matches("EXTERNAL takes its identity from --authzid", shown, 1, true)
   end)

   it("echoes again after Ctrl-C, SIGTERM, Ctrl-D or a key that would stop it at the prompt", function()
      for step, wanted in pairs { ["type:ses\\x03"] = 130, ["signal:TERM"] = 143, ["type:\\x04"] = 64,
         ["type:\\x1a\\x1c\\n"] = 75 } do
         local shown, status, echo = at_terminal({ "expect:Password for ann", "echo", step },
            "send --host localhost --port 1 --username ann" .. message)
         assert.same({ wanted, "on off" }, { status, echo }, shown)
      end
   end)

   it("asks at the terminal also where standard input is a file", function()
      local shown = sh(("env -u LD_PRELOAD python3 -B spec/tools/terminal.py 80 'expect:Password for ann' echo "
         .. "'type:sesame-cmd\\n' -- env LD_PRELOAD=\"$LD_PRELOAD\" sh -c '%s </dev/null'"):format(terminal.command(
         "send --host localhost --port 1 --username ann" .. message)))
      assert.matches("cannot be reached", shown)
      assert.matches("status 75, echo on off", shown)
   end)

   it("says what to do where there is no terminal", function()
      for _, line in ipairs { "send --host localhost --port 1 --username ann" .. message, "probe ann@localhost:1",
         "sink --user ann" } do
         local said, status = sh("setsid -w env " .. terminal.command(line) .. " </dev/null")
         assert.equal(64, status, said)
         assert.truthy(said:find("--password-env", 1, true), said)
      end
   end)

   it("warns of secrets in its arguments, and takes them", function()
      local name = folder .. "/errors"
      local pipe, port = start_sink("--count 3 --user ann --password sesame-cmd", name)
      local said, status
      for _, line in ipairs { "send --host localhost --port %s --username ann --password sesame-cmd",
         "send --url smtp://ann:sesame-cmd@localhost:%s" } do
         said, status = sh(terminal.command(line:format(port) .. message))
         assert.equal(0, status, said)
         assert.matches("^lua%-smtp: warning: other users of this machine can see the password[^\n]*\nbob@", said)
         assert.is_nil(said:find("sesame", 1, true))
      end
      said, status = sh(terminal.command("probe ann:sesame-cmd@localhost:" .. port))
      assert.equal(0, status, said)
      assert.matches("can see the password of %-%-url", said)
      pipe:read("*a")
      pipe:close()
      assert.matches("warning: other users", (sh("cat " .. name)))
      os.remove(name)
      said, status = sh(terminal.command("send --host localhost --port 1 --username ann --token abcdefgh" .. message))
      assert.equal(75, status)
      assert.matches("can see the token", said)
      said, status = sh(terminal.command("send --username ann --password x --password-env SECRET" .. message))
      assert.equal(64, status)
      assert.matches("more than once", said)
   end)
end)

describe("The proxy of lua-smtp", function()
   local function send(flag, value, variables)
      local sink, proxy = proxies.sink "starttls", proxies.start("http", { user = "ann", password = proxies.PASSWORD })
      local url = ("http://%s127.0.0.1:%d"):format(proxies.LOGIN, proxy.port)
      local said, status = command.smtp(("send --host localhost --port %d --tls-ca-file %s --%s %s"):format(sink.port,
         sink.options.tls_ca_file, flag, value(url)) .. message, variables and variables(url))
      assert.same({ 0, "localhost\n", "1\n" }, { status, proxy.finish(), sink.finish() }, said)
      assert.is_nil(said:find(proxies.PASSWORD, 1, true))
      return said
   end

   it("comes from a flag, with a warning, a variable or a file", function()
      assert.matches("can see the password of %-%-proxy", send("proxy", function(url) return url end))
      local said = send("proxy-env", function() return "WAY" end, function(url) return "WAY=" .. url .. " " end)
      assert.is_nil(said:find("warning", 1, true))
      local name = os.tmpname()
      said = send("proxy-file", function(url)
         command.write(name, url .. "\n")
         return name
      end)
      os.remove(name)
      assert.is_nil(said:find("warning", 1, true))
   end)

   it("without a password may be in the command line", function()
      local said, status = command.smtp("send --host mx.example --proxy http://127.0.0.1:1 --tls skip" .. message)
      assert.equal(75, status)
      assert.is_nil(said:find("warning", 1, true))
      assert.matches("Check the host and the port in --proxy", said, 1, true)
   end)
end)
