-- A program with an outbox in Redis: lua outbox_redis_client.lua PLACE REPLICAS PORT NOTES FIRST LAST puts the messages
-- m<FIRST> to m<LAST>, each until put returns, and notes that; without NOTES it delivers, to the SMTP server at PORT.
-- PLACE is a file with the port of Redis, which may change.

local resp = require "spec.tools.resp"
local core = require "smtp.core"
local redis = require "smtp.outbox.redis"
local smtp = require "smtp.safe"

local unpack = table.unpack or unpack -- luacheck: ignore
local place, replicas, port, notes, first, last = unpack(arg, 1, 6)

local store = assert(redis.new { prefix = "load", replicas = tonumber(replicas), on_warning = function() end,
   replicas_timeout = 0.2, connect = function()
      local file = assert(io.open(place))
      local redis_port = file:read "*n"
      file:close()
      return resp.connect("127.0.0.1", redis_port)
   end })
local box = assert(smtp.outbox { store = store, name = "load", lease = 100,
   server = { host = "127.0.0.1", port = tonumber(port), tls = "skip" } })

if notes then
   local file = assert(io.open(notes, "a"))
   for i = tonumber(first), tonumber(last) do
      local id, err
      repeat
         id, err = box:put({ from = "ann@me.example", to = "bob@x.example", subject = "m" .. i, text = "Hi\n" },
            { id = "m" .. i })
         if err then
            assert(err.retry == "later", err)
            core.sleep(0.01)
         end
      until id
      file:write(id, "\n")
      file:flush()
   end
else
   repeat
      local totals, err = box:run { connections = 2 }
      assert(totals or err.retry == "later", err)
   until totals
end
