-- The command, run as its users run it: in a process of its own.
local first = 0
while arg[first - 1] do first = first - 1 end
local interpreter = assert(arg[first]:match("lua[%w.]*$"))

local function run(line)
   local pipe = io.popen(("SECRET=secret WRONG=wrong %s csrc/lua-smtp %s 2>&1; echo status $?")
      :format(interpreter, line))
   local text = pipe:read("*a")
   pipe:close()
   return text:match("^(.-)status %d+\n$"), tonumber(text:match("status (%d+)\n$"))
end

local function start(flags)
   local pipe = io.popen(("SECRET=secret %s csrc/lua-smtp sink %s 2>/dev/null"):format(interpreter, flags))
   local port = pipe:read("*l"):match("(%d+)$")
   local trust = flags:find("--tls", 1, true) and pipe:read("*l"):match("^trust (.*)$")
   return pipe, port, trust
end

local message = " --from ann@me.example --to bob@there.example --subject Hi --text hello"

describe("lua-smtp", function()
   it("sends over TLS with a password, and the sink prints what arrived", function()
      for _, tls in ipairs { "starttls", "implicit" } do
         local pipe, port, trust = start("--count 1 --tls " .. tls .. " --user ann --password-env SECRET")
         local said, status = run(("send --host localhost --port %s --tls %s --tls-ca-file %s "
            .. "--username ann --password-env SECRET"):format(port, tls == "implicit" and tls or "require",
            trust) .. message)
         local arrived = pipe:read("*a")
         pipe:close()
         assert.equal(0, status, said)
         assert.truthy(said:find("bob@there.example: accepted", 1, true))
         assert.truthy(arrived:find("authenticated as ann, over TLS", 1, true))
         assert.truthy(arrived:find("\nhello\n", 1, true))
      end
   end)

   it("ends with the status of sysexits", function()
      local pipe, port = start("--count 3")
      local to = "send --host localhost --port " .. port
      assert.equal(69, (select(2, run(to .. " --username ann --password-env SECRET" .. message))))
      assert.equal(0, (select(2, run(to .. " --username ann --password-env SECRET --auth prefer" .. message))))
      local json, status = run(to .. " --json" .. message)
      assert.equal(0, status)
      assert.truthy(json:find('"accepted":["bob@there.example"]', 1, true))
      assert.truthy(json:find('"extensions":{}', 1, true)) -- a map, though nothing is in it
      pipe:read("*a")
      pipe:close()
      assert.equal(75, (select(2, run(to .. message)))) -- nobody listens any more
      assert.equal(64, (select(2, run("send --nonsense x"))))
      assert.equal(64, (select(2, run("send --host"))))
      for _, flags in ipairs { "--timeout 30000", "--connect-timeout 301", "--reply-timeout 901", "--timeout nan",
         "--host mail.example.org:25", "--host unix:/x", "--domain localhost", "--domain 192.0.2.1",
         "--url smtp://h:99999", "--host h --url smtp://h:99999" } do
         for _, command in ipairs { "send" .. message, "probe" } do
            assert.equal(64, (select(2, run(command .. " " .. flags))), command .. " " .. flags)
         end
      end
      assert.equal(64, (select(2, run("nonsense"))))
      assert.equal(0, (select(2, run("--help"))))
      assert.equal(0, (select(2, run("send --help"))))
   end)

   it("builds a message of parts from its flags", function()
      local name = os.tmpname()
      local function write(suffix, text)
         local file = assert(io.open(name .. suffix, "wb"))
         file:write(text)
         file:close()
      end
      write(".html", "<p>hello</p>")
      write(".csv", "a;b\n")
      write(".ics", "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")
      os.execute("openssl genpkey -algorithm ed25519 -out " .. name .. ".pem 2>/dev/null")
      local pipe, port = start("--count 1")
      local said, status = run(("send --host localhost --port %s --html-file %s.html --attach %s.csv "
         .. "--calendar %s.ics --header 'X-One: 1' --header 'X-Two: 2' --priority high --references '<a@b>' "
         .. "--list-unsubscribe https://me.example/u --one-click --dkim me.example:s1:%s.pem"):format(port, name,
         name, name, name) .. message)
      local arrived = pipe:read("*a")
      pipe:close()
      assert.equal(0, status, said)
      for _, line in ipairs { "DKIM-Signature: v=1; a=ed25519-sha256", "X-One: 1\nX-Two: 2", "X-Priority: 1",
         "References: <a@b>", "List-Unsubscribe: <https://me.example/u>", "multipart/mixed",
         "text/calendar; charset=utf-8; method=REQUEST", "<p>hello</p>", "text/csv" } do
         assert.truthy(arrived:find(line, 1, true), line .. "\n" .. arrived)
      end
      for _, suffix in ipairs { "", ".html", ".csv", ".ics", ".pem" } do os.remove(name .. suffix) end
   end)

   it("probes a server, and prints what it offers", function()
      local pipe, port, trust = start("--count 4 --tls starttls --user ann --password-env SECRET")
      local to = ("probe smtp://localhost:%s --tls-ca-file %s "):format(port, trust)
      local said, status = run(to .. "--username ann --password-env SECRET")
      assert.equal(0, status, said)
      for _, line in ipairs { "localhost:" .. port .. " (127.0.0.1)", "greeting      sink.example ESMTP sink",
         "before TLS    8BITMIME, CHUNKING, DSN, ENHANCEDSTATUSCODES, PIPELINING, SIZE 52428800, "
            .. "SMTPUTF8, STARTTLS\n",
         "TLS           on, TLSv1.3, ", "certificate   CN=localhost\n", "for         localhost, 127.0.0.1, ::1\n",
         "AUTH          authenticated by PLAIN\n", "PLAIN       can be used\n",
         "seconds       connect ", 'tls = "require"', "\nwarning: the certificate expires in " } do
         assert.truthy(said:find(line, 1, true), line .. "\n" .. said)
      end
      said, status = run(to:gsub("smtp://", "") .. "--username ann --password-env WRONG --json")
      assert.equal(77, status, said)
      assert.truthy(said:find('"offered":["PLAIN","LOGIN"],"reason":"rejected","state":"failed"', 1, true), said)
      assert.truthy(said:find('"warnings":[{"hint":"Check username', 1, true), said)
      said, status = run("probe --host localhost --port " .. port) -- trusted by nobody: it connects twice
      assert.equal(76, status)
      assert.truthy(said:find("TLS           on, TLSv1.3, TLS_AES_256_GCM_SHA384, not verified, self_signed\n", 1,
         true), said)
      pipe:read("*a")
      pipe:close()
      assert.equal(75, (select(2, run("probe localhost:" .. port)))) -- nobody listens any more
      assert.equal(64, (select(2, run("probe localhost --subject x"))))
   end)

   it("asks extensions for what they can do", function()
      local pipe, port = start("--count 2")
      local asked = "send --json --host localhost --port " .. port .. " --dsn-notify failure --dsn-notify delay "
         .. "--dsn-ret hdrs --dsn-envid 'order 17' --deliver-by 60 --hold-for 5 --mt-priority -3"
      local preferred = ""
      for _, name in ipairs { "dsn", "deliverby", "futurerelease", "mt-priority" } do
         preferred = preferred .. " --extension " .. name .. "=prefer"
      end
      local said, status = run(asked .. preferred .. message)
      assert.equal(0, status, said)
      assert.truthy(said:find('"extensions":{"deliverby":"unavailable","dsn":"used",'
         .. '"futurerelease":"unavailable","mt-priority":"unavailable"}', 1, true), said)
      said, status = run(asked .. message)
      assert.equal(69, status, said)
      assert.truthy(said:find('"reason":"deliverby"', 1, true), said)
      pipe:read("*a")
      pipe:close()
   end)

   it("says what is wrong with a flag", function()
      for flag, said in pairs { ["--extension dsn"] = "KEYWORD=WORD", ["--extension dsm=skip"] = "Did you mean dsn",
         ["--dsn-notify x"] = "dsn.notify", ["--dsn-ret x"] = "dsn.ret", ["--deliver-by x"] = "deliver_by",
         ["--hold-until x"] = "hold_until", ["--mt-priority 10"] = "mt_priority",
         ["--extension requiretls=skip --requiretls"] = "extensions.requiretls",
         ["--dkim x"] = "DOMAIN:SELECTOR:KEYFILE", ["--header x"] = "no colon",
         ["--auth-plaintext=no"] = "takes no value", ["--json --trace=no"] = '"kind":"usage"',
         ["--subject"] = "no option", ["--attachments x"] = "Use %-%-attach", ["--headers x"] = "Use %-%-header",
         ["--extensions x"] = "Use %-%-extension", ["--dsn never"] = "%-%-dsn%-notify",
         ["--port=x"] = "port is not a number",
         ["--username ann --password-file /"] = "directory", ["--raw <&-"] = "standard input",
         ["--html-file /nonexistent"] = "No such file", ["--attach /nonexistent"] = "attachments%[1%].path" } do
         local text, status = run("send --host localhost --port 1 " .. flag .. message)
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
      assert.truthy(said:find('there is no mechanism "nonsense"', 1, true))
      assert.equal(64, (select(2, run("send --username ann --token-file /nonexistent" .. message))))
   end)

   it("takes what stands behind = as it is, be it nothing", function()
      local pipe, port = start("--count 1")
      assert.equal(0, (select(2, run("send --host localhost --port " .. port .. message .. " --subject= --text=a=b"))))
      local arrived = pipe:read("*a")
      pipe:close()
      assert.truthy(arrived:find("\nSubject:\n", 1, true), arrived)
      assert.truthy(arrived:find("\na=b\n", 1, true), arrived)
   end)

   it("listens on no port that is none", function()
      for _, port in ipairs { "abc", "-1", "65536", "25.5" } do
         local text, status = run("sink --port " .. port)
         assert.equal(64, status, text)
      end
   end)

   it("reads a whole message from standard input", function()
      local pipe, port = start("--count 1")
      local sent = io.popen(("printf 'Subject: raw\\n\\n.body\\n' | %s csrc/lua-smtp send --raw --host "
         .. "localhost --port %s --from a@x.example --to b@x.example"):format(interpreter, port))
      sent:read("*a")
      sent:close()
      local arrived = pipe:read("*a")
      pipe:close()
      assert.truthy(arrived:find("Subject: raw\n\n.body\n", 1, true))
   end)
end)

