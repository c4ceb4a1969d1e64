-- Files that may contain a password, and programs that print one.
local command = require "spec.tools.command"
local socket = require "smtp.socket"

-- The words of the system are in the user's language.
local function in_english()
   local before = os.setlocale()
   finally(function() os.setlocale(before) end)
   os.setlocale "C"
end

describe("a private file", function()
   local path
   before_each(function() path = os.tmpname() end)
   after_each(function() os.remove(path) end)

   it("is read with what other users may do to it", function()
      command.write(path, "a\0b")
      for mode, wanted in pairs { ["600"] = { false, false }, ["640"] = { true, false }, ["604"] = { true, false },
         ["620"] = { false, true }, ["602"] = { false, true }, ["711"] = { false, false } } do
         os.execute(("chmod %s %s"):format(mode, path))
         assert.same({ text = "a\0b", is_trusted = true, others_read = wanted[1], others_write = wanted[2] },
            socket.read_private(path))
      end
      assert.is_true(socket.read_private("/etc/passwd").is_trusted)
   end)

   it("is a regular file of at most 256 KiB", function()
      in_english()
      command.write(path, ("x"):rep(256 * 1024))
      assert.equal(256 * 1024, #socket.read_private(path).text)
      command.write(path, ("x"):rep(256 * 1024 + 1))
      assert.same({ nil, "it is larger than 256 KiB" }, { socket.read_private(path) })
      for _, other in ipairs { "/", "/dev/null" } do
         assert.same({ nil, "it is not a regular file" }, { socket.read_private(other) })
      end
      assert.same({ nil, "No such file or directory", 2 }, { socket.read_private "/nonexistent" })
   end)
end)

describe("the output of a program", function()
   it("is read without a shell", function()
      assert.equal("a b|$HOME|'|\n", socket.output_of { "printf", "%s|%s|%s|\n", "a b", "$HOME", "'" })
      assert.equal("", socket.output_of { "true" })
      assert.equal(65536, #socket.output_of { "head", "-c", "65536", "/dev/zero" })
   end)

   it("has an error where the program fails", function()
      in_english()
      for text, words in pairs { ["its exit status was 3"] = { "sh", "-c", "echo x; exit 3" },
         ["it was ended by signal 9"] = { "sh", "-c", "kill -KILL $$" }, ["it printed more than 64 KiB"] = { "yes" },
         ["No such file or directory"] = { "/nonexistent" }, ["Permission denied"] = { "/etc/passwd" } } do
         local output, why = socket.output_of(words)
         assert.same({ nil, text }, { output, why })
      end
      for _, words in ipairs { {}, { 1 }, { "a", false } } do
         assert.has_error(function() socket.output_of(words) end)
      end
   end)

   it("leaves standard input to the message", function()
      local interpreter = require("spec.tools.peer").interpreter
      assert.equal("empty: message\n", command.run(([[printf 'message\n' | %s -e '
         local socket = require "smtp.socket"
         io.write("empty: ", socket.output_of { "cat" }, io.read("*l"), "\n")']]):format(interpreter)))
   end)

   it("is not waited for after a signal to the command, even where the program has closed it", function()
      local path = os.tmpname()
      local interpreter = require("spec.tools.peer").interpreter
      command.write(path, [[
         local socket = require "smtp.socket"
         socket.interruptible()
         socket.output_of { "sh", "-c", "exec >&-; kill -TERM $PPID; exec sleep 30" }]])
      local said = command.own(("timeout 20 %s %s"):format(interpreter, path))
      os.remove(path)
      assert.matches("interrupted by signal 15", said, 1, true)
   end)

   -- In a process of its own: the collector closes what other specs left at any time. Either count may contain the
   -- end of the pipe that the process is about to close.
   it("leaves no program and no descriptor", function()
      local path = os.tmpname()
      command.write(path, [[
         local socket = require "smtp.socket"
         local function count(what)
            return socket.output_of { "sh", "-c", (what:gsub("PID", "$PPID")) }
         end
         local descriptors = "ls /proc/PID/fd | wc -l"
         local before = tonumber(count(descriptors))
         for _ = 1, 20 do socket.output_of { "true" } end
         io.write(tonumber(count(descriptors)) < before + 5 and "as before" or "more")
         io.write(", programs: ", count "set -- $(cat /proc/PID/task/*/children); echo $#")]])
      local said = command.own(require("spec.tools.peer").interpreter .. " " .. path)
      os.remove(path)
      assert.equal("as before, programs: 1\n", said)
   end)
end)
