--- Waiting in the event loop of the host: sockets of this library tell its functions `wait` and
-- `sleep` which descriptor they wait for, and for how long.
-- @module smtp.runtime.event_loop

local core = require "smtp.core"
local system = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local event_loop = {}

local LONG = 3600                      -- seconds: a wait is no longer
local SHORTEST, LONGEST = 0.001, 0.02  -- seconds between two looks, where there is no poller

local function call_directly(fn, ...)
   return true, fn(...)
end

-- A loop resumes the coroutine that called `wait`, and in Lua 5.1 that one cannot yield across
-- pcall. So there an error of `wait` is raised by the call of this library as it is.
local call = user_call.yields_across_pcall and pcall or call_directly

-- -> nil | what is wrong, and what the function raised
local function run(loop, name, ...)
   local ok, result = call(loop[name], ...)
   if not ok then
      return ("%s raised an error: %s"):format(name, user_call.text(result)), result
   elseif name == "wait" and type(result) ~= "boolean" then
      return ("wait returned %s, not true or false"):format(user_call.type_name(result))
   end
   return nil
end

--- Pause; other coroutines of the loop go on.
---@param loop table       from smtp.options.loop
---@param seconds number
---@return string|nil      what is wrong with the loop
---@return any cause       what it raised
function event_loop.sleep(loop, seconds)
   return run(loop, "sleep", math.min(math.max(seconds, 0), LONG))
end

--- The trouble of a connection whose loop failed, for the error.
---@param stage string
---@param failure string   what is wrong with the loop
---@param cause any        what it raised
---@return table trouble
function event_loop.trouble(stage, failure, cause)
   return { kind = "source", reason = "loop", stage = stage, cause = cause, text = failure,
      is_note = true,
      sentence = "connection abandoned: the event loop that the caller gave failed" }
end

-- ---- sockets ----

--- Wait for sockets, each of which said "again", without the loop.
---@param socks userdata[]   of smtp.socket
---@param seconds number     at most
---@param with_flights? boolean  see socket.wait
---@return integer[] indices the sockets that can go on: all, where this machine lacks what it needs
--   to tell, so that each finds out by itself, and whether its time is over
function event_loop.poll(socks, seconds, with_flights)
   local indices, why = system.load("smtp.socket").wait(socks, math.ceil(seconds * 1000),
      with_flights)
   if indices then return indices end
   indices = {}
   if why == "again" then return indices end
   core.sleep(SHORTEST)
   for i = 1, #socks do indices[i] = i end
   return indices
end

local Watch = { __name = "smtp.Watch" }
Watch.__index = Watch

--- The waits of one connection, or of the connections of one scheduler.run.
---@param loop table   from smtp.options.loop
function event_loop.watch(loop)
   return setmetatable({
      loop = loop,
      poller = nil,   -- one descriptor for several, once these are awaited; false: there is none
      watched = setmetatable({}, { __mode = "k" }), -- the sockets that the poller watches
   }, Watch)
end

-- -> the poller, which now watches all of these sockets; nil where that cannot be had
local function poller_of(self, socket, socks)
   local poller, watched = self.poller, self.watched
   if poller == nil then poller = socket.poller() or false end
   self.poller = poller
   for i = 1, poller and #socks or 0 do
      local sock = socks[i]
      watched[sock] = watched[sock] or poller:watch(sock)
      if not watched[sock] then return nil end
   end
   return poller or nil
end

-- Looks again and again, less and less often.
local function look(self, socks, seconds)
   local ends, pause = core.now() + seconds, SHORTEST
   repeat
      local failure, cause = event_loop.sleep(self.loop, math.min(pause, ends - core.now()))
      if failure then return failure, cause end
      pause = math.min(2 * pause, LONGEST)
   until core.now() >= ends or #event_loop.poll(socks, 0) > 0
end

local function wait_for_several(self, socket, socks, seconds)
   local poller = poller_of(self, socket, socks)
   if not poller then return look(self, socks, seconds) end
   local failure, cause = run(self.loop, "wait", poller:fd(), "r", seconds)
   poller:wait(0) -- what is not watched again is not reported again
   return failure, cause
end

--- Wait until one of these sockets, each of which said "again", can go on.
---@param socks userdata[]   of smtp.socket
---@param seconds number     at most
---@return integer[] indices the sockets that can go on
---@return string|nil        what is wrong with the loop
---@return any cause         what it raised
function Watch:wait(socks, seconds)
   local socket = system.load "smtp.socket"
   local left, count, fd, events
   if socks[1] then left, count, fd, events = socket.awaited(socks) end
   seconds = math.max(0, math.min(seconds, left or seconds, LONG))
   local failure, cause
   if fd then
      failure, cause = run(self.loop, "wait", fd, events, seconds)
   elseif count and count > 0 then
      failure, cause = wait_for_several(self, socket, socks, seconds)
   else
      failure, cause = event_loop.sleep(self.loop, seconds)
   end
   -- Of several it must be known which; a single one finds out when it goes on.
   local indices = socks[2] and event_loop.poll(socks, 0) or socks[1] and { 1 } or {}
   for i = 1, #indices do self.watched[socks[indices[i]]] = nil end
   return indices, failure, cause
end

function Watch:close()
   if self.poller then self.poller:close() end
   self.poller = nil
end

return event_loop
