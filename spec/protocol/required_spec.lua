-- Refusals that ask for STARTTLS or AUTH first: 530, and the other codes that servers use for it.
local logins = require "spec.tools.logins"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local login = logins.login
local script = talk.script

-- What a host offered before is remembered: this one is no other spec's.
local function send(given, transcript)
   local options = { host = "required.example" }
   for name, value in pairs(given) do options[name] = value end
   return talk.send(options, transcript)
end

-- Where the refusal comes: what is said before it.
local places = {
   mail = "C: MAIL FROM:<ann@me.example>\n", rcpt = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
   ]], data = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
   ]],
}

local function refused(place, line)
   local _, err = send({}, script([[
      <hello STARTTLS, AUTH PLAIN LOGIN>
      <places>
      S: $line
      <bye>
   ]], { places = places[place], line = line }))
   return err
end

local plain_kinds = { mail = "sender_refused", rcpt = "recipients_refused", data = "data_refused" }

describe("a server that asks for STARTTLS", function()
   for _, line in ipairs { "451 5.7.3 STARTTLS is required to send mail", "550 5.7.3 STARTTLS is required to send mail",
      "454 5.7.3 STARTTLS is required", "530 5.7.0 Must issue a STARTTLS command first", "530 5.7.10 Encryption needed",
      "550 5.7.10 encryption needed", "523 5.7.10 Encryption Needed", "554 5.7.1 TLS required", "530 TLS please",
      "450 4.7.1 You must use TLS first", "503 5.5.1 Please issue STARTTLS first" } do
      for place in pairs(places) do
         it(("at %s, by %s"):format(place, line), function()
            local err = refused(place, line)
            assert.same({ "tls_required", "required", place, tonumber(line:sub(1, 3)), "never", "no" },
               { err.kind, err.reason, err.stage, err.code, err.retry, err.sent })
            assert.truthy(smtp.is_error(err, smtp.TlsRequiredError))
            assert.truthy(err.hint:find('tls = "require"', 1, true))
         end)
      end
   end

   for _, line in ipairs { "451 4.7.1 Greylisted; STARTTLS gets you in at once",
      "450 4.1.1 unverified: TLS is required, but was not offered by host",
      "550 5.1.1 <tls-required@there.example> unknown", "451 4.3.0 see https://x.example/must-use-tls" } do
      for place, kind in pairs(plain_kinds) do
         it(("is not one with other words, at %s: %s"):format(place, line), function()
            local err = refused(place, line)
            assert.equal(kind, err.kind)
            assert.equal(line:sub(1, 1) == "4" and "later" or "never", err.retry)
         end)
      end
   end

   it("cannot be one inside TLS", function()
      local _, err = send({ tls = "require" }, script [[
         <hello STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO me.example
         S: 250 ok
         C: MAIL FROM:<ann@me.example>
         S: 451 5.7.3 STARTTLS is required to send mail
         <bye>
      ]])
      assert.same({ "sender_refused", "later" }, { err.kind, err.retry })
   end)

   it("and offers none under prefer has a hint that does not lead in a circle", function()
      local _, err = send({ tls = "prefer" }, script [[
         S: 220 hi
         C: EHLO me.example
         S: 250 ok
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 Must issue a STARTTLS command first
         <bye>
      ]])
      assert.equal("tls_required", err.kind)
      assert.is_nil(err.hint:find('tls = "require"', 1, true))
      assert.truthy(err.hint:find("587", 1, true))
   end)
end)

