--- Connections that are kept for later conversations where this library has its own sockets: one
-- list for each Lua state. smtp.runtime.pool decides which of them may be used for what.
--
-- Nothing runs while the caller does something else. A connection that was idle for too long is
-- therefore closed when the list is used next, or by the end of the Lua state.
-- @module smtp.runtime.kept_socket

local core = require "smtp.core"
local pool = require "smtp.runtime.pool"
local socket = require "smtp.socket"

local kept_socket = {}

local KEPT_MAX = 1000 -- connections in all pools; the option `size` is for each pool

-- ---- the list ----

-- { sock =, pool = its name, due = core.now() until which it is kept, facts = of its session }, in
-- the order in which they were kept.
local kept = {}

-- Closes what is kept for too long, and what a forked process has from its parent: those
-- connections are the parent's, and nothing is said on them.
local function sweep()
   local moment, count = core.now(), 0
   for i = 1, #kept do
      local entry = kept[i]
      kept[i] = nil
      if entry.due > moment and entry.sock:is_own() then
         count = count + 1
         kept[count] = entry
      else
         entry.sock:close()
      end
   end
end

-- Has the server said nothing since? What it says on an idle connection is a goodbye.
local function is_quiet(sock)
   sock:nonblocking(false)
   sock:settimeouts(0, 0, 0)
   local _, why = sock:receiveany(1)
   return why == "timeout"
end

-- -> the newest connection of this pool that is alive, and its facts | nil
local function take(name)
   sweep()
   for i = #kept, 1, -1 do
      if kept[i].pool == name then
         local entry = table.remove(kept, i)
         if is_quiet(entry.sock) then return entry.sock, entry.facts end
         entry.sock:close()
      end
   end
end

-- Where there are too many, the oldest one is closed.
local function put(sock, name, keepalive, facts)
   sweep()
   local count, oldest = 0, 1
   for i = #kept, 1, -1 do
      if kept[i].pool == name then count, oldest = count + 1, i end
   end
   if count >= keepalive.size or #kept >= KEPT_MAX then
      table.remove(kept, count >= keepalive.size and oldest or 1).sock:close()
   end
   kept[#kept + 1] = { sock = sock, pool = name, due = core.now() + keepalive.idle, facts = facts }
end

-- ---- the transport ----

local NONE = socket.new() -- a socket that stays closed: that of a transport whose own is gone

local Transport = { duplex = true, __name = "smtp.KeptSocket" }
Transport.__index = Transport

--- A transport for the connection to this server, which may be one that was kept.
---@param server smtp.Server   with `keepalive`
---@param context any          for sslhandshake
---@param fresh? boolean       take no kept connection
---@param polite fun(sock: userdata): table|userdata   the socket as the caller waits for it
function kept_socket.new(server, context, fresh, polite)
   local place = pool.place(server, "", context)
   local own, facts
   if place and not fresh then own, facts = take(place.pool) end
   own = own or socket.new()
   return setmetatable({
      own = own,         -- the socket of this library
      sock = polite(own), -- the same as the caller waits for it
      place = place,     -- nil: nothing can be kept
      facts = facts,     -- of a kept connection
      keepalive = server.keepalive,
   }, Transport)
end

for _, name in ipairs { "settimeouts", "send", "receiveany", "sslhandshake", "tlsinfo",
   "certificate", "channel_binding", "getpeername", "getsockname", "io", "trouble" } do
   Transport[name] = function(self, ...) return self.sock[name](self.sock, ...) end
end

function Transport:pace(count)
   if self.sock.pace then self.sock:pace(count) end
end

--- Until the socket, which said "again", can go on.
function Transport:wait()
   if self.sock ~= self.own then return self.sock:wait() end
end

--- Connect, unless it is a kept connection.
function Transport:connect(...)
   if self.facts then return true end
   return self.sock:connect(...)
end

--- The facts of a connection that was kept, nil where this one is new.
function Transport:kept()
   return self.facts
end

--- Close the connection.
function Transport:close()
   self.sock:close()
   self.own, self.sock = NONE, NONE
   return true
end

--- Keep the connection for others.
---@param facts table   of its session, which rests
---@return boolean      false: it is for the caller to end
function Transport:keep(facts)
   local own, place = self.own, self.place
   local ends = own:verified_until() or math.huge
   if not place or not own:is_own() or ends <= os.time() or not pool.fits(place, facts, ends) then
      return false
   end
   if self.sock ~= own then self.sock:leave() end
   put(own, place.pool, self.keepalive, facts)
   self.own, self.sock = NONE, NONE
   return true
end

return kept_socket
