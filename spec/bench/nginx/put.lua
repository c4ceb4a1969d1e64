--- How late a timer of 1 ms is in a worker that puts messages into an outbox, and in one that only waits for the disk
-- as often: the file of each is below build/, on the disk of the project.

local ffi = require "ffi"
local safe = require "smtp.safe"
local ticks = require "spec.bench.nginx.ticks"

local SECONDS, PAUSE = 5, 0.002

ffi.cdef [[
   int open(const char *path, int flags, int mode);
   long write(int fd, const void *bytes, unsigned long len);
   int fdatasync(int fd);
   int close(int fd);
]]

local function measure(name, send)
   local result = ticks.measure(SECONDS, 1, function()
      ngx.sleep(PAUSE)
      return send()
   end)
   local percentile = ticks.percentile
   ngx.say(("%-16s late by p50 %6.2f p99 %6.2f max %6.2f ms, worked p99 %5.2f ms; %d times")
      :format(name, percentile(result.late, 0.5), percentile(result.late, 0.99), percentile(result.late, 1),
         percentile(result.worked, 0.99), result.count))
   ngx.flush(true)
end

-- The log of SQLite: a message is some pages of 4 KiB.
local function bare(path)
   local CREATE, WRITE, APPEND = 64, 1, 1024
   local fd, page = ffi.C.open(path, CREATE + WRITE + APPEND, 384), ("x"):rep(24576)
   assert(fd >= 0)
   return function()
      return ffi.C.write(fd, page, #page) == #page and ffi.C.fdatasync(fd) == 0
   end
end

return function()
   local folder = ngx.config.prefix()
   local box = assert(safe.outbox { store = folder .. "bench.db", server = { host = "127.0.0.1", port = 1 } })
   local message = { from = "a@b.example", to = "c@d.example", subject = "x", text = ("a line of text\n"):rep(100) }
   for _ = 1, 300 do assert(box:put(message)) end
   local thread = require "smtp.outbox.sqlite_thread"
   local put = thread.put
   local function in_worker()
      thread.put = function() return false end
      local done = box:put(message)
      thread.put = put
      return done
   end
   measure("idle", function() return true end)
   for _ = 1, 2 do
      measure("a bare fsync", bare(folder .. "bench.log"))
      measure("put, in worker", in_worker)
      measure("put, in a thread", function() return box:put(message) end)
   end
end
