--- How a process waits while another one keeps the file of a store locked. Other requests of a
-- worker of nginx, wherever the phase allows that, other jobs and the caller's event loop go on
-- meanwhile.
-- @module smtp.outbox.lock

local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"
local scheduler = require("smtp.ground.resources").late "smtp.runtime.scheduler"

local lock = {}

local LIMIT = 10          -- seconds
local LIMIT_OF_WORKER = 1 -- where all other requests of a worker wait as well
local SHORTEST, LONGEST = 0.001, 0.02

--- Is this the master process of nginx? It opens no file: as root it would make one that no worker
-- can open, and no worker can use a database that was opened before it was forked.
---@return boolean
function lock.is_master()
   return runtime.nginx() ~= nil and package.loaded.ngx.get_phase() == "init"
end

-- -> false: the event loop failed
local function give_way(server, seconds)
   local loop = runtime.nginx() == nil and runtime.loop(server) or nil
   return scheduler.sleep(seconds, loop) == nil
end

--- Wait a little.
---@param began number    core.now() at the first attempt
---@param server? table   the options of the connection, which say in which event loop to wait
---@return boolean        false: it has been too long
function lock.wait(began, server)
   local nginx = runtime.nginx()
   local gives_way = not nginx or nginx.pace.can_pause()
   local waited = core.now() - began
   if waited >= (gives_way and LIMIT or LIMIT_OF_WORKER) then return false end
   local seconds = math.min(math.max(SHORTEST, waited / 4), LONGEST)
   if gives_way then return give_way(server or {}, seconds) end
   core.sleep(seconds)
   return true
end

return lock
