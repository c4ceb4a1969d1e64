--- lua-smtp sendmail: sends one message for programs that expect the program sendmail, such as
-- cron, mutt, git send-email and mail() of PHP. It sends at once, to all recipients or to none.
-- @module smtp.cli.sendmail

local accounts = require "smtp.cli.accounts"
local arguments = require "smtp.cli.sendmail_arguments"
local envelope = require "smtp.cli.sendmail_envelope"
local message_flags = require "smtp.cli.message_flags"
local messages = require "smtp.cli.sendmail_message"
local output = require "smtp.cli.output"
local secrets = require "smtp.cli.secrets"
local sending = require "smtp.cli.sending"

local sendmail = {}

--- The options for smtp.send. Raises a UsageError or an AddressError.
---@param plan smtp.SendmailPlan
---@param message smtp.SendmailMessage
---@param options table   those of the plan and of the account, which are completed
function sendmail.complete(plan, message, options)
   local to = envelope.recipients(plan, message, options)
   local from, domain = envelope.sender(plan, message, options), envelope.domain(options)
   if domain then message:complete(domain) end
   message:add_missing(message:author() or envelope.author(plan, from, options))
   options.raw, options.from = message:text(), nil
   options.envelope = { from = from, to = to }
   options.recipients = options.recipients or "all"
   if options.dsn then -- no caller of sendmail expects it of all servers
      options.extensions = options.extensions or {}
      options.extensions.dsn = options.extensions.dsn or "prefer"
   end
end

local EX_NOUSER, EX_TEMPFAIL = 67, 75 -- sysexits.h

-- The recipients that did not get the message are named; without --recipients any or LMTP, there
-- are none.
local function status_of(receipt)
   local status = 0
   for _, one in ipairs(receipt.recipients) do
      if one.state ~= "accepted" then
         output.say(("lua-smtp: %s: %s (%s)"):format(one.address, one.state, one.text or ""),
            io.stderr)
         status = (status == EX_NOUSER or one.state == "refused") and EX_NOUSER or EX_TEMPFAIL
      end
   end
   return status
end

-- --store: an outbox accepts the message.
local function put(options, own, json)
   local id, err = sending.put(options, own)
   if not id then return nil, err end
   if json then output.say(output.json { id = id }) end
   return 0
end

---@param args string[]
---@return number|nil   exit status
---@return table|nil err
function sendmail.run(args)
   local plan = arguments.read(args)
   local options = plan.options
   local json = options.json
   options.json = nil
   message_flags.read(options)
   local own = { store = options.store, name = options.name }
   options.store, options.name = nil, nil
   if own.store then options.recipients = options.recipients or "any" end -- each is tried again
   local message = messages.read(message_flags.read_input("sendmail", "the message"),
      plan.dot_ends)
   local account = accounts.apply(options, envelope.named_sender(plan, message))
   sendmail.complete(plan, message, options)
   if own.store then
      secrets.leave_out(options, account)
      return put(options, own, json)
   end
   secrets.read(options, account)
   return sending.deliver(options, function(receipt)
      if json then output.say(output.json(receipt)) end
      return status_of(receipt)
   end)
end

return sendmail
