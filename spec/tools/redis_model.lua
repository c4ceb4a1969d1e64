--- A Redis in this process: what the store of an outbox needs of it, and faults. spec/live/redis_spec.lua checks with a
-- real server that this is how Redis behaves.
--
--    local model = redis_model.new()
--    local store = redis.new { connect = model.connect, prefix = "mail" }

local redis_model = {}

local unpack = table.unpack or unpack -- luacheck: ignore

-- ---- commands ----

local function text_of(number)
   return ("%.0f"):format(number)
end

local function of_kind(db, key, kind)
   local value = db[key]
   if value and value.kind ~= kind then error("WRONGTYPE a key of another kind", 0) end
   return value
end

local function container(db, key, kind)
   local value = of_kind(db, key, kind)
   if not value then
      value = { kind = kind, items = {} }
      db[key] = value
   end
   return value.items
end

local function items(db, key, kind)
   local value = of_kind(db, key, kind)
   return value and value.items or {}
end

local function drop_empty(db, key)
   if db[key] and next(db[key].items) == nil then db[key] = nil end
end

local function sorted(db, key)
   local list = {}
   for member, score in pairs(items(db, key, "zset")) do list[#list + 1] = { member, score } end
   table.sort(list, function(a, b)
      if a[2] ~= b[2] then return a[2] < b[2] end
      return a[1] < b[1]
   end)
   return list
end

local function flattened(list, first, last, with_scores)
   local flat = {}
   for i = first, math.min(last, #list) do
      flat[#flat + 1] = list[i][1]
      if with_scores then flat[#flat + 1] = text_of(list[i][2]) end
   end
   return flat
end

-- "5", "(5", "-inf", "+inf" -> is a score beyond this bound?
local function beyond(bound, sign)
   local is_open, number = bound:match "^(%(?)(.*)$"
   number = number == "-inf" and -math.huge or number == "+inf" and math.huge or tonumber(number)
   return function(score)
      if is_open ~= "" and score == number then return true end
      return sign * score > sign * number
   end
end

-- Each returns its reply, and whether replicas get it: whether it has written.
local commands = {}

function commands.ZADD(db, key, score, member)
   local set = container(db, key, "zset")
   local old = set[member]
   set[member] = assert(tonumber(score), "ERR value is not a valid float")
   return old and 0 or 1, old ~= set[member]
end

function commands.ZREM(db, key, member)
   local set = items(db, key, "zset")
   local was = set[member] ~= nil
   set[member] = nil
   drop_empty(db, key)
   return was and 1 or 0, was
end

function commands.ZSCORE(db, key, member)
   local score = items(db, key, "zset")[member]
   return score and text_of(score) or false
end

function commands.ZCARD(db, key)
   return #sorted(db, key)
end

function commands.ZRANGE(db, key, first, last, with_scores)
   return flattened(sorted(db, key), tonumber(first) + 1, tonumber(last) + 1, with_scores)
end

function commands.ZRANGEBYSCORE(db, key, min, max, ...)
   local is_below, is_above, list, limit = beyond(min, -1), beyond(max, 1), {}, math.huge
   local words = { ... }
   for i = 1, #words do
      if words[i] == "LIMIT" then limit = tonumber(words[i + 2]) end
   end
   if limit < 0 then limit = math.huge end
   for _, one in ipairs(sorted(db, key)) do
      if not is_below(one[2]) and not is_above(one[2]) then list[#list + 1] = one end
   end
   return flattened(list, 1, limit, words[1] == "WITHSCORES")
end

function commands.HSET(db, key, ...)
   local hash, words = container(db, key, "hash"), { ... }
   assert(#words % 2 == 0, "ERR wrong number of arguments")
   for i = 1, #words, 2 do hash[words[i]] = words[i + 1] end
   return #words / 2, true
end

function commands.HGET(db, key, field)
   return items(db, key, "hash")[field] or false
end

function commands.HMGET(db, key, ...)
   local values, hash = { ... }, items(db, key, "hash")
   for i = 1, #values do values[i] = hash[values[i]] or false end
   return values
end

function commands.GET(db, key)
   return items(db, key, "string")[1] or false
end

function commands.SET(db, key, value)
   container(db, key, "string")[1] = value
   return { ok = "OK" }, true
end

function commands.EXISTS(db, key)
   return db[key] and 1 or 0
end

function commands.UNLINK(db, ...)
   local count = 0
   for _, key in ipairs { ... } do
      count = count + (db[key] and 1 or 0)
      db[key] = nil
   end
   return count, count > 0
end

-- ---- scripts ----

local function caller(self, declared)
   return function(name, ...)
      local words = { ... }
      for i = 1, #words do
         if type(words[i]) == "number" then words[i] = text_of(words[i]) end
         assert(type(words[i]) == "string", "ERR command arguments must be strings or integers")
      end
      local count = name == "UNLINK" and #words or 1
      for i = 1, count do assert(declared[words[i]], "a script made the key " .. words[i]) end
      local reply, has_written = commands[name](self.db, unpack(words))
      if has_written then self.offset = self.offset + 1 end
      return reply
   end
end

local compiled = {}

local function compile(script, env)
   if not setfenv then return assert(load(script, "=script", "t", env)) end -- luacheck: ignore
   compiled[script] = compiled[script] or assert(loadstring(script, "=script")) -- luacheck: ignore
   return setfenv(compiled[script], env) -- luacheck: ignore
end

-- As a reply: integers are cut, a list ends before its first nil.
local function reply_of(value)
   if type(value) == "number" then return math.floor(value) end
   if type(value) ~= "table" then return value end
   local list = {}
   for i = 1, #value do list[i] = reply_of(value[i]) end
   return list
end

local function evaluate(self, script, count, ...)
   local words, declared, keys, arguments = { ... }, {}, {}, {}
   for i = 1, #words do
      words[i] = tostring(words[i])
      if i <= count then
         keys[i], declared[words[i]] = words[i], true
      else
         arguments[i - count] = words[i]
      end
   end
   local env = { KEYS = keys, ARGV = arguments, redis = { call = caller(self, declared),
      sha1hex = function(text) return "digest of " .. text end }, unpack = unpack, ipairs = ipairs,
      tonumber = tonumber }
   return reply_of(compile(script, env)())
end

-- ---- clients ----

-- Before each command: what the fault says, "before" or "after" the command has run, or a reply.
local function run(self, client, name, ...)
   self.calls = self.calls + 1
   local fault, why = nil, nil
   if self.fault then fault, why = self.fault(self.calls, name, ...) end
   if fault == "before" then return nil, why or "closed" end
   if fault == "reply" then return false, why end
   local offset = self.offset
   local reply, trouble = self.commands[name](client, ...)
   if self.offset ~= offset then client.offset = self.offset end
   if fault == "after" then return nil, why or "closed" end
   return reply, trouble
end

local function new_client(self)
   self.connections = self.connections + 1
   local client = { offset = 0 } -- of what it has written last
   for name in pairs(self.commands) do
      client[name] = function(own, ...)
         assert(own == client and not client.is_busy, "a client is used by two calls at a time")
         if client.is_closed then return nil, "closed" end
         client.is_busy = true
         local reply, why = run(self, client, name, ...)
         client.is_busy = false
         if reply == nil then client.is_closed = true end
         return reply, why
      end
   end
   function client.close()
      client.is_closed = true
      self.connections = self.connections - 1
      return 1
   end
   function client.set_keepalive()
      client.is_closed = true
      self.kept = self.kept + 1
      return 1
   end
   return client
end

--- A server. Its field `fault` may be a function (calls, command, …) -> "before" or "after": the connection breaks
-- before or after the command has run; "reply" and a text: that is the reply, an error. `settings`: what CONFIG shows.
-- `replicas`: how many are connected; after lag(count), so many of them get nothing more.
function redis_model.new()
   local self = { db = {}, loaded = {}, calls = 0, connections = 0, kept = 0, settings = {}, replicas = 0, offset = 0,
      lagging = 0, lagging_from = 0 }
   self.commands = {
      eval = function(_, script, ...)
         self.loaded["digest of " .. script] = script
         return evaluate(self, script, ...)
      end,
      evalsha = function(_, digest, ...)
         if not self.loaded[digest] then return false, "NOSCRIPT No matching script. Please use EVAL." end
         return evaluate(self, self.loaded[digest], ...)
      end,
      wait = function(client) -- for what this connection has written
         return self.replicas - (client.offset > self.lagging_from and self.lagging or 0)
      end,
      config = function(_, _, name) return { name, self.settings[name] } end,
   }
   self.connect = function() return new_client(self) end
   self.lag = function(count) self.lagging, self.lagging_from = count, self.offset end
   return self
end

return redis_model
