--- Jobs that take turns in one thread: coroutines that give way where they would wait.
-- See smtp.runtime.scheduler.
-- @module smtp.runtime.group

local core = require "smtp.core"
local errors = require "smtp.errors"
local event_loop = require "smtp.runtime.event_loop"
local user_call = require "smtp.options.user_call"

local group = {}

local now, pack = core.now, user_call.pack
local unpack = table.unpack or unpack -- luacheck: ignore

local PAUSE = 0.001        -- seconds between two turns if a job waits for something unknown
local LONG = 3600          -- seconds: nothing is due

-- What a job of ours yields: WAIT, socket; SLEEP, until when; TURN.
local WAIT, SLEEP, TURN = {}, {}, {}

-- By the thread of a job: the group it is in. A group that is abandoned keeps nothing.
local groups = setmetatable({}, { __mode = "kv" })

--- The group of the job that runs now; nil outside of a job.
function group.own()
   local thread = coroutine.running()
   return thread and groups[thread]
end

--- The coroutine that runs now is a job of this group.
function group.enter(self)
   groups[coroutine.running()] = self
end

-- For at most so many seconds; `watch` waits in an event loop. -> the indices of those that can go
-- on, and what is wrong with that loop
local function wait_for_sockets(watch, socks, seconds)
   if seconds > LONG then seconds = LONG end
   if watch then return watch:wait(socks, seconds) end
   if #socks == 0 then -- a transport of the caller's needs no smtp.socket
      core.sleep(seconds)
      return socks
   end
   return event_loop.poll(socks, seconds, true)
end

-- ---- jobs ----

-- Give this job its next turn after a pause of at most so many seconds.
local function line_up(self, job, seconds)
   self.ready[#self.ready + 1] = job
   self.pause = math.min(self.pause, seconds)
end

local Group = { __name = "smtp.Group" }
Group.__index = Group

--- One more job.
---@param fn function
function Group:add(fn)
   local job = { thread = coroutine.create(fn) }
   groups[job.thread] = self
   line_up(self, job, 0)
end

--- A job has ended.
function Group:note_end(ok, cause)
   if not ok and not self.failed then self.failed, self.cause = true, cause end
end

-- A job yields for a reason of its own, in an event loop that would resume the job itself, and not
-- the group: all jobs are dropped.
local function abandon(self)
   local err = errors.usage("loop", "loop: a function of yours yields in send_many, which this "
      .. "event loop cannot resume", "Have it return at once, or use smtp.send")
   err.sent = "maybe"
   self.is_abandoned, self.failed, self.cause = true, true, err
end

-- A job yields for a reason of its own.
local function pass_on(self, job, ...)
   if self.watch and self.watch.loop.resumes then return abandon(self) end
   if not user_call.can_yield() then return line_up(self, job, PAUSE) end
   job.given = pack(coroutine.yield(...))
   line_up(self, job, 0)
end

-- What a job has yielded, or how it has ended.
local function note(self, job, ok, word, value, ...)
   if word == WAIT then
      local at = #self.waiting + 1
      self.waiting[at], self.socks[at] = job, value
   elseif coroutine.status(job.thread) == "dead" then
      groups[job.thread] = nil
      self:note_end(ok, word)
   elseif word == SLEEP then
      job.due = value
      self.sleeping[#self.sleeping + 1] = job
   elseif word == TURN then
      line_up(self, job, 0)
   else
      pass_on(self, job, word, value, ...)
   end
end

-- Resume a job until it gives way.
local function step(self, job)
   local given = job.given
   if not given then return note(self, job, coroutine.resume(job.thread)) end
   job.given = nil
   note(self, job, coroutine.resume(job.thread, unpack(given, 1, given.n)))
end

-- Resume each job that is ready.
local function turn(self)
   local ready = self.ready
   self.ready, self.spare, self.pause = self.spare, ready, LONG
   for i = 1, #ready do
      if not self.is_abandoned then step(self, ready[i]) end
      ready[i] = nil
   end
end

-- After the event loop has failed it is not used any more, and no job waits for a socket.
local function fail(self, failure, cause)
   self.watch:close()
   self.watch, self.failure = nil, pack(failure, cause)
end

local function wake_sockets(self, seconds)
   local waiting, socks, ready, kept, at = self.waiting, self.socks, self.ready, 0, 1
   local indices, failure, cause = wait_for_sockets(self.watch, socks, seconds)
   if failure then fail(self, failure, cause) end
   for i = 1, #waiting do
      local job, sock = waiting[i], socks[i]
      waiting[i], socks[i] = nil, nil
      if indices[at] == i or self.failure then
         at, job.given = at + 1, self.failure
         ready[#ready + 1] = job
      else
         kept = kept + 1
         waiting[kept], socks[kept] = job, sock
      end
   end
end

local function wake_sleepers(self)
   local sleeping, ready, kept, moment = self.sleeping, self.ready, 0, now()
   for i = 1, #sleeping do
      local job = sleeping[i]
      sleeping[i] = nil
      if job.due <= moment then
         ready[#ready + 1] = job
      else
         kept = kept + 1
         sleeping[kept] = job
      end
   end
end

local function wake(self)
   local pause, sleeping = self.pause, self.sleeping
   for i = 1, #sleeping do pause = math.min(pause, sleeping[i].due - now()) end
   if pause < 0 then pause = 0 end
   if self.waiting[1] or pause > 0 then wake_sockets(self, pause) end
   if sleeping[1] then wake_sleepers(self) end
end

--- Until all jobs have ended.
function Group:finish()
   turn(self)
   while not self.is_abandoned and #self.ready + #self.waiting + #self.sleeping > 0 do
      wake(self)
      turn(self)
   end
   if self.watch then self.watch:close() end
end

--- A group without jobs.
---@param loop? table   from smtp.options.loop: the event loop of the host
function group.new(loop)
   return setmetatable({ ready = {}, spare = {}, waiting = {}, socks = {}, sleeping = {}, pause = 0,
      watch = loop and event_loop.watch(loop) }, Group)
end

-- ---- how a job gives way ----

--- Until this socket, which said "again", can go on. Outside of a job only what the event loop of
-- `watch` serves has its turn meanwhile.
---@param sock userdata
---@param watch? table   from event_loop.watch
---@return string|nil    what is wrong with the event loop
---@return any cause     what it raised
function group.wait(sock, watch)
   local thread = coroutine.running()
   if thread and groups[thread] then return coroutine.yield(WAIT, sock) end
   return select(2, wait_for_sockets(watch, { sock }, LONG))
end

--- Until a time; see scheduler.sleep.
---@param due number    core.now()
---@param loop? table   from smtp.options.loop
function group.sleep(due, loop)
   if group.own() then return coroutine.yield(SLEEP, due) end
   if loop then return event_loop.sleep(loop, due - now()) end
   local left = due - now()
   while left > 0 do
      wait_for_sockets(nil, {}, left)
      left = due - now()
   end
end

--- Others have their turn.
---@param watch? table   from event_loop.watch
function group.take_turn(watch)
   if group.own() then
      coroutine.yield(TURN)
   elseif watch then
      event_loop.sleep(watch.loop, 0)
   end
end

return group
