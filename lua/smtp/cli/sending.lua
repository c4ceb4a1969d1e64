--- What the command knows of its message while that is sent: it draws the progress of a large one,
-- and says what had become of it when the command was interrupted.
-- @module smtp.cli.sending

local core = require "smtp.core"
local errors = require "smtp.errors"
local safe = require "smtp.safe"
local signals = require "smtp.cli.signals"
local system = require "smtp.ground.resources"

local load_progress = system.loader "smtp.result.progress"
local outbox_options = system.late "smtp.cli.outbox_options"
local trace = system.late "smtp.cli.trace"
local load_wording = system.loader "smtp.cli.wording"

local sending = {}

local OUTPUT_FAILED = 74 -- sysexits.h: EX_IOERR
local LARGE = 1048576 -- bytes; the progress of a smaller message is shown only where it is slow
local SLOW = 1        -- seconds

-- Bytes of the message were sent.
local function draw(self, event)
   if self.draws and self.sent == 0 then
      local progress = core.terminal() and load_progress() -- without it nothing is drawn
      self.began, self.bar = event.seconds, progress and progress.new(event.size, "bytes")
   end
   self.sent, self.size = self.sent + event.bytes, event.size
   if not self.bar then return end
   self.is_visible = self.is_visible or (self.size or self.sent) >= LARGE
      or event.seconds - self.began >= SLOW
   if self.is_visible then self.bar:update(math.min(self.sent, self.size or self.sent), 0) end
end

-- Ends the line.
local function leave(self, was_sent)
   if self.is_visible and was_sent then
      self.bar:finish()
   elseif self.is_visible then
      self.bar:clear()
   end
   self.bar, self.is_visible = nil, false
end

-- A server that does not take all recipients at once gets the message again: a new transaction.
local function begin(self)
   leave(self, false)
   self.has_some = self.has_some or self.verdict == "accepted"
   self.sent, self.is_final, self.verdict = 0, false, nil
end

local function note(self, event)
   if event.name == "message" then
      draw(self, event)
   elseif event.name == "sent" and event.stage == "mail" then
      begin(self)
   elseif event.name == "stage" then
      self.is_final = event.stage == "final"
      if self.is_final and self.is_visible then self.bar:wait() end
   elseif event.name == "heard" and event.stage == "final" then
      self.verdict = event.text:find("^2") and "accepted" or "refused"
   end
end

-- What an interruption at this moment means, for the words "lua-smtp: interrupted…".
local function fate(self)
   if self.verdict then
      return (" after the server had %s the message"):format(self.verdict)
   elseif self.is_final then
      return " before the server had confirmed the message: it may have accepted it"
   end
   local before = self.has_some and "; earlier recipients have it" or ""
   if self.sent == 0 then return before end
   local progress = load_progress()
   return (" after %s of the message: the server does not deliver an incomplete message%s"):format(
      progress and progress.bytes(self.sent, self.size) or self.sent .. " bytes", before)
end

--- Watch one send. Its progress is drawn on a terminal only.
---@param is_traced? boolean   show the dialogue in place of the progress
---@return function observe   the option of this name
---@return function finish    (was sent?) -> what an interruption at this moment means: it ends the
--- line of the progress, or erases it where the message was not sent
function sending.watch(is_traced)
   local self = { draws = not is_traced, sent = 0 }
   local function finish(was_sent)
      leave(self, was_sent)
      return fate(self)
   end
   local function observe(event) note(self, event) end
   return is_traced and trace.new { observe = observe } or observe, finish
end

--- Watch the send for which these options are, and what an interruption of it means.
---@param options table   for smtp.send; trace is taken out, and observe put in
---@return function finish   see sending.watch
function sending.watch_options(options)
   local observe, finish = sending.watch(options.trace)
   options.observe, options.trace = observe, nil
   signals.at_end(finish)
   return finish
end

-- What is printed of a message that was sent: hints are in the words of the command.
local function show_receipt(finish, receipt, show)
   finish(true)
   local wording = receipt.refused[1] and load_wording()
   if wording then wording.apply(receipt) end
   return show(receipt)
end

local UNSHOWN = "lua-smtp: the message was sent, but the receipt cannot be shown: "

-- A failure after the server has accepted the message is no reason to send it again.
local function show_safely(finish, receipt, show)
   local ok, status = pcall(show_receipt, finish, receipt, show)
   if ok then return status end
   local is_lack = errors.is_lack(status)
   if not is_lack and not errors.is(status) then error(status, 0) end
   io.stderr:write(UNSHOWN, is_lack and status or status.what, "\n")
   return OUTPUT_FAILED
end

--- Send a message, watched.
---@param options table   for smtp.send
---@param show fun(receipt: smtp.Receipt): number   prints it -> exit status
---@return number|nil   exit status
---@return table|nil err
function sending.deliver(options, show)
   local finish = sending.watch_options(options)
   signals.note "maybe"
   local receipt, err = safe.send(options)
   signals.note(receipt and "yes" or err.sent)
   if receipt then return show_safely(finish, receipt, show) end
   pcall(finish, false)
   return nil, err
end

--- Give a message to an outbox, which another process sends.
---@param options table   for smtp.send
---@param own table       store and name
---@return string|nil id
---@return table|nil err
function sending.put(options, own)
   options.trace = nil
   local message = outbox_options.split(options, own)
   local box, err = outbox_options.open(options)
   if not box then return nil, err end
   return box:put(message)
end

return sending
