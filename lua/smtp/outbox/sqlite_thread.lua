--- The SQLite store inside nginx: a thread puts a message, so that the worker does not wait for the
-- disk. nginx.conf has to give the threads: thread_pool smtp threads=2;
--
-- Each thread has a Lua of its own, in which this module opens the file once more. Where there are
-- no threads, or one fails, the worker puts the message itself: a second put with the same id
-- counts as the first one.
-- @module smtp.outbox.sqlite_thread

local core = require "smtp.core"
local errors = require "smtp.errors"
local lock = require "smtp.outbox.lock"
local runtime = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"

local thread = {}

local POOL = "smtp"

-- ---- in the worker ----

local is_missing = false

local has_threads = { rewrite = true, access = true, content = true }

local function ngx_of_threads()
   local ngx = not is_missing and package.loaded.ngx
   if not ngx or not ngx.run_worker_thread or not has_threads[ngx.get_phase()] then return nil end
   local nginx, module = runtime.nginx(), system.load "smtp.sqlite_store"
   local is_usable = nginx and nginx.pace.can_pause() and module and module.is_threadsafe
   return is_usable and ngx or nil
end

local WAIT_MAX = 60 -- seconds

-- A worker that has to end does not wait for threads, but it waits for timers.
local function wait()
   package.loaded.ngx.sleep(WAIT_MAX)
end

-- There are a few Luas for threads (lua_worker_thread_vm_pool_size): all may be busy.
local function run(ngx, ...)
   local began, waiting = core.now(), ngx.thread.spawn(wait)
   local ok, result, fields
   repeat
      ok, result, fields = ngx.run_worker_thread(POOL, "smtp.outbox.sqlite_thread", "work", ...)
   until ok or result ~= "no available Lua vm" or not lock.wait(began)
   ngx.thread.kill(waiting)
   return ok, result, fields
end

--- Put a message in a thread.
---@param path string
---@param outbox string
---@param record table     with its body
---@return boolean         false: no thread has put it
---@return boolean|nil is_new   as store:put
---@return table|nil err
function thread.put(path, outbox, record)
   local ngx = ngx_of_threads()
   if not ngx then return false end
   local ok, is_new, fields = run(ngx, path, outbox, record)
   if ok and fields then return true, nil, errors.new("system", fields) end
   if ok then return true, is_new end
   is_missing = is_new:find("not found", 1, true) ~= nil
   if not is_missing then ngx.log(ngx.WARN, "smtp: a thread failed to put a message: ", is_new) end
   return false
end

-- ---- in the thread ----

local stores = {}

--- What nginx calls in the Lua of a thread.
---@return boolean|nil is_new
---@return table|nil fields   of the error
function thread.work(path, outbox, record)
   local err
   if not stores[path] then stores[path], err = require("smtp.outbox.sqlite").open(path) end
   local is_new
   if stores[path] then is_new, err = stores[path]:put(outbox, record) end
   if not err then return is_new end
   return nil, { reason = err.reason, retry = err.retry, what = err.what, hint = err.hint }
end

return thread
