-- What a terminal shows while many messages, or a large one, go out. script(1) makes the terminal.
local progress = require "smtp.result.progress"

local first = 0
while arg[first - 1] do first = first - 1 end
local interpreter = arg[first]

-- What the terminal shows of it.
local function on_terminal(command)
   local pipe = io.popen(("script -qec %q /dev/null </dev/null 2>&1"):format(command))
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
   local shown = on_terminal(interpreter .. " " .. name)
   local bare = io.popen(("%s %s 2>&1"):format(interpreter, name)):read("*a")
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
