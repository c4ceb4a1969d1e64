-- See spec/bench/large.
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local smtp = require "smtp"

local MEBIBYTES, TURNS = 256, 7

local server = ([[
for _ = 1, %d do
   local sock = accept()
   sock:settimeouts(60000, 60000, 60000)
   sock:send("220 hi\r\n")
   local tail, inside = "", false
   while true do
      local data = sock:receiveany(65536)
      if not data then break end
      if inside then
         tail = (tail .. data:sub(-5)):sub(-5)
         inside = tail ~= "\r\n.\r\n"
         if not inside then sock:send("250 ok\r\n") end
      elseif data:find("^DATA") then
         inside = true
         sock:send("354 go\r\n")
      elseif data:find("^QUIT") then
         sock:send("221 bye\r\n")
         break
      else
         sock:send("250 ok\r\n")
      end
   end
   sock:close()
end
]]):format(2 * TURNS)

local path, ready = os.tmpname(), os.tmpname()
assert(os.execute(("head -c %dM /dev/urandom >%s"):format(MEBIBYTES, path)))

local function options(more)
   local t = { host = "127.0.0.1", pipelining = "off", from = "ann@me.example", to = "bob@there.example" }
   for name, value in pairs(more) do t[name] = value end
   return t
end

local function composed()
   return options { text = "see the file", attachments = { path = path }, message_id = "<1@me.example>" }
end

-- The same octets, made beforehand.
do
   local t = composed()
   t.host, t.pipelining = nil, nil
   local file = assert(io.open(ready, "wb"))
   for piece in smtp.message(t):source() do file:write(piece) end
   file:close()
end

local other = peer.start(server)

local function time(t)
   t.port = other.port
   local started, cpu = core.now(), os.clock()
   smtp.send(t)
   return core.now() - started, os.clock() - cpu
end

local function median(list)
   table.sort(list)
   return list[math.floor(#list / 2) + 1]
end

local walls, cpus = { {}, {} }, { {}, {} }
for i = 1, TURNS do
   walls[1][i], cpus[1][i] = time(composed())
   local file = assert(io.open(ready, "rb"))
   walls[2][i], cpus[2][i] = time(options { raw = file, eightbit = false })
   file:close()
end
os.remove(path)
os.remove(ready)
other.finish()
for i, name in ipairs { "composed from a file", "ready made" } do
   print(("%-22s %6.3f s  %6.1f MiB/s of the file  %6.3f s of CPU"):format(name, median(walls[i]),
      MEBIBYTES / median(walls[i]), median(cpus[i])))
end
print(("composed / ready made: %.2f of the throughput"):format(median(walls[2]) / median(walls[1])))
