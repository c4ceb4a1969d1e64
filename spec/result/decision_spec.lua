-- Which row decides: replies in other words than the documented ones, and replies that say nothing.
local decision = require "smtp.result.decision"
local refusal = require "smtp.result.refusal"
local refusals = require "spec.tools.refusals"

local reply_of = refusals.reply_of

describe("A decision", function()
   it("never raises, whatever a server says", function()
      local seed = 7
      local function random(max)
         seed = (seed * 16807) % 2147483647
         return seed % max + 1
      end
      local rows, bits = decision.rows(), {}
      for i = 1, #rows do bits[i] = rows[i].sample end
      local stages = { "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "final", "quit", "x" }
      for _ = 1, 2000 do
         local text = {}
         for i = 1, random(6) do
            local bit = bits[random(#bits)]
            text[i] = random(3) == 1 and string.char(random(256) - 1, random(256) - 1) or bit:sub(random(#bit))
         end
         local reply = { code = 399 + random(200), text = table.concat(text, random(2) == 1 and " " or "\n"),
            enhanced = random(2) == 1 and ("5.%d.%d"):format(random(9), random(999)) or nil }
         local stage = stages[random(#stages)]
         local meaning = refusal.explain(stage, reply, refusal.case { host = "x" })
         assert.is_true(meaning == nil or type(meaning.hint) == "string" or meaning.reason == "rejected")
         decision.concerns(stage, reply)
      end
      assert.is_nil(decision.find("rcpt", { code = 550 }))
      assert.is_nil(decision.find("rcpt", { code = 250, enhanced = "2.1.1", text = "5.1.1" }))
   end)
end)

-- Replies of the same kinds, in other words: { stage, reply, reason, host, by }
local others = {
   { "rcpt", "550-Please turn on SMTP Authentication in your mail client.\n(box) [192.0.2.1]:49152 is not permitted "
      .. "to relay through this server without authentication.", "relay_denied" },
   { "rcpt", "550 5.1.2 Relay not allowed.", "relay_denied" },
   { "rcpt", "550 5.7.1 Unable to relay for bob@example.net", "relay_denied" },
   { "rcpt", "550 5.7.1 Relaying to <b@e.net> denied (authentication required)", "relay_denied" },
   { "rcpt", "552 5.2.2 <bob@example.net> Quota exceeded (mailbox for user is full)", "mailbox_full" },
   { "rcpt", "422 4.2.2 Quota limit exceeded", "mailbox_full" },
   { "rcpt", "552 4.2.2 mailbox full", "mailbox_full" },
   { "final", "552 5.2.2 <b@e.net> Quota exceeded", "mailbox_full" },
   { "mail", "552 5.2.2 over quota", "quota" },
   { "rcpt", "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", "rate_limited" },
   { "rcpt", "450 4.2.1 mailbox temporarily disabled", "recipient_disabled" },
   { "rcpt", "550 Mailbox not found, please check the address carefully", "unknown_recipient" },
   { "rcpt", "550 Invalid mailbox: use a fully qualified address", "unknown_recipient" },
   { "rcpt", "552 The mailbox of this user is full", "mailbox_full" },
   { "rcpt", "550 Sender address does not exist", "sender_not_allowed" },
   { "rcpt", "550 5.7.1 Unable to verify sender: user unknown", "sender_not_allowed" },
   { "rcpt", "550 5.7.1 sender verification failed: no such user", "sender_not_allowed" },
   { "rcpt", "550 5.7.0 Access denied: IP address unknown", "blocked" },
   { "final", "550 The address in the To header is invalid", "header" },
   { "rcpt", "450 4.7.1 Rate limit exceeded, try again later", "rate_limited" },
   { "rcpt", "451 4.7.1 Try again later", "greylisted" },
   { "greeting", "421 4.7.1 Intrusion prevention active for [192.0.2.1]. Try again later", "temporary" },
   { "final", "451 4.7.1 Virus scanner unavailable, try again later", "temporary" },
   { "auth", "454 4.3.0 Authentication service unavailable, please try again later", "temporary" },
   { "rcpt", "550 5.7.1 Sending IP 192.0.2.1 is blocked", "blocked" },
   { "rcpt", "554 5.7.1 Sending server blocked", "blocked" },
   { "rcpt", "554 5.7.1 Sender IP 192.0.2.1 rejected", "blocked" },
   { "rcpt", "550 The mailbox you are sending to is disabled", "recipient_disabled" },
   { "mail", "550 Outgoing mail from this account is suspended", "auth_disabled" },
   { "mail", "550 5.7.1 Sender <ann@x.example> not allowed", "sender_not_allowed" },
   { "rcpt", "550 Unknown user", "unknown_recipient" },
   { "rcpt", "550 5.1.1 <b@e.net>: Recipient address rejected: User unknown in local recipient table",
      "unknown_recipient" },
   { "rcpt", "550 sorry, no mailbox here by that name. (#5.1.1)", "unknown_recipient" },
   { "rcpt", "550 5.4.1 [b@e.net]: Recipient address rejected: Access denied [AM]", "unknown_recipient" },
   { "rcpt", "553 5.1.3 <b>... User address required", "recipient_syntax" },
   { "rcpt", "553 5.7.1 <ann@e.org>: Sender address rejected: not logged in", "sender_not_allowed" },
   { "final", "550 5.7.0 From address is not one of your addresses", "sender_not_allowed" },
   { "rcpt", "553 Relaying disallowed as ann@example.com", "sender_not_allowed" },
   { "mail", "550 5.1.0 <ann@x.example> sender rejected", "sender_not_allowed" },
   { "rcpt", "450 4.7.1 <x>: Helo command rejected: Host not found", "helo" },
   { "ehlo", "501 5.5.4 Invalid domain name", "helo" },
   { "ehlo", "550 5.7.1 HELO rejected: bad name", "helo" },
   { "rcpt", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", "blocked" },
   { "greeting", "554 mx.example\nNo SMTP service\nIP address is block listed.\nFor explanation visit "
      .. "https://postmaster.gmx.net/en/case?c=r0201", "blocked" },
   { "greeting", "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.spamcop.net", "blocked" },
   { "rcpt", "550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "no_reverse_name" },
   { "greeting", "421 4.7.0 mx.example Error: too many connections from 192.0.2.1", "too_many_connections" },
   { "final", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user "
      .. "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes", "rate_limited" },
   { "mail", "550 5.4.5 Daily SMTP relay limit exceeded", "rate_limited" },
   { "rcpt", "452 4.5.3 Error: too many recipients", "rate_limited" },
   { "mail", "452 4.3.1 Insufficient system storage", "rate_limited" },
   { "rcpt", "450 4.3.2 Service currently unavailable", "temporary" },
   { "rcpt", "451 4.7.1 Greylisting in action, please come back in 00:05:00", "greylisted" },
   { "rcpt", "550 5.7.1 Message rejected due to: SPF fail - not authorized", "unauthenticated_sender" },
   { "final", "550 5.7.1 Email rejected per DMARC policy for example.com", "unauthenticated_sender" },
   { "final", "554 5.7.1 Blocked by SpamAssassin", "spam" },
   { "final", "550 5.7.1 Rejected: missing Message-ID header", "header" },
   { "final", "550 5.7.1 Message is not RFC 5322 compliant: duplicate Date header", "header" },
   { "final", "554 5.6.0 Message header malformed", "header" },
   { "final", "554 5.3.4 Message too big for system", "too_large" },
   { "auth", "535 5.7.8 Username and Password not accepted. For more information, go to\n "
      .. "https://support.google.com/mail/?p=BadCredentials d2e1a72fcca58-7a3 - gsmtp", "app_password_required",
      "smtp.gmail.com" },
   { "auth", "535 5.7.8 Username and Password not accepted.", "rejected", "smtp.gmail.com", "token" },
   { "auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
      "auth_disabled" },
   { "auth", "535 5.7.3 Authentication unsuccessful [AS4P]", "token_scope", "smtp.office365.com", "token" },
   { "auth", "535 5.7.8 Error: authentication failed: authentication failure", "app_password_required",
      "smtp.mail.me.com" },
   { "auth", "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "rejected" },
   { "auth", "535 Authentication credentials invalid", "auth_disabled", "mail.gmx.net" },
   { "auth", "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
      "too_many_connections" },
   { "auth", "421 4.7.0 Too many authentication failures", "rate_limited" },
   { "auth", "535 5.7.8 Error: authentication failed: account locked", "auth_disabled" },
   { "rcpt", "553 5.7.1 Sender address rejected: not owned by auth user.", "sender_not_allowed" },
   { "final", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; "
      .. "Failed to process message due to a permanent exception", "sender_not_allowed" },
   { "rcpt", "450 4.7.1 Client host rejected: cannot find your reverse hostname, [1.2.3.4]", "no_reverse_name" },
   { "rcpt", "550 HELO should be a FQDN or address literal (See RFC 2821 4.1.1.1)", "helo" },
   { "rcpt", "451 4.1.8 Possibly forged hostname for 1.2.3.4", "no_reverse_name" },
   { "mail", "550 5.7.1 Fix reverse DNS for 1.2.3.4", "no_reverse_name" },
   { "greeting", "554 RTR:DU no rDNS", "no_reverse_name" },
   { "greeting", "554 IP=1.2.3.4 - A problem occurred. Ask your postmaster for help or to contact "
      .. "tosa@rx.t-online.de to clarify. (BL)", "blocked" },
   { "mail", "553 5.3.0 flpd575 DNSBL:RBL 521< 1.2.3.4 >_is_blocked", "blocked" },
   { "rcpt", "550 5.7.1 Recipient not authorized, your IP has been found on a block list", "blocked" },
   { "rcpt", "554 5.7.1 Policy rejection; Message count quota exceeded", "rate_limited" },
   { "final", "550 5.7.1 User ann has exceeded its 24-hour sending limit. Messages to 250 recipients out "
      .. "of 250 allowed have been sent.", "rate_limited" },
   { "rcpt", "550 Domain example.com has exceeded the max emails per hour (200/200 (100%)) allowed.  "
      .. "Message discarded.", "rate_limited" },
   { "final", "451 4.5.1 Message sending for this account is disabled", "auth_disabled" },
   { "rcpt", "451 4.7.500 Server busy. Please try again later from [1.2.3.4]. (S77719)", "rate_limited" },
   { "rcpt", "550 5.5.0 Requested action not taken: mailbox unavailable. [BN8NAM]", "unknown_recipient" },
   { "rcpt", "450 mailbox unavailable", "temporary" },
   { "rcpt", "452 4.1.1 <b@e.net> mailbox full", "mailbox_full" },
   { "rcpt", "550 5.1.1 Recipient unknown", "unknown_recipient" },
   { "rcpt", "550 Address unknown", "unknown_recipient" },
   { "rcpt", "550 Invalid recipient <b@e.net>", "unknown_recipient" },
   { "rcpt", "554 5.7.1 <b@e.net>: Recipient address rejected: user b@e.net does not exist", "unknown_recipient" },
   { "rcpt", "550 5.1.0 <b@e.net> Recipient address rejected: undeliverable address: unknown user",
      "unknown_recipient" },
   { "rcpt", "451 4.7.1 Try again later", "greylisted" },
   { "rcpt", "452 4.2.1 mail 1234 from 1.2.3.4 temporary greylist embargoed", "greylisted" },
   { "rcpt", "451 Resources temporarily unavailable. Please try again later [#4.16.1].", "temporary" },
   { "final", "550 5.7.515 Access denied, sending domain EXAMPLE.COM doesn't meet the required "
      .. "authentication level.", "unauthenticated_sender" },
   { "final", "550-5.7.26 Your email has been blocked because the sender is unauthenticated.\n Gmail "
      .. "requires all senders to authenticate with either SPF or DKIM.", "unauthenticated_sender" },
   { "final", "550 5.7.1 message has no date header", "header" },
   { "final", "550-5.7.1 This message is not RFC 5322 compliant, the issue is: duplicate Subject headers", "header" },
   { "final", "554 5.6.1 Eight bit data not allowed", "eightbit" },
   { "final", "554 5.7.0 Reject, id=17-06 - spam", "spam" },
   { "final", "550 5.7.0 Local Policy Violation", "spam" },
   { "final", "554 5.7.1 Message blocked due to policy reasons", "spam" },
   { "final", "554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit "
      .. "https://postmaster.yahooinc.com", "spam" },
   { "final", "550 5.7.1 Message contains a restricted attachment", "spam" },
   { "final", "552-5.7.0 This message was blocked because its content presents a potential\n security "
      .. "issue.", "spam" },
   { "final", "554 5.4.6 Too many hops", "misconfigured" },
   { "rcpt", "451 4.3.5 Server configuration problem", "misconfigured" },
   { "rcpt", "553 5.3.5 system config error", "misconfigured" },
   { "data", "503 5.5.1 Error: command pipelining not allowed", "pipelining" },
   { "mail", "550 5.7.1 sender not valid", "sender_not_allowed" },
   { "rcpt", "554 Relay rejected for policy reasons.", "relay_denied" },
   { "rcpt", "550 we do not relay", "relay_denied" },
   { "rcpt", "454 4.7.1 <b@e.net>: Relay access denied", "relay_denied" },
   { "rcpt", "550 5.7.1 <b@e.net>... Relaying denied", "relay_denied" },
   { "rcpt", "553 5.7.1 relaying disallowed", "relay_denied" },
   { "auth", "535 5.7.1 Authentication failed", "rejected" },
   { "auth", "535 5.7.8 Error: authentication failed: Invalid user or password!", "rejected" },
   { "auth", "535 5.7.8 Authentication failed: user blocked", "auth_disabled" },
   { "auth", "550 5.7.1 SMTP AUTH is disabled", "auth_disabled" },
   { "auth", "535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru / Application password is "
      .. "REQUIRED", "app_password_required" },
   { "auth", "535 Login fail. Account is abnormal, service is not open, password is incorrect, login "
      .. "frequency limited, or system is busy. More information at https://help.mail.qq.com/",
      "app_password_required" },
   { "auth", "535 Authentication failed", "rejected", "smtp.mailgun.org" },
   { "auth", "535 5.7.0 Invalid login or password", "rejected", "smtp.mailgun.org" },
   { "auth", "535 5.7.8 Authentication credentials invalid", "rejected" },
   { "greeting", "421 too many sessions from your IP", "too_many_connections" },
   { "greeting", "421 4.7.0 Too many connections", "too_many_connections" },
   { "greeting", "554 5.7.1 Your IP address has a poor reputation", "blocked" },
   { "rcpt", "550 5.7.1 Mail from 1.2.3.4 was rejected due to listing in Spamhaus SBL", "blocked" },
   { "mail", "550 5.1.8 Sender domain not found", "sender_domain" },
   { "mail", "553 5.1.8 <a@b>... Domain of sender address a@b does not exist", "sender_domain" },
   { "mail", "550 Sender address has null MX", "sender_domain" },
   { "mail", "501 5.1.7 Invalid address", "sender_syntax" },
   { "mail", "553 5.5.4 <ann>... Domain name required for sender address ann", "sender_syntax" },
   { "mail", "501 <ann>: sender address must contain a domain", "sender_syntax" },
   { "rcpt", "501 5.1.3 Invalid address", "recipient_syntax" },
   { "rcpt", "553 5.1.3 mailbox name not allowed", "recipient_syntax" },
   { "rcpt", "501 <bob>: recipient address must contain a domain", "recipient_syntax" },
   { "rcpt", "550 No such domain", "recipient_domain" },
   -- Words that look like another cause.
   { "rcpt", "550 user unknown, spam?", "unknown_recipient" },
   { "rcpt", "550 5.1.1 user unknown - please log in at https://example.com/spam", "unknown_recipient" },
   { "rcpt", "550 5.1.1 <blocked@example.net>: Recipient address rejected: User unknown", "unknown_recipient" },
   { "rcpt", "550 bob: spam trap? address unknown", "unknown_recipient" },
   { "rcpt", "550 Mailbox not found. Reputation good", "unknown_recipient" },
   { "rcpt", "550 Mailbox unavailable, account blocked for spam", "recipient_disabled" },
   { "rcpt", "553 sender ok but recipient domain not allowed", "relay_denied" },
   { "rcpt", "550 5.7.1 the mailbox blocks unknown senders", "recipient_disabled" },
   { "rcpt", "550 Dynamic distribution list bob does not accept external senders", "recipient_disabled" },
   { "rcpt", "550 5.7.1 spam source", "blocked" },
   { "rcpt", "450 4.7.1 Client host rejected: dynamic IP", "blocked" },
   { "mail", "550 5.7.1 Your account has been suspended for sending spam", "auth_disabled" },
   { "final", "554 5.7.1 Message contains a link to a blacklisted site", "spam" },
   { "final", "550 5.7.1 Blacklisted URL in message. (badsite.example) in [black].", "spam" },
   { "final", "550 5.7.1 DKIM ok, SPF ok, rejected by content filter", "spam" },
   { "final", "451 4.3.0 clamav: virus database outdated, scan failed", "temporary" },
   { "final", "451 4.7.1 Service unavailable - try again later", "temporary" },
   { "final", "552 attachment too large", "too_large" },
   { "final", "550 5.7.1 Message does not have a valid Message-ID", "header" },
   { "final", "550 5.7.1 Sent mail exceeds limit per hour", "rate_limited" },
   { "auth", "535 5.7.8 authentication failed: user not found, try again later", "rejected" },
   { "auth", "535 Incorrect password; account not locked yet (3 attempts left)", "rejected" },
   { "auth", "535 5.7.139 Authentication unsuccessful, account is locked.", "auth_disabled" },
   { "auth", "421 4.7.0 mail.example.com Error: too many errors", "rate_limited" },
   { "greeting", "554 No SMTP service here", "misconfigured" },
   { "auth", "525 5.7.1 Unauthorized IP address", "blocked", "smtp-relay.brevo.com" },
   { "greeting", "554 5.7.1 cloudmark CSI: 192.0.2.1 listed.", "blocked" },
   { "rcpt", "550 5.7.1 Rejected: HELO/EHLO greeting uses localhost", "helo" },
   { "rcpt", "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized to send to recipient",
      "recipient_disabled" },
   { "final", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the sender's submission "
      .. "quota was exceeded.", "rate_limited" },
   { "final", "454 Throttling failure: Daily message quota exceeded.", "rate_limited" },
   { "mail", "421 Domain example.com is not allowed to send: Account has exceeded its sending limit", "rate_limited" },
   { "mail", "550 not local sender over smtp", "sender_not_allowed" },
   { "final", "550 maximum allowed line length is 998 octets, got 1200", "eightbit" },
}

-- What must not be mistaken: { stage, reply, reason or nil, concerns }
local not_known = {
   { "rcpt", "550 5.1.0 Address rejected", nil, "recipient" },
   { "rcpt", "550 #5.1.0 Address rejected.", nil, "recipient" },
   { "rcpt", "550 5.7.1 Access denied" },
   { "rcpt", "550 5.7.1 no" },
   { "rcpt", "550 5.4.5 Bad destination", nil, "server" },
   { "rcpt", "550 5.5.3 nope" },
   { "mail", "550 5.1.0 no", nil, "sender" },
   { "final", "554 5.6.0 no", nil, "message" },
   { "rcpt", "550 5.3.0 no", nil, "server" },
   { "rcpt", "550 5.3.2 no", nil, "server" },
   { "rcpt", "550 5.4.1 no", nil, "server" },
   { "rcpt", "550 5.4.3 no", nil, "server" },
   { "rcpt", "550 5.7.1 <greylisted@spam.example>: go away" },
   { "rcpt", "550 5.7.1 see https://spam.example/blocked-using-blacklist" },
   { "rcpt", "550 5.7.1 virus.example.net says no" },
}

describe("A refusal", function()
   for _, row in ipairs(others) do
      it(("at %s with %s means %s"):format(row[1], row[2]:gsub("\n.*", " …"), row[3]), function()
         local found = decision.find(row[1], reply_of(row[2]), { host = row[4], by = row[5] or "password" })
         assert.equal(row[3], found and found.reason)
      end)
   end

   for _, row in ipairs(not_known) do
      it(("at %s with %s is not named"):format(row[1], row[2]), function()
         local reply = reply_of(row[2])
         assert.is_nil((decision.find(row[1], reply, {})))
         assert.equal(row[4], decision.concerns(row[1], reply))
      end)
   end
end)
