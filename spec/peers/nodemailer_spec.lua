-- What nodemailer's tests of its SMTP connection show: the sections are those of its files.
local core = require "smtp.core"
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local PASSWORD = "sesame-nodemailer"
local ACCEPTED = { states = "accepted" }

local script = peers.script {
   ehlo_only = "S: 220 test ESMTP\nC: EHLO me.example",
   plain = function() return "C: AUTH PLAIN " .. core.base64("\0testuser\0" .. PASSWORD) end,
   mail_refused = "C: MAIL FROM:<sender@example.com>$1",
}

local function login(more)
   local all = { username = "testuser", password = PASSWORD, auth_plaintext = true }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

-- ---- smtp-connection-test: replies ----

peers.rows("nodemailer, replies", {
   { "an empty line before the greeting is not SMTP, where nodemailer skips it", nil, "S:\nS: 220 test ESMTP\nCLOSE\n",
      { kind = "protocol", stage = "greeting", sent = "no" } },
   { "an empty line after the reply to EHLO is a reply to nothing", nil, script [[
      <ehlo_only>
      S: 250-test
      S: 250 SIZE 1000
      S:
   ]], { kind = "protocol", sent = "no" } },
   { "UTF-8 in a refusal", nil,
      script "<hello X>\n<mail_refused>\nS: 451 4.7.1 Temporary failure: öõüä Привет мир\n<bye>",
      { kind = "sender_refused", code = 451, text = "Temporary failure: öõüä Привет мир",
         retry = "later" } },
   { "UTF-8 in the last reply", nil,
      script "<hello X>\n<mail>\n<rcpt>\n<data>\nS: 250 2.0.0 OK queued öõ Привет\n<bye>",
      { reply = { code = 250, enhanced = "2.0.0", text = "OK queued öõ Привет" } } },
   { "bytes that are not UTF-8", nil, script "<hello X>\n<mail_refused>\nS: 451 4.7.1 binary: \\xff\\xfe\n<bye>",
      { kind = "sender_refused", code = 451, text = "binary: ??" } },
   { "UTF-8 in the reply to EHLO", nil, script [[
      <ehlo_only>
      S: 250-mail.example.com Привет
      S: 250-PIPELINING
      S: 250 SIZE 10485760
      C: MAIL FROM:<sender@example.com> SIZE=20
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 354 go
      MESSAGE
      S: 250 2.0.0 OK queued as ABC123
      <bye>
   ]], { reply = { code = 250, enhanced = "2.0.0", text = "OK queued as ABC123" } } },
   { "a line that has no end when the connection closes", nil, script "<ehlo_only>\nS~ 421 Прощай\nCLOSE",
      { kind = "disconnected", stage = "ehlo", sent = "no" } },
   { "the name of the client cannot hold commands", { domain = "legit.host\r\nMAIL FROM:<attacker@evil.com>" }, nil,
      { kind = "usage", option = "domain" } },
   { "nor a bare LF, nor a bare CR", { domain = "a\nb" }, nil, { kind = "usage", option = "domain" } },
})

-- ---- smtp-connection-errors-test ----

