--- The Redis store: questions about what is in it, and notes.
-- @module smtp.outbox.redis_questions

local keys = require "smtp.outbox.redis_keys"
local link = require "smtp.outbox.redis_link"
local scripts = require "smtp.outbox.redis_scripts"
local states = require "smtp.outbox.states"

local unpack = table.unpack or unpack -- luacheck: ignore
local READ_MAX = 50      -- records in one script
local LOOKED_MAX = 1000  -- messages that one script looks at

local methods = {}

-- The keys of an outbox, in a list that the caller may add to.
function methods:keys_of(outbox)
   local newest = self.newest_keys
   if newest.outbox ~= outbox then
      newest = { outbox = outbox, list = keys.of_outbox(self.prefix, outbox) }
      self.newest_keys = newest
   end
   return { unpack(newest.list) }
end

-- The records of these messages, without bodies. Those that have been removed are left out.
function methods:records(outbox, numbers)
   local records = {}
   for first = 1, #numbers, READ_MAX do
      local list = self:keys_of(outbox)
      for i = first, math.min(#numbers, first + READ_MAX - 1) do
         list[#list + 1] = keys.message(self.prefix, numbers[i])
      end
      local found, err = link.run(self.link, scripts.get, list, {})
      if not found then return nil, err end
      for i = 1, #found do
         if found[i][1] ~= "" then records[#records + 1] = keys.record(found[i]) end
      end
   end
   return records
end

function methods:get(outbox, id)
   local number, err = link.run(self.link, scripts.find_id, self:keys_of(outbox), { id })
   if not number then return nil, err end
   if number == "" then return nil end
   local list
   list, err = self:records(outbox, { number })
   return list and list[1], err
end

function methods:read(number, at)
   local piece, err = link.run(self.link, scripts.read, { keys.body(self.prefix, number) },
      { keys.text(at) })
   if piece == "" then return nil end
   return piece, err
end

-- Adds those of these messages that have the address of the filter. -> true | nil, err
local function add_records(self, outbox, filter, numbers, list)
   local records, err = self:records(outbox, numbers)
   if not records then return nil, err end
   local address = filter.address and "\n" .. filter.address .. "\n"
   for i = 1, #records do
      local one = records[i]
      if not address or one.addresses:find(address, 1, true) then list[#list + 1] = one end
   end
   return true
end

-- Adds those that the filter chooses. -> where to go on, or "" | nil, err
local function list_some(self, outbox, filter, after, list)
   local found, err = link.run(self.link, scripts.find_next, self:keys_of(outbox), { after,
      keys.text(LOOKED_MAX), keys.text(math.min(filter.limit - #list, READ_MAX)),
      filter.state or "" })
   if not found then return nil, err end
   local ok
   ok, err = add_records(self, outbox, filter, { unpack(found, 2) }, list)
   return ok and found[1], err
end

-- Those whose lease has ended are the first ones of their set: no other message is looked at.
local function list_ended(self, outbox, filter)
   local found, err = link.run(self.link, scripts.find_before, self:keys_of(outbox),
      { filter.state, keys.text(filter.before), "-1" }) -- all of them
   if not found then return nil, err end
   table.sort(found)
   local list, first = {}, 1
   while found[first] and tonumber(found[first]) <= (filter.after or 0) do first = first + 1 end
   while found[first] and #list < filter.limit do
      local last = math.min(#found, first - 1 + math.min(filter.limit - #list, READ_MAX))
      local ok
      ok, err = add_records(self, outbox, filter, { unpack(found, first, last) }, list)
      if not ok then return nil, err end
      first = last + 1
   end
   return list
end

function methods:list(outbox, filter)
   if filter.before then return list_ended(self, outbox, filter) end
   local list, after = {}, keys.text(filter.after or 0)
   repeat
      local err
      after, err = list_some(self, outbox, filter, after, list)
      if not after then return nil, err end
   until after == "" or #list >= filter.limit
   return list
end

local COUNTED = 7 -- states; "arriving" is the last one

function methods:count(outbox)
   local found, err = link.run(self.link, scripts.count, self:keys_of(outbox), {})
   if not found then return nil, err end
   local counts = {}
   for i = 1, COUNTED do
      if found[i] > 0 then counts[keys.states[i]] = found[i] end
   end
   return counts, tonumber(found[COUNTED + 1])
end

function methods:due_at(outbox)
   local found, err = link.run(self.link, scripts.count, self:keys_of(outbox), {})
   if not found then return nil, err end
   local due
   for i = COUNTED + 1, COUNTED + 3 do
      local first = tonumber(found[i])
      if first and (not due or first < due) then due = first end
   end
   return due
end

-- ---- notes ----

function methods:note(outbox)
   return link.run(self.link, scripts.note, self:keys_of(outbox), {})
end

function methods:set_note(outbox, old, new)
   local done, err = link.run(self.link, scripts.set_note, self:keys_of(outbox),
      { states.new_name(), old, new })
   if not done then return nil, err end
   return done == 1
end

return methods
