-- What a probe warns of.
local probes = require "spec.tools.probes"
local warnings = require "smtp.client.probe_warnings"

local script, play, warning, reasons = probes.script, probes.play, probes.warning, probes.reasons
local login, coded = probes.login, probes.coded

describe("a probe warns of", function()
   it("a greeting that refuses us", function()
      for code, temporary in pairs { [554] = false, [450] = true } do
         local report = assert(play({}, script([[
            S: $code go away
            <bye>
         ]], { code = code })))
         assert.same({ "greeting_refused" }, { report.warnings[1].kind })
         assert.equal(temporary, report.warnings[1].temporary or false)
         assert.equal(1, #report.warnings)
         assert.equal("unknown", report.tls.state)
         assert.is_nil(report.esmtp)
         assert.is_nil(report.before_tls)
         assert.same({}, report.options)
      end
   end)

   it("a server without STARTTLS", function()
      local report = assert(play({}, script [[
         <hello>
         <plain_offer>
         S: 250 HELP
         <bye>
      ]]))
      assert.same({ kind = "tls_unsupported", reason = "not_advertised" },
         { kind = report.warnings[1].kind, reason = report.warnings[1].reason })
      assert.equal("unavailable", report.tls.state)
      assert.equal("prefer", report.options.tls)
      report = assert(play({ tls = "prefer" }, script [[
         <hello>
         <plain_offer>
         S: 250 HELP
         <bye>
      ]]))
      assert.same({ "no_tls" }, reasons(report))
   end)

   it("STARTTLS refused, or a handshake that fails", function()
      local offer = script [[
         <hello>
         <plain_offer>
         S: 250 STARTTLS
         C: STARTTLS
      ]]
      local report = assert(play({}, script([[
         <offer>
         S: 454 later
         <bye>
      ]], { offer = offer })))
      assert.same({ "starttls_refused" }, reasons(report))
      assert.is_true(report.warnings[1].temporary)
      assert.same({ state = "failed", verified = false, reason = "starttls_refused" }, report.tls)
      assert.same({}, report.options)
      report = assert(play({}, script([[
         <offer>
         S: 220 go
         TLS tls:version
      ]], { offer = offer })))
      assert.same({ "version" }, reasons(report))
      assert.truthy(report.before_tls)
   end)

   for _, reason in ipairs { "expired", "wrong_host", "self_signed", "unknown_issuer" } do
      it("a certificate: " .. reason .. "; and looks again with nothing secret", function()
         local report = assert(play(login, script([[
            <hello>
            <plain_offer>
            S: 250 STARTTLS
            C: STARTTLS
            S: 220 go
            TLS certificate:$reason
            <starttls>
            S: 250 AUTH PLAIN
            <bye>
         ]], { reason = reason })))
         local first = report.warnings[1]
         assert.same({ "certificate", reason }, { first.kind, first.reason })
         assert.is_string(first.hint)
         assert.same({ state = "on", version = "TLSv1.3", cipher = "X", verified = false, reason = reason },
            report.tls)
         assert.same({ "PLAIN" }, report.after_tls.mechanisms)
         assert.same({ "failed", reason }, { report.auth.state, report.auth.reason })
         assert.same({}, report.options)
      end)
   end

   it("a certificate where TLS is implicit, and of one that the second look does not get past", function()
      local report, err = play({ tls = "implicit" }, script [[
         TLS certificate:expired
         TLS
         <hello>
         <plain_offer>
         S: 250 HELP
         <bye>
      ]])
      assert(report, tostring(err))
      assert.same({ "expired" }, reasons(report))
      assert.is_false(report.tls.verified)
      report, err = play({ tls = "implicit" }, [[
         TLS certificate:expired
         TLS closed
      ]])
      assert.is_nil(report)
      assert.equal("expired", err.reason)
   end)

   it("a certificate, with what was seen at first where the second look gets nowhere", function()
      local report = assert(play({ auth = "skip", username = "ann", password = "sesame-probe" }, script [[
         <hello>
         <plain_offer>
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS certificate:expired
         S: 554 not you again
         <bye>
      ]]))
      assert.same({ "expired" }, reasons(report))
      assert.equal("failed", report.tls.state)
      assert.truthy(report.before_tls)
      assert.is_nil(report.after_tls)
      assert.equal("skipped", report.auth.state)
   end)

   it("AUTH before TLS", function()
      local report = assert(play({}, script [[
         <hello>
         <plain_offer>
         S: 250-AUTH PLAIN
         S: 250 STARTTLS
         <inside>
         S: 250 AUTH PLAIN
         <bye>
      ]]))
      assert.same({ "auth_before_tls" }, reasons(report))
      report = assert(play({}, script [[
         <hello>
         <plain_offer>
         S: 250-AUTH SCRAM-SHA-256
         S: 250 STARTTLS
         <inside>
         S: 250 AUTH PLAIN
         <bye>
      ]]))
      assert.same({}, reasons(report))
   end)

   it("AUTH before TLS and not after it", function()
      local offer = script [[
         <hello>
         <plain_offer>
         S: 250-AUTH SCRAM-SHA-256
         S: 250 STARTTLS
         <inside>
         S: 250 HELP
      ]]
      local report = assert(play({}, script([[
         <offer>
         <bye>
      ]], { offer = offer })))
      assert.same({ "not_advertised_after_tls" }, reasons(report))
      report = assert(play(login, script([[
         <offer>
         <bye>
      ]], { offer = offer }))) -- here it is the error, and told once
      assert.equal("auth_unsupported", report.warnings[1].kind)
      assert.same({ "not_advertised_after_tls" }, reasons(report))
   end)

   it("passwords that could only travel in clear text", function()
      local report = assert(play({ tls = "prefer" }, script [[
         <hello>
         <plain_offer>
         S: 250 AUTH PLAIN LOGIN
         <bye>
      ]]))
      assert.same({ "no_tls", "auth_in_clear" }, reasons(report))
      assert.same({ PLAIN = "it sends the secret in clear text, and there is no TLS",
         LOGIN = "it sends the secret in clear text, and there is no TLS" }, report.auth.usable)
      assert.equal("skip", report.options.auth)
      report = assert(play({ tls = "skip" }, script [[
         <hello>
         <plain_offer>
         S: 250-STARTTLS
         S: 250 AUTH PLAIN
         <bye>
      ]]))
      assert.same({ "auth_in_clear" }, reasons(report))
      report = assert(play({ tls = "prefer" }, script [[
         <hello>
         <plain_offer>
         S: 250 AUTH PLAIN SCRAM-SHA-1
         <bye>
      ]]))
      assert.same({ "no_tls" }, reasons(report))
   end)

   it("AUTH that is not there, under prefer", function()
      local report = assert(play({ auth = "prefer", username = "ann", password = "sesame-probe" },
         script [[
            <starttls>
            S: 250 HELP
            <bye>
         ]]))
      assert.equal("unavailable", report.auth.state)
      assert.truthy(warning(report, "auth_unavailable").text:find("the server does not offer it", 1, true))
   end)

   it("mechanisms that it offered before and offers no more", function()
      local given = { host = "downgrade.example" }
      play(given, script [[
         <starttls>
         S: 250 AUTH PLAIN SCRAM-SHA-256
         <bye>
      ]])
      local report = assert(play(given, script [[
         <starttls>
         S: 250 AUTH PLAIN
         <bye>
      ]]))
      assert.truthy(warning(report, "downgrade").text:find("SCRAM-SHA-256", 1, true))
      assert.same({ "SCRAM-SHA-256" }, report.auth.downgrade)
   end)

   it("what an unverified server offers only where it says so itself", function()
      local given = { host = "impostor.example" }
      local bad = script [[
         <hello>
         <plain_offer>
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS certificate:expired
      ]]
      assert(play(given, script([[
         <bad>
         <starttls>
         S: 250 AUTH PLAIN SCRAM-SHA-512
         <bye>
      ]], { bad = bad })))
      local report = assert(play(given, script [[
         <starttls>
         S: 250 AUTH PLAIN
         <bye>
      ]]))
      assert.is_nil(report.auth.downgrade)
   end)

   it("a server that knows HELO only", function()
      local report = assert(play({ tls = "prefer" }, script [[
         S: 220 mx
         C: EHLO me.example
         S: 502 what
         C: HELO me.example
         S: 250 mx
         <bye>
      ]]))
      assert.is_false(report.esmtp)
      assert.same({ "no_tls", "helo_only" }, reasons(report))
      report = assert(play({}, script [[
         S: 220 mx
         C: EHLO me.example
         S: 502 what
         C: HELO me.example
         S: 250 mx
         <bye>
      ]]))
      assert.same({ "helo_only" }, reasons(report))
      assert.equal("tls_unsupported", report.warnings[1].kind)
   end)

   it("extensions that are missing, as a remark", function()
      local report = assert(play({}, script [[
         <hello>
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         <ehlo>
         <bye>
      ]]))
      assert.same({ "no_pipelining", "no_8bitmime", "no_smtputf8", "no_size" }, reasons(report))
      for _, one in ipairs(report.warnings) do assert.equal("remark", one.kind) end
      assert.is_false(report.pipelining)
      assert.is_false(report.chunking)
   end)

   it("a small limit of size, and not of one that limits nothing", function()
      local offer = script [[
         <hello>
         S: 250-mx
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-STARTTLS
         S: 250 SIZE %s
         <bye>
      ]]
      local report = assert(play({ tls = "skip" }, offer:format("1000000")))
      assert.truthy(warning(report, "small_size").text:find("1000000 bytes", 1, true))
      assert.same({}, reasons(assert(play({ tls = "skip" }, offer:format("0")))))
      assert.same({}, reasons(assert(play({ tls = "skip" }, offer:format("10240000")))))
   end)

   it("port 25 with credentials", function()
      local talked = script([[
         <starttls>
         S: 250 AUTH PLAIN
         C: AUTH PLAIN $coded
         S: 235 ok
         <bye>
      ]], { coded = coded })
      assert.same({ "port_25" }, reasons(assert(play({ port = 25, username = "ann", password = "sesame-probe" },
         talked))))
      assert.same({}, reasons(assert(play(login, talked)))) -- the default is 587
   end)

   it("a slow greeting, an old TLS, a certificate that ends soon", function()
      local r = { seconds = { greeting = 5.5 }, limits = {}, tls = { version = "TLSv1.2", state = "on",
         certificate = { days_left = 13 } }, auth = { state = "skipped", offered = {} } }
      local server = {}
      local found = warnings.list(r, server)
      assert.same({ "expires_soon", "tls_1_2", "slow_greeting" }, reasons { warnings = found })
      assert.same({ "warning", "remark", "warning" }, { found[1].kind, found[2].kind, found[3].kind })
      assert.truthy(found[1].text:find("13 days", 1, true))
      assert.truthy(found[3].text:find("6 seconds", 1, true))
      r.seconds.greeting, r.tls.version, r.tls.certificate.days_left = 5, "TLSv1.3", 14
      assert.same({}, warnings.list(r, server))
      for days, words in pairs { [1] = "expires in 1 day", [0] = "expires in less than a day" } do
         r.tls.certificate.days_left = days
         assert.equal("the certificate " .. words, warnings.list(r, server)[1].text)
      end
      r.tls.certificate.days_left = -1 -- and nobody checked it
      assert.same({ "expired" }, reasons { warnings = warnings.list(r, server) })
   end)

   it("nothing else once the connection is lost", function()
      local report = assert(play({}, script [[
         <hello>
         <plain_offer>
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO me.example
         CLOSE
      ]]))
      assert.equal("disconnected", report.warnings[1].kind)
      assert.is_nil(report.after_tls)
      assert.truthy(report.before_tls)
   end)

   it("what a refusal means, with cause and remedy", function()
      local report = assert(play({}, script [[
         S: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
         <bye>
      ]]))
      local found = report.warnings[1]
      assert.same({ "greeting_refused", "blocked", "client" }, { found.kind, found.reason, found.concerns })
      assert.matches("blocks the address of this machine (192.0.2.1; zen.spamhaus.org)", found.text, 1, true)
      assert.matches("taken off the list", found.hint, 1, true)
   end)

   it("what the provider expects as credentials", function()
      local report = assert(play({ host = "smtp.gmail.com", tls = "implicit", port = 465 }, script [[
         TLS
         <hello>
         <plain_offer>
         S: 250 AUTH PLAIN LOGIN XOAUTH2
         <bye>
      ]]))
      local found = report.warnings[1]
      assert.same({ "remark", "provider", "this is a server of Gmail" }, { found.kind, found.reason, found.text })
      assert.matches("https://myaccount.google.com/apppasswords", found.hint, 1, true)
   end)
end)
