-- The servers of the scenarios, in a process of their own: sinks that note each message when they accept it. It prints
-- the port of each, and of a port of its own: there, a line "settle" is answered once all connections have ended, by a
-- line for each recipient that has been given a message since (its Subject, the address and the bytes) and an empty
-- line.

local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local sink_session = require "smtp.sink.session"
local socket = require "smtp.socket"

local WAIT_MS = 3600000

local cert, key = certs.make() "good"
local context = assert(require("smtp.tls").context { server = true, cert = cert, key = key })
local accepted, clients = {}, {}

local function note(message)
   local id = message.data:match "Subject: ([^\r]*)"
   for _, address in ipairs(message.to) do
      accepted[#accepted + 1] = ("%s %s %d\n"):format(id, address, #message.data)
   end
end

local function sink(options)
   options.auth = { users = { ann = "sesame-failing" }, before_tls = true,
      mechanisms = { "SCRAM-SHA-256", "PLAIN", "LOGIN" } }
   options.on_message, options.keep = note, 1
   return assert(safe.sink(options))
end

local DATA = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES" }
local services = {
   plain = { sink = sink { capabilities = DATA } },
   chunks = { sink = sink {} },
   starttls = { sink = sink { tls = "starttls" } },
   implicit = { sink = sink { tls = "implicit", capabilities = DATA } },
   lmtp = { sink = sink { protocol = "lmtp" } },
   control = {},
}

-- ---- clients ----

-- The control connection: it waits for the others.
local control

local function count_clients()
   local count = 0
   for _ in pairs(clients) do count = count + 1 end
   return count
end

local function settle()
   if not control or not control.is_asked or count_clients() > 0 then return end
   control.is_asked = false
   control.sock:send(table.concat(accepted) .. "\n")
   accepted = {}
end

local function shake(client)
   local ok, why = client.sock:sslaccept(context)
   if ok then
      client.session:tls_started(client.sock:tlsinfo(), client.sock:channel_binding())
      client.is_shaking = false
      if not client.is_greeted then client.session:greet() end
      client.is_greeted = true
      return true
   end
   return why == "again"
end

local function answer(client, data)
   client.owed = client.owed .. client.session:receive(data)
   if client.owed ~= "" then
      local count, why, _, sent = client.sock:send(client.owed)
      if not count and why ~= "again" then return false end
      client.owed = client.owed:sub((count or sent) + 1)
   end
   if client.session.closed then return false end
   if client.session.handshake then client.is_shaking = true end
   return true
end

-- -> does it go on?
local function serve(client)
   while true do
      if client.is_shaking then
         if not shake(client) then return false end
         if client.is_shaking then return true end
         if not answer(client, "") then return false end
      end
      local data, why = client.sock:receiveany(65536)
      if not data then return why == "again" end
      if not answer(client, data) then return false end
   end
end

local function greet(service, sock)
   local client = { sock = sock, session = sink_session.new(service.sink), owed = "",
      is_shaking = service.sink.options.tls == "implicit" }
   clients[sock] = client
   if client.is_shaking then return client end
   client.is_greeted = true
   client.session:greet()
   if not answer(client, "") then client.is_over = true end
   return client
end

local function accept(service)
   while true do
      local sock, why = service.listener:accept(WAIT_MS)
      if not sock then return assert(why == "again", why) end
      sock:nonblocking(true)
      sock:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
      if service.sink then
         greet(service, sock)
      else
         control = { sock = sock }
      end
   end
end

local function serve_control()
   while control do
      local data, why = control.sock:receiveany(100)
      if not data and why == "again" then return end
      if not data then os.exit(0) end
      control.is_asked = true
   end
end

local function serve_all()
   for sock, client in pairs(clients) do
      if client.is_over or not serve(client) then
         clients[sock] = nil
         sock:close()
      end
   end
end

-- ---- the loop ----

for _, service in pairs(services) do
   service.listener = assert(socket.listen("127.0.0.1", 0))
   service.listener:nonblocking(true)
end
local ports = {}
for name, service in pairs(services) do
   ports[#ports + 1] = ("%s=%d"):format(name, (select(2, service.listener:getsockname())))
end
print(table.concat(ports, " "))
io.stdout:flush()

while true do
   local list = {}
   for _, service in pairs(services) do
      accept(service)
      list[#list + 1] = service.listener
   end
   serve_control()
   serve_all()
   settle()
   if control then list[#list + 1] = control.sock end
   for sock in pairs(clients) do list[#list + 1] = sock end
   socket.wait(list, WAIT_MS)
end
