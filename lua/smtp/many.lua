--- Many messages over few connections, in one thread.
--
-- Each connection is served by a job of its own, which takes the next message where it has room for
-- one. An entry is a message on its way, as smtp.options gives it, with { index =, started =,
-- deadline =, transaction = its newest, left = those still to be served, result = what is known of
-- the others, tries = }. Of the commonest of messages there may be very many: where several are in
-- flight they are handed over in bulk, as a core.line, and become entries only where something is
-- to be told of them.
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

local function tell(state, index, receipt, err)
   if receipt then state.sent = state.sent + 1 else state.failed = state.failed + 1 end
   if state.bar then state.bar:update(state.sent, state.failed) end
   local on_result = state.settings.on_result
   if not on_result then
      state.results[index] = receipt or err
      return
   end
   local ok, cause = guard.call(on_result, index, receipt, err)
   if not ok then stop(state, "on_result", cause) end
end

-- Nobody has it, and nothing but the connection was to blame.
local function is_safe_again(entry, result)
   local trouble = result.trouble
   if not result.broken or not delivery.can_repeat(entry) then return false end
   if trouble.kind ~= "disconnected" and trouble.reason ~= "bdat" then return false end
   return delivery.is_unsent(result) and entry.tries < TRIES_MAX
end

-- In the order given.
local function again(state, entry)
   local list = state.again
   local at = #list + 1
   while at > 1 and list[at - 1].index > entry.index do at = at - 1 end
   table.insert(list, at, entry)
end

local function finish(state, conv, entry, transaction)
   local receipt = not entry.result and report.plain_receipt(conv, entry, transaction,
      entry.started)
   if receipt then return tell(state, entry.index, receipt) end
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
   tell(state, entry.index, delivery.outcome(conv, entry, result, entry.started))
end

-- ---- the next message ----

local function ask(state)
   local messages, index = state.messages, state.index
   if type(messages) == "table" then
      if state.is_list then return true, messages[index] end
      return guard.call(function() return messages[index] end)
   end
   state.asking = true
   local ok, message = guard.call(messages)
   state.asking = false
   return ok, message
end

-- The message of the index that is now state.index; nil where there is none.
local function take(state)
   state.index = state.index + 1
   local ok, message = ask(state)
   if ok and message ~= nil then return message end
   state.ended = true
   if not ok then stop(state, "messages", message) end
   return nil
end

local function as_entry(state, mail, index, started)
   mail.index, mail.started, mail.tries = index, started, 1
   mail.deadline = delivery.deadline(state.plan, mail, started)
   return mail
end

-- Others may take their next message while this one is made ready.
local function new_entry(state, given, index)
   local started, plan = now(), state.plan
   local mail = options.plain(given, plan)
   if not mail then
      local ok, err
      mail, err = options.mail(given, plan)
      if mail then ok, err = signing.sign(mail, delivery.deadline(plan, mail, started)) end
      if not ok then return tell(state, index, nil, err) end
   end
   return as_entry(state, mail, index, started)
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
      local message = take(state)
      if message == nil then return nil end
      local entry = new_entry(state, message, state.index)
      if entry then return entry end
   end
end

-- ---- one connection ----

-- The line of one connection: entries line[first] to line[last], and the others in line.bulk.
local function new_line()
   return { first = 1, last = 0, taken = 0, batch = {}, values = {} }
end

local function add(conv, line, entry)
   line.last = line.last + 1
   line[line.last] = entry
   entry.transaction = drive.send(conv, entry, entry.left, entry.transaction)
   line.taken = line.taken + 1
end

-- Those that are over leave the line; the deadline is that of the oldest of the others. -> how many
-- these are
local function settle(conv, line)
   local count, deadline = line.last - line.first + 1, nil
   if count > 0 then deadline = line[line.first].deadline end
   if line.bulk then
      local more, first = line.bulk:state()
      count = count + more
      if first and (not deadline or first < deadline) then deadline = first end
   end
   conv.deadline = deadline or conv.deadline
   return count
end

local function collect_bulk(state, conv, line)
   local v, parts = line.values, report.parts(conv)
   while true do
      local count, transaction, index, started, text, from, to, size, eightbit = line.bulk:take(v,
         now())
      for i = 1, 11 * count, 11 do
         tell(state, v[i], report.sole(parts, v[i + 10] and line.used_8bit or line.used, nil,
            v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8],
            v[i + 9]))
      end
      if not transaction then return end
      local mail = options.plain_mail(text, from, to, size, eightbit)
      finish(state, conv, as_entry(state, mail, index, started), transaction)
   end
