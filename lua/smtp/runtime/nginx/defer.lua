--- Sending after the request: from phases of nginx that have no sockets, or to answer the client
-- before the mail is out. In each worker a queue for each location, a few messages at a time: a
-- timer has the directives of the location that started it, so it sends that location's messages
-- alone.
-- @module smtp.runtime.nginx.defer

local core = require "smtp.core"
local errors = require "smtp.errors"
local location = require "smtp.runtime.nginx.location"
local user_call = require "smtp.options.user_call"

local QUEUE_MAX = 1000  -- messages that wait in a worker
local RUNNERS_MAX = 4   -- messages of a location that are sent at once

local LOST_AFTER = 5    -- seconds after which a timer that has not begun never will
local CALLBACK_MAX = 60 -- seconds after which a callback is taken to have ended its timer: ngx.exit

-- By location: { jobs, runners = { lost_at = time }, runner_count, watching }. nginx.conf bounds
-- their number.
local queues, waiting = {}, 0

local function log(...)
   local ngx = package.loaded.ngx
   ngx.log(ngx.ERR, ...)
end

local function queue_here()
   local key = location.identity() or "unknown"
   queues[key] = queues[key] or { jobs = {}, runners = {}, runner_count = 0, watching = false }
   return queues[key]
end

local function take(queue)
   local job = table.remove(queue.jobs, 1)
   if job then waiting = waiting - 1 end
   return job
end

local function finish(job, runner, receipt, err)
   if not receipt then log(tostring(err)) end
   if not job.callback then return end
   runner.lost_at = core.now() + CALLBACK_MAX
   local ok, cause = user_call.call(function() job.callback(receipt, err) end)
   if not ok then
      log("smtp: the callback of smtp.defer raised an error: ", user_call.text(cause))
   end
end

-- An error of one message does not keep the next one from being sent.
local function send(job, runner)
   local ok, receipt, err = user_call.call(function()
      return job.send(job.server, job.message, core.now())
   end)
   if not ok then
      receipt, err = nil, errors.new("system",
         { what = "smtp.defer failed: " .. user_call.text(receipt) })
   end
   finish(job, runner, receipt, err)
end

local function add_runner(queue)
   local runner = { lost_at = core.now() + LOST_AFTER }
   queue.runners[runner], queue.runner_count = true, queue.runner_count + 1
   return runner
end

local function remove_runner(queue, runner)
   if not queue.runners[runner] then return end
   queue.runners[runner], queue.runner_count = nil, queue.runner_count - 1
end

-- nginx drops timers beyond lua_max_running_timers without telling the library, and a callback may
-- end its timer.
local function forget_lost_runners(queue)
   for runner in next, queue.runners do
      if core.now() > runner.lost_at then remove_runner(queue, runner) end
   end
end

-- A worker that has to stop sends the messages that it has accepted.
local function run(_, queue, runner)
   local job = take(queue)
   while job do
      runner.lost_at = math.huge -- a message has its own deadline
      send(job, runner)
      job = take(queue)
   end
   remove_runner(queue, runner)
end

-- A timer that comes back even where it was dropped itself, and takes the place of one that was.
local function watch(_, queue)
   forget_lost_runners(queue)
   if queue.jobs[1] and queue.runner_count < RUNNERS_MAX then
      run(false, queue, add_runner(queue))
   end
end

local function start_watching(ngx, queue)
   if queue.watching or not ngx.timer.every then return end
   local called, ok = pcall(ngx.timer.every, LOST_AFTER, watch, queue)
   queue.watching = called and ok
end

-- -> true | nil, why
local function start_runner(ngx, queue)
   local runner = add_runner(queue)
   local called, ok, why = pcall(ngx.timer.at, 0, run, queue, runner)
   if called and ok then return true end
   remove_runner(queue, runner)
   return nil, tostring(called and why or ok)
end

local function no_timer(ngx, why)
   if ngx.get_phase() == "init" then
      return errors.usage("phase", "nginx has no timers in the phase init",
         "Use smtp.defer from init_worker_by_lua on")
   end
   if why:find("exiting", 1, true) then
      return errors.new("system", { reason = "timer", retry = "later",
         what = "this worker of nginx is about to end: " .. why,
         hint = "Send the message with smtp.send, or in the next worker" })
   end
   return errors.new("system", { reason = "timer", retry = "later",
      what = "nginx could not make a timer: " .. why,
      hint = "Raise lua_max_pending_timers in nginx.conf" })
end

--- Queue a message that is checked and composed.
---@param send_one function   (server, message, started) -> receipt | nil, err
---@return table|nil   { message_id =, waiting = }: how many wait now
---@return table|nil err
local function add(send_one, server, message, callback)
   local ngx = package.loaded.ngx
   if waiting >= QUEUE_MAX then
      return nil, errors.new("system", { reason = "queue_full", retry = "later",
         what = ("%d messages wait already in this worker"):format(QUEUE_MAX),
         hint = "Send less, or through a server that is nearer" })
   end
   local queue = queue_here()
   forget_lost_runners(queue)
   start_watching(ngx, queue)
   if queue.runner_count < RUNNERS_MAX then
      local ok, why = start_runner(ngx, queue)
      -- Those that run already will come to it.
      if not ok and queue.runner_count == 0 then return nil, no_timer(ngx, why) end
   end
   table.insert(queue.jobs,
      { send = send_one, server = server, message = message, callback = callback })
   waiting = waiting + 1
   return { message_id = message.message_id, waiting = waiting }
end

return { add = add }
