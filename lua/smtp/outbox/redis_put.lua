--- The Redis store: how messages arrive in it, and leave it.
-- @module smtp.outbox.redis_put

local core = require "smtp.core"
local errors = require "smtp.errors"
local keys = require "smtp.outbox.redis_keys"
local link = require "smtp.outbox.redis_link"
local scripts = require "smtp.outbox.redis_scripts"
local states = require "smtp.outbox.states"
local stores = require "smtp.outbox.store"

local unpack = table.unpack or unpack -- luacheck: ignore
local text, member = keys.text, keys.member

local PIECES_IN_STEP = 8    -- of a body that arrives: at most 512 KiB
local ARRIVING = 86400      -- seconds after which a message that has not arrived never will
local PURGED_MAX = 500      -- messages removed at once,
local REMOVED_MAX = 100     -- and in one script
local FOREVER = "9007199254740991"
local NUMBERS = 2097152     -- of messages in a second: 2^21,
local SECONDS = 4294967296  -- and 2^32 seconds, because a double has 53 bits
local STEP_MAX = 1024

local methods = {}

-- The keys of the outbox; of each of these messages, its own and that of its body.
local function keys_with(self, outbox, numbers)
   local list = self:keys_of(outbox)
   for i = 1, #numbers do
      list[#list + 1] = keys.message(self.prefix, numbers[i])
      list[#list + 1] = keys.body(self.prefix, numbers[i])
   end
   return list
end

-- ---- put ----

-- What a script gets of a new message.
local function values_of(record, number, put, old, state, due)
   return { member(number), put, record.id, old, state, text(due), text(record.since),
      text(record.created), text(record.size), record.facts, record.recipients, record.addresses,
      state ~= "arriving" and record.body or nil }
end

-- The number of a new message: by the second in which it is put, and larger than the newest one of
-- this store. Other processes may use it at the same time: then the next one is taken.
local function next_number(self, record)
   local a, b = (core.random(2) or "\1\1"):byte(1, 2)
   local step = 1 + (a * 256 + b) % STEP_MAX
   self.newest = math.max(record.created % SECONDS * NUMBERS, self.newest) + step
   return self.newest
end

-- -> 1, the number; 0: there is a message with this id | nil, err
local function insert(self, outbox, record, put, state, due)
   local old
   while true do
      local number = next_number(self, record)
      local done, err = link.run(self.link, scripts.put, keys_with(self, outbox, { number, old }),
         values_of(record, number, put, old or "", state, due), true)
      if not done then return nil, err end
      if done == 0 or done == 1 then return done, number end
      old = done ~= 2 and done or nil
   end
end

local function remove(self, outbox, number, put)
   return link.run(self.link, scripts.remove, keys_with(self, outbox, { number }),
      { put, FOREVER, member(number) })
end

-- -> 1; 0: another process has put the message anew | nil, err
local function add_pieces(self, outbox, number, put, pieces)
   local list, count, more = keys_with(self, outbox, { number }), 0, true
   while more do
      local some
      some, more = stores.take_pieces(pieces, PIECES_IN_STEP)
      if not some then
         remove(self, outbox, number, put)
         return nil, more
      end
      if #some > 0 then
         local added, err = link.run(self.link, scripts.add_pieces, list,
            { put, text(count + 1), unpack(some) })
         if added ~= 1 then return added, err end
      end
      count = count + #some
   end
   return 1
end

local function put_pieces(self, outbox, record, put, pieces)
   local done, number = insert(self, outbox, record, put, "arriving", record.created + ARRIVING)
   if done ~= 1 then return done, number end
   local err
   done, err = add_pieces(self, outbox, number, put, pieces)
   if done == 1 then
      done, err = link.run(self.link, scripts.finish_pieces, keys_with(self, outbox, { number }),
         { member(number), put, text(record.due) }, true)
   end
   if done == 0 then -- another process has put it anew
      return errors.caught(errors.new("system", { reason = "store_busy", retry = "later",
         what = "another process is putting the message " .. record.id }))
   end
   return done, err
end

function methods:put(outbox, record, pieces)
   local put = states.new_name()
   local done, err
   if pieces then
      done, err = put_pieces(self, outbox, record, put, pieces)
   else
      done, err = insert(self, outbox, record, put, "queued", record.due)
   end
   if not done then return nil, err end
   return done == 1
end

-- ---- what is no longer needed ----

local over = { "sent", "failed", "cancelled", "arriving" }

local function remove_some(self, outbox, state, before)
   local list, err = link.run(self.link, scripts.find_before, self:keys_of(outbox),
      { state, text(before), text(REMOVED_MAX) })
   if not list then return nil, err end
   if #list == 0 then return 0 end
   local ok
   ok, err = link.run(self.link, scripts.remove, keys_with(self, outbox, list),
      { "", text(before), unpack(list) })
   return ok and #list, err
end

function methods:purge(outbox, before)
   local count = 0
   for i = 1, #over do
      repeat
         local removed, err = remove_some(self, outbox, over[i], before)
         if not removed then return nil, err end
         count = count + removed
         if count >= PURGED_MAX then return count end
      until removed < REMOVED_MAX
   end
   return count
end

return methods
