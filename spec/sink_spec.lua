local safe = require "smtp.safe"

local function send(sink, more)
   local options = { transport = sink:transport(), tls = "skip", from = "ann@me.example",
      to = { "bob@there.example", "carol@there.example" }, raw = "Subject: x\r\n\r\n.dot\r\n",
      auth_plaintext = true }
   for key, value in pairs(more or {}) do options[key] = value end
   return safe.send(options)
end

local login = { username = "ann", password = "sesame-sink" }

describe("the sink", function()
   it("keeps what arrives", function()
      local sink = safe.sink {}
      assert(send(sink))
      assert.same({ { from = "ann@me.example", to = { "bob@there.example", "carol@there.example" },
         data = "Subject: x\r\n\r\n.dot\r\n", tls = false } }, sink.messages)
   end)

   it("keeps no more than it is told to", function()
      local seen = 0
      local sink = safe.sink { keep = 2, on_message = function() seen = seen + 1 end }
      for _ = 1, 5 do assert(send(sink)) end
      assert.same({ 2, 5 }, { #sink.messages, seen })
   end)

   for _, mechanism in ipairs { "PLAIN", "LOGIN" } do
      it("knows users by " .. mechanism, function()
         local sink = safe.sink { auth = { users = { ann = "sesame-sink" }, mechanisms = { mechanism } } }
         local receipt = assert(send(sink, login))
         assert.equal(mechanism, receipt.auth.mechanism)
         assert.equal("ann", sink.messages[1].authenticated)
         local _, err = send(sink, { username = "ann", password = "wrong" })
         assert.equal("auth_rejected", err.kind)
      end)
   end

   it("offers AUTH after TLS only, and wants it where told so", function()
      local sink = safe.sink { tls = "starttls", auth = { users = { ann = "sesame-sink" } },
         require_auth = true }
      local receipt = assert(send(sink, { tls = "require", tls_host = "x", username = "ann",
         password = "sesame-sink" }))
      assert.equal("on", receipt.tls.state)
      assert.is_true(sink.messages[1].tls)
      local _, err = send(sink, login)
      assert.equal("not_advertised", err.reason)
      _, err = send(sink)
      assert.equal("auth_required", err.kind)
   end)

   it("may offer AUTH in clear text", function()
      local sink = safe.sink { tls = "starttls", auth = { users = { ann = "sesame-sink" }, before_tls = true } }
      assert(send(sink, login))
   end)

   for stage, kind in pairs { connect = "greeting_refused", ehlo = "greeting_refused",
      mail = "sender_refused", rcpt = "recipients_refused", data = "data_refused",
      final = "data_refused" } do
      it("refuses on demand at " .. stage, function()
         local sink = safe.sink { faults = { [stage] = "550 5.7.1 no" } }
         local _, err = send(sink)
         assert.equal(kind, err.kind)
         assert.equal(0, #sink.messages)
      end)

      it("hangs up or says nothing on demand at " .. stage, function()
         local _, err = send(safe.sink { faults = { [stage] = "drop" } })
         assert.equal("disconnected", err.kind)
         _, err = send(safe.sink { faults = { [stage] = "silence" } })
         assert.equal("timeout", err.kind)
      end)
   end

   it("refuses single recipients by a function", function()
      local sink = safe.sink { faults = { rcpt = function(command)
         return command:find("bob") and "550 5.1.1 who?"
      end } }
      local receipt = assert(send(sink))
      assert.same({ "carol@there.example" }, receipt.accepted)
   end)

   it("checks its options", function()
      for _, bad in ipairs { { prot = 1 }, { port = "x" }, { tls = "yes" }, { auth = true },
         { tls_max_version = "1.1" } } do
         local _, err = safe.sink(bad)
         assert.equal("usage", err.kind)
      end
   end)

   it("traces without secrets", function()
      local lines = {}
      local sink = safe.sink { auth = { users = { ann = "sesame-sink" }, mechanisms = { "LOGIN" } },
         trace = function(_, line) lines[#lines + 1] = line end }
      send(sink, login)
      assert.is_nil(table.concat(lines, "\n"):find("c2VzYW1lLXNpbms", 1, true))
   end)
end)
