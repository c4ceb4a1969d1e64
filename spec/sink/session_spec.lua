-- What the sink answers to each command.
local safe = require "smtp.safe"
local sinks = require "spec.tools.sinks"

local script, send, login, play = sinks.script, sinks.send, sinks.login, sinks.play
local hello, default, everything, with = sinks.hello, sinks.default, sinks.everything, sinks.with

describe("the sink", function()
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

   it("offers AUTH after TLS only, and requires it where it is set to", function()
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

   it("traces with the number of the connection", function()
      local numbers = {}
      local sink = safe.sink { trace = function(_, line, number) numbers[number] = (numbers[number] or "") .. line end }
      assert(send(sink))
      assert(send(sink))
      assert.equal(numbers[1], (numbers[2]:gsub("queued as 2", "queued as 1")))
   end)

   it("traces without secrets", function()
      local lines = {}
      local sink = safe.sink { auth = { users = { ann = "sesame-sink" }, mechanisms = { "LOGIN" } },
         trace = function(_, line) lines[#lines + 1] = line end }
      send(sink, login)
      assert.is_nil(table.concat(lines, "\n"):find("c2VzYW1lLXNpbms", 1, true))
   end)
end)

describe("to the sink, a command", function()
   it("may have a blank after the colon, but not with strict", function()
      local messages = play({}, script([[
         <opening>
         C: MAIL FROM: <ann@me.example> SIZE=7
         S: 250
         C: rcpt to : <bob@there.example>
         S: 250
         C: RCPT  TO:<carol@there.example>
         S: 250
         C: DATA
         S: 354
         C: .
         S: 250
      ]], { opening = hello(default) }))
      assert.same({ "ann@me.example", { "bob@there.example", "carol@there.example" } }, { messages[1].from,
         messages[1].to })
      play({ strict = true }, script([[
         <opening>
         C: MAIL FROM: <>
         S: 501
         <mail>
         C: RCPT TO: <a@b>
         S: 501
         C: RCPT TO:<a@b>
         S: 250
      ]], { opening = hello(default) }))
   end)

   it("may be HELP", function()
      play({}, [[
         C: HELP
         S: 214 2.0.0
         C: help mail
         S: 214
      ]])
   end)

   it("may end in a bare LF, but not with strict", function()
      local messages = play({ auth = { users = { ann = "sesame-sink" } }, capabilities = {} }, [[
         C~ EHLO me.example\n
         S: 250-sink.example
         S: 250 AUTH
         C~ AUTH LOGIN\n
         S: 334
         C~ YW5u\n
         S: 334
         C~ c2VzYW1lLXNpbms=\n
         S: 235
         C~ MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\n
         S: 250
         S: 250
         S: 354
         C~ ..a\nb\r\n.c\n.\n
         S: 250
         C~ MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\n.\r\n
         S: 250
         S: 250
         S: 354
         S: 250
         C~ NOOP\n
         S: 250
      ]])
      assert.same({ ".a\nb\r\nc\n", "" }, { messages[1].data, messages[2].data })
      play({ strict = true }, [[
         C~ NOOP\nNOOP\r\n
         S: 500 5.5.2
         C: NOOP
         S: 250
      ]])
      play({}, [[
         C~ NO\rOP\n
         S: 500 5.5.2
      ]])
   end)

   it("of any length ends the connection", function()
      local _, client = play({}, script([[
         C: NOOP $repeated
         S: 500 5.5.2
         C: NOOP
      ]], { repeated = ("x"):rep(13000) }))
      assert.equal("closed", (select(2, client:receiveany(1))))
   end)
end)

describe("to the sink, DATA", function()
   it("is lines up to a lone dot, without the dots that were doubled", function()
      local messages = play({}, script([[
         <opening>
         <mail>
         <rcpt>
         C: DATA
         S: 354
         C: ..a
         C~ .\n.\r.\r\n
         C~ \r\n
         C: ...
         C: .
         S: 250 2.0.0
         <mail>
         <rcpt>
         C: DATA
         S: 354
         C: .
         S: 250
      ]], { opening = hello(default) }))
      assert.same({ ".a\r\n\n.\r.\r\n\r\n..\r\n", "" }, { messages[1].data, messages[2].data })
   end)

   it("without an envelope is out of order", function()
      with({}, script [[
         C: DATA
         S: 503
         <mail>
         C: DATA
         S: 503
         C: MAIL FROM:<>
         S: 503
         C: RSET
         S: 250
         C: RCPT TO:<a@b>
         S: 503
      ]])
   end)

   it("as BDAT takes many messages in one segment in linear time", function()
      local message = "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n%s"
      message = message:format("DATA\r\nhello\r\n.\r\n") .. message:format("BDAT 7 LAST\r\nhello\r\n")
      local function seconds(count)
         local sink = safe.sink { keep = 1 }
         local client = sink:transport()
         client:connect()
         local text = "EHLO x\r\n" .. message:rep(count)
         collectgarbage()
         local began = os.clock()
         client:send(text)
         local taken = os.clock() - began
         assert.equal(2 * count, sink.count)
         return taken
      end
      local few, many = math.huge, math.huge
      for _ = 1, 3 do few, many = math.min(few, seconds(200)), math.min(many, seconds(3200)) end
      assert(many < 64 * few, ("16 times as many messages took %.1f times as long"):format(many / few))
   end)
end)

describe("to the sink, BDAT", function()
   it("is octets, whatever they are, in chunks up to the last one", function()
      local messages = play({}, script([[
         <opening>
         <mail>
         <rcpt>
         C: BDAT 4
         C: .a
         S: 250 2.0.0 octets
         C: NOOP
         S: 250
         C: BDAT 5 last
         C~ .\r\n\r.
         S: 250 2.0.0 queued
         <mail>
         <rcpt>
         C: BDAT 0 LAST
         S: 250 2.0.0 queued
         <mail>
         <rcpt>
         C: BDAT 2
         C~ \n\r
         S: 250
         C: BDAT 0
         S: 250
         C: BDAT 0 LAST
         S: 250
      ]], { opening = hello(default) }))
      assert.same({ ".a\r\n.\r\n\r.", "", "\n\r" }, { messages[1].data, messages[2].data, messages[3].data })
   end)

   it("after refused recipients swallows its bytes: they are not commands", function()
      local messages = play({ faults = { rcpt = function(line)
         return line:find("nobody") and "550 5.1.1 who?" or nil
      end } }, script([[
         <opening>
         <mail>
         C: RCPT TO:<nobody@there.example>
         C: BDAT 44 LAST
         C: RSET
         C: MAIL FROM:<x@y>
         C: RCPT TO:<x@y>
         C: QUIT
         C: MAIL FROM:<ann@me.example>
         C: BDAT 3
         C~ abc
         C: RSET
         S: 550 5.1.1
         S: 503 5.5.1 MAIL
         S: 503 5.5.1 one at a time
         S: 503 5.5.1 MAIL
         S: 250 2.0.0
         <mail>
         <rcpt>
         C: BDAT 7 LAST
         C: hello
         S: 250 2.0.0
      ]], { opening = hello(default) }))
      assert.equal(1, #messages)
   end)

   it("that was refused is refused until RSET", function()
      local count = 0
      local messages = play({ faults = { data = function()
         count = count + 1
         return count % 3 == 1 and "452 4.3.1 full" or nil
      end } }, script([[
         <opening>
         <mail>
         <rcpt>
         C: BDAT 3
         C~ abc
         S: 452 4.3.1
         C: BDAT 3 LAST
         C~ abc
         S: 503
         C: DATA
         S: 503
      ]], { opening = hello(default) }))
      assert.equal(0, #messages)
   end)

   it("is not mixed with DATA and RCPT", function()
      with(everything, script [[
         <mail>
         <rcpt>
         C: BDAT 0
         S: 250
         C: DATA
         S: 503
         C: RCPT TO:<a@b.example>
         S: 503
         C: RSET
         S: 250
         C: MAIL FROM:<> BODY=BINARYMIME
         S: 250
         <rcpt>
         C: DATA
         S: 503
      ]])
   end)

   it("that is not offered is refused, its octets with it", function()
      with({}, script [[
         <mail>
         <rcpt>
         C: BDAT 6 LAST
         C: QUIT
         S: 502 5.5.1
         C: NOOP
         S: 250
      ]])
   end)

   it("of a length that cannot be read ends the connection", function()
      for _, text in ipairs { "BDAT", "BDAT x", "BDAT -1", "BDAT 6 LOST", "BDAT 6LAST x", "BDAT 9999999999999999" } do
         local _, client = with(everything, script([[
            <mail>
            <rcpt>
            C: $text
            S: 501 5.5.4
            C: NOOP
         ]], { text = text }))
         assert.equal("closed", (select(2, client:receiveany(1))))
      end
   end)
end)

describe("to the sink, LMTP", function()
   local lmtp = script([[
      <opening>
      <mail>
      <rcpt>
      C: RCPT TO:<carol@there.example>
      S: 250 2.1.5
      C: RCPT TO:<dave@there.example>
      S: 250 2.1.5
   ]], { opening = hello(default, "LHLO") })

   local function full(address)
      return address:find("carol") and "552 5.2.2 full" or nil
   end

   it("has a verdict for each recipient", function()
      local messages = play({ protocol = "lmtp", faults = { final = full } }, script([[
         <lmtp>
         C: DATA
         S: 354
         C: .
         S: 250 2.1.5 <bob@there.example> queued as 1
         S: 552 5.2.2 full
         S: 250 2.1.5 <dave@there.example> queued as 1
         <mail>
         <rcpt>
         C: BDAT 1
         C~ x
         S: 250 2.0.0
         C: BDAT 1 LAST
         C~ x
         S: 250 2.1.5 <bob@there.example>
      ]], { lmtp = lmtp }))
      assert.same({ "bob@there.example", "dave@there.example" }, messages[1].to)
      assert.equal(2, #messages)
   end)

   it("has none without recipients, and no HELO", function()
      play({ protocol = "lmtp" }, script([[
         C: EHLO me.example
         S: 500 5.5.1
         C: HELO me.example
         S: 500
         <opening>
         <mail>
         C: DATA
         S: 503 5.5.1
      ]], { opening = hello(default, "LHLO") }))
      play({}, [[
         C: LHLO me.example
         S: 500 5.5.1
      ]])
   end)

   it("says no more once it has hung up", function()
      local messages = play({ protocol = "lmtp", faults = { final = function(address)
         return address:find("carol") and "drop" or nil
      end } }, script([[
         <lmtp>
         C: DATA
         S: 354
         C: .
         S: 250 2.1.5 <bob@there.example>
      ]], { lmtp = lmtp }))
      assert.same({ "bob@there.example" }, messages[1].to)
   end)
end)
