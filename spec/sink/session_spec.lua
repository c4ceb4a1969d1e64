-- The sink, as smtp.send sees it, and as any client does: in transcripts, each line of the sink's by its
-- beginning. They are played line by line, byte by byte, and with all that the client says at once.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   mail = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 2.1.0
   ]],
   rcpt = [[
      C: RCPT TO:<bob@there.example>
      S: 250 2.1.5
   ]],
}

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
         data = "Subject: x\r\n\r\n.dot\r\n", tls = false, parameters = { SIZE = "20" }, recipients = {
            { address = "bob@there.example", parameters = {} },
            { address = "carol@there.example", parameters = {} } } } }, sink.messages)
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
         { tls_max_version = "1.1" }, { protocol = "esmtp" }, { socket = "/tmp/x", port = 25 } } do
         local _, err = safe.sink(bad)
         assert.equal("usage", err.kind)
      end
   end)

   -- An option that has no effect would let a test pass for the wrong reason.
   for option, case in pairs {
      protcol = { { protcol = "lmtp" }, "protocol" }, fault = { { fault = {} }, "faults" },
      ["faults.rctp"] = { { faults = { rctp = "550 no" } }, "rcpt" },
      ["faults.lhlo"] = { { faults = { lhlo = "550 no" } }, "ehlo" },
      ["faults.Data"] = { { faults = { Data = "550 no" } }, "data" },
      ["faults.mail"] = { { faults = { mail = "dorp" } }, 'Did you mean "drop"' },
      auth = { { auth = { user = { ann = "x" }, users = {} } }, "users" },
      tls = { { tls = "starttsl" }, "starttls" }, host = { { host = "mail.example.org" }, "127.0.0.1" },
      port = { { port = 25.5 }, "65535" }, keep = { { keep = -1 }, "messages" }, strict = { { strict = 1 }, "boolean" },
      on_message = { { on_message = true }, "function" }, domain = { { domain = "a b" }, "sink.example" },
      socket = { { socket = "" }, "bytes" }, require_auth = { { require_auth = true }, "users" },
      tls_key = { { tls_key = "x" }, "tls_cert" }, capabilities = { { capabilities = { [2] = "DSN" } }, "hole" },
      ["capabilities[1]"] = { { capabilities = { "STARTTLS" } }, 'tls = "starttls"' },
      ["capabilities[2]"] = { { capabilities = { "SIZE 1", "AUTH PLAIN" } }, "users" },
      ["capabilities[3]"] = { { capabilities = { "DSN", "X", "SIZE many" } }, "SIZE 1000000" },
      ["capabilities[4]"] = { { capabilities = { "DSN", "X", "Y", "Z\r\n250 A" } }, "keyword" } } do
      it("has no use for a wrong " .. option, function()
         local sink, err = safe.sink(case[1])
         assert.is_nil(sink)
         assert.equal("usage", err.kind)
         assert.equal(option, err.option)
         assert(tostring(err):find(case[2], 1, true), tostring(err))
      end)
   end

   it("takes no reply that is not valid", function()
      for _, bad in ipairs { "", "no", "55 no", "5500 no", "650 no", "150 no", "550no", "550-no", "550 a\n550 b",
         "550-a\n551 b", "550-a\n550-b", "550 no\r\n", "550 \27[2J", "550-a\n", 550, true, {} } do
         local _, err = safe.sink { faults = { rcpt = bad } }
         assert.equal("usage", err and err.kind, tostring(bad))
         assert.equal("faults.rcpt", err.option)
         local sink = safe.sink { faults = { rcpt = function() return bad end } }
         local receipt
         receipt, err = send(sink)
         assert.is_nil(receipt)
         assert.same({ "source", "faults.rcpt" }, { err.kind, err.cause.option })
      end
      for _, good in ipairs { "550 5.7.1 no", "550", "421 bye", "550-5.7.1 a\n550 5.7.1 b", "571 no", "drop",
         "silence", false } do
         assert(safe.sink { faults = { rcpt = good } })
      end
   end)

   it("offers STARTTLS and AUTH in its capabilities where it can do them, once", function()
      for _, options in ipairs { { faults = { starttls = "454 4.7.0 not now" } }, { tls = "starttls" } } do
         options.capabilities = { "starttls", "DSN" }
         local client = safe.sink(options):transport()
         client:connect()
         client:send("EHLO x\r\n")
         local _, count = client:receiveany(65536):upper():gsub("STARTTLS", "")
         assert.equal(1, count)
      end
      assert(safe.sink { capabilities = { "AUTH PLAIN" }, faults = { auth = "454 4.7.0 not now" } })
      assert(safe.sink { port = "0", keep = "5" })
   end)

   it("says what is wrong where it is to serve", function()
      local sink = safe.sink()
      for option, value in pairs { conections = 1, connections = 0, timeout = -1 } do
         local count, err = sink:serve { [option] = value }
         assert.is_nil(count)
         assert.equal("usage", err.kind)
         assert.equal(option, err.option)
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

-- ---- transcripts ----

-- "C: " is a line of the client's; "C~ " goes without its end, and knows \r and \n.
-- -> a list of { what the client says, the beginnings of the answer's lines }
local function parse(transcript)
   local turns, answered = {}, true
   for line in transcript:gmatch("%S[^\n]*") do
      local mark, text = line:match("^([CS][:~]) ?(.*)$")
      if mark ~= "S:" and answered then turns[#turns + 1] = { "", {} } end
      local turn = turns[#turns]
      answered = mark == "S:"
      if answered then
         turn[2][#turn[2] + 1] = text
      elseif mark == "C:" then
         turn[1] = turn[1] .. text .. "\r\n"
      else
         turn[1] = turn[1] .. text:gsub("\\(.)", { r = "\r", n = "\n" })
      end
   end
   return turns
end

local function hear(client)
   local heard = ""
   repeat
      local data = client:receiveany(65536)
      heard = heard .. (data or "")
   until not data
   return heard
end

local function compare(turns, heard)
   local next_line = heard:gmatch("([^\r\n]+)\r\n")
   for _, turn in ipairs(turns) do
      for _, wanted in ipairs(turn[2]) do
         local got = next_line() or "nothing"
         assert(got:sub(1, #wanted) == wanted, ("%s-> %s\ninstead of %s"):format(turn[1], got, wanted))
      end
   end
   assert.is_nil(next_line())
end

local say = {}

function say.turns(client, turns)
   for _, turn in ipairs(turns) do
      client:send(turn[1])
      compare({ turn }, hear(client))
   end
end

function say.bytes(client, turns)
   for _, turn in ipairs(turns) do
      for i = 1, #turn[1] do client:send(turn[1]:sub(i, i)) end
   end
   compare(turns, hear(client))
end

function say.all(client, turns)
   local text = ""
   for _, turn in ipairs(turns) do text = text .. turn[1] end
   client:send(text)
   compare(turns, hear(client))
end

-- -> the messages, the client's end
local function play(options, transcript)
   local first, client
   for _, way in ipairs { "turns", "bytes", "all" } do
      local sink = assert(safe.sink(options))
      client = sink:transport()
      client:connect()
      assert.truthy(hear(client):find("^220 "))
      say[way](client, parse(transcript))
      first = first or sink.messages
      assert.same(first, sink.messages)
   end
   return first, client
end

-- EHLO, and these capabilities.
local function hello(list, verb)
   local text = script([[
      C: $verb me.example
      S: 250${list}sink.example
   ]], { verb = verb or "EHLO", list = #list == 0 and " " or "-" })
   for i, line in ipairs(list) do text = text .. "S: 250" .. (i < #list and "-" or " ") .. line .. "\n" end
   return text
end

local default = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING", "DSN" }
local everything = { "SIZE 1000", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN", "REQUIRETLS", "DELIVERBY",
   "FUTURERELEASE 3600 2030-01-01T00:00:00Z", "MT-PRIORITY", "LIMITS MAILMAX=9 RCPTMAX=2" }

-- To a sink that offers these.
local function with(list, transcript)
   return play({ capabilities = list }, hello(list) .. transcript)
end

describe("to the sink, an envelope", function()
   it("may ask what EHLO offered, and the message tells", function()
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

   it("wants SMTPUTF8 for an address that is not ASCII", function()
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

describe("to the sink, a message beyond its limit", function()
   local body = ("x"):rep(98) .. "\r\n"

   -- -> what the sink said, how many KiB it had at most
   local function feed(options, before, count, after)
      local sink = assert(safe.sink(options))
      local client = sink:transport()
      client:connect()
      client:send(before)
      local piece = body:rep(600)
      collectgarbage()
      local base, most = collectgarbage("count"), 0
      for _ = 1, count do
         client:send(piece)
         if collectgarbage("count") - base > 5000 then collectgarbage() end
         most = math.max(most, collectgarbage("count") - base)
      end
      client:send(after)
      return hear(client), most, sink
   end

   local hello_line = "%s me.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@b.example>\r\n"
   local small = "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nhello\r\n.\r\nNOOP\r\n"

   for _, verb in ipairs { "EHLO", "HELO", "LHLO" } do
      it("is read but not kept, by DATA after " .. verb, function()
         local said, most, sink = feed({ capabilities = { "SIZE 1000000" },
            protocol = verb == "LHLO" and "lmtp" or nil }, hello_line:format(verb) .. "DATA\r\n", 250,
            "\r\n.\r\n" .. small)
         local _, count = said:gsub("552 5.3.4", "")
         assert.equal(verb == "LHLO" and 2 or 1, count)
         local line = "[^\n]*\n"
         assert.matches("552 5.3.4" .. line .. "250 2.0.0 ok\r\n250 " .. line .. "250 " .. line .. "354 " .. line
            .. "250 2" .. line .. "250 2.0.0 ok\r\n$", said)
         assert.same({ 1, "hello\r\n" }, { #sink.messages, sink.messages[1].data })
         assert(most < 9000, most .. " KiB")
      end)
   end

   it("is read but not kept, by BDAT in one chunk and in many", function()
      local said, most, sink = feed({ capabilities = { "SIZE 1000000", "CHUNKING" } }, hello_line:format("EHLO")
         .. "BDAT 15000000 LAST\r\n", 250, small)
      assert.matches("552 5.3.4[^\n]*\n250 2.0.0 ok\r\n", said)
      assert.equal(1, #sink.messages)
      assert(most < 9000, most .. " KiB")
      said = feed({ capabilities = { "SIZE 1000000", "CHUNKING" } },
         hello_line:format("EHLO") .. "BDAT 1200000\r\n", 20, "BDAT 6 LAST\r\nQUIT\r\n" .. small)
      assert.matches("552 5.3.4[^\n]*\n503 [^\n]*\n250 2.0.0 ok\r\n", said)
   end)

   it("is just within it where its dots are not counted", function()
      local text = (".\r\n"):rep(300)
      local client = safe.sink { capabilities = { "SIZE " .. #text } }:transport()
      client:connect()
      client:send("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
      local sent = text:gsub("%.", "..") .. ".\r\n"
      for at = 1, #sent, 7 do client:send(sent:sub(at, at + 6)) end
      assert.matches("354 [^\n]*\n250 2.0.0 queued", hear(client))
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

   it("behind refused recipients swallows its octets: they are no commands", function()
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
      <this_rcpt>
      <this_rcpt2>
   ]], {
      opening = hello(default, "LHLO"), this_rcpt = script.rcpt:gsub("bob", "carol"),
      this_rcpt2 = script.rcpt:gsub("bob", "dave"),
   })

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

describe("the sink", function()
   it("without a descriptor left goes on when somebody leaves", function()
      local pipe = io.popen(("ulimit -n 14; exec %s csrc/lua-smtp sink --count 30 2>&1"):format(peer.interpreter))
      local port = tonumber(pipe:read("*l"):match("%d+$"))
      local list = {}
      for i = 1, 30 do list[i] = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" } end
      local summary = safe.send_many({ host = "127.0.0.1", port = port, timeout = 20 }, list,
         { connections = 30, per_connection = 1 })
      pipe:read("*a")
      pipe:close()
      assert.equal(30, summary.sent)
   end)
end)

-- ---- by smtp.send ----

local function pieces(count, piece)
   return function()
      count = count - 1
      return count >= 0 and piece or nil
   end
end

local states = require("spec.tools.talk").states

describe("smtp.send to the sink", function()
   it("by BDAT in chunks is what it is by DATA", function()
      local sink = safe.sink()
      for _, word in ipairs { "require", "skip" } do
         assert(send(sink, { raw = pieces(30, (".%s\r\n"):format(("x"):rep(97)):rep(100)),
            extensions = { chunking = word } }))
      end
      assert.equal(300000, #sink.messages[1].data)
      assert(sink.messages[1].data == sink.messages[2].data)
   end)

   it("asks extensions for what they can do", function()
      local sink = safe.sink { capabilities = everything }
      local receipt = assert(send(sink, { dsn = { notify = { "failure", "delay" }, ret = "hdrs", envid = "a=b c" },
         deliver_by = { seconds = 60, trace = true }, hold_until = "2029-12-31T23:59:59Z", mt_priority = -9,
         envelope = { from = "pelé@me.example", to = { { address = "bob@there.example", notify = "never",
            orcpt = "pelé@there.example" }, "carol@there.example" } } }))
      assert.equal("accepted accepted", states(receipt))
      assert.same({ SIZE = "20", SMTPUTF8 = "", RET = "HDRS", ENVID = "a+3Db+20c", BY = "60;RT",
         HOLDUNTIL = "2029-12-31T23:59:59Z", ["MT-PRIORITY"] = "-9" }, sink.messages[1].parameters)
      assert.same({ { address = "bob@there.example", parameters = { NOTIFY = "NEVER",
         ORCPT = "utf-8;pel\\x{E9}@there.example" } }, { address = "carol@there.example", parameters = {
         NOTIFY = "FAILURE,DELAY" } } }, sink.messages[1].recipients)
   end)

   it("splits the recipients where LIMITS says so, and where it is silent", function()
      local count = 0
      for _, options in ipairs { { capabilities = { "LIMITS RCPTMAX=2" } }, { capabilities = {},
         faults = { rcpt = function()
            count = count + 1
            return count == 3 and "452 4.5.3 too many" or nil
         end } } } do
         local sink = safe.sink(options)
         local receipt = assert(send(sink, { to = { "a@x.example", "b@x.example", "c@x.example" } }))
         assert.equal("accepted accepted accepted", states(receipt))
         assert.same({ { "a@x.example", "b@x.example" }, { "c@x.example" } },
            { sink.messages[1].to, sink.messages[2].to })
      end
   end)

   it("by LMTP has a verdict for each recipient", function()
      for _, word in ipairs { "require", "skip" } do
         local sink = safe.sink { protocol = "lmtp", faults = { final = function(address)
            return address:find("bob") and "452 4.2.2 full" or nil
         end } }
         local receipt = assert(send(sink, { protocol = "lmtp", extensions = { chunking = word } }))
         assert.equal("deferred accepted", states(receipt))
         assert.same({ "carol@there.example" }, sink.messages[1].to)
      end
   end)

   it("through a unix socket goes by the command as well", function()
      local path = os.tmpname()
      os.remove(path)
      local pipe = io.popen(("%s csrc/lua-smtp sink --lmtp --socket %s --count 1 2>&1"):format(peer.interpreter, path))
      assert.equal("listening on " .. path, pipe:read("*l"))
      local receipt, err = safe.send { url = "lmtp+unix:" .. path, from = "ann@me.example", to = "bob@there.example",
         text = "hello" }
      local arrived = pipe:read("*a")
      pipe:close()
      assert(receipt, tostring(err))
      assert.truthy(arrived:find("--- from <ann@me.example> to <bob@there.example>, in clear text", 1, true))
      assert.is_nil(io.open(path))
   end)
end)

describe("many messages to the sink", function()
   for _, grade in ipairs { "safe", "eager", "off" } do
      for _, word in ipairs { "prefer", "skip" } do
         it(("have each its own outcome, pipelining = %s, chunking = %s"):format(grade, word), function()
            local sink = safe.sink { faults = {
               mail = function(line) return line:find("eve@") and "550 5.7.1 no" or nil end,
               rcpt = function(line) return line:find("nobody@") and "550 5.1.1 who?" or nil end } }
            local list, wanted = {}, {}
            for i = 1, 40 do
               list[i] = { from = "ann@me.example", to = "bob@there.example", raw = "message " .. i }
               wanted[i] = "message " .. i .. "\r\n"
            end
            list[17].from, list[29].to = "eve@me.example", "nobody@there.example"
            table.remove(wanted, 29)
            table.remove(wanted, 17)
            local summary = assert(safe.send_many({ transport = function() return sink:transport() end, tls = "skip",
               pipelining = grade, extensions = { chunking = word } }, list, { connections = 1 }))
            assert.same({ 38, 2 }, { summary.sent, summary.failed })
            assert.same({ "sender_refused", "recipients_refused" },
               { summary.results[17].kind, summary.results[29].kind })
            for i, one in ipairs(sink.messages) do assert.equal(wanted[i], one.data) end
            assert.equal(#wanted, #sink.messages)
         end)
      end
   end
end)

describe("a sink that listens", function()
   -- One that takes so many octets at a time, and has all that it wants to say ready.
   local function client(text, room)
      local function nothing() end
      local self = { heard = "", settimeouts = nothing, close = nothing, nonblocking = nothing }
      function self.send(_, bytes)
         local count = math.min(#bytes, room)
         self.heard = self.heard .. bytes:sub(1, count)
         return count
      end
      function self.receiveany(_, max)
         if text == "" then return nil, "closed" end
         local data = text:sub(1, max)
         text = text:sub(max + 1)
         return data
      end
      return self
   end

   local function serve(sock)
      local sink = safe.sink()
      sink:listen { accept = function() return sock end, nonblocking = function() end,
         getsockname = function() return "127.0.0.1", 1 end }
      assert.equal(1, sink:serve { connections = 1 })
   end

   it("hears a client that talks on before it reads", function()
      local sock = client(("NOOP\r\n"):rep(20000), 150000)
      serve(sock)
      local _, count = sock.heard:gsub("250 2.0.0 ok\r\n", "")
      assert.equal(20000, count)
   end)

   it("hangs up on one that never reads", function()
      local sock = client(("NOOP\r\n"):rep(200000), 100)
      serve(sock)
      assert(#sock.heard < 10000)
   end)

   for _, tls in ipairs { "skip", "require", "implicit" } do
      it("serves several clients at once, tls = " .. tls, function()
         local cert = certs.make()
         local other = peer.start(([[
            local sink = assert(require("smtp.sink").new { tls = %s, tls_cert = %q, tls_key = %q,
               on_message = function(message) print(message.from) end })
            assert(sink:listen(listener))
            print(sink:serve { connections = 3, timeout = 5 })]]):format(
            ({ skip = "nil", require = "'starttls'", implicit = "'implicit'" })[tls], cert "good"))
         local all = {}
         for i = 1, 3 do
            all[i] = assert(safe.connect { host = "localhost", port = other.port, tls = tls, reply_timeout = 3,
               tls_ca_file = not package.loaded.ngx and cert "ca" or nil })
         end
         for i = 3, 1, -1 do
            assert(all[i]:send { from = ("c%d@me.example"):format(i), to = "bob@there.example", raw = "hi" })
         end
         for i = 1, 3 do all[i]:quit() end
         assert.equal("c3@me.example\nc2@me.example\nc1@me.example\n3\n", other.finish())
      end)
   end

   it("lets nobody in any more where a function of the user's fails", function()
      local other = peer.start [[
         local sink = assert(require("smtp.sink").new { on_message = function() error("not this one") end })
         assert(sink:listen(listener))
         print(pcall(sink.serve, sink))]]
      local function try()
         return safe.send { host = "127.0.0.1", port = other.port, from = "ann@me.example", to = "bob@there.example",
            raw = "hi", reply_timeout = 3 }
      end
      local idle = assert(safe.connect { host = "127.0.0.1", port = other.port })
      local _, err = try()
      assert.equal("disconnected", err.kind)
      _, err = try()
      assert.equal("connect", err.kind)
      idle:quit()
      assert.matches("^false\t.*not this one\n$", other.finish())
   end)

   it("waits no longer for a client than it is told", function()
      local other = peer.start [[
         local sink = assert(require("smtp.sink").new())
         assert(sink:listen(listener))
         print(sink:serve { timeout = 0.05 })]]
      assert.equal("0\n", other.finish())
   end)
end)
