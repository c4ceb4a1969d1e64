-- What went wrong in the dialogue: other protocols, EHLO, the offer, breaks and silence.
local staged = require "spec.tools.staged"

local ANONYMOUS = { username = false, password = false }

local function plain(more)
   local all = { username = false, password = false, tls = "skip", port = 25 }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local function on(port, more)
   local all = plain(more)
   all.port = port
   return all
end

staged.rows("a port that speaks another protocol", {
   { "HTTP, in silence", options = on(80), server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "80", "web server", "587", "465" },
      hides = { "implicit" } },
   { "HTTPS, in silence", options = on(443, { tls = "implicit" }), server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "443", "web server", "587", "465" } },
   { "HTTP, by a page", options = on(8080), server = { greeting = "HTTP/1.1 400 Bad Request\nCLOSE" },
      error = { "protocol", "malformed", nil, "never" }, says = { "web server", "check host and port" } },
   { "FTP", options = on(21), server = { greeting = "220 (vsFTPd 3.0.5)",
      EHLO = "530 Please login with USER and PASS.", HELO = "530 Please login with USER and PASS." },
      error = { "greeting_refused|auth_required", "refused|required", nil, "never" },
      says = { "FTP server", "check host and port" }, hides = { "give username" } },
   { "IMAP", options = on(143), server = { greeting = "* OK [CAPABILITY IMAP4rev1] Dovecot ready." },
      error = { "protocol", "malformed", nil, "never" }, says = { "IMAP server", "check host and port" } },
   { "POP3", options = on(110), server = { greeting = "+OK Dovecot ready." },
      error = { "protocol", "malformed", nil, "never" }, says = { "POP3 server", "check host and port" } },
   { "SSH", options = on(22), server = { greeting = "SSH-2.0-OpenSSH_9.2p1 Debian-2" },
      error = { "protocol", "malformed", nil, "never" }, says = { "SSH server", "check host and port" } },
   { "MySQL", options = on(3306), server = { greeting = "J\0\0\0\0108.0.35\0\8\0\0\0" },
      error = { "protocol", "malformed", nil, "never" }, says = { "MySQL", "check host and port" } },
   { "anything else", options = on(7777), server = { greeting = "hello there" },
      error = { "protocol", "malformed", nil, "never" }, says = { "hello there", "check host and port" } },
   { "LMTP, where SMTP is spoken", options = on(24),
      server = { EHLO = "500 5.5.1 unknown", HELO = "500 5.5.1 unknown" },
      error = { "greeting_refused", "helo|refused", "client", "never" }, says = { 'protocol = "lmtp"' } },
   { "neither SMTP nor LMTP", options = on(7000), server = { EHLO = "500 what", HELO = "500 what" },
      error = { "greeting_refused", "helo|refused", "client", "never" }, hides = "name in EHLO",
      says = { 'protocol = "lmtp"', "refuses that as well", "check host and port" } },
   { "neither LMTP nor SMTP", options = on(7000, { protocol = "lmtp" }), server = { LHLO = "500 what" },
      error = { "greeting_refused", "refused", nil, "never" },
      says = { 'protocol = "smtp"', "refuses that as well", "check host and port" } },
   { "SMTP, where LMTP is spoken", options = on(24, { protocol = "lmtp" }), server = { LHLO = "502 5.5.2 unknown" },
      error = { "greeting_refused", "refused", nil, "never" }, says = { 'protocol = "smtp"' } },
   { "nothing at all on 587", options = ANONYMOUS, server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "60 s", "reply_timeout", 'tls = "implicit"' } },
   { "nothing at all on 465", options = on(465, { tls = "implicit" }), server = { greeting = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "60 s", "reply_timeout" },
      hides = { 'tls = "implicit"' } },
})

