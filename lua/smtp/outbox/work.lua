--- outbox:run: rounds of sending, and what happens between them: leases that have ended, pauses,
-- messages that are too old, history that is no longer kept.
-- @module smtp.outbox.work

local circuit = require "smtp.outbox.circuit"
local doubts = require "smtp.outbox.doubt"
local errors = require "smtp.errors"
local runners = require "smtp.outbox.runner"
local runtime = require "smtp.runtime.runtime"
local scheduler = require "smtp.runtime.scheduler"
local states = require "smtp.outbox.states"

local work = {}

local LOOK = 1            -- seconds: a runner that waits looks so often for new messages,
local SHORTEST = 0.05     -- and not more often than this: a lease ends at the end of its second
local ROUND_MAX = 500     -- messages of one round: what others left is looked for after it
local EXPIRED_MAX = 100   -- claims whose runner has gone, in one step
local PURGE_EVERY = 3600  -- seconds
local STORE_TRIES = 30    -- of a store that fails, one second apart

-- ---- between the rounds ----

-- Messages whose runner has gone after it had marked their end.
local function settle_crashes(self)
   local outbox = self.outbox
   local now = outbox.now()
   repeat
      local list, err = outbox.store:expire(outbox.settings.name, now, EXPIRED_MAX)
      if not list then return nil, err end
      for i = 1, #list do
         self.results:add(doubts.after_crash(list[i], outbox.settings, now))
      end
      local ok
      ok, err = self.results:flush {}
      if not ok then return nil, err end
   until #list < EXPIRED_MAX
   return true
end

-- While the server takes no messages, those that are too old fail.
local function expire_old(self, pause)
   local outbox = self.outbox
   local now = outbox.now()
   local list, err = outbox.store:claim(outbox.settings.name, now, now + outbox.settings.lease,
      states.new_claim(), EXPIRED_MAX, now - outbox.settings.retry.give_up)
   if not list then return nil, err end
   for i = 1, #list do self.results:add(states.expired(list[i], pause.what, now)) end
   return self.results:flush {}
end

local function purge(self)
   local outbox = self.outbox
   local now = outbox.now()
   if self.purged_at and now - self.purged_at < PURGE_EVERY then return true end
   local count, err = outbox.store:purge(outbox.settings.name, now - outbox.settings.keep)
   if count == 0 then self.purged_at = now end -- otherwise there may be more
   return count, err
end

-- -> how many messages were taken | nil, err; the time until which there is a pause
local function send_some(self)
   local outbox = self.outbox
   local pause, err = circuit.pause(outbox.store, outbox.settings.name)
   if err then return nil, err end
   if not pause then return self.runner:round(ROUND_MAX) end
   local ok
   ok, err = expire_old(self, pause)
   if not ok then return nil, err end
   local now = outbox.now()
   if pause.due > now then return 0, nil, pause.due end
   local due, taken
   due, err = outbox.store:due_at(outbox.settings.name)
   if err then return nil, err end
   if not due or due > now then return 0 end
   taken, err = circuit.take(outbox.store, outbox.settings.name, pause,
      now + outbox.settings.lease)
   if err then return nil, err end
   if not taken then return 0, nil, now + LOOK end
   local count
   count, err = self.runner:round(1, true)
   -- Nothing was due: the next message may be tried at once.
   if count == 0 then circuit.give_back(outbox.store, outbox.settings.name, pause) end
   return count, err
end

-- -> how many messages were taken | nil, err
local function step(self)
   local ok, err = settle_crashes(self)
   if ok then ok, err = purge(self) end
   if not ok then return nil, err end
   local count, trouble, paused_until = send_some(self)
   self.results:settle()
   self.results:tell()
   return count, trouble, paused_until
end

-- ---- waiting ----

-- -> seconds; nil: there is nothing left to wait for
local function pause_of(self, run, paused_until)
   local outbox = self.outbox
   local now = outbox.now()
   local due, err = outbox.store:due_at(outbox.settings.name)
   if err then return LOOK end
   if run.until_empty and not due then return nil end
   due = math.max(due or now + LOOK, paused_until or 0)
   return math.max(SHORTEST, math.min(LOOK, due - now))
end

-- -> true | nil, the error of an event loop that failed
local function wait(self, seconds)
   local outbox = self.outbox
   if seconds <= 0 or outbox:is_stopped() then return true end
   local failure, cause = (outbox.sleep or scheduler.sleep)(seconds, self.loop)
   if not failure then return true end
   return nil, errors.new("source", { reason = "loop", cause = cause,
      what = "outbox:run stopped, because the event loop failed: " .. failure })
end

-- A store that is busy, or a disk that is full, may be better in a moment.
local function may_go_on(self, err)
   self.failures = self.failures + 1
   return err.retry == "later" and self.failures < STORE_TRIES and not self.outbox:is_stopped()
end

local function finish(self)
   local ok, err = self.results:flush {}
   self.results:settle()
   self.results:tell()
   local trouble = self.results.trouble or not ok and err
   if trouble then return nil, trouble end
   return self.results.totals
end

local function is_over(self, run, count, paused_until)
   if self.outbox:is_stopped() or self.results.trouble then return true end
   return run.once and (count == 0 or paused_until ~= nil)
end

--- Deliver until the outbox is stopped; see also work.run.
---@param outbox table   smtp.Outbox
---@param run table      from options.run
---@return table|nil     how many messages were sent, have failed, are in doubt, are queued again
---@return table|nil err
function work.deliver(outbox, run)
   local loop, err = runtime.loop(outbox.settings.server)
   if err then return nil, err end
   local runner, ok = runners.new(outbox, run), true
   local self = { outbox = outbox, runner = runner, results = runner.results, loop = loop,
      failures = 0 }
   while ok do
      local count, trouble, paused_until = step(self)
      if count then
         self.failures = 0
         if is_over(self, run, count, paused_until) then return finish(self) end
         local seconds = count > 0 and not paused_until and 0 or pause_of(self, run, paused_until)
         if not seconds then return finish(self) end
         ok, err = wait(self, seconds)
      else
         if not may_go_on(self, trouble) then return nil, trouble end
         runner.failure = nil
         ok, err = wait(self, LOOK)
      end
   end
   return nil, err
end

-- What nginx can do in this phase. A run without end would keep a worker from ending.
local function check_nginx(nginx, outbox, run)
   if run.once or run.until_empty then return nginx.check(outbox.settings.server) end
   local hint = "Call outbox:start in init_worker_by_lua"
   if outbox.settings.path then
      hint = ("Run `lua-smtp outbox run --store %s` beside nginx"):format(outbox.settings.path)
   end
   return nil, errors.usage("run", "outbox:run goes on until it is stopped, which does not work in "
      .. "a worker of nginx", hint .. ", or give once = true, which sends what is due")
end

--- outbox:run: deliver, if that can be done here.
---@return table|nil     as work.deliver
---@return table|nil err
function work.run(outbox, run)
   local nginx, err = runtime.nginx()
   if nginx then err = select(2, check_nginx(nginx, outbox, run)) end
   if err then return nil, err end
   return work.deliver(outbox, run)
end

return work
