--- Sockets of smtp.socket within this process, and messages to a real socket.

local safe = require "smtp.safe"
local socket = require "smtp.socket"

local sockets = {}

--- A connected pair.
function sockets.pair()
   local listener = assert(socket.listen("127.0.0.1", 0))
   local sock = socket.new()
   sock:settimeouts(2000, 2000, 2000)
   assert(sock:connect("127.0.0.1", (select(2, listener:getsockname()))))
   local other = assert(listener:accept(2000))
   other:settimeouts(2000, 2000, 2000)
   listener:close()
   return sock, other
end

sockets.message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }

--- smtp.safe.send of that message to a port of localhost.
function sockets.send(port, more)
   local options = { host = "localhost", port = port, timeout = 10 }
   for _, list in ipairs { sockets.message, more or {} } do
      for key, value in pairs(list) do options[key] = value end
   end
   return safe.send(options)
end

--- How a server of spec.tools.peer begins: a greeting, and a line that it reads.
sockets.greet_and = [[
   local sock = accept()
   sock:send("220 hi\r\n")
   line(sock)
]]

return sockets
