-- LuaSocket, with TCP_NODELAY: as its manual has it, it sends 23 messages a second, because each
-- waits for a delayed acknowledgement. luasocket.lua WORKLOAD PORT COUNT FILE
local ltn12, mime, smtp, socket = require "ltn12", require "mime", require "socket.smtp", require "socket"

local name, port, count, path = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4]
local FROM, TO = "<ann@me.example>", "<bob@there.example>"

local function attachment()
   return smtp.message {
      headers = { from = FROM, to = TO, subject = "see the file" },
      body = {
         { body = "see the file" },
         { headers = { ["content-type"] = "application/octet-stream",
              ["content-transfer-encoding"] = "BASE64" },
           body = ltn12.source.chain(ltn12.source.file(io.open(path, "rb")),
              ltn12.filter.chain(mime.encode "base64", mime.wrap())) } } }
end

local function text()
   if name == "attach" then return attachment() end
   if name == "dots" then return ltn12.source.file(io.open(path, "rb")) end
   local file = assert(io.open(path, "rb"))
   local whole = file:read("*a")
   file:close()
   text = function() return ltn12.source.string(whole) end
   return text()
end

local function create()
   local sock = socket.tcp4()
   sock:setoption("tcp-nodelay", true)
   return sock
end

if name == "new" then
   for _ = 1, count do
      assert(smtp.send { from = FROM, rcpt = TO, source = text(), server = "127.0.0.1", port = port,
         create = create })
   end
   return
end

local connection = smtp.open("127.0.0.1", port, create)
local ext = connection:auth(nil, nil, connection:greet("me.example"))
assert(not ext or true)
if name == "rcpts" then
   local to = {}
   for i = 1, count do to[i] = ("<bob%d@there.example>"):format(i) end
   connection:send { from = FROM, rcpt = to, source = text() }
else
   for _ = 1, count do connection:send { from = FROM, rcpt = TO, source = text() } end
end
connection:quit()
connection:close()
