--- Starts spec/nginx/server.py and reads what it saw. It serves specs outside nginx as well.

local scheduler = require "smtp.runtime.scheduler"

local server = {}

local function json(value)
   if type(value) == "table" then
      local parts = {}
      if #value > 0 then
         for i = 1, #value do parts[i] = json(value[i]) end
         return "[" .. table.concat(parts, ",") .. "]"
      end
      for key, inner in pairs(value) do parts[#parts + 1] = json(key) .. ":" .. json(inner) end
      return "{" .. table.concat(parts, ",") .. "}"
   elseif type(value) == "string" then
      return '"' .. value:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
   end
   return tostring(value)
end

local Server = {}
Server.__index = Server

--- All lines so far, or those that hold `pattern`.
function Server:log(pattern)
   local lines = {}
   for line in io.lines(self.path) do
      if not pattern or line:find(pattern) then lines[#lines + 1] = line end
   end
   return lines
end

--- How many lines hold `pattern`.
function Server:count(pattern)
   return #self:log(pattern)
end

--- Until so many lines hold `pattern`; ten seconds at most.
function Server:wait(pattern, count)
   for _ = 1, 1000 do
      if self:count(pattern) >= count then return true end
      scheduler.sleep(0.01)
   end
   error("never seen: " .. pattern .. "\n" .. table.concat(self:log(), "\n"), 0)
end

function Server:stop()
   os.execute("kill " .. self.pid)
   self.pipe:close()
   os.remove(self.path)
end

--- A server of this configuration.
function server.start(config)
   local path = os.tmpname()
   local pipe = io.popen(("exec env -u LD_PRELOAD python3 -B spec/nginx/server.py %s '%s'"):format(path,
      json(config or {})))
   local port, pid = pipe:read("*l"):match("^(%d+) (%d+)$")
   return setmetatable({ port = tonumber(port), pid = pid, pipe = pipe, path = path }, Server)
end

return server
