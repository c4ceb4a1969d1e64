-- What curl's tests of SMTP show: the numbers are those of its files.
local core = require "smtp.core"
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local PASSWORD = "sesame-curl"
local TOKEN = "mF_9.B5f-4.1JqM"
local LETTER = "From: different\r\nTo: another\r\n\r\nbody\r\n" -- 38 bytes on the wire, and four of a line end

local function base64(text) return core.base64(text) end

local script = peers.script {
   plain = function() return "C: AUTH PLAIN " .. base64("\0user\0" .. PASSWORD) end,
   xoauth2 = function() return base64("user=user\1auth=Bearer " .. TOKEN .. "\1\1") end,
   bearer = function() return base64("n,a=user,\1host=mx.example\1port=587\1auth=Bearer " .. TOKEN .. "\1\1") end,
   to = "C: RCPT TO:<$1@example.com>\nS: 250 ok",
   not_to = "C: RCPT TO:<$1>\nS: 550 5.1.1 no",
}

-- Logs in, on a link that is not encrypted, where curl has no objection.
local function login(more)
   local all = { username = "user", password = PASSWORD, auth_plaintext = true }
   for name, value in pairs(more or {}) do all[name] = value end
   for name, value in pairs(all) do if value == "-" then all[name] = nil end end
   return all
end

local function token(more)
   local all = login { password = "-", token = TOKEN }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

-- Questions on a connection.
local function asking(question, ...)
   local arguments = { ... }
   return function(options)
      local connection, err = safe.connect {
         host = options.host, domain = options.domain, tls = "skip", transport = options.transport }
      if not connection then return nil, err end
      local answer, refused = connection[question](connection, (table.unpack or unpack)(arguments)) -- luacheck: ignore
      connection:quit()
      return answer, refused
   end
end

local ACCEPTED = { states = "accepted" }

