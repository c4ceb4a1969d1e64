--- The envelope of a message that sendmail sends, and the field From where the message has none.
-- @module smtp.cli.sendmail_envelope

local address = require "smtp.options.address"
local core = require "smtp.core"
local errors = require "smtp.errors"
local messages = require "smtp.cli.sendmail_message"
local place = require "smtp.options.place"
local resources = require "smtp.ground.resources"

local envelope = {}

-- ---- names without a domain ----

local MAILNAME = "/etc/mailname" -- Debian policy 11.6

--- The domain of the mailboxes of this machine.
---@param options table   `domain` is that of the account
---@return string|nil     nil: it is not known
function envelope.domain(options)
   if options.domain and not options.domain:find("^%[") then return options.domain end
   local line = resources.read_file(MAILNAME, "*l")
   local name = line and line:match("^[^ \t]+") or core.hostname()
   if core.domain(name) and name:find(".", 1, true) and place.is_public_name(name) then
      return name
   end
end

-- A whole address in its canonical form. `where`: what errors call it.
local function whole(name, options, where)
   if not messages.is_local(name) then return address.spec(name, where, name) end
   local domain = envelope.domain(options)
   if domain then return address.spec(name .. "@" .. domain, where, name) end
   errors.refuse(where, ("%s is the name of a mailbox without its domain"):format(name),
      "Write the whole address, or set the domain: with --domain, as domain of the account in the "
         .. "file of accounts, or in " .. MAILNAME)
end

-- ---- recipients ----

--- The recipients: those of the arguments, and with -t those of the header. Raises an AddressError
-- or a UsageError.
---@param plan smtp.SendmailPlan
---@param message smtp.SendmailMessage
---@param options table
---@return string[]
function envelope.recipients(plan, message, options)
   local list = {}
   for _, argument in ipairs(plan.recipients) do
      for _, one in ipairs(messages.addresses_in(argument)) do
         list[#list + 1] = whole(one.address, options, "TO")
      end
   end
   for _, one in ipairs(plan.from_header and message:recipients() or {}) do
      list[#list + 1] = whole(one.address, options, one.name)
   end
   if #list > 0 then return list end
   if plan.from_header then
      errors.refuse("-t", "the header names no recipient in To, Cc or Bcc",
         "Write one into it, or after -t")
   end
   errors.refuse("TO", "no recipient is given",
      "Write the addresses after the flags, or -t where the header contains them")
end

-- ---- the sender ----

-- The user who runs this program.
local function user()
   local name = os.getenv "LOGNAME" or os.getenv "USER"
   if name and name ~= "" then return name end
   local pipe = io.popen "id -un"
   name = pipe:read("*l")
   pipe:close()
   return name or "nobody"
end

-- The address in "Ann <ann@example.org>"; "" in "<>", which is the null reverse path.
local function address_in(text)
   local first = messages.addresses_in(text)[1]
   return first and first.address or ""
end

-- The address of the account: its `from`, or its user name if that is an address. nil: it has none.
local function account_address(options)
   if options.from then return address_in(options.from) end
   local user_name = options.username or options.user
   return user_name and not messages.is_local(user_name) and user_name or nil
end

--- The sender that the caller names: that of -f, or of the header. It may choose the account.
---@return string|nil
function envelope.named_sender(plan, message)
   if plan.sender then return address_in(plan.sender) end
   return message:sender()
end

--- The sender: that of -f; else the one that the header names, if it is a whole address; else that
-- of the account; else the name in the header, or the user, at this machine's domain. Raises an
-- AddressError or a UsageError.
---@return string   "" is the null reverse path
function envelope.sender(plan, message, options)
   local named = envelope.named_sender(plan, message)
   if plan.sender then return named == "" and "" or whole(named, options, "-f") end
   local own = account_address(options)
   if named and messages.is_local(named) then named = own or named end
   return whole(named or own or user(), options, "From")
end

--- The value of the field From, where the message has none.
---@param sender string   as envelope.sender returns it
---@return string
function envelope.author(plan, sender, options)
   local name = plan.name ~= "" and plan.name or nil
   address.check_name(name, "-F", name)
   if sender == "" then
      local domain = envelope.domain(options)
      sender = account_address(options) or "MAILER-DAEMON" .. (domain and "@" .. domain or "")
   end
   return address.written { name = name, address = sender }
end

return envelope
