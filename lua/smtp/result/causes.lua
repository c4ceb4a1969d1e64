--- Why a server refused: the documented replies of servers and providers, and what each means.
--
-- A group has a source and rows: where these replies are documented, and { reason, reply, … } for
-- each of them. What stands between asterisks in the reply decides: a code, an enhanced status
-- (RFC 3463, of either class), words (in this order, in any case, outside of addresses and links;
-- "|" separates words of which one is enough). The first row that fits decides, so texts that are
-- more exact than their status come first, then the registered statuses, then words that many
-- servers share, and codes alone. smtp.result.decision reads this table.
--
-- Fields of a row or of a group:
--    at        the stages where it applies: "auth", "hello" (greeting and EHLO), "mail", "rcpt",
--              "message"; none: all but "auth"
--    host      the provider (options/services.lua) to which the server's name must belong as well
--    service   the provider that the reply gives away, for the hint
--    by        "token" or "password": what was sent for AUTH
--    hint, sentence
--              what to do, and what the server did, where the words of the reason are less exact
-- @module smtp.result.causes

-- Servers say so when a disk is full, and also when a client sends too fast.
local NO_ROOM = "has no room for more mail at the moment"

local LOGIN_AGAIN = "Check username and password, and wait: the server accepts no further login "
   .. "for a while"

local LOGINS = "limits how often this machine or account may log in"

local REFUSALS = "closes a connection on which too much was refused"

local WITHOUT_REFUSED = "Remove the recipients that the server refused before, and send again: "
   .. "each refusal counts"

local TOMORROW = "Wait until the next day, or have the limit of the account raised"

local MORE = "Wait until the limit is renewed, or have the plan of the account raised"

local FROM_HEADER = "Give from as a full address; with raw, add exactly one From header to the "
   .. "message"

local IN_SOME_MINUTES = "Send again in 5 to 15 minutes: the server may defer each new sender for a "
   .. "while (greylisting), or have a problem of its own"

local BARE_LF = "received lines that end in LF alone"

local CRLF = "This library ends each line with CRLF: something in between (a proxy, an antivirus) "
   .. "may change lines; send over TLS, or ask the server's operator"

local HELLO_AGAIN = "Try again later, with fewer connections; the server may not accept the "
   .. "address of this machine or the name {ehlo|} in {hello|EHLO}"

