-- A program that holds the ends of messages back, killed after whichever octet it has sent or heard; and connections
-- that are closed there. What its kernel was given of a message, and what it noted before, must agree: no message has
-- its end without the note that it may have. KILLS=1 takes every octet, KILLS=2 every second one.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local socket = require "smtp.socket"
local spec_server = require "spec.tools.server"
local tally = require "spec.tools.tally"

local FAR = 1000000000
local stride = tonumber(os.getenv "KILLS") or 97
local cert, key = certs.make() "good"
local context = assert(require("smtp.tls").context { server = true, cert = cert, key = key })

-- The connection goes on until one of them leaves, or so many octets were heard or told. -> was it that many?
local function serve(sock, server, heard_max, told_max)
   server.heard_len, server.told_len = 0, 0
   while true do
      local part = server.said:sub(1, told_max - server.told_len)
      server.said = server.said:sub(#part + 1)
      if part ~= "" then sock:send(part) end
      server.told_len = server.told_len + #part
      if server.told_len >= told_max then return true end
      local data = not server.closing and sock:receiveany(heard_max - server.heard_len)
      if not data then return false end
      server.heard_len = server.heard_len + #data
      server:send(data)
      if server.heard_len >= heard_max then return true end
   end
end

local function accept(listener, way, ms)
   local sock = listener:accept(ms)
   if not sock then return nil end
   sock:settimeouts(5000, 5000, 5000)
   if way.tls == "implicit" then sock:sslaccept(context) end
   return sock, spec_server.new { capabilities = way.capabilities }
end

-- All that the kernel of a dead program still has to send.
local function drain(sock, server)
   repeat
      local data = sock:receiveany(65536)
      if data then server:send(data) end
   until not data
end

-- Connections after one that was closed, until the program has done all it had to do.
local function serve_others(listener, way, path, servers)
   repeat
      local sock, server = accept(listener, way, 10)
      if sock then
         serve(sock, server, FAR, FAR)
         sock:close()
         servers[#servers + 1] = server
      end
   until command.read(path):find "done"
end

-- `is_killed`: where the connection has come so far. `death`: where the program kills itself.
-- -> the servers, what was noted
local function play(way, listener, heard_max, told_max, is_killed, death)
   local path, port = os.tmpname(), select(2, listener:getsockname())
   local pipe = io.popen(("echo $$; exec %s spec/live/ending_client.lua %d %s %s %s %d %s %s"):format(interpreter,
      port, way.pipelining, way.protocol, way.tls, way.recipients, path, death or ""))
   local pid = pipe:read("*l")
   local sock, server = accept(listener, way, 5000)
   assert(sock, "no client came")
   local servers = { server }
   local reached = serve(sock, server, heard_max, told_max)
   if reached and is_killed then
      os.execute("kill -9 " .. pid)
      drain(sock, server)
   end
   sock:close()
   if not (death or reached and is_killed) then serve_others(listener, way, path, servers) end
   pipe:close()
   local notes = command.read(path)
   os.remove(path)
   return servers, notes
end

local found = { cuts = 0, ends = 0, allowed = 0 }

local function check(servers, notes, is_killed, where)
   local taken = {}
   for _, server in ipairs(servers) do
      for _, one in ipairs(server.taken) do
         local index = tonumber(one.body:match("message (%d+)"))
         assert(not taken[index], where .. "taken twice")
         taken[index] = one
      end
   end
   for i = 1, 3 do
      local allowed = notes:match("allowed " .. i .. " ([^\n]*)")
      local sent = notes:match("result " .. i .. " (%a+)")
      if taken[i] then assert(allowed == table.concat(taken[i].to, " "), where .. "taken without a note") end
      if not is_killed then
         assert(allowed or sent == "no", where .. "in doubt without a note")
         assert(sent == "maybe" or (sent ~= "no") == (taken[i] ~= nil), where .. "reported wrongly")
      end
      found.ends, found.allowed = found.ends + (taken[i] and 1 or 0), found.allowed + (allowed and 1 or 0)
   end
   found.cuts = found.cuts + 1
end

local ways = {}
for _, pipelining in ipairs { "safe", "eager" } do
   for i, capabilities in ipairs { { "PIPELINING" }, { "PIPELINING", "CHUNKING" } } do
      ways[#ways + 1] = { pipelining = pipelining, protocol = "smtp", tls = "skip", recipients = 1,
         capabilities = capabilities }
      ways[#ways + 1] = { pipelining = pipelining, protocol = i == 1 and "smtp" or "lmtp", tls = "skip", recipients = 3,
         capabilities = capabilities }
      ways[#ways + 1] = { pipelining = pipelining, protocol = "smtp", tls = "implicit", recipients = 3,
         capabilities = capabilities, sampled = true }
   end
end

describe("A program that holds the ends of messages back", function()
   for at, way in ipairs(ways) do
      local name = ("%s, %s, %d recipients, TLS: %s, %s"):format(way.protocol, way.pipelining, way.recipients, way.tls,
         table.concat(way.capabilities, " "))
      it("has sent no end that it did not note before, " .. name, function()
         local listener = assert(socket.listen("127.0.0.1", 0))
         local servers = play(way, listener, FAR, FAR)
         local step, count = way.sampled and math.max(stride, 29) or stride, 0
         for _, side in ipairs { "heard", "told" } do
            for n = 1 + at % step, servers[1][side .. "_len"], step do
               count = count + 1
               for _, is_killed in ipairs { true, count % 2 == 0 and false or nil } do
                  local some, notes = play(way, listener, side == "heard" and n or FAR,
                     side == "told" and n or FAR, is_killed)
                  check(some, notes, is_killed, ("%s %d: "):format(side, n))
               end
            end
         end
         listener:close()
      end)

      it("is in doubt about one message, if any, where it dies when it notes that, " .. name, function()
         local listener = assert(socket.listen("127.0.0.1", 0))
         for i = 1, 3 do
            for _, moment in ipairs { "before", "after" } do
               local servers, notes = play(way, listener, FAR, FAR, true, moment .. i)
               local _, noted = notes:gsub("allowed", "")
               assert.equal(i - 1, #servers[1].taken)
               assert.equal(moment == "after" and i or i - 1, noted)
               check(servers, notes, true, moment .. i)
            end
         end
         listener:close()
      end)
   end

   it("was cut short often enough, and had noted each end", function()
      if os.getenv "KILLS" then
         print(("%d times; %d messages noted, %d ended"):format(found.cuts, found.allowed, found.ends))
      end
      tally.add(found.cuts)
      assert.truthy(found.cuts > 50 and found.ends > 50 and found.allowed >= found.ends)
   end)
end)
