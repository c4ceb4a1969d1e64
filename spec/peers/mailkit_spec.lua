-- What the tests of MailKit's SMTP client and its stream show: the names are those of its test methods. Most of them
-- exist twice there, with and without async.
local core = require "smtp.core"
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"
local servers = require "smtp.options.server"
local talk = require "spec.tools.talk"

local PASSWORD = "sesame-mailkit"
local ACCEPTED = { states = "accepted" }

local script = peers.script {
   plain = function() return "C: AUTH PLAIN " .. core.base64("\0username\0" .. PASSWORD) end,
   opens = "<hello HELP, AUTH LOGIN PLAIN, SIZE 36700160, ENHANCEDSTATUSCODES, 8BITMIME, STARTTLS>",
}

local function login(more)
   local all = { username = "username", password = PASSWORD, auth_plaintext = true }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local function composed(more)
   local all = { raw = false, text = "This is the message body.\n", subject = "a", date = 0,
      message_id = "<1@me.example>" }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

-- ---- SmtpStreamTests: replies ----

local long = {}
for i = 1, 60 do long[i] = ("S: 250-%02d%s"):format(i, ("abcdefgh"):rep(11)) end

peers.rows("MailKit, replies", {
   { "TestReadResponseInvalidResponseCode", nil, "S: XXX This is an invalid response.\nCLOSE\n",
      { kind = "protocol", stage = "greeting", sent = "no" } },
   { "TestReadResponseMismatchedResponseCodes", nil,
      "S: 220 hi\nC: EHLO me.example\nS: 250-This is the first line.\nS: 340 And this is not its code.\nCLOSE\n",
      { kind = "protocol", stage = "ehlo", sent = "no" } },
   { "TestReadResponseLatin1Fallback", nil, script [[
      <hello X>
      <mail>
      <rcpt>
      <data>
      S: 250-Wikip\xe9dia, encyclop\xe9die
      S: 250 et v\xe9rifiable.
      <bye>
   ]], { reply = { code = 250, text = "Wikip?dia, encyclop?die\net v?rifiable." } } },
   { "TestReadResponseOver4K", nil,
      script("S: 220 hi\nC: EHLO me.example\n" .. table.concat(long, "\n")
         .. "\nS: 250 Okay, now we're done.\n<sent>"), ACCEPTED },
})

-- ---- SmtpClientTests ----

peers.rows("MailKit, the session", {
   { "TestHeloFallback: an address is a name in brackets, and is given as one", { domain = "[IPv6:::1]" }, script [[
      S: 220 hi
      C: EHLO [IPv6:::1]
      S: 502 5.5.1 command not implemented
      C: HELO [IPv6:::1]
      S: 250 mx
      <sent>
   ]], ACCEPTED },
   { "TestHeloFallback: without brackets", { domain = "::1" }, nil, { kind = "usage", option = "domain" } },
   { "greeting-not-ready", nil, script "S: 554 5.3.2 not ready\n<bye>", { kind = "greeting_refused", code = 554 } },
   { "ehlo-size-overflow: a SIZE that is larger than a number", nil, script [[
      <hello SIZE 99999999999999999999>
      <mail  SIZE=20>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "ehlo-size-large", nil, "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 SIZE 4294967296\n"
      .. script "<mail  SIZE=20>\n<rcpt>\n<data>\nS: 250 ok\n<bye>", ACCEPTED },
   { "comcast-ehlo+x-exps: X-EXPS is not AUTH", login(), script "<hello X-EXPS LOGIN PLAIN>\n<bye>",
      { kind = "auth_unsupported", reason = "not_advertised" } },
   { "SmtpCapabilitiesTests: what the server offers", nil, script "<opens>\n<bye>",
      { HELP = "", AUTH = "LOGIN PLAIN", SIZE = "36700160", ENHANCEDSTATUSCODES = "", ["8BITMIME"] = "",
         STARTTLS = "" },
      call = function(options)
         local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false },
            options.transport)))
         local offered = connection:capabilities()
         connection:quit()
         return offered
      end },
   { "TestSendWithoutSenderOrRecipients: the sender", composed { from = false }, nil, { kind = "usage",
      option = "from" } },
   { "TestSendWithoutSenderOrRecipients: the recipients", composed { to = false }, nil, { kind = "usage",
      option = "to" } },
   { "TestBasicFunctionality: LOGIN, VRFY, NOOP and four messages on one connection",
      login { auth_mechanisms = "LOGIN" },
      script([[
      <opens>
      C: AUTH LOGIN
      <challenge Username:>
      <answer username>
      <challenge Password:>
      <answer sesame-mailkit>
      S: 235 2.7.0 ok
      C: VRFY Smith
      S: 250 Fred Smith <Smith@USC-ISIF.ARPA>
      C: NOOP
      S: 250 2.0.0 ok
   ]] .. ([[
      <mail  SIZE=20>
      <rcpt>
      <data>
      S: 250 2.0.0 1Yat1n00V1sBWGw3SYaubg mail accepted for delivery
   ]]):rep(4) .. "<bye>"), { reply = { code = 250, enhanced = "2.0.0",
      text = "1Yat1n00V1sBWGw3SYaubg mail accepted for delivery" } },
      call = function(options)
         local all = {}
         for name, value in pairs(options) do all[name] = value end
         all.from, all.to, all.raw = nil, nil, nil
         local connection = assert(safe.connect(all))
         assert.equal("Fred Smith <Smith@USC-ISIF.ARPA>", assert(connection:verify "Smith").text)
         assert(connection:noop())
         local receipt
         for _ = 1, 4 do receipt = assert(connection:send { from = options.from, to = options.to,
            raw = options.raw }) end
         connection:quit()
         return receipt
      end },
})

