-- Unix sockets that a process has left, or has lost; and many clients that come at once.
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local terminal = require "spec.tools.terminal"

local sh, command, start_sink = terminal.sh, terminal.command, terminal.start_sink
local left_over = terminal.left_over

describe("lua-smtp sink", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   it("replaces a unix socket that a dead process left, and no other", function()
      local path = folder .. "/socket"
      local pipe, _, pid = start_sink("--socket " .. path)
      local said, status = sh(command("sink --count 1 --socket " .. path))
      assert.equal(69, status)
      assert.matches("another process listens", said)
      os.execute("kill -KILL " .. pid)
      pipe:close()
      assert.equal("socket\n", left_over())
      pipe = start_sink("--count 1 --socket " .. path)
      assert(safe.send { socket = path, from = "a@b.example", to = "c@d.example", raw = "x\r\n" })
      assert.matches("^%-%-%- from", pipe:read("*a"))
      pipe:close()
      os.execute("echo precious >" .. path)
      said, status = sh(command("sink --socket " .. path))
      assert.equal(69, status)
      assert.matches("is not a socket", said)
      os.execute(("mv %s %s/file; ln -s file %s"):format(path, folder, path))
      assert.equal(69, (select(2, sh(command("sink --socket " .. path)))))
      assert.equal("precious\n", (sh("cat " .. path)))
      os.execute(("rm %s %s/file"):format(path, folder))
   end)

   it("leaves the socket of a sink that took its place", function()
      local path = folder .. "/socket"
      local pipe, _, pid = start_sink("--socket " .. path)
      os.remove(path)
      local other, _, other_pid = start_sink("--socket " .. path)
      os.execute("kill " .. pid)
      pipe:read("*a")
      pipe:close()
      assert.equal("socket\n", left_over())
      os.execute("kill " .. other_pid)
      other:read("*a")
      other:close()
   end)
end)

describe("a socket that listens", function()
   it("lets more than a hundred clients wait to be accepted", function()
      local listener = assert(socket.listen("127.0.0.1", 0))
      local port, clients = select(2, listener:getsockname()), {}
      for i = 1, 120 do
         local client = socket.new()
         client:settimeouts(10000, 10000, 10000)
         assert.truthy(client:connect("127.0.0.1", port))
         clients[i] = client
      end
      for i = 1, #clients do
         assert.truthy(listener:accept(10000))
         clients[i]:close()
      end
      listener:close()
   end)
end)
