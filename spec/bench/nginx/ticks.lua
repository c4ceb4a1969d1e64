--- A timer of 1 ms that runs while mails are sent: how late it is, and how much later this worker's own work makes it:
-- what its processor did beyond that millisecond. Where other processes press, the first tells of them too.

local core = require "smtp.core"

local ticks = {}

local function start()
   local result = { late = {}, worked = {}, going = true }
   result.thread = ngx.thread.spawn(function()
      while result.going do
         local before, used = core.now(), os.clock()
         ngx.sleep(0.001)
         result.late[#result.late + 1] = math.max(0, core.now() - before - 0.001)
         result.worked[#result.worked + 1] = math.max(0, os.clock() - used - 0.001)
      end
   end)
   return result
end

--- Milliseconds.
function ticks.percentile(list, p)
   table.sort(list)
   return list[math.max(1, math.ceil(#list * p))] * 1000
end

--- Keeps n mails on their way. One is over after few ticks, so others follow until there are enough.
--- -> { late =, worked =, count =, seconds = }
function ticks.measure(seconds, n, send)
   local result, began, threads, count = start(), core.now(), {}, 0
   for i = 1, n do
      threads[i] = ngx.thread.spawn(function()
         repeat
            local ok, why = send()
            if not ok then return nil, why end
            count = count + 1
         until core.now() - began > seconds
         return true
      end)
   end
   for i = 1, n do
      local ok, sent, why = ngx.thread.wait(threads[i])
      assert(ok and sent, tostring(why or sent))
   end
   result.seconds, result.count, result.going = core.now() - began, count, false
   ngx.thread.wait(result.thread)
   return result
end

return ticks
