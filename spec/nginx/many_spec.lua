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

   it("gives a message to more recipients than the server takes at once", function()
      local to = {}
      for i = 1, 150 do to[i] = ("n%d@d.example"):format(i) end
      local message = { from = "a@b.example", to = to, raw = "hello\r\n" }
      for _, errors_max in ipairs { 3, 1000 } do
         for _, many in ipairs { false, true } do
            local mx = server.start { caps = { "PIPELINING" }, rcpt_limit = 60, rcpt_errors = errors_max }
            local options = { host = "127.0.0.1", port = mx.port, tls = "skip", domain = "me.example" }
            local receipt, err
            if many then
               receipt = safe.send_many(options, { message }).results[1]
            else
               for name, value in pairs(message) do options[name] = value end
               receipt, err = safe.send(options)
            end
            local connections, accepted = mx:count("open"), mx:count("message")
            mx:stop()
            assert(receipt and receipt.accepted, tostring(err or receipt))
            assert.same(to, receipt.accepted)
            assert.same({ errors_max == 3 and 2 or 1, 3 }, { connections, accepted })
         end
      end
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
