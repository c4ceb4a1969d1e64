--- A program that puts messages into an outbox and sends them (spec/live/outbox_crash_client.lua), ended or stopped
--- somewhere, and what the outbox, its restart and the servers make of that.

local certs = require "spec.tools.certs"
local core = require "smtp.core"
local interpreter = require("spec.tools.peer").interpreter
local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"
local socket = require "smtp.socket"
local spec_server = require "spec.tools.server"

local crashes = {}

local unpack = table.unpack or unpack -- luacheck: ignore
local LATER = 1000 -- seconds: every lease has ended
local COUNT = 3    -- messages
local FAR = 1000000000

local cert, key = certs.make() "good"
local context = assert(require("smtp.tls").context { server = true, cert = cert, key = key })
local listener = assert(socket.listen("127.0.0.1", 0))
local port = select(2, listener:getsockname())

--- What all cases together have found.
crashes.found = { cases = 0, sent = 0, failed = 0, doubt = 0, arrived = 0 }

local function read(path)
   local file = io.open(path, "rb")
   local text = file and file:read("*a") or ""
   if file then file:close() end
   return text
end

-- ---- the servers ----

-- The domain may be spelled in another way.
local function name_of(id, address)
   return id .. " " .. address:match "^[^@]+"
end

-- Who gets which message is noted when the server decides so, whether its answer is heard or not.
local function final(case, server)
   local first, last = 1, #server.to
   if server.is_lmtp then
      first = (server.verdicts or 0) + 1
      last, server.verdicts = first, first < #server.to and first or 0
   end
   local deferral = table.remove(case.finals, 1)
   if deferral then return deferral end
   local id = server.body:match "Subject: (m%d)"
   for i = first, last do
      local name = name_of(id, server.to[i])
      case.truth[name] = (case.truth[name] or 0) + 1
   end
end

local function rcpt(case, line)
   if line:find "nobody" then return "550 5.1.1 no such user" end
   return line:find "r3" and table.remove(case.rcpts, 1) or nil
end

