--- Servers of Redis on loopback, with a folder of their own each.

local redis = require "smtp.outbox.redis"
local resp = require "spec.tools.resp"

local servers = {}

local function output_of(command)
   local pipe = io.popen(command)
   local text = pipe:read "*a"
   pipe:close()
   return text
end

local function port_of(free)
   return tonumber(table.remove(free, 1))
end

local root, free = nil, {}

local function prepare()
   if root and free[1] then return end
   local text = output_of "bash spec/live/redis.sh 20 2>&1"
   root = text:match "^([^\n]*)\n[%d ]+\n$"
   assert(root, text)
   for port in text:match("\n(.*)"):gmatch "%d+" do free[#free + 1] = port end
end

local Server = {}
Server.__index = Server

-- Wait until it answers: it may load its data.
local function await(self)
   for _ = 1, 1000 do
      local client = resp.connect("127.0.0.1", self.port)
      if client and client:ping() == "PONG" then return client:close() end
      if client then client:close() end
      os.execute "sleep 0.01"
   end
   error("redis-server did not start: " .. output_of("tail -n 5 " .. self.dir .. "/log"))
end

--- Start it, on the same port and with the same files as before.
function Server:run()
   self.pipe = io.popen(("echo $$; %s LD_LIBRARY_PATH=$(echo %s/usr/lib/*-linux-gnu) exec %s/usr/bin/redis-server "
      .. "--port %d --bind 127.0.0.1 --dir %s --logfile %s/log %s"):format(self.env or "", root, root, self.port,
      self.dir, self.dir, self.settings))
   self.pid = self.pipe:read "*l"
   await(self)
   return self
end

--- End it: "KILL", "TERM", …
function Server:stop(signal)
   if not self.pipe then return end
   os.execute(("kill -%s %s"):format(signal or "KILL", self.pid))
   self.pipe:read "*a"
   self.pipe:close()
   self.pipe = nil
end

--- End it, and leave of its files only what it has flushed. It was started with the environment `flushed`.
function Server:lose_power()
   self:stop()
   os.execute(([[for f in %s/appendonlydir/*.aof; do
      if [ -e "$f.flushed" ]; then truncate -s "$(sed 's/^0*//' "$f.flushed")" "$f"; fi
   done]]):format(self.dir))
end

--- Wait until it has all that its primary has.
function Server:await_sync()
   for _ = 1, 1000 do
      if self:command("info", "replication"):find "master_link_status:up" then return end
      os.execute "sleep 0.01"
   end
   error "the replica does not follow its primary"
end

--- End it and remove its files.
function Server:remove()
   self:stop()
   os.execute("rm -rf " .. self.dir)
end

--- A function that connects to it, for the option `connect`.
function Server:connector()
   return function() return resp.connect("127.0.0.1", self.port) end
end

--- A store on it.
---@param prefix string
---@param options? table   of the store
function Server:store(prefix, options)
   local given = { connect = self:connector(), prefix = prefix, on_warning = function() end }
   for name, value in pairs(options or {}) do given[name] = value end
   return assert(redis.new(given))
end

--- One command, over a connection of its own.
function Server:command(...)
   local client = assert(resp.connect("127.0.0.1", self.port))
   local words = { ... }
   local reply, why = client[words[1]](client, (table.unpack or unpack)(words, 2)) -- luacheck: ignore
   client:close()
   return reply, why
end

--- Where Redis is unpacked.
function servers.root()
   prepare()
   return root
end

--- Let `require` find the clients that spec/live/redis.sh has unpacked. -> package.path
function servers.add_clients()
   for _, name in ipairs { "nginx-redis", "lua-redis" } do
      package.path = ("%s;build/live/%s/root/usr/share/lua/5.1/?.lua"):format(package.path, name)
   end
   return package.path
end

--- The environment of a server that may lose its power.
function servers.flushed()
   os.execute "mkdir -p build/spec && ${CC:-cc} -shared -fPIC -o build/spec/flushed.so spec/tools/flushed.c -ldl"
   return "LD_PRELOAD=" .. output_of "pwd":match "[^\n]*" .. "/build/spec/flushed.so"
end

--- Start a server.
---@param settings? string   flags of redis-server
---@param env? string        settings of its environment
function servers.start(settings, env)
   prepare()
   local dir = os.tmpname()
   os.remove(dir)
   os.execute("mkdir " .. dir)
   return setmetatable({ port = port_of(free), dir = dir, env = env,
      settings = settings or "--save '' --appendonly yes --appendfsync always" }, Server):run()
end

return servers