return {
   -- ---- AUTH ----
   { "Google: support.google.com/a/answer/3726730", at = "auth", service = "gmail",
      { "app_password_required", "535 5.7.8 *Username and Password not accepted*. For more "
         .. "information, go to "
         .. "https://support.google.com/mail/?p=BadCredentials", by = "password" },
      { "app_password_required", "534 *5.7.9 Application-specific password required*." },
      { "browser_login_required", "534 *5.7.14* Please log in via your web browser and then try" },
      { "browser_login_required", "535 5.7.1 *Please log in with your web browser* and then try" },
      { "rate_limited", "454 4.7.0 *Too many login attempts*, please try again later.",
         sentence = LOGINS,
         hint = "Wait an hour or more, then keep one connection for many messages (smtp.connect, "
            .. "smtp.send_many) instead of a login for each" } },
   { "Microsoft: "
      .. "learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/"
      .. "authenticated-client-smtp-submission", at = "auth", service = "microsoft365",
      { "auth_disabled", "535 5.7.139 Authentication unsuccessful, *SmtpClientAuthentication is "
         .. "disabled* for the Tenant.",
         hint = "Have the administrator switch on authenticated SMTP for the mailbox "
            .. "(Set-CASMailbox -SmtpClientAuthenticationDisabled $false)" },
      { "token_required", "535 5.7.139 Authentication unsuccessful, *basic authentication is "
         .. "disabled*." },
      { "token_required", "550 *5.7.30* Basic authentication is not supported for Client "
         .. "Submission." },
      { "auth_disabled", "535 5.7.139 Authentication unsuccessful, the request *did not meet the "
         .. "criteria to be authenticated* successfully. Contact your administrator." },
      { "auth_disabled", "535 5.7.139 Authentication unsuccessful, *user is locked by your "
         .. "organization's security defaults policy*.",
         hint = "The security defaults of the organization block passwords: give token (XOAUTH2), "
            .. "or have the administrator switch them off" },
      { "auth_disabled", "535 *5.7.139* Authentication unsuccessful, *user|account* is "
         .. "*locked|disabled|blocked*.", hint = "Have the administrator unlock the account" },
      { "rejected", "535 *5.7.139* Authentication unsuccessful, the user credentials were "
         .. "incorrect." },
      { "token_scope", "535 *5.7.3 Authentication unsuccessful* [AM0PR0.EURPRD.PROD.OUTLOOK.COM]",
         by = "token" },
      { "rejected", "535 *5.7.3 Authentication unsuccessful*", service = false } }, -- Exchange, too
   { "Yahoo: help.yahoo.com/kb/SLN15241", at = "auth", service = "yahoo",
      { "app_password_required", "535 5.7.0 *(#AUTH*005) Too many bad auth attempts." },
      { "app_password_required", "535 5.7.0 *(#MBR*1212) Incorrect username or password "
         .. "entered" } },
   { "Apple: support.apple.com/102525, support.apple.com/102654", at = "auth", host = "icloud",
      { "app_password_required", "535 5.7.8 Error: *authentication failed*", by = "password" } },
   { "Fastmail: fastmail.help, App passwords", at = "auth", host = "fastmail",
      { "app_password_required", "*535* 5.7.0 Incorrect username or password", by = "password" } },
   { "AOL: help.aol.com, App passwords", at = "auth", host = "aol",
      { "app_password_required", "*535* 5.7.0 Incorrect username or password" } },
   { "Amazon SES: docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html", at = "auth",
      host = "ses", { "rejected", "535 *Authentication Credentials Invalid*" } },
   { "SendGrid: twilio.com/docs/sendgrid, SMTP Errors and Troubleshooting", at = "auth",
      service = "sendgrid",
      { "rejected", "535 Authentication failed: *Bad username / password*" },
      { "rejected", "535 Authentication failed: The *provided authorization grant* is invalid, "
         .. "expired, or revoked",
         hint = "Create a new API key in SendGrid's settings and give it as password; the username "
            .. "is the word apikey" },
      { "quota", "451 Authentication failed: *Maximum credits exceeded*",
         hint = "Wait until the credits are renewed, or buy more" } },
   { "Mailtrap: help.mailtrap.io, Sending Limits", at = "auth", service = "mailtrap",
      { "too_many_connections", "535 5.7.8 *Too many connections per account*" },
      { "quota", "535 5.7.0 The *email limit is reached*. Please upgrade your plan",
         hint = MORE } },
   { "QQ Mail: service.mail.qq.com, SMTP", at = "auth", service = "qq",
      { "app_password_required", "535 Login Fail. Please enter your *authorization code* to "
         .. "login." },
      { "app_password_required", "535 Login fail. *Account is abnormal, service is not open*, "
         .. "password is incorrect, login frequency limited, or system is busy." } },
   { "NetEase: help.163.com/09/1224/17/5RAJ4LMH00753VB8.html", at = "auth", service = "netease",
      { "auth_disabled", "550 *User has no permission*",
         hint = "Switch SMTP on in the settings of the mailbox, and give the authorization code "
            .. "that it shows as password" },
      { "rate_limited", "451 Requested mail action not taken: *too much fail authentication*",
         hint = LOGIN_AGAIN, sentence = LOGINS },
      { "app_password_required", "535 Error: *authentication failed*", host = "netease" } },
   { "Zoho: zoho.com/mail/help/zoho-smtp.html", at = "auth", service = "zoho",
      { "auth_disabled", "554 5.1.8 *Sender Address Blocked*" },
      { "rejected", "*535* Authentication Failed", host = "zoho" } },
   { "GMX and WEB.DE: hilfe.gmx.net, POP3 and IMAP", at = "auth", host = "gmx",
      { "auth_disabled", "535 *Authentication credentials invalid*",
         sentence = "rejected the login: SMTP is switched off for this account, or the password "
            .. "is wrong",
         hint = "Switch on POP3 and IMAP access in the settings of the mailbox, and check "
            .. "username and password; with two-factor authentication give an app password" } },
   { "Brevo: help.brevo.com, Blocking unauthorized IP addresses", at = "auth",
      { "blocked", "525 5.7.1 *Unauthorized IP address*",
         hint = "Add the address of this machine to the authorized addresses of the account" } },
   { "Yandex and Mail.ru: yandex.com/support/mail, help.mail.ru/mail/security/protection/external",
      at = "auth",
      { "auth_disabled", "535 5.7.8 Error: authentication failed: This user *does not have "
         .. "access rights* to this service", service = "yandex",
         hint = "Allow mail programs in the settings of Yandex Mail, and give an app password, "
            .. "which https://id.yandex.com/security/app-passwords creates" },
      { "app_password_required", "535 5.7.0 NEOBHODIM parol prilozheniya. *Application password* "
         .. "is REQUIRED", service = "mailru" } },
   { "Postfix smtpd(8), Exim auth drivers, Dovecot Submission, Courier esmtpd(8)", at = "auth",
      { "temporary", "454 4.7.0 *Temporary authentication failure*: Connection lost to "
         .. "authentication server" },
      { "temporary", "435 *Unable to authenticate at present*" },
      { "rejected", "535 *Incorrect authentication data*" } },
   { "RFC 4954 6, RFC 5248, the IANA registry of enhanced status codes", at = "auth",
      { "app_password_required", "*534 5.7.9* Authentication mechanism is too weak" }, -- Google's
      { "browser_login_required", "432 *4.7.12* A password transition is needed" },
      { "auth_disabled", "525 *5.7.13* User account disabled" } },
   { "words of many servers", at = "auth",
      { "app_password_required", "535 5.7.0 Please use an *app password|application-specific "
         .. "password|app-specific password|application password|authorization code*" },
      { "token_expired", "535 5.7.8 The *token* has *expired*", by = "token" },
      { "rate_limited", "421 4.7.0 *Too many* failed *auth|login|attempts|logon|errors*",
         hint = LOGIN_AGAIN, sentence = LOGINS },
      { "rate_limited", "454 4.7.0 *rate limit|temporarily blocked|temporarily locked*",
         hint = LOGIN_AGAIN, sentence = LOGINS },
      { "rejected", "*535* 5.7.8 *or password|user not found|unknown user|no such user|incorrect "
         .. "password|wrong password|invalid password|bad password|password incorrect*" },
      { "rate_limited", "454 *4.7.0 try again later*", hint = LOGIN_AGAIN, sentence = LOGINS },
      { "auth_disabled", "535 5.7.8 *Account|mailbox|user|SMTP|authentication|access|service* is "
         .. "*locked|suspended|disabled|not enabled|not allowed|not "
         .. "activated|blocked|deactivated|switched off|not permitted*" } },
   { "RFC 4954 6, RFC 3463, the IANA registry of enhanced status codes", at = "auth",
      { "rejected", "535 *5.7.8* Authentication credentials invalid" },
      { "temporary", "451 *4.3.0* Other mail system status" },
      { "rate_limited", "451 *4.7.28* Mail flood detected" },
      { "rejected", "*535* Authentication failed" },
      { "temporary", "*454* Authentication failed for the moment" },
      { "temporary", "*451* Local error in processing" },
      { "temporary", "*421* Service not available" } },

   -- ---- everything else: texts that are more exact than the status before them ----
   { "Postfix postconf(5), smtpd_sender_restrictions, smtpd_helo_restrictions, anvil(8)",
      { "sender_not_allowed", "553 5.7.1 <boss@example.com>: Sender address rejected: *not owned "
         .. "by* user ann@example.com" },
      { "sender_syntax", "504 5.5.2 <ann>: *Sender address rejected: need fully-qualified "
         .. "address*" },
      { "sender_domain", "450 4.1.8 <a@b.example>: *Sender address rejected: Domain not found*" },
      { "sender_domain", "550 5.7.27 <a@b.example>: *Sender address rejected: Domain* b.example "
         .. "*does not accept mail* (nullMX)" },
      { "helo", "504 5.5.2 <box>: *Helo command rejected*: need fully-qualified hostname" },
      { "no_reverse_name", "450 4.7.25 Client host rejected: *cannot find your* reverse "
         .. "*hostname*, [192.0.2.1]" },
      { "pipelining", "503 5.5.0 <DATA>: Data command rejected: *Improper use of SMTP command "
         .. "pipelining*" },
      { "recipient_syntax", "504 5.5.2 <bob>: *Recipient address rejected: need fully-qualified "
         .. "address*" },
      { "greylisted", "450 4.2.0 <b@example.net>: Recipient address rejected: *Greylisted*" },
      { "recipient_domain", "450 4.1.2 <b@exmaple.net>: *Recipient address rejected: Domain not "
         .. "found*" },
      { "misconfigured", "451 4.3.0 <b@example.net>: *Recipient address rejected: Server "
         .. "configuration* error" },
      { "temporary", "450 4.1.1 <b@example.net>: Recipient address rejected: *unverified "
         .. "address*" },
      { "too_many_connections", "421 4.7.0 mail.example.com Error: *too many connections* from "
         .. "unknown[192.0.2.1]" },
      { "rate_limited", "450 4.7.1 Error: *too much mail* from 192.0.2.1" },
      { "rate_limited", "450 4.7.1 Error: *too many recipients from* 192.0.2.1" },
      { "rate_limited", "421 4.7.0 mail.example.com Error: *too many errors*",
         hint = WITHOUT_REFUSED, sentence = REFUSALS },
      { "eightbit", "550 5.6.0 *improper use of 8-bit data* in message header" },
      { "header", "550 5.5.2 Error: *bare received|bare LF|bare newline|bare line feed|"
         .. "barelinefeed*", at = "message", sentence = BARE_LF, hint = CRLF },
      { "temporary", "451 4.3.0 Error: *queue file write error*" },
      { "temporary", "451 4.7.1 *Service unavailable - try again later*" },
      { "temporary", "421 4.3.2 *All server ports are busy*" } },
   { "Exim specification: ACL, SMTP processing; cPanel's Exim configuration",
      { "relay_denied", "550 *relay not permitted*" },
      { "relay_denied", "550-Please turn on SMTP Authentication in your mail client. (box) "
         .. "[192.0.2.1]:49152 is *not permitted to relay* through this server" },
      { "helo", "501 *Syntactically invalid* EHLO *argument*(s)" },
      { "helo", "550 Access denied - *Invalid HELO name* (See RFC2821 4.1.1.1)" },
      { "pipelining", "554 SMTP *synchronization error*" },
      { "rate_limited", "554 *Too many nonmail commands*" },
      { "too_many_connections", "421 *Too many concurrent SMTP connections*; please try again" },
      { "sender_domain", "550 *Sender verify failed*: *unrouteable*", },
      { "sender_domain", "550 Verification failed for <ann@b.example>\n*Unrouteable address*\n"
         .. "*Sender verify failed*" },
      { "sender_not_allowed", "550 *Sender verify failed*",
         sentence = "cannot verify the sender {from|}",
         hint = "Set from (or envelope.from) to an address that exists and receives mail" },
      { "recipient_domain", "550 *all relevant MX records point to non-existent hosts*" },
      { "unknown_recipient", "550 *Unrouteable address*" },
      { "unknown_recipient", "550 *No Such User Here*" },
      { "rate_limited", "550 Domain example.com has *exceeded the max emails per hour* (500/500 "
         .. "(100%)) allowed. Message discarded." },
      { "rate_limited", "550 Domain example.com has *exceeded the max defers and failures per "
         .. "hour*" },
      { "auth_disabled", "550 example.com has an *outgoing mail suspension*. Message rejected." },
      { "misconfigured", "550 *local configuration error*" },
      { "temporary", "451 *Temporary local problem* - please try later" },
      { "temporary", "421 *Unexpected failure, please try later*" } },
   { "Sendmail cf/README, RELEASE_NOTES",
      { "no_reverse_name", "450 4.7.1 *Relaying temporarily denied. Cannot resolve PTR record* "
         .. "for 192.0.2.1" },
      { "no_reverse_name", "550 5.7.1 <b@example.net>... *Relaying denied. IP name lookup "
         .. "failed* [192.0.2.1]" },
      { "no_reverse_name", "451 4.1.8 *Possibly forged hostname* for 192.0.2.1" },
      { "relay_denied", "*513 Relaying denied*." }, -- Courier
      { "relay_denied", "550 5.7.1 <b@example.net>... *Relaying denied*. Proper authentication "
         .. "required." },
      { "sender_domain", "553 5.1.8 <a@b.example>... *Domain of sender address* a@b.example "
         .. "*does not exist*" },
      { "sender_domain", "451 4.1.8 *Domain of sender address* a@b.example *does not resolve*" },
      { "sender_syntax", "553 5.5.4 <ann>... *Domain name required for sender address* ann" },
      { "helo", "501 5.0.0 *Invalid domain name*" },
      { "rate_limited", "421 4.3.2 *Connection rate limit exceeded*." },
      { "too_many_connections", "421 4.3.2 *Too many open connections*." },
      { "temporary", "451 4.4.1 *lost input channel* from box [192.0.2.1] to MTA" },
      { "blocked", "554 mail.example.com ESMTP *not accepting messages*", at = "hello" } },
   { "qmail-smtpd(8), netqmail; Courier courier(8); OpenSMTPD smtpd(8); Haraka plugins; "
      .. "chasquid; Stalwart",
      { "relay_denied", "553 sorry, that domain isn't in my *list of allowed rcpthosts* (#5.7.1)" },
      { "sender_not_allowed", "553 sorry, your envelope sender is in my *badmailfrom* list "
         .. "(#5.7.1)" },
      { "unknown_recipient", "550 sorry, *no mailbox here by that name*. (#5.1.1)" },
      { "sender_domain", "*517*-*Domain does not exist*: b.example.", at = "mail" },
      { "relay_denied", "550 *I cannot deliver mail for* <b@example.net>" },
      { "sender_domain", "550 *No MX for your FROM address*" },
      { "relay_denied", "503 5.7.1 *Relay not allowed*" },
      { "sender_not_allowed", "550 *Invalid sender*",
         sentence = "does not accept the sender {from|}",
         hint = "Set from (or envelope.from) to an address that the server allows for this login "
            .. "or machine, in a domain that exists" },
      { "relay_denied", "550 *Delivery is not allowed to this address*." } }, -- hMailServer
   { "Exchange and Microsoft 365: "
      .. "learn.microsoft.com/exchange/mail-flow-best-practices/"
      .. "non-delivery-reports-in-exchange-online", service = "microsoft365",
      { "sender_not_allowed", "554 5.2.252 *SendAsDenied*; ann@example.com not allowed to send "
         .. "as boss@example.com" },
      { "sender_not_allowed", "550 *5.7.60* SMTP; Client does not have permissions to send as "
         .. "this sender" },
      { "sender_not_allowed", "550 5.7.1 *does not have permissions to send as this sender*" },
      { "sender_not_allowed", "550 *5.7.750* Client blocked from sending from unregistered "
         .. "domains" },
      { "relay_denied", "550 *5.7.54* SMTP; Unable to relay recipient in non-accepted domain" },
      { "relay_denied", "550 *5.7.64* TenantAttribution; Relay Access Denied" },
      { "relay_denied", "550 5.7.1 *Unable to relay*" },
      { "recipient_disabled", "550 *5.7.124* Sender not in allowed-senders list" },
      { "recipient_disabled", "550 *5.7.129* RESOLVER.RST.RestrictedToRecipientsPermission" },
      { "recipient_disabled", "550 *5.7.136* RESOLVER.RST.SenderNotAuthenticatedForMailUser" },
      { "recipient_disabled", "550 *5.7.133* RESOLVER.RST.SenderNotAuthenticatedForGroup" },
      { "recipient_disabled", "550 *5.7.134* RESOLVER.RST.SenderNotAuthenticatedForMailbox" },
      { "unknown_recipient", "550 *5.1.10* RESOLVER.ADR.RecipientNotFound; Recipient *not found* "
         .. "by SMTP address lookup" },
      { "unknown_recipient", "550 *5.4.1 Recipient address rejected: Access denied*." },
      { "too_many_connections", "432 4.3.2 *Concurrent connections limit exceeded*.",
         at = "auth hello mail rcpt message" },
      { "too_many_connections", "432 4.3.2 STOREDRV.ClientSubmit; sender *thread limit exceeded*" },
      { "too_many_connections", "421 4.3.2 The *maximum number of concurrent* server "
         .. "*connections* has exceeded a limit, closing transmission channel" },
      { "rate_limited", "550 5.1.90 Your message can't be sent because you've *reached your "
         .. "daily limit* for message recipients", hint = TOMORROW },
      { "rate_limited", "554 5.2.0 *SubmissionQuotaExceeded*Exception", hint = TOMORROW },
      { "rate_limited", "550 5.2.2 *Submission quota*", hint = TOMORROW },
      { "rate_limited", "451 4.7.650 The mail server [192.0.2.1] has been *temporarily rate "
         .. "limited* due to IP reputation. (S775)" },
      { "rate_limited", "451 4.7.500 *Server busy. Please try again later from* [192.0.2.1]." },
      { "rate_limited", "550 *5.2.121* Recipient's per hour receive limit from this sender "
         .. "exceeded" },
      { "rate_limited", "550 *5.2.122* Recipient's per hour message receive limit exceeded" },
      { "rate_limited", "550 *5.7.508* Access denied, [2001:db8::1] has exceeded permitted "
         .. "limits" },
      { "auth_disabled", "550 5.1.8 Access denied, *bad outbound sender*" },
      { "auth_disabled", "550 5.7.705 Access denied, *tenant has exceeded threshold*" },
      { "auth_disabled", "550 *5.7.501* Access denied, spam abuse detected" },
      { "helo", "550 *5.7.506* Access Denied, Bad HELO" },
      { "blocked", "550 5.7.606 Access denied, *banned sending IP* [192.0.2.1]",
         hint = "Ask for removal at https://sender.office.com, or send through your provider's "
            .. "server with a login" },
      { "blocked", "550 *5.7.708* Service unavailable. Access denied, traffic not accepted from "
         .. "this IP" },
      { "blocked", "550 5.7.511 Access denied, *banned sender*" },
      { "recipient_disabled", "550 5.7.505 Access denied, *banned recipient*" },
      { "misconfigured", "550 5.4.14 *Hop count exceeded* - possible mail loop" },
      { "header", "550 *5.7.512* Access denied, message must be RFC 5322 section 3.6.2 compliant" },
      { "header", "550 *5.1.20* Multiple From addresses", hint = FROM_HEADER },
      { "unauthenticated_sender", "550 *5.7.515* Access denied, sending domain example.com "
         .. "doesn't meet the required authentication level." },
      { "unauthenticated_sender", "550 *5.7.509* Access denied, sending domain does not pass "
         .. "DMARC" },
      { "rate_limited", "452 4.3.1 *Insufficient system resources*", sentence = NO_ROOM } },
   { "Outlook.com: sendersupport.olc.protection.outlook.com, troubleshooting",
      service = "microsoft365",
      { "blocked", "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please "
         .. "contact your Internet service provider since part of their network is *on our block "
         .. "list* (S3140).",
         hint = "Ask for removal at https://olcsupport.office.com, or send through your "
            .. "provider's server with a login" },
      { "blocked", "550 5.7.1 Unfortunately, messages weren't sent. *(S3*150)" },
      { "blocked", "550 *SC-00*1 Unfortunately, messages from 192.0.2.1 weren't sent." },
      { "blocked", "550 *DY-00*1 Unfortunately, messages from 192.0.2.1 weren't sent: a dynamic "
         .. "IP" },
      { "rate_limited", "421 *RP-00*1 Unfortunately, some messages from 192.0.2.1 weren't sent" } },
   { "Google: support.google.com/a/answer/3726730", service = "gmail",
      { "rate_limited", "550 5.4.5 *Daily* user *sending limit* exceeded.", hint = TOMORROW },
      { "rate_limited", "550 5.4.5 Daily SMTP *relay limit exceeded* for customer.",
         hint = TOMORROW },
      { "rate_limited", "450 4.2.1 The user you are trying to contact is *receiving mail* at a "
         .. "rate that prevents additional messages from being delivered" },
      { "rate_limited", "421 4.7.0 Our system has detected an *unusual rate of unsolicited mail*" },
      { "rate_limited", "550 5.7.1 *Email quota exceeded*." },
      { "temporary", "421 4.7.0 *Try again later, closing connection*." },
      { "blocked", "421 4.7.0 *IP not in whitelist* for RCPT domain, closing connection." },
      { "blocked", "550 5.7.1 The *IP you're using to send mail is not authorized*" },
      { "relay_denied", "550 5.7.0 *Mail relay denied* [192.0.2.1]." },
      { "relay_denied", "550 5.7.1 *Invalid credentials for relay* [192.0.2.1]." },
      { "header", "550 5.7.1 [192.0.2.1] *Messages missing a valid address in From: header*, or "
         .. "having no From: header, are not accepted.", hint = FROM_HEADER },
      { "header", "550 5.7.1 This message is *not RFC 5322 compliant*. There are multiple "
         .. "Subject headers" },
      { "header", "550 5.7.1 *Messages with multiple addresses in From*: header are not "
         .. "accepted." },
      { "header", "554 5.6.0 *Mail message is malformed*. Not accepted." },
      { "spam", "552 5.7.0 This message was blocked because its *content presents a potential "
         .. "security issue*." },
      { "spam", "550 5.7.1 Our system has detected that this message is *likely unsolicited "
         .. "mail|likely suspicious*." },
      { "spam", "550 5.7.1 The user or domain has a *policy that prohibited the mail*" },
      { "unauthenticated_sender", "550 5.7.27 Your email has been blocked because *SPF* did *not "
         .. "pass*" },
      { "unauthenticated_sender", "550 5.7.30 Your email has been blocked because *DKIM* did "
         .. "*not pass*" },
      { "unauthenticated_sender", "550 5.7.26 This mail *is unauthenticated*" } },
   { "Amazon SES: docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
      service = "ses",
      { "sender_not_allowed", "554 Message rejected: *Email address is not verified*. The "
         .. "following identities failed the check in region EU-WEST-1: ann@example.com",
         sentence = "has not verified the sender {from|} or (in the sandbox) the recipient" },
      { "sender_not_allowed", "554 Access denied: User ses-smtp-user is *not authorized to "
         .. "perform* `ses:SendRawEmail'" },
      { "rate_limited", "454 *Throttling failure: Daily message quota exceeded*.",
         hint = TOMORROW },
      { "rate_limited", "454 *Throttling failure*: Maximum sending rate exceeded." },
      { "auth_disabled", "554 Message rejected: *Sending paused for this account*." },
      { "header", "554 Transaction failed: *Duplicate header* 'Subject'." },
      { "header", "554 Transaction failed: *Empty required header* 'From'.", hint = FROM_HEADER } },
   { "SendGrid: twilio.com/docs/sendgrid, SMTP Errors and Troubleshooting", service = "sendgrid",
      { "sender_not_allowed", "550 The from address does not match a *verified Sender Identity*." },
      { "sender_not_allowed", "550 *You are not authorized to send from that email address*" },
      { "relay_denied", "550 *Unauthenticated senders not allowed*" },
      { "quota", "451 *Maximum credits exceeded*",
         hint = "Wait until the credits are renewed, or buy more" } },
   { "Mailgun: help.mailgun.com, Authorized Recipients; account states", service = "mailgun",
      { "sender_not_allowed", "550 5.7.1 *Sandbox subdomains are for test purposes only*. Please "
         .. "add your own domain or add the address to authorized recipients" },
      { "sender_not_allowed", "550 5.7.1 *Free accounts are for test purposes only*." },
      { "rate_limited", "421 Domain example.com *is not allowed to send: Account* has "
         .. "*exceed*ed its hourly limit" },
      { "auth_disabled", "550 Domain example.com *is not allowed to send: Account* Terminated" } },
   { "Mailtrap: help.mailtrap.io, Sending Limits; Sandbox", service = "mailtrap",
      { "rate_limited", "550 5.7.0 Requested action not taken: *too many emails per second*" },
      { "quota", "535 5.7.0 The *email limit is reached*. Please upgrade your plan",
         hint = MORE },
      { "sender_not_allowed", "550 5.7.1 *Sending from domain* example.com *is not allowed*" },
      { "recipient_disabled", "550 5.7.0 *Demo domains can only* be used to send emails to account "
         .. "owners", sentence = "accepts from a demo domain only mail to the owner of the account",
         hint = "Send from a domain that is verified in the account, or to the address of its "
            .. "owner" } },
   { "Postmark, Brevo, Mailjet, SparkPost: their sender documentation",
      { "sender_not_allowed", "550 5.7.1 *Unconfigured Sending Domain* <example.com>" },
      { "sender_not_allowed", "550 The From address is *not a Sender Signature* on your account" },
      { "sender_not_allowed", "550 5.7.1 *Sender* ann@example.com *not valid*ated" },
      { "sender_not_allowed", "550 5.7.1 *Sender* ann@example.com is *not verified*" } },
   { "Mail.ru: help.mail.ru/mail/mailer/errors",
      { "sender_not_allowed", "550 *not local sender over smtp*" } },
   { "Yahoo: senders.yahooinc.com/smtp-error-codes", service = "yahoo",
      { "rate_limited", "421 4.7.0 [TSS04] *Messages from* 192.0.2.1 *temporarily deferred* due "
         .. "to unexpected volume or user complaints" },
      { "rate_limited", "421 *Max message per connection reached*, closing transmission channel" },
      { "blocked", "553 5.7.2 [TSS09] *All messages from* 192.0.2.1 *will be permanently "
         .. "deferred*" },
      { "blocked", "553 5.7.1 [BL21] *Connections* will *not* be *accepted* from 192.0.2.1, "
         .. "because the ip is in Spamhaus's list" },
      { "unknown_recipient", "554 delivery error: dd This user *doesn't have a* yahoo.com "
         .. "*account* (b@yahoo.com) [0]" },
      { "recipient_disabled", "554 delivery error: dd *This mailbox is disabled* (554.30)." },
      { "unauthenticated_sender", "554 *5.7.9* Message not accepted for policy reasons.",
         at = "message" },
      { "sender_not_allowed", "553 *From: address not verified*" } },
   { "Apple: support.apple.com/102322, iCloud Mail postmaster", service = "icloud",
      { "sender_not_allowed", "550 5.7.0 From address is *not one of your addresses*" },
      { "blocked", "554 5.7.1 [CS01] *Message rejected due to local policy*.",
         at = "hello mail rcpt" },
      { "spam", "554 5.7.1 [HM08] *Message rejected due to local policy*.", at = "message" } },
   { "Zoho: zoho.com/mail/help, zeptomail SMTP error codes", service = "zoho",
      { "sender_not_allowed", "553 *Relaying disallowed as* ann@example.com" },
      { "auth_disabled", "554 5.1.8 *Email Outgoing Blocked*" },
      { "header", "552 5.2.1 *Subject is Mandatory*." },
      { "rate_limited", "550 5.4.6 *Unusual sending activity* detected." } },
   { "Fastmail: fastmail.help, Error messages", service = "fastmail",
      { "sender_not_allowed", "551 5.7.1 *Not authori*sed *to send from this header address*" } },
   { "QQ Mail: service.mail.qq.com; NetEase: help.163.com/09/1224/17/5RAJ4LMH00753VB8.html",
      service = "netease",
      { "sender_not_allowed", "501 *Mail from address must be same as authorization user*." },
      { "sender_not_allowed", "553 *Mail from must equal authorized user*" },
      { "header", "550 The 'From' *header is missing or invalid*. Please follow RFC5322",
         hint = FROM_HEADER },
      { "header", "554 *DT:SUM*: the envelope and the header name different senders" },
      { "spam", "554 *DT:SPM* 163 smtp12" },
      { "rate_limited", "450 *MI:SFQ* the sender sent too much within 15 minutes" },
      { "rate_limited", "554 *MI:STC* the sender sent too much today", hint = TOMORROW },
      { "blocked", "554 *HL:IPB* the address is blocked" } },
   { "GMX, WEB.DE, IONOS: postmaster.gmx.net/en/error-messages", service = "gmx",
      { "no_reverse_name", "554 gmx.net Nemesis ESMTP Service not available\nNo SMTP "
         .. "service\n*Bad DNS PTR* resource record." },
      { "blocked", "554 gmx.net Nemesis ESMTP Service not available\nNo SMTP service\nIP address "
         .. "is *block listed*." },
      { "sender_not_allowed", "550 Requested action not taken: mailbox unavailable\n*Sender "
         .. "address is not allowed*." },
      { "blocked", "554 Transaction failed\n*Reject due to policy* restrictions." },
      { "unauthenticated_sender", "550 *Reject due to SPF policy*. The originating IP is not "
         .. "permitted by the domain owner" } },
   { "postgrey(8), milter-greylist(8), sqlgrey, spamd(8) of OpenBSD",
      { "greylisted", "451 *Temporary failure, please try again later*.", at = "rcpt message" },
      { "greylisted", "451 4.7.1 *Greylist|graylist|grey list|gray list|grey-list|gray-list*ing "
         .. "in action, please come back later" } },
   { "Spamhaus, SpamCop, Barracuda, Proofpoint, Cisco: their look-up pages",
      { "blocked", "554 5.7.1 Service unavailable; Client host [192.0.2.1] *blocked using* "
         .. "zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1" },
      { "spam", "554 5.7.1 A *URL|link* in this message *is listed* by a block list",
         at = "message" },
      { "spam", "550 5.7.1 *Blacklisted URL|blacklisted link|blacklisted domain|blocklisted "
         .. "URL|blocked URL|listed URL* in message", at = "message" },
      { "spam", "554 5.7.1 Message *contains|containing|includes* a link to a "
         .. "*blacklisted|blocklisted|listed* site", at = "message" },
      { "blocked", "554 5.7.1 *CSI*: 192.0.2.1 *listed|reputation*" },
      { "blocked", "554 Your access to this mail system has been rejected due to the sending "
         .. "MTA's *poor reputation*" },
      { "blocked", "554 *Blocked - see* https://ipcheck.proofpoint.com/?ip=192.0.2.1" } },
   { "T-Online, Mimecast, cbpolicyd, rspamd: their postmaster pages and manuals",
      { "blocked", "554 IP=192.0.2.1 - *A problem occurred*. Ask your postmaster for help (BL)" },
      { "blocked", "550 Administrative prohibition - *envelope blocked*" },
      { "rate_limited", "554 5.7.1 Policy rejection; *message count quota|recipient count "
         .. "quota|sending quota|daily quota|hourly quota|sending limit* exceeded" } },
   { "words of many servers: this machine, whatever the status",
      { "blocked", "550 5.7.1 Your host is on a *blacklist|black list|blocklist|block "
         .. "list|block-list|black-list|denylist|deny list*" },
      { "blocked", "550 5.7.1 192.0.2.1 is *listed in|listed at|listed on|listed by* "
         .. "zen.spamhaus.org" },
      { "blocked", "550 5.7.1 *Client host|IP address|your host|your ip* is "
         .. "*blocked|rejected|denied|banned|not accepted|not allowed*" } },
   { "words of many servers: full mailboxes, loops",
      { "mailbox_full", "452 4.1.1 <b@example.net> *mailbox full|mailbox is full|over "
         .. "quota|overquota|quota exceeded*", at = "rcpt message" },
      { "misconfigured", "554 5.4.6 *too many hops|mail loop|loops back*" } },

   -- ---- the registered statuses ----
   { "RFC 3463 3.2 to 3.8, RFC 7372, RFC 7505, RFC 8616, and the IANA registry",
      { "sender_syntax", "501 *5.1.7* Bad sender address syntax" },
      { "sender_domain", "550 *5.1.8* Bad sender's system address" },
      { "sender_domain", "550 *5.7.27* Sender address has null MX" },
      { "sender_syntax", "501 *5.1.3* Bad address syntax", at = "mail" },
      { "unknown_recipient", "550 *5.1.1* User unknown", at = "rcpt message" },
      { "recipient_domain", "550 *5.1.2* Bad destination system address", at = "rcpt message" },
      { "recipient_syntax", "501 *5.1.3* Bad recipient address syntax", at = "rcpt message" },
      { "unknown_recipient", "550 *5.1.4* Mailbox address ambiguous", at = "rcpt message" },
      { "unknown_recipient", "551 *5.1.6* Mailbox has moved", at = "rcpt message" },
      { "recipient_domain", "556 *5.1.10* Recipient address has null MX", at = "rcpt message" },

      { "recipient_disabled", "550 *5.2.1* Mailbox disabled, not accepting messages",
         at = "rcpt message" },
      { "quota", "552 *5.2.2* Mailbox full", at = "mail" },
      { "mailbox_full", "552 *5.2.2* Mailbox storage exceeded", at = "rcpt message" },
      { "too_large", "552 *5.2.3* Message length exceeds administrative limit" },
      { "rate_limited", "452 *4.3.1* Insufficient system storage", sentence = NO_ROOM },
      { "temporary", "421 *4.3.2* System not accepting network messages", at = "hello",
         hint = HELLO_AGAIN },
      { "temporary", "421 *4.3.2* System not accepting network messages", at = "mail rcpt "
         .. "message" },
      { "too_large", "552 *5.3.4* Message too big for system" },
      { "misconfigured", "451 *4.3.5* System incorrectly configured" },
      { "temporary", "451 *4.4.1* No answer from host" },
      { "temporary", "451 *4.4.2* Bad connection" },
      { "temporary", "451 *4.4.3* Directory server failure" },
      { "recipient_domain", "550 *5.4.4* Unable to route", at = "rcpt message" },
      { "rate_limited", "451 *4.4.5* Mail system congestion" },
      { "misconfigured", "554 *5.4.6* Routing loop detected" },
      { "rate_limited", "452 *4.5.3* Too many recipients" },
      { "eightbit", "554 *5.6.1* Media not supported" },
      { "eightbit", "554 *5.6.3* Conversion required but not supported" },
      { "eightbit", "553 *5.6.7* Non-ASCII addresses not permitted" },
      { "auth_disabled", "525 *5.7.13* User account disabled" },
      { "unauthenticated_sender", "550 *5.7.20* No passing DKIM signature found" },
      { "unauthenticated_sender", "550 *5.7.21* No acceptable DKIM signature found" },
      { "unauthenticated_sender", "550 *5.7.22* No valid author-matched DKIM signature found" },
      { "unauthenticated_sender", "550 *5.7.23* SPF validation failed" },
      { "unauthenticated_sender", "451 *4.7.24* SPF validation error" },
      { "no_reverse_name", "550 *5.7.25* Reverse DNS validation failed" },
      { "unauthenticated_sender", "550 *5.7.26* Multiple authentication checks failed" },
      { "rate_limited", "451 *4.7.28* Mail flood detected" },
      { "unauthenticated_sender", "550 *5.7.29* ARC validation failure" } },

   -- ---- words that many servers share ----
   { "milters and policy services: OpenDMARC, OpenDKIM, pypolicyd-spf",
      { "unauthenticated_sender", "550 5.7.1 rejected by *DMARC* policy for example.com" },
      { "unauthenticated_sender", "550 5.7.1 *SPF* check *fail*ed" },
      { "unauthenticated_sender", "550 *SPF*: 192.0.2.1 is *not allowed* to send mail from "
         .. "b.example" },
      { "unauthenticated_sender", "550 5.7.1 *DKIM* signature *fail*ed" } },
   { "words of many servers: relaying",
      { "relay_denied", "554 5.7.1 <b@example.net>: *Relay access denied|relaying denied*" },
      { "relay_denied", "550 5.7.1 *Relay* access to this domain is *denied|not "
         .. "allowed|prohibited|rejected|not permitted|disallowed|not accepted*" },
      { "relay_denied", "553 *recipient domain|destination domain* is *not allowed|not "
         .. "accepted|not local|not permitted*", at = "rcpt" },
      { "relay_denied", "550 *not allowed|unable|refus|cannot|not authorized|won't|do not|don't* "
         .. "to *relay*" } },
   { "words of many servers: this machine",
      { "no_reverse_name", "550 5.7.1 *reverse DNS|PTR record|reverse hostname|rDNS|reverse "
         .. "lookup|PTR lookup|no PTR|missing PTR|valid PTR* failed" },
      { "no_reverse_name", "550 *cannot resolve|unable to resolve|could not resolve* "
         .. "*your|client* address" },
      { "helo", "550 5.7.1 *invalid|bad|illegal|fake|forged|wrong|rejected:* *HELO|EHLO*" },
      { "helo", "550 5.7.1 *HELO|EHLO* is *invalid|rejected|not valid|malformed|not "
         .. "accept|forged|not resolve|does not exist|FQDN|fully "
         .. "qualified|fully-qualified|mismatch|not match*" },
      { "too_many_connections", "421 *Too many|maximum* concurrent *connections|sessions*" },
      { "too_many_connections", "421 *connection|session* limit *exceeded|reached*",
         at = "hello mail" },
      { "rate_limited", "451 4.7.1 *rate limit|ratelimit|rate-limit|too frequent|too many "
         .. "messages|too many mails|too many emails|sending limit|sending too*" },
      { "rate_limited", "550 5.7.1 *exceed|reached*s the limit *per hour|per day|per minute*" },
      { "rate_limited", "451 4.7.1 *send limit|sending limit*" },
      { "rate_limited", "451 4.7.1 *sending rate|message rate|mail rate|daily|hourly|per "
         .. "hour|per day|per minute* is *exceeded|limit|quota|too high*" },
      { "blocked", "550 5.7.1 Rejected by *DNSBL|RBL*", at = "hello mail rcpt" },
      { "blocked", "554 5.7.1 *Dynamic pool|dynamic IP|dynamic address|dynamic/|dynamic "
         .. "host|dynamic client|dynamic range|dynamic network|dynamically|residential "
         .. "IP|residential address|residential network|residential customer|residential "
         .. "connection|dial-up|dialup* addresses do not send here" },
      { "blocked", "554 5.7.1 *banned|blocked|access denied|poor reputation*", at = "hello" },
      { "blocked", "550 5.7.1 *sending IP|sender IP|sending server|sending host|sending MTA* "
         .. "192.0.2.1 is *blocked|rejected|denied*", at = "mail rcpt message" },
      { "blocked", "550 5.7.0 Access denied: *IP address unknown|unknown IP*",
         at = "mail rcpt message" },
      { "auth_disabled", "550 *sending for|sending from|sending mail|outgoing mail* this "
         .. "*account|user|domain* is *disabled|suspended|blocked*" },
      { "auth_disabled", "550 5.7.1 *account|user* has been *suspended|disabled|locked*",
         at = "mail" },
      { "blocked", "550 5.7.1 *spam|reputation|Spamhaus|SpamCop|SORBS|UCEPROTECT* "
         .. "source", at = "hello mail" },
      { "blocked", "550 5.7.1 *Spamhaus|SpamCop|SORBS|UCEPROTECT* source", at = "rcpt" },
      { "pipelining", "550 5.5.0 *improper|illegal|unauthorized|unexpected* use of *pipelin*ing" },
      { "pipelining", "550 5.5.0 *pipelin*ing is *not allowed|not permitted|not "
         .. "supported|refused*" } },
   { "words of many servers: senders",
      { "sender_not_allowed", "550 5.7.1 *not allowed|not authorized|not authorised|not "
         .. "permitted* to *send as|send mail as|send from|use this sender* boss@example.com" },
      { "sender_domain", "550 *Sender domain* does *not exist|not found|not resolve|invalid|no "
         .. "MX|null MX|no A record*" },
      { "sender_domain", "550 *Sender* address has *null MX|no MX|no DNS*" },
      { "sender_not_allowed", "550 5.7.1 *null sender|empty sender|null reverse|null return* not "
         .. "allowed", at = "mail rcpt", sentence = "does not accept the empty sender",
         hint = "Set envelope.from to an address in place of \"\"" },
      { "sender_not_allowed", "550 5.7.1 *not an authorized|not a valid|not an allowed|not a "
         .. "verified* *sender*" },
      { "sender_not_allowed", "550 5.7.1 Unable to *verify sender|sender verif|sender address*: "
         .. "*unknown|not exist|no such|invalid|failed*",
         sentence = "cannot verify the sender {from|}",
         hint = "Set from (or envelope.from) to an address that exists and receives mail" },
      { "sender_not_allowed", "550 5.7.1 *From address|Sender address|sender is|MAIL FROM* is *not "
         .. "allowed|rejected|not verified|not authorized|not authorised|not permitted|denied*" },
      { "sender_not_allowed", "550 5.7.1 The *domain* example.com is *not verified|unverified|not "
         .. "registered|not configured|not authorized to send*" },
      { "sender_not_allowed", "550 5.7.1 *sender not|sender rejected|sender denied* allowed" } },
   { "words of many servers: recipients", at = "rcpt message",
      { "recipient_disabled", "550 5.7.1 mailbox blocks *unknown sender|external "
         .. "sender|unauthenticated sender|outside sender|authorized senders only|authorised "
         .. "senders only*s" },
      { "mailbox_full", "552 *inbox full|mailbox full|folder full*" },
      { "mailbox_full", "552 *inbox|mailbox|folder* *is full|over quota|exceeded|too large*" },
      { "mailbox_full", "552 *out of storage|disk quota|storage limit*" },
      { "mailbox_full", "552 Requested mail action aborted: *exceed*ed storage *allocation|quota*",
         at = "rcpt" },
      { "recipient_disabled", "550 *mailbox|account|user|recipient* is "
         .. "*disabled|inactive|suspended|deactivated|locked|not "
         .. "accepting|expired|frozen|closed*" },
      { "recipient_domain", "550 *domain not found|host unknown|unknown host|no such "
         .. "domain|domain unknown|unknown domain|domain does not exist*", at = "rcpt" },
      { "unknown_recipient", "550 *callout verification failed|not our customer|not a valid "
         .. "mailbox|not a valid recipient*" },
      { "unknown_recipient", "550 *unknown user|no such|unknown recipient|unknown "
         .. "mailbox|invalid mailbox|invalid recipient|no mailbox|unknown address|user "
         .. "unknown|unknown local*" },
      { "unknown_recipient", "*550* Requested action not taken: *mailbox "
         .. "unavailable*", at = "rcpt" },
      { "temporary", "450 Requested action not taken: *mailbox unavailable*", at = "rcpt" },
      { "header", "550 The address in the *To header|Cc header|From header* is *invalid|malformed*",
         at = "message" },
      { "unknown_recipient", "550 *user|mailbox|recipient|account|address* is *unknown|not "
         .. "found|not exist|doesn't exist|not known|no longer|invalid*" },
      { "blocked", "550 5.7.1 *spam|reputation* source", at = "rcpt" },
      { "greylisted", "451 *4.7.1 Try again later*", at = "rcpt" },
      { "recipient_syntax", "553 *malformed|syntax error|bad syntax* address", at = "rcpt" } },
   { "words of many servers: the message", at = "message",
      { "temporary", "*451 4.3.0* virus scan failed" },
      { "temporary", "451 4.7.1 *virus|spam|content* *scanner|scan|filter* is "
         .. "*unavailable|not available|failed|timed out|timeout*" },
      { "too_large", "552 *message|mail|size|attachment|content* is *too large|too big|size "
         .. "exceeds|exceeds size|too long*" },
      { "spam", "554 5.7.1 *virus|infected|malware|phish|unsolicited|spam|bulk "
         .. "mail|SURBL|URIBL|content filter*" },
      { "spam", "550 5.7.1 message *content|attachment|file type|url|link* is *not accept|not "
         .. "allowed|rejected|blocked|forbidden|listed|prohibited|denied|restrict*" },
      { "spam", "550 5.7.1 message with *restricted|forbidden|banned|blocked|prohibited* "
         .. "*attachment|file|content*" },
      { "header", "550 *duplicate|missing|malformed|invalid|multiple|bad|illegal* required "
         .. "*header|message-id|from:*" },
      { "header", "550 *header|message-id|from:* is *missing|malformed|invalid|required|not "
         .. "valid|duplicate|not found|syntax|too long|too many*" },
      { "header", "550 does not have a *valid message-id|valid date|valid from*" },
      { "header", "550 *no date|no from|no message-id|no subject|without a date|without "
         .. "message-id* header" },
      { "header", "550 *not* compliant with *RFC5322|RFC 5322|RFC 2822|RFC2822|RFC 822*" },
      { "header", "550 *RFC5322|RFC 5322|RFC 2822|RFC2822* *violat|complian|conform*" },
      { "eightbit", "550 *line length|lines too long|line too long*",
         sentence = "does not accept lines this long",
         hint = "Encode the message as quoted-printable or base64 (text composed here always is)" },
      { "eightbit", "554 *8-bit|8bit|eight-bit|eight bit|non-ASCII|non ASCII* characters" },
      { "spam", "550 5.7.0 Local *policy* violation" } },

   -- ---- what is left ----
   { "Postfix: local policy", at = "rcpt",
      { "recipient_disabled", "554 5.7.1 <b@example.net>: *Recipient address rejected*: Access "
         .. "denied" } },
   { "RFC 5321 4.2.3, RFC 7504",
      { "sender_syntax", "*501* Syntax error in parameters", at = "mail" },
      { "recipient_syntax", "*501* Bad parameters or arguments", at = "rcpt" },
      { "unknown_recipient", "*551* User not local", at = "rcpt" },
      { "mailbox_full", "*552* Requested mail action aborted", at = "rcpt" },
      { "recipient_domain", "*556* Domain does not accept mail", at = "rcpt" },
      { "blocked", "554 Connection *denied|rejected|not allowed|not permitted|not "
         .. "accepted|forbidden|prohibited|unauthorized|not authorized*", at = "hello" },
      { "misconfigured", "554 *No SMTP service* here", at = "hello",
         sentence = "offers no SMTP service here", hint = "Check host and port; some servers "
            .. "also say so to addresses that they block" },
      { "misconfigured", "*521* Host does not accept mail", at = "hello" },
      { "rate_limited", "450 Please *slow down*" },
      { "temporary", "*421* Service not available, closing transmission channel", at = "hello",
         hint = HELLO_AGAIN },
      { "temporary", "*421* Service not available, closing transmission channel",
         at = "mail rcpt message" },
      { "temporary", "*450* Requested mail action not taken", at = "mail rcpt message",
         hint = IN_SOME_MINUTES },
      { "temporary", "*451* Requested action aborted: local error in processing",
         at = "rcpt message", hint = IN_SOME_MINUTES },
      { "temporary", "*451* Requested action aborted: local error in processing",
         at = "hello mail" },
      { "rate_limited", "*452* Requested action not taken: insufficient system storage",
         sentence = NO_ROOM } },
}
