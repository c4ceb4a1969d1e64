--- Many messages over few connections, in one thread.
--
-- Each connection is served by a job of its own, which takes the next message where it has room for
-- one. An entry is a message on its way, as smtp.options gives it, with { index =, started =,
-- deadline =, transaction = its newest, left = those still to be served, result = what is known of
-- the others, tries = }. The commonest of messages are so many that their tables, and their
-- transactions, are used again.
-- @module smtp.many

local check = require "smtp.check"
local core = require "smtp.core"
local crowd = require "smtp.crowd"
local delivery = require "smtp.delivery"
local drive = require "smtp.drive"
local errors = require "smtp.errors"
local guard = require "smtp.guard"
local options = require "smtp.options"
local progress = require "smtp.progress"
local report = require "smtp.report"
local signing = require "smtp.signing"

local many = {}

local now, usage = core.now, errors.usage

local TRIES_MAX = 3      -- connections that may break before a message is given up
local SHORT = 0.001      -- seconds, while another job is in the caller's iterator
local CATCH_UP = 0.1     -- seconds that a slow server may be made up for
local FLIGHT_MAX = 64    -- SMTP_FLIGHT_MAX

-- ---- the settings ----

local names = { "connections", "window", "rate", "per_connection", "on_result", "progress" }

local defaults = { connections = 2, window = 16, per_connection = 100 }

local maxima = { connections = 1000, window = FLIGHT_MAX, per_connection = 1000000, rate = 1000000 }

local function is_count(settings, name)
   local value = settings[name]
   local whole = name == "rate" or type(value) == "number" and value % 1 == 0
   if value == nil or type(value) == "number" and value > 0 and value <= maxima[name] and whole then
      return true
   end
   return nil, usage(name, ("%s must be a number above 0, at most %d"):format(name, maxima[name]),
      nil, value)
end

local function check_settings(given)
   if given ~= nil and type(given) ~= "table" then
      return nil, usage("settings", "the settings of send_many must be a table",
         "Write { connections = 2 }")
   end
   local settings = {}
   for name, value in next, defaults do settings[name] = value end
   for name, value in next, given or {} do settings[name] = value end
   local ok, err = check.names(settings, names)
   if not ok then return nil, err end
   ok, err = check.each(is_count, settings, { "connections", "window", "rate", "per_connection" })
   if not ok then return nil, err end
   ok, err = check.is_type(settings, "on_result", "function")
   if not ok then return nil, err end
   ok, err = check.is_type(settings, "progress", "boolean")
   return ok and settings, err
end

-- ---- results ----

-- The caller's own function failed: no further message is taken.
local function stop(state, reason, cause)
   state.stopped = state.stopped or errors.new("source", { reason = reason, cause = cause,
      what = ("send_many stopped: %s raised an error: %s"):format(reason, guard.text(cause)) })
end

local function tell(state, entry, receipt, err)
   if receipt then state.sent = state.sent + 1 else state.failed = state.failed + 1 end
   if state.bar then state.bar:update(state.sent, state.failed) end
   local on_result = state.settings.on_result
   if not on_result then
      state.results[entry.index] = receipt or err
      return
   end
   local ok, cause = guard.call(on_result, entry.index, receipt, err)
   if not ok then stop(state, "on_result", cause) end
end

-- Nobody has it, and nothing but the connection was to blame.
local function is_safe_again(entry, result)
   local trouble = result.trouble
   if not result.broken or not delivery.can_repeat(entry) then return false end
   if trouble.kind ~= "disconnected" and trouble.reason ~= "bdat" then return false end
   return delivery.is_unsent(result) and entry.tries < TRIES_MAX
end

