-- Why a server refuses: the table of causes, and what errors and receipts make of it.
local decision = require "smtp.result.decision"
local reasons = require "smtp.result.reasons"
local refusal = require "smtp.result.refusal"
local services = require "smtp.options.services"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local script = talk.script

-- "550 5.1.1 User unknown" -> { code, enhanced, text }
local function reply_of(line)
   local code, enhanced, text = line:match("^(%d%d%d)[ -]([245]%.%d+%.%d+) (.*)$")
   if code then return { code = tonumber(code), enhanced = enhanced, text = text } end
   code, text = line:match("^(%d%d%d)[ -]?(.*)$")
   return { code = tonumber(code), text = text }
end

local stage_of = { auth = "auth", hello = "greeting", mail = "mail", rcpt = "rcpt", message = "final" }

local function host_of(row)
   local provider = row.host and services.get(row.host)
   return provider and "smtp." .. provider.hosts[1]
end

-- By concern: the reasons of the contract.
local contract = {
   sender = { "sender_not_allowed", "sender_domain", "sender_syntax" },
   recipient = { "unknown_recipient", "recipient_domain", "mailbox_full", "recipient_disabled",
      "recipient_syntax" },
   client = { "blocked", "no_reverse_name", "helo", "rate_limited", "too_many_connections", "pipelining" },
   account = { "app_password_required", "browser_login_required", "auth_disabled", "token_required",
      "token_expired", "token_scope", "quota", "relay_denied", "rejected" },
   message = { "too_large", "spam", "unauthenticated_sender", "header", "eightbit" },
   server = { "greylisted", "temporary", "misconfigured" },
}

