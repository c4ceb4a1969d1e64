-- What a program with an outbox does, for spec/bench/outbox/run.
-- ours.lua put|claim|run|many STORE COUNT [PORT PIPELINING CONNECTIONS]
-- Prints seconds for COUNT messages by the clock, and of the processor; "claim" prints as well how many KiB of memory
-- the process has.
local core = require "smtp.core"
local outboxes = require "smtp.outbox" -- smtp.outbox of the library itself has no claim
local smtp = require "smtp"

local action, store, count, port, pipelining, connections = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]),
   arg[5], tonumber(arg[6])
local text = (("x"):rep(70) .. "\n"):rep(12) -- with its header, a message of 1 KiB
local server = { host = "127.0.0.1", port = port or 25, domain = "me.example", tls = "skip", pipelining = pipelining }

local function message()
   return { from = "ann@me.example", to = "bob@there.example", subject = "hello", text = text }
end

local function fail(_, _, err)
   if err then error(err, 0) end
end

local box = action ~= "many" and assert(outboxes.new { store = store, name = "outbox", server = server })
local actions = {}

function actions.put()
   for _ = 1, count do assert(box:put(message())) end
end

function actions.claim()
   for _ = 1, count / 32 do
      assert(#box.store:claim("outbox", os.time(), os.time() + 3600, 1, 32) == 32)
   end
end

function actions.run()
   local totals = assert(box:run { once = true, connections = connections })
   assert(totals.sent == count, totals.sent .. " were sent")
end

function actions.many()
   local i = 0
   smtp.send_many(server, function()
      i = i + 1
      if i <= count then return message() end
   end, { connections = connections, on_result = fail })
end

local function memory()
   for line in io.lines "/proc/self/status" do
      local kibibytes = line:match "^VmRSS:%s*(%d+)"
      if kibibytes then return kibibytes end
   end
end

local started, processor = core.now(), os.clock()
actions[action]()
print(core.now() - started, os.clock() - processor, action == "claim" and memory() or "")
if box then box:close() end