local function again(state, entry)
   state.again[#state.again + 1] = entry
end

local function recycle(state, entry, transaction)
   entry.transaction = transaction
   state.spare[#state.spare + 1] = entry
end

local function finish(state, conv, entry, transaction)
   local receipt = not entry.result and report.plain_receipt(conv, entry, transaction,
      entry.started)
   if receipt then
      tell(state, entry, receipt)
      if entry.plain then recycle(state, entry, transaction) end
      return
   end
   local result = delivery.result(conv, transaction)
   if is_safe_again(entry, result) then
      entry.tries = entry.tries + 1
      return again(state, entry)
   end
   if entry.result then delivery.merge(entry.result, result) end
   result = entry.result or result
   if #result.left > 0 and delivery.can_repeat(entry) and not result.broken then
      entry.result, entry.left = result, delivery.left(entry, result)
      return again(state, entry)
   end
   tell(state, entry, delivery.outcome(conv, entry, result, entry.started))
end

-- ---- the next message ----

-- -> did the iterator return?
local function take(state)
   local messages = state.messages
   state.index = state.index + 1
   local index = state.index
   if type(messages) == "table" then
      if getmetatable(messages) == nil then return true, messages[index] end
      return guard.call(function() return messages[index] end)
   end
   state.asking = true
   local ok, message = guard.call(messages)
   state.asking = false
   return ok, message
end

-- Others may take their next message while this one is made ready.
local function new_entry(state, given)
   local index, started, plan, count = state.index, now(), state.plan, #state.spare
   local entry = options.plain(given, plan, state.spare[count])
   if entry then
      state.spare[count] = nil
   else
      local ok, err
      entry, err = options.mail(given, plan)
      if entry then ok, err = signing.sign(entry, delivery.deadline(plan, entry, started)) end
      if not ok then return tell(state, { index = index }, nil, err) end
   end
   entry.index, entry.started, entry.tries = index, started, 1
   entry.deadline = delivery.deadline(plan, entry, started)
   return entry
end

-- Seconds until the rate allows another.
local function pause_of(state)
   if state.asking then return SHORT end
   local rate = state.settings.rate
   if not rate then return nil end
   local moment = now()
   if state.next_at > moment then return state.next_at - moment end
   state.next_at = math.max(state.next_at, moment - CATCH_UP) + 1 / rate
   return nil
end

-- -> entry | nil where there is none, or none yet: then, in how many seconds
local function next_entry(state)
   while not state.stopped do
      if #state.again > 0 then return table.remove(state.again, 1) end
      if state.ended then return nil end
      local seconds = pause_of(state)
      if seconds then return nil, seconds end
      local ok, message = take(state)
      if not ok then return stop(state, "messages", message) end
      if message == nil then
         state.ended = true
         return nil
      end
      local entry = new_entry(state, message)
      if entry then return entry end
   end
end

-- ---- one connection ----

local function add(conv, line, entry)
   line.last = line.last + 1
   line[line.last] = entry
   entry.transaction = drive.send(conv, entry, entry.left, entry.transaction)
   line.taken = line.taken + 1
   conv.deadline = line[line.first].deadline
end

-- What is over is told, oldest first.
local function collect(state, conv, line)
   while line.first <= line.last and line[line.first].transaction:over() do
      local entry, transaction = line[line.first], line[line.first].transaction
      line[line.first], entry.transaction = nil, nil
      line.first = line.first + 1
      finish(state, conv, entry, transaction)
   end
   if line.first <= line.last then conv.deadline = line[line.first].deadline end
end

-- How many messages this connection may carry (RFC 9422 4).
local function is_worn(state, conv, line)
   line.max = line.max or math.min(state.settings.per_connection,
      conv.session:facts().mail_max or math.huge)
   return line.taken >= line.max
end

-- What the server says of its limits is not known yet.
local before_mail = { greeting = true, ehlo = true, starttls = true, tls = true, auth = true }

-- While others are in flight: as many more as the window lets in.
local function feed(state, conv, line)
   collect(state, conv, line)
   if line.first > line.last then return end
   if not line.max and before_mail[conv.session:stage()] then return end
   while line.last - line.first + 1 < state.settings.window and not is_worn(state, conv, line) do
      local entry = next_entry(state)
      if not entry then return end
      add(conv, line, entry)
   end
end

-- One connection, until it breaks, is worn, or there is nothing left to do.
local function serve(state, conv, entry)
   local line = { first = 1, last = 0, taken = 0 }
   if state.plan.pipelining == "eager" then
      conv.feed = function() feed(state, conv, line) end
   end
   local seconds
   repeat
      if entry then
         add(conv, line, entry)
      elseif seconds then
         crowd.sleep(seconds)
      end
      local word = drive.run(conv)
      collect(state, conv, line)
      if word ~= "ready" then
         conv.sock:close()
         return
      end
      entry, seconds = nil, nil
      if not is_worn(state, conv, line) then entry, seconds = next_entry(state) end
   until not entry and not seconds
   conv.feed = nil
   drive.leave(conv)
end

-- Some of its recipients may have had it on an earlier connection.
local function fail(state, entry, err)
   tell(state, entry, nil, entry.result and report.partly(err, entry.result.recipients) or err)
end

-- A server may want fewer connections than we have: then these go on with what there is to do.
-- Where there are none left, the error is that of every message that waits.
local function give_up(state, entry, err)
   again(state, entry)
   if state.open > 0 then return end
   repeat
      local seconds
      entry, seconds = next_entry(state)
      if entry then fail(state, entry, err) end
      if seconds then crowd.sleep(seconds) end
   until not entry and not seconds
end

local function work(state)
   while true do
      local entry, seconds = next_entry(state)
      if entry then
         state.open = state.open + 1
         local conv, err = delivery.open(state.plan, entry.deadline)
         if conv then serve(state, conv, entry) end
         state.open = state.open - 1
         if not conv then return give_up(state, entry, err) end
      elseif seconds then
         crowd.sleep(seconds)
      else
         return
      end
   end
end

-- ---- the door ----

local function is_messages(messages)
   local kind = type(messages)
   if kind == "table" or kind == "function" then return true end
   return nil, usage("messages",
      ("messages must be a list or a function, and is a %s"):format(kind),
      "Write { { from = …, to = … }, … }; a function returns the next one, nil at the end")
end

--- Send many messages: see the README.
---@param t table                     the options of a connection
---@param messages table|function     options of messages, as for connection:send
---@param given? table                connections, window, rate, per_connection, on_result, progress
---@return table|nil summary          sent, failed, seconds, results
---@return table|nil err
function many.send(t, messages, given)
   local plan, err = options.connection(t)
   if not plan then return nil, err end
   local settings
   settings, err = check_settings(given)
   if not settings then return nil, err end
   local ok
   ok, err = is_messages(messages)
   if not ok then return nil, err end
   local is_plain = type(messages) == "table" and getmetatable(messages) == nil
   local total = is_plain and #messages or nil
   local state = { plan = options.variant(plan, { flight_max = settings.window }),
      settings = settings, messages = messages, index = 0, again = {}, results = {}, spare = {},
      sent = 0, failed = 0, open = 0, next_at = now(),
      bar = settings.progress and progress.new(total) or nil }
   local started, jobs = now(), {}
   for i = 1, math.min(settings.connections, total or settings.connections) do
      jobs[i] = function() work(state) end
   end
   local ran, cause = true, nil
   if #jobs == 1 then jobs[1]() else ran, cause = crowd.run(jobs) end
   if not ran then error(cause, 0) end
   for i = 1, state.stopped and #state.again or 0 do fail(state, state.again[i], state.stopped) end
   if state.bar then state.bar:finish() end
   local summary = { sent = state.sent, failed = state.failed, seconds = now() - started,
      results = state.results }
   if not state.stopped then return summary end
   state.stopped.summary = summary
   return nil, state.stopped
end

return many
