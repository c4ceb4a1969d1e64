-- The Redis store, with a real server and with clients that others have written.
local command = require "spec.tools.command"
local contract = require "spec.tools.store_contract"
local environment = require "smtp.runtime.environment"
local redis = require "smtp.outbox.redis"
local servers = require "spec.live.redis_servers"

local clients = {}

-- A function that connects to a server, for each client.
if environment.is_nginx() then
   clients["nginx.redis"] = function(server)
      local client = require("nginx.redis"):new()
      client:set_timeout(10000)
      local ok, why = client:connect("127.0.0.1", server.port)
      return ok and client, why
   end
else
   clients["redis-lua"] = function(server) return require("redis").connect("127.0.0.1", server.port) end
   clients["a client of a few lines"] = function(server) return server:connector()() end
end

local function record(id)
   return { id = id, due = 1, created = 1, since = 1, size = 1, body = "x", facts = "f", recipients = "r",
      addresses = "\na@x.example\n" }
end

for name, connect in pairs(clients) do
   describe("The Redis store with " .. name, function()
      local server, store
      setup(function()
         server = servers.start()
         servers.add_clients()
      end)
      teardown(function() server:remove() end)
      after_each(function()
         if store then store:close() end
         server:command "flushall"
      end)

      local function new_store(options)
         local given = { connect = function() return connect(server) end, prefix = "mail" }
         for option, value in pairs(options or {}) do given[option] = value end
         store = assert(redis.new(given))
         return store
      end

      contract.describe(new_store)

      it("goes on when the server has started again", function()
         new_store()
         assert.is_true(store:put("box", record "a"))
         server:stop "KILL"
         local done, err = store:put("box", record "b")
         assert.is_nil(done)
         assert.same({ "system", "store_connection", "later" }, { err.kind, err.reason, err.retry })
         server:run()
         assert.is_true(store:put("box", record "b"))
         assert.equal(2, store:count("box").queued)
      end)

      it("says what the server refuses", function()
         new_store { on_warning = function() end }
         server:command("config", "set", "maxmemory", "1")
         local done, err = store:put("box", record "a")
         server:command("config", "set", "maxmemory", "0")
         assert.is_nil(done)
         assert.same({ "store_busy", "later" }, { err.reason, err.retry })
         assert.matches("Redis replied OOM .*: its memory is full %(maxmemory%)", err.what)
         server:command("config", "set", "requirepass", "sesame-92")
         new_store { on_warning = function() end }
         done, err = store:put("box", record "a")
         local client = assert(server:connector()())
         client:auth "sesame-92"
         client:config("set", "requirepass", "")
         client:close()
         assert.is_nil(done)
         assert.equal("never", err.retry)
         assert.matches("Redis replied NOAUTH .* Log in within `connect`", tostring(err))
      end)

      it("warns of a configuration that can lose messages", function()
         local said = {}
         server:command("config", "set", "appendfsync", "everysec")
         new_store { on_warning = function(text) said[#said + 1] = text end }
         store:count "box"
         server:command("config", "set", "appendfsync", "always")
         assert.equal(1, #said)
         assert.matches("appendfsync everysec", said[1])
      end)
   end)
end

describe("The Redis store on a Redis Cluster", function()
   local server, store
   setup(function()
      server = servers.start "--save '' --appendonly no --cluster-enabled yes"
      server:command("cluster", "addslotsrange", "0", "16383")
      for _ = 1, 1000 do
         if server:command("cluster", "info"):find "cluster_state:ok" then break end
         os.execute "sleep 0.01"
      end
   end)
   teardown(function() server:remove() end)
   after_each(function() server:command "flushall" end)

   contract.describe(function()
      store = server:store "mail"
      return store
   end)

   it("waits while another node has its keys", function()
      local slot = server:command("cluster", "keyslot", "{mail}:x")
      server:command("cluster", "delslots", tostring(slot))
      local done, err = server:store("mail"):put("box", record "a")
      server:command("cluster", "addslots", tostring(slot))
      assert.is_nil(done)
      assert.same({ "store_busy", "later" }, { err.reason, err.retry })
   end)
end)

if not environment.is_nginx() then
   describe("The recipe outbox-redis.lua", function()
      local server
      setup(function() server = servers.start() end)
      teardown(function() server:remove() end)

      it("delivers a message once, as often as it runs", function()
         local line = ("REDIS_PORT=%d LUA_PATH='%s;;' examples/run outbox-redis.lua"):format(server.port,
            servers.add_clients())
         local said = command.own(line)
         assert.matches("^order%-7\tsent\t\n1 sent, 0 failed, 0 in doubt\n", said)
         assert.matches("Subject: Your order", said)
         assert.matches("^0 sent, 0 failed, 0 in doubt\n", command.own(line))
      end)
   end)
end
