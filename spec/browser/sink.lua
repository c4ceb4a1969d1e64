-- The library's sink, with a mood: sink.lua PORT FOLDER. The file FOLDER/mood may hold a line
-- "STAGE FAULT" (rcpt 550 5.1.1 who?). Each message becomes a file there: FOLDER/1.eml, 2.eml, …
-- whose first two lines are the envelope. FOLDER/connections counts these.
local smtp = require "smtp"

local port, folder = tonumber(arg[1]), arg[2]

local function write(name, text)
   local file = assert(io.open(folder .. "/" .. name .. ".part", "wb"))
   file:write(text)
   file:close()
   assert(os.rename(folder .. "/" .. name .. ".part", folder .. "/" .. name))
end

local function fault_at(stage)
   return function()
      local file = io.open(folder .. "/mood", "r")
      local where, what = (file and file:read("*a") or ""):match("^(%S+) ([^\n]*)")
      if file then file:close() end
      return where == stage and what or nil
   end
end

local faults, count = {}, 0
for _, stage in ipairs { "mail", "rcpt", "data", "final" } do faults[stage] = fault_at(stage) end
local sink = smtp.sink { port = port, faults = faults,
   capabilities = { "PIPELINING", "8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES" },
   on_message = function(message)
      count = count + 1
      write(count .. ".eml", message.from .. "\r\n" .. table.concat(message.to, " ") .. "\r\n"
         .. message.data)
   end }
sink:listen()
print("ready")
io.stdout:flush()
local connections = 0
while true do
   connections = connections + sink:serve { connections = 1 }
   write("connections", tostring(connections))
end
