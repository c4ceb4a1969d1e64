-- An attachment of a gibibyte passes through without ever being in memory.
local peer = require "spec.tools.peer"

-- A server that takes anything and keeps nothing. Prints how many octets the message had.
local server = [[
local sock = accept()
sock:settimeouts(60000, 60000, 60000)
sock:send("220 hi\r\n")
local tail, total, inside = "", 0, false
while true do
   local data = sock:receiveany(65536)
   if not data then break end
   if inside then
      total = total + #data
      tail = (tail .. data):sub(-5)
      if tail == "\r\n.\r\n" then
         inside = false
         print(total)
         sock:send("250 ok\r\n")
      end
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
]]

local client = [[
local safe = require "smtp.safe"
local receipt, err = safe.send { host = "127.0.0.1", port = %d, pipelining = "off", timeout = 300,
   from = "ann@me.example", to = "bob@there.example", subject = "large", text = "see the file",
   message_id = "<1@me.example>", attachments = { path = %q } }
assert(receipt, tostring(err))
print(receipt.size)
for line in io.lines "/proc/self/status" do
   if line:find "^VmHWM" then print((line:match "%%d+")) end
end
]]

local GIBIBYTE = 1073741824

local function run(text)
   local name = os.tmpname()
   local file = assert(io.open(name, "w"))
   file:write(text)
   file:close()
   local pipe = io.popen(("%s %s 2>&1"):format(peer.interpreter, name))
   local said = pipe:read("*a")
   pipe:close()
   os.remove(name)
   return said
end

describe("a gibibyte from a file", function()
   it("arrives whole, in 24 MiB of memory", function()
      local path = os.tmpname()
      assert(os.execute(("truncate -s %d %s"):format(GIBIBYTE, path)))
      local other = peer.start(server)
      local said = run(client:format(other.port, path))
      os.remove(path)
      local size, peak = said:match("^(%d+)\n(%d+)\n$")
      assert(size, said)
      assert.equal(tonumber(size) + 3, tonumber(other.finish():match("%d+")))
      assert.truthy(tonumber(size) > GIBIBYTE * 4 / 3)
      assert(tonumber(peak) <= 24 * 1024, peak .. " KiB at its peak")
   end)
end)