end

-- What is over is told. -> how many are not
local function collect(state, conv, line)
   if line.bulk then collect_bulk(state, conv, line) end
   while line.first <= line.last and line[line.first].transaction:over() do
      local entry, transaction = line[line.first], line[line.first].transaction
      line[line.first], entry.transaction = nil, nil
      line.first = line.first + 1
      finish(state, conv, entry, transaction)
   end
   return settle(conv, line)
end

-- How many messages this connection may still carry (RFC 9422 4).
local function left_of(state, conv, line)
   line.max = line.max or math.min(state.settings.per_connection,
      conv.session:facts().mail_max or math.huge)
   return line.max - line.taken
end

-- What the server says of its limits is not known yet.
local before_mail = { greeting = true, ehlo = true, starttls = true, tls = true, auth = true }

-- Are messages handed over in bulk here? Not where each is to be looked at.
local function open_bulk(state, conv, line)
   local plan = state.plan
   if line.bulk or state.settings.rate or next(plan.extensions) ~= nil
      or conv.transcript.secrets[1] then
      return line.bulk
   end
   local capabilities = report.parts(conv).capabilities
   line.used = report.used(options.plain_needs(false), capabilities)
   line.used_8bit = report.used(options.plain_needs(true), capabilities)
   line.bulk = core.line(conv.session, plan.timeout,
      not plan.timeout_given and delivery.OCTETS_PER_SECOND or 0)
   return line.bulk
end

-- The messages list[from] to list[to], of which the first has this index. -> how many were taken
local function post(conv, line, list, from, to, index)
   local moment = now()
   local count = line.bulk:post(list, from, to, index, moment)
   if count > 0 then conv.moved = moment end
   line.taken = line.taken + count
   return count
end

-- Up to `room` of what the caller's function gives. -> how many were taken
local function feed_batch(state, conv, line, room)
   local batch, index, count = line.batch, state.index, 0
   while count < room and not state.ended and not state.stopped do
      local message = take(state)
      if message ~= nil then
         count = count + 1
         batch[count] = message
      end
   end
   local at = 1
   while at <= count do
      at = at + post(conv, line, batch, at, count, index + at)
      local entry = at <= count and new_entry(state, batch[at], index + at)
      if entry then add(conv, line, entry) end
      at = at + 1
   end
   for i = 1, count do batch[i] = false end
   return count
end

-- As many of the next messages as there are, up to `room`. -> how many were taken
local function feed_some(state, conv, line, room)
   if #state.again == 0 and not state.stopped and not state.ended and not state.asking
      and open_bulk(state, conv, line) then
      if not state.is_list and type(state.messages) == "function" then
         return feed_batch(state, conv, line, room)
      end
      local count = state.is_list and post(conv, line, state.messages, state.index + 1,
         state.index + room, state.index + 1) or 0
      state.index = state.index + count
      if count > 0 then return count end
   end
   local entry = next_entry(state)
   if not entry then return 0 end
   add(conv, line, entry)
   return 1
end

-- While others are in flight: more, as the window lets them in, but no more than half of it at
-- once. The server then works on one half while we make the other.
local function feed(state, conv, line)
   local count = collect(state, conv, line)
   if count == 0 or not line.max and before_mail[conv.session:stage()] then return end
   local window = state.settings.window
   local most = math.min(window - count, left_of(state, conv, line), math.ceil(window / 2))
   while most > 0 do
      local more = feed_some(state, conv, line, most)
      if more == 0 then break end
      most = most - more
   end
   settle(conv, line)
end

-- One connection, until it breaks, is worn, or there is nothing left to do.
local function serve(state, conv, entry)
   local line = new_line()
   if state.plan.pipelining == "eager" then
      conv.feed = function() feed(state, conv, line) end
   end
   local seconds
   repeat
      if entry then
         add(conv, line, entry)
         settle(conv, line)
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
      if left_of(state, conv, line) > 0 then entry, seconds = next_entry(state) end
   until not entry and not seconds
   conv.feed = nil
   drive.leave(conv)
end

-- Some of its recipients may have had it on an earlier connection.
local function fail(state, entry, err)
   local result = entry.result
   tell(state, entry.index, nil, result and report.partly(err, result.recipients) or err)
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
   local is_list = type(messages) == "table" and getmetatable(messages) == nil
   local total = is_list and #messages or nil
   local state = { plan = options.variant(plan, { flight_max = settings.window }),
      settings = settings, messages = messages, is_list = is_list, index = 0, again = {},
      results = {}, sent = 0, failed = 0, open = 0, next_at = now(),
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
