local socket = require "smtp.socket"

describe("a connection", function()
   it("is not inherited by other programs", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(1000, 1000, 1000)
      sock:connect("127.0.0.1", port)
      local pipe = io.popen("ls -l /proc/self/fd")
      local open = pipe:read("*a")
      pipe:close()
      assert.is_nil(open:find("socket:", 1, true))
      listener:close()
   end)

   it("returns what it has heard, although a finalizer receives on another one meanwhile", function()
      local listener = assert(socket.listen("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local function pair()
         local sock = socket.new()
         sock:settimeouts(2000, 2000, 2000)
         assert(sock:connect("127.0.0.1", port))
         local other = assert(listener:accept(2000))
         other:settimeouts(2000, 2000, 2000)
         return sock, other
      end
      local a, to_a = pair()
      local b, to_b = pair()
      b:settimeouts(0, 0, 0)
      local function garbage()
         local proxy = rawget(_G, "newproxy")
         local object = proxy and proxy(true) or setmetatable({}, {})
         getmetatable(object).__gc = function() b:receiveany(50) end
         if not proxy then setmetatable(object, getmetatable(object)) end
      end
      for round = 1, 100 do
         local text = ("a%04d"):format(round):rep(2000)
         to_a:send(text)
         to_b:send(("b"):rep(10000))
         for at = 1, #text, 50 do
            for _ = 1, 3 do garbage() end
            assert.equal(text:sub(at, at + 49), a:receiveany(50))
         end
      end
      listener:close()
   end)

   it("can be closed twice, and is closed to all after that", function()
      local sock = socket.new()
      assert.is_true(sock:close())
      assert.is_true(sock:close())
      assert.equal("closed", (select(2, sock:receiveany(1))))
      assert.equal("closed", (select(2, sock:send("x"))))
   end)

   it("leaves the collector nothing but a descriptor to close", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(1000, 1000, 1000)
      sock:connect("127.0.0.1", port)
      local other = listener:accept(1000)
      other:settimeouts(1000, 1000, 1000)
      sock = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      local data, why = other:receiveany(10)
      assert.is_nil(data)
      assert.equal("closed", why)
      listener:close()
   end)
end)
