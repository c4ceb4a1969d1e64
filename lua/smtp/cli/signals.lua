--- How a command ends that does not end by itself. After a signal interrupts it, it removes what it
-- would leave, prints one line, and its exit status is 128 plus the number of the signal, as shells
-- expect. Where Lua has no memory even for an error, it has the status `unexplained`.
-- @module smtp.cli.signals

local say = require("smtp.cli.output").say

local SIGPIPE = 13
local FAILED, OUTPUT_FAILED, LATER = 70, 74, 75 -- sysexits.h: EX_SOFTWARE, EX_IOERR, EX_TEMPFAIL

-- By what a recipient has.
local status_of = { no = LATER, maybe = FAILED, partly = FAILED, yes = OUTPUT_FAILED }

local signals = { unexplained = LATER }

--- What the recipients of the message have by now.
---@param sent "no"|"maybe"|"partly"|"yes"
function signals.note(sent)
   signals.unexplained = status_of[sent]
end

local names = { [1] = "SIGHUP", [15] = "SIGTERM" }

-- What was printed may still be in a buffer, and the disk may be full.
local function flush(status, socket)
   local ok, why = io.stdout:flush()
   if ok and not (socket and socket.output_failed()) then return status end
   say("lua-smtp: standard output: " .. (why or "it could not be written"), io.stderr)
   return status == 0 and OUTPUT_FAILED or status
end

local closing = {} -- functions that remove what an interrupted command would leave

--- Have a function called after an interruption. What it returns says what the interruption means.
function signals.at_end(fn)
   closing[#closing + 1] = fn
end

local function interrupted(number)
   local fate = ""
   for i = 1, #closing do
      local ok, text = pcall(closing[i])
      if ok and text then fate = text end
   end
   -- After SIGPIPE nothing is wrong: the program that read the output has ended on purpose (head).
   if number ~= SIGPIPE then
      say("lua-smtp: interrupted" .. (names[number] and " by " .. names[number] or "")
         .. fate, io.stderr)
   end
   return 128 + number
end

--- Run a command.
---@param command function    -> exit status | nil, err
---@param show? function      prints the error -> exit status; not called for one that an
--   interruption caused
---@return number             exit status
function signals.run(command, show)
   local has_socket, socket = pcall(require, "smtp.socket")
   socket = has_socket and socket or nil
   if socket then socket.interruptible() end
   local ok, status = pcall(function()
      local status, err = command()
      if not status and not (socket and socket.caught()) then status = show(err) end
      return flush(status, socket)
   end)
   local number = socket and socket.caught()
   if number then return interrupted(number) end
   if not ok then error(status, 0) end
   return status
end

return signals
