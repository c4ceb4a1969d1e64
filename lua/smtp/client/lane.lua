--- One connection of send_many, and the messages that are on their way through it.
--
-- All of them are in one pipeline of the core. Messages of the commonest kind, { from =, to =,
-- raw = }, are posted there in bulk, as the caller's own tables; any other message is added as an
-- entry (see smtp.client.queue). A posted message becomes an entry only where more is to be
-- reported of it than a receipt.
-- @module smtp.client.lane

local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local findings = require "smtp.client.findings"
local memory = require "smtp.client.memory"
local options = require "smtp.client.request"
local receipts = require "smtp.result.receipt"

local lane = {}

local now = core.now

local Lane = {}
Lane.__index = Lane
Lane.__name = "smtp.Lane"

--- The only constructor.
---@param queue table   smtp.Queue
---@param conv table    the conversation
function lane.new(queue, conv)
   local server = queue.server
   return setmetatable({
      queue = queue,
      conv = conv,
      pipeline = core.pipeline(conv.session, server.extensions, server.timeout,
         not server.timeout_given and delivery.OCTETS_PER_SECOND or 0),
      taken = 0,       -- messages that this connection has been given
      max = nil,       -- how many it may carry at most, once its limits are known
      batch = {},      -- what the caller's function gave, while it is posted
      values = {},     -- what pipeline:take returns of receipts
      grade = nil,     -- the session's, and the state of the memory that it was set by
      changes = -1,
      used = nil,      -- receipt.used of a posted message; of one with 8-bit bytes
      used_8bit = nil,
   }, Lane)
end

--- Put an entry on its way.
function Lane:add(entry)
   entry.transaction = self.conv:send(entry, entry.transaction, self.pipeline)
   self.taken = self.taken + 1
end

-- So many messages are accepted, and what pipeline:take returned of them is in self.values.
local function report(self, count)
   local v, queue, parts = self.values, self.queue, findings.parts(self.conv)
   self.conv.has_carried = true
   self.used = self.used or receipts.used(options.plain_needs(false), parts)
   self.used_8bit = self.used_8bit or receipts.used(options.plain_needs(true), parts)
   for i = 1, 8 * count, 8 do
      local index, used, message_id, size = v[i], v[i + 7] and self.used_8bit or self.used, nil,
         v[i + 5]
      if type(index) == "table" then
         local entry = index
         index, used = entry.index, receipts.used(entry.needs, parts)
         message_id, size = entry.message_id, entry.size
      end
      queue:tell(index, receipts.new(parts, used, message_id, size, v[i + 6], v[i + 1], v[i + 2],
         v[i + 3], v[i + 4]))
   end
end

--- Report the messages that are over.
---@return number   how many are still on their way
function Lane:collect()
   local conv, queue = self.conv, self.queue
   while true do
      local count, left, deadline, transaction, entry, started, text, size, eightbit =
         self.pipeline:take(self.values, now())
      if count > 0 then report(self, count) end
      conv.deadline = deadline or conv.deadline
      if not transaction then return left end
      if type(entry) == "number" then
         entry = queue:as_entry(options.plain_message(text, size, eightbit), entry, started)
      end
      queue:finish(conv, entry, transaction)
   end
end

--- How many messages this connection may still carry (RFC 9422 4).
function Lane:left()
   self.max = self.max or math.min(self.queue.settings.per_connection,
      self.conv.session:facts().mail_max or math.huge)
   return self.max - self.taken
end

-- The messages list[from] to list[to], of which the first has this index. -> how many were taken
local function post(self, list, from, to, index)
   local conv, moment = self.conv, now()
   local count, deadline = self.pipeline:post(list, from, to, index, moment)
   if count > 0 then conv.moved, conv.deadline = moment, deadline end
   self.taken = self.taken + count
   return count
end

-- Up to `room` of what the caller's function gives. -> how many were taken
local function feed_batch(self, room)
   local queue, batch, count = self.queue, self.batch, 0
   local index = queue.index
   while count < room and not queue.ended and not queue.stopped do
      local message = queue:take()
      if message ~= nil then
         count = count + 1
         batch[count] = message
      end
   end
   local at = 1
   while at <= count do
      at = at + post(self, batch, at, count, index + at)
      local entry = at <= count and queue:new_entry(batch[at], index + at)
      if entry then self:add(entry) end
      at = at + 1
   end
   for i = 1, count do batch[i] = false end
   return count
end

-- As many of the next messages as there are, up to `room`. -> how many were taken
local function feed_some(self, room)
   local queue = self.queue
   if not queue.settings.rate and queue:is_untouched() then
      if type(queue.messages) == "function" then return feed_batch(self, room) end
      local count = queue.is_list and post(self, queue.messages, queue.index + 1,
         queue.index + room, queue.index + 1) or 0
      queue.index = queue.index + count
      if count > 0 then return count end
   end
   local entry = queue:next_entry()
   if not entry then return 0 end
   self:add(entry)
   return 1
end

-- What one connection finds out of the server counts for all.
local function settle_grade(self)
   local session, server = self.conv.session, self.queue.server
   if self.grade == "try" and session:grade() == "eager" then
      memory.note_grade(server, "eager")
   end
   if self.changes == memory.changes then return end
   self.grade, self.changes = session:grade(memory.grade(server, self.conv)), memory.changes
end

-- What the server says of its limits is not known yet.
local before_mail = { greeting = true, ehlo = true, starttls = true, tls = true, auth = true }

--- While messages are on their way: report those that are over, and take more, as the window lets
-- them in, but no more than half of it at once. The server then works on one half while the other
-- is made.
---@return boolean   can more be taken after the next step of the conversation?
function Lane:feed()
   local count = self:collect()
   settle_grade(self)
   if count == 0 then return false end
   if not self.max and before_mail[self.conv.session:stage()] then return true end
   local window = self.queue.settings.window
   local most = math.min(window - count, self:left(), math.ceil(window / 2))
   while most > 0 do
      local more = feed_some(self, most)
      if more == 0 then break end
      most, count = most - more, count + more
   end
   return count < window and self:left() > 0 and not self.queue:is_done()
end

return lane
