-- The command at a terminal and under signals: spec/tools/terminal.py is the terminal. What a command would
-- leave is looked for in a folder of its own, which is TMPDIR for it.
local interpreter = require("spec.tools.peer").interpreter
local safe = require "smtp.safe"

local folder, started

local function sh(line)
   local pipe = io.popen("{ " .. line .. "; } 2>&1; echo status $?")
   local text = pipe:read("*a")
   pipe:close()
   return text:match("^(.*)status %d+\n$"), tonumber(text:match("status (%d+)\n$"))
end

local function command(line)
   return ("TMPDIR=%s SECRET=sesame-cmd %s csrc/lua-smtp %s"):format(folder, interpreter, line)
end

-- At a terminal, by steps. -> what it showed, its status, the notes about echo
local function at_terminal(steps, line, columns)
   local words = {}
   for i, step in ipairs(steps) do words[i] = "'" .. step .. "'" end
   local shown = sh(("env -u LD_PRELOAD python3 -B spec/tools/terminal.py %d %s -- "
      .. "env LD_PRELOAD=\"$LD_PRELOAD\" %s"):format(columns or 80,
      table.concat(words, " "), command(line)))
   local text, status, notes = shown:match("^(.*)\nstatus (%d+), echo ([^\n]*)\n")
   assert(status, shown)
   return text, tonumber(status), notes
end

