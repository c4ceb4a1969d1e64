-- Many messages, each made when its turn comes, over few connections. A terminal shows how far
-- it is.
--
--    lua examples/bulk.lua HOST PORT TO    a relay of yours, and who gets all of them
--    lua examples/bulk.lua                 a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local COUNT = 400

local options = { host = arg[1], port = arg[2], timeout = 60 }

if not arg[1] then
   local sink = smtp.sink { faults = { rcpt = function(command)
      return command:find("reader99@", 1, true) and "550 5.1.1 nobody of this name" or nil
   end } }
   options.transport, options.tls = function() return sink:transport() end, "skip"
   options.pipelining = "eager" -- for a relay that you know
end

-- Instead of a list: the next one, nil at the end.
local number = 0
local function next_message()
   number = number + 1
   if number > COUNT then return nil end
   return {
      from = "The News <news@example.org>",
      to = arg[3] or ("Reader %d <reader%d@example.net>"):format(number, number),
      subject = ("No. %d, for you alone"):format(number),
      text = ("Dear reader %d,\n\nnothing much.\n"):format(number),
   }
end

local failures = {}
local summary = smtp.send_many(options, next_message, { progress = true,
   on_result = function(index, _, err)
      if err then failures[#failures + 1] = ("message %d: %s"):format(index, tostring(err)) end
   end })

print(("%d sent, %d failed, %.0f a second"):format(summary.sent, summary.failed,
   summary.sent / summary.seconds))
for _, failure in ipairs(failures) do print(failure) end
assert(arg[1] or summary.sent == COUNT - 1 and #failures == 1)
