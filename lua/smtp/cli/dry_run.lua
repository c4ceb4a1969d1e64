--- lua-smtp send without a server: it checks its options, and with --dry-run prints the message.
-- @module smtp.cli.dry_run

local check = require "smtp.options.check"
local core = require "smtp.core"
local names = require "smtp.options.names"
local output = require "smtp.cli.output"
local request = require "smtp.client.request"
local system = require "smtp.ground.resources"

local messages = system.late "smtp.message"

local dry_run = {}

-- Credentials are not asked for in a dry run, and not yet known before.
local is_login = { username = true, user = true, password = true, token = true, auth = true,
   authzid = true, auth_mechanisms = true, scram_iterations = true }

-- -> the options of the connection, those of the message; `text` in place of a missing one
local function split(options, text)
   local known = {}
   for name, value in next, options do
      local is_option = names.connection.by_name[name] or names.message.by_name[name]
      if is_option and not is_login[name] then known[name] = value end
   end
   if (known.url or ""):find("://[^/]*@") then known.password = "not known yet" end
   if not (known.text or known.html or known.calendar or known.raw) then known.text = text end
   return check.split(known)
end

--- Is there a mistake in the options, before the text is read?
---@param options table   of smtp.send
---@return table|nil err
function dry_run.trouble(options)
   local where, what = split(options, "")
   local server, err = request.connection(where)
   if not server then return err end
   if request.plain(what, server) then return nil end -- nothing can be wrong with it
   return select(2, request.message(what, server))
end

local function show(message, text, json)
   local envelope = message.envelope
   if json then
      output.say(output.json { envelope = envelope, data = text, size = message.size,
         message_id = message.message_id })
      return
   end
   output.say(("lua-smtp: nothing was sent; the envelope is from <%s> to <%s>"):format(
      envelope.from, table.concat(envelope.to, ">, <")), io.stderr)
   io.stdout:write(core.terminal(1) and output.shown((text:gsub("\r\n", "\n"))) or text)
end

--- Print the message as it would be sent. No connection is made.
---@param options table   of smtp.send
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
function dry_run.run(options, json)
   local where, what = split(options)
   local server, err = request.connection(where)
   if not server then return nil, err end
   local message
   message, err = messages.new(what)
   if not message then return nil, err end
   show(message, tostring(message), json)
   return 0
end

return dry_run
