--- The messages of send_many, from smtp.client.supply, until they are reported.
--
-- An entry is a message, as smtp.client.request gives it, with { index =, started =, transaction =
-- the newest, or the one that is next, first = the first, result = what is known after several,
-- offer = how many recipients the next ones may have, tries = }.
-- @module smtp.client.queue

local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local observers = require "smtp.result.observer"
local progress = require "smtp.result.progress"
local request = require "smtp.client.request"
local supply = require "smtp.client.supply"
local user_call = require "smtp.options.user_call"
local verdict = require "smtp.result.verdict"

local queue = {}

local TRIES_MAX = 3      -- connections that may break before a message is given up
local SHORT = 0.001      -- seconds, while another job is in the caller's iterator
local PAUSES = { 0.1, 0.4, 1.6 } -- seconds, before each further attempt to connect
local CATCH_UP = 0.1     -- seconds that a slow server may be made up for

local Queue = { __name = "smtp.Queue" }
Queue.__index = Queue

--- Start a queue.
---@param server smtp.Server     of the connections
---@param settings table           of send_many, checked
---@param messages table|function
function queue.new(server, settings, messages)
   local is_list = type(messages) == "table" and getmetatable(messages) == nil
   local total = is_list and #messages or nil
   return setmetatable({ server = server, settings = settings, messages = messages,
      is_list = is_list,
      may_post = (is_list or type(messages) == "function") and not settings.rate,
      total = total, index = 0, waiting = {}, results = {}, sent = 0, failed = 0,
      connections = 0, failures = 0, hopeless = false,
      bar = settings.progress and progress.new(total, "messages") or nil },
      Queue)
end

-- ---- what became of them ----

--- What became of a message: to on_result, or into the results.
---@param started? number   core.now() when it began, where there is no receipt
function Queue:tell(index, receipt, err, started)
   if receipt then
      self.sent, self.failures = self.sent + 1, 0
   else
      self.failed = self.failed + 1
      if err.sent ~= "no" and self.arrived ~= "partly" then self.arrived = err.sent end
   end
   if self.bar then self.bar:update(self.sent, self.failed) end
   local observe = self.server.observe
   if observe then
      observers.tell_result(observe, receipt, err, started and core.now() - started)
   end
   local on_result = self.settings.on_result
   if not on_result then
      self.results[index] = receipt or err
      return
   end
   local ok, cause = user_call.call(on_result, index, receipt, err)
   if not ok then supply.stop(self, "on_result", cause) end
end

-- on_result for each that is left. An error ends only its own call.
local function tell_each(on_result, values, last)
   while values.at <= last do
      local at = values.at
      values.at = at + 2
      on_result(values[at], values[at + 1], nil)
   end
end

--- Messages were accepted: see Queue:tell.
---@param values table    an index and a receipt of each, see pipeline:take
---@param count number
function Queue:tell_receipts(values, count)
   local on_result, last = self.settings.on_result, 2 * count
   if count == 1 or self.bar or self.server.observe then
      for i = 1, last, 2 do self:tell(values[i], values[i + 1]) end
      return
   end
   self.sent, self.failures, values.at = self.sent + count, 0, 1
   while on_result and values.at <= last do
      local ok, cause = user_call.call(tell_each, on_result, values, last)
      if not ok then supply.stop(self, "on_result", cause) end
   end
   for i = 1, on_result and 0 or last, 2 do self.results[values[i]] = values[i + 1] end
end

--- A server that has enough to do, or is about to go, may say so when it greets (RFC 5321 3.8).
function queue.is_busy(trouble)
   return trouble.kind == "greeting_refused" and trouble.code == 421
end

--- Is there no connection for the moment only? A server that has taken messages may be back soon,
-- as after a restart.
function Queue:is_passing()
   return self.sent > 0 and self.failures < #PAUSES
end

--- While there is no connection: seconds until the next attempt.
function Queue:next_pause()
   self.failures = self.failures + 1
   return PAUSES[self.failures]
end

-- No server has it, and nothing but the connection was to blame, or another message. Of these each
-- breaks one connection only, so they count for nothing. Nor does a connection that had carried
-- others: what would break each is the first on the next one.
local function is_safe_again(self, conv, entry, transaction, result)
   local trouble = result.trouble
   if not result.broken or not delivery.can_repeat(entry) or not delivery.is_unsent(result) then
      return false
   elseif transaction:is_bystander() then
      return true
   elseif queue.is_busy(trouble) then
      return self:is_passing()
   elseif (trouble.kind == "disconnected" or trouble.reason == "unasked") and conv.has_carried then
      return true
   elseif trouble.kind == "disconnected" or trouble.reason == "bdat" then
      entry.tries = entry.tries + 1
      return entry.tries <= TRIES_MAX
   end
   return false
