--- Sending after the request: from phases of nginx that have no sockets, or to answer the client
-- before the mail is out. One queue for each worker, a few messages at a time.
-- @module smtp.defer

local core = require "smtp.core"
local errors = require "smtp.errors"
local guard = require "smtp.guard"

local defer = {}

local QUEUE_MAX = 1000  -- messages waiting
local RUNNERS_MAX = 4   -- messages on their way

local LOST_AFTER = 5    -- seconds after which a timer that did not begin never will

local queue, first, last = {}, 1, 0
local runners, runner_count = {}, 0 -- { armed = time, begun = true or nil }

local function log(...)
   local ngx = package.loaded.ngx
   ngx.log(ngx.ERR, ...)
end

local function take()
   if first > last then return nil end
   local job = queue[first]
   queue[first] = nil
   first = first + 1
   return job
end

local function finish(job, receipt, err)
   if not receipt then log(tostring(err)) end
   if not job.callback then return end
   local ok, cause = guard.call(function() job.callback(receipt, err) end)
   if not ok then log("smtp: the callback of smtp.defer raised an error: ", tostring(cause)) end
end

-- Whatever happens to one message, the next one is sent.
local function send(job)
   local ok, receipt, err = guard.call(function()
      return job.send(job.plan, job.mail, core.now())
   end)
   if not ok then
      receipt, err = nil, errors.new("system",
         { what = "smtp.defer failed: " .. tostring(receipt) })
   end
   finish(job, receipt, err)
end

local function add_runner()
   local runner = { armed = core.now() }
   runners[runner], runner_count = true, runner_count + 1
   return runner
end

local function remove_runner(runner)
   if not runners[runner] then return end
   runners[runner], runner_count = nil, runner_count - 1
end

-- nginx drops timers beyond lua_max_running_timers without a word to us.
local function forget_lost_runners()
   for runner in next, runners do
      if not runner.begun and core.now() - runner.armed > LOST_AFTER then remove_runner(runner) end
   end
end

-- A worker that is told to stop sends what it has taken on.
local function run(_, runner)
   runner.begun = true
   local job = take()
   while job do
      send(job)
      job = take()
   end
   remove_runner(runner)
end

-- A timer that comes back even where it was dropped itself, and takes the place of one that was.
local function watch()
   forget_lost_runners()
   if first <= last and runner_count < RUNNERS_MAX then run(false, add_runner()) end
end

local watching = false

local function start_watching(ngx)
   if watching or not ngx.timer.every then return end
   local called, ok = pcall(ngx.timer.every, LOST_AFTER, watch)
   watching = called and ok
end

-- -> true | nil, why
local function start_runner(ngx)
   local runner = add_runner()
   local called, ok, why = pcall(ngx.timer.at, 0, run, runner)
   if called and ok then return true end
   remove_runner(runner)
   return nil, tostring(called and why or ok)
end

local function no_timer(ngx, why)
   if ngx.get_phase() == "init" then
      return errors.usage("phase", "nginx has no timers in the phase init",
         "Use smtp.defer from init_worker_by_lua on")
   end
   return errors.new("system", { reason = "timer", retry = "later",
      what = "nginx made no timer: " .. why,
      hint = "Raise lua_max_pending_timers in nginx.conf" })
end

--- Queue a message that is checked and composed.
---@param send_one function   (plan, mail, started) -> receipt | nil, err
---@return table|nil   { message_id =, waiting = }: how many wait now
---@return table|nil err
function defer.add(send_one, plan, mail, callback)
   local ngx = package.loaded.ngx
   if last - first + 1 >= QUEUE_MAX then
      return nil, errors.new("system", { reason = "queue_full", retry = "later",
         what = ("%d messages wait already in this worker"):format(QUEUE_MAX),
         hint = "Send less, or through a server that is nearer" })
   end
   forget_lost_runners()
   start_watching(ngx)
   if runner_count < RUNNERS_MAX then
      local ok, why = start_runner(ngx)
      -- Those that run already will come to it.
      if not ok and runner_count == 0 then return nil, no_timer(ngx, why) end
   end
   last = last + 1
   queue[last] = { send = send_one, plan = plan, mail = mail, callback = callback }
   return { message_id = mail.message_id, waiting = last - first + 1 }
end

return defer
