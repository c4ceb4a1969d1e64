--- The results of a runner: stored many at a time, and passed to the caller's function on_result
-- after that.
-- @module smtp.outbox.results

local doubts = require "smtp.outbox.doubt"
local encoding = require "smtp.outbox.encoding"
local entries = require "smtp.outbox.entry"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"

local results = {}

local Results = { __name = "smtp.OutboxResults" }
Results.__index = Results

-- Each result is what smtp.outbox.states made of a record, with the receipt or the error.
function results.new(outbox)
   return setmetatable({ outbox = outbox, count = 0,
      list = {},      -- those that the store does not have yet
      stored = {},    -- numbers of messages whose result the store has: the runner empties it
      untold = {},    -- what on_result has not been called with yet
      late = {},      -- results of claims that had gone: they may settle a doubt
      trouble = nil,  -- what on_result raised
      totals = { sent = 0, failed = 0, doubt = 0, queued = 0 } }, Results)
end

--- Add the result of a message.
---@param result table     from smtp.outbox.states, of the record as it was claimed
function Results:add(result, receipt, err)
   self.count = self.count + 1
   result.receipt, result.err = receipt, err
   self.list[self.count] = result
end

--- Add a message whose record is damaged.
function Results:add_damaged(record, err)
   local now = self.outbox.now()
   self:add({ number = record.number, claim = record.claim, state = "failed", due = now,
      recipients = record.recipients, list = {}, attempts = record.attempts, record = record,
      history = encoding.fields("time", now, "reason", err.reason, "what", err.what) }, nil, err)
end

local is_final = { sent = true, failed = true, doubt = true }

-- What users see of a record after its result.
local function view_after(one)
   local record = {}
   for name, value in next, one.record do record[name] = value end
   for name, value in next, one do record[name] = value end
   record.history = (one.record.history or "") .. one.history
   return entries.view(record)
end

local function note_stored(self, one)
   local state = one.state
   self.stored[one.number] = true
   if one.receipt or one.err or is_final[state] then
      self.totals[state] = (self.totals[state] or 0) + 1
   end
   if is_final[state] and self.outbox.settings.on_result then
      self.untold[#self.untold + 1] = one
   end
end

-- What became of a message is known by the runner that had it on its way, and by no other.
local function note_late(self, one)
   self.stored[one.number] = true
   if one.record.to then self.late[#self.late + 1] = one end
end

--- Store the results, and after them the marks of messages whose ends are about to be sent.
---@param marks table        { number =, claim =, bytes = }
---@return table|nil marked  for each of them: does the claim still exist?
---@return table|nil err     the store failed: the results are kept for the next call
function Results:flush(marks)
   local list = self.list
   if #list == 0 and #marks == 0 then return {} end
   self.list, self.count = {}, 0
   local done, marked = self.outbox.store:commit(self.outbox.settings.name, list, marks)
   if not done then
      for i = 1, #self.list do list[#list + 1] = self.list[i] end
      self.list, self.count = list, #list
      return nil, marked
   end
   for i = 1, #list do
      if done[i] then note_stored(self, list[i]) else note_late(self, list[i]) end
   end
   return marked
end

local busy = { claimed = true, ending = true }

-- -> is there nothing more to do about it?
local function settle_late(self, one)
   local outbox = self.outbox
   local record, err = outbox.store:get(outbox.settings.name, one.record.id)
   if not record then return err == nil end
   if busy[record.state] then return false end
   local result = doubts.after_doubt(record, one, outbox.now())
   if not result then return true end
   local done = outbox.store:commit(outbox.settings.name, { result }, {})
   if not done or not done[1] then return false end
   result.receipt, result.err = one.receipt, one.err
   note_stored(self, result)
   return true
end

--- Try to settle doubts that late results know about.
function Results:settle()
   local late = self.late
   self.late = {}
   for i = 1, #late do
      if not settle_late(self, late[i]) then self.late[#self.late + 1] = late[i] end
   end
end

--- Call on_result with what has been stored.
function Results:tell()
   while self.untold[1] and not self.trouble do
      local one = table.remove(self.untold, 1)
      local ok, cause = user_call.call(self.outbox.settings.on_result, view_after(one), one.receipt,
         one.err)
      if not ok then
         self.trouble = errors.new("source", { reason = "on_result", cause = cause,
            what = "the outbox stopped: on_result raised an error: " .. user_call.text(cause) })
      end
   end
end

return results
