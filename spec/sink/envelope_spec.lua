local safe = require "smtp.safe"
local sinks = require "spec.tools.sinks"

local script, play, hello, default = sinks.script, sinks.play, sinks.hello, sinks.default
local everything, with = sinks.everything, sinks.with

describe("to the sink, an envelope", function()
   it("may ask what EHLO offered, and the message has it", function()
      local messages = with(everything, [[
         C~ MAIL FROM:<ann@me.example> SIZE=7 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=a+3Db REQUIRETLS
         C:  BY=60;RT HOLDFOR=5 MT-PRIORITY=-3
         S: 250 2.1.0
         C: RCPT TO:<"b>\"ob"@there.example> NOTIFY=Failure,DELAY ORCPT=rfc822;b<o>b@there.example
         S: 250 2.1.5
         C: RCPT TO:<carol@there.example> NOTIFY=NEVER
         S: 250 2.1.5
         C: BDAT 7 LAST
         C: hello
         S: 250 2.0.0
      ]])
      assert.same({ SIZE = "7", BODY = "8bitmime", SMTPUTF8 = "", RET = "HDRS", ENVID = "a+3Db", REQUIRETLS = "",
         BY = "60;RT", HOLDFOR = "5", ["MT-PRIORITY"] = "-3" }, messages[1].parameters)
      assert.same({ { address = '"b>\\"ob"@there.example', parameters = { NOTIFY = "Failure,DELAY",
         ORCPT = "rfc822;b<o>b@there.example" } }, { address = "carol@there.example", parameters = {
         NOTIFY = "NEVER" } } }, messages[1].recipients)
      assert.same({ '"b>\\"ob"@there.example', "carol@there.example" }, messages[1].to)
   end)

   it("may ask nothing else", function()
      for _, parameter in ipairs { "SIZE=1", "BODY=8BITMIME", "SMTPUTF8", "RET=FULL", "ENVID=x", "REQUIRETLS", "BY=1;R",
         "HOLDFOR=1", "MT-PRIORITY=1", "AUTH=<>", "X" } do
         with({}, script([[
            C: MAIL FROM:<> $parameter
            S: 555 5.5.4 not offered
         ]], { parameter = parameter }))
         play({}, script([[
            C: HELO me.example
            S: 250 sink.example
            C: MAIL FROM:<> $parameter
            S: 555 5.5.4
         ]], { parameter = parameter }))
      end
      for _, parameter in ipairs { "NOTIFY=NEVER", "ORCPT=rfc822;x", "RET=FULL" } do
         with({}, script([[
            <mail>
            C: RCPT TO:<a@b.example> $parameter
            S: 555 5.5.4
         ]], { parameter = parameter }))
      end
   end)

   it("must ask as the RFCs say", function()
      for _, text in ipairs { "SIZE", "SIZE=", "SIZE=x", "SIZE=1 size=1", "BODY=x", "SMTPUTF8=", "SMTPUTF8=1", "RET=x",
         "ENVID=", "ENVID=a=b", "ENVID=+4", "ENVID=" .. ("x"):rep(101), "REQUIRETLS=1", "BY=60", "BY=60;X", "HOLDFOR=0",
         "HOLDFOR=1 HOLDUNTIL=2029-01-01T00:00:00Z", "HOLDUNTIL=2029", "MT-PRIORITY=10", "MT-PRIORITY=-0" } do
         with(everything, script([[
            C: MAIL FROM:<> $text
            S: 501 5.5.4
         ]], { text = text }))
      end
      for _, text in ipairs { "NOTIFY", "NOTIFY=", "NOTIFY=x", "NOTIFY=NEVER,DELAY", "NOTIFY=DELAY,", "ORCPT=x",
         "ORCPT=rfc822;", "ORCPT=rfc822;a=b" } do
         with(everything, script([[
            <mail>
            C: RCPT TO:<a@b.example> $text
            S: 501 5.5.4
         ]], { text = text }))
      end
      play({}, script([[
         <opening>
         C: MAIL FROM:<>SIZE=1
         S: 501
         C: MAIL FROM:<> BODY=BINARYMIME
         S: 501
         <mail>
         C: RCPT TO:<>
         S: 501
         C: RCPT TO:<a
         S: 501
      ]], { opening = hello(default) }))
   end)

   it("requires SMTPUTF8 for an address that is not ASCII", function()
      play({}, script([[
         <opening>
         C: MAIL FROM:<pelé@me.example>
         S: 553 5.6.7
         C: MAIL FROM:<>
         S: 250
         C: RCPT TO:<pelé@there.example>
         S: 553 5.6.7
         C: RSET
         S: 250
         C: MAIL FROM:<pelé@me.example> SMTPUTF8
         S: 250
         C: RCPT TO:<pelé@there.example>
         S: 250
      ]], { opening = hello(default) }))
   end)

   it("may not tell a size that is too large, nor may the message have it", function()
      with({ "SIZE 9", "CHUNKING" }, script [[
         C: MAIL FROM:<> SIZE=10
         S: 552 5.3.4
         <mail>
         <rcpt>
         C: DATA
         S: 354
         C: 12345678
         C: .
         S: 552 5.3.4
         <mail>
         <rcpt>
         C: BDAT 5
         C: abc
         S: 250
         C: BDAT 5 LAST
         C: abc
         S: 552 5.3.4
         <mail>
         <rcpt>
         C: DATA
         S: 354
         C: 1234567
         C: .
         S: 250
      ]])
      with({ "SIZE 0" }, [[
         C: MAIL FROM:<> SIZE=99999999999
         S: 250
      ]])
   end)

   it("may have as many recipients as LIMITS says", function()
      local messages = with(everything, script [[
         <mail>
         <rcpt>
         <rcpt>
         C: RCPT TO:<carol@there.example>
         S: 452 4.5.3
         C: DATA
         S: 354
         C: .
         S: 250
      ]])
      assert.same({ "bob@there.example", "bob@there.example" }, messages[1].to)
   end)

   it("has no AUTH within", function()
      play({ auth = { users = { ann = "sesame-sink" } }, capabilities = {} }, script([[
         <opening>
         C: MAIL FROM:<> AUTH=ann
         S: 250
         C: AUTH LOGIN
         S: 503 5.5.1
      ]], { opening = hello { "AUTH PLAIN LOGIN" } }))
   end)

   it("takes 10,000 recipients of a message at most", function()
      local client = safe.sink({}):transport()
      client:connect()
      client:send("EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
      client:send(("RCPT TO:<c@d.example>\r\n"):rep(10001))
      local said = ""
      repeat
         local more = client:receiveany(65536)
         said = said .. (more or "")
      until not more or more == ""
      assert.equal(10000, select(2, said:gsub("250 2%.1%.5", "")))
      assert.matches("\r\n452 4%.5%.3 [^\r]*\r\n$", said)
   end)
end)
