local command = require "spec.tools.command"

local run, start, message = command.smtp, command.start_sink, command.message

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
         assert.equal(64, status, flag)
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
      assert.equal(64, (select(2, run("send --username ann --token-file /nonexistent" .. message))))
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
