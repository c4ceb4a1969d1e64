--- The other end of a real socket: some Lua in a process of its own.

local peer = {}

local first = 0
while arg[first - 1] do first = first - 1 end
local interpreter = arg[first]

local prologue = [[
local socket = require "smtp.socket"
local tls = needs_tls and require "smtp.tls" -- sockets have sslaccept from then on
local listener, port
repeat
   listener = assert(socket.listen("127.0.0.1", 0))
   port = select(2, listener:getsockname())
until not used[port]
print(port)
io.stdout:flush()
-- Accepts one connection, for which it waits a minute at most; then 5 seconds for everything.
local function accept(seconds)
   local sock
   local limit = os.time() + (seconds or 60)
   repeat sock = listener:accept(1000) until sock or os.time() >= limit
   assert(sock, "no client came")
   sock:settimeouts(5000, 5000, 5000)
   return sock
end
local function server_context(cert, key)
   return assert(tls.context { server = true, cert = cert, key = key })
end
-- What is heard until a line ends, or the connection does. A loop that waits for a line that cannot
-- come any more fails.
local heard, ends = "", 0
local function line(sock)
   while not heard:find("\n", 1, true) do
      local data = sock:receiveany(65536)
      ends = data and 0 or ends + 1
      assert(ends < 1000, "the connection has ended")
      if not data then break end
      heard = heard .. data
   end
   local at = heard:find("\n", 1, true) or #heard
   local text = heard:sub(1, at)
   heard = heard:sub(at + 1)
   return text
end
]]

-- What one server offered is remembered by its port: no two servers of a process have the same.
local used = {}

--- Runs `body` in a process of its own, with socket, listener, accept, server_context and line.
--- -> { port =, finish = function() -> what it printed }
function peer.start(body)
   local name = os.tmpname()
   local file = assert(io.open(name, "w"))
   file:write(("local used, needs_tls = { %s }, %s\n"):format(table.concat(used, " "),
      tostring(body:find("server_context", 1, true) ~= nil)), prologue, body)
   file:close()
   local pipe = io.popen(("%s %s 2>&1"):format(interpreter, name))
   local said = pipe:read("*l")
   local port = assert(tonumber(said), said)
   used[#used + 1] = ("[%d] = true,"):format(port)
   return { port = port, finish = function()
      local text = pipe:read("*a")
      pipe:close()
      os.remove(name)
      return text
   end }
end

peer.interpreter = interpreter

return peer