describe("the examples", function()
   for _, name in ipairs { "send", "without_auth" } do
      it("run as they stand: " .. name, function()
         local pipe = io.popen(interpreter .. " examples/" .. name .. ".lua 2>&1; echo status $?")
         local said = pipe:read("*a")
         pipe:close()
         assert.truthy(said:find("status 0", 1, true), said)
      end)
   end
end)

describe("JSON of the sink", function()
   it("is a line for its address, for each message and for an error", function()
      local pipe = io.popen(interpreter .. " csrc/lua-smtp sink --json --count 1 2>/dev/null")
      local port = pipe:read("*l"):match('^{"address":"127.0.0.1","port":(%d+)}$')
      assert.equal(0, (select(2, run("send --host localhost --port " .. port .. message))))
      local arrived = pipe:read("*l")
      assert.is_nil(pipe:read("*l"))
      pipe:close()
      for _, part in ipairs { '"from":"ann@me.example"', '"to":["bob@there.example"]', '"tls":false',
         '"recipients":[{"address":"bob@there.example","parameters":{}}]', '"data":"' } do
         assert.truthy(arrived:find(part, 1, true), part .. "\n" .. arrived)
      end
      local said, status = run "sink --json --port 99999"
      assert.equal(64, status)
      assert.truthy(said:find('"option":"port"', 1, true), said)
   end)
end)

