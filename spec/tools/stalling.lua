-- A relay to a server that stops passing on what the server says, and keeps the connections open: what a server that
-- hangs looks like, inside the records of TLS as well. A process of its own: stalling.lua PORT FIRST LAST STEP. It
-- prints the ports on which it passes on FIRST, FIRST + STEP … LAST bytes of the server; then, for each connection that
-- has ended, how many these were, and the first of them in hexadecimal digits.

local socket = require "smtp.socket"

local target, first, last, step = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local WAIT_MS, TEXT_MAX = 60000, 4096
local listeners, ends, ports = {}, {}, {} -- ends: of connections, by their sockets

local function new_end(sock, fields)
   sock:nonblocking(true)
   sock:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
   fields.sock, fields.owed = sock, ""
   ends[sock] = fields
   return fields
end

local function connect(listener, sock)
   local server = socket.new()
   assert(server:connect("127.0.0.1", target))
   local near, far = new_end(sock, { max = listener.max, heard = 0, text = "" }), new_end(server, {})
   near.other, far.other = far, near
end

local function close(one)
   for _, each in ipairs { one, one.other } do
      ends[each.sock] = nil
      each.sock:close()
   end
   local client = one.max and one or one.other
   print(client.heard, (client.text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
   io.stdout:flush()
end

-- What this end is sent; a client at most its `max`. -> false: it has gone
local function give(one, data)
   if one.max then
      data = data:sub(1, one.max - one.heard)
      one.heard = one.heard + #data
      if #one.text < TEXT_MAX then one.text = one.text .. data end
   end
   one.owed = one.owed .. data
   if one.owed == "" then return true end
   local count, why, _, sent = one.sock:send(one.owed)
   one.owed = one.owed:sub((count or sent) + 1)
   return count ~= nil or why == "again"
end

-- Passes on what this end says. -> false: the connection is over
local function pass(one)
   while true do
      local data, why = one.sock:receiveany(65536)
      if why == "again" then return give(one.other, "") end
      if not data then
         one.is_over = true
         return one.other.max ~= nil and one.other.heard >= one.other.max
      end
      if not give(one.other, data) then return false end
   end
end

for max = first, last, step do
   local sock = assert(socket.listen("127.0.0.1", 0))
   sock:nonblocking(true)
   listeners[#listeners + 1] = { sock = sock, max = max }
   ports[#ports + 1] = (select(2, sock:getsockname()))
end
print(table.concat(ports, " "))
io.stdout:flush()

while true do
   local list = {}
   for _, listener in ipairs(listeners) do
      local sock = listener.sock:accept(WAIT_MS)
      if sock then connect(listener, sock) end
      list[#list + 1] = listener.sock
   end
   for sock, one in pairs(ends) do
      if ends[sock] and not one.is_over and not pass(one) then close(one) end
   end
   for sock, one in pairs(ends) do
      if not one.is_over then list[#list + 1] = sock end
   end
   socket.wait(list, WAIT_MS)
end