peers.rows("nodemailer, greeting and EHLO", {
   { "no service", nil, script "S: 554 5.3.2 No SMTP service here\n<bye>",
      { kind = "greeting_refused", code = 554, enhanced = "5.3.2", text = "No SMTP service here",
         stage = "greeting" } },
   { "421 without a line end, and the end of the connection", nil, "S~ 421 4.7.0 Too many connections\nCLOSE\n",
      { kind = "greeting_refused", code = 421, enhanced = "4.7.0", text = "Too many connections",
         stage = "greeting" } },
   { "the connection ends before the greeting", nil, "CLOSE\n", { kind = "disconnected", stage = "greeting" } },
   { "the greeting does not come", nil, "SILENCE\n", { kind = "timeout", stage = "greeting", retry = "later" } },
   { "421 to EHLO, and no HELO after it", nil, script "<ehlo_only>\nS: 421 4.3.2 Service shutting down\nCLOSE",
      { kind = "disconnected", code = 421, stage = "ehlo" } },
   { "HELO, where EHLO is refused", nil, script [[
      <ehlo_only>
      S: 502 5.5.1 Command not implemented
      C: HELO me.example
      S: 250 test
      <sent>
   ]], ACCEPTED },
   { "EHLO and HELO are refused", nil, script [[
      <ehlo_only>
      S: 502 5.5.1 Command not implemented
      C: HELO me.example
      S: 501 5.5.4 Syntax error
      <bye>
   ]], { kind = "greeting_refused", code = 501, stage = "ehlo" } },
   { "HELO has no STARTTLS; it is said, so that the reason is certain", { tls = "require" }, script [[
      <ehlo_only>
      S: 502 5.5.1 Command not implemented
      C: HELO me.example
      S: 250 test
      <bye>
   ]], { kind = "tls_unsupported", code = 502, sent = "no" } },
   { "a reply to EHLO in several pieces", nil, script [[
      <ehlo_only>
      S~ 250-test\r\n250-PIPELINING\r
      S~ \n250 SIZE
      S:  1000
      C: MAIL FROM:<sender@example.com> SIZE=20
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 354 go
      MESSAGE
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "LHLO is refused", { protocol = "lmtp", port = 2424 }, script [[
      S: 220 test
      C: LHLO me.example
      S: 500 5.5.1 Command unrecognized
      <bye>
   ]], { kind = "greeting_refused", code = 500, stage = "ehlo" } },
   { "LHLO again after TLS", { protocol = "lmtp", port = 2424, tls = "require" }, script [[
      <lhlo STARTTLS>
      C: STARTTLS
      S: 220 go
      TLS
      C: LHLO me.example
      S: 250 mx
      <sent>
   ]], ACCEPTED },
   { "a handshake that fails", { tls = "require" }, script "<hello STARTTLS>\nC: STARTTLS\nS: 220 go\nTLS tls:protocol",
      { kind = "tls", stage = "tls", sent = "no" } },
   { "454, and the end of the connection, in place of the greeting", nil, "S: 454 4.3.0 Try again later\nCLOSE\n",
      { kind = "greeting_refused", code = 454, retry = "later" } },
})

peers.rows("nodemailer, ports and envelopes", {
   { "a port that is too large", { port = 999999999 }, nil, { kind = "usage", option = "port" } },
   { "no recipients", { to = {} }, nil, { kind = "usage", option = "to" } },
   { "line ends in the sender", { from = "a@example.com\r\nRCPT TO:<x@example.com>" }, nil, { kind = "usage",
      option = "from" } },
   { "< and > in the sender's address", { from = { address = "<a@example.com>" } }, nil, { kind = "address",
      option = "from" } },
   { "a folded recipient", { to = { "a@example.com", '"address\r\n with folding"@valid.recipient' } }, nil,
      { kind = "address", option = "to" } },
   { "a RET that there is not", { dsn = { ret = "SOMETHING" } }, nil, { kind = "usage", option = "dsn.ret" } },
   { "never, and success", { dsn = { notify = { "never", "success" } } }, nil, { kind = "usage",
      option = "dsn.notify" } },
   { "a NOTIFY that there is not", { dsn = { notify = { "success", "bogus" } } }, nil, { kind = "usage",
      option = "dsn.notify" } },
   { "a size with line ends", { raw = function() end, size = "100\r\nRCPT TO:<attacker@evil.com>" }, nil,
      { kind = "usage", option = "size" } },
   { "a message that is empty is sent on purpose", { raw = "" }, script "<hello X>\n<sent>", ACCEPTED },
   { "no message at all", { raw = false }, nil, { kind = "usage" } },
   { "DSN, all parameters", { from = false, to = false, dsn = { ret = "full", envid = "env id" }, envelope = {
      from = "a@example.com", to = { { address = "b@example.com", notify = { "success", "failure" },
         orcpt = "orig@example.com" } } } },
      script [[
      <hello DSN>
      C: MAIL FROM:<a@example.com> RET=FULL ENVID=env+20id
      S: 250 ok
      C: RCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@example.com
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "DSN, headers only; an address in ASCII is of the type rfc822", { from = false, to = false, dsn = { ret = "hdrs",
      envid = "abc" },
      envelope = { from = "a@example.com", to = { { address = "b@example.com", notify = "never",
         orcpt = "utf-8;x@example.com" } } } },
      script [[
      <hello DSN>
      C: MAIL FROM:<a@example.com> RET=HDRS ENVID=abc
      S: 250 ok
      C: RCPT TO:<b@example.com> NOTIFY=NEVER ORCPT=rfc822;x@example.com
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "DSN that is not offered is an error, where nodemailer leaves it out", { dsn = { ret = "full" } },
      script "<hello X>\n<bye>", { kind = "extension_unsupported", sent = "no" } },
   { "and is left out where it is preferred", { dsn = { ret = "full" }, extensions = { dsn = "prefer" } },
      script "<hello X>\n<sent>", ACCEPTED },
})

peers.rows("nodemailer, transactions", {
   { "a sender outside ASCII is refused by the server", { from = "tõst@example.com" }, script [[
      <hello SMTPUTF8>
      C: MAIL FROM:<tõst@example.com> SMTPUTF8
      S: 550 5.6.7 Internationalized sender not allowed
      <bye>
   ]], { kind = "sender_refused", code = 550, enhanced = "5.6.7" } },
   { "a recipient outside ASCII is refused by the server", { to = "tõst@example.com" }, script [[
      <hello SMTPUTF8>
      <mail  SMTPUTF8>
      C: RCPT TO:<tõst@example.com>
      S: 553 5.6.7 Internationalized recipient not allowed
      <bye>
   ]], { kind = "recipients_refused", code = 553, states = "refused" } },
   { "DATA is refused, and no byte of the message follows", nil, script [[
      <hello X>
      <mail>
      <rcpt>
      C: DATA
      S: 554 5.7.1 Message refused
      <bye>
   ]], { kind = "data_refused", code = 554, stage = "data", sent = "no", states = "refused" } },
   { "some recipients, without PIPELINING", { to = { "test1@example.com", "test2@invalid.example",
      "test3@example.com" } },
      script [[
      <hello X>
      <mail>
      C: RCPT TO:<test1@example.com>
      S: 250 ok
      C: RCPT TO:<test2@invalid.example>
      S: 550 no
      C: RCPT TO:<test3@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted refused accepted" } },
   { "SIZE that is larger than the server's limit", { raw = function() end, size = 1024 * 1024 },
      script "<hello SIZE 102400>\n<bye>", { kind = "message_too_large", sent = "no" } },
   { "452 to a SIZE", { raw = ("x"):rep(70) .. "\r\n" }, script [[
      <hello SIZE 102400>
      <mail_refused  SIZE=72>
      S: 452 Insufficient channel storage
      <bye>
   ]], { kind = "sender_refused", code = 452, retry = "later" } },
   { "LMTP: each recipient has an answer", { protocol = "lmtp", port = 2424, to = { "test1@example.com",
      "test2@invalid.example", "test3@example.com", "test4@example.com" } }, script [[
      <lhlo X>
      <mail>
      C: RCPT TO:<test1@example.com>
      S: 250 ok
      C: RCPT TO:<test2@invalid.example>
      S: 550 no
      C: RCPT TO:<test3@example.com>
      S: 250 ok
      C: RCPT TO:<test4@example.com>
      S: 250 ok
      <data>
      S: 550 <test1@example.com> Not accepted
      S: 250 <test3@example.com> Accepted
      S: 550 <test4@example.com> Not accepted
      <bye>
   ]], { states = "refused refused accepted refused" } },
   { "8BITMIME", { raw = "õõõõ" }, script [[
      <hello 8BITMIME, SMTPUTF8>
      <mail  BODY=8BITMIME>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], { body = "õõõõ\r\n.\r\n" } },
   { "8-bit content, where 8BITMIME is not offered", { raw = "õõõõ" }, script "<hello X>\n<bye>",
      { kind = "extension_unsupported", sent = "no" } },
   { "REQUIRETLS", { tls = "require", requiretls = true }, script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 go
      TLS
      <ehlo REQUIRETLS>
      <mail  REQUIRETLS>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "REQUIRETLS with parameters of DSN", { tls = "require", requiretls = true, dsn = { ret = "hdrs",
      envid = "test-id" } },
      script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 go
      TLS
      <ehlo REQUIRETLS, DSN>
      <mail  RET=HDRS ENVID=test-id REQUIRETLS>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "REQUIRETLS that is not offered", { tls = "require", requiretls = true }, script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 go
      TLS
      <ehlo X>
      <bye>
   ]], { kind = "extension_unsupported", sent = "no" } },
   { "REQUIRETLS without TLS", { requiretls = true }, script "<hello REQUIRETLS>\n<bye>",
      { kind = "extension_unsupported", sent = "no" } },
})

-- ---- pipelining-test ----

peers.rows("nodemailer, pipelining", {
   { "the whole envelope before a reply", { to = { "a@example.com", "b@example.com" } }, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<a@example.com>
      C: RCPT TO:<b@example.com>
      C: DATA
      S: 250 2.1.0 ok
      S: 250 2.1.5 ok
      S: 250 2.1.5 ok
      S: 354 go ahead
      MESSAGE
      S: 250 ok
      <bye>
   ]], { states = "accepted accepted" } },
   { "a sender who is refused, and the replies to what was sent with him", nil, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 550 5.7.1 sender refused
      S: 503 5.5.1 need MAIL first
      S: 503 5.5.1 need RCPT first
      <bye>
   ]], { kind = "sender_refused", code = 550, enhanced = "5.7.1", states = "unsent" } },
   { "a server that closes", nil, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 421 4.3.2 shutting down
      CLOSE
   ]], { kind = "disconnected", code = 421, stage = "mail" } },
   { "a server that takes DATA without a recipient gets an end, and no message", nil, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 250 ok
      S: 550 5.1.1 no such user
      S: 354 go ahead
      C: .
      S: 554 5.5.1 no valid recipients
      <bye>
   ]], { kind = "recipients_refused", code = 550, states = "refused" } },
})

