-- The cases of SMTP of the test server of the paper "Why TLS Is Better Without STARTTLS" (USENIX Security 2021): its
-- folders and files have these names. The client has a user and a password; nothing but TLS may carry them.
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"

local PASSWORD = "sesame-nostarttls"

local script = peers.script {
   unknown_ehlo = "S: 220 hi\nC: EHLO me.example\nS: 500 Syntax error, command unrecognized",
   refused_starttls = "<hello STARTTLS>\nC: STARTTLS",
   helo = "C: HELO me.example\nS: 250 mx",
}

local words = { [220] = "220 Hello", [221] = "221 Closing", [354] = "354 Start mail input",
   [421] = "421 Service not available", [454] = "454 TLS not available due to temporary reason",
   [500] = "500 Syntax error, command unrecognized", [501] = "501 Syntax error in parameters",
   [502] = "502 Command not implemented", [504] = "504 Command parameter not implemented",
   [530] = "530 Must issue a STARTTLS command first", [550] = "550 Mailbox unavailable",
      [554] = "554 Transaction failed" }

local rows = {}

-- Both where TLS is needed and where it is used if it is offered. `lines` come after the reply of this code; of
-- `wanted` a second one is for "prefer".
local function row(name, code, before, lines, wanted, wanted_of_prefer)
   for _, tls in ipairs { "require", "prefer" } do
      rows[#rows + 1] = { ("%s, tls = %q"):format(name, tls),
         { tls = tls, username = "user", password = PASSWORD, pipelining = "off" },
         script(before .. (code and "\nS: " .. words[code] or "") .. "\n" .. lines),
         tls == "prefer" and wanted_of_prefer or wanted }
   end
end

local function nothing(kind, reason, code, stage)
   return { kind = kind, reason = reason, code = code, stage = stage, sent = "no", states = "unsent" }
end

-- ---- Buffering ----

row("Buffering/B_1: a reply to EHLO in clear text, before TLS", nil, [[
   <hello STARTTLS>
   C: STARTTLS
   S: 220 Ready to start TLS
   S: 250-example.org
   S: 250 AUTH LOGIN
]], "", nothing("protocol", "injected", nil, "tls"))

row("Buffering/B_1: its beginning", nil, "<hello STARTTLS>\nC: STARTTLS\nS: 220 Ready to start TLS\nS~ 250-exam", "",
   nothing("protocol", "injected", nil, "tls"))

-- ---- Negotiation ----

row("Negotiation/D_1: neither EHLO nor STARTTLS is known", nil, "<unknown_ehlo>\n<helo>", "<bye>",
   nothing("tls_unsupported", "helo_only", 500, "starttls"), nothing("auth_unsupported", "helo_only", 500, "auth"))

row("Negotiation/O_1: AUTH, and no STARTTLS", nil, "<hello AUTH PLAIN LOGIN>", "<bye>",
   nothing("tls_unsupported", "not_advertised", nil, "starttls"), nothing("auth_insecure", nil, nil, "auth"))

for name, code in pairs { O_2 = 502, O_3 = 454 } do
   row("Negotiation/" .. name .. ": STARTTLS is refused", code, "<refused_starttls>", "<bye>",
      nothing("tls", "starttls_refused", code, "starttls"))
end

row("Negotiation/O_4: STARTTLS is answered with 354", 354, "<refused_starttls>", "CLOSE",
   nothing("protocol", "unexpected", 354, "starttls"))

-- ---- others ----

local mechanisms = "0SNET ANONYMOUS APOP ATOKEN CRAM_MD5 CRAM-MD5 CRAM-MD52 CRAM-SHA256 CRYPT DIGEST-MD5 DPLAIN "
   .. "EXTERNAL GS2-KRB5 GSSAPI HASH LOGIN LOGIN1 LOGIN_2 LOGIN-LDAP MD5 MSN NTLM OAUTHBEARER OTP PLAIN PLAIN2 "
   .. "PLAIN_3 PLAIN-MD5 RPA SASLPLAIN SCRAM-MD5 SECURID SHA-1 SKEY SPA SSL-REQUIRED X-0THROOT XALIOAUTH XOAUTH "
   .. "XOAUTH2 XYMCOOKIE"

for _, name in ipairs { "X_1", "ehlo/250-all" } do
   row("others/" .. name .. ": every mechanism, and no STARTTLS", nil, "<hello AUTH " .. mechanisms .. ">", "<bye>",
      nothing("tls_unsupported", "not_advertised", nil, "starttls"), nothing("auth_insecure", nil, nil, "auth"))
end

row("others/ehlo/250-empty: nothing is offered", nil, "S: 220 hi\nC: EHLO me.example\nS: 250 mx", "<bye>",
   nothing("tls_unsupported", "not_advertised", nil, "starttls"), nothing("auth_unsupported", "not_advertised", nil,
      "auth"))

for _, code in ipairs { 221, 354 } do
   row("others/greeting/" .. code, code, "", "CLOSE", nothing("protocol", "unexpected", code, "greeting"))
   row("others/ehlo/" .. code, code, "S: 220 hi\nC: EHLO me.example", "CLOSE", nothing("protocol", "unexpected", code,
      "ehlo"))
   row("others/helo/ehlo500_helo" .. code, code, "<unknown_ehlo>\nC: HELO me.example", "CLOSE",
      nothing("protocol", "unexpected", code, "ehlo"))
   row("others/starttls/" .. code, code, "<refused_starttls>", "CLOSE", nothing("protocol", "unexpected", code,
      "starttls"))
