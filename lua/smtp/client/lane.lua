--- One connection of send_many, and the messages that are on their way through it.
--
-- All of them are in one pipeline of the core. Messages of the commonest kinds, { from =, to =,
-- raw = } and short texts, are posted there in bulk, as the caller's own tables; any other message
-- is added as an entry (see smtp.client.queue). A posted message becomes an entry only where more
-- is to be reported of it than a receipt.
-- @module smtp.client.lane

local core = require "smtp.core"
local ending = require "smtp.client.ending"
local findings = require "smtp.client.findings"
local memory = require "smtp.client.memory"
local queues = require "smtp.client.queue"
local receipts = require "smtp.result.receipt"
local request = require "smtp.client.request"
local supply = require "smtp.client.supply"

local lane = {}

local Lane = { __name = "smtp.Lane" }
Lane.__index = Lane

--- The only constructor.
---@param queue table   smtp.Queue
---@param conv smtp.Conversation
function lane.new(queue, conv)
   local server, window = queue.server, queue.settings.window
   conv.pipeline = core.pipeline(conv.session, server.extensions, server.timeout,
      server.timeout_given, window)
   return setmetatable({
      queue = queue,
      conv = conv,
      pipeline = conv.pipeline,
      half = math.ceil(window / 2),
      taken = 0,       -- messages that this connection has been given
      max = nil,       -- how many it may carry at most, once its limits are known
      batch = {},      -- what the caller's function gave, while it is posted
      values = {},     -- what pipeline:take returns of receipts
      grade = conv.session:grade(),
   }, Lane)
end

--- Put an entry on its way.
function Lane:add(entry)
   entry.transaction = self.conv:send(entry, entry.transaction, self.pipeline)
   self.taken = self.taken + 1
end

-- The session's grade is another one. What one connection finds out of the server counts for all.
local function note_grade(self, grade)
   if self.grade == "try" and grade == "eager" then memory.note_grade(self.conv, "eager") end
   local parts = (self.grade == "safe") ~= (grade == "safe") and self.conv.parts
   if parts then parts.pipelining = nil end -- it depends on the grade
   self.grade = grade
end

-- More is to be reported of a message than a receipt.
local function finish(self, transaction, entry, started, text, size, eightbit, message_id)
   local queue = self.queue
   if type(entry) == "number" then
      entry = queues.as_entry({ plain = true, text = text, size = size, message_id = message_id,
         needs = request.plain_needs[eightbit] }, entry, started)
   end
   queue:finish(self.conv, entry, transaction)
end

-- What the receipts of this connection share, once a message has begun. What the server said is
-- known then.
local function parts_of(self)
   self.max = self.max or self.pipeline:max(self.queue.settings.per_connection)
   local parts = self.conv.parts
   if self.max and not (parts and parts.pipelining) then
      parts = findings.parts(self.conv)
      receipts.prepare(parts)
   end
   return parts
end

--- Report the messages that are over.
---@return number   how many are still on their way
function Lane:collect()
   local conv, queue, values = self.conv, self.queue, self.values
   while true do
      local parts = parts_of(self)
      local count, left, deadline, grade, incomplete, transaction, entry, started, text, size,
         eightbit, id = self.pipeline:take(values, core.now(), parts)
      if incomplete then receipts.complete(parts, values, count) end
      if self.grade ~= grade then note_grade(self, grade) end
      if count > 0 then
         conv.has_carried = true
         queue:tell_receipts(values, count)
      end
      conv.deadline = deadline or conv.deadline
      if not transaction then
         if self.grade ~= grade then note_grade(self, grade) end
         return left
      end
      finish(self, transaction, entry, started, text, size, eightbit, id)
   end
end

--- Session:flights has posted so many more of the queue's list.
function Lane:note_posted(count)
   self.queue.index, self.taken = self.queue.index + count, self.taken + count
end

-- May messages be posted as they are, and not only added as entries?
local function may_post(queue)
   return queue.may_post and not (queue.waiting[1] or queue.stopped or queue.asking)
end

-- Has the server gone while nothing was on its way? Looked at before each message: a reply too many
-- that has come meanwhile would be taken for the answer to MAIL, and that to RCPT for the verdict.
local function was_left(self)
   return not self.conv:look()
end

