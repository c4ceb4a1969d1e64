-- Why a login failed: what servers and providers are documented to say, and what the user has to do.
local core = require "smtp.core"
local staged = require "spec.tools.staged"

local function at(host, more)
   local all = { host = host }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local TOKEN = { password = false, token = "ya29.staged-token" }

local function with_token(host)
   return at(host, TOKEN)
end

local function json(text)
   return { "334 " .. core.base64(text), "535 5.7.8 no" }
end

staged.rows("a password that a provider does not accept", {
   { "Gmail wants an app password", options = at "smtp.gmail.com",
      server = { AUTH = "535-5.7.8 Username and Password not accepted. For more information, go to\n"
         .. "535 5.7.8  https://support.google.com/mail/?p=BadCredentials d2e1a72fcca58-7a3 - gsmtp" },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "smtp.gmail.com", "app password", "myaccount.google.com/apppasswords", "2-Step", "token" } },
   { "Gmail asks for an application-specific password", options = at "smtp.gmail.com",
      server = { AUTH = "534-5.7.9 Application-specific password required. For more information, go to\n"
         .. "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor d2e1a72fcca58-7a3 - gsmtp" },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "app password", "myaccount.google.com/apppasswords" }, hides = { "too weak", "another mechanism" },
      also = function(err) assert(err.mechanisms.LOGIN ~= "answered 534", err.mechanisms.LOGIN) end },
   { "Gmail asks for a login by a browser", options = at "smtp.gmail.com",
      server = { AUTH = "534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via\n"
         .. "534-5.7.14 your web browser and then try again.\n534 5.7.14  Learn more - gsmtp" },
      error = { "auth_rejected", "browser_login_required", "account", "never" },
      says = { "web browser" }, hides = { "too weak" } },
   { "Gmail has had too many logins", options = at "smtp.gmail.com",
      server = { AUTH = "454-4.7.0 Too many login attempts, please try again later. For more information, go\n"
         .. "454 4.7.0  to https://support.google.com/mail/answer/7126229 d2e1a72fcca58 - gsmtp" },
      error = { "auth_temporary", "rate_limited", "client", "later" },
      says = { "hour", "one connection|connections open" }, hides = { "anybody" } },
   { "Outlook.com has switched basic authentication off", options = at "smtp-mail.outlook.com",
      server = { AUTH = function(line)
         if not line:find "XOAUTH2" then
            return "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
               .. "[AS4P190CA0041.EURP190.PROD.OUTLOOK.COM]"
         end
      end },
      error = { "auth_rejected", "token_required", "account", "never" },
      says = { "token", "XOAUTH2", "https://outlook.office.com/SMTP.Send", "passwords" },
      hides = { "check username", "made for this application" }, remedy = TOKEN },
   { "Microsoft 365 does not support basic authentication", options = at "smtp.office365.com",
      server = { AUTH = function(line)
         if not line:find "XOAUTH2" then
            return "550 5.7.30 Basic authentication is not supported for Client Submission."
         end
      end },
      error = { "auth_rejected", "token_required", "account", "never" },
      says = { "token", "https://outlook.office.com/SMTP.Send" }, hides = { "check username" }, remedy = TOKEN },
   { "Microsoft 365 has SMTP AUTH off for the tenant", options = at "smtp.office365.com",
      server = { AUTH = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
         .. "Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [AM0PR04CA0001.EURPRD04]" },
      error = { "auth_rejected", "auth_disabled", "account", "never" },
      says = { "administrator", "SmtpClientAuthenticationDisabled" }, hides = { "check username" } },
   { "Microsoft 365 has security defaults on", options = at "smtp.office365.com",
      server = { AUTH = "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security "
         .. "defaults policy. Contact your administrator. [AM0PR04CA0001]" },
      error = { "auth_rejected", "auth_disabled", "account", "never" }, says = { "security defaults|administrator" } },
   { "Yahoo has had too many bad passwords", options = at "smtp.mail.yahoo.com",
      server = { AUTH = "535 5.7.0 (#AUTH005) Too many bad auth attempts." },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "Yahoo accepts only app passwords", "account/security|Account Security" } },
   { "AOL wants an app password", options = at "smtp.aol.com",
      server = { AUTH = "535 5.7.0 (#AUTH005) Too many bad auth attempts." },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "AOL accepts only app passwords" }, hides = { "yahoo" } },
   { "iCloud wants an app-specific password", options = at "smtp.mail.me.com",
      server = { AUTH = "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6" },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "app-specific password", "account.apple.com" } },
   { "Fastmail wants an app password", options = at "smtp.fastmail.com",
      server = { AUTH = "535 5.7.0 Incorrect username or password" },
      error = { "auth_rejected", "app_password_required", "account", "never" }, says = { "Fastmail", "app password" } },
   { "Amazon SES wants its SMTP credentials", options = at "email-smtp.us-east-1.amazonaws.com",
      server = { AUTH = "535 Authentication Credentials Invalid" },
      error = { "auth_rejected", "rejected", "account", "never" },
      says = { "SMTP credentials", "not the access key", "region" } },
   { "SendGrid's user name is apikey", options = at "smtp.sendgrid.net",
      server = { AUTH = "535 Authentication failed: Bad username / password" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "apikey", "API key" } },
   { "SendGrid's key was revoked", options = at "smtp.sendgrid.net",
      server = { AUTH = "535 Authentication failed: The provided authorization grant is invalid, expired, or "
         .. "revoked" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "apikey", "API key" } },
   { "QQ wants an authorization code", options = at "smtp.qq.com",
      server = { AUTH = "535 Login Fail. Please enter your authorization code to login. More information in "
         .. "https://service.mail.qq.com/detail/0/53" },
      error = { "auth_rejected", "app_password_required", "account", "never" }, says = { "authorization code" } },
   { "163 wants an authorization code", options = at "smtp.163.com",
      server = { AUTH = "535 Error: authentication failed" },
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = { "NetEase", "authorization code" } },
   { "163 has SMTP switched off", options = at "smtp.163.com", server = { AUTH = "550 User has no permission" },
      error = { "auth_rejected", "auth_disabled", "account", "never" }, says = { "switch|allow mail programs" } },
   { "GMX has POP3 and IMAP switched off", options = at "mail.gmx.net",
      server = { AUTH = "535 Authentication credentials invalid" },
      error = { "auth_rejected", "auth_disabled", "account", "never" }, says = { "POP3 and IMAP", "check username" } },
   { "Zoho wants the whole address", options = at "smtp.zoho.eu", server = { AUTH = "535 Authentication Failed" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "full address", "two-factor" } },
   { "Mailgun wants the credentials of the domain", options = at "smtp.mailgun.org",
      server = { AUTH = "535 5.7.8 Authentication failed" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "SMTP credentials", "not the API key" } },
   { "IONOS wants those of the mailbox", options = at "smtp.ionos.de",
      server = { AUTH = "535 Authentication credentials invalid" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "IONOS", "mailbox" } },
   { "OVH wants those of the mailbox", options = at "ssl0.ovh.net",
      server = { AUTH = "535 5.7.8 Error: authentication failed: (reason unavailable)" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "OVH", "mailbox" } },
   { "Yandex wants an app password", options = at "smtp.yandex.ru",
      server = { AUTH = "535 5.7.8 Error: authentication failed: This user does not have access rights to this "
         .. "service" },
      error = { "auth_rejected", "auth_disabled", "account", "never" }, says = { "switch|allow mail programs" } },
   { "Mail.ru wants an app password", options = at "smtp.mail.ru",
      server = { AUTH = "535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external "
         .. "/ Application password is REQUIRED" },
      error = { "auth_rejected", "app_password_required", "account", "never" }, says = { "app password" } },
   { "Postmark wants its token twice", options = at "smtp.postmarkapp.com",
      server = { AUTH = "535 5.7.8 Error: authentication failed: authentication failure" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "Server API token" } },
   { "Brevo wants an SMTP key", options = at "smtp-relay.brevo.com",
      server = { AUTH = "535 5.7.8 Authentication failed" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "SMTP key" } },
})

