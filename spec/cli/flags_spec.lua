local command = require "spec.tools.command"

local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local flags = require "smtp.cli.flags"

local unpack = table.unpack or unpack -- luacheck: ignore

local run, start, message = command.smtp, command.start_sink, command.message

local function read(name, ...)
   return flags.read({ name, ... }, 2, flag_table.command(name))
end

-- The error of these arguments.
local function wrong(...)
   local _, err = errors.returning(read)(...)
   return tostring(err)
end

describe("The arguments of a command", function()
   it("have letters, alone or together, with the value after them or at once", function()
      for _, args in ipairs { { "-f", "a@x", "-t", "b@x", "-s", "Hi", "-n" }, { "-fa@x", "-tb@x", "-sHi", "-n" },
         { "-nfa@x", "-t", "b@x", "--subject=Hi" }, { "--from", "a@x", "--to=b@x", "-ns", "Hi" } } do
         assert.same({ from = "a@x", to = { "b@x" }, subject = "Hi", dry_run = true },
            read("send", unpack(args)))
      end
   end)

   it("switch on and off", function()
      for text, value in pairs { ["--tls-verify"] = true, ["--no-tls-verify"] = false, ["--tls-verify=no"] = false,
         ["--tls-verify=false"] = false, ["--tls-verify=0"] = false, ["--tls-verify=off"] = false,
         ["--tls-verify=YES"] = true, ["--tls-verify=on"] = true, ["--no_tls_verify"] = false } do
         assert.equal(value, read("probe", text).tls_verify, text)
      end
      assert.is_true(read("send", "--trace", "-v").trace)
      assert.matches("--tls-verify is switched on and off", wrong("send", "--tls-verify", "--no-tls-verify"), 1, true)
      assert.matches("Write --no-trace or --trace=no", wrong("send", "--no-trace=no"), 1, true)
   end)

   it("have one value where the flag takes one", function()
      assert.matches("--subject is given twice", wrong("send", "-s", "a", "--subject=b"), 1, true)
      assert.matches("--user means --username, which is given", wrong("send", "-u", "a", "--user", "b"), 1, true)
      assert.same({ "X-A: 1", "X-B: 2" }, read("send", "--header", "X-A: 1", "--header", "X-B: 2").header)
   end)

   it("have a value or a list where there may be several hosts", function()
      assert.equal("a", read("send", "--host", "a").host)
      assert.equal("a", read("send", "--server=a").host)
      assert.same({ "a", "b", "c" }, read("send", "-Sa", "--server", "b", "--host=c").host)
      assert.matches("several hosts are given, but no port. Give --port as well, or one --host",
         (run "probe --host a.example --host b.example"), 1, true)
   end)

   it("have values that begin with a dash, but not the name of another flag", function()
      assert.equal("-1", read("send", "--mt-priority", "-1").mt_priority)
      assert.equal("--from", read("send", "--subject=--from").subject)
      assert.equal("-x-", read("send", "-s", "-x-").subject)
      assert.matches("-s needs a value, and --from is another flag. Write -s TEXT, or --subject=--from",
         wrong("send", "-s", "--from", "a@x"), 1, true)
   end)

   it("have recipients without a flag, and none is a flag after --", function()
      assert.same({ "a@x", "b@x", "-c@x" }, read("send", "-t", "a@x", "b@x", "--", "-c@x").to)
      assert.same({ "a@x", "b@x" }, read("send", "a@x,b@x").to)
   end)
end)

describe("lua-smtp", function()
   it("says what is wrong with a flag", function()
      for flag, said in pairs { ["--extension dsn"] = "KEYWORD=WORD", ["--extension dsm=skip"] = "Did you mean dsn",
         ["--dsn-notify x"] = "%-%-dsn%-notify: expected never",
         ["--dsn-ret x"] = '"full" or "hdrs"', ["--scram-iterations 5"] = "needs two numbers",
         ["--no-raw=no"] = "Write %-%-no%-raw or %-%-raw=no", ["--deliver-by x"] = "%-%-deliver%-by:",
         ["--hold-until x"] = "%-%-hold%-until is",
         ["--mt-priority 10"] = "%-%-mt%-priority:",
         ["--extension requiretls=skip --requiretls"] = "%-%-extension requiretls=skip, but %-%-requiretls asks",
         ["--dkim x"] = "DOMAIN:SELECTOR:KEYFILE", ["--header x"] = "no colon",
         ["--auth-plaintext=maybe"] = "needs yes or no",
         ["--json --trace=maybe"] = '"kind":"usage"', ["--priority"] = "%-%-from is another flag",
         ["--attachments x"] = "Use %-%-attach", ["--headers x"] = "Use %-%-header",
         ["--extensions x"] = "Use %-%-extension", ["--dsn never"] = "%-%-dsn%-notify",
         ["--pass x"] = "no flag %-%-pass%. Use %-%-password%-env VARIABLE",
         ["--starttls"] = "Use %-%-tls implicit", ["--body x"] = "Use %-%-text TEXT", ["--rcpt x"] = "Use %-%-to",
         ["--port=x"] = "%-%-port: expected a whole number",
         ["--username ann --password-file /"] = "directory", ["--raw <&-"] = "standard input",
         ["smtp://ann:p@ss@mail.example.com"] = "a URL is given without %-%-url%. Write %-%-url URL",
         ["--html-file /nonexistent"] = "No such file",
         ["--attach /nonexistent"] = "%-%-attach cannot be read: /nonexistent" } do
         local port = flag:find("--port", 1, true) and "" or "--port 1 "
         local text, status = run("send --host localhost " .. port .. flag .. message)
         local is_unreadable = flag:find("-file /", 1, true) or flag:find("/nonexistent", 1, true)
            or flag == "--raw <&-"
         assert.equal(is_unreadable and 66 or 64, status, flag)
         assert.truthy(text:find(said), text)
      end
   end)

   it("takes a token and mechanisms", function()
      local said, status = run("send --host localhost --port 1 --username ann --token-env UNSET" .. message)
      assert.equal(64, status)
      assert.truthy(said:find("UNSET is not set", 1, true))
      said, status = run("send --host localhost --port 1 --username ann --token-env SECRET "
         .. "--auth-mechanisms xoauth2 --auth-mechanisms nonsense" .. message)
      assert.equal(64, status)
      assert.truthy(said:find('got "nonsense"', 1, true))
      assert.equal(66, (select(2, run("send --username ann --token-file /nonexistent" .. message))))
   end)

   it("takes what follows = as it is, even if it is empty", function()
      local pipe, port = start("--count 1")
      assert.equal(0, (select(2, run("send --host localhost --port " .. port
         .. " --from=ann@me.example --to=bob@there.example --subject= --text=a=b"))))
      local arrived = pipe:read("*a")
      pipe:close()
      assert.truthy(arrived:find "\nSubject: ?\n", arrived)
      assert.truthy(arrived:find("\na=b\n", 1, true), arrived)
   end)

   it("refuses a port that is not valid", function()
      for _, port in ipairs { "abc", "-1", "65536", "25.5" } do
         local text, status = run("sink --port " .. port)
         assert.equal(64, status, text)
      end
   end)
end)
