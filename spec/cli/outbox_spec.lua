-- lua-smtp outbox, in processes of its own.
local command = require "spec.tools.command"
local keeper = require "spec.tools.keeper"
local outboxes = require "spec.tools.outboxes"

describe("lua-smtp outbox", function()
   local sink, store

   setup(function() sink = keeper.start [[faults = { rcpt = function(line)
      if line:find("nobody", 1, true) then return "550 5.1.1 unknown" end
   end }]] end)

   teardown(function() sink.stop() end)

   before_each(function() store = " --store " .. outboxes.path() end)

   after_each(outboxes.clean)

   local function outbox(words)
      return command.smtp("outbox " .. words .. store)
   end

   local function server()
      return (" --host localhost --port %d --tls skip "):format(sink.port)
   end

   local function put(words)
      local said, status = outbox("put -f ann@example.org -s Hi --text hello " .. words .. server())
      assert.equal(0, status, said)
      return said:match("^(%S+)\n$")
   end

   it("accepts messages, delivers them, and shows what became of them", function()
      local id = put "-t bob@example.net"
      assert.equal("order-7", put "-t nobody@example.net,eve@example.net --id order-7")
      assert.matches("queued  bob@example.net  due", (outbox "list"))
      local said, status = outbox("run --once" .. server())
      assert.equal(67, status)
      assert.matches(id .. "  sent  bob@example.net\n", said, 1, true)
      local line = "order-7  sent  eve@example.net;  failed  nobody@example.net  "
         .. "550 5.1.1 unknown (unknown_recipient)\n"
      assert.matches(line, said, 1, true)
      assert.matches("2 sent (1 recipient refused), 0 failed, 0 in doubt", said, 1, true)
      assert.matches(line, (outbox "list"), 1, true)
      said = outbox "show order-7"
      assert.matches("to <nobody@example.net>  failed  550 5.1.1 unknown (unknown_recipient)\n", said, 1, true)
      assert.matches("to <eve@example.net>  sent  250", said, 1, true)
      assert.matches("sent       2\n", (outbox "stats"))
      assert.matches("^order%-7 [^\n]*\n$", (outbox "list --to eve@example.net"))
   end)

   it("takes the flags of secrets with each action, and reads them where it logs in", function()
      local secrets = " --password-env NONE_SUCH --token-file /nonexistent --proxy-env NONE_SUCH "
      put("-t bob@example.net" .. secrets)
      for _, action in ipairs { "list", "stats" } do
         local said, status = outbox(action .. secrets .. server())
         assert.equal(0, status, said)
      end
      local said, status = outbox("run --once" .. secrets .. server())
      assert.equal(64, status, said)
      assert.matches("the variable NONE_SUCH is not set", said, 1, true)
   end)

   it("takes a user without a password, which only run needs", function()
      put "-t bob@example.net --username ann"
      local said, status = outbox("list --username ann" .. server())
      assert.equal(0, status, said)
      assert.matches("queued  bob@example.net", said, 1, true)
   end)

   describe("with an account", function()
      local own, path, config
      setup(function() own = keeper.start [[auth = { users = { ann = "tulip-31" }, before_tls = true },
         require_auth = true]] end)
      teardown(function() own.stop() end)

      before_each(function()
         path = os.tmpname()
         config = " --config " .. path
      end)
      after_each(function() os.remove(path) end)

      local function write(more)
         command.write(path, ([[return { accounts = { work = { host = "localhost", port = %d, username = "ann",
            password = "tulip-31", auth_plaintext = true%s } } }]]):format(own.port, more or ""))
         os.execute("chmod 600 " .. path)
      end

      local function accept(words)
         local said, status = outbox("put -s Hi --text hello -t bob@example.net" .. words)
         assert.equal(0, status, said)
      end

      local function deliver(words, count)
         local said, status = outbox("run --once" .. words)
         assert.equal(0, status, said)
         assert.matches(count .. " sent, 0 failed", said, 1, true)
      end

      it("takes the server from it, and the sender of each message where the message has none", function()
         write ', from = "Ann <ann@example.org>"'
         accept(config)
         accept(config .. " -f eve@example.org --account work")
         local said, status = command.smtp("sendmail" .. config .. store .. " bob@example.net <README.md")
         assert.equal(0, status, said)
         for _, words in ipairs { "", config, " --no-config", config .. " --account work",
            " --no-config --name ann@localhost:" .. own.port } do
            said, status = outbox("stats" .. words)
            assert.equal(0, status, said)
            assert.matches("queued     3", said, 1, true)
            assert.matches("queued  bob@example.net", (outbox("list" .. words)), 1, true)
         end
         deliver(config, 3)
         assert.equal("ann@example.org eve@example.org ann@example.org", table.concat({ own.next().from,
            own.next().from, own.next().from }, " "))
      end)

      it("takes the user as the sender, and the name of another outbox", function()
         write()
         command.write(path, command.read(path):gsub('"ann"', '"ann@example.org"'))
         accept(config)
         assert.matches("ann@example.org@localhost", (outbox "stats"), 1, true)
         write ', from = "ann@example.org"'
         accept(config .. " --name shop")
         assert.matches("several outboxes", (outbox("list --no-config")))
         deliver(config .. " --name shop", 1)
         own.next()
      end)

      it("keeps a user name that is the password out of the store", function()
         write ', from = "ann@example.org"'
         command.write(path, (command.read(path):gsub("tulip%-31", "ann")))
         accept(config)
         assert.matches("^localhost:", (outbox "stats"))
         assert.matches("queued     1", (outbox("stats --account work" .. config)))
      end)
   end)

   it("logs in with a password, or with a token", function()
      local own = keeper.start [[auth = { users = { ann = "secret" }, tokens = { ann = "secret" }, before_tls = true },
         require_auth = true]]
      for _, flag in ipairs { "password", "token" } do
         local place = (" --host localhost --port %d --tls skip --username ann "):format(own.port)
         outbox("put -f ann@example.org -t bob@example.net -s Hi --text hello" .. place)
         local said, status = outbox(("run --once --auth-plaintext --%s-env SECRET"):format(flag) .. place)
         assert.equal(0, status, said)
         assert.matches("1 sent, 0 failed", said, 1, true)
      end
      own.stop()
   end)

   it("prints JSON", function()
      local id = put "-t bob@example.net --json"
      assert.matches('{"id":"%x+"}', id)
      assert.matches('^%[{"attempts":%[%],"created":', (outbox "list --json"))
      assert.matches('"queued":1', (outbox "stats --json"))
      assert.matches('"sent":1}\n$', (outbox("run --once --json" .. server())))
   end)

   it("settles, cancels and retries", function()
      local id = put "-t nobody@example.net"
      assert.equal(id .. "  cancelled  nobody@example.net\n", (outbox("cancel " .. id)))
      assert.matches("queued  nobody@example.net", (outbox("retry " .. id)))
      outbox("run --once" .. server())
      local said, status = outbox("resolve " .. id .. " sent")
      assert.equal(64, status)
      assert.matches("^lua%-smtp: the message " .. id .. " cannot be resolved: its state is failed", said)
   end)

   it("takes the mail of programs that expect sendmail", function()
      local said, status = command.smtp("sendmail" .. store .. server()
         .. "--domain box.example -f ann@example.org eve@example.net nobody@example.net <README.md")
      assert.equal("", said)
      assert.equal(0, status)
      said = outbox("run --once" .. server())
      assert.matches("sent  eve@example.net;  failed  nobody@example.net", said, 1, true)
   end)

   it("says what is missing", function()
      local said, status = command.smtp "outbox"
      assert.equal(64, status)
      assert.matches("put, run, list, show, retry, cancel, resolve and stats", said)
      assert.matches("outbox show needs ID before the flags", (outbox "show"))
      assert.matches("%-%-store is missing", (command.smtp "outbox stats"))
      local path = store:match("%S+$")
      for _, words in ipairs { "stats", "list", "show x" .. server(), "retry x --name y" } do
         said, status = outbox(words)
         assert.equal(64, status)
         assert.matches("--store " .. path .. ": No such file", said, 1, true)
         assert.is_nil(io.open(path))
      end
      local pipe = path .. ".pipe"
      command.run("mkfifo " .. pipe)
      for other, kind in pairs { ["/"] = "a directory", ["/dev/null"] = "a device, a pipe or a socket",
         [pipe] = "a device, a pipe or a socket" } do
         said, status = command.smtp("outbox stats --store " .. other)
         assert.equal(64, status)
         assert.matches(("--store: %s is %s, not a file"):format(other, kind), said, 1, true)
      end
      os.remove(pipe)
      command.write(path, "")
      assert.matches("the store has no messages", (outbox "stats"))
      assert.matches("no message with the id x", (outbox("show x" .. server())))
      assert.matches("outbox has no action send", (outbox "send"))
      assert.matches("%-%-lease", (outbox("run --lease soon" .. server())))
   end)

   it("of another user says so", function()
      local open = io.open
      io.open = function(path) return nil, path .. ": Permission denied", 13 end -- luacheck: ignore
      local ok, err = pcall(require("smtp.cli.outbox_options").open, { store = "/srv/mail.db" })
      io.open = open -- luacheck: ignore
      assert.is_false(ok)
      assert.matches("^Run it as the user whose outbox it is", err.hint)
   end)

   it("says in its own words why nothing is sent", function()
      local nowhere = " --host localhost --port 1 --tls skip"
      outbox("put -f ann@example.org -t bob@example.net -s Hi --text hello" .. nowhere)
      local said = outbox("run --once" .. nowhere)
      assert.matches("waiting: since %d+%-%d+%-%d+ [%d:]+: .*Check %-%-host and %-%-port 1: ", said)
      assert.matches("; next attempt in %d+ s, or at once after lua%-smtp outbox retry ID\n", said)
      for _, form in ipairs { "stats", "stats --json" } do
         assert.matches("Check %-%-host and %-%-port 1: ", (outbox(form)))
      end
   end)

   it("says of which other outboxes the store is, if there is nothing to do", function()
      put "-t bob@example.net"
      local said = outbox("run --once --name shop" .. server())
      assert.matches("nothing waits in the outbox shop, but the store has others (--name): localhost:" .. sink.port,
         said, 1, true)
      assert.matches("0 sent", said)
      assert.equal("lua-smtp: there are no messages in the outbox shop, but the store has others (--name): localhost:"
         .. sink.port .. "\n", (outbox "list --name shop"))
      assert.equal("", (outbox "list --name shop --state sent"))
      assert.matches("^[^\n]*  sent  [^\n]*\n1 sent[^\n]*\n$", (outbox("run --once" .. server())))
      assert.matches("^0 sent[^\n]*\n$", (outbox("run --once" .. server())))
   end)

   it("has remedies for a shell", function()
      local said = outbox("put --at soon -f ann@example.org -t bob@example.net --text hello" .. server())
      assert.matches([[Write --at "$(date -d '1 hour' +%s)".]], said, 1, true)
      put "-t bob@example.net --id a"
      assert.matches("Write lua-smtp outbox resolve ID sent.\n", (outbox "resolve a maybe"), 1, true)
      said = command.smtp "send -f ann@example.org -t bob@example.net --text hello --references x"
      assert.matches("at most 900 bytes).\n", said, 1, true)
      said = command.smtp "send -f ann@example.org -t bob@example.net --text hello --dkim x"
      assert.matches("Write --dkim example.org:2026:/etc/mail/key.pem.\n", said, 1, true)
   end)

   it("keeps no messages in Redis, and does not show the URL", function()
      for _, action in ipairs { "stats", "run --once", "put -f a@b.example -t c@d.example --text Hi" } do
         local said, status = command.smtp("outbox " .. action .. " --store redis://:sesame-94@localhost" .. server())
         assert.equal(64, status)
         assert.matches("^lua%-smtp: %-%-store: .* got a URL%. Give the path of an SQLite file", said)
         assert.is_nil(said:find "sesame")
         said = command.smtp("outbox " .. action .. " --store Postgres://ann:sesame-94@localhost")
         assert.matches("got a URL%. Give the path of an SQLite file", said)
         assert.is_nil(said:find "sesame")
      end
   end)

   it("shows its help after an action, too", function()
      local help = require "smtp.cli.help"
      local shown = help.of_command(require("smtp.cli.flag_table").command "outbox")
      for _, form in ipairs { "put --help", "list -h", "run --store x --help" } do
         assert.same({ shown, 0 }, { command.smtp("outbox " .. form) })
      end
   end)

   it("says until when another runner has a message", function()
      put "-t bob@example.net --id a"
      local file = assert(require("smtp.outbox.sqlite").open(store:match "%S+$"))
      local now = os.time()
      local ends = os.date("%Y-%m-%d %H:%M:%S", now + 3600)
      local claimed = file:claim("localhost:" .. sink.port, now, now + 3600, 7, 1)
      assert.matches("claimed  bob@example.net  until " .. ends, (outbox "list"), 1, true)
      assert(file:commit("localhost:" .. sink.port, {}, { { number = claimed[1].number, claim = 7, bytes = "x" } }))
      file:close()
      assert.matches("ending\n.*   until " .. ends:gsub("%-", "%%-"), (outbox "show a"))
      local said, status = outbox("run --once" .. server())
      assert.equal(0, status)
      assert.matches("waiting: another runner has 1 message. If it has ended, run again after " .. ends, said, 1, true)
   end)

   it("says by the status of run what did not arrive", function()
      local own = keeper.start [[auth = { users = { ann = "tulip-32" }, before_tls = true },
         faults = { mail = function(line)
            return line:find("full@", 1, true) and "452 4.3.1 full" or line:find("bad@", 1, true) and "550 5.1.0 no"
         end, rcpt = function(line)
            cut = line:find("cut@", 1, true) ~= nil
            return line:find("later@", 1, true) and "450 4.2.1 later"
         end, final = function() return cut and "drop" or nil end }]]
      local place = (" --host localhost --port %d --tls skip "):format(own.port)
      local function run(sender, recipients, more)
         local name = " --name " .. sender
         outbox(("put -f %s@example.org -t %s -s Hi --text hello --no-config"):format(sender, recipients)
            .. place .. name)
         local said, status = outbox("run --once --auth-plaintext --no-config " .. (more or "") .. place .. name)
         return status, said
      end
      assert.equal(0, (run("ann", "bob@example.net")))
      assert.equal(75, (run("eve", "later@example.net")))
      assert.equal(75, (run("full", "bob@example.net")))
      assert.equal(65, (run("bad", "bob@example.net")))
      assert.equal(74, (run("joe", "cut@example.net")))
      assert.equal(77, (run("ann", "bob@example.net", "--username ann --password-env WRONG")))
      own.stop()
      assert.equal(75, (run("joe", "bob@example.net")))
      assert.equal(75, (run("joe", "bob@example.net"))) -- it waits already
   end)

   it("finishes what is in progress when SIGTERM comes", function()
      put "-t bob@example.net"
      local name = os.tmpname()
      local program = require("spec.tools.peer").interpreter .. " csrc/lua-smtp outbox run" .. store
         .. server()
      local said = command.own(([[sh -c '%s >%s 2>&1 & pid=$!
         i=0; until grep -q sent %s || [ $i = 100 ]; do sleep 0.1; i=$((i + 1)); done
         kill $pid; wait $pid; echo status $?; cat %s']]):format(program, name, name, name))
      os.remove(name)
      assert.matches("^status 0\n", said)
      assert.matches("1 sent, 0 failed, 0 in doubt", said)
   end)
end)
