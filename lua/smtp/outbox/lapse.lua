--- Messages whose lease has ended, as the next runner makes them: one that a runner had before the
-- mark is queued again, and one after it is in doubt. The outbox shows them so, although the store
-- has them as claimed and ending until a runner comes.
-- @module smtp.outbox.lapse

local doubts = require "smtp.outbox.doubt"

local lapse = {}

local PAGE = 1000 -- records, where most of them may have another state now

local is_busy = { claimed = true, ending = true }

--- A record as it is now. What has happened since is at the end of its history.
---@param record table     as the store has it
---@param settings table   resend
---@param now integer
---@return table           the same one, or a copy that has changed
function lapse.see(record, settings, now)
   if not is_busy[record.state] or record.due >= now then return record end
   local seen = {}
   for name, value in next, record do seen[name] = value end
   seen.state = "queued"
   if record.state == "ending" then
      local crash = doubts.after_crash(record, settings, record.due)
      seen.state, seen.recipients = crash.state, crash.recipients
      seen.history = record.history .. crash.history
   end
   return seen
end

-- Calls `add` with the records that the store has in this state, in order, until it returns false.
-- Where the filter is for another state, these are only those whose lease has ended.
-- -> true | nil, err
local function each(outbox, filter, state, now, add)
   local after, page = filter.after, is_busy[state] and PAGE or filter.limit
   local before = state ~= filter.state and now or nil
   repeat
      local list, err = outbox.store:list(outbox.settings.name, { state = state, limit = page,
         after = after, address = filter.address, before = before })
      if not list then return nil, err end
      for i = 1, #list do
         if not add(list[i]) then return true end
      end
      after = #list == page and list[page].number or nil
   until not after
   return true
end

-- Adds the records that the store has in this state, and that have that of the filter now.
local function add_seen(outbox, filter, state, now, all)
   local count = 0
   return each(outbox, filter, state, now, function(record)
      local seen = lapse.see(record, outbox.settings, now)
      if seen.state == filter.state then all[#all + 1], count = seen, count + 1 end
      return count < filter.limit
   end)
end

local function in_order(a, b)
   return a.number < b.number
end

-- Those of one state: the store may have them in another one. A runner may change the state of one
-- between two questions, so that both answers have it.
local function list_of_state(outbox, filter, now)
   local all, states = {}, { filter.state }
   if not is_busy[filter.state] then states = { "claimed", "ending", filter.state } end
   for i = 1, #states do
      local ok, err = add_seen(outbox, filter, states[i], now, all)
      if not ok then return nil, err end
   end
   table.sort(all, in_order)
   local list = {}
   for i = 1, #all do
      local is_known = i > 1 and all[i].number == all[i - 1].number
      if not is_known and #list < filter.limit then list[#list + 1] = all[i] end
   end
   return list
end

--- Records, as store:list returns them.
---@param outbox table   smtp.Outbox: store, settings
---@param filter table   of store:list
---@param now integer
---@return table[]|nil
---@return table|nil err
function lapse.list(outbox, filter, now)
   if filter.state then return list_of_state(outbox, filter, now) end
   local list, err = outbox.store:list(outbox.settings.name, filter)
   for i = 1, list and #list or 0 do list[i] = lapse.see(list[i], outbox.settings, now) end
   return list, err
end

--- Counts by state, as store:count returns them.
---@param outbox table
---@param now integer
---@return table|nil
---@return integer|table|nil oldest   the time at which the first queued message is due; an error
function lapse.count(outbox, now)
   local counts, oldest = outbox.store:count(outbox.settings.name)
   if not counts then return nil, oldest end
   for state in next, is_busy do
      local ok, err = not counts[state], nil
      if not ok then
         ok, err = each(outbox, {}, state, now, function(record)
            local seen = lapse.see(record, outbox.settings, now)
            counts[state] = counts[state] - 1
            counts[seen.state] = (counts[seen.state] or 0) + 1
            if seen.state == "queued" then oldest = math.min(oldest or seen.due, seen.due) end
            return true
         end)
      end
      if not ok then return nil, err end
   end
   return counts, oldest
end

return lapse
