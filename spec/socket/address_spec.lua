-- Socket addresses as people write them.
local socket = require "smtp.socket"

local function listening_at(host)
   local listener, why = socket.listen(host, 0)
   if not listener then return nil, why end
   local address, port = listener:getsockname()
   listener:close()
   return address, port
end

describe("an address", function()
   it("of IPv4 is four numbers", function()
      assert.equal("127.0.0.1", (listening_at "127.0.0.1"))
      for _, bad in ipairs { "127.0.0", "127.0.0.256", "0x7f.0.0.1", "127.0.0.1 ", "", ("1"):rep(2000) } do
         assert.is_nil((listening_at(bad)))
      end
   end)

   it("of IPv6 may be in brackets", function()
      if not listening_at "::1" then return end -- a host without IPv6
      assert.equal("::1", (listening_at "::1"))
      assert.equal("::1", (listening_at "[::1]"))
      assert.equal("::1", (listening_at "0:0:0:0:0:0:0:1"))
      for _, bad in ipairs { "[::1", "::1]", "[127.0.0.1]", "::1%", "fe80::1%nowhere" } do
         assert.is_nil((listening_at(bad)))
      end
   end)

   it("of a unix socket is a path that fits", function()
      for _, path in ipairs { "", ("x"):rep(200) } do
         local listener, _, text = socket.listen("unix:" .. path)
         assert.is_nil(listener)
         assert.matches("the path of a unix socket has 1 to %d+ bytes, not " .. #path, text)
         local sock = socket.new()
         sock:settimeouts(1000, 1000, 1000)
         local ok, _, why = sock:connect("unix:" .. path)
         assert.is_nil(ok)
         assert.matches("the path of a unix socket", why)
      end
   end)

   it("is known on both ends of a connection", function()
      local listener = assert(socket.listen("127.0.0.1", 0))
      local _, port = listener:getsockname()
      local sock = socket.new()
      sock:settimeouts(2000, 2000, 2000)
      assert(sock:connect("127.0.0.1", port))
      local other = assert(listener:accept(2000))
      assert.same({ "127.0.0.1", port }, { sock:getpeername() })
      assert.same({ sock:getsockname() }, { other:getpeername() })
      listener:close()
   end)

   it("of an end without a path is empty", function()
      local name = os.tmpname()
      os.remove(name)
      local listener = assert(socket.listen("unix:" .. name))
      local sock = socket.new()
      sock:settimeouts(2000, 2000, 2000)
      assert(sock:connect("unix:" .. name))
      assert.equal(name, (sock:getpeername()))
      local other = assert(listener:accept(2000))
      assert.equal("", other:getpeername() or "")
      listener:close()
   end)
end)
