-- A message of many MiB through an outbox: lua outbox_large.lua STORE MEBIBYTES. Prints how many bytes the server got,
-- and the most memory that this process had, in MiB.

local smtp = require "smtp.safe"

local store, size = arg[1], tonumber(arg[2]) * 1048576

-- A body of lines that nothing keeps.
local function body()
   local line = ("x"):rep(62) .. "\r\n"
   local piece, left = line:rep(768), size
   return function()
      if left <= 0 then return nil end
      local part = piece:sub(1, left)
      left = left - #part
      return part
   end
end

local got = 0

-- A server that counts the bytes of a message, and keeps none.
local function server()
   local said, tail = "220 relay.example\r\n", nil
   local function nothing() return true end
   local self = { connect = nothing, settimeouts = nothing, sslhandshake = nothing, close = nothing }
   function self.send(_, data)
      if tail then
         got, tail = got + #data, (tail .. data:sub(-5)):sub(-5)
         if tail == "\r\n.\r\n" then said, tail = "250 got it\r\n", nil end
         return #data
      end
      for line in data:gmatch "[^\r]+\r\n" do
         local is_data = line == "DATA\r\n"
         if is_data then tail = "" end
         said = said .. (is_data and "354 go\r\n" or "250 ok\r\n")
      end
      return #data
   end
   function self.receiveany()
      local text = said
      said = ""
      return text
   end
   return self
end

local box = assert(smtp.outbox { store = store, server = { host = "relay.example", tls = "skip", transport = server } })
assert(box:put({ envelope = { from = "ann@example.org", to = "bob@example.net" }, raw = body() }, { id = "large" }))
assert(box:run { once = true })
assert(box:get("large").state == "sent", box:stats().why)
assert(box:get("large").size == size)
box:close()

local most
for line in io.lines "/proc/self/status" do most = most or line:match "VmHWM:%s+(%d+)" end
print(("%d %d"):format(got, math.ceil(most / 1024)))
