-- The command, run as its users run it: in a process of its own.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

local interpreter = peer.interpreter
local run, start, message = command.smtp, command.start_sink, command.message

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

   it("ends with another status where the recipients are not at fault", function()
      for line, status in pairs { ["550 5.1.1 User unknown"] = 67, ["550 no"] = 67,
         ["553 5.7.1 Sender address rejected: not owned by user ann"] = 77,
         ["504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname"] = 77,
         ["450 4.2.0 Greylisted"] = 75 } do
         local server = peer.start(([[
            local sock = accept()
            sock:send("220 hi\r\n")
            while true do
               local command = line(sock):sub(1, 4)
               if command == "" then break end
               sock:send((command == "RCPT" and %q or "250 ok") .. "\r\n")
               if command == "QUIT" then break end
            end
            sock:close()
         ]]):format(line))
         local said, found = run(("send --host localhost --port %d --json"):format(server.port) .. message)
         server.finish()
         assert.equal(status, found, line)
         if status == 77 then assert.matches('"concerns":"[sc]', said) end
      end
   end)

   it("names in JSON the hosts that were tried", function()
      local said, status = run("send --json --host 127.0.0.1 --host 127.0.0.2 --port 1" .. message)
      assert.equal(75, status)
      assert.truthy(said:find('"tried":["127.0.0.1:1 cannot be reached', 1, true), said)
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
      for _, line in ipairs { "send --config", "send --config=" .. message, "send --config a --config b",
         "send --attach=" .. message } do
         local said, found = run(line)
         assert.equal(64, found, line)
         assert.is_nil(said:find(" = ", 1, true), said)
      end
      for _, place in ipairs { "h:abc", "h:0", "h:", "h:65536", "[::1]:x" } do
         local said, found = run("probe " .. place)
         assert.equal(64, found, said)
         assert.matches('the port ".*" is not a number from 1 to 65535', said)
      end
      for _, flags in ipairs { "--timeout 30000", "--connect-timeout 301", "--reply-timeout 901", "--timeout nan",
         "--host mail.example.org:25", "--host unix:/x", "--domain localhost", "--domain 192.0.2.1",
         "--url smtp://h:99999", "--host h --url smtp://h:99999" } do
         for _, line in ipairs { "send" .. message, "probe" } do
            assert.equal(64, (select(2, run(line .. " " .. flags))), line .. " " .. flags)
         end
      end
      local words, code = run("nonsense")
      assert.equal(64, code)
      assert.truthy(words:find('there is no command "nonsense"', 1, true))
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
      assert.truthy(said:find('"warnings":[{"concerns":"account","hint":"Check the user name', 1, true), said)
      said, status = run("probe --host localhost --port " .. port) -- trusted by nobody: it connects twice
      assert.equal(0, status) -- the flags that it shows send without TLS
      assert.truthy(said:find("TLS           on, TLSv1.3, TLS_AES_256_GCM_SHA384, not verified, self_signed\n", 1,
         true), said)
      pipe:read("*a")
      pipe:close()
      assert.equal(75, (select(2, run("probe localhost:" .. port)))) -- nobody listens any more
      assert.equal(75, (select(2, run("probe localhost --port " .. port))))
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

   it("refuses a message from standard input that begins with the line of an mbox file", function()
      local said = command.own(("printf 'From ann Mon Nov 30\nSubject: x\n\nx\n' | %s csrc/lua-smtp send --raw "
         .. "--port 1 --from a@x.example --to b@x.example"):format(interpreter))
      assert.truthy(said:find("an mbox file", 1, true), said)
      assert.truthy(said:find("Remove that line", 1, true), said)
   end)
end)

describe("the command line", function()
   it("without a command is answered with what there is", function()
      local said, status = run ""
      assert.equal(64, status)
      assert.matches("^Usage: lua%-smtp COMMAND", said)
   end)

   it("is refused where it contradicts itself", function()
      for line, wanted in pairs {
         ["probe --host mx.example localhost"] = "the host is given twice",
         ["probe a.example:25 b.example:25"] = "is one too many",
         ["outbox put --store /nonexistent/x --dry-run" .. message] = "It belongs to lua-smtp send",
         ["sink --password-env SECRET"] = "--password needs --user",
         ["send --account work" .. message] = "--account work: there is no file with accounts",
      } do
         local said, status = run(line, "HOME=/nonexistent XDG_CONFIG_HOME= ")
         assert.equal(64, status, said)
         assert.matches(wanted, said, 1, true)
      end
   end)

   it("is answered where the file of a command is missing", function()
      local folder = os.tmpname()
      os.remove(folder)
      assert.equal("", command.run(("mkdir %s; cp -r lua %s; rm %s/lua/smtp/cli/probe.lua")
         :format(folder, folder, folder)))
      local whole = ("LUA_PATH='%s/lua/?.lua;;' "):format(folder)
      local said, status = run("probe localhost", whole)
      assert.equal("lua-smtp: module 'smtp.cli.probe' not found. Install lua-smtp again: its files are not complete.\n",
         said)
      assert.equal(75, status)
      said, status = run("probe localhost --json", whole)
      assert.equal(75, status)
      assert.matches('"kind":"system","reason":"resources"', said, 1, true)
      assert.equal(0, (select(2, run("--version", whole))))
      command.run("rm -r " .. folder)
   end)

   it("goes up to a point of the dialogue with --quit-after", function()
      local pipe, port = start "--count 1"
      local said, status = run(("send --host 127.0.0.1 --port %s --tls skip --quit-after RCPT"):format(port)
         .. " --from ann@me.example --to bob@there.example")
      assert.equal(0, status, said)
      assert.matches("quit after RCPT: no message was sent\n$", said)
      run(("send --host 127.0.0.1 --port %s --tls skip"):format(port) .. message)
      pipe:close()
   end)
end)