-- Posts so many of the list from this place on, of which the first has this index.
-- -> how many were taken
local function post(self, list, from, to, index)
   local count, deadline = self.pipeline:post(list, from, to, index, core.now())
   self.taken, self.conv.deadline = self.taken + count, deadline or self.conv.deadline
   return count
end

-- The batch, of which the first has the index after `index`.
local function send_batch(self, count, index)
   local queue, batch, at = self.queue, self.batch, 1
   while at <= count do
      at = at + post(self, batch, at, count, index + at)
      local entry = at <= count and queue:new_entry(batch[at], index + at)
      if entry then self:add(entry) end
      at = at + 1
   end
   for i = 1, count do batch[i] = false end
end

-- Up to `room` of what the caller's function gives. -> how many were taken
local function feed_batch(self, room)
   local queue, index = self.queue, self.queue.index
   local count = supply.take_some(self.queue, self.batch, room)
   send_batch(self, count, index)
   if count > 0 then ending.ask_ahead(queue.server, self.pipeline, index + 1, index + count) end
   return count
end

-- Up to `room` of the caller's list. -> how many were taken
local function feed_list(self, room)
   local queue, list, index = self.queue, self.queue.messages, self.queue.index
   local count = post(self, list, index + 1, index + room, index + 1)
   queue.index, queue.ended = index + count, list[index + count + 1] == nil
   return count
end

-- As many of the next messages as there are: up to half of the window, or `room`, if that is less.
-- -> how many were taken; does session:flights take more of the list?
local function feed_some(self, room)
   local queue, most = self.queue, math.min(room, self.half)
   if may_post(queue) then
      if not queue.is_list then return feed_batch(self, most) end
      local count = feed_list(self, room)
      if count > 0 or queue.ended then return count, count == most end
   end
   local entry = queue:next_entry()
   if not entry then return 0 end
   self:add(entry)
   return 1
end

-- How many messages may be added now; nil: none before half of the window is free, or as long as
-- the limits of the connection may not be known.
local function room_of(self, left)
   local room = self.queue.settings.window - left
   if left == 0 or not self.max or room < self.half then return nil end
   return math.min(room, self.max - self.taken)
end

--- While messages are on their way: report those that are over, and take more where half of the
-- window is free, but no more than half of it at once. The server then works on one half while the
-- other is made. Of a list, session:flights takes the other half.
---@return boolean   can more be taken after the next step of the conversation?
function Lane:feed()
   local room, queue = room_of(self, self:collect()), self.queue
   if not room then return false end
   local most, count, has_others = math.min(room, self.half), nil, nil
   while most > 0 and count ~= 0 and (queue.waiting[1] or not queue.ended) do
      count, has_others = feed_some(self, room)
      most, room = most - count, room - count
   end
   local more = not queue.stopped and (queue.waiting[1] ~= nil or not queue.ended)
   if not more then self.pipeline:drain() end
   return more and room > 0 and not has_others
end

-- The connection has nothing on its way: post the next message, if that is to be had at once.
-- -> was there one? Seconds until there may be one
local function post_next(self)
   local queue = self.queue
   if queue.is_list then return was_left(self) or feed_list(self, 1) > 0 end
   local message, seconds = supply.take(queue)
   if message == nil then return false, seconds end
   local batch, index, entry = self.batch, queue.index, nil
   local is_left = was_left(self)
   batch[1] = message
   if is_left or post(self, batch, 1, 1, index) == 0 then
      entry = queue:new_entry(message, index)
   end
   batch[1] = false
   if entry and is_left then
      queue:put_back(entry)
   elseif entry then
      self:add(entry)
   end
   return true
end

--- The connection has nothing on its way: put the next message on its way. It is another
-- connection's where the server has gone meanwhile.
---@return boolean          is there something to do, or to be found out?
---@return number|nil       if not, in how many seconds there may be
function Lane:add_next()
   local queue, conv = self.queue, self.conv
   if self.max and self.taken >= self.max then return false end
   if conv.io and may_post(queue) then -- a conversation that is observed takes no posts
      local is_posted, wait = post_next(self)
      if is_posted or wait then return is_posted, wait end
   end
   local entry, seconds = queue:next_entry()
   if not entry then return false, seconds end
   if was_left(self) then queue:put_back(entry) else self:add(entry) end
   return true
end

return lane