-- ---- starttls-buffer-test ----

peers.rows("nodemailer, STARTTLS", {
   { "the beginning of a reply before TLS", { tls = "require" }, script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 2.0.0 Ready to start TLS
      S~ 250-SMTPUTF8 INJECTED-MARKER
   ]], { kind = "protocol", reason = "injected", sent = "no" } },
   { "STARTTLS that is not offered, where it is required", { tls = "require" }, script "<hello X>\n<bye>",
      { kind = "tls_unsupported", sent = "no" } },
   { "and where it is preferred", { tls = "prefer" }, script "<hello X>\n<sent>", ACCEPTED },
   { "the connection ends after TLS", { tls = "require" }, script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 go
      TLS
      C: EHLO me.example
      CLOSE
   ]], { kind = "disconnected", sent = "no" } },
})

-- ---- smtp-connection-auth-test ----

peers.rows("nodemailer, AUTH", {
   { "PLAIN has no authorization identity", login(), script "<hello AUTH PLAIN XOAUTH2>\n<plain>\nS: 235 ok\n<sent>",
      ACCEPTED },
   { "a wrong password", login(), script "<hello AUTH PLAIN>\n<plain>\nS: 535 Invalid username or password\n<bye>",
      { kind = "auth_rejected", code = 535, sent = "no" } },
   { "a user without a password", { username = "testuser" }, nil, { kind = "usage", option = "password" } },
   { "nothing is advertised: no AUTH, where nodemailer tries PLAIN", login(), script "<hello X>\n<bye>",
      { kind = "auth_unsupported", reason = "not_advertised" } },
   { "a mechanism that there is not", login { auth_mechanisms = "DIGEST-MD5" }, nil, { kind = "usage",
      option = "auth_mechanisms" } },
   { "LOGIN, where only that is offered; UTF-8 in a password", login { password = "sesäme-nodemailer" }, script [[
      <hello AUTH LOGIN>
      C: AUTH LOGIN
      S: 334 VXNlcm5hbWU6
      <answer testuser>
      S: 334 UGFzc3dvcmQ6
      <answer sesäme-nodemailer>
      S: 235 2.7.0 Authentication successful
      <sent>
   ]], ACCEPTED },
   { "no challenge for the user", login(), script "<hello AUTH LOGIN>\nC: AUTH LOGIN\nS: 503 5.5.1 Not now\n<bye>",
      { kind = "auth_unsupported", reason = "rejected_command", code = 503 } },
   { "no challenge for the password, which is not said", login(), script [[
      <hello AUTH LOGIN>
      C: AUTH LOGIN
      S: 334 VXNlcm5hbWU6
      <answer testuser>
      S: 535 5.7.8 Unknown user
      <bye>
   ]], { kind = "auth_rejected", code = 535 } },
   { "CRAM-MD5 is refused", login { auth_mechanisms = "CRAM-MD5" }, script [[
      <hello AUTH CRAM-MD5>
      C: AUTH CRAM-MD5
      S: 504 5.5.4 Unrecognized authentication type
      <bye>
   ]], { kind = "auth_unsupported", reason = "no_common_mechanism", code = 504 } },
   { "a password, where only XOAUTH2 is offered: nothing is tried", login(), script "<hello AUTH XOAUTH2>\n<bye>",
      { kind = "auth_unsupported", reason = "no_common_mechanism" } },
   { "a mechanism of the caller", function()
      local own = { name = "X-TOKEN" }
      function own.start() return nil end
      function own.step(_, challenge) return challenge == "token" and PASSWORD or nil, true end
      return login { auth_mechanisms = { own } }
   end, script([[
      <hello AUTH X-TOKEN>
      C: AUTH X-TOKEN
      S: 334 dG9rZW4=
      C: $answer
      S: 235 2.7.0 OK
      <sent>
   ]], { answer = core.base64(PASSWORD) }), ACCEPTED },
   { "one that raises", function()
      local own = { name = "X-TOKEN" }
      function own.start() error "token expired" end
      function own.step() return nil end
      return login { auth_mechanisms = { own } }
   end, script "<hello AUTH X-TOKEN>\nCLOSE", { kind = "source", stage = "auth", sent = "no" } },
   { "an XOAUTH2 token that is refused", { username = "testuser", token = "sesame-invalid-token",
      auth_plaintext = true }, script([[
      <hello AUTH XOAUTH2>
      C: AUTH XOAUTH2 $message
      S: 334 $json
      C:
      S: 535 no
      <bye>
   ]], { message = core.base64 "user=testuser\1auth=Bearer sesame-invalid-token\1\1",
      json = core.base64 '{"status":"401","schemes":"bearer mac","scope":"my_smtp_access_scope_name"}' }),
      { kind = "auth_rejected", reason = "token_expired", code = 535 } },
})

