-- Puts messages into an outbox and sends them: lua outbox_crash_client.lua NOTES STORE PORT PIPELINING PROTOCOL TLS
-- KIND CONNECTIONS SIGNAL POINT. STORE is a path, or redis:PORT. It notes in the file NOTES each put that returned, and
-- its own end with the number of its calls of the store: SQL statements, or commands of Redis. It sends itself SIGNAL
-- before ("-3") or after ("3") one of them; "0": never. SIGNAL: KILL; STOP, which waits for the end of a transaction;
-- or POWER: KILL, and after each statement that SQLite has flushed to the disk the files are copied: what a power loss
-- leaves at least.

local unpack = table.unpack or unpack -- luacheck: ignore
local path, store, port, pipelining, protocol, tls, kind, connections, signal, point = unpack(arg, 1, 10)
local notes, calls, is_flushed, is_inside = assert(io.open(path, "a")), 0, true, false
point = tonumber(point)

local function note(...)
   notes:write(table.concat({ ... }, " "), "\n")
   notes:flush()
end

local function copy(ending)
   local from = io.open(store .. ending, "rb")
   if not from then return end
   local to = assert(io.open(store .. ".disk" .. ending, "wb"))
   to:write(from:read("*a"))
   to:close()
   from:close()
end

-- `at`: -1 before, 1 after the statement
local function pass(at)
   local is_stop = signal == "STOP"
   local is_due = at * calls == point or is_stop and calls > math.abs(point)
   if point == 0 or not is_due or is_stop and is_inside then return end
   point = 0
   os.execute(is_stop and "kill -STOP $PPID" or "kill -9 $PPID")
end

local function after(sql)
   if sql:find "^BEGIN" then is_inside = true end
   if sql:find "^COMMIT" then is_inside = false end
   if sql:find "synchronous" then is_flushed = sql:find "FULL" ~= nil end
   if signal == "POWER" and is_flushed and not is_inside and not sql:find "^SELECT" then
      copy ""
      copy "-wal"
   end
   pass(1)
end

-- A database that counts what it is asked.
local function counted(db)
   local self = {}
   for _, name in ipairs { "run", "run_each", "rows", "records" } do
      self[name] = function(_, sql, ...)
         calls = calls + 1
         pass(-1)
         local a, b, c = db[name](db, sql, ...)
         after(sql)
         return a, b, c
      end
   end
   function self.close() db:close() end
   function self.rollback()
      db:rollback()
      is_inside = false
   end
   return self
end

-- A client of Redis that counts its commands.
local function counted_client(client)
   return setmetatable({}, { __index = function(_, name)
      return function(_, ...)
         calls = calls + 1
         pass(-1)
         local reply, why = client[name](client, ...)
         pass(1)
         return reply, why
      end
   end })
end

local redis_port = store:match "^redis:(%d+)$"
if redis_port then
   local resp = require "spec.tools.resp"
   store = assert(require("smtp.outbox.redis").new { prefix = "crash", on_warning = function() end,
      connect = function()
         return counted_client(assert(resp.connect("127.0.0.1", tonumber(redis_port))))
      end })
else
   local module = require "smtp.sqlite_store"
   local open = module.open
   function module.open(...) return counted(assert(open(...))) end
end

local smtp = require "smtp.safe"
local box = assert(smtp.outbox { store = store, name = "crash", lease = 60, server = { host = "localhost",
   port = tonumber(port), domain = "me.example", tls = tls, pipelining = pipelining, protocol = protocol,
   tls_ca_file = "build/spec/certs/ca.pem", timeout = 20 } })

local to = { "r1@x.example", kind ~= "one" and "nobody@x.example" or nil, kind ~= "one" and "r3@x.example" or nil }
local messages = { { text = "Hi\n" }, { raw = "Subject: m2\r\n\r\n.dot\r\n" }, { text = "Hello\n" } }
if kind == "spelled" then to[1] = "r1@b\195\188cher.example" end
if kind == "long" then messages[2] = { text = ("a long line of text\n"):rep(8000) } end
for i, message in ipairs(messages) do
   local id = "m" .. i
   message.from, message.to, message.subject = "ann@me.example", to, not message.raw and id or nil
   assert(box:put(message, { id = id }))
   note("put", id)
end
assert(box:run { once = true, connections = tonumber(connections) })
box:close()
note("done", calls)