-- A sink as another process. -> the lines it prints, its port or path, its process
local function start_sink(flags, errors)
   local pipe = io.popen("echo $$; exec env " .. command("sink " .. flags) .. " 2>" .. (errors or "/dev/null"))
   local pid = pipe:read("*l")
   started[#started + 1] = pid
   return pipe, pipe:read("*l"):match("([^: ]+)$"), pid
end

local function prepare()
   folder, started = os.tmpname(), {}
   os.remove(folder)
   os.execute("mkdir " .. folder)
end

-- What hangs where a spec has failed.
local function end_all()
   for _, pid in ipairs(started) do os.execute("kill -KILL " .. pid .. " 2>/dev/null") end
end

local function left_over()
   return (sh("ls " .. folder))
end

-- The guard of a certificate needs a moment after a process was killed.
local function soon_empty()
   for _ = 1, 100 do
      if left_over() == "" then return true end
      os.execute("sleep 0.02")
   end
   return left_over()
end

local message = " --from ann@me.example --to bob@there.example --subject Hi --text hello"

describe("lua-smtp at a terminal", function()
   before_each(prepare)
   after_each(function()
      end_all()
      local left = left_over()
      os.execute("rm -rf " .. folder)
      assert.equal("", left)
   end)

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
   end)

   it("asks for nothing where a password is given, or not needed", function()
      for _, flags in ipairs { "--username ann --password-env SECRET", "",
         "--url smtp://ann:sesame-cmd@localhost:1" } do
         local shown, status = at_terminal({}, "send --host localhost --port 1 " .. flags .. message)
         assert.equal(75, status, shown)
         assert.is_nil(shown:find(" for ann", 1, true))
      end
   end)

   it("echoes again after Ctrl-C, SIGTERM, Ctrl-D or a key that would stop it at the prompt", function()
      for step, wanted in pairs { ["type:ses\\x03"] = 130, ["signal:TERM"] = 143, ["type:\\x04"] = 64,
         ["type:\\x1a\\x1c\\n"] = 75 } do
         local shown, status, echo = at_terminal({ "expect:Password for ann", "echo", step },
            "send --host localhost --port 1 --username ann" .. message)
         assert.same({ wanted, "on off" }, { status, echo }, shown)
      end
   end)

   it("says what to do where standard input is not a terminal", function()
      for _, line in ipairs { "send --host localhost --port 1 --username ann" .. message, "probe ann@localhost:1",
         "sink --user ann" } do
         local said, status = sh(command(line) .. " </dev/null")
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
         said, status = sh(command(line:format(port) .. message))
         assert.equal(0, status, said)
         assert.matches("^lua%-smtp: warning: other users of this machine can see the password[^\n]*\nbob@", said)
         assert.is_nil(said:find("sesame", 1, true))
      end
      said, status = sh(command("probe ann:sesame-cmd@localhost:" .. port))
      assert.equal(0, status, said)
      assert.matches("can see the password of %-%-url", said)
      pipe:read("*a")
      pipe:close()
      assert.matches("warning: other users", (sh("cat " .. name)))
      os.remove(name)
      said, status = sh(command("send --host localhost --port 1 --username ann --token abcdefgh" .. message))
      assert.equal(75, status)
      assert.matches("can see the token", said)
      said, status = sh(command("send --username ann --password x --password-env SECRET" .. message))
      assert.equal(64, status)
      assert.matches("more than once", said)
   end)

   for step, ending in pairs { ["type:\\x03"] = { 130, "%^Clua%-smtp: interrupted\r\n$" },
      ["signal:TERM"] = { 143, "\nlua%-smtp: interrupted by SIGTERM\r\n$" },
      ["signal:HUP"] = { 129, "\nlua%-smtp: interrupted by SIGHUP\r\n$" } } do
      it("ends a sink, and leaves nothing: " .. step:gsub("\\x03", "Ctrl-C"), function()
         local shown, status = at_terminal({ "expect:trust", "wait:0.1", step },
            ("sink --tls starttls --socket %s/socket"):format(folder))
         assert.equal(ending[1], status, shown)
         assert.matches(ending[2], shown)
         assert.equal("", left_over())
      end)

      it("ends a send and a probe with one line: " .. step:gsub("\\x03", "Ctrl-C"), function()
         local silent = require("smtp.socket").listen("127.0.0.1", 0)
         local _, port = silent:getsockname()
         for _, line in ipairs { "send --host localhost --port " .. port .. message, "probe localhost:" .. port } do
            local shown, status = at_terminal({ "wait:0.3", step }, line)
            assert.equal(ending[1], status, shown)
            assert.matches("^[^\n]*lua%-smtp: interrupted[^\n]*\r\n$", shown)
         end
         silent:close()
      end)
   end

   -- The kernel takes the first half at once; the rest waits for the server for more than a second.
   it("shows a bar that advances with the bytes sent, at any width", function()
      local name = folder .. "/large"
      local file = assert(io.open(name, "wb"))
      file:write(("x"):rep(6000000))
      file:close()
      for _, columns in ipairs { 40, 200 } do
         local server = io.popen("exec env -u LD_PRELOAD python3 -B spec/tools/slow_server.py 3e6")
         local line = ("send --host localhost --port %s --attach %s"):format(server:read("*l"), name) .. message
         local shown, status = at_terminal({}, line, columns)
         server:close()
         assert.equal(0, status, shown)
         local last, count = -1, 0
         for state in shown:gmatch("\r\27%[K([^\r]*)") do
            assert(#state < columns, state)
            local percent = tonumber(state:match("(%d+)%%"))
            local sent, total = state:match("([%d,]+) of ([%d,]+) octets")
            percent = percent or tonumber((sent:gsub(",", ""))) / tonumber((total:gsub(",", ""))) * 100
            local rate = tonumber((state:match("([%d,]+)/s"):gsub(",", "")))
            assert(percent >= last and rate < 1e9, state)
            if percent > last then count = count + 1 end
            last = percent
         end
         assert.equal(100, last)
         assert(count >= 4, shown)
      end
      os.remove(name)
   end)

   it("shows no bar to a pipe", function()
      local server = io.popen("exec env -u LD_PRELOAD python3 -B spec/tools/slow_server.py 1e8")
      local name = folder .. "/large"
      os.execute("head -c 3000000 /dev/zero >" .. name)
      local line = ("send --host localhost --port %s --attach %s"):format(server:read("*l"), name)
      local said = sh(command(line .. message))
      server:close()
      os.remove(name)
      assert.equal("bob@there.example: accepted\n250 ok\n", said)
   end)
end)

describe("lua-smtp sink", function()
   before_each(prepare)
   after_each(function()
      end_all()
      local left = soon_empty()
      os.execute("rm -rf " .. folder)
      assert.is_true(left)
   end)

   it("leaves no certificate, even where it is killed", function()
      local pipe, _, pid = start_sink "--tls starttls"
      assert.matches("^trust ", pipe:read("*l"))
      assert.equal("drwx------ certificate.pem\n",
         (sh(("ls -ld %s/* | cut -c1-10 | tr '\\n' ' '; ls %s/*"):format(folder, folder))))
      os.execute("kill -KILL " .. pid)
      pipe:close()
      assert.is_true(soon_empty())
   end)

   it("makes a certificate for as long as it listens, in the same process", function()
      local function exists(name)
         local file = io.open(name)
         if file then file:close() end
         return file ~= nil
      end
      local one = assert(safe.sink { tls = "starttls" })
      for _ = 1, 2 do
         assert(one:listen())
         local name = one.tls_ca_file
         assert.is_true(exists(name))
         assert.is_false(exists((name:gsub("certificate", "key"))))
         one:close()
         assert.is_false(exists(name))
      end
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local name
      do
         local other = assert(safe.sink { tls = "starttls", port = select(2, listener:getsockname()) })
         local address, err = other:listen()
         assert.is_nil(address)
         assert.equal("connect", err.kind)
         assert.is_false(exists(other.tls_ca_file))
         local forgotten = assert(safe.sink { tls = "starttls" })
         assert(forgotten:listen())
         name = forgotten.tls_ca_file
      end
      collectgarbage()
      collectgarbage()
      assert.is_false(exists(name))
      listener:close()
   end)

   it("leaves nothing where its output is not read any more", function()
      local path = folder .. "/socket"
      local pipe = io.popen(command("sink --tls starttls --socket " .. path) .. " | head -n 1")
      assert.equal("listening on " .. path, pipe:read("*l"))
      for _ = 1, 2 do
         safe.send { url = "smtp://localhost", socket = path, from = "a@b.example", to = "c@d.example", raw = "x\r\n",
            reply_timeout = 5 }
      end
      pipe:close()
      assert.is_true(soon_empty())
   end)

   it("replaces a unix socket that a dead process left, and no other", function()
      local path = folder .. "/socket"
      local pipe, _, pid = start_sink("--socket " .. path)
      local said, status = sh(command("sink --count 1 --socket " .. path))
      assert.equal(69, status)
      assert.matches("another process listens", said)
      os.execute("kill -KILL " .. pid)
      pipe:close()
      assert.equal("socket\n", left_over())
      pipe = start_sink("--count 1 --socket " .. path)
      assert(safe.send { socket = path, from = "a@b.example", to = "c@d.example", raw = "x\r\n" })
      assert.matches("^%-%-%- from", pipe:read("*a"))
      pipe:close()
      os.execute("echo precious >" .. path)
      said, status = sh(command("sink --socket " .. path))
      assert.equal(69, status)
      assert.matches("is not a socket", said)
      os.execute(("mv %s %s/file; ln -s file %s"):format(path, folder, path))
      assert.equal(69, (select(2, sh(command("sink --socket " .. path)))))
      assert.equal("precious\n", (sh("cat " .. path)))
      os.execute(("rm %s %s/file"):format(path, folder))
   end)

   it("leaves the socket of a sink that took its place", function()
      local path = folder .. "/socket"
      local pipe, _, pid = start_sink("--socket " .. path)
      os.remove(path)
      local other, _, other_pid = start_sink("--socket " .. path)
      os.execute("kill " .. pid)
      pipe:read("*a")
      pipe:close()
      assert.equal("socket\n", left_over())
      os.execute("kill " .. other_pid)
      other:read("*a")
      other:close()
   end)

   it("shows nothing that a terminal would obey", function()
      local pipe, port = start_sink("--count 1 --trace", "&1")
      assert(safe.send { host = "127.0.0.1", port = port, from = "a@b.example", to = "c@d.example",
         raw = "X: \27]0;title\7\r\n\r\na\tb caf\195\169 \194\155 31m \226\128\174 \155 \rover\r\n", eightbit = true })
      local arrived = pipe:read("*a")
      pipe:close()
      assert.matches("caf\195\169", arrived)
      assert.matches("a\tb", arrived)
      assert.is_nil(arrived:find("[%z\1-\8\11-\31\127]"))
      for _, bytes in ipairs { "\194\155", "\226\128\174", " \155" } do assert.is_nil(arrived:find(bytes, 1, true)) end
   end)

   it("shows nothing in JSON, and in the words of a server, that a terminal would obey", function()
      local json = require("smtp.cli.output").json
      assert.equal([["\u001b\u009b\u202e\u061cé"]], json("\27\194\155\226\128\174\216\156é"))
      local printable = require("smtp.core").printable
      assert.equal("?a???b??\nc d?é", printable("\27a\226\128\174b\194\155\nc\td\255é"))
   end)

   it("says that its output could not be written", function()
      local said, status = sh(command("probe --version >/dev/full"))
      assert.equal(64, status, said)
      local pipe, port = start_sink "--count 1"
      said, status = sh(command("send --host localhost --port " .. port .. message .. " >/dev/full"))
      pipe:read("*a")
      pipe:close()
      assert.equal(74, status, said)
      assert.matches("standard output: No space left", said)
   end)
end)