describe("JSON", function()
   local json = require("smtp.cli.output").json
   local safe = require "smtp.safe"

   it("writes an empty list as [] and an empty map as {}", function()
      local sink = safe.sink { capabilities = {} }
      local receipt = assert(safe.send { transport = sink:transport(), tls = "skip", from = "a@b.example",
         to = "c@d.example", text = "", auth = "prefer" })
      local text = json(receipt)
      for _, part in ipairs { '"refused":[]', '"extensions":{}', '"capabilities":{}', '"offered":[]' } do
         assert.truthy(text:find(part, 1, true), part .. "\n" .. text)
      end
      text = json(assert(safe.probe { transport = sink:transport(), tls = "skip" }))
      for _, part in ipairs { '"before_tls":{"capabilities":{},"mechanisms":[]}', '"limits":{}', '"offered":[]',
         '"usable":{}' } do
         assert.truthy(text:find(part, 1, true), part .. "\n" .. text)
      end
      sink = safe.sink { faults = { ehlo = "550 no" } }
      text = json(assert(safe.probe { host = "mx.example", transport = sink:transport() }))
      assert.truthy(text:find('"options":{}', 1, true), text)
      assert.truthy(json({ recipients = {}, warnings = {} }):find('"recipients":[],"warnings":[]', 1, true))
      assert.equal('{"auth":{"mechanisms":{}}}', json { auth = { mechanisms = {} } })
      assert.equal('{"options":{"auth_mechanisms":["PLAIN"],"extensions":{}}}',
         json { options = { auth_mechanisms = { "PLAIN" }, extensions = {} } })
   end)

   it("is JSON whatever a server says, and however long it took", function()
      assert.equal('"gr\195\188n \\u001b\\"\\\\"', json("gr\195\188n \27\"\\"))
      assert.equal('"gr\195\188n"', json("gr\252n")) -- Latin-1
      assert.equal("[null,null,0.500000,7,true]", json { 0 / 0, 1 / 0, 0.5, 7, true })
   end)
end)
