--- outbox:start: delivery by a worker of nginx, in timers. One worker delivers, that with the id 0:
-- if it dies, nginx starts another one with the same id. One that has to end, or is replaced
-- because of a new configuration, finishes what is in progress. It may do so while the next one
-- delivers already: no message has two claims.
-- @module smtp.outbox.worker

local core = require "smtp.core"
local errors = require "smtp.errors"
local runtime = require "smtp.runtime.runtime"
local user_call = require "smtp.options.user_call"
local work = require "smtp.outbox.work"

local worker = {}

local EVERY = 1        -- seconds from timer to timer; all but one end at once
local SPAN = 60        -- seconds after which a run ends, for another timer: nginx frees the memory
                       -- of a timer when that has ended
local PAUSE = 10       -- seconds after an error
local LOST_AFTER = 900 -- seconds without a sign of life: on_result has ended the timer (ngx.exit)

local function log(err)
   package.loaded.ngx.log(package.loaded.ngx.ERR, tostring(err))
end

-- The outbox, as one run sees it.
local function view_of(self)
   local view = setmetatable({}, { __index = self.outbox })
   local ends_at = core.now() + SPAN
   function view.is_stopped()
      self.seen = core.now()
      return self.outbox.stopped or package.loaded.ngx.worker.exiting() or self.seen > ends_at
   end
   return view
end

local function is_idle(self)
   if self.is_running then return core.now() - self.seen > LOST_AFTER end
   return not self.outbox.stopped and core.now() >= self.starts_at
end

local function tick(premature, self)
   if premature or not is_idle(self) then return end
   self.is_running, self.seen = true, core.now()
   local ok, totals, err = user_call.call(work.deliver, view_of(self), self.run)
   self.is_running = false
   if ok and totals then return end
   log(err or totals)
   self.starts_at = core.now() + PAUSE
end

local function check(outbox)
   local nginx, err = runtime.nginx()
   if not nginx then
      return nil, err or errors.usage("start", "outbox:start works in nginx, but this is not nginx",
         "Use outbox:run")
   end
   if outbox.settings.path then
      return nil, errors.usage("start", "outbox:start does not deliver from an SQLite file: each "
         .. "result waits for the disk, and all requests of the worker would wait with it",
         ("Run `lua-smtp outbox run --store %s` beside nginx"):format(outbox.settings.path))
   end
   local phase = package.loaded.ngx.get_phase()
   if phase ~= "init_worker" then
      return nil, errors.usage("start", "outbox:start does not work in the phase " .. phase,
         "Call it in init_worker_by_lua")
   end
   return nginx.check_directives(outbox.settings.server)
end

--- Deliver in this worker, if it is the one that delivers.
---@param outbox table   smtp.Outbox
---@param run table      from options.start
---@return true|nil
---@return table|nil err
function worker.start(outbox, run)
   local ok, err = check(outbox)
   if not ok then return nil, err end
   if package.loaded.ngx.worker.id() ~= 0 then return true end
   outbox.stopped = false
   local self = { outbox = outbox, run = run, is_running = false, seen = 0, starts_at = 0 }
   local why
   ok, why = package.loaded.ngx.timer.every(EVERY, tick, self)
   if ok then return true end
   return nil, errors.new("system", { reason = "timer", retry = "later",
      what = "nginx could not make a timer: " .. tostring(why),
      hint = "Raise lua_max_pending_timers in nginx.conf" })
end

return worker
