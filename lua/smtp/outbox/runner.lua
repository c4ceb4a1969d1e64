--- The worker of an outbox: claims messages, sends them over kept connections, records the results.
--
-- A message is in one of these places: in `claimed`, until a connection has room for it; in
-- `on_way`, by the index that smtp.client.many gave it; in `settled`, until the store has its
-- result. `held` has all of them by their number: their claims are renewed.
-- @module smtp.outbox.runner

local circuit = require "smtp.outbox.circuit"
local core = require "smtp.core"
local encoding = require "smtp.outbox.encoding"
local entries = require "smtp.outbox.entry"
local many = require "smtp.client.many"
local request = require "smtp.client.request"
local results = require "smtp.outbox.results"
local states = require "smtp.outbox.states"

local runner = {}

local BATCH = 32           -- messages claimed at once, and results stored at once
local FLUSH_EVERY = 0.1    -- seconds: a result waits no longer for the next mark
local POLL = 0.2           -- seconds until an idle connection asks again
local FLIGHT_WINDOW = 32   -- messages in flight on one connection
local REFUSED_MAX = 8      -- messages refused on a connection; Exim ends it after some more

local Runner = { __name = "smtp.OutboxRunner" }
Runner.__index = Runner

---@param outbox table     smtp.Outbox: store, settings, now
---@param run table        from options.run
function runner.new(outbox, run)
   return setmetatable({
      outbox = outbox, store = outbox.store, name = outbox.settings.name, run = run,
      server = nil,          -- smtp.Server, with the hook before the end of each message
      results = results.new(outbox),
      claimed = {}, first = 1,
      on_way = {}, on_way_count = 0, index = 0,
      held = {},             -- claimed records by number
      taken = 0,             -- messages taken in this round
      max = math.huge,       -- and how many may be
      blocked = false,       -- no further message in this round
      renewed = core.now(),  -- when the claims were renewed last
      flushed = core.now(),  -- when all results were stored last
      failure = nil,         -- why the store failed
   }, Runner)
end

local function now_of(self)
   return self.outbox.now()
end

-- The store failed: no further message is sent.
local function fail(self, err)
   self.failure, self.blocked = self.failure or err, true
end

local function lease_of(self)
   return now_of(self) + self.outbox.settings.lease
end

-- ---- the next message ----

local function claim(self)
   local count = math.min(BATCH, self.max - self.taken)
   local list, err = self.store:claim(self.name, now_of(self), lease_of(self), states.new_claim(),
      count)
   if not list then return fail(self, err) end
   self.claimed, self.first, self.taken = list, 1, self.taken + #list
   for i = 1, #list do
      local number = list[i].number
      self.held[number], self.results.stored[number] = list[i], nil
   end
   return list[1] ~= nil
end

local function is_over(self)
   return self.blocked or self.outbox:is_stopped()
end

local function may_claim(self)
   if self.taken >= self.max then return false end
   local pause, err = circuit.pause(self.store, self.name)
   if err then fail(self, err) end
   return not err and (pause == nil or self.is_probe)
end

-- -> the next record that this runner has claimed
local function take(self)
   if not self.claimed[self.first] and may_claim(self) and not claim(self) then return nil end
   local record = self.claimed[self.first]
   if record then self.claimed[self.first], self.first = nil, self.first + 1 end
   return record
end

-- While messages are on their way their connections may have room again: there may be new ones.
local function none_yet(self)
   local is_long = not self.run.once and not self.is_probe
   if is_long and self.on_way_count > 0 and not is_over(self) then return nil, POLL end
   return nil
end

-- What smtp.client.many asks for messages.
local function next_message(self)
   while not is_over(self) do
      local record = take(self)
      if not record then break end
      local ok, err = entries.read(record)
      if ok then
         self.index = self.index + 1
         self.on_way[self.index], self.on_way_count = record, self.on_way_count + 1
         record.plain = entries.plain(record)
         return record.plain or record
      end
      self.results:add_damaged(record, err)
   end
   return none_yet(self)
end

-- ---- the end of a message ----

local ALL = encoding.encode(true)

-- A record is its own mark, with the bytes for these recipients.
local function mark_of(record, recipients)
   record.bytes = #recipients == #record.to and ALL or encoding.encode(recipients)
   return record
end

local function marks_of(self, ends)
   local marks = {}
   for i = 1, #ends do marks[i] = mark_of(self.on_way[ends[i].index], ends[i].recipients) end
   return marks
end

-- What smtp.client.many calls before it sends the ends of messages; see smtp.client.ending.
local function before_end(self, ends)
   local marked, err = self.results:flush(marks_of(self, ends))
   if not marked then
      fail(self, err)
      return nil, err
   end
   local withheld = {}
   for i = 1, #ends do
      if not marked[i] then withheld[i] = "the claim is gone" end
   end
   return true, withheld
end

