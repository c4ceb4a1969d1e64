--- lua-smtp send: sends one message.
-- @module smtp.cli.send

local accounts = require "smtp.cli.accounts"
local dry_run = require "smtp.cli.dry_run"
local errors = require "smtp.errors"
local message_flags = require "smtp.cli.message_flags"
local output = require "smtp.cli.output"
local secrets = require "smtp.cli.secrets"
local sending = require "smtp.cli.sending"
local system = require "smtp.ground.resources"

local quit_after = system.late "smtp.cli.quit_after"

local function show_receipt(receipt)
   for _, one in ipairs(receipt.recipients) do
      local is_accepted = one.state == "accepted"
      output.say_in(is_accepted and "green" or "red", one.address .. ": ", one.state,
         not is_accepted and one.text and " (" .. one.text .. ")" or "")
   end
   output.say(("%s %s"):format(receipt.reply.code, receipt.reply.text))
end

-- --quit-after: up to a point of the dialogue.
local function quit(word, options, json)
   secrets.read(options, accounts.apply(options))
   local kept = quit_after.flags(word, options)
   message_flags.read(kept)
   sending.watch_options(kept)
   return quit_after.run(word, kept, json)
end

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
local function run(options, json)
   local point, is_dry = options.quit_after, options.dry_run
   options.quit_after, options.dry_run = nil, nil
   if point and is_dry then
      errors.refuse("dry-run", "--dry-run and --quit-after are both given",
         "Keep --dry-run to connect to nothing, or --quit-after to ask the server")
   elseif point then
      return quit(quit_after.word(point), options, json)
   end
   message_flags.read(options)
   local account = accounts.apply(options, not options.from and accounts.author(options.raw) or nil)
   local trouble = dry_run.trouble(options)
   if trouble then return nil, trouble end
   if not is_dry then secrets.read(options, account) end
   message_flags.read_text(options)
   if is_dry then return dry_run.run(options, json) end
   return sending.deliver(options, function(receipt)
      if json then output.say(output.json(receipt)) else show_receipt(receipt) end
      return 0
   end)
end

return { run = run }
