--- lua-smtp send: sends one message.
-- @module smtp.cli.send

local message_flags = require "smtp.cli.message_flags"
local output = require "smtp.cli.output"
local quit_after = require "smtp.cli.quit_after"
local safe = require "smtp.safe"
local secrets = require "smtp.cli.secrets"
local sending = require "smtp.cli.sending"
local signals = require "smtp.cli.signals"

local function show_receipt(receipt)
   for _, one in ipairs(receipt.recipients) do
      local is_accepted = one.state == "accepted"
      output.say_in(is_accepted and "green" or "red", one.address .. ": ", one.state,
         not is_accepted and one.text and " (" .. one.text .. ")" or "")
   end
   output.say(("%s %s"):format(receipt.reply.code, receipt.reply.text))
end

local send = {}

local function watch(options)
   local observe, finish = sending.watch(options.trace)
   options.observe, options.trace = observe, nil
   signals.at_end(finish)
   return finish
end

--- Send a message, watched: with its progress or its dialogue, and with what had become of it where
-- the command is interrupted.
---@param options table   for smtp.send
---@return table|nil receipt
---@return table|nil err
function send.deliver(options)
   local finish = watch(options)
   local receipt, err = safe.send(options)
   finish(receipt ~= nil)
   return receipt, err
end

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
function send.run(options, json)
   local point = options.quit_after and quit_after.word(options.quit_after)
   options.quit_after = nil
   secrets.read(options)
   if point then options = quit_after.flags(point, options) end
   message_flags.read(options)
   if point then
      watch(options)
      return quit_after.run(point, options, json)
   end
   local receipt, err = send.deliver(options)
   if not receipt then return nil, err end
   if json then output.say(output.json(receipt)) else show_receipt(receipt) end
   return 0
end

return send
