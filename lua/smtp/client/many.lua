--- Many messages over few connections, in one thread.
--
-- Each connection is served by a job of its own, which takes the next message where it has room for
-- one. Of the commonest of messages there may be very many: where several are in flight they are
-- handed over in bulk, as a core.pipeline, and become entries (see smtp.queue) only where something is
-- to be told of them.
-- @module smtp.client.many

local check = require "smtp.options.check"
local core = require "smtp.core"
local crowd = require "smtp.runtime.scheduler"
local delivery = require "smtp.client.delivery"
local errors = require "smtp.errors"
local findings = require "smtp.client.findings"
local host = require "smtp.runtime.runtime"
local queues = require "smtp.client.queue"
local options = require "smtp.client.request"
local quirks = require "smtp.client.memory"
local receipts = require "smtp.result.receipt"

local many = {}

local now, usage = core.now, errors.usage
local is_busy, new_queue = queues.is_busy, queues.new

local FLIGHT_MAX = 64 -- SMTP_FLIGHT_MAX
local REFUSED_MAX = 8 -- messages refused on a connection; Exim ends it behind some more

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

-- ---- one connection ----

-- The line of one connection: entries line[first] to line[last], and the others in line.bulk.
local function new_line()
   return { first = 1, last = 0, taken = 0, batch = {}, values = {}, changes = -1, grade = nil }
end

local function add(conv, line, entry)
   line.last = line.last + 1
   line[line.last] = entry
   entry.transaction = conv:send(entry, entry.left, entry.transaction)
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

local function collect_bulk(queue, conv, line)
   local v, parts = line.values, findings.parts(conv)
   while true do
      local count, transaction, index, started, text, from, to, size, eightbit = line.bulk:take(v,
         now())
      conv.has_carried = conv.has_carried or count > 0
      for i = 1, 11 * count, 11 do
         queue:tell(v[i], receipts.sole(parts, v[i + 10] and line.used_8bit or line.used, nil,
            v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8],
            v[i + 9]))
      end
      if not transaction then return end
      local mail = options.plain_mail(text, from, to, size, eightbit)
      queue:finish(conv, queue:as_entry(mail, index, started), transaction)
   end
end

-- What is over is told. -> how many are not
local function collect(queue, conv, line)
   if line.bulk then collect_bulk(queue, conv, line) end
   while line.first <= line.last and line[line.first].transaction:over() do
      local entry, transaction = line[line.first], line[line.first].transaction
      line[line.first], entry.transaction = nil, nil
      line.first = line.first + 1
      queue:finish(conv, entry, transaction)
   end
   return settle(conv, line)
end

-- How many messages this connection may still carry (RFC 9422 4).
local function left_of(queue, conv, line)
   line.max = line.max or math.min(queue.settings.per_connection,
      conv.session:facts().mail_max or math.huge)
   return line.max - line.taken
end

-- What the server says of its limits is not known yet.
local before_mail = { greeting = true, ehlo = true, starttls = true, tls = true, auth = true }

-- Are messages handed over in bulk here? Not where each is to be looked at.
local function open_bulk(queue, conv, line)
   local server = queue.server
   if line.bulk or queue.settings.rate or next(server.extensions) ~= nil then return line.bulk end
   local parts = findings.parts(conv)
   line.used = receipts.used(options.plain_needs(false), parts)
   line.used_8bit = receipts.used(options.plain_needs(true), parts)
   line.bulk = core.pipeline(conv.session, server.timeout,
      not server.timeout_given and delivery.OCTETS_PER_SECOND or 0)
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
local function feed_batch(queue, conv, line, room)
   local batch, index, count = line.batch, queue.index, 0
   while count < room and not queue.ended and not queue.stopped do
      local message = queue:take()
      if message ~= nil then
         count = count + 1
         batch[count] = message
      end
   end
   local at = 1
   while at <= count do
      at = at + post(conv, line, batch, at, count, index + at)
      local entry = at <= count and queue:new_entry(batch[at], index + at)
      if entry then add(conv, line, entry) end
      at = at + 1
   end
   for i = 1, count do batch[i] = false end
   return count
end

-- As many of the next messages as there are, up to `room`. -> how many were taken
local function feed_some(queue, conv, line, room)
   if #queue.waiting == 0 and not queue.stopped and not queue.ended and not queue.asking
      and open_bulk(queue, conv, line) then
      if type(queue.messages) == "function" then return feed_batch(queue, conv, line, room) end
      local count = queue.is_list and post(conv, line, queue.messages, queue.index + 1,
         queue.index + room, queue.index + 1) or 0
      queue.index = queue.index + count
      if count > 0 then return count end
   end
   local entry = queue:next_entry()
   if not entry then return 0 end
   add(conv, line, entry)
   return 1
