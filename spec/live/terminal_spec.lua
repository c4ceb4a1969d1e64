-- The command at a real terminal, and in real shells. It runs once, under one Lua.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local terminal = require "spec.tools.terminal"

local at_terminal, message, sh = terminal.run, command.message, terminal.sh
local folder

-- A server that reads slowly. -> its pipe, its port
local function slow_server(arguments)
   local pipe = io.popen("exec env -u LD_PRELOAD python3 -B spec/tools/slow_server.py " .. arguments)
   return pipe, pipe:read("*l")
end

-- A message of so many bytes at a terminal, to such a server; `at` is { rate =, cut =, steps =, flags =, environment =,
-- columns = }. -> what the terminal showed, the status of the command
local function send_large(at)
   local name = folder .. "/large"
   command.write(name, ("x"):rep(at.bytes or 6000000))
   local server, port = slow_server(("%s %s"):format(at.rate or 6e6, at.cut or ""))
   local shown, status, notes = at_terminal(at.steps or {}, ("send --host localhost --port %s %s --attach %s")
      :format(port, at.flags or "", name) .. message, at.columns, at.environment)
   server:close()
   os.remove(name)
   return shown, status, notes
end

-- The states of the line, without those that erase it, and what follows it.
local function frames(shown)
   local list = {}
   for state in shown:gmatch("\r([^\r\n]*)\27%[K") do
      if state ~= "" then list[#list + 1] = state end
   end
   return list
end

local function in_a_folder()
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)
end

describe("The prompt at a terminal", function()
   in_a_folder()

   it("shows no password, a wrong one neither, and Ctrl-C gives the echo back", function()
      local pipe, port = terminal.start_sink "--count 2 --user ann --password-env SECRET"
      local line = "send --host localhost --port " .. port .. " --username ann" .. message
      local rows = { { "type:sesame-cmd\\n", 0, "bob@there.example: accepted" },
         { "type:sesame-wrong\\n", 77, "535 5.7.8" }, { "type:sesame\\x03", 130, "interrupted" } }
      for _, row in ipairs(rows) do
         local shown, status, echo = at_terminal({ "expect:Password for ann at localhost: ", "echo", row[1] }, line)
         assert.same({ row[2], "on off" }, { status, echo }, shown)
         assert.is_nil(shown:find("sesame", 1, true))
         assert.matches(row[3], shown, 1, true)
      end
      pipe:close()
   end)
end)

describe("The text typed at a terminal", function()
   in_a_folder()

   it("ends with Ctrl-D, and Ctrl-C sends nothing", function()
      local pipe, port = terminal.start_sink "--count 1"
      local line = "send -S localhost -p " .. port .. " -f ann@me.example -s Hi bob@there.example"
      local shown, status = at_terminal({ "expect:end it with Ctrl-D", "type:not this\\n\\x03" }, line)
      assert.equal(130, status, shown)
      assert.matches("lua-smtp: interrupted\r\n", shown, 1, true)
      shown, status = at_terminal({ "expect:end it with Ctrl-D", "type:At noon?\\n\\x04" }, line)
      assert.equal(0, status, shown)
      local arrived = pipe:read("*a")
      pipe:close()
      assert.matches("\nAt noon?\n", arrived, 1, true)
      assert.is_nil(arrived:find("not this", 1, true))
   end)
end)