end

row("others/ehlo/220", 220, "S: 220 hi\nC: EHLO me.example", "CLOSE", nothing("protocol", "unexpected", 220, "ehlo"))
row("others/helo/ehlo500_helo220", 220, "<unknown_ehlo>\nC: HELO me.example", "CLOSE",
   nothing("protocol", "unexpected", 220, "ehlo"))

row("others/greeting/421", 421, "", "CLOSE", nothing("greeting_refused", "temporary", 421, "greeting"))
row("others/ehlo/421", 421, "S: 220 hi\nC: EHLO me.example", "CLOSE", nothing("disconnected", "temporary", 421, "ehlo"))
row("others/helo/ehlo500_helo421", 421, "<unknown_ehlo>\nC: HELO me.example", "CLOSE",
   nothing("disconnected", "temporary", 421, "ehlo"))
row("others/starttls/421", 421, "<refused_starttls>", "CLOSE", nothing("disconnected", "shutting_down", 421,
   "starttls"))

for _, code in ipairs { 500, 501, 530, 554 } do
   row("others/greeting/" .. code, code, "", "<bye>", nothing("greeting_refused", "refused", code, "greeting"))
end

for _, code in ipairs { 500, 501, 502, 504 } do
   row("others/ehlo/" .. code, code, "S: 220 hi\nC: EHLO me.example", "<helo>\n<bye>",
      nothing("tls_unsupported", "helo_only", code, "starttls"), nothing("auth_unsupported", "helo_only", code, "auth"))
end

for _, code in ipairs { 530, 550 } do
   row("others/ehlo/" .. code, code, "S: 220 hi\nC: EHLO me.example", "<bye>",
      nothing("greeting_refused", "refused", code, "ehlo"))
end

for _, code in ipairs { 500, 501, 530 } do
   row("others/helo/ehlo500_helo" .. code, code, "<unknown_ehlo>\nC: HELO me.example", "<bye>",
      nothing("greeting_refused", "helo", code, "ehlo"))
end

for _, code in ipairs { 454, 500, 501, 530 } do
   row("others/starttls/" .. code, code, "<refused_starttls>", "<bye>", nothing("tls", "starttls_refused", code,
      "starttls"))
end

-- What QUIT is answered with changes nothing.
for _, code in ipairs { 220, 221, 354, 421, 500, 501, 530 } do
   row("others/quit/greeting500_quit" .. code, 500, "", "C: QUIT\nS: " .. words[code] .. "\nCLOSE",
      nothing("greeting_refused", "refused", 500, "greeting"))
end

-- With these TLS begins, and the secret goes through it.
local function secret_in_tls(name)
   rows[#rows + 1] = { name, { tls = "require", username = "user", password = PASSWORD }, script [[
      <hello STARTTLS>
      C: STARTTLS
      S: 220 EHLO client!
      TLS
      <ehlo AUTH PLAIN>
      C: AUTH PLAIN AHVzZXIAc2VzYW1lLW5vc3RhcnR0bHM=
      S: 235 ok
      <sent>
   ]], { states = "accepted" } }
end

secret_in_tls "setup, others/greeting/220, others/starttls/220: the secret after TLS"

rows[#rows + 1] = { "setup_opportunistic_encryption: AUTH before TLS is not used",
   { tls = "prefer", username = "user", password = PASSWORD }, script [[
   <hello STARTTLS, AUTH PLAIN>
   C: STARTTLS
   S: 220 go
   TLS
   <ehlo AUTH PLAIN>
   C: AUTH PLAIN AHVzZXIAc2VzYW1lLW5vc3RhcnR0bHM=
   S: 235 ok
   <sent>
]], { states = "accepted" } }

-- RSET, where only HELO is known: the rows say what the caller of connection:reset() is told.
local function resetting(options)
   local connection, err = safe.connect { host = options.host, domain = options.domain, tls = "skip",
      transport = options.transport }
   if not connection then return nil, err end
   local answer, refused = connection:reset()
   connection:quit()
   return answer, refused
end

-- Any 2yz but a goodbye says that it was done; a connection whose RSET was refused is not used again, for QUIT neither.
local after_reset = {
   [220] = { code = 220 }, [221] = { kind = "protocol", code = 221 }, [354] = { kind = "protocol", code = 354 },
   [421] = { kind = "disconnected", code = 421 }, [500] = { kind = "protocol", code = 500 },
   [501] = { kind = "protocol", code = 501 }, [530] = { kind = "protocol", code = 530 },
}
for code, wanted in pairs(after_reset) do
   rows[#rows + 1] = { "others/rset/ehlo500_rset" .. code, nil,
      script("<unknown_ehlo>\n<helo>\nC: RSET\nS: " .. words[code] .. "\n" .. (wanted.kind and "CLOSE" or "<bye>")),
      wanted, call = resetting }
end

peers.rows("NO STARTTLS", rows)