end

-- What one connection finds out of the server counts for all.
local function settle_grade(queue, conv, line)
   local session, server = conv.session, queue.server
   if line.grade == "try" and session:grade() == "eager" then quirks.note_grade(server, "eager") end
   if line.changes == quirks.changes then return end
   line.grade, line.changes = session:grade(quirks.grade(server, conv)), quirks.changes
end

-- While others are in flight: more, as the window lets them in, but no more than half of it at
-- once. The server then works on one half while we make the other.
local function feed(queue, conv, line)
   local count = collect(queue, conv, line)
   settle_grade(queue, conv, line)
   if count == 0 or not line.max and before_mail[conv.session:stage()] then return end
   local window = queue.settings.window
   local most = math.min(window - count, left_of(queue, conv, line), math.ceil(window / 2))
   while most > 0 do
      local more = feed_some(queue, conv, line, most)
      if more == 0 then break end
      most = most - more
   end
   settle(conv, line)
end

local function wait_if_busy(queue, conv)
   local trouble = conv.session:trouble()
   if trouble and is_busy(trouble) and queue:is_passing() then crowd.sleep(queue:next_pause()) end
end

local IDLE = 0.01 -- seconds without a reply: the server may have gone

-- Was the connection idle, and has the server gone meanwhile? Then the entry is for another one.
local function was_left(queue, conv, entry)
   if not entry or now() - conv.moved < IDLE or conv:look() then return false end
   queue:put_back(entry)
   return true
end

-- One connection, until it breaks, is worn, or there is nothing left to do.
local function serve(queue, conv, entry)
   local line, feeder = new_line(), nil
   if queue.server.pipelining == "eager" then
      feeder = function() feed(queue, conv, line) end
   end
   local seconds
   repeat
      if entry then
         add(conv, line, entry)
         settle(conv, line)
      elseif seconds then
         crowd.sleep(seconds)
      end
      local word = conv:run(feeder)
      collect(queue, conv, line)
      if word ~= "ready" then
         conv.sock:close()
         return wait_if_busy(queue, conv)
      end
      entry, seconds = nil, nil
      if left_of(queue, conv, line) > 0 then entry, seconds = queue:next_entry() end
      if was_left(queue, conv, entry) then return conv.sock:close() end
   until not entry and not seconds
   conv:leave()
end

-- There is no connection for this entry. A server may want fewer than we have: then the others go
-- on with what there is to do. Without others: once more after a pause; in the end the error is
-- that of every message that waits.
-- -> is it to be tried again?
local function without_connection(queue, entry, err)
   queue:put_back(entry)
   if queue.connections > 0 then return false end
   if err.retry ~= "never" and queue:is_passing() then
      crowd.sleep(queue:next_pause())
      return true
   end
   queue.hopeless = true
   repeat
      local seconds
      entry, seconds = queue:next_entry()
      if entry then queue:fail(entry, err) end
      if seconds then crowd.sleep(seconds) end
   until not entry and not seconds
   return false
end

local function work(queue)
   while true do
      local entry, seconds = queue:next_entry()
      if entry then
         queue.connections = queue.connections + 1
         local conv, err = delivery.open(queue.server, entry.deadline)
         if conv then serve(queue, conv, entry) end
         queue.connections = queue.connections - 1
         if not conv and not without_connection(queue, entry, err) then return end
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
   if kind == "function" then return true end
   if kind == "table" then return check.is_list(messages, "messages") end
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
   local server, err = options.connection(t)
   if not server then return nil, err end
   local settings
   settings, err = check_settings(given)
   if not settings then return nil, err end
   local ok
   ok, err = is_messages(messages)
   if not ok then return nil, err end
   local nginx = host.nginx() -- some of its phases have neither sockets nor threads
   if nginx then err = select(2, nginx.check(server)) end
   if err then return nil, err end
   local queue = new_queue(options.variant(server, { flight_max = settings.window,
      refused_max = REFUSED_MAX }), settings,
      messages)
   local started, jobs = now(), {}
   for i = 1, math.min(settings.connections, queue.total or settings.connections) do
      jobs[i] = function() work(queue) end
   end
   local ran, cause = true, nil
   if #jobs == 1 then jobs[1]() else ran, cause = crowd.run(jobs) end
   if not ran then error(cause, 0) end
   return queue:summary(started)
end

return many
