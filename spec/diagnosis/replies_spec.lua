-- Why a server refused the sender, the recipients, this machine or the message: documented replies.
local staged = require "spec.tools.staged"

local ANONYMOUS = { username = false, password = false }

local function at(host, more)
   local all = { host = host }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

-- At an MX, without a login.
local function mx(more)
   return at("mx.example.net", { username = false, password = false, port = 25,
      host = more and more.host or staged.new_host() })
end

local BOSS = { from = "boss@example.com" }

-- It accepts the address of the login alone.
local function own_only(verb, reply)
   return function(t)
      return { [verb] = t.from ~= "ann@example.com" and reply or nil }
   end
end

staged.rows("a sender", {
   { "that the login does not own, says Postfix at RCPT", options = BOSS,
      server = own_only("RCPT", "553 5.7.1 <boss@example.com>: Sender address rejected: not owned by user "
         .. "ann@example.com"),
      error = { "recipients_refused", "sender_not_allowed", "sender", "never" },
      says = { "ann@example.com", "boss@example.com", "set from", "smtpd_sender_login_maps", "Send As" },
      remedy = { from = "ann@example.com" } },
   { "that the login does not own, says Microsoft 365 after the message",
      options = at("smtp.office365.com", BOSS),
      server = own_only("END", "554 5.2.252 SendAsDenied; ann@example.com not allowed to send as boss@example.com; "
         .. "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied"),
      error = { "data_refused", "sender_not_allowed", "sender", "never" },
      says = { "ann@example.com", "boss@example.com", "set from", "Send As" },
      remedy = { from = "ann@example.com" } },
   { "that the login does not own, says Exchange", options = BOSS,
      server = own_only("END", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "set from", "Send As" },
      remedy = { from = "ann@example.com" } },
   { "that SES has not verified", options = at("email-smtp.eu-west-1.amazonaws.com", BOSS),
      server = own_only("END", "554 Message rejected: Email address is not verified. The following identities failed "
         .. "the check in region EU-WEST-1: boss@example.com"),
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "verify", "region", "sandbox" } },
   { "that SendGrid has not verified", options = at("smtp.sendgrid.net", BOSS),
      server = own_only("END", "550 The from address does not match a verified Sender Identity. Mail cannot be sent "
         .. "until this error is resolved."),
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "Sender Identity", "verify" } },
   { "that is not one of iCloud's addresses", options = at("smtp.mail.me.com", BOSS),
      server = own_only("END", "550 5.7.0 From address is not one of your addresses"),
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "alias" } },
   { "that Zoho does not relay as", options = at("smtp.zoho.com", BOSS),
      server = own_only("RCPT", "553 Relaying disallowed as boss@example.com"),
      error = { "recipients_refused", "sender_not_allowed", "sender", "never" }, says = { "alias", "set from" } },
   { "that is not the user of QQ", options = at("smtp.qq.com", BOSS),
      server = own_only("MAIL", "501 Mail from address must be same as authorization user."),
      error = { "sender_refused", "sender_not_allowed", "sender", "never" }, says = { "same as the user name" } },
   { "that is not the user of 163", options = at("smtp.163.com", BOSS),
      server = own_only("MAIL", "553 Mail from must equal authorized user"),
      error = { "sender_refused", "sender_not_allowed", "sender", "never" }, says = { "same as the user name" } },
   { "of a Mailgun sandbox", options = at("smtp.mailgun.org", BOSS),
      server = own_only("END", "550 5.7.1 Sandbox subdomains are for test purposes only. Please add your own domain "
         .. "or add the address to authorized recipients in Account Settings."),
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "authorized recipients" } },
   { "that Postfix wants logged in", options = { from = "boss@example.com", username = false, password = false },
      server = { RCPT = "553 5.7.1 <boss@example.com>: Sender address rejected: not logged in" },
      error = { "auth_required", "required", nil, "never" }, says = { "give username and password" } },
   { "whose domain does not resolve", options = { from = "ann@nope.example" },
      server = { RCPT = "450 4.1.8 <ann@nope.example>: Sender address rejected: Domain not found" },
      error = { "recipients_refused", "sender_domain", "sender", "later" },
      says = { "ann@nope.example", "from", "domain" } },
   { "whose domain does not resolve, says Sendmail", options = { from = "ann@nope.example" },
      server = { MAIL = "553 5.1.8 <ann@nope.example>... Domain of sender address ann@nope.example does not exist" },
      error = { "sender_refused", "sender_domain", "sender", "never" }, says = { "ann@nope.example", "from" } },
   { "whose domain does not resolve, says Exim",
      server = { RCPT = "550-Verification failed for <ann@example.com>\n550-Unrouteable address\n550 Sender verify "
         .. "failed" },
      error = { "recipients_refused", "sender_domain", "sender", "never" }, says = { "ann@example.com" } },
   { "with a null MX", server = { MAIL = "550 5.7.27 Sender address has null MX" },
      error = { "sender_refused", "sender_domain", "sender", "never" }, says = { "ann@example.com", "domain" } },
   { "with a bad form", server = { MAIL = "501 5.1.7 Bad sender address syntax" },
      error = { "sender_refused", "sender_syntax", "sender", "never" }, says = { "ann@example.com", "set from" } },
   { "whose mailbox is over quota", server = { MAIL = "552 5.2.2 Over quota" },
      error = { "sender_refused", "quota", "account", "later" }, says = { "quota" } },
   { "that is refused without a reason", server = { MAIL = "550 5.1.0 no" },
      error = { "sender_refused", "refused", "sender", "never" }, says = { "ann@example.com", "check the address" } },
})

