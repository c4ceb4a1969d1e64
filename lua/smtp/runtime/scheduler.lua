--- Many conversations at once in one thread: each is a job, a coroutine that gives way to others
-- where it would wait. In nginx a job is a light thread.
--
-- A job may also yield for reasons of its own, as a transport or a body function of the user's may.
-- Such a yield is passed on to the code that resumes scheduler.run; if no code can, the job goes on
-- in its next turn.
-- @module smtp.runtime.scheduler

local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local event_loop = require "smtp.runtime.event_loop"
local runtime = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local scheduler = {}

local now, pack = core.now, user_call.pack
local unpack = table.unpack or unpack -- luacheck: ignore

local SENT_MAX = 262144    -- octets that one job may send before others have their turn
local RECEIVED_MAX = 65536 -- and receive: a peer that never pauses could keep them waiting
local PAUSE = 0.001        -- seconds between two turns if a job waits for something unknown
local LONG = 3600          -- seconds: nothing is due

-- What a job of ours yields: WAIT, socket; SLEEP, until when; TURN.
local WAIT, SLEEP, TURN = {}, {}, {}

-- By the thread of a job: the group it is in. A group that is abandoned keeps nothing.
local groups = setmetatable({}, { __mode = "kv" })

local function own_group()
   local thread = coroutine.running()
   return thread and groups[thread]
end

-- For at most so many seconds; `watch` waits in an event loop. -> the indices of those that can go
-- on, and what is wrong with that loop
local function sleep_for_sockets(watch, socks, seconds)
   seconds = math.min(seconds, LONG)
   if watch then return watch:wait(socks, seconds) end
   if #socks == 0 then -- a transport of the caller's needs no smtp.socket
      core.sleep(seconds)
      return socks
   end
   return system.load("smtp.socket").wait(socks, math.ceil(seconds * 1000)) or {}
end

-- ---- jobs ----

