-- Lets the machine fail in the command lua-smtp: lua commands.lua FAULTS SHARE COMMAND…, of each list of cases every
-- SHARE-th. Each case is a process, in which the calls of one function fail from its start on (faults.c); then its exit
-- status and what it printed are compared with what the servers (truth.lua) have.

local certs = require "spec.tools.certs"
local errnos = require "spec.failing.errnos"
local interpreter = require("spec.tools.peer").interpreter
local truth = require "spec.failing.truth"

local faults, share = arg[1], tonumber(arg[2])
local numbers = package.loadlib(faults, "luaopen_faults")().numbers
local SECONDS = 40 -- for one case
local ALL = 1e9    -- calls
local SECRET = "sesame-failing"

local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir " .. folder)

local function path_of(name) return folder .. "/" .. name end

local function write(name, text)
   local file = assert(io.open(path_of(name), "wb"))
   file:write(text)
   file:close()
end

local function read(name)
   local file = io.open(path_of(name), "rb")
   local text = file and file:read "*a" or ""
   if file then file:close() end
   return text
end

local servers = truth.start()

-- ---- the commands ----

local TO = { "bob@there.example", "carol@there.example" }

local commands = {}

function commands.send(id)
   return ("send --host localhost --port %d --tls skip --domain me.example --from ann@me.example --to %s --to %s "
      .. "--subject %s --text hello"):format(servers.ports.plain, TO[1], TO[2], id)
end

function commands.login(id)
   return ("send --host localhost --port %d --tls require --tls-ca-file %s --domain me.example --username ann "
      .. "--password-env SECRET --from ann@me.example --to %s --to %s --json --subject %s --text-file %s"):format(
      servers.ports.starttls, certs.make() "ca", TO[1], TO[2], id, path_of "message")
end

function commands.sendmail()
   return ("sendmail --host localhost --port %d --domain me.example -f ann@me.example %s %s"):format(
      servers.ports.plain, TO[1], TO[2])
end

function commands.probe()
   return ("probe localhost:%d --tls skip --domain me.example"):format(servers.ports.chunks)
end

-- ---- one case ----

local count = 0

-- Runs a program while the machine fails as the text says. -> its id, status, output, errors; the numbers of its calls
local function run(program, plan)
   count = count + 1
   local id = "c" .. count
   write("message", ("From: ann@me.example\nSubject: %s\n\nHi\n"):format(id))
   os.remove(path_of "log")
   os.execute(("cd . && timeout %d env -u XDG_CONFIG_HOME HOME=%s SECRET=%s FAULTS=%q FAULTS_LOG=%s "
      .. "LD_PRELOAD=\"%s $LD_PRELOAD\" %s %s <%s >%s 2>%s; echo $? >%s"):format(SECONDS, folder, SECRET, plan,
      path_of "log", faults, interpreter, type(program) == "string" and program or "csrc/lua-smtp " .. program(id),
      path_of "message", path_of "out", path_of "err", path_of "status"))
   local calls = {}
   for name, number in read("log"):gmatch "(%S+ %S+) (%d+)" do calls[name] = tonumber(number) end
   return id, tonumber(read "status"), read "out", read "err", calls
end

local REFUSED = { [64] = true, [65] = true, [66] = true, [67] = true, [68] = true, [69] = true, [75] = true,
   [76] = true, [77] = true, [78] = true }
local IN_TABLE = { [0] = true, [70] = true, [74] = true }

-- What a status promises of the message. -> what is wrong with that, or nil
local function wrong_status(status, arrived, is_probe)
   if status == 0 and arrived ~= #TO and not is_probe then return "the status is 0" end
   if REFUSED[status] and arrived > 0 then return ("the status is %d"):format(status) end
   if not REFUSED[status] and not IN_TABLE[status] then return ("the status is %s"):format(tostring(status)) end
end

local function wrong_words(out, err, arrived)
   if (out .. err):find(SECRET, 1, true) then return "the secret is shown" end
   local words = err:gsub("%S+%.lua:%d+: module ", "") -- where a file of this library cannot be found
   if words:find "stack traceback" or words:find "%.lua:%d" or words:find "^lua[%d.jit]*: " then
      return "Lua's own error"
   end
   local says_sent = out:find ": accepted" or out:find '"accepted":%["'
   if says_sent and arrived == 0 then return "accepted is printed" end
   if err:find "not sent" and arrived > 0 then return "not sent is printed" end
end

local found = { cases = 0, struck = 0, sent = 0, unsent = 0, unclear = 0, problems = 0 }

-- `is_start`: the interpreter itself may fail, which has the status 1.
local function try(name, plan, is_start)
   local id, status, out, err, calls = run(commands[name], plan)
   local arrived, problem = 0, nil
   for key, times in pairs((servers:settle())) do
      if key:find(id .. " ", 1, true) == 1 then arrived = arrived + times end
      if times > 1 then problem = key .. " arrived twice" end
   end
   if is_start and status == 1 and arrived == 0 and not err:find "stack traceback" then status, err = 70, "" end
   problem = problem or wrong_status(status, arrived, name == "probe") or wrong_words(out, err, arrived)
   found.cases = found.cases + 1
   if (calls["struck it"] or 0) > 0 then found.struck = found.struck + 1 end
   local kind = status == 0 and "sent" or REFUSED[status] and "unsent" or "unclear"
   found[kind] = found[kind] + 1
   if problem then
      found.problems = found.problems + 1
      print(("%s: %s: %s, and it arrived %d times; status %s: %s%s"):format(name, plan, problem, arrived,
         tostring(status), out, err))
   end
end

-- ---- all cases ----

local turn = 0

local function sum(calls, callers, call)
   local total = 0
   for caller in callers:gmatch "%S+" do total = total + (calls[caller .. " " .. call] or 0) end
   return total
end

-- Each call of one function fails with this errno, and it alone or all from then on.
local function fail_each(name, callers, call, word, calls, start)
   local way = call == "getaddrinfo" and "result" or "errno"
   for n = 1, sum(calls, callers, call) do
      for _, last in ipairs { n, (word == "EINTR" or word == "EAGAIN") and n + 50 or ALL } do
         turn = turn + 1
         if turn % share == 0 then
            try(name, ("%s,%s,%s,%d,%d,%d"):format(callers, call, way, numbers[word], n, last),
               n <= sum(start, callers, call))
         end
      end
   end
end

write("start.lua", 'assert(loadfile "csrc/lua-smtp")')

for i = 3, #arg do
   -- The interpreter takes memory for each argument.
   local _, _, _, _, start = run(("%s %s"):format(path_of "start.lua", commands[arg[i]] "c0"), "count")
   local _, status, out, err, calls = run(commands[arg[i]], "count")
   assert(status == 0, out .. err)
   servers:settle()
   for _, callers in ipairs { "own", "openssl", "lua" } do
      for call, words in pairs(errnos) do
         for word in words:gmatch "%S+" do
            if call ~= "malloc" then fail_each(arg[i], callers, call, word, calls, start) end
         end
      end
      fail_each(arg[i], callers, "malloc", "ENOMEM", calls, start)
   end
end

servers:stop()
os.execute("rm -r " .. folder)
local words = {}
for name, number in pairs(found) do words[#words + 1] = ("%s %d"):format(name, number) end
table.sort(words)
print("done: " .. table.concat(words, ", "))
