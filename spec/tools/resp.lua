--- A client of Redis on smtp.socket, of a few lines: client:eval(…) and every other command as a method. It returns
-- nil and a text where the connection breaks, and false and a text where Redis replies with an error.

local socket = require "smtp.socket"

local resp = {}

local TIMEOUT_MS = 10000

local function fill(self)
   local data, err = self.sock:receiveany(1048576)
   if not data then error({ why = err or "closed" }, 0) end
   self.parts[#self.parts + 1] = data
end

-- So many bytes that were received.
local function take(self, count)
   while #self.buffer < count do
      fill(self)
      self.buffer, self.parts = self.buffer .. table.concat(self.parts), {}
   end
   local bytes = self.buffer:sub(1, count)
   self.buffer = self.buffer:sub(count + 1)
   return bytes
end

local function take_line(self)
   while not self.buffer:find("\r\n", 1, true) do
      fill(self)
      self.buffer, self.parts = self.buffer .. table.concat(self.parts), {}
   end
   return take(self, self.buffer:find("\r\n", 1, true) + 1):sub(1, -3)
end

local read

local readers = {}

readers["+"] = function(_, rest) return rest end
readers["-"] = function(_, rest) return false, rest end
readers[":"] = function(_, rest) return tonumber(rest) end

readers["$"] = function(self, rest)
   local len = tonumber(rest)
   return len >= 0 and take(self, len + 2):sub(1, -3) or nil
end

readers["*"] = function(self, rest)
   local list = {}
   for i = 1, tonumber(rest) do list[i] = read(self) end
   return list
end

function read(self)
   local line = take_line(self)
   return readers[line:sub(1, 1)](self, line:sub(2))
end

local function command(self, name, ...)
   local parts = { ("*%d\r\n$%d\r\n%s\r\n"):format(1 + select("#", ...), #name, name) }
   for i = 1, select("#", ...) do
      local value = tostring((select(i, ...)))
      parts[#parts + 1] = ("$%d\r\n"):format(#value)
      parts[#parts + 1] = value .. "\r\n"
   end
   local ok, err = self.sock:send(table.concat(parts))
   if not ok then return nil, err end
   local reply, why
   ok, reply, why = pcall(read, self)
   if not ok then
      if type(reply) ~= "table" then error(reply, 0) end
      return nil, reply.why
   end
   return reply, why
end

local client_mt = { __index = function(_, name)
   return function(self, ...) return command(self, name, ...) end
end }

--- Connect. -> a client | nil, a text
function resp.connect(host, port)
   local sock = socket.new()
   sock:settimeouts(TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS)
   local ok, err = sock:connect(host, port)
   if not ok then return nil, err end
   return setmetatable({ sock = sock, buffer = "", parts = {}, close = function()
      sock:close()
      return true
   end }, client_mt)
end

return resp
