--- A client of Redis on smtp.socket, of a few lines: client:eval(…) and every other command as a method. It returns
-- nil and a text where the connection breaks, and false and a text where Redis replies with an error.

local socket = require "smtp.socket"

local resp = {}

local TIMEOUT_MS = 10000

-- At least `count` bytes more than there are.
local function fill(self, count)
   local parts, len = { self.buffer:sub(self.at) }, 0
   self.at = 1
   repeat
      local data, err = self.sock:receiveany(1048576)
      if not data then error({ why = err or "closed" }, 0) end
      parts[#parts + 1], len = data, len + #data
   until len >= count
   self.buffer = table.concat(parts)
end

-- So many bytes that were received.
local function take(self, count)
   local lack = self.at + count - 1 - #self.buffer
   if lack > 0 then fill(self, lack) end
   self.at = self.at + count
   return self.buffer:sub(self.at - count, self.at - 1)
end

local function take_line(self)
   local stop = self.buffer:find("\r\n", self.at, true)
   while not stop do
      fill(self, 1)
      stop = self.buffer:find("\r\n", 1, true)
   end
   return take(self, stop + 2 - self.at):sub(1, -3)
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
   local words, parts = { name, ... }, {}
   parts[1] = "*" .. #words
   for i = 1, #words do
      local word = tostring(words[i])
      parts[2 * i], parts[2 * i + 1] = "$" .. #word, word
   end
   parts[#parts + 1] = ""
   local ok, err = self.sock:send(table.concat(parts, "\r\n"))
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
   return setmetatable({ sock = sock, buffer = "", at = 1, close = function()
      sock:close()
      return true
   end }, client_mt)
end

return resp
