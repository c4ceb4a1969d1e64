--- The Redis store: clients of a Redis server, made by the caller's function, and what they report.
--
-- A client has the method `eval`: client:eval(script, how many keys, keys and arguments). It may
-- raise an error, as redis-lua does, or return nil or false and a text, as lua-resty-redis does.
-- A client is used by one call at a time. After it, nginx gets its connection back
-- (set_keepalive), because there a connection belongs to one request; elsewhere it is kept.
-- @module smtp.outbox.redis_link

local durability = require "smtp.outbox.redis_durability"
local environment = require "smtp.runtime.environment"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"

local link = {}

local unpack = table.unpack or unpack -- luacheck: ignore
local TEXT_MAX = 200 -- bytes of what a client reports

-- ---- errors ----

-- By the first word of a reply that is an error: may another attempt succeed?
local later = { LOADING = "it loads its data", BUSY = "a script of another client runs",
   READONLY = "it is a replica: connect to the primary",
   MASTERDOWN = "it is a replica without a primary",
   NOREPLICAS = "it has too few replicas", OOM = "its memory is full (maxmemory)",
   MISCONF = "it cannot write to its disk", TRYAGAIN = "the slots of its cluster are moved",
   CLUSTERDOWN = "its cluster is down", MOVED = "another node of its cluster has these keys",
   ASK = "the slots of its cluster are moved" }
local never = { NOAUTH = "Log in within `connect`", NOPERM = "Allow this user EVAL and EVALSHA",
   WRONGPASS = "Check the password that `connect` uses", NOSCRIPT = "Give a client with `eval`",
   WRONGTYPE = "Use a prefix that no other program uses", ERR = "Check the version of Redis" }

-- A script's error may contain the word that caused it further on.
local function word_of(text)
   local found
   for word in text:gmatch "[A-Z]+" do
      if later[word] then return word end
      found = found or never[word] and word
   end
   return found
end

local function shown(text)
   return errors.cut(user_call.text(text), TEXT_MAX, "…")
end

local function failure(text)
   text = shown(text)
   local word = word_of(text)
   if word then text = text:sub((text:find(word, 1, true))):gsub("[. ]+$", "") end
   if never[word] then
      return errors.new("system", { reason = "store", retry = "never", hint = never[word],
         what = "the store failed: Redis replied " .. text })
   end
   if word then
      return errors.new("system", { reason = "store_busy", retry = "later",
         what = ("the store failed: Redis replied %s: %s"):format(text, later[word]) })
   end
   return errors.new("system", { reason = "store_connection", retry = "later",
      what = "the store failed: the connection to Redis broke: " .. text,
      hint = "Check that Redis runs and that `connect` connects to it" })
end

-- ---- clients ----

local function method_of(client, name)
   local method = user_call.field(client, name)
   return type(method) == "function" and method or nil
end

-- -> the reply | nil, a text
local function call(client, name, ...)
   local method = method_of(client, name)
   if not method then return nil, "the client has no method " .. name end
   local ok, reply, why = user_call.call(method, client, ...)
   if not ok then return nil, user_call.text(reply) end
   if reply == nil or reply == false then return nil, user_call.text(why or "no reply") end
   return reply
end

local function drop(client)
   call(client, "close")
end

-- In which phases nginx has sockets differs between versions: by trying.
local function no_sockets()
   local ngx = environment.is_nginx() and package.loaded.ngx
   if not ngx or pcall(ngx.socket.tcp) then return nil end
   return errors.usage("phase", "nginx has no sockets in the phase " .. ngx.get_phase(),
      "Use the outbox in a timer: ngx.timer.at(0, …)")
end

local function connect(self)
   local refusal = no_sockets()
   if refusal then return nil, refusal end
   local ok, client, why = user_call.call(self.connect)
   if not ok then return nil, failure("connect: " .. user_call.text(client)) end
   if not client then
      return nil, failure("connect: " .. user_call.text(why or "it returned nothing"))
   end
   local lack = not method_of(client, "eval") and "eval"
      or self.replicas > 0 and not method_of(client, "wait") and "wait"
   if not lack then return client end
   return nil, errors.usage("connect", "connect returned a value without a method " .. lack,
      "Return a client of Redis, such as that of lua-resty-redis")
