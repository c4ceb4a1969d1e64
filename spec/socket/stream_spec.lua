local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local greet_and, pair, send = sockets.greet_and, sockets.pair, sockets.send

describe("a socket that does not wait", function()
   it("sends what the kernel takes, and tells when there is something to read first", function()
      local sock, other = pair()
      sock:nonblocking(true)
      local data, sent = ("x"):rep(65536), 0
      local count, why, _, partly
      repeat
         count, why, _, partly = sock:send(data)
         sent = sent + (count or partly)
      until why
      assert.equal("again", why)
      assert.same({}, socket.wait({ sock }, 20))
      other:send("stop")
      assert.same({ 1 }, socket.wait({ sock }, 1000))
      -- The kernel may have found room for some more: poll() only tells of a third of it (tcp(7)).
      repeat
         count = assert(sock:send(data))
         sent = sent + count
      until count < #data
      assert.equal("stop", sock:receiveany(10))
      while sent > 0 do sent = sent - #other:receiveany(65536) end
      assert.equal(#data, sock:send(data))
   end)

   it("says at each further read that the peer has closed the connection", function()
      local sock, other = pair()
      sock:nonblocking(true)
      sock:settimeouts(60000, 60000, 60000)
      assert.equal(1, sock:send "x")
      assert.equal("x", other:receiveany(10))
      other:close()
      assert.equal("again", (select(2, sock:receiveany(10))))
      assert.same({ 1 }, socket.wait({ sock }, 60000))
      for _ = 1, 3 do assert.same({ nil, "closed", "" }, { sock:receiveany(10) }) end
   end)
end)

describe("many replies and a slow reader", function()
   -- With Nagle's algorithm, as most servers: our own sockets never have it.
   it("do not wait for each other's acknowledgement", function()
      local pipe = io.popen(("env -u LD_PRELOAD python3 -c '%s'"):format([[
import socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(1)
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
s.sendall(b"220 hi\r\n")
for line in s.makefile("rb"):
    for reply in {b"EHLO": (b"250-mx\r\n", b"250 PIPELINING\r\n"), b"DATA": (b"354 go\r\n",),
                  b"QUIT": (b"221 bye\r\n",), b"\r\n": ()}.get(line[:4], (b"250 ok\r\n",)):
        s.sendall(reply)
]]))
      local connection = assert(safe.connect { host = "127.0.0.1", port = tonumber(pipe:read("*l")), timeout = 10 })
      local to = {}
      for i = 1, 50 do to[i] = ("u%d@x.example"):format(i) end
      local quickest = math.huge -- of some, as other programs on the machine cost time as well
      for _ = 1, 20 do
         local started = core.now()
         assert(connection:send { from = "a@b.example", to = to, raw = "\r\n" })
         quickest = math.min(quickest, core.now() - started)
      end
      connection:quit()
      pipe:close()
      assert.truthy(quickest < 0.035, quickest) -- otherwise 40 ms for each message
   end)

   it("do not block each other: it reads while it writes", function()
      local other = peer.start(greet_and .. [[
         sock:send("250-mx\r\n250 PIPELINING\r\n")
         -- Answers each line at length, and does not read on before the answer is taken.
         local long = "250 " .. ("x"):rep(400) .. "\r\n"
         local count = 0
         while true do
            local text = line(sock)
            if text == "" then break end
            count = count + 1
            if text == "DATA\r\n" then
               sock:send("354 go\r\n")
               repeat text = line(sock) until text == ".\r\n" or text == ""
               sock:send("250 ok\r\n")
            elseif text == "QUIT\r\n" then
               sock:send("221 bye\r\n")
               break
            else
               local sent = 0
               while sent < #long do
                  local n = sock:send(long:sub(sent + 1))
                  if not n then os.exit() end
                  sent = sent + n
               end
            end
         end
         print(count)
      ]])
      local to = {}
      for i = 1, 5000 do to[i] = ("u%d@x.example"):format(i) end
      local receipt, err = send(other.port, { to = to, timeout = 30 })
      local saw = other.finish()
      assert(receipt, tostring(err) .. saw)
      assert.equal(5000, #receipt.accepted)
   end)

   it("that refuses in the middle of a message and hangs up is heard", function()
      local other = peer.start(greet_and .. [[
         sock:send("250 mx\r\n")
         for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         sock:receiveany(1000)
         sock:send("552 5.3.4 enough\r\n")
         sock:close()
      ]])
      local _, err = send(other.port, { raw = ("x"):rep(70):rep(1) .. ("\r\n" .. ("y"):rep(70)):rep(400000) })
      other.finish()
      assert.equal("message_too_large", err.kind, tostring(err))
      assert.equal(552, err.code)
      assert.equal("refused", err.recipients[1].state)
   end)
end)
