-- What errors, receipts and recipients say of a refusal; and a server that refuses pipelining.
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local script = talk.script

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
      assert.matches("does not allow this client to send as ann@me.example", tostring(err), 1, true)
      assert.matches("Set from (or envelope.from) to an address that the server accepts", err.hint, 1, true)
      assert.same({ "sender_not_allowed", "sender" }, { err.recipients[1].reason, err.recipients[1].concerns })
   end)

   it("speaks of the login's addresses after a login alone", function()
      local _, err = talk.send({ username = "ann", password = "sesame-4", auth_plaintext = true }, script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtNA==
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 553 5.7.1 <ann@me.example>: Sender address rejected: not owned by user x
         <bye>
      ]])
      assert.equal("sender_not_allowed", err.reason)
      assert.matches("to an address of that login", err.hint, 1, true)
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
      assert.equal("smtp: mx.example:25 did not accept the recipient bob@there.example (550): no. "
         .. "Check the address of the recipient; if it is right, ask the server's operator for the reason.",
         tostring(err))
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

   for _, pipelining in ipairs { "safe", "eager" } do
      it("is remembered by send_many, which sends all messages (" .. pipelining .. ")", function()
         for at, line in pairs { data = improper, mail = "554 SMTP synchronization error" } do
            local servers, list, count = {}, {}, 0
            for i = 1, 4 do servers[i] = new_server(line, at, at == "mail") end
            for i = 1, 5 do list[i] = { from = "ann@me.example", to = ("u%d@x.example"):format(i), raw = "x" } end
            local options = talk.options_to(servers, { pipelining = pipelining })
            options.from, options.to, options.raw = nil, nil, nil
            local summary = assert(smtp.send_many(options, list, { connections = 1 }))
            for i = 1, 5 do assert.is_nil(summary.results[i].kind, tostring(summary.results[i])) end
            assert.same({ 5, 0 }, { summary.sent, summary.failed })
            for i = 1, 4 do count = count + #servers[i].taken end
            assert.equal(5, count)
         end
      end)
   end

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
