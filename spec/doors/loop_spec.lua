local errors = require "smtp.errors"
local loop = require "smtp.loop"
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"

local function send(port, value)
   return safe.send { host = "127.0.0.1", port = port, tls = "skip", from = "a@b.example", to = "c@d.example",
      raw = "x\r\n", loop = value }
end

describe("smtp.loop.use", function()
   after_each(function() loop.use(false) end)

   it("sets the loop of calls that name none, from the next call on", function()
      local own = poll_loop.new()
      local other = peer.start [[
         for i = 1, 3 do
            local sock = accept()
            sock:send "554 no\r\n"
            line(sock)
            sock:close()
         end
      ]]
      send(other.port)
      loop.use(own)
      own.run { function() send(other.port) end }
      assert.truthy(own.waits > 0)
      local waits = own.waits
      assert.equal("greeting_refused", select(2, send(other.port, false)).kind)
      other.finish()
      assert.equal(waits, own.waits)
   end)

   it("leaves calls over a transport of the caller's as they are", function()
      local sink = require("smtp.sink").new {}
      loop.use { wait = error, sleep = error, check = function() return "Call it elsewhere" end }
      local server = { transport = function() return sink:transport() end, tls = "skip" }
      local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
      local summary = assert(safe.send_many(server, { message, message }))
      assert.equal(2, summary.sent)
      local connection = assert(safe.connect(server))
      assert(connection:send(message))
   end)

   it("raises an error for what is not a loop", function()
      for _, value in ipairs { "cqeues", 1, { wait = print } } do
         local ok, err = pcall(loop.use, value)
         assert.is_false(ok)
         assert(errors.is(err, "usage"))
         assert.equal("loop", err.option)
      end
   end)
end)