local function new_server(case)
   return spec_server.new { capabilities = case.way.capabilities, reply = function(self, what)
      if what == "final" then return final(case, self) end
      if what == "rcpt" then return rcpt(case, self.lines[#self.lines]) end
   end }
end

-- ---- the program ----

local function start(case, signal, point)
   local way = case.way
   local pipe = io.popen(("echo $$; exec %s spec/live/outbox_crash_client.lua %s %s %d %s %s %s %s %d %s %d"):format(
      interpreter, case.notes, way.redis and "redis:" .. way.redis.port or case.path, port, way.pipelining,
      way.protocol, way.tls, way.kind, way.connections, signal, point))
   case.pipe, case.pid = pipe, pipe:read "*l"
end

-- -> "R", "S": it runs; "T": it is stopped; "Z": it has ended
local function state_of(case)
   return read("/proc/" .. case.pid .. "/stat"):match "%) (%a)" or "Z"
end

local function accept(case, ms)
   local sock = listener:accept(ms)
   if not sock then return end
   sock:settimeouts(5000, 5000, 5000)
   if case.way.tls == "implicit" then sock:sslaccept(context) end
   sock:settimeouts(5000, 5000, 1)
   case.lines[#case.lines + 1] = { sock = sock, server = new_server(case) }
end

-- A part of what the server says, and of what it hears.
local function talk(case, line, limits)
   local server = line.server
   local part = server.said:sub(1, limits.told - case.told)
   server.said = server.said:sub(#part + 1)
   if part ~= "" then line.sock:send(part) end
   case.told = case.told + #part
   if case.told >= limits.told then return end
   local data, err
   if not server.closing then data, err = line.sock:receiveany(math.min(65536, limits.heard - case.heard)) end
   if data then
      case.heard = case.heard + #data
      server:send(data)
   elseif err ~= "timeout" then
      line.sock:close()
      line.is_closed = true
   end
end

local function talk_all(case, limits)
   local i = 1
   while case.lines[i] do
      talk(case, case.lines[i], limits)
      if case.heard >= limits.heard or case.told >= limits.told then return true end
      if case.lines[i].is_closed then table.remove(case.lines, i) else i = i + 1 end
   end
end

-- Serve the program until it ends or stops, or so many octets were heard or told, all connections together.
-- -> was it that many?
local function serve(case, limits)
   repeat
      accept(case, case.lines[1] and 0 or 1)
      if talk_all(case, limits) then return true end
      local state = state_of(case)
   until state == "Z" or state == "T"
   return false
end

local function signal_to(case, signal)
   os.execute(("kill -%s %s"):format(signal, case.pid))
   repeat local state = state_of(case) until state == "Z" or state == "T" or signal == "CONT"
end

local function is_locked(case)
   local db = not case.way.redis and require("smtp.sqlite_store").open(case.path, 0)
   if not db then return false end
   local _, word = db:run "BEGIN IMMEDIATE"
   db:close()
   return word == "busy"
end

-- A program that is stopped inside a transaction would keep all others from going on: stop it a moment later.
local function interrupt(case, signal)
   signal_to(case, signal)
   while signal == "STOP" and is_locked(case) do
      signal_to(case, "CONT")
      core.sleep(0.001)
      signal_to(case, signal)
   end
end

-- All that the kernel of a dead program still has to send.
local function drain(case)
   accept(case, 0)
   accept(case, 0)
   while case.lines[1] do talk_all(case, { heard = FAR, told = FAR }) end
end

-- ---- the restart ----

local function reopen(case)
   local way, clock = case.way, { time = os.time() + LATER }
   local store = way.redis and way.redis:store "crash" or case.path
   local box = assert(smtp.outbox { store = store, name = "crash", lease = 60, server = { host = "relay.example",
      tls = "skip", pipelining = way.pipelining, protocol = way.protocol,
      transport = function() return new_server(case) end } })
   return outboxes.with_clock(box, clock)
end

-- Not until_empty: that waits in real time for answers.
local function run_all(box)
   repeat
      assert(box:run { once = true })
      local due = box.store:due_at "crash"
      if due then box.sleep(due - box.now()) end
   until not due
end

local function check_recipient(case, entry, one)
   local times = case.truth[name_of(entry.id, one.address)] or 0
   local where = ("%s%s to %s is %s and arrived %d times"):format(case.where, entry.id, one.address, one.state, times)
   assert(one.state == "sent" or one.state == "failed" or one.state == "doubt", where)
   assert(times <= 1 and (one.state ~= "sent" or times == 1) and (one.state ~= "failed" or times == 0), where)
   assert(one.state ~= "doubt" or case.marked[entry.id], where .. ", without a mark")
   crashes.found[one.state] = crashes.found[one.state] + 1
   if one.state == "doubt" then crashes.found.arrived = crashes.found.arrived + times end
end

-- A person settles the doubts.
local function resolve(case, box, id, word)
   assert(box:resolve(id, word))
   run_all(box)
   local state = box:get(id).state
   assert(state == "sent", case.where .. id .. " is " .. state .. " after resolve")
end

local function check(case, box)
   for i = 1, COUNT do
      local entry = assert(box:get("m" .. i), case.where .. "m" .. i .. " is lost")
      for _, one in ipairs(entry.recipients) do check_recipient(case, entry, one) end
      if entry.state == "doubt" then resolve(case, box, entry.id, i % 2 == 0 and "sent" or "unsent") end
   end
end

-- Messages of which put had not returned: if one is there nevertheless, this changes nothing.
local function put_again(case, box)
   local notes = read(case.notes)
   for i = 1, COUNT do
      local id = "m" .. i
      if not notes:find("put " .. id .. "\n", 1, true) then
         assert(box:put({ from = "ann@me.example", to = "r1@x.example", subject = id, text = "Hi\n" }, { id = id }))
      end
   end
end

-- What a power loss leaves at least: what was flushed.
local function lose_power(case)
   os.remove(case.path .. "-shm")
   for _, ending in ipairs { "", "-wal" } do
      os.remove(case.path .. ending)
      os.rename(case.path .. ".disk" .. ending, case.path .. ending)
   end
end

-- Another runner does everything; one that was stopped goes on after that.
local function finish(case, signal)
   if signal ~= "STOP" then drain(case) end
   if signal == "POWER" then lose_power(case) end
   local box = reopen(case)
   for _, entry in ipairs(assert(box.store:list("crash", { state = "ending", limit = 1000 }))) do
      case.marked[entry.id] = true
   end
   if signal ~= "STOP" then put_again(case, box) end
   run_all(box)
   if state_of(case) == "T" then
      signal_to(case, "CONT")
      serve(case, { heard = FAR, told = FAR })
      drain(case)
      run_all(box)
   end
   check(case, box)
   box:close()
end

--- One case.
---@param way table   pipelining, protocol, tls, capabilities, kind = "one", "three", "spelled" or "long" (see the
--   program), connections, finals = what the servers say first to ends of messages, rcpts = and to recipient 3,
--   redis = a server that has the store, of spec.live.redis_servers
---@param side? "calls"|"heard"|"told"   nil: it ends by itself
---@param n? integer   calls of the store (-3: before the third one), or octets that the server has heard or told
---@param signal? "KILL"|"STOP"|"POWER"
---@return table   calls, heard, told: how many there were
function crashes.play(way, side, n, signal)
   local path = outboxes.path()
   local case = { way = way, path = path, notes = path .. ".notes", truth = {}, marked = {}, lines = {}, heard = 0,
      told = 0, finals = { unpack(way.finals) }, rcpts = { unpack(way.rcpts) },
      where = ("%s %s %s: "):format(tostring(signal), tostring(side), tostring(n)) }
   start(case, signal or "KILL", side == "calls" and n or 0)
   local limits = { heard = side == "heard" and n or FAR, told = side == "told" and n or FAR }
   if serve(case, limits) then interrupt(case, signal) end
   local calls = tonumber(read(case.notes):match "done (%d+)")
   local ok, why = pcall(finish, case, signal)
   if not ok then os.execute(("kill -9 %s 2>&1"):format(case.pid)) end
   local said = case.pipe:read "*a"
   case.pipe:close()
   for _, ending in ipairs { ".notes", ".disk", ".disk-wal" } do os.remove(path .. ending) end
   outboxes.clean()
   if way.redis then way.redis:command "flushall" end
   if not ok or said ~= "" then error(ok and said or why, 0) end
   crashes.found.cases = crashes.found.cases + (signal and not calls and 1 or 0)
   return { calls = calls, heard = case.heard, told = case.told }
end

return crashes
