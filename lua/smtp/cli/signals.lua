--- How a command ends where a signal interrupts it: what it would leave is removed, one line says
-- so, and the exit status is 128 and the number of the signal, as a shell has it.
-- @module smtp.cli.signals

local say = require("smtp.cli.output").say

local cli_signals = {}

local SIGPIPE = 13
local OUTPUT_FAILED = 74 -- sysexits.h: EX_IOERR

local names = { [1] = "SIGHUP", [15] = "SIGTERM" }

-- What was printed may still be in a buffer, with no room for it on the disk.
local function flush(status)
   local ok, why = io.stdout:flush()
   if ok then return status end
   say("lua-smtp: standard output: " .. tostring(why), io.stderr)
   return status == 0 and OUTPUT_FAILED or status
end

local function interrupted(number, closing)
   for i = 1, #closing do pcall(closing[i]) end
   -- Whoever read the output has gone away on purpose (head): nothing is wrong.
   if number ~= SIGPIPE then
      say("lua-smtp: interrupted" .. (names[number] and " by " .. names[number] or ""), io.stderr)
   end
   return 128 + number
end

--- Run a command.
---@param command function
---@param flags table         its argument
---@param closing function[]  to call where it is interrupted; the command adds to it
---@return number             exit status
function cli_signals.run(command, flags, closing)
   local has_socket, socket = pcall(require, "smtp.socket")
   if has_socket then socket.interruptible() end
   local ok, status = pcall(command, flags)
   local number = has_socket and socket.caught()
   if number then return interrupted(number, closing) end
   if not ok then error(status, 0) end
   return flush(status)
end

return cli_signals