end

local function take(self)
   local client = table.remove(self.idle)
   if client then return client end
   local err
   client, err = connect(self)
   if not client then return nil, err end
   if not self.is_checked then
      self.is_checked = true
      durability.check(function(...) return call(client, ...) end, self.on_warning)
   end
   return client
end

local function give_back(self, client)
   if environment.is_nginx() then
      if not call(client, "set_keepalive") then drop(client) end
   else
      self.idle[#self.idle + 1] = client
   end
end

local function forget(self)
   local idle = self.idle
   self.idle = {}
   for i = 1, #idle do drop(idle[i]) end
end

-- ---- scripts ----

-- A script is sent once to each server; after that, its digest is sent.
local function evaluate(self, client, script, ...)
   local digest = self.digests[script]
   local reply, why
   if digest then
      reply, why = call(client, "evalsha", digest, ...)
      if reply or word_of(why) ~= "NOSCRIPT" then return reply, why end
   elseif method_of(client, "evalsha") then
      digest, why = call(client, "eval", "return redis.sha1hex(ARGV[1])", 0, script)
      if not digest then return nil, why end
      self.digests[script] = digest
   end
   return call(client, "eval", script, ...)
end

local function wait_ms(self)
   return math.ceil(self.replicas_timeout * 1000)
end

-- -> the reply | nil, a text; nil, nil, how many replicas have it, if those are too few
local function attempt(self, client, script, arguments, is_lasting)
   local reply, why = evaluate(self, client, script, unpack(arguments))
   if not reply or not is_lasting or self.replicas == 0 then return reply, why end
   local count
   count, why = call(client, "wait", self.replicas, wait_ms(self))
   if not count then -- a replica does not wait, and says so in words of its own
      return nil, (why:gsub("ERR (WAIT cannot be used with replica)", "READONLY %1"))
   end
   if tonumber(count) >= self.replicas then return reply end
   return reply, nil, tonumber(count)
end

local function too_few(self, count)
   return errors.new("system", { reason = "store_replicas", retry = "later",
      what = ("the store failed: %d of %d replicas confirmed a change within %d ms"):format(count,
         self.replicas, wait_ms(self)), hint = "Check the replicas of Redis" })
end

local function closed()
   return errors.new("system", { reason = "store", retry = "never",
      what = "the store failed: it is closed" })
end

--- Run a script. Where the connection breaks, it runs again over a new one.
---@param script string          of smtp.outbox.redis_scripts
---@param keys string[]
---@param values string[]        ARGV
---@param is_lasting? boolean    the replicas have to confirm the change
---@return string|number|table|nil reply
---@return table|nil err
---@return boolean|nil done      the script ran, but too few replicas have confirmed that
function link.run(self, script, keys, values, is_lasting)
   if self.is_closed then return nil, closed() end
   local arguments, first = { #keys, unpack(keys) }, #keys + 1
   for i = 1, #values do arguments[first + i] = values[i] end
   local why
   for _ = 1, 2 do
      local client, err = take(self)
      if not client then return nil, err end
      local reply, count
      reply, why, count = attempt(self, client, script, arguments, is_lasting)
      if reply then
         give_back(self, client)
         if count then return nil, too_few(self, count), true end
         return reply
      end
      drop(client)
      forget(self)
      local word = word_of(why)
      if word and word ~= "READONLY" then break end
   end
   return nil, failure(why)
end

--- Close the connections that are kept.
function link.close(self)
   self.is_closed = true
   forget(self)
end

--- A link.
---@param options table   connect, replicas, replicas_timeout, on_warning
function link.new(options)
   return { connect = options.connect, replicas = options.replicas, on_warning = options.on_warning,
      replicas_timeout = options.replicas_timeout,
      idle = {},            -- clients that no call uses
      digests = {},         -- by script
      is_checked = false }  -- whether Redis writes to the disk
end

return link
