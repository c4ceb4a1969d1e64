local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local terminal = require "spec.tools.terminal"
local safe = require "smtp.safe"

local message = command.message
local at_terminal, left_over = terminal.run, terminal.left_over
local sh, start_sink, soon_empty = terminal.sh, terminal.start_sink, terminal.soon_empty

describe("lua-smtp at a terminal", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

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
            local shown, status = at_terminal({ "connected:" .. port, "wait:0.2", step }, line)
            assert.equal(ending[1], status, shown)
            assert.matches("^[^\n]*lua%-smtp: interrupted[^\n]*\r\n$", shown)
         end
         silent:close()
      end)
   end
end)

-- The function that shows the progress may be what a signal interrupts, so that the message fails by it.
describe("an error that an interruption has caused", function()
   local socket = require "smtp.socket"
   local signals = require "smtp.cli.signals"
   after_each(function() package.loaded["smtp.socket"] = socket end)

   it("is not shown, and others are", function()
      local number, shown = nil, 0
      package.loaded["smtp.socket"] = { interruptible = function() end, caught = function() return number end,
         output_failed = function() return false end }
      local function run()
         return signals.run(function() return nil, "the function given as observe failed" end, function()
            shown = shown + 1
            return 70
         end)
      end
      assert.equal(70, run())
      number = 13
      assert.equal(128 + 13, run())
      assert.equal(1, shown)
   end)
end)

describe("lua-smtp sink", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   it("leaves no certificate, even where it is killed", function()
      local pipe, _, pid = start_sink "--tls starttls"
      assert.matches("^trust ", pipe:read("*l"))
      assert.equal("drwx------ certificate.pem\n",
         (sh(("ls -ld %s/* | cut -c1-10 | tr '\\n' ' '; ls %s/*"):format(folder, folder))))
      os.execute("kill -KILL " .. pid)
      pipe:close()
      assert.is_true(soon_empty())
   end)

   it("leaves nothing where its output is not read any more", function()
      local path = folder .. "/socket"
      local pipe = io.popen(terminal.command("sink --tls starttls --socket " .. path) .. " | head -n 1")
      assert.equal("listening on " .. path, pipe:read("*l"))
      for _ = 1, 2 do
         safe.send { url = "smtp://localhost", socket = path, from = "a@b.example", to = "c@d.example", raw = "x\r\n",
            reply_timeout = 5 }
      end
      pipe:close()
      assert.is_true(soon_empty())
   end)
end)

describe("A signal", function()
   it("that comes while a coroutine runs is raised outside of it, where the scheduler does not take it for a job's end",
      function()
         local name = os.tmpname()
         command.write(name, [[
            local socket = require "smtp.socket"
            socket.interruptible()
            local ok = pcall(function()
               print(coroutine.resume(coroutine.create(function()
                  os.execute("kill -TERM $PPID")
                  return "the job ends"
               end)))
            end)
            print(ok, socket.caught())]])
         local said = command.own(interpreter .. " " .. name)
         os.remove(name)
         assert.equal("false\t15\n", (said:gsub("^true\tthe job ends\n", "")))
      end)
end)
