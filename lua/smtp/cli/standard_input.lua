--- What the command reads from standard input: the text of a message, or a whole message.
-- @module smtp.cli.standard_input

local core = require "smtp.core"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"

local standard_input = {}

--- The hint where standard input cannot be read.
standard_input.HINT = "Write … | lua-smtp …, or lua-smtp … <FILE"

local function note(text)
   output.say("lua-smtp: " .. text, io.stderr)
end

--- All of standard input. At a terminal it says what it waits for. Raises a UsageError.
---@param name string   the flag, or the command, that reads it
---@param what string   "the text"
---@return string
function standard_input.read(name, what)
   if core.terminal(0) then
      note(("type %s, and end it with Ctrl-D on a new line"):format(what))
   end
   local text, why = io.read("*a")
   if text then return text end
   errors.refuse(name, ("lua-smtp cannot read %s from standard input: %s"):format(what,
      tostring(why)), standard_input.HINT)
end

--- The text of a message whose options have none. An empty one is sent with a warning, as mailx
-- does it; without a subject and attachments there is nothing to send. Raises a UsageError.
---@param options table   of smtp.send
function standard_input.read_text(options)
   options.text = standard_input.read("text", "the text")
   if options.text ~= "" then return end
   if not options.subject and not options.attachments then
      errors.refuse("text", "the message is empty: standard input has no text, and there is no "
         .. "--subject and no --attach", "Write --text TEXT, or give the text on standard input; "
         .. '--text "" is an empty message on purpose')
   end
   note("warning: the message has no text, because standard input is empty. --text \"\" sends it "
      .. "without a warning.")
end

return standard_input
