--- What has arrived at the servers of servers.lua, which run in a process of their own.

local interpreter = require("spec.tools.peer").interpreter
local socket = require "smtp.socket"

local truth = {}

local SECONDS = 30 -- for one case

local Servers = {}
Servers.__index = Servers

--- Starts them; nothing fails there.
function truth.start()
   local pipe = io.popen(("LD_PRELOAD=\"${BESIDE-$LD_PRELOAD}\" %s spec/failing/servers.lua 2>&1"):format(interpreter))
   local line, ports = pipe:read "*l", {}
   for name, port in line:gmatch "(%w+)=(%d+)" do ports[name] = tonumber(port) end
   assert(ports.control, line)
   local control = socket.new()
   control:settimeouts(SECONDS * 1000, SECONDS * 1000, SECONDS * 1000)
   assert(control:connect("127.0.0.1", ports.control))
   return setmetatable({ pipe = pipe, control = control, ports = ports }, Servers)
end

--- -> how often each recipient of each message was served, by "id address"; the bytes of each message, by its id
function Servers:settle()
   local said, arrived, sizes = "", {}, {}
   self.control:send "settle\n"
   repeat
      local data, why = self.control:receiveany(65536)
      if not data then error("the servers do not settle: " .. why .. ": " .. self.pipe:read "*a") end
      said = said .. data
   until said == "\n" or said:find "\n\n$"
   for id, address, size in said:gmatch "(%S+) (%S+) (%d+)\n" do
      local name = id .. " " .. address
      arrived[name], sizes[id] = (arrived[name] or 0) + 1, size
   end
   return arrived, sizes
end

function Servers:stop()
   self.control:close()
   self.pipe:close()
end

return truth