-- Give this job its next turn after a pause of at most so many seconds.
local function line_up(self, job, seconds)
   self.ready[#self.ready + 1] = job
   self.pause = math.min(self.pause, seconds)
end

local function add(self, fn)
   local job = { thread = coroutine.create(fn), given = { n = 0 } }
   groups[job.thread] = self
   line_up(self, job, 0)
end

local function note_end(self, ok, cause)
   if not ok and not self.failed then self.failed, self.cause = true, cause end
end

-- Resume a job until it gives way.
local function step(self, job)
   local given = job.given
   job.given = { n = 0 }
   local said = pack(coroutine.resume(job.thread, unpack(given, 1, given.n)))
   if coroutine.status(job.thread) == "dead" then
      groups[job.thread] = nil
      note_end(self, said[1], said[2])
   elseif said[2] == WAIT then
      job.sock = said[3]
      self.waiting[#self.waiting + 1] = job
   elseif said[2] == SLEEP then
      job.due = said[3]
      self.sleeping[#self.sleeping + 1] = job
   elseif said[2] == TURN then
      line_up(self, job, 0)
   elseif user_call.can_yield() then
      job.given = pack(coroutine.yield(unpack(said, 2, said.n)))
      line_up(self, job, 0)
   else
      line_up(self, job, PAUSE)
   end
end

-- Resume each job that is ready.
local function turn(self)
   local ready = self.ready
   self.ready, self.pause = {}, LONG
   for i = 1, #ready do step(self, ready[i]) end
end

-- From `jobs` to those that are ready, where is_ready says so. -> the others
local function sort_out(self, jobs, is_ready)
   local others = {}
   for i = 1, #jobs do
      local list = is_ready(i, jobs[i]) and self.ready or others
      list[#list + 1] = jobs[i]
   end
   return others
end

-- After the event loop has failed it is not used any more, and no job waits for a socket.
local function fail(self, failure, cause)
   self.watch:close()
   self.watch, self.failure = nil, pack(failure, cause)
end

local function wake_sockets(self, seconds)
   local socks, ready = {}, {}
   for i = 1, #self.waiting do socks[i] = self.waiting[i].sock end
   local indices, failure, cause = sleep_for_sockets(self.watch, socks, seconds)
   if failure then fail(self, failure, cause) end
   for i = 1, #indices do ready[indices[i]] = true end
   self.waiting = sort_out(self, self.waiting, function(i, job)
      job.given = self.failure or job.given
      return ready[i] or self.failure
   end)
end

local function wake(self)
   local pause = self.pause
   for i = 1, #self.sleeping do pause = math.min(pause, self.sleeping[i].due - now()) end
   if #self.waiting > 0 or pause > 0 then wake_sockets(self, math.max(pause, 0)) end
   local moment = now()
   self.sleeping = sort_out(self, self.sleeping, function(_, job) return job.due <= moment end)
end

local function run_all(self)
   turn(self)
   while #self.ready + #self.waiting + #self.sleeping > 0 do
      wake(self)
      turn(self)
   end
   if self.watch then self.watch:close() end
end

-- ---- light threads ----

local function wait_for_threads(self)
   local i = 1
   while self.threads[i] do
      package.loaded.ngx.thread.wait(self.threads[i])
      i = i + 1
   end
end

-- Only the thread that spawned a light thread can wait for it, so each is a group of its own.
local function add_thread(self, fn)
   local thread = package.loaded.ngx.thread.spawn(function()
      local own = { threads = {}, add = self.add, all = self.all }
      groups[coroutine.running()] = own
      note_end(self.all, pcall(fn)) -- LuaJIT can yield across it
      wait_for_threads(own)
   end)
   self.threads[#self.threads + 1] = thread
end

-- ---- what others call ----

--- Run these functions at once; return when all have ended, those they spawned included.
---@param jobs function[]
---@param loop? table    from smtp.options.loop: the event loop of the host
---@return boolean|nil   true
---@return any           the first error that one of them raised; the others went on
function scheduler.run(jobs, loop)
   local self = { ready = {}, waiting = {}, sleeping = {}, pause = 0, add = add, finish = run_all,
      watch = loop and event_loop.watch(loop) }
   if environment.is_nginx() then
      self = { threads = {}, add = add_thread, finish = wait_for_threads }
      self.all = self
   end
   for i = 1, #jobs do self:add(jobs[i]) end
   self:finish()
   if self.failed then return nil, self.cause end
   return true
end

--- One more job for the group that the caller is in.
---@param fn function
function scheduler.spawn(fn)
   own_group():add(fn)
end

--- Pause this job; the others go on.
---@param seconds number
---@param loop? table    from smtp.options.loop, for a pause outside a job
---@return string|nil    what is wrong with the loop
---@return any cause     what it raised
function scheduler.sleep(seconds, loop)
   if environment.is_nginx() then -- after less it would go on before sockets and timers have a turn
      return package.loaded.ngx.sleep(math.max(seconds, PAUSE))
   end
   local due = now() + seconds
   if own_group() then return coroutine.yield(SLEEP, due) end
   if loop then return event_loop.sleep(loop, seconds) end
   while now() < due do sleep_for_sockets(nil, {}, due - now()) end
end

-- ---- sockets ----

-- A socket that gives way: to the other jobs, and in an event loop. What it does elsewhere (in a
-- function of the user's, which runs in a coroutine of its own; after the group has ended) waits as
-- any other socket does.
local Socket = { duplex = true, __name = "smtp.SchedulerSocket" }
Socket.__index = Socket

local function polite(sock, loop)
   sock:nonblocking(true)
   return setmetatable({ sock = sock, sent = 0, received = 0,
      watch = loop and event_loop.watch(loop) }, Socket)
end

--- Until the socket, which said "again", can go on. -> what is wrong with the event loop
function Socket:wait()
   local failure, cause, _
   if own_group() then
      failure, cause = coroutine.yield(WAIT, self.sock)
   else
      _, failure, cause = sleep_for_sockets(self.watch, { self.sock }, LONG)
   end
   self.failure, self.cause = failure, cause
   return failure
end

-- Others have their turn after so much work.
local function take_turn(self)
   if own_group() then
      coroutine.yield(TURN)
   elseif self.watch then
      event_loop.sleep(self.watch.loop, 0)
   end
end

for _, name in ipairs { "connect", "sslhandshake", "sslaccept" } do
   Socket[name] = function(self, ...)
      return runtime.persist(self.sock, self, nil, nil, name, ...)
   end
end
for _, name in ipairs { "settimeouts", "tlsinfo", "certificate", "channel_binding", "getpeername",
   "getsockname", "io" } do
   Socket[name] = function(self, ...) return self.sock[name](self.sock, ...) end
end

--- The socket of this library is for others: nothing waits for it here any more.
function Socket:leave()
   if self.watch then self.watch:close() end
end

function Socket:close()
   self:leave()
   return self.sock:close()
end

function Socket:send(data)
   local result, why, text, count = runtime.persist(self.sock, self, nil, nil, "send", data)
   self.sent = self.sent + (result or count or 0)
   if self.sent >= SENT_MAX then
      self.sent = 0
      take_turn(self)
   end
   return result, why, text, count
end

-- The others have their turn before it receives, so that what it received is at once with the job.
function Socket:receiveany(max)
   if self.received >= RECEIVED_MAX then
      self.received = 0
      take_turn(self)
   end
   local data, why, text = runtime.persist(self.sock, self, nil, nil, "receiveany", max)
   self.received = self.received + (data and #data or 0)
   return data, why, text
end

--- The trouble of a connection whose event loop failed, for the error.
---@param stage string
---@return table trouble
function Socket:trouble(stage)
   return event_loop.trouble(stage, self.failure, self.cause)
end

local function is_job()
   return own_group() and not environment.is_nginx()
end

--- A socket of this library; inside a job or with an event loop, one that gives way to others.
---@param sock userdata
---@param loop? table   from smtp.options.loop
function scheduler.polite(sock, loop)
   if not (loop or is_job()) then return sock end
   return polite(sock, loop)
end

--- The next connection that a listener has, as such a socket.
---@param listener userdata   of smtp.socket
---@param seconds number
---@return table|nil sock
---@return string|nil why     "timeout"; "closed": the listener is closed; "system"
function scheduler.accept(listener, seconds)
   listener:nonblocking(is_job())
   local sock, why = runtime.persist(listener, is_job() and polite(listener) or nil, nil, nil,
      "accept", math.ceil(seconds * 1000))
   if not sock then return nil, why end
   return scheduler.polite(sock)
end

return scheduler
