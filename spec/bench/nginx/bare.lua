--- The bare loop to compare with: a cosocket, prebuilt bytes, no pauses.

local bare = {}

local function answer(sock)
   local line
   repeat line = assert(sock:receive()) until line:sub(4, 4) == " "
   return line
end

function bare.open(port)
   local sock = ngx.socket.tcp()
   sock:settimeouts(60000, 60000, 60000)
   assert(sock:connect("127.0.0.1", port, { pool = "bare" }))
   answer(sock)
   sock:send("EHLO me.example\r\n")
   answer(sock)
   return sock
end

--- One message over an open connection, its envelope in one flight.
function bare.send(sock, text)
   sock:send("MAIL FROM:<a@b.example> SIZE=" .. #text .. "\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
   for _ = 1, 3 do answer(sock) end
   for at = 1, #text, 65536 do assert(sock:send(text:sub(at, at + 65535))) end
   assert(sock:send(".\r\n"))
   return answer(sock)
end

return bare
