-- What goes wrong before a login: the network, the first bytes, TLS, certificates; and answers that do not come.
local certs = require "spec.tools.certs"
local openssl_server = require "spec.tools.openssl_server"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local staged = require "spec.tools.staged"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()
local NO_LOGIN = { username = false, password = false, tls = "skip" }

local function at(port, more)
   local t = { port = port }
   for name, value in pairs(NO_LOGIN) do t[name] = value end
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

-- ---- the first bytes ----

local CHECK = "check host and port"

local function foreign(name, greeting, what)
   return { name, options = NO_LOGIN, server = { greeting = greeting },
      error = { "protocol", "malformed", nil, "never" }, says = { what, CHECK } }
end

local function silent_at(port, what)
   return { "nothing, at port " .. port, options = at(port), server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" },
      says = { "no greeting within 60 s (reply_timeout)", what, "587 or 465" } }
end

staged.rows("The first bytes:", {
   foreign("HTTP", "HTTP/1.1 400 Bad Request", "web server"),
   foreign("HTML", "<!DOCTYPE html>", "web server"),
   foreign("IMAP", "* OK [CAPABILITY IMAP4rev1] ready", "IMAP server"),
   foreign("IMAP that refuses", "* BYE too many connections", "IMAP server"),
   foreign("POP3", "+OK ready", "POP3 server"),
   foreign("SSH", "SSH-2.0-OpenSSH_9.2", "SSH server"),
   foreign("RTSP", "RTSP/1.0 400 Bad Request", "RTSP"),
   foreign("MySQL", "J\0\0\0", "MySQL server"),
   foreign("telnet", "\255\253\24", "may not be an SMTP server"),
   foreign("no text", "\3\0\0\11\6\208", "speaks no text"),
   foreign("MySQL that refuses", "F\0\0\0\255j\4Host 'x' is not allowed to connect to this MySQL server",
      "MySQL server"),
   foreign("telnet", "\255\253\24\255\253\32\255\253\35\255\253\39", "telnet server"),
   foreign("ManageSieve", "\"IMPLEMENTATION\" \"Dovecot\"", "ManageSieve"),
   foreign("anything else", "welcome", CHECK),
   { "FTP that requires a login", options = at(21),
      server = { greeting = "220 (vsFTPd 3.0.3)", EHLO = "530 Please login with USER and PASS." },
      error = { "greeting_refused", "refused", nil, "never" }, says = { "FTP server", CHECK } },
   { "FTP that does not know EHLO", options = at(21),
      server = { greeting = "220 ProFTPD Server ready", EHLO = "500 EHLO not understood", HELO = "500 no" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { "FTP server", CHECK } },
   silent_at(80, "web server"), silent_at(443, "web server"), silent_at(8080, "proxy"), silent_at(3128, "proxy"),
   { "nothing, inside TLS at port 443", options = { port = 443, tls = "implicit" }, server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "port 443", "587 or 465" } },
   { "nothing, at port 587", options = NO_LOGIN, server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" },
      says = { "60 s (reply_timeout)", "on purpose", "tls = \"implicit\"" } },
   { "a part of the greeting", options = NO_LOGIN, server = { greeting = "220-mail.example.com\nCLOSE" },
      error = { "disconnected", "closed", nil, "now" }, says = "part of the greeting" },
   { "a greeting of asterisks, and EHLO as XXXX", server = { greeting = "220 ****************",
      EHLO = "500 Command unrecognized: \"XXXX mail\"" },
      error = { "tls_unsupported", "helo_only", nil, "never" }, says = { "500", "firewall", "465" } },
   { "EHLO and HELO refused, on 587", server = { EHLO = "502 no", HELO = "502 no" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { "firewall", CHECK }, hides = "lmtp" },
   { "EHLO refused, on 587", server = { EHLO = "502 no" },
      error = { "tls_unsupported", "helo_only", nil, "never" }, says = { "502", "firewall", "domain" },
      hides = "587)" },
   { "STARTTLS as XXXXXXXA", server = { EHLO = { "XXXXXXXA", "SIZE" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, says = { "firewall", "465" },
      hides = "prefer" },
})

-- ---- answers that do not come ----

local function silence(command, stage, says)
   local server = { [command] = "SILENCE" }
   return { command .. " is not answered", server = server, error = { "timeout", "timeout", nil, "later" },
      says = says or { "did not answer " .. command .. " within 60 s (reply_timeout)" },
      also = function(err) assert.equal(stage, err.stage) end }
end

local function doubt(name, server, says)
   return { name, server = server, error = { "timeout|disconnected", "timeout|closed", nil, "doubt" },
      says = { says, "may have been delivered", "before you send it again" } }
end

staged.rows("An answer that does not come:", {
   silence("EHLO", "ehlo"), silence("STARTTLS", "starttls"), silence("AUTH", "auth"), silence("MAIL", "mail"),
   silence("RCPT", "rcpt"), silence("DATA", "data"),
   { "to LHLO, by LMTP", options = at(24, { protocol = "lmtp" }), server = { LHLO = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = "did not answer LHLO within 60 s (reply_timeout)" },
   { "within the time for all", options = { timeout = 7 }, server = { MAIL = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "MAIL within 7 s (timeout)", "raise timeout" } },
   { "in the time that the caller gave", options = { reply_timeout = 2.5 }, server = { MAIL = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "2.5 s (reply_timeout)", "raise reply_timeout" } },
   { "in the handshake", server = { handshake = "timeout" }, error = { "timeout", "timeout", nil, "later" },
      says = "did not finish the TLS handshake within 60 s (reply_timeout)" },
   doubt("at the end of the message", { END = "SILENCE" }, "within 300 s (timeout) whether it accepted"),
   doubt("because the server closes at the end", { END = "CLOSE" }, "without saying whether it accepted"),
   { "because the server closes at EHLO", server = { EHLO = "CLOSE" },
      error = { "disconnected", "closed", nil, "now" },
      says = { "instead of answering EHLO", "EHLO (domain)" } },
   { "because the server closes at LHLO", options = at(24, { protocol = "lmtp" }), server = { LHLO = "CLOSE" },
      error = { "disconnected", "closed", nil, "now" }, says = { "instead of answering LHLO", "name in LHLO" } },
   { "because the server closes at RCPT", server = { RCPT = "CLOSE" },
      error = { "disconnected", "closed", nil, "now" },
      says = "instead of answering RCPT" },
})

-- ---- TLS ----

local function certificate(name, reason, says, hides)
   return { "a certificate that is " .. name, error = { "certificate", reason, nil, "never" },
      says = says, hides = hides,
      call = function()
         local receipt, err = tls_server.send(name)
         return receipt, err
      end }
end

local function tls(name, arguments, reason, says, more)
   return { name, error = { more and more.kind or "tls", reason, nil, "never" }, says = says, call = function()
      return nil, openssl_server.refused(more and more.cert or "good", arguments, more and more.options)
   end }
end

local today = os.date("!%Y-%m-%d")
local LOW = "-cipher DEFAULT:@SECLEVEL=0"
local client = { tls_cert = cert "self_signed", tls_key = select(2, cert "self_signed") }

staged.rows("TLS:", {
   certificate("expired", "expired", { "ended on 2021-01-01", "clock says " .. today, "set it" }, "localhost,"),
   certificate("not_yet_valid", "not_yet_valid", { "begins on 2048-01-01", "clock says " .. today }),
   certificate("wrong_host", "wrong_host", "elsewhere.example"),
   certificate("many_names", "wrong_host", { "192.0.2.7", "host-001.elsewhere.example", "more" }),
   certificate("cn_only", "wrong_host", { "names no host at all", "tls_pin", "tls_verify = false" }, "set host"),
   certificate("self_signed", "self_signed", { "tls_ca_file", "tls_verify = false", "tls_pin" }),
   certificate("no_chain", "unknown_issuer", { "\"middle\"", "intermediate" }),
   certificate("proxied", "unknown_issuer", { "\"Corporate Proxy CA\"", "antivirus", "tls_ca_file" }),
   tls("a key that is too short", LOW, "weak", { "RSA, 1024 bits", "tls_verify = false" },
      { kind = "certificate", cert = "weak" }),
   tls("a signature by SHA-1", LOW, "weak", "SHA-1", { kind = "certificate", cert = "sha1" }),
   tls("no common cipher", "-tls1_2 -cipher ECDHE-ECDSA-CAMELLIA128-SHA256:@SECLEVEL=0", "no_common_cipher",
      { "alert 40", "handshake failure", "no cipher, version or curve in common", "AES-GCM" }),
   tls("an old version", "-tls1_1 " .. LOW, "version", { "alert 70", "older versions" }),
   tls("a certificate of the client, TLS 1.2", "-tls1_2 -Verify 1 -verify_return_error", "client_certificate",
      { "requires a client certificate", "tls_cert and tls_key" }),
   tls("a certificate of the client, TLS 1.3", "-tls1_3 -Verify 1 -verify_return_error", "client_certificate",
      { "certificate required", "tls_cert and tls_key" }),
   tls("another certificate of the client, TLS 1.2", "-tls1_2 -Verify 1 -verify_return_error", "client_certificate",
      { "unknown CA", "certificate in tls_cert" }, { options = client }),
   { "closed after 220", server = { handshake = "closed" }, error = { "disconnected", "closed", nil, "now" },
      says = { "agreed to STARTTLS and then closed", "no certificate", "465" } },
   { "an implicit port that speaks plain SMTP", options = { port = 587, tls = "implicit" },
      server = function(t) return t.tls == "implicit" and { handshake = "tls:plaintext" } or {} end,
      error = { "tls", "plaintext", nil, "never" }, says = "tls = \"require\"", remedy = { tls = "require" } },
   { "not offered on 587, with a password", server = { EHLO = { "SIZE" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, hides = "prefer", says = "465" },
})

-- ---- the network ----

local function connect(host, port, more)
   return function()
      local t = { host = host, port = port, tls = "skip", from = "a@b", to = "c@d", text = "x", timeout = 5 }
      for name, value in pairs(more or {}) do t[name] = value end
      return safe.send(t)
   end
end

local function closed_port()
   local listener = socket.listen("127.0.0.1", 0)
   local _, port = listener:getsockname()
   listener:close()
   return port
end

staged.rows("The network:", {
   { "no server at the port", call = connect("127.0.0.1", closed_port()),
      error = { "connect", "refused", nil, "later" },
      says = { "connection refused", "no server listens" } },
   { "a source address that this machine does not have", call = connect("127.0.0.1", closed_port(),
      { source_address = "192.0.2.77" }), error = { "connect", "source_address", nil, "later" },
      says = { "source_address", "address of this machine" }, hides = "listens" },
   { "a name that does not exist", call = connect("no-such-host.invalid", 25),
      error = { "resolve", "unknown_host|resolve", nil, "never|later" }, says = "spelling of host|resolver" },
   { "a greeting that does not come, on a real socket", error = { "timeout", "timeout", nil, "later" },
      says = "no greeting within 0.3 s (reply_timeout)", hides = { "nothing came", "peer" }, call = function()
         local other = peer.start("local sock = accept() line(sock)")
         local receipt, err = connect("127.0.0.1", other.port, { reply_timeout = 0.3 })()
         other.finish()
         return receipt, err
      end },
})