describe("a server that asks one of several recipients' mail for STARTTLS", function()
   local demand = "451 5.7.3 STARTTLS is required to send mail"

   -- What becomes of a message to two recipients with these replies, in either order.
   local function each(recipients, one, other, check)
      for _, replies in ipairs { { one, other }, { other, one } } do
         local _, err = send({ to = { "bob@there.example", "eve@there.example" }, recipients = recipients },
            script([[
               <hello STARTTLS, AUTH PLAIN LOGIN>
               C: MAIL FROM:<ann@me.example>
               S: 250 ok
               C: RCPT TO:<bob@there.example>
               S: $first
               C: RCPT TO:<eve@there.example>
               S: $second
               <bye>
            ]], { first = replies[1], second = replies[2] }))
         check(err)
      end
   end

   it("gets none at all where all recipients must be accepted: only TLS helps", function()
      for line, kind in pairs { [demand] = "tls_required",
         ["530 5.7.0 Must issue a STARTTLS command first"] = "tls_required",
         ["530 5.7.0 log in"] = "auth_required", ["550 5.7.1 Authentication required"] = "auth_required" } do
         each("all", line, "250 ok", function(err)
            assert.same({ kind, "rcpt", tonumber(line:sub(1, 3)), "never", "no" },
               { err.kind, err.stage, err.code, err.retry, err.sent })
            local own = line == demand and "deferred" or "refused"
            local states = talk.states(err)
            assert.truthy(states == "unsent " .. own or states == own .. " unsent", states)
         end)
      end
   end)

   it("is not to be tried again, whatever the others' replies are, where all must be accepted", function()
      for _, other in ipairs { "451 4.7.1 greylisted", "550 5.1.1 unknown" } do
         each("all", demand, other, function(err)
            assert.same({ "tls_required", 451, "never" }, { err.kind, err.code, err.retry })
         end)
      end
   end)

   it("may be tried again where a later attempt may help another recipient", function()
      each("any", demand, "450 4.7.1 greylisted", function(err)
         assert.same({ "recipients_refused", 450, "later" }, { err.kind, err.code, err.retry })
      end)
      each("any", demand, "550 5.1.1 unknown", function(err)
         assert.same({ "tls_required", 451, "never" }, { err.kind, err.code, err.retry })
      end)
   end)
end)