staged.rows("EHLO", {
   { "was rewritten by a firewall", server = { greeting = "220 ***************************", EHLO = '500 5.3.3 '
      .. 'Unrecognized command "XXXX mail.example.com"' },
      error = { "tls_unsupported", "helo_only", nil, "never" }, says = { "500", "firewall" },
      hides = { "587 or 465", "use the port", "very old" } },
   { "is refused, and TLS is not possible", server = { EHLO = "502 5.5.1 Command not implemented" },
      error = { "tls_unsupported", "helo_only", nil, "never" }, says = { "502", "firewall" },
      hides = { "use the port" } },
   { "is offered XXXXXXXA in place of STARTTLS", server = { greeting = "220 ********************",
      EHLO = { "SIZE 1000", "XXXXXXXA" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, says = { "XXXXXXXA", "firewall" },
      hides = { "use the port" } },
   { "offers no STARTTLS on 25", options = plain { tls = "require" }, server = { EHLO = { "SIZE 1000" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, says = { "587", 'tls = "prefer"' },
      remedy = { tls = "prefer" } },
   { "offers no STARTTLS on 587", options = ANONYMOUS, server = { EHLO = { "SIZE 1000" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, says = { 'tls = "prefer"' },
      hides = { "587, or", "use the port" }, remedy = { tls = "prefer" } },
   { "is answered by a break", options = plain(), server = { EHLO = "CLOSE" },
      error = { "disconnected", "closed", nil, "later|now" }, says = { "EHLO", '"me.example"|domain', "address" } },
   { "is answered by 421", options = plain(), server = { EHLO = "421 4.3.2 Service not available, closing transmission "
      .. "channel\nCLOSE" },
      error = { "disconnected", "temporary", "server", "later" },
      says = { "fewer connections", "later", "me.example|domain" } },
   { "is answered by 554", options = plain(), server = { EHLO = "554 5.7.1 no" },
      error = { "greeting_refused", "refused", nil, "never" }, says = { "554", "provider's server" } },
})

staged.rows("STARTTLS", {
   { "is refused for now", options = ANONYMOUS, server = { STARTTLS = "454 4.7.0 TLS not available due to local "
      .. "problem" }, error = { "tls", "starttls_refused", nil, "later" }, says = { "454", "later", "operator" } },
   { "is refused for ever", options = ANONYMOUS, server = { STARTTLS = "554 5.7.3 no" },
      error = { "tls", "starttls_refused", nil, "never" }, says = { "554", "operator" } },
   { "is answered with more than was asked", options = ANONYMOUS, server = { STARTTLS = "220 go\n250 injected" },
      error = { "protocol", "injected", nil, "never" }, says = { "plain text" } },
   { "is required at MAIL", options = plain { port = 587 }, server = { MAIL = "530 5.7.0 Must issue a STARTTLS command "
      .. "first" }, error = { "tls_required", "required", nil, "never" }, says = { 'tls = "require"' } },
})

staged.rows("a break", {
   { "at the end of the message", options = plain(), server = { END = "CLOSE" },
      error = { "disconnected", "closed", nil, "doubt" }, says = { "may have been delivered", "check|look", "before" },
      also = function(err) assert(err.sent == "maybe") end },
   { "at MAIL", options = plain(), server = { MAIL = "CLOSE" }, error = { "disconnected", "closed", nil, "now" },
      says = { "MAIL" }, hides = { "may have been delivered" } },
   { "at DATA", options = plain(), server = { DATA = "CLOSE" }, error = { "disconnected", "closed", nil, "now" },
      says = { "DATA" }, hides = { "may have been delivered" } },
   { "before the greeting", options = plain(), server = { greeting = "CLOSE" },
      error = { "disconnected", "closed", nil, "now|later" }, says = { "greeting|said nothing|nothing" } },
   { "with 421 at MAIL", options = plain(), server = { MAIL = "421 4.3.2 shutting down\nCLOSE" },
      error = { "disconnected", "temporary", "server", "later" }, says = { "421", "later" } },
   { "in LMTP, at the end of the message", options = plain { protocol = "lmtp", port = 24 }, server = { END = "CLOSE" },
      error = { "disconnected", "closed", nil, "doubt" },
      says = { "may have been delivered", "check|look", "before" } },
})

-- What is waited for, how long, and by which option.
local function silent(verb, more)
   local row = { "at " .. verb, options = { reply_timeout = 7, timeout = 90 }, server = { [verb] = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { verb, "7 s", "reply_timeout" } }
   for name, value in pairs(more or {}) do row[name] = value end
   return row
end

staged.rows("silence", {
   silent("MAIL"), silent("RCPT"), silent("DATA"), silent("AUTH"), silent("STARTTLS"), silent("EHLO"),
   silent("the end of the message", { server = { END = "SILENCE" }, error = { "timeout", "timeout", nil, "doubt" },
      says = { "90 s", "timeout", "may have been delivered", "check|look", "before" } }),
   silent("the end of the message in LMTP", { options = plain { protocol = "lmtp", port = 24, timeout = 90 },
      server = { END = "SILENCE" }, error = { "timeout", "timeout", nil, "doubt" },
      says = { "90 s", "timeout", "may have been delivered", "check|look", "before" } }),
   { "in the TLS handshake", options = { reply_timeout = 7 }, server = { handshake = "timeout" },
      error = { "timeout", "timeout", nil, "later" }, says = { "TLS", "7 s", "reply_timeout" } },
   { "at MAIL, by what is usual", server = { MAIL = "SILENCE" }, error = { "timeout", "timeout", nil, "later" },
      says = { "MAIL", "60 s", "reply_timeout" } },
   { "at the end of the message, by what is usual", server = { END = "SILENCE" },
      error = { "timeout", "timeout", nil, "doubt" }, says = { "300 s", "timeout" } },
})

staged.rows("A server that closes the connection", {
   { "after it refused the name in EHLO", options = { port = 25, username = false, password = false },
      server = { EHLO = "501-5.5.4 HELO/EHLO argument \"me.example\" invalid, closing connection.\n"
         .. "501 5.5.4 https://support.google.com/mail/?p=helo x - gsmtp\nCLOSE" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { "501", "me.example", "set domain" } },
   { "after it refused EHLO without a reason",
      server = { EHLO = "502 no\nCLOSE" },
      error = { "greeting_refused", "refused", nil, "never" }, says = { "refused EHLO and closed" } },
   { "in place of an answer to AUTH", server = { AUTH = "CLOSE" },
      error = { "disconnected", "closed", nil, "later" },
      says = { "answering AUTH", "failed logins", "try again later" } },
   { "in place of an answer to MAIL", server = { MAIL = "CLOSE" },
      error = { "disconnected", "closed", nil, "now" }, says = { "answering MAIL", "send again" } },
})

staged.rows("A recipient that is refused without a known reason", {
   { "at an MX, where a login does not help", options = { port = 25, username = false, password = false },
      server = { EHLO = { "STARTTLS", "AUTH PLAIN" }, RCPT = "550 5.7.1 no" },
      error = { "recipients_refused", "refused", nil, "never" }, hides = { "login", "password" } },
})