-- What smtp.client.many calls with the first and the last message of a flight: with pipelining =
-- "eager", one step marks all of them, for all their recipients, before they are sent. The marks
-- serve while more than a third of the lease is left; after that, before_end is called for each
-- message.
local function before_flight(self, first, last)
   local marks, due = {}, math.huge
   for index = first, last do
      local record = self.on_way[index]
      if record and record.plain then
         marks[#marks + 1], due = mark_of(record, record.to), math.min(due, record.due)
      end
   end
   local marked, err = self.results:flush(marks)
   if not marked then return fail(self, err) end
   for i = 1, #marks do
      if not marked[i] then return nil end
   end
   return os.time() + due - now_of(self) - self.outbox.settings.lease / 3
end

-- ---- results ----

-- The claim is gone, or the store failed, and no server has the message: it is queued again. If
-- some recipients have it from an earlier transaction, this is the result of an attempt.
local function is_withheld(err)
   return err.reason == "withheld" and err.sent == "no"
end

-- The server takes messages, or refuses one of them for its own sake.
local function note_success(self)
   if not self.is_paused then return end
   local _, err = circuit.close(self.store, self.name)
   if err then return fail(self, err) end
   self.is_paused = false
end

-- -> true: it was no attempt, the message waits
local function note_failure(self, failure)
   local kind, was_attempt = circuit.kind_of(failure, self.server.protocol)
   if not kind then
      if failure.code then note_success(self) end
      return false
   end
   if not self.blocked then
      local _, err = circuit.open(self.store, self.name, kind, failure, now_of(self))
      if err then fail(self, err) end
   end
   -- Messages that are on their way may still be accepted: that does not end the pause.
   self.blocked, self.is_paused = true, false
   return kind == "account" or not was_attempt
end

-- The caller's on_result gets what the store has.
local function tell(self)
   self.results:tell()
   if self.results.trouble then self.blocked = true end
end

local function on_result(self, index, receipt, err)
   local record = self.on_way[index]
   self.on_way[index], self.on_way_count = nil, self.on_way_count - 1
   if receipt then
      receipt.message_id = record.details.message_id
      note_success(self)
   end
   if err and (is_withheld(err) or note_failure(self, err)) then
      self.results:add(states.released(record, now_of(self)))
   else
      self.results:add(states.after_attempt(record, receipt, err, self.outbox.settings,
         now_of(self)), receipt, err)
   end
   if self.results.count >= BATCH then self:flush() else tell(self) end
end

--- Store the results that are known, and pass them to on_result.
function Runner:flush()
   local _, err = self.results:flush {}
   self.flushed = core.now()
   if err then fail(self, err) end
   tell(self)
end

-- ---- beside the connections ----

-- Claims are renewed three times in each lease. -> true | nil
local function renew(self)
   local numbers, claims = {}, {}
   for number, record in next, self.held do
      numbers[#numbers + 1], claims[#claims + 1] = number, record.claim
   end
   self.renewed = core.now()
   if #numbers == 0 then return end
   local lease = lease_of(self)
   local _, err = self.store:renew(self.name, numbers, claims, lease)
   if err then return fail(self, err) end
   for _, record in next, self.held do record.due = lease end
end

local function keep_house(self)
   for number in next, self.results.stored do self.held[number] = nil end
   self.results.stored = {}
   if core.now() - self.flushed >= FLUSH_EVERY then self:flush() end
   if core.now() - self.renewed >= self.outbox.settings.lease / 3 then renew(self) end
end

-- ---- one round ----

local function release_claimed(self)
   local now = now_of(self)
   while self.claimed[self.first] do
      local record = self.claimed[self.first]
      self.claimed[self.first], self.first = nil, self.first + 1
      self.results:add(states.released(record, now))
   end
end

local function settings_of(self, connections)
   local settings = request.variant(self.run.many)
   settings.connections, settings.window = connections, FLIGHT_WINDOW
   settings.on_result = function(index, receipt, err) on_result(self, index, receipt, err) end
   function settings.ready(_, index)
      return entries.outgoing(self.store, self.on_way[index], self.server)
   end
   return settings
end

--- Send what is due, until there is nothing more.
---@param max integer        at most so many messages
---@param is_probe? boolean  the server refused the newest messages: find out whether it does now
---@return integer|nil       how many messages were taken
---@return table|nil err     why the store failed
function Runner:round(max, is_probe)
   local connections = is_probe and 1 or self.run.many.connections
   self.max, self.taken, self.index, self.blocked, self.is_probe = max, 0, 0, false, is_probe
   self.is_paused = is_probe
   self.server = request.variant(self.outbox.settings.server, { flight_max = FLIGHT_WINDOW,
      refused_max = REFUSED_MAX, ending = { is_shared = connections > 1,
         before_end = function(ends) return before_end(self, ends) end,
         before_flight = function(first, last) return before_flight(self, first, last) end } })
   if not claim(self) then return not self.failure and 0 or nil, self.failure end
   local summary, err = many.run(self.server, settings_of(self, connections),
      function() return next_message(self) end, function() keep_house(self) end)
   if not summary then fail(self, err) end
   release_claimed(self)
   self:flush()
   self.held = {}
   return not self.failure and self.taken or nil, self.failure
end

return runner
