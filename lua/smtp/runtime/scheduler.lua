--- Many conversations at once in one thread: each is a job, a coroutine that gives way to others
-- where it would wait. In nginx a job is a light thread.
--
-- A job may also yield for reasons of its own, as a transport or a body function of the user's may.
-- Such a yield is passed on to the code that resumes scheduler.run; if no code can, the job goes on
-- in its next turn.
-- @module smtp.runtime.scheduler

local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local errors = require "smtp.errors"
local event_loop = require "smtp.runtime.event_loop"
local group = require "smtp.runtime.group"
local runtime = require "smtp.runtime.runtime"

local scheduler = {}

local SENT_MAX = 262144    -- octets that one job may send before others have their turn
local RECEIVED_MAX = 65536 -- and receive: a peer that never pauses could keep them waiting
local PAUSE = 0.001        -- seconds

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
      group.enter(own)
      self.all:note_end(pcall(fn)) -- LuaJIT can yield across it
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
---@return boolean|nil   it is an error of this library
function scheduler.run(jobs, loop)
   local self = group.new(loop)
   if environment.is_nginx() then
      self.threads, self.add, self.finish, self.all = {}, add_thread, wait_for_threads, self
   end
   for i = 1, #jobs do self:add(jobs[i]) end
   self:finish()
   if self.failed then return nil, self.cause, errors.is(self.cause) end
   return true
end

--- One more job for the group that the caller is in.
---@param fn function
function scheduler.spawn(fn)
   group.own():add(fn)
end

local ended = { dead = true, zombie = true } -- the latter in nginx

--- Does the job in this coroutine go on? It may have ended by an error, in the middle of what
-- others wait for.
---@param thread thread|nil
function scheduler.is_alive(thread)
   return thread ~= nil and not ended[coroutine.status(thread)]
end

--- Has a job of the caller's group ended with an error? Then what it was about to do for the others
-- is not done any more.
---@return boolean
function scheduler.has_failed()
   local own = group.own()
   return own ~= nil and (own.all or own).failed == true
end

--- Pause this job; the others go on.
---@param seconds number
---@param loop? table    from smtp.options.loop, for a pause outside a job
---@return string|nil    what is wrong with the loop
---@return any cause     what it raised
function scheduler.sleep(seconds, loop)
   if environment.is_nginx() then -- after less it would go on before sockets and timers have a turn
      package.loaded.ngx.sleep(math.max(seconds, PAUSE))
      return nil
   end
   return group.sleep(core.now() + seconds, loop)
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
   self.failure, self.cause = group.wait(self.sock, self.watch)
   return self.failure
end

for _, name in ipairs { "connect", "sslhandshake", "sslaccept" } do
   Socket[name] = function(self, ...)
      return runtime.persist(self.sock, self, nil, name, ...)
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

--- So many bytes were sent, or made to be sent: others have their turn after so many of them.
function Socket:pace(count)
   self.sent = self.sent + count
   if self.sent < SENT_MAX then return end
   self.sent = 0
   group.take_turn(self.watch)
end

function Socket:send(data)
   local result, why, text, count = runtime.persist(self.sock, self, nil, "send", data)
   self:pace(result or count or 0)
   return result, why, text, count
end

-- The others have their turn before it receives, so that what it received is at once with the job.
function Socket:receiveany(max)
   if self.received >= RECEIVED_MAX then
      self.received = 0
      group.take_turn(self.watch)
   end
   local data, why, text = runtime.persist(self.sock, self, nil, "receiveany", max)
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
   return group.own() and not environment.is_nginx()
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
   local sock, why = runtime.persist(listener, is_job() and polite(listener) or nil, nil,
      "accept", math.ceil(seconds * 1000))
   if not sock then return nil, why end
   return scheduler.polite(sock)
end

return scheduler
