--- The exit status of the command (sysexits.h).
-- @module smtp.cli.exit_status

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"
local standard_input = require "smtp.cli.standard_input"

local exit_status = {}

--- Each status with what it means, for the help and the man page.
exit_status.list = {
   { 0, "Sent; probe: nothing prevents sending." },
   { 64, "The command line is wrong." },
   { 65, "The server refuses the sender or the message." },
   { 66, "A file, or standard input, cannot be read." },
   { 67, "The server accepts none of the recipients; outbox run: not all." },
   { 68, "The host is unknown." },
   { 69, "The server refuses to serve, or lacks what is required." },
   { 70, "Any other failure." },
   { 74, "The connection was lost, or the output not written; outbox run: a doubt." },
   { 75, "Try again later; also: the server cannot be reached." },
   { 76, "Protocol or TLS." },
   { 77, "Not permitted: authentication, sender, this machine." },
   { 78, "The file with the accounts is wrong, or a password of it cannot be read." },
   { 129, "Ended by SIGHUP." },
   { 130, "Interrupted by Ctrl-C." },
   { 143, "Ended by SIGTERM." },
}

-- By class of error: the first one that fits counts.
local of_class = {
   { "usage", 64 }, { "source", 66 }, { "message_too_large", 65 }, { "data_refused", 65 },
   { "recipients_refused", 67 }, { "sender_refused", 65 }, { "resolve", 68 },
   { "not_supported", 69 }, { "auth", 77 }, { "tls", 76 }, { "protocol", 76 },
   { "timeout", 75 }, { "connect", 69 }, { "disconnected", 74 }, { "reply", 69 },
}

--- The exit status for an error.
---@param err table
---@return number
function exit_status.of(err)
   if err.option == "accounts" then return 78 end -- EX_CONFIG
   if err.temporary then return 75 end
   if err.hint == resources.PATH_HINT or err.hint == standard_input.HINT then
      return 66 -- EX_NOINPUT
   end
   if err.kind == "recipients_refused" and (err.concerns or "recipient") ~= "recipient" then
      return 77 -- EX_NOPERM: the recipients are not at fault, as they are with EX_NOUSER
   end
   for i = 1, #of_class do
      if errors.is(err, of_class[i][1]) then return of_class[i][2] end
   end
   return 70
end

return exit_status