peers.rows("MailKit, arguments", {
   { "TestArgumentExceptions: an empty host", { host = "" }, nil, { kind = "usage", option = "host" } },
   { "TestArgumentExceptions: no port", { port = -1 }, nil, { kind = "usage", option = "port" } },
   { "TestArgumentExceptions: no recipients", { to = {} }, nil, { kind = "usage", option = "to" } },
   { "TestArgumentExceptions: a user without a password", { username = "username" }, nil,
      { kind = "usage", option = "password" } },
})

describe("MailKit, arguments", function()
   local function connect(commands)
      return assert(safe.connect(talk.options({ from = false, to = false, raw = false },
         talk.peer(script("<opens>\n" .. commands)))))
   end

   it("TestArgumentExceptions: VRFY with nothing, and with two lines", function()
      local conn = connect "<bye>"
      for _, argument in ipairs { "", "line1\r\nline2" } do
         local _, err = conn:verify(argument)
         assert.same({ "usage", "address" }, { err.kind, err.option })
      end
      conn:quit()
   end)

   it("TestInvalidStateExceptions: what is not connected can only be closed", function()
      local conn = connect "<bye>"
      conn:quit()
      for _, name in ipairs { "send", "noop", "reset" } do
         local _, err = conn[name](conn, { from = "sender@example.com", to = "recipient@example.com", text = "x" })
         assert.equal("usage", err.kind, name)
      end
      assert.equal("usage", select(2, conn:verify "user@example.com").kind)
      assert.is_true(conn:close())
   end)

   -- The ports are MailKit's. Without a word for TLS it is required here, where MailKit takes it if it is there.
   for tls, expected in pairs { skip = { 25, 25, 465 }, implicit = { 465, 25, 465 }, require = { 25, 25, 465 },
      prefer = { 25, 25, 465 }, none = { 25, 25, 465, words = { "require", "require", "implicit" } } } do
      it("TestComputeDefaultValues: " .. tls, function()
         for i, port in ipairs { false, 25, 465 } do
            local server = servers.new { host = "smtp.skyfall.net", port = port or nil,
               tls = tls ~= "none" and tls or nil }
            assert.equal(expected[i], server.port)
            assert.equal(expected.words and expected.words[i] or tls, server.tls)
         end
      end)
   end
end)

