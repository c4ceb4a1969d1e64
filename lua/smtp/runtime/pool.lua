--- Which kept connection may be used for what: only one that was opened with the same options,
-- secrets included, and with the same trust in certificates (in nginx: in the same location), that
-- is in the same state as all others under its name, and whose server's certificate is valid still.
-- The connections themselves are kept by nginx, or by smtp.runtime.kept_socket.
-- @module smtp.runtime.pool

local bounded = require "smtp.ground.bounded"
local core = require "smtp.core"
local system = require "smtp.ground.resources"

local pool = {}

-- These change how this library waits, what it reports, or how messages follow each other, but not
-- what the connection is.
local ignored = { timeout = true, timeout_given = true, connect_timeout = true,
   reply_timeout = true, loop = true, trace = true, observe = true, flight_max = true,
   refused_max = true, ending = true }

-- ---- all options as one text ----

-- A function is itself, as long as it lives. Its address may be given to another one.
local numbers, numbered = setmetatable({}, { __mode = "k" }), 0

local function identity(value)
   if not numbers[value] then
      numbered = numbered + 1
      numbers[value] = numbered
   end
   return ("%d"):format(numbers[value])
end

local write

local function write_table(out, t)
   local keys = {}
   for key in next, t do keys[#keys + 1] = key end
   table.sort(keys, function(a, b)
      if type(a) == type(b) then return a < b end
      return type(a) == "number"
   end)
   out[#out + 1] = "{"
   for i = 1, #keys do
      write(out, keys[i])
      write(out, t[keys[i]])
   end
   out[#out + 1] = "}"
end

local texts = { string = tostring, boolean = tostring,
   number = function(value) return ("%.17g"):format(value) end }

-- Each value with its type and length, so that no two lists of values read the same.
function write(out, value)
   local kind = type(value)
   if kind == "table" then return write_table(out, value) end
   local text = texts[kind] and texts[kind](value) or identity(value)
   out[#out + 1] = ("%s%d:%s"):format(kind, #text, text)
end

local function described(server)
   local kept, out = {}, {}
   for name, value in next, server do
      if not ignored[name] then kept[name] = value end
   end
   write_table(out, kept)
   return table.concat(out)
end

-- ---- a name that reveals nothing ----

local key -- made when it is first needed: in a worker of nginx, not before it was forked

-- Any keyed MAC is good enough. nginx has that of SHA-1, which is sound as a MAC (RFC 6151 is about
-- that of MD5; no attack on HMAC-SHA-1 is known that needs less work than its 160 bits).
local function mac(text)
   key = key or core.random(32)
   if not key then return nil end
   local crypto = system.load_crypto()
   local hash = crypto and crypto.hmac("SHA256", key, text)
   if hash then return core.base64(hash) end
   local ngx = package.loaded.ngx
   return ngx and ngx.hmac_sha1 and core.base64(ngx.hmac_sha1(key, text)) or nil
end

-- ---- records ----

-- By name. When a record is forgotten, the connections under its name are closed.
local records = bounded.new(1000)
local serial = 0 -- no two states ever have one name, so that no connection is taken for another

-- A server never changes, and the same options give the same one for a while. By server: the newest
-- name of a place where its connections are kept, { location =, context =, name = }.
local newest = setmetatable({}, { __mode = "k" })

local function name_of(server, location, context)
   local known = newest[server]
   if known and known.location == location and known.context == context then return known.name end
   local options = known and known.options or mac(described(server))
   if not options then return nil end
   local name = ("%s:%s:%s"):format(options, location, context and identity(context) or "")
   newest[server] = { options = options, location = location, context = context, name = name }
   return name
end

local function new_name(name)
   serial = serial + 1
   return ("smtp:%s:%d"):format(name, serial)
end

--- Where connections to this server that are made now are kept.
---@param location string   of nginx.conf; "" elsewhere
---@param context any       the TLS settings of the connection, see runtime.transport; nil: none
---@return table|nil        { name=, pool=, record= }; nil: no name could be made
function pool.place(server, location, context)
   local name = name_of(server, location, context)
   if not name then return nil end
   local entry = records:get(name)
   if entry and entry.record and entry.record.ends <= os.time() then
      entry = nil
   end
   entry = entry or records:set(name, { pool = new_name(name) })
   return { name = name, pool = entry.pool, record = entry.record }
end

-- `server` is not part of it: one name may belong to many hosts, each with its own.
local compared = { "esmtp", "tls", "auth", "auth_reason", "mechanism", "starttls_offered",
   "size_max", "consumes_chunks", "capabilities", "mechanisms", "mechanisms_before_tls" }

-- The facts of a connection that was kept before are the very table that was compared then.
local function is_same(record, facts)
   if record.compared == facts then return true end
   for i = 1, #compared do
      if record.facts[compared[i]] ~= facts[compared[i]] then return false end
   end
   record.compared = facts
   return true
end

--- May this connection stay under the name it was opened with? The first one under a name decides
-- what the others must be like. Where a later one differs, the server has changed: from now on
-- there is a new name, and what is kept under the old one is never used again.
---@param place table   from pool.place, before it was connected
---@param facts table   of its session
---@param ends number   os.time() at which the certificate of its server ends
---@return boolean
function pool.fits(place, facts, ends)
   local entry = records:get(place.name)
   if not entry or entry.pool ~= place.pool then return false end
   if entry.record and is_same(entry.record, facts) then
      entry.record.ends = math.min(entry.record.ends, ends)
      return true
   end
   local record = { facts = {}, ends = ends }
   for name, value in next, facts do record.facts[name] = value end
   record.facts.server = ""
   if not entry.record then
      entry.record = record
      return true
   end
   records:set(place.name, { pool = new_name(place.name), record = record })
   return false
end

return pool