staged.rows("a password that a server does not accept", {
   { "the user name has no domain", options = { username = "ann" },
      server = { AUTH = "535 5.7.8 Error: authentication failed:" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { '"ann"', "no @", "full" } },
   { "the user name is complete", server = { AUTH = "535 5.7.8 Error: authentication failed: generic failure" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "check username and password" },
      hides = { "no @" } },
   { "Exim has incorrect data", server = { AUTH = "535 Incorrect authentication data" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "check username and password" } },
   { "Exchange calls it 5.7.3", server = { AUTH = "535 5.7.3 Authentication unsuccessful" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "check username and password" } },
   { "the account is disabled", server = { AUTH = "525 5.7.13 User account disabled" },
      error = { "auth_rejected", "auth_disabled", "account", "never" }, says = { "account", "unlock|switched on" },
      hides = { "check username" } },
   { "Dovecot is without its database", server = { AUTH = "454 4.7.0 Temporary authentication failure: Connection "
      .. "lost to authentication server" },
      error = { "auth_temporary", "temporary", "server", "later" }, says = { "later" } },
   { "a server locks out after many failures", server = { AUTH = "421 4.7.0 Too many authentication failures\nCLOSE" },
      error = { "auth_temporary", "rate_limited", "client", "later" }, says = { "wait" } },
   { "a mechanism is too weak", server = { AUTH = "534 5.7.10 Encryption required for requested mechanism" },
      error = { "auth_rejected", "mechanism_too_weak", "account", "never" }, says = { "mechanism" } },
})

staged.rows("a token that is not accepted", {
   { "Microsoft 365: for another scope", options = with_token "smtp.office365.com",
      server = { AUTH = "535 5.7.3 Authentication unsuccessful [AS4P190CA0041.EURP190.PROD.OUTLOOK.COM]" },
      error = { "auth_rejected", "token_scope", "account", "never" },
      says = { "https://outlook.office.com/SMTP.Send", "mailbox", "rejected the token" },
      hides = { "get a new token" } },
   { "Gmail: it has expired", options = with_token "smtp.gmail.com",
      server = { AUTH = json '{"status":"invalid_token","schemes":"Bearer","scope":"https://mail.google.com/"}' },
      error = { "auth_rejected", "token_expired", "account", "never" }, says = { "new token" },
      hides = { "{", "schemes", "app password" },
      also = function(err) assert(err.challenge:find("invalid_token", 1, true)) end },
   { "Gmail: for another scope", options = with_token "smtp.gmail.com",
      server = { AUTH = json '{"status":"insufficient_scope","schemes":"Bearer","scope":"https://mail.google.com/"}' },
      error = { "auth_rejected", "token_scope", "account", "never" }, says = { "scope", "https://mail.google.com/" },
      hides = { "{" } },
   { "Gmail: 400 in the JSON", options = with_token "smtp.gmail.com",
      server = { AUTH = json '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}' },
      error = { "auth_rejected", "token_expired", "account", "never" }, says = { "new token" }, hides = { "{" } },
})

staged.rows("AUTH that is not there", {
   { "it is gone after TLS", server = { EHLO = { "STARTTLS", "AUTH PLAIN" }, TLS = { "PIPELINING", "8BITMIME" } },
      error = { "auth_unsupported", "not_advertised_after_tls", nil, "never" }, says = { "operator", "inside TLS" },
      hides = { "587 or", "use the server" }, remedy = { auth = "prefer" } },
   { "EHLO is refused with 502", server = { EHLO = "502 5.5.1 Command not implemented" },
      options = { tls = "skip" }, error = { "auth_unsupported", "helo_only", nil, "never" },
      says = { "refused EHLO", "502", "firewall" }, hides = { "use the server's port", "not the one for submission" } },
   { "it is offered, and then not enabled", server = { AUTH = "503 5.5.1 Error: authentication not enabled" },
      error = { "auth_unsupported", "rejected_command", nil, "never" },
      says = { "smtpd_sasl_auth_enable", "operator", "503" }, hides = { "use the server's port" },
      remedy = { auth = "prefer" } },
   { "it is not offered on port 25", server = { EHLO = { "STARTTLS" }, TLS = { "PIPELINING" } },
      options = { port = 25 }, error = { "auth_unsupported", "not_advertised", nil, "never" },
      says = { "587", "does not offer AUTH" }, remedy = { auth = "prefer" } },
   { "it is not offered on port 587", server = { EHLO = { "STARTTLS" }, TLS = { "PIPELINING" } },
      error = { "auth_unsupported", "not_advertised", nil, "never" }, says = { "does not offer AUTH" },
      hides = { "587 or 465" }, remedy = { auth = "prefer" } },
   { "it is offered after TLS, and TLS is skipped", server = { EHLO = { "STARTTLS" }, TLS = { "AUTH PLAIN" } },
      options = { tls = "skip" }, error = { "auth_unsupported", "not_advertised", nil, "never" },
      says = { 'tls = "require"' }, remedy = { tls = "require" } },
   { "its list is empty", server = { TLS = { "AUTH" } }, error = { "auth_unsupported", "empty_list", nil, "never" },
      says = { "without any mechanism", "operator" }, remedy = { auth = "prefer" } },
   { "it has GSSAPI and NTLM only", server = { TLS = { "AUTH GSSAPI NTLM" } },
      error = { "auth_unsupported", "no_common_mechanism", nil, "never" }, says = { "GSSAPI", "NTLM" },
      remedy = { auth = "prefer" } },
   { "a password may not travel in clear", server = { EHLO = { "AUTH PLAIN" } }, options = { tls = "skip" },
      error = { "auth_insecure", "plaintext", nil, "never" }, says = { "auth_plaintext = true" },
      remedy = { auth_plaintext = true } },
})

staged.rows("a server that wants a login", {
   { "and auth is skip", server = { MAIL = function(_, server)
         return not server.has_login and "530 5.7.0 Authentication required" or nil
      end, AUTH = function(_, server)
         server.has_login = true
      end }, options = { auth = "skip" },
      error = { "auth_required", "required", nil, "never" }, says = { 'auth = "skip"', "530" },
      hides = { "give username" }, remedy = { auth = "require" } },
   { "and offers no AUTH", server = { MAIL = "530 5.7.0 Authentication required", TLS = { "PIPELINING" } },
      options = { auth = "prefer" }, error = { "auth_required", "required", nil, "never" },
      says = { "does not offer", "check that host" }, hides = { "not_advertised", "give username" } },
   { "at DATA", server = { DATA = "530 5.7.0 Authentication required" },
      options = { username = false, password = false },
      error = { "auth_required", "required", nil, "never" }, says = { "give username and password" },
      hides = { "refused the message" } },
   { "at RCPT", server = { RCPT = "530 5.7.0 Authentication required" },
      options = { username = false, password = false },
      error = { "auth_required", "required", nil, "never" }, says = { "give username and password" } },
   { "Microsoft 365 calls it 5.7.57", server = { MAIL = "530 5.7.57 Client not authenticated to send mail. "
      .. "[AM0PR04CA0001]" }, options = at("smtp.office365.com", { username = false, password = false }),
      error = { "auth_required", "required", nil, "never" }, says = { "token", "outlook.office.com" },
      hides = { "username and password" } },
   { "Exchange calls it 5.7.57", server = { MAIL = "530 5.7.57 SMTP; Client was not authenticated to send anonymous "
      .. "mail during MAIL FROM" }, options = { username = false, password = false },
      error = { "auth_required", "required", nil, "never" },
      says = { "give token", "outlook.office.com/SMTP.Send", "another Exchange server" } },
   { "Microsoft 365 says it, and auth is off", server = { MAIL = "530 5.7.57 Client not authenticated to send mail." },
      options = at("smtp.office365.com", { auth = "skip" }), error = { "auth_required", "required", nil, "never" },
      says = { "leave auth out", "token" } },
   { "Exchange calls it 5.7.1", server = { MAIL = "530 5.7.1 Client was not authenticated" },
      options = { username = false, password = false },
      error = { "auth_required", "required", nil, "never" }, says = { "give username and password" } },
   { "Microsoft 365 asks for STARTTLS", server = { MAIL = "451 5.7.3 STARTTLS is required to send mail" },
      options = { tls = "skip", username = false, password = false },
      error = { "tls_required", "required", nil, "never" }, says = { 'set tls = "require"' } },
   { "TLS is required where it is not offered", server = { EHLO = { "SIZE" },
      MAIL = "530 5.7.0 Must issue a STARTTLS command first" },
      options = { tls = "skip", username = false, password = false, port = 25 },
      error = { "tls_required", "required", nil, "never" }, says = { "port for submission" },
      hides = 'set tls = "require"' },
})