peers.rows("MailKit, AUTH", {
   { "TestSaslAuthentication: LOGIN, where that is named", login { auth_mechanisms = "LOGIN" }, script [[
      <opens>
      C: AUTH LOGIN
      <challenge Username:>
      <answer username>
      <challenge Password:>
      <answer sesame-mailkit>
      S: 235 2.7.0 ok
      <mail  SIZE=20>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "TestSaslInitialResponse", login(),
      script "<opens>\n<plain>\nS: 235 2.7.0 ok\n<mail  SIZE=20>\n<rcpt>\n<data>\nS: 250 ok\n<bye>",
      ACCEPTED },
   { "TestAuthenticationFailed: no other mechanism gets the same password, where MailKit tries LOGIN after PLAIN",
      login(),
      script "<opens>\n<plain>\nS: 535 authentication failed\n<bye>", { kind = "auth_rejected", code = 535,
         sent = "no" } },
   { "auth-too-weak: 534 is followed by another mechanism", login(), script [[
      <hello AUTH LOGIN PLAIN>
      <plain>
      S: 534 authentication mechanism too weak
      C: AUTH LOGIN
      <challenge Username:>
      <answer username>
      <challenge Password:>
      <answer sesame-mailkit>
      S: 235 ok
      <sent>
   ]], ACCEPTED },
   { "comcast-auth-digest-md5: it is not there", login { auth_mechanisms = "DIGEST-MD5" }, nil,
      { kind = "usage", option = "auth_mechanisms" } },
   { "TestUnauthorizedAccessException: AUTH is required at MAIL", nil, script [[
      <opens>
      C: MAIL FROM:<sender@example.com> SIZE=20
      S: 530 5.7.0 authentication required
      <bye>
   ]],
      { kind = "auth_required", code = 530, sent = "no" } },
   { "TestInvalidStateExceptions: AUTH is required at RCPT", nil, script [[
      <hello AUTH PLAIN>
      <mail>
      C: RCPT TO:<recipient@example.com>
      S: 530 5.7.0 authentication required
      <bye>
   ]], { kind = "auth_required", code = 530, sent = "no" } },
})

-- SmtpAuthenticationSecretDetectorTests, TestRedactAuthentication, TestRedactSaslAuthentication.
describe("MailKit, a trace without secrets", function()
   for _, row in ipairs { { "PLAIN", "<plain>\nS: 235 ok" }, { "LOGIN",
      "C: AUTH LOGIN\n<challenge Username:>\n<answer username>\n<challenge Password:>\n"
      .. "<answer sesame-mailkit>\nS: 235 ok" } } do
      it("of " .. row[1], function()
         local lines = {}
         local options = login { auth_mechanisms = row[1], from = "sender@example.com", to = "recipient@example.com",
            trace = function(direction, line) lines[#lines + 1] = direction .. ": " .. line end }
         assert(talk.send(options, script("<hello AUTH " .. row[1] .. ">\n" .. row[2] .. "\n<sent>")))
         local text = table.concat(lines, "\n")
         assert.is_nil(text:find(core.base64(PASSWORD), 1, true))
         assert.is_nil(text:find(core.base64("\0username\0" .. PASSWORD), 1, true))
         assert.truthy(text:find("C: AUTH " .. row[1], 1, true))
         assert.truthy(text:find("MAIL FROM:<sender@example.com>", 1, true))
      end)
   end
end)

peers.rows("MailKit, messages", {
   { "TestEightBitMime", { raw = "Subject: æøå\r\n\r\næøå\r\n" }, script [[
      <hello 8BITMIME>
      <mail  BODY=8BITMIME>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], { body = "Subject: æøå\r\n\r\næøå\r\n.\r\n" } },
   { "TestInternationalMailboxes", { from = "úßerñame@example.com", to = "úßerñame@example.com",
      raw = "æøå\r\n" }, script [[
      <hello 8BITMIME, SMTPUTF8>
      C: MAIL FROM:<úßerñame@example.com> BODY=8BITMIME SMTPUTF8
      S: 250 ok
      C: RCPT TO:<úßerñame@example.com>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "TestInternationalMailboxes: a local part has no ASCII form, where MailKit writes one for it",
      { from = "úßerñame@example.com" }, script "<hello 8BITMIME>\n<bye>", { kind = "extension_unsupported",
         sent = "no" } },
   { "TestBinaryMime: what needs BINARYMIME is encoded, or refused", { raw = "a\0b" }, nil, { kind = "usage",
      option = "raw" } },
   { "TestPipelining", { to = { "recipient@example.com", "another@example.com" } }, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<recipient@example.com>
      C: RCPT TO:<another@example.com>
      C: DATA
      S: 250 2.1.0 sender ok
      S: 250 2.1.5 recipient ok
      S: 250 2.1.5 recipient ok
      S: 354 go
      MESSAGE
      S: 250 ok
      <bye>
   ]], { states = "accepted accepted" } },
   { "TestMailFromMailboxUnavailable: the sender", nil, script [[
      <hello X>
      C: MAIL FROM:<sender@example.com>
      S: 550 5.1.0 mailbox unavailable
      <bye>
   ]], { kind = "sender_refused", code = 550, states = "unsent" } },
   { "TestRcptToMailboxUnavailable: pipelined, and DATA is accepted", nil, script [[
      <hello PIPELINING>
      C: MAIL FROM:<sender@example.com>
      C: RCPT TO:<recipient@example.com>
      C: DATA
      S: 250 2.1.0 sender ok
      S: 550 5.1.0 mailbox unavailable
      S: 354 enter mail, end with . on a line by itself
      C: .
      S: 554 no recipients
      <bye>
   ]], { kind = "recipients_refused", code = 550 } },
   { "TestMailFromMailboxUnavailable, TestRcptToMailboxUnavailable: the connection goes on", nil, script [[
      <hello X>
      C: MAIL FROM:<sender@example.com>
      S: 550 5.1.0 mailbox unavailable
      C: RSET
      S: 250 2.0.0 ok
      <mail>
      C: RCPT TO:<recipient@example.com>
      S: 550 5.1.0 mailbox unavailable
      C: RSET
      S: 250 2.0.0 ok
      <mail>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED, call = function(options)
      local given = talk.options({ from = false, to = false, raw = false }, options.transport)
      local connection = assert(safe.connect(given))
      local message = { from = options.from, to = options.to, raw = options.raw }
      for _, kind in ipairs { "sender_refused", "recipients_refused" } do
         local _, refused = connection:send(message)
         assert.same({ kind, 550, true }, { refused.kind, refused.code, connection.alive })
      end
      local receipt, err = connection:send(message)
      connection:quit()
      return receipt, err
   end },
   { "mailbox-not-allowed", nil, script [[
      <hello X>
      <mail>
      C: RCPT TO:<recipient@example.com>
      S: 553 5.1.0 mailbox name not allowed
      <bye>
   ]], { kind = "recipients_refused", code = 553 } },
   { "bad-command-sequence, after the message", nil, script [[
      <hello X>
      <mail>
      <rcpt>
      C: DATA
      S: 503 5.5.1 bad sequence of commands
      <bye>
   ]], { kind = "data_refused", code = 503, sent = "no" } },
   { "TestDeliveryStatusNotification", { from = false, to = false, dsn = { ret = "hdrs", envid = "abc@example.com" },
      pipelining = "off", envelope = { from = "sender@example.com", to = { { address = "recipient@example.com",
      notify = { "success", "failure", "delay" }, orcpt = "recipient@example.com" } } } }, script [[
      <hello PIPELINING, 8BITMIME, DSN>
      <mail  RET=HDRS ENVID=abc@example.com>
      C: RCPT TO:<recipient@example.com> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;recipient@example.com
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "TestDeliveryStatusNotificationWithHexEncode", { from = false, to = false, dsn = { ret = "full",
      envid = "123+=abc@x" },
      envelope = { from = "sender@example.com", to = { { address = "recipient@名がドメイン.com",
         notify = "never" } } } }, script [[
      <hello DSN>
      <mail  RET=FULL ENVID=123+2B+3Dabc@x>
      C: RCPT TO:<recipient@xn--v8jxj3d1dzdz08w.com> NOTIFY=NEVER
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "TestDeliveryStatusNotificationWithHexEncode: an ENVID outside ASCII",
      { dsn = { envid = "abc@名がドメイン.com" } }, nil,
      { kind = "usage", option = "dsn.envid" } },
   { "TestRequireTls", { tls = "require", requiretls = true }, script [[
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
})