peers.rows("curl, messages", {
   { "900: a message", { raw = LETTER }, script "<hello SIZE2>\n<sent>", { body = LETTER .. ".\r\n",
      states = "accepted" } },
   { "901: lines of a dot are doubled",
      { raw = "From: different\r\nTo: another\r\n\r\n\r\n.\r\n.\r\n\r\n.\r\n\r\nbody\r\n" },
      script "<hello X>\n<sent>",
      { body = "From: different\r\nTo: another\r\n\r\n\r\n..\r\n..\r\n\r\n..\r\n\r\nbody\r\n.\r\n" } },
   { "902: HELO, where EHLO is not known", { raw = LETTER }, script [[
      S: 220 hi
      C: EHLO me.example
      S: 500 Command unrecognized
      C: HELO me.example
      S: 250 mx
      <sent>
   ]], ACCEPTED },
   { "909: no SIZE, where it is not offered", { raw = LETTER }, script "<hello X>\n<sent>", ACCEPTED },
   { "910: a line end is added to the last line", { raw = "From: different\r\nTo: another\r\n\r\nbody" },
      script "<hello X>\n<sent>", { body = LETTER .. ".\r\n" } },
   { "911: a message without a byte", { raw = "" }, script "<hello X>\n<sent>", { body = ".\r\n" } },
   { "912: SIZE with the bytes of the message", { raw = LETTER }, script [[
      <hello SIZE>
      <mail  SIZE=38>
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "913: a message that is too large is not offered", { raw = LETTER }, script "<hello SIZE 32>\n<bye>",
      { kind = "message_too_large", limit = 32, size = 38, sent = "no", stage = "mail" } },
   { "914: a sender without a domain is refused here", { from = "invalid" }, nil, { kind = "address",
      option = "from" } },
   { "914: and one that the server refuses, there", nil, script [[
      <hello X>
      C: MAIL FROM:<sender@example.com>
      S: 501 not fine enough
      <bye>
   ]], { kind = "sender_refused", code = 501, stage = "mail", sent = "no" } },
   { "915: the null reverse path is said on purpose", { from = false, to = false, raw = LETTER,
      envelope = { from = "", to = "recipient@example.com" } }, script [[
      <hello X>
      C: MAIL FROM:<>
      S: 250 ok
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "915: and never by leaving the sender out", { from = false }, nil, { kind = "usage", option = "from" } },
   { "916: a recipient without a domain is refused here", { to = "invalid" }, nil, { kind = "address",
      option = "to" } },
   { "917: five recipients", { to = { "r.one@example.com", "r.two@example.com", "r.three@example.com",
      "r.four@example.com", "r.five@example.com" } }, script [[
      <hello X>
      <mail>
      <to r.one>
      <to r.two>
      <to r.three>
      <to r.four>
      <to r.five>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted accepted accepted accepted accepted" } },
   { "918: one of several that is refused refuses the message, where all are needed",
      { to = { "r.one@example.com", "r.two@example.com" }, recipients = "all" }, script [[
      <hello X>
      <mail>
      <to r.one>
      <not_to r.two@example.com>
      <bye>
   ]], { kind = "recipients_refused", code = 550, sent = "no", states = "unsent refused" } },
   { "941: LF becomes CR LF", { raw = "From: different\nTo: another\n\nemail\nconverted\n"
      .. ("0123456789"):rep(10, "") .. "\n" }, script "<hello X>\n<sent>",
      { body = "From: different\r\nTo: another\r\n\r\nemail\r\nconverted\r\n" .. ("0123456789"):rep(10)
         .. "\r\n.\r\n" } },
   { "951: a dot at the start of the first line", { raw = ".This is first\r\n" }, script "<hello X>\n<sent>",
      { body = "..This is first\r\n.\r\n" } },
   { "952: a message of one dot", { raw = "." }, script "<hello X>\n<sent>", { body = "..\r\n.\r\n" } },
   { "1406: SIZE, and two recipients", { raw = LETTER, to = { "r.one@example.com", "r.two@example.com" } }, script [[
      <hello SIZE>
      <mail  SIZE=38>
      <to r.one>
      <to r.two>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted accepted" } },
   { "1507: a source that gives up in the message", function()
      local count = 0
      return { raw = function()
         count = count + 1
         if count == 2 then error "aborted by the caller" end
         return "From: different\r\n"
      end }
   end, script [[
      <hello X>
      <mail>
      <rcpt>
      C: DATA
      S: 354 go on
      SILENCE
   ]], { kind = "source", sent = "no", states = "unsent" } },
   { "1520: lines of a dot in pieces", function()
      local pieces, i = { "To: another\r\n\r\n\r", "\n.", "\r\n.\r\n\r\n", ".\r", "\n\r\nbody\r\n" }, 0
      return { raw = function()
         i = i + 1
         return pieces[i]
      end }
   end, script "<hello X>\n<sent>", { body = "To: another\r\n\r\n\r\n..\r\n..\r\n\r\n..\r\n\r\nbody\r\n.\r\n" } },
})

peers.rows("curl, recipients of whom some are refused", {
   { "3002: the first", { to = { "one@invalid.example", "r.two@example.com" } }, script [[
      <hello X>
      <mail>
      <not_to one@invalid.example>
      <to r.two>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "refused accepted" } },
   { "3003: the last", { to = { "r.one@example.com", "two@invalid.example" } }, script [[
      <hello X>
      <mail>
      <to r.one>
      <not_to two@invalid.example>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted refused" } },
   { "3004: one between others", { to = { "r.one@example.com", "two@invalid.example", "r.three@example.com" } },
      script [[
      <hello X>
      <mail>
      <to r.one>
      <not_to two@invalid.example>
      <to r.three>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "accepted refused accepted" } },
   { "3005: all but one", { to = { "one@invalid.example", "r.two@example.com", "three@invalid.example" } }, script [[
      <hello X>
      <mail>
      <not_to one@invalid.example>
      <to r.two>
      <not_to three@invalid.example>
      <data>
      S: 250 ok
      <bye>
   ]], { states = "refused accepted refused" } },
   { "3006: all", { to = { "one@invalid.example", "two@invalid.example" } }, script [[
      <hello X>
      <mail>
      <not_to one@invalid.example>
      <not_to two@invalid.example>
      <bye>
   ]], { kind = "recipients_refused", code = 550, states = "refused refused", sent = "no" } },
   { "3007: the only one", { to = "one@invalid.example" }, script [[
      <hello X>
      <mail>
      <not_to one@invalid.example>
      <bye>
   ]], { kind = "recipients_refused", code = 550, states = "refused", sent = "no" } },
})

peers.rows("curl, AUTH", {
   { "903, 919: PLAIN, with an initial response", login(), script "<hello AUTH PLAIN>\n<plain>\nS: 235 ok\n<sent>",
      ACCEPTED },
   { "903: PLAIN after a challenge, where the server takes no initial response", login(), script([[
      <hello AUTH PLAIN>
      <plain>
      S: 501 5.5.6 no initial response
      C: AUTH PLAIN
      S: 334 PLAIN supported
      C: $plain
      S: 235 ok
      <sent>
   ]], { plain = base64("\0user\0" .. PASSWORD) }), ACCEPTED },
   { "904, 920: LOGIN, never with an initial response", login(), script [[
      <hello AUTH LOGIN>
      C: AUTH LOGIN
      <challenge Username:>
      <answer user>
      <challenge Password:>
      <answer sesame-curl>
      S: 235 ok
      <sent>
   ]], ACCEPTED },
   { "905: CRAM-MD5, where it is named", login { auth_mechanisms = "CRAM-MD5" }, script [[
      <hello AUTH CRAM-MD5>
      C: AUTH CRAM-MD5
      S: 334 PDE5NzIuOTg3NjU0MzIxQGN1cmw+
      C: dXNlciBiNzI5NmYyMTU4ODlkMDk3NTZmYzU2NDhlMWRhZTRiNw==
      S: 235 ok
      <sent>
   ]], ACCEPTED },
   { "905: and not where it is not", login(), script "<hello AUTH CRAM-MD5>\n<bye>",
      { kind = "auth_unsupported", reason = "no_common_mechanism", sent = "no" } },
   { "906, 921, 933: NTLM alone is no mechanism of this library", login(), script "<hello AUTH NTLM>\n<bye>",
      { kind = "auth_unsupported", reason = "no_common_mechanism", offered = { "NTLM" } } },
   { "907, 934: nor is DIGEST-MD5", login(), script "<hello AUTH DIGEST-MD5>\n<bye>",
      { kind = "auth_unsupported", reason = "no_common_mechanism" } },
   { "936: NTLM is passed over for PLAIN", login(), script "<hello AUTH NTLM PLAIN>\n<plain>\nS: 235 ok\n<sent>",
      ACCEPTED },
   { "937: and so is DIGEST-MD5", login(), script "<hello AUTH DIGEST-MD5 PLAIN>\n<plain>\nS: 235 ok\n<sent>",
      ACCEPTED },
   { "908, 922: XOAUTH2, with an initial response", token(), script([[
      <hello AUTH XOAUTH2>
      C: AUTH XOAUTH2 $message
      S: 235 ok
      <sent>
   ]], { message = script.xoauth2:gsub("%s+$", "") }), ACCEPTED },
   { "946, 947: OAUTHBEARER, with an initial response", token(), script([[
      <hello AUTH OAUTHBEARER>
      C: AUTH OAUTHBEARER $message
      S: 235 ok
      <sent>
   ]], { message = script.bearer:gsub("%s+$", "") }), ACCEPTED },
   { "948, 949: an error as a challenge is answered", token(), script([[
      <hello AUTH OAUTHBEARER>
      C: AUTH OAUTHBEARER $message
      S: 334 $json
      C: AQ==
      S: 535-Username and Password not accepted.
      S: 535 http://support.example.com/mail/oauth
      <bye>
   ]], { message = script.bearer:gsub("%s+$", ""),
      json = base64 '{"status":"invalid_token","scope":"example_scope"}' }),
      { kind = "auth_rejected", reason = "token_expired", code = 535, sent = "no" } },
   { "992: of two mechanisms the one that is named", token { auth_mechanisms = "XOAUTH2" }, script([[
      <hello AUTH OAUTHBEARER XOAUTH2>
      C: AUTH XOAUTH2 $message
      S: 235 ok
      <sent>
   ]], { message = script.xoauth2:gsub("%s+$", "") }), ACCEPTED },
   { "932: a challenge that is not base64 is answered with *", login { auth_mechanisms = "CRAM-MD5" }, script [[
      <hello AUTH CRAM-MD5>
      C: AUTH CRAM-MD5
      S: 334 Rubbish
      C: *
      S: 501 AUTH exchange cancelled by client
      <bye>
   ]], { kind = "auth_rejected", reason = "protocol", sent = "no" } },
   { "935: and nothing weaker is tried after that", login { auth_mechanisms = { "CRAM-MD5", "PLAIN" } }, script [[
      <hello AUTH CRAM-MD5 PLAIN>
      C: AUTH CRAM-MD5
      S: 334 Rubbish
      C: *
      S: 501 AUTH exchange cancelled by client
      <bye>
   ]], { kind = "auth_rejected", reason = "protocol", sent = "no" } },
   { "939: HELO only is an error where AUTH is required", login(), script [[
      S: 220 hi
      C: EHLO me.example
      S: 500 Command unrecognized
      C: HELO me.example
      S: 250 mx
      <bye>
   ]], { kind = "auth_unsupported", reason = "helo_only", sent = "no" } },
   { "939: and sends without it where it is preferred", login { auth = "prefer" }, script [[
      S: 220 hi
      C: EHLO me.example
      S: 500 Command unrecognized
      C: HELO me.example
      S: 250 mx
      <sent>
   ]], ACCEPTED },
   { "940: a server without AUTH is an error where AUTH is required", login(), script "<hello X>\n<bye>",
      { kind = "auth_unsupported", reason = "not_advertised", sent = "no" } },
   { "940: and sends without it where it is preferred", login { auth = "prefer" }, script "<hello X>\n<sent>",
      ACCEPTED },
   { "942, 944: EXTERNAL with an identity", { auth_mechanisms = "EXTERNAL", authzid = "user" }, script [[
      <hello AUTH EXTERNAL>
      <auth EXTERNAL, user>
      S: 235 ok
      <sent>
   ]], ACCEPTED },
   { "943, 945: EXTERNAL without one", { auth_mechanisms = "EXTERNAL" }, script [[
      <hello AUTH EXTERNAL>
      C: AUTH EXTERNAL =
      S: 235 ok
      <sent>
   ]], ACCEPTED },
   { "953: PLAIN on behalf of another", login { username = "kurt", authzid = "ursel" }, script([[
      <hello AUTH PLAIN>
      C: AUTH PLAIN $message
      S: 235 ok
      <sent>
   ]], { message = base64("ursel\0kurt\0" .. PASSWORD) }), ACCEPTED },
   { "954: who may not do that", login { username = "kurt", authzid = "ursel" }, script([[
      <hello AUTH PLAIN>
      C: AUTH PLAIN $message
      S: 501 Not authorized
      <bye>
   ]], { message = base64("ursel\0kurt\0" .. PASSWORD) }), { kind = "auth_rejected", code = 501, sent = "no" } },
   { "980: replies after a refused STARTTLS are replies to nothing", login { tls = "prefer" }, script [[
      <hello STARTTLS, AUTH PLAIN>
      C: STARTTLS
      S: 454 currently unavailable
      S: 235 Authenticated
      S: 250 2.1.0 Sender ok
      S: 250 2.1.5 Recipient ok
      S: 354 Enter mail
      S: 250 2.0.0 Accepted
   ]], { kind = "tls", reason = "starttls_refused", code = 454, sent = "no" } },
})

peers.rows("curl, addresses that are not ASCII", {
   { "955: a local part as the sender, where SMTPUTF8 is not offered", { from = "Avsändaren@example.com" },
      script "<hello X>\n<bye>", { kind = "extension_unsupported", sent = "no" } },
   { "956: and as the recipient", { to = "Stödmottagaren@example.com" }, script "<hello X>\n<bye>",
      { kind = "extension_unsupported", sent = "no" } },
   { "959, 962: a domain of the sender is converted", { from = "sender@åäö.se" }, script [[
      <hello X>
      C: MAIL FROM:<sender@xn--4cab6c.se>
      S: 250 ok
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "960, 963: and that of a recipient", { to = "recipient@åäö.se" }, script [[
      <hello X>
      <mail>
      C: RCPT TO:<recipient@xn--4cab6c.se>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "965: SMTPUTF8 for the sender", { from = "Avsändaren@åäö.se" }, script [[
      <hello SMTPUTF8, 8BITMIME>
      C: MAIL FROM:<Avsändaren@åäö.se> SMTPUTF8
      S: 250 ok
      <rcpt>
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
   { "966: and for a recipient", { to = "Stödmottagaren@åäö.se" }, script [[
      <hello SMTPUTF8, 8BITMIME>
      <mail  SMTPUTF8>
      C: RCPT TO:<Stödmottagaren@åäö.se>
      S: 250 ok
      <data>
      S: 250 ok
      <bye>
   ]], ACCEPTED },
})

local function question(name, question_name, argument, lines, wanted)
   return { name, nil, script("<hello X>\n" .. lines .. "\n<bye>"), wanted, call = asking(question_name, argument) }
end

peers.rows("curl, questions", {
   question("923, 950: VRFY", "verify", "recipient", "C: VRFY recipient\nS: 250 <recipient@example.com>",
      { code = 250, text = "<recipient@example.com>" }),
   question("924: VRFY that is ambiguous", "verify", "smith", "C: VRFY smith\nS: 553-Ambiguous; Possibilities are:\n"
      .. "S: 553-Joe Smith <joe.smith@example.com>\nS: 553 Harry Smith <harry.smith@example.com>",
      { kind = "reply", code = 553, stage = "vrfy" }),
   question("925: VRFY with an address", "verify", "user@example.net",
      "C: VRFY user@example.net\nS: 252 Send some mail and I'll try my best", { code = 252 }),
   question("926: VRFY of an unknown user", "verify", "recipient", "C: VRFY recipient\nS: 550 Unknown user",
      { kind = "reply", code = 550, text = "Unknown user" }),
   question("929: NOOP", "noop", nil, "C: NOOP\nS: 250 ok", { code = 250 }),
   question("930: RSET", "reset", nil, "C: RSET\nS: 250 ok", { code = 250 }),
   question("957, 958, 961, 964, 967, 968: VRFY takes ASCII alone", "verify", "Användaren@åäö.se", "",
      { kind = "usage", option = "address" }),
})

peers.rows("curl, places", {
   { "931: line ends in a URL", { host = false, url = "smtp://mx.example/%0d%0a" }, nil, { kind = "usage",
      option = "url" } },
   { "987: TLS from the first byte, where TLS is required as well", { host = false, tls = "implicit", port = 465,
      tls_host = "mx.example", url = "smtps://mx.example" }, script [[
      TLS
      <hello X>
      <sent>
   ]], ACCEPTED, call = function(options, peer)
      local receipt, err = safe.send(options)
      if peer.handshake then assert.same({ name = "mx.example", verify = true }, peer.handshake) end
      return receipt, err
   end },
})

describe("curl, several connections", function()
   it("938: two users over two connections: each logs in on its own", function()
      for _, user in ipairs { "user.one", "user.two" } do
         local receipt = talk.send(login { username = user, from = "sender@example.com", to = "recipient@example.com" },
            script([[
            <hello AUTH PLAIN>
            C: AUTH PLAIN $message
            S: 235 ok
            <sent>
         ]], { message = base64("\0" .. user .. "\0" .. PASSWORD) }))
         assert.equal("authenticated", receipt.auth.state)
      end
   end)
end)

-- The messages that curl composes of forms: ours are composed of other options, and the parts come back the same.
describe("curl, parts", function()
   local function composed(options)
      local all = { from = "sender@example.com", to = "recipient@example.com", date = 0, message_id = "<1@me.example>" }
      for name, value in pairs(options) do all[name] = value end
      local pieces = {}
      for piece in assert(safe.message(all)):source() do pieces[#pieces + 1] = piece end
      return table.concat(pieces)
   end

   it("646: text and HTML as alternatives, beside a file", function()
      local text = composed { text = "This is the plain text version", html = "<body>This is the html version</body>",
         headers = { ["X-test1"] = "this is a header" },
         attachments = { content = "This is an attached file.\n\nIt may contain any type of data.\n",
            filename = "test646.txt" } }
      for _, words in ipairs { "multipart/mixed", "multipart/alternative", "This is the plain text version",
         "<body>This is the html version</body>", "X-test1: this is a header", 'filename="test646.txt"' } do
         assert.truthy(text:find(words, 1, true), words)
      end
   end)

   it("648, 652: quoted-printable for a long line, base64 for a file of 16 KB", function()
      local content = ("AAAAAAAAABBBBBBBBB"):rep(1000)
      local text = composed { text = "a very long line containing = " .. ("word "):rep(400) .. "é",
         attachments = { content = content, filename = "myfile.jpg" } }
      assert.truthy(text:find("quoted-printable", 1, true))
      assert.truthy(text:find("=3D", 1, true))
      assert.truthy(text:gsub("\r\n", ""):find(base64(content), 1, true))
      for line in text:gmatch "[^\r\n]+" do assert.is_true(#line <= 78) end
   end)

   it("649: what does not fit into 7 bits is encoded, where curl gives up", function()
      local text = composed { text = "This is an Unicode text: çéêà" }
      assert.is_nil(text:find("[\128-\255]"))
   end)

   it("1187: quotes and backslashes in the name of a file", function()
      assert.truthy(composed { text = "x", attachments = { content = "File content", filename = 'strange\\file"name' } }
         :find('filename="strange\\\\file\\"name"', 1, true))
   end)
end)