end

-- The server refused it because of pipelining, which this connection and later ones do without.
local function was_pipelined(entry, result)
   if not delivery.was_pipelined(result) or not delivery.can_repeat(entry) then return false end
   entry.tries = entry.tries + 1
   return entry.tries <= TRIES_MAX
end

--- Once more, in the order given.
function Queue:put_back(entry)
   local list = self.waiting
   local at = #list + 1
   while at > 1 and list[at - 1].index > entry.index do at = at - 1 end
   table.insert(list, at, entry)
end

--- The transaction is over: report the message, or put it back where it is safe or not done yet.
function Queue:finish(conv, entry, transaction)
   entry.first = entry.first or transaction
   local result = delivery.result(conv, transaction)
   if not result.offer and (was_pipelined(entry, result)
      or is_safe_again(self, conv, entry, transaction, result)) then
      entry.transaction = transaction:again(nil, entry.offer)
      return self:put_back(entry)
   end
   if entry.result then delivery.merge(entry.result, result) end
   result = entry.result or result
   if #result.left > 0 and delivery.can_repeat(entry) then
      entry.result, entry.offer = result, result.offer
      entry.transaction = entry.first:again(result.left, result.offer)
      return self:put_back(entry)
   end
   local receipt, err = delivery.outcome(conv, entry, result, entry.started)
   delivery.release(entry)
   self:tell(entry.index, receipt, err, entry.started)
end

-- ---- the next message ----

--- A message, as smtp.client.request gives it, as an entry.
function queue.as_entry(message, index, started)
   message.index, message.started, message.tries = index, started, 1
   return message
end

-- Others may take their next message while this one is made ready.
--- The entry of what the caller gave; nil where that is wrong, which is reported.
function Queue:new_entry(given, index)
   local server, started = self.server, core.now()
   self.started = self.started or started
   local ready = self.settings.ready
   if ready then return queue.as_entry(ready(given, index), index, started) end
   local message = request.plain(given, server)
   if not message then
      local ok, err
      message, err = request.message(given, server)
      if message then ok, err = delivery.sign(server, message, started) end
      if not ok then return self:tell(index, nil, err, started) end
   end
   return queue.as_entry(message, index, started)
end

-- Seconds until the rate allows another message. One that is only reported as failed does not wait.
local function pause_of(self)
   if supply.is_asking(self) then return SHORT end
   local rate = self.settings.rate
   if not rate or self.hopeless then return nil end
   local moment = core.now()
   local due = self.next_at or moment
   if due > moment then return due - moment end
   self.next_at = math.max(due, moment - CATCH_UP) + 1 / rate
   return nil
end

--- The next entry.
---@return table|nil    nil where there is none, or none yet:
---@return number|nil   then, in how many seconds
function Queue:next_entry()
   while not self.stopped do
      if #self.waiting > 0 then return table.remove(self.waiting, 1) end
      if self.ended then return nil end
      local seconds = pause_of(self)
      if seconds then return nil, seconds end
      local message
      message, seconds = supply.take(self)
      if message == nil then return nil, seconds end
      local entry = self:new_entry(message, self.index)
      if entry then return entry end
   end
end

--- It cannot be sent; some of its recipients may have had it on an earlier connection.
function Queue:fail(entry, err)
   local result = entry.result
   err = result and verdict.partly(err, result.recipients) or verdict.own(err)
   delivery.release(entry)
   self:tell(entry.index, nil, err, entry.started)
end

-- The error of the whole call says what became of any message, as one of a message says what became
-- of any recipient.
local function conclude(self, summary)
   local err = self.stopped
   if err.sent == "no" then err.sent = self.sent > 0 and "partly" or self.arrived or "no" end
   err.summary = summary
   return err
end

--- Nothing is on its way any more.
---@return table|nil summary   sent, failed, seconds, results
---@return table|nil err       where a function of the caller's failed
function Queue:summary()
   for i = 1, self.stopped and #self.waiting or 0 do self:fail(self.waiting[i], self.stopped) end
   if self.bar then self.bar:finish() end
   local summary = { sent = self.sent, failed = self.failed, results = self.results,
      seconds = self.started and core.now() - self.started or 0 }
   if not self.stopped then return summary end
   return nil, conclude(self, summary)
end

return queue
