-- What a terminal shows while messages go out. script(1) makes the terminal. spec/live/terminal_spec.lua
-- looks at the command's progress with a large message.
local peer = require "spec.tools.peer"
local progress = require "smtp.result.progress"

-- What the terminal shows of it.
local function on_terminal(line)
   local pipe = io.popen(("TERM=xterm script -qec %q /dev/null </dev/null 2>&1"):format(line))
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

local function run(text)
   local name = os.tmpname()
   local file = io.open(name, "w")
   file:write(text)
   file:close()
   local shown = on_terminal(peer.interpreter .. " " .. name)
   local bare = io.popen(("%s %s 2>&1"):format(peer.interpreter, name)):read("*a")
   os.remove(name)
   return shown, bare
end

describe("progress", function()
   it("shows how many messages of how many, how fast, and how many failed", function()
      local shown, bare = run(many)
      assert.matches("%[=+%] 100%%, 20 of 20 messages, [%d,]+/s, in 0:01, 1 failed", shown)
      assert.equal("", bare)
   end)

   it("has a line for every state", function()
      local function line(unit, total, done, seconds, columns, failed)
         return setmetatable({ total = total, unit = unit }, progress.Bar):line(done, failed or 0, seconds, columns)
      end
      local function bytes(...) return line("bytes", ...) end
      local function messages(...) return line("messages", ...) end
      assert.equal("[===============               ] 50%, 500 of 1,000 messages, 50/s, 0:10 left",
         messages(1000, 500, 10, 80))
      assert.equal("[=                 ] 10%, 100 of 1,000 messages, 0.10/s, 2:30:00 left, 2 failed",
         messages(1000, 100, 1000, 80, 2))
      assert.equal("[====    ] 60%, 3.43 of 5.72 MiB, 1.14 MiB/s, 0:02 left", bytes(6e6, 3.6e6, 3, 56))
      assert.equal("12 messages, 6.00/s", messages(nil, 12, 2, 80))
      assert.equal("20 messages, 10/s", messages(nil, 20, 2, 80))
      assert.equal("3.43 MiB, 1.14 MiB/s", bytes(nil, 3.6e6, 3, 200))
      assert.equal("[         ] 0%, 0.00 of 1.00 TiB, 0.00 KiB/s", bytes(2 ^ 40, 0, 3, 45))
      assert.equal("0 of 0 messages, 0.00/s", messages(0, 0, 1, 80))
      assert.equal("1%, 0.06 of 5.72 MiB", bytes(6e6, 60000, 0.01, 28))
   end)

   it("has bytes, rate and remaining time at 40 columns, and one line at every width", function()
      local widest = { -- at 40, 20 and 10 columns
         { "bytes", 999.4 * 2 ^ 20, 998 * 2 ^ 20, 3590,
            "998 of 999 MiB, 285 KiB/s, 0:06 left", "99%, 0:06 left", "99%" },
         { "bytes", 57.2 * 2 ^ 30, 14.3 * 2 ^ 30, 14663,
            "25%, 1.00 MiB/s, 12:13:10 left", "25%, 12:13:10 left", "25%" },
         { "bytes", 6e6, 3.6e6, 3, "3.43 of 5.72 MiB, 1.14 MiB/s, 0:02 left", "60%, 0:02 left", "60%" },
         { "bytes", nil, 3.6e6, 3, "3.43 MiB, 1.14 MiB/s", "3.43 MiB", "3.43 MiB" },
         { "messages", 1e7, 1234567, 60, "12%, 20,576/s, 7:07 left", "12%, 7:07 left", "12%" },
         { "messages", nil, 1234567, 60, "1,234,567 messages, 20,576/s", "1,234,567, 20,576/s", "1,234,567" },
      }
      for _, row in ipairs(widest) do
         local bar = setmetatable({ unit = row[1], total = row[2] }, progress.Bar)
         for columns = 1, 200 do
            assert(#bar:line(row[3], 0, row[4], columns) < columns)
         end
         for i, columns in ipairs { 40, 20, 10 } do
            assert.equal(row[4 + i], bar:line(row[3], 0, row[4], columns))
         end
      end
   end)

   it("estimates the rest from the rate of late, and at last says the time that it took", function()
      local bar = setmetatable({ total = 100 * 2 ^ 20, unit = "bytes" }, progress.Bar)
      local function at(seconds, mebibytes) return bar:line(mebibytes * 2 ^ 20, 0, seconds, 45) end
      assert.equal("20%, 20.0 of 100 MiB, 20.0 MiB/s, 0:04 left", at(1, 20)) -- into buffers
      for second = 2, 10 do at(second, 19 + second) end
      assert.equal("30%, 30.0 of 100 MiB, 1.00 MiB/s, 1:10 left", at(11, 30))
      bar.is_over = true
      assert.equal("100%, 100 of 100 MiB, 1.25 MiB/s, in 1:20", at(80, 100))
   end)
end)
