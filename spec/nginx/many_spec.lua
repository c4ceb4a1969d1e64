-- Many messages: a connection is a light thread.
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local function messages(count)
   local list = {}
   for i = 1, count do
      list[i] = { from = "a@b.example", to = ("n%d@d.example"):format(i), raw = "Subject: x\r\n\r\nhello\r\n" }
   end
   return list
end

describe("send_many in nginx", function()
   it("sends over several connections at once, and keeps the order of results", function()
      local mx = server.start { caps = { "PIPELINING" } }
      local list = messages(30)
      list[8].to = "nobody"
      local summary = assert(safe.send_many({ host = "127.0.0.1", port = mx.port, tls = "skip" }, list,
         { connections = 3, per_connection = 5 }))
      local seen = mx:count("RCPT TO")
      mx:stop()
      assert.equal(29, summary.sent)
      assert.equal(29, seen)
      assert.equal("address", summary.results[8].kind)
      assert.equal("n30@d.example", summary.results[30].accepted[1])
   end)

   it("lets an iterator and on_result wait as nginx waits", function()
      local mx = server.start { caps = { "PIPELINING" } }
      local i, told = 0, 0
      local summary = assert(safe.send_many({ host = "127.0.0.1", port = mx.port, tls = "skip" }, function()
         ngx.sleep(0.001)
         i = i + 1
         return messages(10)[i]
      end, { on_result = function()
         ngx.sleep(0.001)
         told = told + 1
      end }))
      mx:stop()
      assert.equal(10, summary.sent)
      assert.equal(10, told)
      assert.same({}, summary.results)
   end)
end)