describe("The table of causes", function()
   it("decides the sample of each row by that row, in every stage where it applies", function()
      for i, row in ipairs(decision.rows()) do
         assert.is_table(reasons[row.reason], row.reason)
         assert.is_true(#row.source > 5)
         for at in (row.at or "hello mail rcpt message"):gmatch("%a+") do
            local found = decision.find(stage_of[at], reply_of(row.sample), { host = host_of(row), by = row.by })
            assert.equal(row, found, ("row %d at %s: %s"):format(i, at, row.sample))
         end
      end
   end)

   it("has rows for each of its words", function()
      for _, row in ipairs(decision.rows()) do
         assert.is_true(row.code ~= nil or row.status ~= nil or #row.words > 0, row.sample)
         for _, words in ipairs(row.words) do
            for _, word in ipairs(words) do assert.equal(word:lower(), word) end
         end
      end
   end)

   it("knows the reasons of the contract, each with what it concerns", function()
      local count = 0
      for concerns, names in pairs(contract) do
         for _, name in ipairs(names) do
            assert.equal(concerns, reasons[name].concerns, name)
            count = count + 1
         end
      end
      for _ in pairs(reasons) do count = count - 1 end
      assert.equal(0, count)
   end)

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
   { "mail", "452 4.3.1 Insufficient system storage", "temporary" },
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

-- ---- the words ----

local avoid = { "nobody", "somebody", "whoever", "who ", " in vain", "wants", "is no ", "nil", "%.%.", "  ", "\n",
   "octet", " told", "behind" }

describe("Sentence and hint of a reason", function()
   local function check(name, case)
      local reason = reasons[name]
      local text = refusal.explain("x", {}, case) or {}
      assert.is_table(text)
      for _, field in ipairs { "sentence", "means", "hint", "outside", "login" } do
         local words = reason[field]
         if words then
            for _, pattern in ipairs(avoid) do
               assert.is_nil(words:gsub("%b{}", "x"):find(pattern), ("%s.%s has %q"):format(name, field, pattern))
            end
            assert.is_nil(words:find("%f[%a](%a+) %1%f[%A]"), name .. "." .. field)
         end
      end
   end

   it("is plain, and at most 300 characters with what a provider adds", function()
      for name, reason in pairs(reasons) do
         check(name, refusal.case { host = "mail.example" })
         local longest = math.max(#reason.hint, #(reason.outside or ""), #(reason.login or ""))
         assert.is_true(#reason.sentence + longest <= 300, name)
      end
   end)

   it("fits with the words of each provider", function()
      for _, row in ipairs(decision.rows()) do
         local stage = stage_of[(row.at or "rcpt"):match("%a+")]
         local case = refusal.case({ host = host_of(row) or "mail.example" })
         case.by = row.by or "password"
         local meaning = refusal.explain(stage, reply_of(row.sample), case)
         local text = meaning.sentence .. ". " .. (meaning.hint or "")
         assert.is_true(#text:gsub("https://%S+", "") <= 320, text)
         assert.is_nil(text:find("[{}|]"), text)
         assert.is_nil(text:find("  ", 1, true), text)
      end
   end)
end)

-- ---- errors ----

local function refused_at(stage, line, more)
   local steps = {
      mail = "C: MAIL FROM:<ann@me.example>\nS: $line",
      rcpt = "C: MAIL FROM:<ann@me.example>\nS: 250 ok\nC: RCPT TO:<bob@there.example>\nS: $line",
      final = "C: MAIL FROM:<ann@me.example>\nS: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\n"
         .. "C: DATA\nS: 354 go\nMESSAGE\nS: $line",
   }
   local transcript = script([[
      <hello>
      <step>
      <bye>
   ]], { step = script(steps[stage], { line = line }) })
   local _, err = talk.send(more or {}, transcript)
   return err
end

describe("An error", function()
   it("names the sender that may not be used, although the server refused the recipient", function()
      local err = refused_at("rcpt", "553 5.7.1 <ann@me.example>: Sender address rejected: not owned by user x")
      assert.same({ "recipients_refused", "sender_not_allowed", "sender", "never" },
         { err.kind, err.reason, err.concerns, err.retry })
      assert.matches("does not allow this login to send as ann@me.example", tostring(err), 1, true)
      assert.matches("Set from", err.hint, 1, true)
      assert.same({ "sender_not_allowed", "sender" }, { err.recipients[1].reason, err.recipients[1].concerns })
   end)

   it("names the EHLO name that the server does not accept", function()
      local err = refused_at("rcpt", "504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname")
      assert.same({ "helo", "client" }, { err.reason, err.concerns })
      assert.matches('the name "me.example"', tostring(err), 1, true)
      assert.matches("Set domain", err.hint, 1, true)
   end)

   it("names the block list and the address, and does not advise a login at an MX", function()
      local line = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
         .. "https://www.spamhaus.org/query/ip/192.0.2.1"
      local err = refused_at("rcpt", line)
      assert.same({ "blocked", "client", "never" }, { err.reason, err.concerns, err.retry })
      assert.matches("blocks the address of this machine (192.0.2.1; zen.spamhaus.org)", tostring(err), 1, true)
      assert.is_nil(err.hint:find("username", 1, true))
   end)

   it("asks to try later where the server's words say so, whatever the code", function()
      for _, row in ipairs { { "mail", "550 5.4.5 Daily user sending limit exceeded.", "rate_limited" },
         { "rcpt", "552 5.2.2 mailbox full", "mailbox_full" }, { "mail", "552 5.2.2 over quota", "quota" } } do
         local err = refused_at(row[1], row[2])
         assert.same({ row[3], "later", true }, { err.reason, err.retry, err.temporary })
      end
   end)

   it("keeps the reason refused where no row fits, and says what the status concerns", function()
      local err = refused_at("rcpt", "550 5.1.0 no")
      assert.same({ "refused", "recipient", "never" }, { err.reason, err.concerns, err.retry })
      assert.same({ "refused", "recipient" }, { err.recipients[1].reason, err.recipients[1].concerns })
      err = refused_at("rcpt", "550 no")
      assert.same({ "refused" }, { err.reason, err.concerns })
      assert.equal("smtp: mx.example:25 did not accept the recipient bob@there.example (550): no.", tostring(err))
   end)

   it("of a message names the cause for each recipient as well", function()
      local err = refused_at("final", "554 5.7.1 Spam message rejected")
      assert.same({ "data_refused", "spam", "message" }, { err.kind, err.reason, err.concerns })
      assert.same({ "spam", "message" }, { err.recipients[1].reason, err.recipients[1].concerns })
   end)

   it("of a greeting says why", function()
      local _, err = talk.send({}, script [[
         S: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
         <bye>
      ]])
      assert.same({ "greeting_refused", "blocked", "client" }, { err.kind, err.reason, err.concerns })
      _, err = talk.send({}, script [[
         S: 421 4.7.0 mx.example Error: too many connections from unknown[192.0.2.1]
         CLOSE
      ]])
      assert.same({ "greeting_refused", "too_many_connections", "later" }, { err.kind, err.reason, err.retry })
   end)

   it("of AUTH names what the provider expects", function()
      local login = { username = "ann@example.com", password = "s", auth_plaintext = true, host = "smtp.gmail.com" }
      local _, err = talk.send(login, script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBz
         S: 535-5.7.8 Username and Password not accepted. For more information, go to
         S: 535 5.7.8  https://support.google.com/mail/?p=BadCredentials x - gsmtp
         <bye>
      ]])
      assert.same({ "auth_rejected", "app_password_required", "account" }, { err.kind, err.reason, err.concerns })
      assert.matches("https://myaccount.google.com/apppasswords", err.hint, 1, true)
      login.host = "mx.example"
      login.username = "ann"
      _, err = talk.send(login, script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBz
         S: 535 5.7.8 Error: authentication failed:
         <bye>
      ]])
      assert.same({ "rejected", "account" }, { err.reason, err.concerns })
      assert.matches('"ann" has no @', err.hint, 1, true)
   end)
end)

-- ---- several recipients ----

local three = { "a@x.example", "b@x.example", "c@x.example" }

local function three_refused(lines, more)
   local transcript = script([[
      <hello PIPELINING>
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
      C: RCPT TO:<c@x.example>
      $data
      S: 250 ok
      S: $a
      S: $b
      S: $c
      $answer
      <bye>
   ]], { a = lines[1], b = lines[2], c = lines[3], data = not more and "C: DATA" or "",
      answer = not more and "S: 503 no recipients" or "" })
   local options = { to = three }
   for name, value in pairs(more or {}) do options[name] = value end
   local _, err = talk.send(options, transcript)
   return err
end

describe("Several recipients", function()
   it("that are refused for several reasons are named, each with its reply", function()
      local err = three_refused { "550 5.1.1 User unknown", "552 5.2.2 full", "450 4.2.0 greylisted" }
      assert.equal("smtp: mx.example:25 accepted none of 3 recipients: a@x.example: 550 5.1.1 User unknown; "
         .. "b@x.example: 552 5.2.2 full; c@x.example: 450 4.2.0 greylisted. "
         .. "Send again in 5 to 15 minutes, from the same address.", tostring(err))
      assert.same({ "greylisted", "later" }, { err.reason, err.retry })
      local found = {}
      for i, one in ipairs(err.recipients) do found[i] = one.reason .. " " .. one.concerns .. " " .. one.retry end
      assert.same({ "unknown_recipient recipient never", "mailbox_full recipient later", "greylisted server later" },
         found)
      err = three_refused { "550 5.1.1 User unknown", "552 5.2.2 full", "550 5.1.1 User unknown" }
      assert.same({ "mailbox_full", "later", 552 }, { err.reason, err.retry, err.code })
      err = three_refused({ "450 4.2.0 greylisted", "552 5.2.2 full", "550 5.1.1 User unknown" },
         { recipients = "all" })
      assert.same({ "unknown_recipient", "never", 550 }, { err.reason, err.retry, err.code })
   end)

   it("that are refused for one reason that is not theirs say it once", function()
      local line = "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]"
      local err = three_refused { line, line, line }
      assert.same({ "no_reverse_name", "client" }, { err.reason, err.concerns })
      assert.matches("finds no valid reverse name (PTR record)", tostring(err), 1, true)
      assert.matches("[a@x.example; b@x.example; c@x.example]", tostring(err), 1, true)
   end)
end)

describe("A receipt", function()
   it("says for each recipient that was refused why, and which party it concerns", function()
      local receipt = talk.send({ to = three }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 550 5.1.1 User unknown
         C: RCPT TO:<b@x.example>
         S: 250 ok
         C: RCPT TO:<c@x.example>
         S: 450 4.2.0 Greylisted
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      assert.same({ "unknown_recipient", "recipient", "greylisted", "server" },
         { receipt.refused[1].reason, receipt.refused[1].concerns, receipt.refused[2].reason,
            receipt.refused[2].concerns })
      assert.equal(receipt.refused[1], receipt.recipients[1])
      assert.is_nil(receipt.recipients[2].reason)
   end)

   it("of LMTP says it of each verdict", function()
      local receipt = talk.send({ to = { "a@x.example", "b@x.example" }, protocol = "lmtp", port = 24 }, script([[
         <hi>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<a@x.example>
         S: 250 ok
         C: RCPT TO:<b@x.example>
         S: 250 ok
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         S: 552 5.2.2 <b@x.example> Quota exceeded
         <bye>
      ]], { hi = script("<hello>"):gsub("EHLO", "LHLO") }))
      assert.same({ "mailbox_full", "recipient" }, { receipt.refused[1].reason, receipt.refused[1].concerns })
   end)

   it("and an error of send_many says it, too", function()
      local server = spec_server.new { reply = function(self, what)
         self.count = (self.count or 0) + (what == "rcpt" and 1 or 0)
         if what == "rcpt" and self.count ~= 2 then return "550 5.1.1 User unknown" end
      end }
      local list = {
         { from = "ann@me.example", to = { "a@x.example", "b@x.example" }, raw = "x" },
         { from = "ann@me.example", to = "c@x.example", raw = "x" },
      }
      local options = talk.options_to({ server }, { from = false, to = false, raw = false })
      options.from, options.to, options.raw = nil, nil, nil
      local summary = assert(smtp.send_many(options, list, { connections = 1 }))
      assert.equal("unknown_recipient", summary.results[1].refused[1].reason)
      assert.same({ "unknown_recipient", "recipient" }, { summary.results[2].reason, summary.results[2].concerns })
   end)
end)

-- ---- pipelining ----

local improper = "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining"

describe("A server that refuses pipelining", function()
   -- Does it see more than one command at a time?
   local function new_server(line, at, leaves)
      local server = spec_server.new { capabilities = { "PIPELINING" } }
      local send = server.send
      function server.send(self, data)
         local commands = select(2, data:gsub("\n", "\n"))
         if self.mode == "command" and commands > 1 then self.is_crowded = true end
         return send(self, data)
      end
      function server.reply(self, what)
         if what ~= at or not self.is_crowded then return nil end
         self.is_crowded = false
         if leaves then self:say(line) self.gone = true end
         return line
      end
      return server
   end

   for name, make in pairs {
      ["at DATA, as Postfix does,"] = function() return new_server(improper, "data") end,
      ["at MAIL, with an end, as Exim does,"] = function()
         return new_server("554 SMTP synchronization error", "mail", true)
      end } do
      it(name .. " has the message once more without it", function()
         local first, second, third = make(), make(), make()
         local options = talk.options_to({ first, second, third }, talk.message {})
         local receipt = assert(smtp.send(options))
         assert.equal("off", receipt.pipelining)
         assert(smtp.send(options))
         assert.same({ 0, 1, 1 }, { #first.taken, #second.taken, #third.taken })
      end)
   end

   it("is remembered by send_many, which sends all messages", function()
      local server = new_server(improper, "data")
      local list = {}
      for i = 1, 5 do list[i] = { from = "ann@me.example", to = ("u%d@x.example"):format(i), raw = "x" } end
      local options = talk.options_to({ server }, {})
      options.from, options.to, options.raw = nil, nil, nil
      local summary = assert(smtp.send_many(options, list, { connections = 1 }))
      assert.same({ 5, 0 }, { summary.sent, summary.failed })
      assert.equal(5, #server.taken)
   end)

   it("has a message from a function, too: nothing was read of it", function()
      local first, second = new_server(improper, "data"), new_server(improper, "data")
      local pieces = { "Subject: x\r\n\r\n", "x\r\n" }
      local options = talk.options_to({ first, second }, talk.message { raw = function()
         return table.remove(pieces, 1)
      end })
      assert(smtp.send(options))
      assert.same({ 0, 1 }, { #first.taken, #second.taken })
   end)

   it("has each further command of the same connection alone", function()
      local server = new_server(improper, "data")
      local options = talk.options_to({ server }, {})
      options.from, options.to, options.raw = nil, nil, nil
      local connection = assert(smtp.connect(options))
      local _, err = connection:send(talk.message {})
      assert.same({ "pipelining", "client", "now" }, { err.reason, err.concerns, err.retry })
      local receipt = assert(connection:send(talk.message {}))
      assert.equal("off", receipt.pipelining)
      connection:quit()
   end)

   it("is believed where the caller requires PIPELINING", function()
      local server = new_server(improper, "data")
      local _, err = smtp.send(talk.options_to({ server }, talk.message { extensions = { pipelining = "require" } }))
      assert.same({ "pipelining", "never" }, { err.reason, err.retry })
   end)

   it("is not repeated for ever", function()
      local function always() return spec_server.new { capabilities = { "PIPELINING" },
         reply = function(_, what) return what == "data" and improper or nil end } end
      local _, err = smtp.send(talk.options_to({ always(), always() }, talk.message {}))
      assert.same({ "data_refused", "pipelining", "client" }, { err.kind, err.reason, err.concerns })
   end)
end)
