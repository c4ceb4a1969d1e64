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
local receipts = require "smtp.result.receipt"
local request = require "smtp.client.request"

local lane = {}

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
   if self.grade == "try" and grade == "eager" then
      memory.note_grade(self.queue.server, "eager")
   end
   self.grade = grade
   if self.conv.parts then self.conv.parts.pipelining = nil end -- it depends on the grade
end

-- More is to be reported of a message than a receipt.
local function finish(self, transaction, entry, started, text, size, eightbit)
   local queue = self.queue
   if type(entry) == "number" then
      entry = queue:as_entry(request.plain_message(text, size, eightbit), entry, started)
   end
   queue:finish(self.conv, entry, transaction)
end

--- Report the messages that are over.
---@return number   how many are still on their way
function Lane:collect()
   local conv, values = self.conv, self.values
   while true do
      local count, left, deadline, grade, transaction, entry, started, text, size, eightbit =
         self.pipeline:take(values, core.now())
      if count > 0 then
         local parts = conv.parts
         if not parts or not parts.pipelining then parts = findings.parts(conv) end
         conv.has_carried = true
         receipts.of_values(parts, values, count)
         for i = 1, 2 * count, 2 do self.queue:tell(values[i], values[i + 1]) end
      end
      conv.deadline = deadline or conv.deadline
      if not transaction then
         if self.grade ~= grade then note_grade(self, grade) end
         return left
      end
      finish(self, transaction, entry, started, text, size, eightbit)
   end
end

-- How many messages this connection may carry (RFC 9422 4).
local function find_max(self)
   self.max = math.min(self.queue.settings.per_connection,
      self.conv.session:facts().mail_max or math.huge)
   return self.max
end

--- May this connection carry more messages?
function Lane:has_room()
   return self.taken < (self.max or find_max(self))
end

-- The messages list[from] to list[to], of which the first has this index. -> how many were taken
local function post(self, list, from, to, index)
   local conv, moment = self.conv, core.now()
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
   if #queue.waiting == 0 and not (queue.settings.rate or queue.stopped or queue.ended
      or queue.asking) then
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

local function has_more(queue)
   return not queue.ended or #queue.waiting > 0
end

--- While messages are on their way: report those that are over, and take more, as the window lets
-- them in, but no more than half of it at once. The server then works on one half while the other
-- is made.
---@return boolean   can more be taken after the next step of the conversation?
function Lane:feed()
   local count, queue = self:collect(), self.queue
   if count == 0 then return false end
   -- What the server says of its limits is not known yet.
   if not self.max and not self.pipeline:has_begun() then return false end
   local max, window = self.max or find_max(self), queue.settings.window
   local most = math.min(window - count, max - self.taken, math.ceil(window / 2))
   while most > 0 and has_more(queue) do
      local more = feed_some(self, most)
      if more == 0 then break end
      most, count = most - more, count + more
   end
   return not queue.stopped and has_more(queue) and count < window and self.taken < max
end

return lane
