local command = require "spec.tools.command"
local terminal = require "spec.tools.terminal"
local interpreter = require("spec.tools.peer").interpreter

local function send(before, flags)
   local line = ("%s %s csrc/lua-smtp send -nf ann@x.example -t bob@x.example %s"):format(before, interpreter, flags)
   return command.own(("sh -c '{ %s; echo status $?; } 2>&1'"):format(line))
end

describe("The text of a message", function()
   it("is standard input where nothing else gives one", function()
      assert.matches("\r\n\r\nAt noon?\r\nBye\r\n", send("printf \"At noon?\\nBye\\n\" |", "-s Lunch"), 1, true)
      assert.matches("hello\r\n.*filename=\"Makefile\"", send("echo hello |", "--attach Makefile"))
   end)

   it("is not standard input where a flag gives it", function()
      for _, flags in ipairs { "--text given", "--html given", "--text-file Makefile" } do
         assert.is_nil(send("echo surprise |", flags):find("surprise", 1, true), flags)
      end
      assert.matches("hello", send("echo hello |", "--text-file -"), 1, true)
      assert.matches("text/html", send("echo hello |", "--html-file -"), 1, true)
   end)

   it("may be empty where there is a subject or an attachment: with a warning, as mailx does", function()
      for _, flags in ipairs { "-s Done", "-a Makefile" } do
         local said = send("", flags .. " </dev/null")
         assert.matches("lua%-smtp: warning: the message has no text", said)
         assert.matches("status 0\n$", said)
      end
      assert.is_nil(send("", "-s Done --text \"\" </dev/null"):find("warning", 1, true))
   end)

   it("is missed where there is nothing to send", function()
      local said = send("", "</dev/null")
      assert.matches("the message is empty", said, 1, true)
      assert.matches("status 64\n$", said)
      said = send("", "--raw </dev/null")
      assert.matches("standard input is empty", said, 1, true)
      assert.matches("status 64\n$", said)
      assert.is_nil(said:find("lua-smtp send", 1, true)) -- lua-smtp outbox put has the flag, too
      said = send("", "-s Done <&-")
      assert.matches("cannot read the text from standard input", said, 1, true)
      assert.matches("status 66\n$", said)
   end)

   it("is typed at a terminal, which says so, up to Ctrl-D; Ctrl-C sends nothing", function()
      terminal.prepare()
      local flags = "send -nf ann@x.example -t bob@x.example -s Lunch"
      local shown, status = terminal.run({ "expect:type the text, and end it with Ctrl-D", "type:At noon?\\n\\x04" },
         flags)
      assert.equal(0, status, shown)
      assert.matches("\n\r?\nAt noon%?", shown)
      shown, status = terminal.run({ "expect:type the text", "type:At noon?\\n", "wait:0.1", "type:\\x03" }, flags)
      assert.equal(130, status, shown)
      assert.is_nil(shown:find("From:", 1, true))
      shown, status = terminal.run({}, flags .. " --port x")
      assert.equal(64, status, shown)
      assert.is_nil(shown:find("type the text", 1, true))
      assert.is_true(terminal.clean_up())
   end)

   it("is read by one flag alone", function()
      for flags, names in pairs { ["--text-file - --html-file -"] = "--text-file and --html-file",
         ["--raw --calendar -"] = "--raw and --calendar" } do
         local said = send("echo x |", flags)
         assert.matches(names .. " both read standard input", said, 1, true)
         assert.matches("status 64\n$", said)
      end
      assert.matches("%-%-text and %-%-text%-file are both given", send("echo x |", "--text x --text-file -"))
   end)

   it("is not read before the rest of the command line is right", function()
      assert.matches("is not a valid address", send("", "--cc b <&-"), 1, true)
   end)
end)
