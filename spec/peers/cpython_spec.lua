-- What the tests of Python's smtplib show: the names are those of its test methods.
local core = require "smtp.core"
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"

local PASSWORD = "sesame-cpython"

local script = peers.script {}

local function login(mechanism)
   return { username = "Mr.A@somewhere.com", password = PASSWORD, auth_plaintext = true, auth_mechanisms = mechanism }
end

local ACCEPTED = { states = "accepted" }

-- Calls this with a connection, and ends the session.
local function on_connection(use)
   return function(options, peer)
      local connection, err = safe.connect { host = options.host, domain = options.domain, tls = "skip",
         transport = options.transport }
      if not connection then return nil, err end
      local answer, refused = use(connection, peer)
      connection:quit()
      return answer, refused
   end
end

local function asking(name, question, argument, lines, wanted)
   return { name, nil, script("<hello X>\n" .. lines .. "\n<bye>"), wanted,
      call = on_connection(function(connection) return connection[question](connection, argument) end) }
end

local function composed(more)
   local all = { from = "foo@bar.example", to = "john@example.com", raw = false, text = "A test message\n",
      subject = "x",
      date = 0, message_id = "<1@me.example>" }
   for name, value in pairs(more) do all[name] = value end
   return all
end

peers.rows("CPython, messages", {
   { "testQuoteData, testSendNeedingDotQuote", { raw = ".A test\n.mes.sage." }, script "<hello X>\n<sent>",
      { body = "..A test\r\n..mes.sage.\r\n.\r\n" } },
   { "testQuoteData: each kind of line end", { raw = "abc\ndef\r\n.jkl\rmno\r\n" }, script "<hello X>\n<sent>",
      { body = "abc\r\ndef\r\n..jkl\r\nmno\r\n.\r\n" } },
   { "testSend, testSendBinary", { raw = "A test message" }, script "<hello X>\n<sent>",
      { body = "A test message\r\n.\r\n" } },
   { "testSendNullSender", { from = false, to = false, envelope = { from = "", to = "recipient@example.com" } },
      script [[
      <hello X>
      C: MAIL FROM:<>
      S: 250 ok
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "testSendMessage, testSendMessageWithAddresses: Bcc is a recipient, and no header",
      composed { cc = "sally@example.com", bcc = { "John Root <root@localhost.example>",
         '"Dinsdale" <warped@silly.example>' } },
      script [[
      <hello X>
      C: MAIL FROM:<foo@bar.example>
      S: 250 ok
      C: RCPT TO:<john@example.com>
      S: 250 ok
      C: RCPT TO:<sally@example.com>
      S: 250 ok
      C: RCPT TO:<root@localhost.example>
      S: 250 ok
      C: RCPT TO:<warped@silly.example>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted accepted accepted accepted", body = table.concat({
      "Date: Thu, 01 Jan 1970 00:00:00 +0000", "From: foo@bar.example", "To: john@example.com", "Cc: sally@example.com",
      "Subject: x", "Message-ID: <1@me.example>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 7bit", "", "A test message", ".", "" }, "\r\n") } },
   { "testSendMessageWithSpecifiedAddresses: an envelope of its own",
      composed { envelope = { from = "joe@example.com", to = "foo@example.net" } }, script [[
      <hello X>
      C: MAIL FROM:<joe@example.com>
      S: 250 ok
      C: RCPT TO:<foo@example.net>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "testSendMessageWithMultipleFrom: Sender is the reverse path",
      composed { from = { "bernard@example.com", "bianca@example.com" },
         sender = "the_rescuers@Rescue-Aid-Society.example" },
      script [[
      <hello X>
      C: MAIL FROM:<the_rescuers@Rescue-Aid-Society.example>
      S: 250 ok
      C: RCPT TO:<john@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "testSendMessageWithMultipleFrom: without Sender", composed { from = { "bernard@example.com",
      "bianca@example.com" } },
      nil, { kind = "usage", option = "sender" } },
   { "testSendMessageResent: Resent-Bcc in a message is refused, where smtplib removes it",
      { raw = "From: foo@bar.example\r\nResent-To: martha@example.com\r\nResent-Bcc: doe@example.com\r\n\r\nx\r\n" },
         nil,
      { kind = "usage", option = "raw" } },
   { "testSendMessageMultipleResentRaises: the envelope of a message is what the caller gives",
      { raw = "Resent-To: a@example.com\r\nResent-To: b@example.com\r\n\r\nx\r\n" }, script "<hello X>\n<sent>",
         ACCEPTED },
   { "test_name_field_not_included_in_envelop_addresses", composed { from = "Michaël <michael@example.com>",
      to = "René <rene@example.com>" }, script [[
      <hello X>
      C: MAIL FROM:<michael@example.com>
      S: 250 ok
      C: RCPT TO:<rene@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
})

peers.rows("CPython, nothing is injected", {
   { "test_issue43124_escape_localhostname", { domain = "hi\nX-INJECTED" }, nil, { kind = "usage",
      option = "domain" } },
   { "test_issue43124_escape_options", { dsn = { envid = "X-OPTION\nX-INJECTED" } }, nil,
      { kind = "usage", option = "dsn.envid" } },
   asking("test_issue43124_putcmd_escapes_newline", "verify", "helo\nX-INJECTED", "", { kind = "usage",
      option = "address" }),
})

peers.rows("CPython, connections", {
   { "testTimeoutZero", { timeout = 0 }, nil, { kind = "usage", option = "timeout" } },
   { "testNonnumericPort", { port = "bogus" }, nil, { kind = "usage", option = "port" } },
   { "testNonnumericPort: in the host", { host = "localhost:bogus" }, nil, { kind = "usage", option = "host" } },
   { "testFailingHELO: a greeting of a class that there is not", nil, "S: 199 no hello for you!\nCLOSE\n",
      { kind = "protocol", stage = "greeting", sent = "no" } },
   { "testLineTooLong", nil, "S: 250 OK" .. ("."):rep(8192 * 2) .. "\nCLOSE\n", { kind = "protocol",
      stage = "greeting" } },
   asking("testNOOP", "noop", nil, "C: NOOP\nS: 250 OK", { code = 250, text = "OK" }),
   asking("testRSET", "reset", nil, "C: RSET\nS: 250 OK", { code = 250, text = "OK" }),
   asking("testVRFY of the debugging server", "verify", "nobody@nowhere.example",
      "C: VRFY nobody@nowhere.example\nS: 252 Cannot VRFY user, but will accept message and attempt delivery",
      { code = 252, text = "Cannot VRFY user, but will accept message and attempt delivery" }),
   asking("testVRFY of a user", "verify", "Mr.A@somewhere.com",
      "C: VRFY Mr.A@somewhere.com\nS: 250 John A <Mr.A@somewhere.com>", { code = 250,
         text = "John A <Mr.A@somewhere.com>" }),
   asking("testVRFY of another", "verify", "nobody@nowhere.example",
      "C: VRFY nobody@nowhere.example\nS: 550 No such user: nobody@nowhere.example", { kind = "reply", code = 550 }),
   { "testELHO, testEHLO: what is offered", nil,
      script "<hello EXPN, SIZE 20000000, STARTTLS, DELIVERBY, HELP>\n<bye>",
      { EXPN = "", SIZE = "20000000", STARTTLS = "", DELIVERBY = "", HELP = "" },
      call = on_connection(function(connection) return connection:capabilities() end) },
   { "test_quit_resets_greeting, test_with_statement, testNotConnected: a connection that was closed",
      nil, script "<hello X>\n<bye>", { kind = "usage" }, call = on_connection(function(connection)
         connection:quit()
         return connection:noop()
      end) },
   { "test_with_statement_QUIT_failure: nothing depends on QUIT", nil,
      script "<hello X>\n<mail>\n<rcpt>\n<data>\nS: 250 ok\nC: QUIT\nS: 421 QUIT FAILED\nCLOSE", ACCEPTED },
})

peers.rows("CPython, AUTH", {
   { "testAUTH_PLAIN, testAUTH_PLAIN_initial_response_login", login(), script([[
      <hello AUTH PLAIN>
      C: AUTH PLAIN $message
      S: 235 Authentication Succeeded
      <sent>
   ]], { message = core.base64("\0Mr.A@somewhere.com\0" .. PASSWORD) }), ACCEPTED },
   { "testAUTH_LOGIN, and its initial_response_ok and notok: never with one", login(), script [[
      <hello AUTH LOGIN>
      C: AUTH LOGIN
      <challenge Username:>
      <answer Mr.A@somewhere.com>
      <challenge Password:>
      <answer sesame-cpython>
      S: 235 Authentication Succeeded
      <sent>
   ]], ACCEPTED },
   { "testAUTH_CRAM_MD5, where it is named", login "CRAM-MD5", script [[
      <hello AUTH CRAM-MD5>
      C: AUTH CRAM-MD5
      S: 334 PENCeUxFREJoU0NnbmhNWitOMjNGNndAZWx3b29kLmlubm9zb2Z0LmNvbT4=
      C: TXIuQUBzb21ld2hlcmUuY29tIDU4ZDZkYmQ2M2E0NmVlOTAxZDFkZjU5YWRiOTQwNTBj
      S: 235 Authentication Succeeded
      <sent>
   ]], ACCEPTED },
   { "testAUTH_multiple: one that is not known is passed over", login(), script([[
      <hello AUTH BOGUS PLAIN LOGIN CRAM-MD5>
      C: AUTH PLAIN $message
      S: 235 ok
      <sent>
   ]], { message = core.base64("\0Mr.A@somewhere.com\0" .. PASSWORD) }), ACCEPTED },
   { "testAUTH_BUGGY: challenges without end", function()
      local buggy = { name = "BUGGY", plaintext = false }
      function buggy.start() return nil end
      function buggy.step() return "\0" end
      return { username = "ann", password = PASSWORD, auth_mechanisms = { buggy } }
   end, script("<hello AUTH BUGGY>\nC: AUTH BUGGY\n" .. ("S: 334 QnVHZ1liVWdHeQ==\nC: AA==\n"):rep(16)
      .. "S: 334 QnVHZ1liVWdHeQ==\nC: *\nS: 501 no\n<bye>"),
      { kind = "auth_rejected", reason = "protocol", sent = "no" } },
   { "571 to AUTH", login(), script([[
      <hello AUTH PLAIN>
      C: AUTH PLAIN $message
      S: 571 Bad authentication
      <bye>
   ]], { message = core.base64("\0Mr.A@somewhere.com\0" .. PASSWORD) }), { kind = "auth_rejected", code = 571 } },
})

local function closing(name, lines, wanted)
   wanted.kind, wanted.sent = wanted.kind or "disconnected", "no"
   return { name, { to = { "sally@example.com", "frank@example.com", "george@example.com" } }, script(lines), wanted }
end

peers.rows("CPython, a server that says goodbye", {
   closing("test__rest_from_mail_cmd: it refuses, and is gone before RSET or QUIT",
      "<hello X>\nC: MAIL FROM:<sender@example.com>\nS: 451 Requested action aborted\nCLOSE",
      { kind = "sender_refused", code = 451, retry = "later", states = "unsent unsent unsent" }),
   closing("test_421_from_mail_cmd", "<hello X>\nC: MAIL FROM:<sender@example.com>\nS: 421 closing connection\nCLOSE",
      { code = 421, stage = "mail", retry = "later", states = "unsent unsent unsent" }),
   closing("test_421_from_rcpt_cmd", [[
      <hello X>
      <mail>
      C: RCPT TO:<sally@example.com>
      S: 250 accepted
      C: RCPT TO:<frank@example.com>
      S: 421 closing
      CLOSE
   ]], { code = 421, stage = "rcpt", states = "unsent unsent unsent" }),
   closing("test_421_from_data_cmd", [[
      <hello X>
      <mail>
      C: RCPT TO:<sally@example.com>
      S: 250 ok
      C: RCPT TO:<frank@example.com>
      S: 250 ok
      C: RCPT TO:<george@example.com>
      S: 250 ok
      C: DATA
      S: 421 closing
      CLOSE
   ]], { code = 421, stage = "data" }),
})

peers.rows("CPython, SMTPUTF8", {
   { "test_smtputf8_NotSupportedError_if_no_server_support", { extensions = { smtputf8 = "require" } },
      script "<hello X>\n<bye>", { kind = "extension_unsupported", sent = "no" } },
   { "test_send_unicode_without_SMTPUTF8", { to = "Böb@example.com" }, script "<hello X>\n<bye>",
      { kind = "extension_unsupported", sent = "no" } },
   { "test_send_message_error_on_non_ascii_addrs_if_no_smtputf8", composed { from = "Páolo <főo@bar.com>" },
      script "<hello X>\n<bye>", { kind = "extension_unsupported", sent = "no" } },
   { "test_send_unicode_with_SMTPUTF8: sendmail and the low level", { from = "Jő@example.com",
      to = "János@example.com",
      raw = "¡a test message containing unicode!" }, script [[
      <hello SMTPUTF8, 8BITMIME>
      C: MAIL FROM:<Jő@example.com> BODY=8BITMIME SMTPUTF8
      S: 250 ok
      C: RCPT TO:<János@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], { body = "¡a test message containing unicode!\r\n.\r\n" } },
   { "test_send_message_uses_smtputf8_if_addrs_non_ascii", composed { from = "Páolo <főo@bar.com>",
      subject = "Nudge nudge, wink, wink", text = "oh là là\n" }, script [[
      <hello SMTPUTF8, 8BITMIME>
      C: MAIL FROM:<főo@bar.com> SMTPUTF8
      S: 250 ok
      C: RCPT TO:<john@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
})
