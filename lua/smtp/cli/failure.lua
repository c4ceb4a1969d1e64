--- How a command ends with an error: it prints the error, and has an exit status.
-- @module smtp.cli.failure

local exit_status = require "smtp.cli.exit_status"
local output = require "smtp.cli.output"
local wording = require "smtp.cli.wording"

local failure = {}

local fields = { "kind", "reason", "concerns", "stage", "code", "enhanced", "text", "sent", "retry",
   "temporary", "hint", "host", "port", "tried", "option", "recipients" }

--- An error in one line, in the words of the command.
---@param err table
---@return string
function failure.line(err)
   wording.apply(err)
   return "lua-" .. tostring(err) -- it begins with "smtp: "
end

--- Print an error.
---@param err table
---@param json? boolean   print it as JSON, on standard output
---@return number         exit status
function failure.show(err, json)
   local line = failure.line(err)
   if json then
      local shown = { error = line }
      for i = 1, #fields do shown[fields[i]] = err[fields[i]] end
      output.say(output.json(shown))
   else
      local name, text = line:match("^(lua%-smtp)(:.*)$")
      output.say_in("red", "", name, text, io.stderr)
   end
   return exit_status.of(err)
end

return failure
