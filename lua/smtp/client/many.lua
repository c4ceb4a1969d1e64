--- Many messages over few connections, in one thread.
--
-- Each connection is served by a job of its own (see smtp.client.lane), which takes the next
-- message where it has room for one.
-- @module smtp.client.many

local scheduler = require "smtp.runtime.scheduler"
local delivery = require "smtp.client.delivery"
local runtime = require "smtp.runtime.runtime"
local lanes = require "smtp.client.lane"
local many_settings = require "smtp.client.many_settings"
local queues = require "smtp.client.queue"
local request = require "smtp.client.request"
local errors = require "smtp.errors"

local many = {}

local REFUSED_MAX = 8 -- messages refused on a connection; Exim ends it after some more

-- ---- one connection ----

local function wait_if_busy(queue, conv)
   local trouble = conv.session:trouble()
   if trouble and queues.is_busy(trouble) and queue:is_passing() then
      scheduler.sleep(queue:next_pause())
   end
end

-- Wait until there may be another message. -> false: a job has failed, which may have had it
local function pause(seconds)
   scheduler.sleep(seconds)
   return not scheduler.has_failed()
end

-- One connection, until it breaks, is worn, or there is nothing left to do.
local function serve(queue, conv, entry)
   local lane, seconds = lanes.new(queue, conv), nil
   local feeder = queue.server.pipelining == "eager" and lane or nil
   local is_busy = true
   lane:add(entry)
   while is_busy or seconds do
      if seconds and not pause(seconds) then break end
      local word = conv:run(feeder)
      lane:collect()
      if word ~= "ready" then
         conv:close()
         return wait_if_busy(queue, conv)
      end
      is_busy, seconds = lane:add_next()
   end
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
      scheduler.sleep(queue:next_pause())
      return true
   end
   queue.hopeless = true
   repeat
      local seconds
      entry, seconds = queue:next_entry()
      if entry then queue:fail(entry, err) end
   until not entry and not (seconds and pause(seconds))
   return false
end

local function work(queue)
   while true do
      local entry, seconds = queue:next_entry()
      if entry then
         queue.connections = queue.connections + 1
         local deadline = delivery.deadline(queue.server, entry, entry.started)
         local conv, err = delivery.open_usable(queue.server, deadline)
         if conv then serve(queue, conv, entry) end
         queue.connections = queue.connections - 1
         if not conv and not without_connection(queue, entry, err) then return end
      elseif not seconds or not pause(seconds) then
         return
      end
   end
end

-- ---- all connections ----

local SHORTEST, LONGEST = 0.002, 0.02 -- seconds

local function is_any_alive(threads)
   for i = 1, #threads do
      if scheduler.is_alive(threads[i]) then return true end
   end
   return false
end

-- One more job calls this function every now and then, for as long as the other jobs last.
local function add_companion(jobs, beside)
   local threads = {}
   for i = 1, #jobs do
      local job = jobs[i]
      jobs[i] = function()
         threads[i] = coroutine.running()
         job()
      end
   end
   jobs[#jobs + 1] = function()
      local seconds = SHORTEST
      while is_any_alive(threads) do
         scheduler.sleep(seconds)
         seconds = math.min(2 * seconds, LONGEST)
         beside()
      end
   end
end

local function run_jobs(queue, jobs, loop)
   local ran, cause, is_ours = true, nil, nil
   if #jobs > 1 or loop then
      ran, cause, is_ours = scheduler.run(jobs, loop)
   elseif jobs[1] then
      jobs[1]()
   end
   if is_ours then return nil, cause end
   if not ran then error(cause, 0) end
   return queue:summary()
end

-- What has no result by now may have been sent, unless it still waits.
local function abandon(queue, unsent, err)
   for i = 1, #queue.waiting do queue:fail(queue.waiting[i], unsent) end
   queue.waiting, queue.stopped = {}, err
   for i = 1, queue.settings.on_result and 0 or queue.index do
      if queue.results[i] == nil then queue:tell(i, nil, err) end
   end
   queue:summary()
end

-- The jobs are over: what they held can be collected.
local function forget_jobs(queue)
   local ending = queue.server.ending
   queue.asking = nil
   if ending then ending.batch, ending.caller = nil, nil end
end

-- What a job raised, as results: see errors.caught.
local function caught(queue, cause)
   pcall(forget_jobs, queue) -- in Lua 5.1, to set a field to nil may need memory
   local is_lack = errors.is_lack(cause) and queue.index > 0
   local _, err = errors.caught(cause, is_lack and "maybe" or "no")
   if is_lack then pcall(abandon, queue, errors.lack "no" or err, err) end
   return nil, err
end

--- Send messages.
---@param server smtp.Server
---@param settings table    from many_settings.check; `ready`: for a function of this library, makes
--   an smtp.OutgoingMessage of what it gave, and its index
---@param messages table|function   with `ready`: () -> a message | nil: there is none | nil and
--   seconds: there may be one then
---@param beside? function   called every 0.02 second, or more often, meanwhile
---@return table|nil summary
---@return table|nil err
function many.run(server, settings, messages, beside)
   local queue, jobs = queues.new(server, settings, messages), {}
   for i = 1, math.min(settings.connections, queue.total or settings.connections) do
      jobs[i] = function() work(queue) end
   end
   if beside then add_companion(jobs, beside) end
   local loop, err = runtime.loop(server)
   if err then return nil, err end
   local ok, summary, failure = errors.guard(run_jobs, queue, jobs, loop)
   if ok then return summary, failure end
   return caught(queue, summary)
end

-- ---- the door ----

--- Send many messages: see the README.
---@param t table                     the options of a connection
---@param messages table|function     options of messages, as for connection:send
---@param given? table                connections, window, rate, per_connection, on_result, progress
---@param before_end? function         see smtp.client.ending
---@return table|nil summary          sent, failed, seconds, results
---@return table|nil err
function many.send(t, messages, given, before_end)
   local settings, err = many_settings.check(given, messages)
   if not settings then return nil, err end
   local server
   server, err = request.connection(t, { flight_max = settings.window, refused_max = REFUSED_MAX,
      ending = before_end and { before_end = before_end, is_shared = settings.connections > 1 } },
      "smtp.send_many ")
   if not server then return nil, err end
   local nginx
   nginx, err = runtime.nginx() -- some of its phases have neither sockets nor threads
   if nginx then err = select(2, nginx.check(server)) end
   if err then return nil, err end
   return many.run(server, settings, messages)
end

return many
