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
}

-- What must not be mistaken: { stage, reply, reason or nil, concerns }
local not_known = {
   { "rcpt", "550 5.1.0 Address rejected", nil, "recipient" },
   { "rcpt", "550 #5.1.0 Address rejected.", nil, "recipient" },
   { "rcpt", "550 mailbox unavailable" },
   { "rcpt", "550 5.7.1 no" },
   { "mail", "550 5.1.0 no", nil, "sender" },
   { "final", "554 5.6.0 no", nil, "message" },
   { "rcpt", "550 5.3.0 no", nil, "server" },
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
