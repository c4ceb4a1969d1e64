-- What a terminal shows while many messages, or a large one, go out. script(1) makes the terminal.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local progress = require "smtp.result.progress"
local terminal = require "spec.tools.terminal"

-- What the terminal shows of it.
local function on_terminal(line)
   local pipe = io.popen(("script -qec %q /dev/null </dev/null 2>&1"):format(line))
   local text = pipe:read("*a")
   pipe:close()
   return text
end

local many = [[
local smtp = require "smtp"
local sink = smtp.sink {}
local list = {}
for i = 1, 20 do list[i] = { from = "a@b.example", to = i == 7 and "nobody" or "c@d.example", raw = "x" } end
smtp.send_many({ transport = function() return sink:transport() end, tls = "skip" }, list, { progress = true })
]]

local large = [[
local smtp = require "smtp"
local cli = require "smtp.cli.main"
local sink = smtp.sink {}
local file = io.open(NAME, "wb")
file:write(("x"):rep(1500000))
file:close()
local safe = require "smtp.safe"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local interpreter = peer.interpreter
local message = command.message

local send = safe.send
safe.send = function(t)
   t.transport, t.tls = sink:transport(), "skip"
   return send(t)
end
os.exit(cli.main { "send", "--from", "a@b.example", "--to", "c@d.example", "--text", "x", "--attach", NAME })
]]

local function run(text)
   local name = os.tmpname()
   local file = io.open(name, "w")
   file:write((text:gsub("NAME", ("%q"):format(name .. ".bin"))))
   file:close()
   local shown = on_terminal(peer.interpreter .. " " .. name)
   local bare = io.popen(("%s %s 2>&1"):format(peer.interpreter, name)):read("*a")
   os.remove(name)
   os.remove(name .. ".bin")
   return shown, bare
end

describe("progress", function()
   it("shows how many messages of how many, how fast, and how many failed", function()
      local shown, bare = run(many)
      assert.matches("%[=+%] 20 of 20 messages, [%d,]+/s, 0:00 left, 1 failed", shown)
      assert.equal("", bare)
   end)

   it("shows how much of a large message is out", function()
      local shown, bare = run(large)
      assert.matches("of 2,0%d%d,%d%d%d octets", shown)
      assert.is_nil(bare:find("octets"))
   end)

   it("has a line for every state", function()
      local bar = setmetatable({ total = 1000, unit = "messages", columns = 80 }, progress.Bar)
      assert.equal("[===============               ] 500 of 1,000 messages, 50/s, 0:10 left", bar:line(500, 0, 10))
      assert.equal("[==                        ] 100 of 1,000 messages, 0/s, 2:30:00 left, 2 failed",
         bar:line(100, 2, 1000))
      bar.columns = 30
      assert.equal("500 of 1,000 messages, 50/s, ", bar:line(500, 0, 10))
      bar.total = nil
      assert.equal("12 messages, 6/s", bar:line(12, 0, 2))
   end)
end)

describe("lua-smtp at a terminal", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   -- The kernel takes the first half at once; the rest waits for the server for more than a second.
   it("shows a bar that advances with the bytes sent, at any width", function()
      local name = folder .. "/large"
      local file = assert(io.open(name, "wb"))
      file:write(("x"):rep(6000000))
      file:close()
      for _, columns in ipairs { 40, 200 } do
         local server = io.popen("exec env -u LD_PRELOAD python3 -B spec/tools/slow_server.py 3e6")
         local line = ("send --host localhost --port %s --attach %s"):format(server:read("*l"), name) .. command.message
         local shown, status = terminal.run({}, line, columns)
         server:close()
         assert.equal(0, status, shown)
         local last, count = -1, 0
         for state in shown:gmatch("\r\27%[K([^\r]*)") do
            assert(#state < columns, state)
            local percent = tonumber(state:match("(%d+)%%"))
            local sent, total = state:match("([%d,]+) of ([%d,]+) octets")
            percent = percent or tonumber((sent:gsub(",", ""))) / tonumber((total:gsub(",", ""))) * 100
            local rate = tonumber((state:match("([%d,]+)/s"):gsub(",", "")))
            assert(percent >= last and rate < 1e9, state)
            if percent > last then count = count + 1 end
            last = percent
         end
         assert.equal(100, last)
         assert(count >= 4, shown)
      end
      os.remove(name)
   end)

   it("shows no bar to a pipe", function()
      local server = io.popen("exec env -u LD_PRELOAD python3 -B spec/tools/slow_server.py 1e8")
      local name = folder .. "/large"
      os.execute("head -c 3000000 /dev/zero >" .. name)
      local line = ("send --host localhost --port %s --attach %s"):format(server:read("*l"), name)
      local said = terminal.sh(terminal.command(line .. command.message))
      server:close()
      os.remove(name)
      assert.equal("bob@there.example: accepted\n250 ok\n", said)
   end)
end)