staged.rows("the name in EHLO", {
   { "is refused by Postfix at RCPT", options = mx(),
      server = { RCPT = "504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname" },
      error = { "recipients_refused", "helo", "client", "never" }, says = { "EHLO", '"me.example"', "set domain" } },
   { "is not found by Postfix", options = mx(),
      server = { RCPT = "450 4.7.1 <box.local>: Helo command rejected: Host not found" },
      error = { "recipients_refused", "helo", "client", "later" }, says = { "EHLO", '"me.example"', "set domain" } },
   { "is invalid for Exim", options = mx(),
      server = { EHLO = "501 Syntactically invalid EHLO argument(s)", HELO = "501 Syntactically invalid HELO "
         .. "argument(s)" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { '"me.example"', "set domain" } },
   { "is invalid for cPanel", options = mx(),
      server = { RCPT = "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)" },
      error = { "recipients_refused", "helo", "client", "never" }, says = { '"me.example"', "set domain" } },
   { "is invalid for Sendmail", options = mx(),
      server = { EHLO = "501 5.0.0 Invalid domain name", HELO = "501 5.0.0 Invalid domain name" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { '"me.example"', "set domain" } },
   { "is bad for Microsoft 365", options = mx(),
      server = { RCPT = "550 5.7.506 Access Denied, Bad HELO" },
      error = { "recipients_refused", "helo", "client", "never" }, says = { '"me.example"', "set domain" } },
})

local SPAMHAUS = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
   .. "https://www.spamhaus.org/query/ip/192.0.2.1"

staged.rows("this machine", {
   { "is blocked in the greeting", options = mx(), server = { greeting = SPAMHAUS },
      error = { "greeting_refused", "blocked", "client", "never" },
      says = { "192.0.2.1", "zen.spamhaus.org", "provider's server", "list" }, hides = { "give username" } },
   { "is blocked at RCPT", options = mx(), server = { RCPT = SPAMHAUS },
      error = { "recipients_refused", "blocked", "client", "never" },
      says = { "192.0.2.1", "zen.spamhaus.org", "provider's server", "list" },
      hides = { "give username", "accepted no recipient" } },
   { "is blocked at RCPT where AUTH is offered", options = ANONYMOUS, server = { RCPT = SPAMHAUS },
      error = { "recipients_refused", "blocked", "client", "never" },
      says = { "192.0.2.1", "zen.spamhaus.org", "give username and password", "list" } },
   { "is blocked by Outlook.com", options = mx(),
      server = { MAIL = "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet "
         .. "service provider since part of their network is on our block list (S3140). You can also refer your "
         .. "provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [AM0]" },
      error = { "sender_refused", "blocked", "client", "never" },
      says = { "192.0.2.1", "olcsupport.office.com|sender.office.com" } },
   { "is blocked by Yahoo", options = mx(),
      server = { greeting = "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in "
         .. "Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html" },
      error = { "greeting_refused", "blocked", "client", "never" }, says = { "192.0.2.1", "provider's server" } },
   { "is blocked by GMX", options = mx(),
      server = { greeting = "554-gmx.net (mxgmx117) Nemesis ESMTP Service not available\n554-No SMTP service\n"
         .. "554-IP address is block listed.\n554 For explanation visit "
         .. "https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=192.0.2.1" },
      error = { "greeting_refused", "blocked", "client", "never" }, says = { "provider's server" } },
   { "has no reverse name, says Postfix", options = mx(),
      server = { RCPT = "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]" },
      error = { "recipients_refused", "no_reverse_name", "client", "later" },
      says = { "PTR", "reverse name", "provider's server" }, hides = { "accepted no recipient" } },
   { "has no reverse name, says Gmail", options = mx(),
      server = { END = "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record\n"
         .. "550 5.7.25 setup, or the corresponding forward DNS entry does not match. - gsmtp" },
      error = { "data_refused", "no_reverse_name", "client", "never" }, says = { "PTR" } },
   { "has no reverse name, says GMX", options = mx(),
      server = { greeting = "554-gmx.net (mxgmx015) Nemesis ESMTP Service not available\n554-No SMTP service\n"
         .. "554 Bad DNS PTR resource record." },
      error = { "greeting_refused", "no_reverse_name", "client", "never" }, says = { "PTR" } },
   { "has too many connections", options = mx(),
      server = { greeting = "421 4.7.0 mail.example.com Error: too many connections from 192.0.2.1\nCLOSE" },
      error = { "greeting_refused", "too_many_connections", "client", "later" },
      says = { "connections = 1", "fewer connections" } },
})

staged.rows("a recipient", {
   { "after too many refusals, says chasquid", options = mx(), server = { RCPT = "421 4.5.0 Too many errors, bye" },
      error = { "disconnected", "rate_limited", "client", "later" }, says = { "too much was refused", "Remove" } },
   { "elsewhere, says Exim without an enhanced code", options = ANONYMOUS,
      server = { RCPT = "550-Please turn on SMTP Authentication in your mail client.\n550-(box) [192.0.2.1]:49152 is "
         .. "not permitted to relay through this server\n550 without authentication." },
      error = { "auth_required", "required", nil, "never" },
      says = { "relay", "give username and password" }, hides = { "587 or" } },
   { "elsewhere, says Exim without AUTH", options = mx(),
      server = { TLS = { "SIZE 1000" }, RCPT = "550-Please turn on SMTP Authentication in your mail client.\n550-(box) "
         .. "[192.0.2.1]:49152 is not permitted to relay through this server\n550 without authentication." },
      error = { "recipients_refused", "relay_denied", "account", "never" },
      says = { "relay", "bob@example.net", "username and password", "587" } },
   { "elsewhere, on port 25", options = mx(),
      server = { RCPT = "554 5.7.1 <bob@example.net>: Relay access denied" },
      error = { "recipients_refused", "relay_denied", "account", "never" },
      says = { "relay", "bob@example.net", "587", "username and password" } },
   { "elsewhere, after a login", server = { RCPT = "554 5.7.1 <bob@example.net>: Relay access denied" },
      error = { "recipients_refused", "relay_denied", "account", "never" },
      says = { "relay", "bob@example.net", "right server", "operator" }, hides = { "587 or", "give username" } },
   { "elsewhere, says Exchange", options = mx(),
      server = { RCPT = "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain" },
      error = { "recipients_refused", "relay_denied", "account", "never" }, says = { "relay", "bob@example.net" } },
   { "elsewhere, says Sendmail", options = ANONYMOUS,
      server = { RCPT = "550 5.7.1 <bob@example.net>... Relaying denied. Proper authentication required." },
      error = { "auth_required", "required", nil, "never" }, says = { "give username and password" } },
   { "elsewhere, says qmail", options = mx(),
      server = { RCPT = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)" },
      error = { "recipients_refused", "relay_denied", "account", "never" }, says = { "relay", "bob@example.net" } },
   { "of a domain that does not exist", options = { to = "bob@exmaple.net" },
      server = { RCPT = "450 4.1.2 <bob@exmaple.net>: Recipient address rejected: Domain not found" },
      error = { "recipients_refused", "recipient_domain", "recipient", "later" },
      says = { "bob@exmaple.net", "domain", "spelling" } },
   { "that is not known", server = { RCPT = "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown in "
      .. "virtual mailbox table" },
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" },
      says = { "bob@example.net", "spelling" } },
   { "that Gmail does not know", options = mx(),
      server = { RCPT = "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 "
         .. "double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp" },
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" }, says = { "spelling" } },
   { "that Exchange does not know", options = mx(),
      server = { RCPT = "550 5.4.1 Recipient address rejected: Access denied. [AM0PR04]" },
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" }, says = { "bob@example.net" } },
   { "whose mailbox is full", server = { RCPT = "552 5.2.2 <bob@example.net> Quota exceeded (mailbox for user is "
      .. "full)" },
      error = { "recipients_refused", "mailbox_full", "recipient", "later" },
      says = { "bob@example.net", "days", "no room|full" } },
   { "whose mailbox is disabled", server = { RCPT = "550 5.2.1 <bob@example.net> Mailbox disabled, not accepting "
      .. "messages" },
      error = { "recipients_refused", "recipient_disabled", "recipient", "never" }, says = { "bob@example.net" } },
   { "behind a greylist", options = mx(),
      server = { RCPT = "450 4.2.0 <bob@example.net>: Recipient address rejected: Greylisted, see "
         .. "http://postgrey.schweikert.ch/help/example.net.html" },
      error = { "recipients_refused", "greylisted", "server", "later" },
      says = { "greylist", "5 to 15 minutes", "same address" } },
   { "behind another greylist", options = mx(),
      server = { RCPT = "451 4.7.1 Greylisting in action, please come back in 00:05:00" },
      error = { "recipients_refused", "greylisted", "server", "later" }, says = { "minutes" } },
   { "of three, each for its own reason",
      options = { to = { "b1@example.net", "b2@example.net", "b3@example.net" } },
      server = { RCPT = { "550 5.1.1 User unknown", "552 5.2.2 Mailbox full", "450 4.2.0 Greylisted, try later" } },
      error = { "recipients_refused", "greylisted", "server", "later" },
      says = { "none of 3", "b1@example.net", "550 5.1.1", "User unknown", "b2@example.net", "552", "b3@example.net" },
      also = function(err)
         local list = err.recipients
         assert(list[1].reason == "unknown_recipient" and list[1].concerns == "recipient" and list[1].retry == "never")
         assert(list[2].reason == "mailbox_full" and list[2].concerns == "recipient" and list[2].retry == "later")
         assert(list[3].reason == "greylisted" and list[3].concerns == "server" and list[3].retry == "later")
         for i = 1, 3 do assert(list[i].hint) end
      end },
   { "of five names three, and counts the rest",
      options = { to = { "b1@example.net", "b2@example.net", "b3@example.net", "b4@example.net", "b5@example.net" } },
      server = { RCPT = "550 5.1.1 User unknown" },
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" },
      says = { "none of 5", "b3@example.net", "2 more" }, hides = { "b4@example.net", "b5@example.net" } },
   { "of three is not needed", options = { to = { "b1@example.net", "b2@example.net", "b3@example.net" },
      recipients = "all" }, server = { RCPT = { "250 ok", "550 5.1.1 User unknown", "250 ok" } },
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" },
      says = { 'recipients = "all"', "b2@example.net", "550 5.1.1" }, hides = { "b1@example.net" },
      remedy = { recipients = "any" } },
})

describe("pipelining that a server does not bear", function()
   it("is done without by itself", function()
      for _, reply in ipairs { "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining",
         "554 SMTP synchronization error\nCLOSE" } do
         assert(staged.send { server = { DATA = function(_, server) return server.is_flight and reply or nil end } })
      end
   end)
end)

local GMAIL_DAILY = "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits, go to\n"
   .. "550 5.4.5  https://support.google.com/a/answer/166852 - gsmtp"

staged.rows("a limit", {
   { "is 452 4.3.1 at MAIL", server = { MAIL = "452 4.3.1 Insufficient system storage" },
      error = { "sender_refused", "rate_limited", "client", "later" }, says = { "wait", "rate =|a rate" } },
   { "is that of SES", options = at "email-smtp.us-east-1.amazonaws.com",
      server = { END = "454 Throttling failure: Maximum sending rate exceeded." },
      error = { "data_refused", "rate_limited", "client", "later" },
      says = { "limits how much", "wait", "rate =|a rate", "connections" } },
   { "is that of SES for a day", options = at "email-smtp.us-east-1.amazonaws.com",
      server = { END = "454 Throttling failure: Daily message quota exceeded." },
      error = { "data_refused", "rate_limited", "client", "later" }, says = { "next day" } },
   { "is that of Gmail for a day", options = at "smtp.gmail.com", server = { END = GMAIL_DAILY },
      error = { "data_refused", "rate_limited", "client", "later" }, says = { "next day" } },
   { "is that of Microsoft 365 for connections", options = at "smtp.office365.com",
      server = { MAIL = "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending" },
      error = { "sender_refused", "too_many_connections", "client", "later" }, says = { "connections = 1" } },
   { "is that of Postfix's anvil", server = { MAIL = "450 4.7.1 Error: too much mail from 192.0.2.1" },
      error = { "sender_refused", "rate_limited", "client", "later" }, says = { "wait" } },
   { "is that of cPanel for an hour", server = { END = "550 Domain example.com has exceeded the max emails per hour "
      .. "(500/500 (100%)) allowed. Message discarded." },
      error = { "data_refused", "rate_limited", "client", "later" }, says = { "wait" } },
   { "is that of Mailgun for an hour", options = at "smtp.mailgun.org",
      server = { END = "421 Domain example.com is not allowed to send: Account exceeded hourly limit\nCLOSE" },
      error = { "disconnected", "rate_limited", "client", "later" }, says = { "wait" } },
   { "is the credit of SendGrid", options = at "smtp.sendgrid.net",
      server = { MAIL = "451 Maximum credits exceeded" },
      error = { "sender_refused", "quota", "account", "later" }, says = { "quota|credit" } },
   { "is that of Yahoo", options = mx(),
      server = { END = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or "
         .. "user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes\nCLOSE" },
      error = { "disconnected", "rate_limited", "client", "later" }, says = { "wait" } },
   { "is pipelining, says Postfix", server = { DATA = "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP "
      .. "command pipelining" },
      error = { "data_refused", "pipelining", "client", "never" }, says = { "pipelining", "operator" },
      hides = { 'pipelining = "off"' } },
   { "is pipelining, says Exim", server = { MAIL = "554 SMTP synchronization error\nCLOSE" },
      error = { "sender_refused", "pipelining", "client", "never" }, says = { "pipelining", "operator" },
      hides = { 'pipelining = "off"' } },
})

staged.rows("a message", {
   { "is refused as spam", server = { END = "554 5.7.1 Spam message rejected" },
      error = { "data_refused", "spam", "message", "never" },
      says = { "refused the content", "plain text", "links", "dkim" } },
   { "is a virus", server = { END = "554 5.7.1 Virus found: Eicar-Test-Signature" },
      error = { "data_refused", "spam", "message", "never" }, says = { "content" } },
   { "has no From header, says Gmail", options = at "smtp.gmail.com",
      server = { END = "550-5.7.1 [192.0.2.1] Messages missing a valid address in From: header, or having\n550 5.7.1 "
         .. "no From: header, are not accepted. d2e1a72fcca58 - gsmtp" },
      error = { "data_refused", "header", "message", "never" }, says = { "From", "raw" } },
   { "is unauthenticated, says Gmail", options = mx(),
      server = { END = "550-5.7.26 This mail is unauthenticated, which poses a security risk to the sender\n550 5.7.26 "
         .. "and Gmail users, and has been blocked. - gsmtp" },
      error = { "data_refused", "unauthenticated_sender", "message", "never" }, says = { "SPF", "dkim" } },
   { "fails DMARC", options = mx(), server = { END = "550 5.7.1 rejected by DMARC policy for example.com" },
      error = { "data_refused", "unauthenticated_sender", "message", "never" }, says = { "ann@example.com", "DMARC" } },
   { "is too large", server = { END = "552 5.3.4 Message size exceeds fixed limit" },
      error = { "message_too_large", "too_large", "message", "never" }, says = { "fewer or smaller attachments" } },
   { "is too large at MAIL", server = { MAIL = "552 5.3.4 Message size exceeds fixed limit" },
      error = { "message_too_large", "too_large", "message", "never" }, says = { "fewer or smaller attachments" } },
   { "is too large by what EHLO offered", server = { EHLO = { "SIZE 20" } },
      options = { tls = "skip", username = false, password = false },
      error = { "message_too_large", "too_large", "message", "never" }, says = { "limit is 20" },
      remedy = { raw = "A: b\r\n\r\nx\r\n" } },
   { "has two Subject headers, says SES", options = at "email-smtp.us-east-1.amazonaws.com",
      server = { END = "554 Transaction failed: Duplicate header 'Subject'." },
      error = { "data_refused", "header", "message", "never" }, says = { "header" } },
   { "is not taken by the queue", server = { END = "451 4.3.0 Error: queue file write error" },
      error = { "data_refused", "temporary", "server", "later" }, says = { "later" } },
   { "is refused in words of nobody", server = { END = "554 5.6.0 no" },
      error = { "data_refused", "refused", "message", "never" }, says = { "554", "header and the content" } },
})

-- ---- replies that say little ----

local function bare(verb, code, error, says, more)
   local row = { ("%s to %s"):format(code, verb), options = more, server = { [verb] = code }, error = error,
      says = says }
   return row
end

staged.rows("a reply without words:", {
   bare("MAIL", "550", { "sender_refused", "refused", nil, "never" }, { "check the address in from", "operator" }),
   bare("MAIL", "450", { "sender_refused", "temporary", "server", "later" }, "send again"),
   bare("RCPT", "550", { "recipients_refused", "refused", nil, "never" },
      { "check the address of the recipient", "operator" }),
   bare("RCPT", "554", { "recipients_refused", "refused", nil, "never" }, "give username and password",
      { username = false, password = false }),
   bare("RCPT", "451", { "recipients_refused", "temporary", "server", "later" },
      { "5 to 15 minutes", "greylisting" }, mx()),
   { "different ones to RCPT", options = { to = { "a@example.net", "b@example.net" } },
      server = { RCPT = { "550", "554" } }, error = { "recipients_refused", "refused", nil, "never" },
      says = "a@example.net: 550; b@example.net: 554. check" },
   bare("DATA", "554", { "data_refused", "refused", nil, "never" }, { "not received the message", "operator" }),
   bare("DATA", "451", { "data_refused", "temporary", "server", "later" }, { "5 to 15 minutes", "greylisting" }),
   bare("END", "554", { "data_refused", "refused", nil, "never" }, { "spam", "operator" }),
   bare("END", "450", { "data_refused", "temporary", "server", "later" }, "send again"),
   bare("AUTH", "454", { "auth_temporary", "temporary", "server", "later" }, "send again|try again later"),
   bare("AUTH", "450", { "auth_temporary", "temporary", "server", "later" }, "send again later"),
   bare("STARTTLS", "450", { "tls", "starttls_refused", nil, "later" }, "try again later"),
   bare("STARTTLS", "550", { "tls", "starttls_refused", nil, "never" }, "operator"),
   bare("greeting", "554", { "greeting_refused", "refused", nil, "never" }, { "address of this machine", "operator" }),
   bare("greeting", "450", { "greeting_refused", "refused", nil, "later" }, { "later", "fewer connections" }),
   bare("EHLO", "550", { "greeting_refused", "refused", nil, "never" }, { "address of this machine", "operator" }),
})

staged.rows("a greeting", {
   { "that does not permit the address", options = mx(), server = { greeting = "554 IP not allowed" },
      error = { "greeting_refused", "blocked", "client", "never" }, says = "provider's server" },
   { "that is denied", options = mx(), server = { greeting = "550 Connection denied" },
      error = { "greeting_refused", "blocked", "client", "never" }, says = "provider's server" },
   { "without known words", options = mx(), server = { greeting = "554 no soup for you" },
      error = { "greeting_refused", "refused", nil, "never" }, says = { "this machine", "provider's server" } },
})

staged.rows("a reply", {
   { "of 530 after a login", server = { END = "530 5.7.0 Authentication required" },
      error = { "data_refused", "refused", nil, "never" }, says = { "login succeeded", "operator" } },
   { "about pipelining, although there was none", server = { DATA = "503 5.5.0 <DATA>: Data command rejected: "
      .. "Improper use of SMTP command pipelining" }, options = { pipelining = "off" },
      error = { "data_refused", "pipelining", "client", "never" },
      says = { "although each command waits", "operator" }, hides = 'pipelining = "off"' },
   { "of spamd", server = { DATA = "451 Temporary failure, please try again later." }, options = mx(),
      error = { "data_refused", "greylisted", "server", "later" }, says = { "greylisting", "5 to 15 minutes" } },
   { "about a bare LF, says Postfix", server = { END = "521 5.5.2 mail.example.com Error: bare <LF> received" },
      error = { "data_refused", "header", "message", "never" }, says = { "LF alone", "CRLF", "in between" } },
   { "about bare linefeeds, says Exchange", server = { END = "550 5.6.11 BareLinefeedsAreIllegal" },
      error = { "data_refused", "header", "message", "never" }, says = { "LF alone", "CRLF" } },
   { "of 5.1.1 about a block list", options = mx(), server = { RCPT = "550 5.1.1 <bob@example.net>: Recipient "
      .. "address rejected: 192.0.2.1 is on the blocklist" },
      error = { "recipients_refused", "blocked", "client", "never" }, says = { "192.0.2.1", "provider's server" },
      hides = "spelling" },
   { "of OpenSMTPD about the sender", server = { MAIL = "550 Invalid sender" },
      error = { "sender_refused", "sender_not_allowed", "sender", "never" },
      says = { "does not accept the sender ann@example.com", "set from" } },
   { "about a sender, without a login", options = mx(), server = { MAIL = "550 5.7.1 You are not allowed to send as "
      .. "ann@example.com" }, error = { "sender_refused", "sender_not_allowed", "sender", "never" },
      hides = "this login" },
   { "about a domain that is not verified", server = { END = "550 5.7.1 The domain example.com is not verified" },
      error = { "data_refused", "sender_not_allowed", "sender", "never" }, says = { "set from", "verify" } },
   { "of Mailtrap about its rate", options = at("live.smtp.mailtrap.io"),
      server = { RCPT = "550 5.7.0 Requested action not taken: too many emails per second" },
      error = { "recipients_refused", "rate_limited", "client", "later" }, says = { "wait", "rate" } },
   { "of Mailtrap about connections", options = at("live.smtp.mailtrap.io"),
      server = { AUTH = "535 5.7.8 Too many connections per account" },
      error = { "auth_rejected", "too_many_connections", "client", "later" }, says = "fewer connections" },
   { "of Mailtrap about a limit", options = at("sandbox.smtp.mailtrap.io"),
      server = { END = "535 5.7.0 The email limit is reached. Please upgrade your plan" },
      error = { "data_refused", "quota", "account", "later" }, says = { "quota", "wait" } },
   { "of Mailtrap about a demo domain", options = at("live.smtp.mailtrap.io"),
      server = { RCPT = "550 5.7.0 Demo domains can only be used to send emails to account owners" },
      error = { "recipients_refused", "recipient_disabled", "recipient", "never" },
      says = { "demo domain", "verified" } },
   { "of Mailtrap about a domain", options = at("live.smtp.mailtrap.io"),
      server = { MAIL = "550 5.7.1 Sending from domain example.com is not allowed" },
      error = { "sender_refused", "sender_not_allowed", "sender", "never" }, says = { "verify its domain" } },
   { "of Mailtrap about a login", options = at("live.smtp.mailtrap.io"),
      server = { AUTH = "535 5.7.0 Invalid credentials" },
      error = { "auth_rejected", "rejected", "account", "never" }, says = { "the word api", "API token" } },
})
