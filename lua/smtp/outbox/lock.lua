--- How a process waits while another one keeps the file of a store locked. In nginx, the worker
-- serves other requests meanwhile, wherever the phase allows that.
-- @module smtp.outbox.lock

local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"

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

--- Wait a little.
---@param began number    core.now() at the first attempt
---@return boolean        false: it has been too long
function lock.wait(began)
   local nginx = runtime.nginx()
   local gives_way = nginx and nginx.pace.can_pause()
   local waited = core.now() - began
   if waited >= (nginx and not gives_way and LIMIT_OF_WORKER or LIMIT) then return false end
   local sleep = gives_way and package.loaded.ngx.sleep or core.sleep
   sleep(math.min(math.max(SHORTEST, waited / 4), LONGEST))
   return true
end

return lock
