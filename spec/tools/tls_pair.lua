--- Two sockets of this process with TLS between them, through a relay that sees and may change what passes.

local certs = require "spec.tools.certs"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"
local tls = require "smtp.tls"

local tls_pair = {}

local cert = certs.make()

local Relay = {}
Relay.__index = Relay

-- Passes on what has arrived on one side. -> what that was
local function pass(from, to)
   local passed = {}
   while true do
      local data = from:receiveany(65536)
      if not data then return table.concat(passed) end
      passed[#passed + 1] = data
      assert(to:send(data) == #data)
   end
end

--- Passes on what both ends have said. -> what the client said, what the server said
function Relay:pass()
   return pass(self.near, self.far), pass(self.far, self.near)
end

--- One method of an end, until it no longer waits; the relay goes on meanwhile.
function Relay:drive(sock, method, ...)
   for _ = 1, 1000 do
      local a, why, text, partly = sock[method](sock, ...)
      if why ~= "again" then return a, why, text, partly end
      self:pass()
      socket.wait({ sock }, 2)
   end
   error(method .. " does not end")
end

--- Both ends shake hands. -> the client's outcome, its word, its text; the server's
function Relay:shake(name)
   local results, open = {}, 2
   local function step(i, sock, ...)
      if results[i] then return end
      local ok, why, text = sock[i == 1 and "sslhandshake" or "sslaccept"](sock, ...)
      if why == "again" then return end
      results[i], open = { ok, why, text }, open - 1
   end
   for _ = 1, 1000 do
      step(1, self.client, nil, name, true, self.context)
      self:pass()
      step(2, self.server, self.server_context)
      self:pass()
      if open == 0 then break end
      if results[1] and results[1][1] then self.client:receiveany(1) end -- which sends a client's last words
      socket.wait({}, 1)
   end
   return results[1] or {}, results[2] or {}
end

--- -> a relay: client, server, and near and far, its own ends
---@param more table|nil   further settings of the client's context
function tls_pair.new(more)
   local self = setmetatable({}, Relay)
   local path, key = cert "good"
   local settings = { verify = false }
   for option, value in pairs(more or {}) do settings[option] = value end
   self.context = assert(tls.context(settings))
   self.server_context = assert(tls.context { server = true, cert = path, key = key })
   self.client, self.near = sockets.pair()
   self.far, self.server = sockets.pair()
   self.near:settimeouts(0, 2000, 0)
   self.far:settimeouts(0, 2000, 0)
   for _, sock in ipairs { self.client, self.server } do
      sock:nonblocking(true)
      sock:settimeouts(5000, 5000, 5000)
   end
   return self
end

--- The same, with hands shaken.
function tls_pair.open(more)
   local self = tls_pair.new(more)
   local client, server = self:shake()
   assert(client[1], client[3])
   assert(server[1], server[3])
   self:pass() -- tickets
   self.client:receiveany(1)
   return self
end

function Relay:close()
   for _, sock in ipairs { self.client, self.server, self.near, self.far } do sock:close() end
end

return tls_pair
