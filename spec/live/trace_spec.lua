-- The lines of --trace at a real terminal. It runs once, under one Lua.
local command = require "spec.tools.command"
local terminal = require "spec.tools.terminal"

-- What the terminal shows of the dialogue with a sink.
local function traced(environment)
   local pipe, port = terminal.start_sink "--count 1"
   local line = ("send --trace --host localhost --port %s%s"):format(port, command.message)
   local shown, status = terminal.run({}, line, 40, environment)
   pipe:close()
   assert.equal(0, status, shown)
   assert.matches("%d%.%d%d%d  +.-C: EHLO", shown)
   return shown
end

describe("--trace at a terminal", function()
   before_each(terminal.prepare)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   it("has colours, and lines of any length", function()
      local shown = traced "NO_COLOR= TERM=xterm"
      assert.matches("\27[36mC: MAIL FROM:<ann@me.example> SIZE=", shown, 1, true)
      assert.matches("\27[32mS: 250 2.1.5 ok\27[0m", shown, 1, true)
   end)

   for _, environment in ipairs { "NO_COLOR=1 TERM=xterm", "NO_COLOR= TERM=dumb" } do
      it("has no colours with " .. environment, function()
         assert.is_nil(traced(environment):find("\27[", 1, true))
      end)
   end
end)
