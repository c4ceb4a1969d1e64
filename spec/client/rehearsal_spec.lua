local rehearsal = require "smtp.client.rehearsal"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   first = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
      S: 250 STARTTLS
   ]],
   tls = [[
      <first>
      C: STARTTLS
      S: 220 go
      TLS
   ]],
   login = [[
      C: AUTH PLAIN AGFubgBzZXNhbWUtcHJvYmU=
      S: $code $text
   ]],
   envelope = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 2.1.0 ok
      C: RCPT TO:<bob@there.example>
      S: 250 2.1.5 yours
   ]],
   reset = [[
      C: RSET
      S: 250 ok
      <bye>
   ]],
}

local secrets = { username = "ann", password = "sesame-probe" }

-- Up to `point`, in every way to play the transcript. -> the same as rehearsal.run
local function play(given, point, transcript)
   local result, err
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local peer = talk.peer(transcript, mode)
      local t = talk.options(given, peer)
      t.port = talk.new_port()
      local first = result or err
      result, err = rehearsal.run(t, point)
      talk.finished(peer)
      local newest = result or err
      assert.equal(first and (first.kind or "reached"), first and (newest.kind or "reached"))
   end
   return result, err
end

local function with_secrets(more)
   local t = { username = secrets.username, password = secrets.password, tls = "require" }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