describe("The progress of a large message", function()
   in_a_folder()

   it("has one line at 200, 40 and 10 columns, which only advances, and at last the time that it took", function()
      for columns, last in pairs { [200] = "^%[=+%] 100%%, 7.83 of 7.83 MiB, [%d.]+ %a+/s, in 0:0%d$",
         [40] = "^7.83 of 7.83 MiB, [%d.]+ %a+/s, in 0:0%d$", [10] = "^100%%$" } do
         local shown, status = send_large { columns = columns }
         assert.equal(0, status, shown)
         local list, before = frames(shown), -1
         assert(#list >= 4 and #list <= 40, shown)
         for _, state in ipairs(list) do
            assert(#state < columns, state)
            local done = tonumber(state:match("([%d.]+) of") or state:match("([%d.]+)%%"))
            assert(done >= before, shown)
            before = done
         end
         assert.matches(last, list[#list])
         assert.matches("\27%[K\r\nbob@there.example: accepted\r\n250 ok\r\n$", shown)
      end
   end)

   it("follows the size of the terminal", function()
      local shown = send_large { columns = 80, steps = { "expect:MiB/s", "size:20" } }
      local list = frames(shown)
      assert.matches("^%[[ =]+%] ", list[1])
      assert(#list[#list] < 20, shown)
   end)

   it("is erased where the message fails", function()
      local shown, status = send_large { cut = 4000000 }
      assert.equal(74, status, shown)
      assert.matches("MiB/s", shown)
      assert.matches("\r\27%[Klua%-smtp: [^\r\27]*closed the connection[^\r\27]*\r\n$", shown)
   end)

   it("is erased by Ctrl-C, which says what was sent", function()
      local shown, status, echo = send_large { steps = { "expect:MiB/s", "type:\\x03" } }
      assert.same({ 130, "on " }, { status, echo }, shown)
      assert.matches("\r\27%[Klua%-smtp: interrupted after %d.%d%d of 7.83 MiB of the message: the server does not "
         .. "deliver an incomplete message\r\n$", shown)
   end)

   it("goes with --json, and not with --trace, TERM=dumb, an unknown terminal, the background or a pipe", function()
      local fast = 1e9
      local bytes = 1500000
      local shown = send_large { flags = "--json", rate = fast, bytes = bytes }
      assert.matches('in 0:0%d\27%[K\r\n{"accepted"', shown)
      for _, at in ipairs { { flags = "--trace" }, { environment = "TERM=dumb" }, { environment = "TERM=" } } do
         at.rate, at.bytes = fast, bytes
         shown = send_large(at)
         assert.matches("accepted", shown)
         assert.is_nil(shown:find("MiB", 1, true), shown)
      end
      for _, redirection in ipairs { "& wait", "2>&1 | cat" } do
         local server, port = slow_server(fast)
         command.write(folder .. "/large", ("x"):rep(bytes))
         shown = terminal.run_program({}, ("sh -mc '%s %s'"):format(terminal.command(("send --host localhost --port %s "
            .. "--attach %s/large"):format(port, folder) .. message), redirection))
         server:close()
         os.remove(folder .. "/large")
         assert.matches("accepted", shown)
         assert.is_nil(shown:find("MiB", 1, true), shown)
      end
   end)
end)

describe("Colours", function()
   in_a_folder()

   it("are shown at a terminal, and not with NO_COLOR, TERM=dumb, --json or in a pipe", function()
      local pipe, port = terminal.start_sink "--count 9"
      local function run(line, environment)
         return (at_terminal({}, line:format(port), 80, environment))
      end
      local send, probe = "send --host localhost --port %s" .. message,
         "probe localhost:%s --username ann --password-env SECRET"
      local fail = "send --host localhost --port %s --tls require" .. message
      assert.matches("bob@there.example: \27[32maccepted\27[0m\r\n", run(send, "NO_COLOR="), 1, true)
      assert.matches("\27[31mlua-smtp\27[0m: ", run(fail, "env -u NO_COLOR"), 1, true)
      assert.matches("\27[33mwarning\27[0m: ", run(probe, "NO_COLOR="), 1, true)
      assert.matches("\27[36mC: MAIL FROM:<ann@me.example>", run(send .. " --trace", "NO_COLOR="), 1, true)
      for _, line in ipairs { send, fail, probe } do
         assert.is_nil(run(line, "NO_COLOR=1"):find("\27", 1, true), line)
      end
      assert.is_nil(run(send .. " --trace", "NO_COLOR= TERM=dumb"):find("\27", 1, true))
      assert.is_nil(run(send .. " --trace", "NO_COLOR=1"):find("\27", 1, true))
      pipe:read("*a")
      pipe:close()
      pipe, port = terminal.start_sink "--count 3"
      assert.is_nil(run(send .. " --json", "NO_COLOR="):find("\27", 1, true))
      for _, line in ipairs { send, fail } do
         local shown = terminal.run_program({}, ("NO_COLOR= sh -c '%s 2>&1 | cat'")
            :format(terminal.command(line:format(port))))
         assert.is_nil(shown:find("\27", 1, true), shown)
      end
      pipe:close()
   end)
end)

-- ---- completion ----

-- What starts the shell with the completion of this folder, and a command that shows its arguments.
local shells = {
   bash = { "bashrc", "PS1='ready> '; . %s/share/bash-completion/completions/lua-smtp\n"
      .. "lua-smtp() { printf '<%%s>' got \"$@\"; }\n", "bash --rcfile %s/bashrc -i" },
   zsh = { ".zshrc", "PS1='ready> '; fpath=(%s/share/zsh/site-functions $fpath)\n"
      .. "autoload -Uz compinit; compinit -D -u\nlua-smtp() { printf '<%%s>' got \"$@\"; }\n", "zsh -i" },
   fish = { "init", "function fish_prompt; echo 'ready> '; end\n"
      .. "function lua-smtp; printf '<%%s>' got $argv; end\n# %s\n", "fish -C 'source %s/init'" },
}

describe("Completion by the Tab key", function()
   it("completes commands, flags, their words and files in bash, zsh and fish", function()
      folder = terminal.prepare()
      local said, status = sh(("env -u LD_PRELOAD make -s install LUA=%s PREFIX=%s"):format(peer.interpreter, folder))
      assert.equal(0, status, said)
      for name, shell in pairs(shells) do
         command.write(folder .. "/" .. shell[1], shell[2]:format(folder))
         local line = ("env -u LD_PRELOAD -u XDG_DATA_HOME -u XDG_CONFIG_HOME HOME=%s ZDOTDIR=%s "
            .. "XDG_DATA_DIRS=%s/share %s"):format(folder, folder, folder, shell[3]:format(folder))
         local shown, _, notes = terminal.run_program({ "expect:ready>",
            "type:lua-smtp comp\\tfi\\t\\r", "expect:<got><completion><fish>",
            "type:lua-smtp send --subj\\tx --tls re\\t--text-f\\tMakef\\t\\r",
            "expect:<got><send><--subject><x><--tls><require><--text-file><Makefile>",
            "type:lua-smtp \\t\\t", "expect:probe", "wait:0.2", "type:\\x15exit\\r" }, line, 100)
         assert.equal("on ", notes, name .. ": " .. shown)
         for _, word in ipairs { "send", "sendmail", "sink" } do assert.matches(word, shown, 1, true) end
      end
      os.execute("rm -rf " .. folder .. "/* " .. folder .. "/.[a-z]*")
      assert.is_true(terminal.clean_up())
   end)
end)

-- ---- exit statuses ----

-- A server of these words. -> its port, what ends it
local function server_of(words)
   local server = peer.start(([[
      local words = { %s }
      local sock = accept()
      sock:send((words.greeting or "220 hi") .. "\r\n")
      while true do
         local text = line(sock):sub(1, 4)
         local reply = words[text] or (text == "DATA" and "354 go") or "250 ok"
         if text == "" or reply == "" then break end
         sock:send(reply .. "\r\n")
         while text == "DATA" and reply:find("^354") and line(sock) ~= ".\r\n" do end
         if text == "DATA" and reply:find("^354") then sock:send((words.final or "250 ok") .. "\r\n") end
         if text == "QUIT" then break end
      end
      sock:close()
   ]]):format(words))
   return server.port, server.finish
end

describe("The exit status at a terminal", function()
   in_a_folder()

   -- What the server says, the flags, the status.
   for _, row in ipairs { { "", "", 0 },
      { "", "--subjekt x", 64 }, { "", "--timeout nan", 64 },
      { 'MAIL = "553 5.1.8 no such sender"', "", 65 }, { 'final = "554 5.6.0 no"', "", 65 },
      { 'EHLO = "250-hi\\r\\n250 SIZE 10"', "", 65 },
      { "", "--attach /nonexistent", 66 },
      { 'RCPT = "550 5.1.1 no such user"', "", 67 },
      { "", "--host nowhere.invalid", 68 },
      { 'greeting = "554 no service"', "", 69 }, { "", "--tls require", 69 },
      { 'DATA = ""', "", 74 },
      { 'RCPT = "450 4.2.0 later"', "", 75 }, { "", "--port 1", 75 },
      { 'greeting = "HTTP/1.1 400 Bad Request"', "", 76 },
      { 'EHLO = "250-hi\\r\\n250 AUTH PLAIN", AUTH = "535 5.7.8 no"', "--username ann --password-env SECRET", 77 },
      { "", "--config /dev/null", 78 },
   } do
      it(("is %d after { %s } %s"):format(row[3], row[1], row[2]), function()
         local port, finish = server_of(row[1])
         local place = (row[2]:find("--host", 1, true) and "" or " --host localhost")
            .. (row[2]:find("--port", 1, true) and "" or " --port " .. port)
         local shown, status = at_terminal({}, "send " .. row[2] .. place .. message)
         local sock = require("smtp.socket").new() -- where the command did not connect
         sock:connect("127.0.0.1", port)
         sock:close()
         finish()
         assert.equal(row[3], status, shown)
      end)
   end
end)