-- ---- several messages ----

peers.rows("nodemailer, a connection", {
   { "two messages, and a RSET that the library does not need", nil, script [[
      <hello X>
      <mail>
      <rcpt>
      <data>
      S: 250 ok
      <mail>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED, call = function(options)
      local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false },
         options.transport)))
      local message = { from = options.from, to = options.to, raw = options.raw }
      local receipt, err = connection:send(message)
      if receipt then receipt, err = connection:send(message) end
      connection:quit()
      return receipt, err
   end },
   { "RSET is refused", nil, script "<hello X>\nC: RSET\nS: 503 5.5.1 Bad sequence of commands\nCLOSE",
      { kind = "protocol", code = 503, stage = "rset", retry = "now" }, call = function(options)
         local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false },
            options.transport)))
         local answer, err = connection:reset()
         connection:quit()
         return answer, err
      end },
})

-- ---- data-stream-test: what was given in pieces, what arrives ----

local function pieces(list)
   return function()
      local i = 0
      return { raw = function()
         i = i + 1
         return list[i]
      end }
   end
end

local streams = {}
for _, row in ipairs {
   { { "Subject: test\r\n\r\nhello\r\n" }, "Subject: test\r\n\r\nhello\r\n" }, { { "hello" }, "hello\r\n" },
   { { "hello\r" }, "hello\r\n" }, { {}, "" }, { { "line 1\nline 2\n\nline 4" }, "line 1\r\nline 2\r\n\r\nline 4\r\n" },
   { { "line 1\r\nline 2\r\n" }, "line 1\r\nline 2\r\n" }, { { "line 1\r", "\nline 2" }, "line 1\r\nline 2\r\n" },
   { { "line 1", "\nline 2" }, "line 1\r\nline 2\r\n" }, { { "a\rb\r\n" }, "a\r\nb\r\n" },
   { { "first\r\n.second\r\n..third\r\n" }, "first\r\n..second\r\n...third\r\n" }, { { ".hidden" }, "..hidden\r\n" },
   { { "before\n.\nafter" }, "before\r\n..\r\nafter\r\n" }, { { "first\n", ".second" }, "first\r\n..second\r\n" },
   { { "first", ".second" }, "first.second\r\n" }, { { "a.b.c\r\n" }, "a.b.c\r\n" },
   { { "first\r.second" }, "first\r\n..second\r\n" }, { { "", "hello", "" }, "hello\r\n" }, { { "a\n", ".b" },
      "a\r\n..b\r\n" },
   -- MailKit
   { { ("x"):rep(78) .. "\r\n", ".hello\r\n" }, ("x"):rep(78) .. "\r\n..hello\r\n" },
   { { ("x"):rep(72), ".hello\r\n" }, ("x"):rep(72) .. ".hello\r\n" },
   { { "... This line\r\ntherefore\r\n. And this!\r\n" }, ".... This line\r\ntherefore\r\n.. And this!\r\n" } } do
   streams[#streams + 1] = { ("%q"):format(table.concat(row[1], "|")), pieces(row[1]), script "<hello X>\n<sent>",
      { body = row[2] .. ".\r\n" } }
end
peers.rows("nodemailer and MailKit, lines of a message", streams)