describe("a rehearsal", function()
   it("ends after the greeting", function()
      local result = assert(play({}, "greeting", script [[
         S: 220 hi
         <bye>
      ]]))
      assert.equal("mx.example", result.server.host)
      assert.is_nil(result.recipients)
   end)

   it("ends after the first EHLO, before STARTTLS", function()
      local result = assert(play(with_secrets(), "first_ehlo", script [[
         <first>
         <bye>
      ]]))
      assert.equal("", result.capabilities.STARTTLS)
      assert.equal("skipped", result.tls.state)
   end)

   it("ends after the handshake, before the second EHLO", function()
      local result = assert(play(with_secrets(), "starttls", script [[
         <tls>
         <bye>
      ]]))
      assert.equal("on", result.tls.state)
      assert.equal("TLSv1.3", result.tls.version)
   end)

   it("needs TLS for STARTTLS where it is only preferred", function()
      local _, err = play({ tls = "prefer" }, "starttls", script [[
         <hello>
         <bye>
      ]])
      assert.equal("tls_unsupported", err.kind)
   end)

   it("ends after the greeting where TLS comes first", function()
      local result = assert(play({ tls = "implicit" }, "starttls", script [[
         TLS
         S: 220 hi
         <bye>
      ]]))
      assert.equal("on", result.tls.state)
   end)

   it("ends after the last EHLO, before AUTH", function()
      local result = assert(play(with_secrets(), "ehlo", script [[
         <tls>
         <ehlo AUTH PLAIN>
         <bye>
      ]]))
      assert.same({ "PLAIN" }, result.auth.offered)
      assert.equal("skipped", result.auth.state)
   end)

   it("ends after AUTH", function()
      local result = assert(play(with_secrets(), "auth", script([[
         <tls>
         <ehlo AUTH PLAIN>
         <login>
         <bye>
      ]], { code = 235, text = "ok" })))
      assert.equal("authenticated", result.auth.state)
      assert.equal("PLAIN", result.auth.mechanism)
   end)

   it("returns the error of a login that is refused", function()
      local _, err = play(with_secrets(), "auth", script([[
         <tls>
         <ehlo AUTH PLAIN>
         <login>
         <bye>
      ]], { code = 535, text = "5.7.8 no" }))
      assert.equal("auth_rejected", err.kind)
      assert.equal(535, err.code)
   end)

   it("needs AUTH where it is only preferred", function()
      local _, err = play(with_secrets { auth = "prefer" }, "auth", script [[
         <tls>
         <ehlo SIZE>
         <bye>
      ]])
      assert.equal("auth_unsupported", err.kind)
   end)

   it("ends after MAIL", function()
      local result = assert(play({}, "mail", script [[
         <hello PIPELINING, CHUNKING>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <reset>
      ]]))
      assert.equal("unsent", talk.states(result))
   end)

   it("returns the error of a sender that is refused", function()
      local _, err = play({}, "mail", script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 550 5.1.8 no
         <reset>
      ]])
      assert.equal("sender_refused", err.kind)
   end)

   it("ends after RCPT", function()
      local result = assert(play({}, "rcpt", script [[
         <hello>
         <envelope>
         <reset>
      ]]))
      assert.equal("accepted", talk.states(result))
      assert.equal(250, result.recipients[1].code)
      assert.equal("yours", result.recipients[1].text)
   end)

   for _, more in ipairs { "CHUNKING", "PIPELINING", "PIPELINING, CHUNKING, BINARYMIME, 8BITMIME" } do
      for _, pipelining in ipairs { "safe", "eager" } do
         it(("says nothing of the message with %s, %s"):format(more, pipelining), function()
            local is_flight = more:find("PIPELINING")
            local result = assert(play({ pipelining = pipelining }, "rcpt",
               script(is_flight and ([[
                  <hello %s>
                  C: MAIL FROM:<ann@me.example>
                  C: RCPT TO:<bob@there.example>
                  S: 250 ok
                  S: 250 ok
                  <reset>
               ]]):format(more) or ([[
                  <hello %s>
                  <envelope>
                  <reset>
               ]]):format(more))))
            assert.equal("accepted", talk.states(result))
         end)
      end
   end

   it("says the parameters that the message needs", function()
      assert(play({ raw = "Subject: \228\r\n\r\nx\r\n" }, "rcpt", script [[
         <hello 8BITMIME, SIZE 1000>
         C: MAIL FROM:<ann@me.example> SIZE=17 BODY=8BITMIME
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         <reset>
      ]]))
   end)

   it("has the verdict of each recipient", function()
      local result = assert(play({ to = { "a@x.example", "b@x.example" } }, "rcpt", script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 550 5.1.1 unknown
         C: RCPT TO:<b@x.example>
         S: 250 ok
         <reset>
      ]]))
      assert.equal("refused accepted", talk.states(result))
      assert.same({ "b@x.example" }, result.accepted)
      assert.equal("unknown_recipient", result.refused[1].reason)
   end)

   it("returns the error where no recipient is accepted", function()
      local _, err = play({}, "rcpt", script [[
         <hello PIPELINING>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         S: 550 5.1.1 unknown
         <reset>
      ]])
      assert.equal("recipients_refused", err.kind)
      assert.equal("no", err.sent)
   end)

   it("offers all recipients where the server takes one at a time", function()
      local result = assert(play({ to = { "a@x.example", "b@x.example" } }, "rcpt", script [[
         <hello LIMITS RCPTMAX=1>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 250 ok
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<b@x.example>
         S: 250 ok
         <reset>
      ]]))
      assert.equal("accepted accepted", talk.states(result))
   end)

   it("has the verdicts although the server ends the connection at RSET", function()
      local result = assert(play({}, "rcpt", script [[
         <hello>
         <envelope>
         C: RSET
         CLOSE
      ]]))
      assert.equal("accepted", talk.states(result))
   end)

   it("speaks LMTP", function()
      local result = assert(play({ protocol = "lmtp", port = 24 }, "rcpt", script [[
         <lhlo PIPELINING>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         S: 250 ok
         <reset>
      ]]))
      assert.equal("accepted", talk.states(result))
   end)

   it("needs no message for the points before MAIL", function()
      assert(play({ from = false, to = false, raw = false }, "ehlo", script [[
         <hello>
         <bye>
      ]]))
   end)

   for point, given in pairs {
      starttls = { tls = "skip" }, auth = { tls = "skip" },
   } do
      it("refuses a point that the options do not reach: " .. point, function()
         local result, err = rehearsal.run(talk.options(given, talk.peer ""), point)
         assert.is_nil(result)
         assert.equal("usage", err.kind)
      end)
   end

   it("refuses a wrong option before it connects", function()
      local _, err = rehearsal.run(talk.options({ tls = "skip", too = "x" }, talk.peer ""), "ehlo")
      assert.equal("usage", err.kind)
   end)
end)

describe("AUTH", function()
   it("is not reached where it is skipped", function()
      local _, err = rehearsal.run({ host = "mx.example", username = "ann", password = "sesame-r",
         auth = "skip" }, "auth")
      assert.equal("auth", err.option)
   end)
end)
