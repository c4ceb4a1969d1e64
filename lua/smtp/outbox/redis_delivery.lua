--- The Redis store: claims, marks, results, and leases that have ended.
-- @module smtp.outbox.redis_delivery

local keys = require "smtp.outbox.redis_keys"
local link = require "smtp.outbox.redis_link"
local scripts = require "smtp.outbox.redis_scripts"
local states = require "smtp.outbox.states"

local unpack = table.unpack or unpack -- luacheck: ignore
local text, member = keys.text, keys.member

local CLAIMED_MAX = 16      -- messages in one script, with their bodies
local TRIES = 10            -- to be faster than other runners
local RENEWED_MAX = 100
local EXPIRED_MAX = 100
local COMMITTED_MAX = 100   -- results in one script: the values of 700 are too many for unpack

local methods = {}

-- The keys of the outbox, and those of the messages list[first] to list[last].
local function keys_with(self, outbox, list, first, last)
   local all = self:keys_of(outbox)
   for i = first or 1, last or #list do all[#all + 1] = keys.message(self.prefix, list[i]) end
   return all
end

-- ---- claims ----

local function claim_some(self, outbox, found, first, values, list)
   local last = math.min(#found, first + CLAIMED_MAX - 1)
   local claimed, err = link.run(self.link, scripts.claim, keys_with(self, outbox, found, first,
      last), { values[1], values[2], values[3], unpack(found, first, last) })
   if not claimed then return nil, err end
   for i = 1, #claimed do list[#list + 1] = keys.record(claimed[i]) end
   return true
end

function methods:claim(outbox, now, lease, claim, limit, before)
   local values, list = { text(now), text(lease), text(claim) }, {}
   for _ = 1, TRIES do
      local found, err = link.run(self.link, scripts.find_due, self:keys_of(outbox), { text(now),
         text(limit), before and text(before) or "" })
      if not found then return nil, err end
      for first = 1, #found, CLAIMED_MAX do
         local ok
         ok, err = claim_some(self, outbox, found, first, values, list)
         if not ok and list[1] then return list end
         if not ok then return nil, err end
      end
      if list[1] or not found[1] then break end -- otherwise other runners have claimed them
   end
   return list
end

function methods:renew(outbox, numbers, claims, lease)
   for first = 1, #numbers, RENEWED_MAX do
      local last = math.min(#numbers, first + RENEWED_MAX - 1)
      local values = { text(lease) }
      for i = first, last do
         values[#values + 1], values[#values + 2] = member(numbers[i]), text(claims[i])
      end
      local ok, err = link.run(self.link, scripts.renew, keys_with(self, outbox, numbers, first,
         last), values)
      if not ok then return nil, err end
   end
   return true
end

-- ---- results and marks ----

-- The random name of a result, which it keeps when it is committed again: it counts once.
local function step_of(self, result)
   self.steps[result] = self.steps[result] or states.new_name()
   return self.steps[result]
end

local function add(list, ...)
   for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
end

local function optional(number)
   return number and text(number) or ""
end

local function values_of(self, results, marks, steps)
   local values = { text(#results) }
   for i = 1, #results do
      local one = results[i]
      add(values, member(one.number), text(one.claim), step_of(self, one), one.state,
         text(one.due), optional(one.since), one.from or "", optional(one.lease), one.recipients,
         text(one.attempts), one.history, optional(one.new_claim))
   end
   for i = 1, #marks do
      local one = marks[i]
      add(values, member(one.number), text(one.claim), steps[i], one.bytes)
   end
   return values
end

local function keys_of_all(self, outbox, results, marks)
   local all = self:keys_of(outbox)
   for _, list in ipairs { results, marks } do
      for i = 1, #list do all[#all + 1] = keys.message(self.prefix, list[i].number) end
   end
   return all
end

-- No end is sent: the messages are not in doubt.
local function unmark(self, outbox, marks, steps)
   local values = {}
   for i = 1, #marks do
      add(values, member(marks[i].number), steps[i], marks[i].bytes)
   end
   link.run(self.link, scripts.unmark, keys_of_all(self, outbox, {}, marks), values)
end

-- More results than one script takes are committed before it: each one counts once by its step.
function methods:commit(outbox, results, marks)
   local counted, marked, steps = {}, {}, {}
   for i = 1, #marks do steps[i] = states.new_name() end
   for first = 1, math.max(#results, 1), COMMITTED_MAX do
      local some = { unpack(results, first, math.min(#results, first + COMMITTED_MAX - 1)) }
      local own = first + #some > #results and marks or {}
      local reply, err, done = link.run(self.link, scripts.commit, keys_of_all(self, outbox, some,
         own), values_of(self, some, own, steps), true)
      if not reply then
         if done and own[1] then unmark(self, outbox, own, steps) end
         return nil, err
      end
      for i = 1, #some do counted[#counted + 1] = reply[i] == 1 end
      for i = 1, #own do marked[i] = reply[#some + i] == 1 end
   end
   return counted, marked
end

-- ---- leases that have ended ----

local function ended(self, outbox, state, now, limit)
   return link.run(self.link, scripts.find_before, self:keys_of(outbox), { state, text(now),
      text(limit) })
end

function methods:expire(outbox, now, limit)
   local list, err
   repeat
      list, err = ended(self, outbox, "claimed", now, EXPIRED_MAX)
      if not list then return nil, err end
      local ok = true
      if list[1] then
         ok, err = link.run(self.link, scripts.requeue, keys_with(self, outbox, list),
            { text(now), unpack(list) })
      end
      if not ok then return nil, err end
   until #list < EXPIRED_MAX
   list, err = ended(self, outbox, "ending", now, limit)
   if not list then return nil, err end
   return self:records(outbox, list)
end

return methods