describe("a server that asks for AUTH", function()
   for _, line in ipairs { "530 5.7.0 log in", "530 no", "503 need EHLO and AUTH first !",
      "553 authentication is required",
      "505 Authentication required", "535 5.7.8 Authentication credentials needed", "550 5.7.1 Authentication required",
      "550 5.7.1 Client was not authenticated", "553 5.7.1 <ann@me.example>: Sender address rejected: not logged in",
      "503 5.5.4 Error: send AUTH command first", "502 5.7.0 Please authenticate first", "550 please log in first",
      "554 5.7.1 SMTP-AUTH is required", "550 5.7.1 Relaying denied. Proper authentication required." } do
      for place in pairs(places) do
         it(("at %s, by %s"):format(place, line), function()
            local err = refused(place, line)
            assert.same({ "auth_required", "required", place, tonumber(line:sub(1, 3)), "never", "no" },
               { err.kind, err.reason, err.stage, err.code, err.retry, err.sent })
            assert.same({ "PLAIN", "LOGIN" }, err.offered)
            assert.truthy(err.hint:find("Give username and password", 1, true))
            assert.equal(place == "mail" and "unsent" or "refused", err.recipients[1].state)
         end)
      end
   end

   for _, line in ipairs { "550 5.1.1 <auth@there.example>: user unknown", "550 5.7.1 You are not authorized",
      "550 5.7.26 Unauthenticated email is not accepted, set up DKIM first", "550 5.7.23 SPF authentication must pass",
      "553 5.1.8 no such domain", "503 5.5.1 bad sequence", "550 5.7.1 sender authentication failed",
      "550 blocked, see https://x.example/authentication-required", "451 4.7.0 authentication is required" } do
      for place, kind in pairs(plain_kinds) do
         it(("is not one with other words, at %s: %s"):format(place, line), function()
            assert.equal(kind, refused(place, line).kind)
         end)
      end
   end

   it("and does not offer it is one by 530 alone", function()
      local hi = [[
         S: 220 hi
         C: EHLO me.example
         S: 250 ok
      ]]
      local _, err = send({}, script([[
         <hi>
         C: MAIL FROM:<ann@me.example>
         S: 553 authentication is required
         <bye>
      ]], { hi = hi }))
      assert.equal("sender_refused", err.kind)
      _, err = send({}, script([[
         <hi>
         C: MAIL FROM:<ann@me.example>
         S: 530 authentication is required
         <bye>
      ]], { hi = hi }))
      assert.equal("auth_required", err.kind)
   end)

   it("though we did authenticate has another cause", function()
      for place, kind in pairs(plain_kinds) do
         for _, line in ipairs { "530 5.7.0 log in", "553 authentication is required", "550 not authenticated" } do
            local _, err = send({ username = "ann", password = "sesame-5", auth_plaintext = true }, script([[
               <hello STARTTLS, AUTH PLAIN LOGIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtNQ==
               S: 235 ok
               <places>
               S: $line
               <bye>
            ]], { places = places[place], line = line }))
            assert.equal(kind, err.kind)
         end
      end
   end)

   it("of one recipient refuses that one where others are accepted", function()
      local receipt = send({ to = { "bob@there.example", "eve@there.example" } }, script [[
         <hello STARTTLS, AUTH PLAIN LOGIN>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: RCPT TO:<eve@there.example>
         S: 530 5.7.0 log in
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted refused", talk.states(receipt))
   end)

   it("of one of two recipients decides where none is accepted, unless a later attempt may help", function()
      for reply, kind in pairs { ["550 5.1.1 unknown"] = "auth_required",
         ["451 4.7.1 greylisted"] = "recipients_refused" } do
         for _, replies in ipairs { { reply, "530 5.7.0 log in" }, { "530 5.7.0 log in", reply } } do
            local _, err = send({ to = { "bob@there.example", "eve@there.example" } }, script([[
               <hello STARTTLS, AUTH PLAIN LOGIN>
               C: MAIL FROM:<ann@me.example>
               S: 250 ok
               C: RCPT TO:<bob@there.example>
               S: $first
               C: RCPT TO:<eve@there.example>
               S: $second
               <bye>
            ]], { first = replies[1], second = replies[2] }))
            assert.equal(kind, err.kind)
            assert.equal(kind == "auth_required" and 530 or 451, err.code)
         end
      end
   end)

   it("is heard at DATA in a flight, at BDAT and at the end", function()
      local transcripts = {
         script [[
            <hello PIPELINING, STARTTLS, AUTH PLAIN>
            C: MAIL FROM:<ann@me.example>
            C: RCPT TO:<bob@there.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 530 5.7.0 log in
         ]],
         script [[
            <hello CHUNKING, STARTTLS, AUTH PLAIN>
            C: MAIL FROM:<ann@me.example>
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: 250 ok
            C: BDAT 21 LAST
            OCTETS 21
            S: 530 5.7.0 log in
         ]],
         script([[
            <hello STARTTLS, AUTH PLAIN LOGIN>
            <data>
            S: 354 go
            MESSAGE
            S: 530 5.7.0 log in
         ]], { data = places.data }),
      }
      for i, stage in ipairs { "data", "final", "final" } do
         local _, err = send({}, script([[
            <transcripts>
            <bye>
         ]], { transcripts = transcripts[i] }))
         assert.same({ "auth_required", stage, 530, "never", "no", "refused" },
            { err.kind, err.stage, err.code, err.retry, err.sent, err.recipients[1].state })
      end
   end)

   it("says so in LMTP and in send_many", function()
      local _, err = send({ protocol = "lmtp" }, script([[
         <offer>
         C: MAIL FROM:<ann@me.example>
         S: 553 authentication is required
         <bye>
      ]], { offer = (script "<hello STARTTLS, AUTH PLAIN LOGIN>"):gsub("EHLO", "LHLO") }))
      assert.equal("auth_required", err.kind)
      local options = talk.options({ host = "required.example", from = false, to = false, raw = false },
         talk.peer(script([[
            <hello STARTTLS, AUTH PLAIN LOGIN>
            <data>
            S: 530 5.7.0 log in
            <bye>
         ]], { data = places.data })))
      local summary = smtp.send_many(options, { { from = "ann@me.example", to = "bob@there.example", raw = "x" } })
      assert.same({ "auth_required", "never" }, { summary.results[1].kind, summary.results[1].retry })
   end)

   it("has not judged the message by words alone, once it has seen it", function()
      local _, err = send({}, script([[
         <hello STARTTLS, AUTH PLAIN LOGIN>
         <data>
         S: 354 go
         MESSAGE
         S: 550 5.7.515 Access denied, the sender's domain needs authentication first
         <bye>
      ]], { data = places.data }))
      assert.equal("data_refused", err.kind)
   end)
end)

describe("530 later", function()
   local opening = script "<hello AUTH PLAIN>"

   it("on MAIL is AuthRequiredError, and the connection is left in order", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 log in
         <bye>
      ]], { opening = opening }))
      assert.equal("auth_required", err.kind)
      assert.equal("mail", err.stage)
      assert.same({ "PLAIN" }, err.offered)
   end)

   it("on MAIL is TlsRequiredError where the server says so", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 Must issue a StartTLS command first
         <bye>
      ]], { opening = opening }))
      assert.equal("tls_required", err.kind)
   end)

   it("on the only RCPT is AuthRequiredError", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 530 5.7.0 log in
         <bye>
      ]], { opening = opening }))
      assert.equal("auth_required", err.kind)
      assert.equal("rcpt", err.stage)
   end)

   it("after prefer could not authenticate says why", function()
      local _, err = talk.send(login("prefer"), script [[
         <hello X>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 log in
         <bye>
      ]])
      assert.equal("auth_required", err.kind)
      assert.equal("not_advertised", err.auth_reason)
   end)
end)
