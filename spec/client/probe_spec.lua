local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local probes = require "spec.tools.probes"
local safe = require "smtp.safe"
local smtp = require "smtp"

local script, play, warning, reasons = probes.script, probes.play, probes.warning, probes.reasons
local login, coded = probes.login, probes.coded

local in_nginx = package.loaded.ngx ~= nil

describe("a probe", function()
   it("reports what is offered before and after TLS, and sends nothing", function()
      local report = assert(play({ host = "first.example" }, script [[
         <starttls>
         S: 250-CHUNKING
         S: 250 AUTH PLAIN NTLM
         <bye>
      ]]))
      assert.equal("first.example", report.host)
      assert.equal(25, report.port)
      assert.equal("mx.example", report.server)
      assert.equal("mx.example ESMTP\nno spam", report.greeting)
      assert.same({ PIPELINING = "", ["8BITMIME"] = "", SMTPUTF8 = "", SIZE = "20000000", STARTTLS = "" },
         report.before_tls.capabilities)
      assert.same({}, report.before_tls.mechanisms)
      assert.same({ "PLAIN", "NTLM" }, report.after_tls.mechanisms)
      assert.equal("PLAIN NTLM", report.after_tls.capabilities.AUTH)
      assert.same({ state = "on", version = "TLSv1.3", cipher = "X", verified = true }, report.tls)
      assert.same({ state = "skipped", offered = { "PLAIN", "NTLM" },
         usable = { PLAIN = true, NTLM = "not known here" } }, report.auth)
      assert.is_true(report.esmtp)
      assert.is_true(report.pipelining)
      assert.is_true(report.chunking)
      assert.equal(20000000, report.limits.size)
      assert.same({ host = "first.example", port = 25, domain = "me.example", tls = "require" }, report.options)
      assert.same({}, report.warnings)
      for _, name in ipairs { "connect", "greeting", "tls", "ehlo", "total" } do
         assert.truthy(report.seconds[name] >= 0, name)
      end
   end)

   it("begins with TLS where it is implicit", function()
      local report = assert(play({ tls = "implicit", port = 465 }, script [[
         TLS
         <hello>
         <plain_offer>
         S: 250 AUTH LOGIN
         <bye>
      ]]))
      assert.is_nil(report.before_tls)
      assert.same({ "LOGIN" }, report.after_tls.mechanisms)
      assert.equal("implicit", report.options.tls)
      assert.truthy(report.seconds.tls >= 0)
   end)

   it("authenticates with credentials, and says by what", function()
      local report = assert(play(login, script([[
         <starttls>
         S: 250 AUTH PLAIN LOGIN XOAUTH2
         C: AUTH PLAIN $coded
         S: 235 ok
         <bye>
      ]], { coded = coded })))
      assert.equal("authenticated", report.auth.state)
      assert.equal("PLAIN", report.auth.mechanism)
      assert.same({ PLAIN = true, LOGIN = true, XOAUTH2 = "it needs a token" }, report.auth.usable)
      assert.same({}, report.warnings)
   end)

   it("says why a password was refused, in the words of the error", function()
      local report = assert(play(login, script([[
         <starttls>
         S: 250 AUTH PLAIN LOGIN
         C: AUTH PLAIN $coded
         S: 535 5.7.8 sesame-probe is wrong
         <bye>
      ]], { coded = coded })))
      assert.equal("failed", report.auth.state)
      assert.equal("rejected", report.auth.reason)
      assert.same({ PLAIN = "answered 535", LOGIN = true }, report.auth.usable)
      local first = report.warnings[1]
      assert.equal("auth_rejected", first.kind)
      assert.truthy(first.text:find("(535 5.7.8): [secret] is wrong", 1, true), first.text)
      assert.truthy(first.hint:find("username and password", 1, true))
      assert.same({}, report.options)
   end)

   it("never says a password in clear text without consent", function()
      local offer = script [[
         <hello>
         <plain_offer>
         S: 250 AUTH PLAIN
      ]]
      local report = assert(play({ tls = "prefer", username = "ann", password = "sesame-probe" }, script([[
         <offer>
         <bye>
      ]], { offer = offer })))
      assert.equal("auth_insecure", report.warnings[1].kind)
      assert.equal("failed", report.auth.state)
      report = assert(play({ tls = "prefer", auth_plaintext = true, username = "ann", password = "sesame-probe" },
         script([[
            <offer>
            C: AUTH PLAIN $coded
            S: 235 ok
            <bye>
         ]], { offer = offer, coded = coded })))
      assert.equal("authenticated", report.auth.state)
   end)

   it("never authenticates without credentials, nor where the caller skips it", function()
      assert.equal("skipped", play({}, script [[
         <starttls>
         S: 250 AUTH PLAIN
         <bye>
      ]]).auth.state)
      assert.equal("skipped", play({ auth = "skip", username = "ann", password = "sesame-probe" },
         script [[
            <starttls>
            S: 250 AUTH PLAIN
            <bye>
         ]]).auth.state)
   end)

   it("keeps off TLS where the caller skips it", function()
      local report = assert(play({ tls = "skip" }, script [[
         <hello>
         <plain_offer>
         S: 250 STARTTLS
         <bye>
      ]]))
      assert.same({ state = "skipped", verified = false }, report.tls)
      assert.equal("skip", report.options.tls)
      assert.same({}, reasons(report))
   end)

   it("passes all it says and hears to a trace", function()
      local lines = {}
      play({ trace = function(direction, line) lines[#lines + 1] = direction .. " " .. line end },
         script [[
            <hello>
            <plain_offer>
            S: 250 STARTTLS
            <inside>
            S: 250 AUTH PLAIN
            <bye>
         ]])
      assert.equal("S 220-mx.example ESMTP", lines[1])
      assert.equal("S 221 bye", lines[#lines])
   end)
end)

describe("the options that a probe recommends", function()
   local clear = script [[
      <hello>
      <plain_offer>
      S: 250 AUTH PLAIN
   ]]

   it("hold what makes them work, and no secret", function()
      local given = { tls = "prefer", auth_plaintext = true, username = "ann", password = "sesame-probe" }
      local report = assert(play(given, script([[
         <clear>
         C: AUTH PLAIN $coded
         S: 235 ok
         <bye>
      ]], { clear = clear, coded = coded })))
      assert.same({ "prefer", "require", true },
         { report.options.tls, report.options.auth, report.options.auth_plaintext })
      given = { username = "ann", password = "sesame-probe", auth_mechanisms = { "PLAIN" }, tls_verify = false,
         scram_iterations = { 1, 2 }, extensions = { chunking = "skip" }, authzid = "zoe", timeout = 30 }
      report = assert(play(given, script [[
         <starttls>
         S: 250 AUTH LOGIN PLAIN
         C~
         S: 235 ok
         <bye>
      ]]))
      assert.same({ "PLAIN" }, report.options.auth_mechanisms)
      assert.same({ chunking = "skip" }, report.options.extensions)
      assert.is_false(report.options.tls_verify)
   end)

   it("leave auth to its default where credentials may come", function()
      assert.is_nil(play({}, script [[
         <starttls>
         S: 250 AUTH PLAIN
         <bye>
      ]]).options.auth)
      assert.equal("prefer", play({ auth = "prefer" }, script [[
         <starttls>
         S: 250 AUTH PLAIN
         <bye>
      ]]).options.auth)
      assert.equal("skip", play({}, script [[
         <starttls>
         S: 250 AUTH NTLM
         <bye>
      ]]).options.auth)
   end)

   it("speak the protocol that was asked for", function()
      local lmtp = script([[
         <to_lmtp>
         S: 250 HELP
         <bye>
      ]], { to_lmtp = script.starttls:gsub("EHLO", "LHLO") })
      local use = play({ protocol = "lmtp" }, lmtp).options
      assert.same({ "lmtp", 24, "require" }, { use.protocol, use.port, use.tls })
      use = play({ url = "smtps://probe-url.example", tls_host = "mx.example" }, script [[
         TLS
         <hello>
         <plain_offer>
         S: 250 HELP
         <bye>
      ]]).options
      assert.same({ 465, "implicit", "mx.example" }, { use.port, use.tls, use.tls_host })
   end)

   it("are none where the login is refused", function()
      for code, text in pairs { [534] = "5.7.9 Application-specific password required", [535] = "5.7.8 no",
         [454] = "4.7.0 later", [530] = "5.7.0 Must issue STARTTLS first" } do
         for _, auth in ipairs { "require", "prefer" } do
            local report = assert(play({ auth = auth, username = "ann", password = "sesame-probe" }, script([[
               <starttls>
               S: 250 AUTH PLAIN
               C: AUTH PLAIN $coded
               S: $code $text
               <bye>
            ]], { coded = coded, code = code, text = text })))
            assert.same({}, report.options)
            assert.equal("failed", report.auth.state)
         end
      end
   end)

   it("are none where the server lacks what the caller requires", function()
      for _, given in ipairs { { tls = "require" }, { tls_host = "mx.example" }, login,
         { tls = "prefer", username = "ann", password = "sesame-probe" } } do
         local report = assert(play(given, script([[
            <clear>
            <bye>
         ]], { clear = clear })))
         assert.same({}, report.options)
      end
      local report = assert(play(login, script [[
         <starttls>
         S: 250 HELP
         <bye>
      ]]))
      assert.equal("auth_unsupported", report.warnings[1].kind)
      assert.same({}, report.options)
   end)

   it("never go on in clear text after TLS has failed", function()
      for _, tls in ipairs { "prefer", "require" } do
         local report = assert(play({ tls = tls }, script [[
            <hello>
            <plain_offer>
            S: 250 STARTTLS
            C: STARTTLS
            S: 454 later
            <bye>
         ]]))
         assert.same({}, report.options)
      end
   end)
end)

describe("what a probe finds instead of a server", function()
   it("is an error as in connect", function()
      for transcript, kind in pairs { ["S: HTTP/1.1 400 Bad Request"] = "protocol", SILENCE = "timeout",
         CLOSE = "disconnected" } do
         local report, err = play({}, transcript)
         assert.is_nil(report)
         assert.equal(kind, err.kind)
         assert.is_string(err.hint)
      end
      local _, err = play({ tls = "implicit" }, "TLS tls:plaintext")
      assert.same({ "tls", "plaintext" }, { err.kind, err.reason })
      _, err = safe.probe { host = "127.0.0.1", port = 1 }
      assert.equal("connect", err.kind)
   end)

   it("may be a mistake of the caller", function()
      for _, t in ipairs { { host = "mx.example", tls_verfy = false }, { host = "mx.example", from = "a@b" },
         { host = "mx.example", auth = "require" }, "mx.example" } do
         local _, err = safe.probe(t)
         assert.is_true(safe.is_error(err, "usage"))
      end
      assert.is_true(smtp.is_error(select(2, pcall(smtp.probe, { host = "" })), smtp.UsageError))
   end)
end)

-- ---- over real TLS ----

local cert = certs.make()

-- A sink in a process of its own, for so many connections; it prints what it hears.
local function start(name, connections, more, before)
   local path, key = cert(name)
   return peer.start(("%s\n"):format(before or "") .. ([[
      local sink = assert(require("smtp.safe").sink { tls = "starttls", tls_cert = %q, tls_key = %q,
         auth = { users = { ann = "sesame-probe" } }, trace = function(d, line) print(d .. ": " .. line) end, %s })
      sink:listen(listener)
      sink:serve { connections = %d, timeout = 5 }
   ]]):format(path, key, more or "", connections))
end

local function probe(other, more)
   local t = { host = "localhost", port = other.port, timeout = 10, tls_ca_file = not in_nginx and cert "ca" or nil }
   for name, value in pairs(more or {}) do t[name] = value end
   local report, err = safe.probe(t)
   return report, err, other.finish()
end

describe("a probe over real TLS", function()
   it("reads the certificate, and its options send", function()
      local other = start("good", 2)
      local t = { host = "localhost", port = other.port, tls_ca_file = not in_nginx and cert "ca" or nil,
         username = "ann", password = "sesame-probe" }
      local report = assert(safe.probe(t))
      assert.equal("on", report.tls.state)
      assert.is_true(report.tls.verified)
      assert.equal("authenticated", report.auth.state)
      assert.equal("require", report.options.tls)
      assert.equal("require", report.options.auth)
      local options = report.options
      options.username, options.password = "ann", "sesame-probe"
      options.from, options.to, options.text = "ann@me.example", "bob@there.example", "hello"
      assert.equal("authenticated", assert(safe.send(options)).auth.state)
      other.finish()
      if in_nginx then
         assert.is_nil(report.tls.certificate)
         return
      end
      assert.equal("127.0.0.1", report.address)
      assert.equal("TLSv1.3", report.tls.version)
      local found = report.tls.certificate
      assert.equal("CN=localhost", found.subject)
      assert.equal("CN=ca", found.issuer)
      assert.same({ "localhost", "127.0.0.1", "::1" }, found.names)
      assert.equal("2020-01-01T00:00:00Z", found.not_before)
      assert.equal("2049-01-01T00:00:00Z", found.not_after)
      assert.truthy(found.days_left > 1000)
      assert.equal(certs.pin((cert "good")), found.key_pin)
   end)

   for name, reason in pairs { expired = "expired", wrong_host = "wrong_host", self_signed = "self_signed",
      unknown_issuer = "unknown_issuer" } do
      it("shows a certificate that is not good, and tells it nothing: " .. name, function()
         local report, err, saw = probe(start(name, 2), { username = "ann", password = "sesame-probe" })
         assert(report, tostring(err))
         assert.equal(reason, report.tls.reason)
         assert.is_false(report.tls.verified)
         assert.same({ "PLAIN", "LOGIN" }, report.after_tls.mechanisms)
         assert.same({}, report.options)
         assert.is_nil(saw:find("C: AUTH", 1, true), saw)
         local _, quits = saw:gsub("C: QUIT", "")
         assert.equal(1, quits)
         assert.is_nil(warning(report, "expires_soon"))
         if in_nginx then return end
         local found = report.tls.certificate
         assert.same({ name == "wrong_host" and "elsewhere.example" or "localhost" }, { found.names[1] })
         assert.equal(name == "expired", found.days_left < 0)
      end)
   end

   it("shows the key that is not the one that was pinned, and hands on what the caller gave", function()
      if in_nginx then return end -- where a directive has all of it
      local pin = certs.pin((cert "expired"))
      local report = assert((probe(start("good", 2), { tls_pin = pin, tls_min_version = "1.3" })))
      assert.equal("pin_mismatch", report.tls.reason)
      assert.equal(certs.pin((cert "good")), report.tls.certificate.key_pin)
      assert.same({}, report.options)
      pin = certs.pin((cert "good"))
      report = assert((probe(start("good", 1), { tls_pin = pin, tls_min_version = "1.3" })))
      assert.same({ pin, "1.3", (cert "ca") }, { report.options.tls_pin, report.options.tls_min_version,
         report.options.tls_ca_file })
   end)

   it("with a certificate that is not good recommends clear text on loopback alone, where nothing speaks against it",
      function()
         local other = start("self_signed", 3)
         local report = assert(safe.probe { host = "localhost", port = other.port, timeout = 10 })
         assert.equal("self_signed", report.warnings[1].reason)
         assert.same({ "skip", nil }, { report.options.tls, report.options.auth })
         assert(safe.send(probes.with_message({}, report.options)))
         other.finish()
         for _, given in ipairs { { tls = "require" }, { tls = "prefer" }, { tls_host = "localhost" },
            { username = "ann", password = "sesame-probe" },
            { auth = "prefer", username = "ann", password = "sesame-probe" } } do
            other = start("self_signed", 2)
            given.host, given.port, given.timeout = "localhost", other.port, 10
            report = assert(safe.probe(given))
            other.finish()
            assert.same({}, report.options)
            assert.equal("certificate", report.warnings[1].kind)
         end
      end)

   it("keeps off TLS on a unix socket, where there is no name to check", function()
      local path = os.tmpname()
      os.remove(path)
      local other = start("good", 2, nil, ("listener = socket.listen(%q)"):format("unix:" .. path))
      local report
      for _ = 1, 100 do
         report = safe.probe { socket = path, timeout = 10 }
         if report then break end
         os.execute("sleep 0.05")
      end
      assert(safe.send(probes.with_message({}, report.options)))
      other.finish()
      assert.equal(path, report.socket)
      assert.equal("skipped", report.tls.state)
      assert.same({ socket = path, tls = "skip", auth = "skip" }, report.options)
   end)

   it("says QUIT where connections are kept", function()
      if not in_nginx then return end
      local report, err, saw = probe(start("good", 1), { keepalive = { idle = 60 } })
      assert(report, tostring(err))
      assert.truthy(saw:find("C: QUIT", 1, true))
   end)

   it("reports TLS 1.2", function()
      if in_nginx then return end -- it does not say which version it is
      local report = assert((probe(start("good", 1, 'tls_max_version = "1.2"'))))
      assert.equal("TLSv1.2", report.tls.version)
      assert.equal("tls_1_2", report.warnings[1].reason)
   end)

   it("reports a certificate that ends soon", function()
      if in_nginx then return end
      local sink = [[
         local sink = require("smtp.safe").sink { tls = "implicit" }
         sink:listen(listener)
         sink:serve { connections = 1, timeout = 5 }
         sink:close()
      ]]
      local other = peer.start(sink)
      local report = assert((probe(other, { tls = "implicit", tls_verify = false })))
      assert.equal("expires_soon", report.warnings[1].reason)
      assert.is_false(report.options.tls_verify)
   end)

   it("shows of a certificate what a terminal may show", function()
      if in_nginx then return end
      local name = os.tmpname()
      os.execute(("env -u LD_PRELOAD openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
         .. "-utf8 -subj '/CN=M\195\188nchen/O=a, b' -addext subjectAltName=DER:30:07:82:05:61:00:1B:62:63 "
         .. "-keyout %s -out %s.crt 2>/dev/null"):format(name, name))
      local other = peer.start(([[
         local sink = require("smtp.safe").sink { tls = "implicit", tls_cert = %q, tls_key = %q }
         sink:listen(listener)
         sink:serve { connections = 1, timeout = 5 }
      ]]):format(name .. ".crt", name))
      local report = assert((probe(other, { tls = "implicit", tls_verify = false })))
      os.remove(name)
      os.remove(name .. ".crt")
      assert.equal("O=a\\, b,CN=M\\C3\\BCnchen", report.tls.certificate.subject)
      assert.same({ "a??bc" }, report.tls.certificate.names)
   end)

   it("does not mind AUTH before TLS on loopback", function()
      local report = assert((probe(start("good", 1, 'auth = { users = { ann = "x" }, before_tls = true }'))))
      assert.same({ "PLAIN", "LOGIN" }, report.before_tls.mechanisms)
      assert.is_nil(warning(report, "auth_before_tls"))
   end)

   it("needs no TLS on loopback", function()
      local report = assert((probe(start("good", 1, "tls = false"))))
      assert.equal("unavailable", report.tls.state)
      assert.equal("skip", report.options.tls)
      assert.is_nil(warning(report, "no_tls") or warning(report, "auth_in_clear"))
      assert.same({ PLAIN = true, LOGIN = true }, report.auth.usable)
   end)
end)

-- Probes on a machine that has no certificates of authorities. -> what was printed, the status
local function probe_without_authorities(other, arguments)
   local said, status = command.smtp(("probe localhost:%d --json %s"):format(other.port, arguments or ""),
      "SSL_CERT_FILE=/nowhere SSL_CERT_DIR=/nowhere ")
   return said, status, other.finish()
end

-- In nginx a directive names the authorities.
describe("a probe without certificates of authorities", function()
   if in_nginx then return end

   it("needs none on this machine where no TLS is offered", function()
      local said, status = probe_without_authorities(start("good", 1, "tls = false"))
      assert.equal(0, status, said)
      assert.is_nil(said:find("tls-ca-file", 1, true))
      assert.matches('"tls":"skip"', said, 1, true)
   end)

   it("reports what is offered, and that they are missing", function()
      local said, status = probe_without_authorities(start("good", 1))
      assert.equal(0, status, said)
      assert.matches('"STARTTLS":""', said, 1, true)
      assert.matches('"verified":false', said, 1, true)
      assert.matches('"kind":"warning","text":"--tls-ca-file cannot be used', said, 1, true)
      assert.matches("Install ca-certificates", said, 1, true)
      assert.matches('"tls":"skip"', said, 1, true) -- how mail to this machine goes out
   end)

   it("recommends nothing where the caller expects TLS", function()
      local said, status, heard = probe_without_authorities(start("good", 1), "--tls require --username ann "
         .. "--password-env SECRET")
      assert.equal(64, status, said)
      assert.matches('"options":{}', said, 1, true)
      assert.matches('"AUTH":"PLAIN LOGIN"', said, 1, true)
      assert.is_nil(heard:find("C: AUTH", 1, true))
   end)
end)
