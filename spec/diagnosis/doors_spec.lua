-- The same causes by other doors: LMTP, many messages, a kept connection, a receipt's recipients and a report.
local ascii = require "smtp.ground.ascii"
local safe = require "smtp.safe"
local staged = require "spec.tools.staged"

local LMTP = { protocol = "lmtp", port = 24, tls = "skip", username = false, password = false }

local function lmtp(more)
   local all = {}
   for name, value in pairs(LMTP) do all[name] = value end
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local LOGIN = { username = "ann", password = "sesame" }
local SUBMISSION = { "submission", "port 465", "check that host" }

staged.rows("LMTP", {
   { "does not know the recipient", options = lmtp(),
      server = { RCPT = "550 5.1.1 <bob@example.net> User doesn't exist: "
      .. "bob@example.net" }, error = { "recipients_refused", "unknown_recipient", "recipient", "never" },
      says = { "bob@example.net", "spelling" } },
   { "has no room for the recipient, after the message", options = lmtp(),
      server = { END = "552 5.2.2 <bob@example.net> "
      .. "Quota exceeded (mailbox for user is full)" },
      error = { "data_refused", "mailbox_full", "recipient", "later" }, says = { "bob@example.net", "days" } },
   { "has no room for one of two, after the message", options = lmtp { to = { "b1@example.net", "b2@example.net" } },
      server = { END = "552 5.2.2 <b1@example.net> Quota exceeded\n552 5.2.2 <b2@example.net> Quota exceeded" },
      error = { "data_refused", "mailbox_full", "recipient", "later" },
      also = function(err)
         for i = 1, 2 do
            local one = err.recipients[i]
            assert(one.reason == "mailbox_full" and one.concerns == "recipient" and one.retry == "later", one.reason)
         end
      end },
   { "is refused the name", options = lmtp(), server = { LHLO = "501 5.5.4 Invalid domain name" },
      error = { "greeting_refused", "helo", "client", "never" }, says = { "LHLO", '"me.example"', "set domain" } },
   { "cannot take mail at the moment", options = lmtp(),
      server = { END = "451 4.3.0 <bob@example.net> Temporary internal "
      .. "error" }, error = { "data_refused", "temporary", "server", "later" }, says = { "later" } },
   { "does not answer at RCPT", options = lmtp { reply_timeout = 7 }, server = { RCPT = "SILENCE" },
      error = { "timeout", "timeout", nil, "later" }, says = { "RCPT", "7 s", "reply_timeout" } },
   { "has no AUTH", options = lmtp(LOGIN), server = { LHLO = { "SIZE" } },
      error = { "auth_unsupported", "not_advertised", nil, "never" }, hides = SUBMISSION,
      says = { "leave out username and password", 'auth = "prefer"' } },
   { "has no AUTH, and requires it", options = lmtp { username = "ann", password = "sesame", auth = "prefer" },
      server = { LHLO = { "SIZE" }, MAIL = "530 5.7.0 Authentication required" },
      error = { "auth_required", "required", nil, "never" }, says = "the server does not offer it",
      hides = { "submission", "check that host", "leave out" } },
   { "requires a login that was not given, and has no AUTH", options = lmtp(),
      server = { LHLO = { "SIZE" }, MAIL = "530 5.7.0 Authentication required" },
      error = { "auth_required", "required", nil, "never" }, says = "give username and password", hides = SUBMISSION },
   { "would get the password in clear text", options = lmtp { username = "ann", password = "sesame", tls = "prefer" },
      server = { LHLO = { "AUTH PLAIN" } }, error = { "auth_insecure", "plaintext", nil, "never" },
      says = { "operator", "auth_plaintext = true" }, hides = SUBMISSION },
   { "has no TLS", options = lmtp { tls = "require" }, server = { LHLO = { "SIZE" } },
      error = { "tls_unsupported", "not_advertised", nil, "never" }, says = { "operator", 'tls = "prefer"' },
      hides = SUBMISSION },
   { "requires TLS, and has none", options = lmtp(),
      server = { LHLO = { "SIZE" }, MAIL = "530 5.7.0 Must issue a STARTTLS command first" },
      error = { "tls_required", "required", nil, "never" }, says = "operator", hides = SUBMISSION },
})

-- The error of the first of two messages.
local function first_of_many(options, replies)
   return function()
      local t = staged.options(options)
      t.transport, t.tls_host = function() return staged.server(replies) end, t.tls ~= "skip" and t.host or nil
      t.from, t.to, t.raw = nil, nil, nil
      local message = { from = "ann@example.com", to = "bob@example.net", raw = "A: b\r\n\r\nx\r\n" }
      local report = assert(safe.send_many(t, { message, message }))
      assert(report.failed == 2)
      return nil, report.results[1]
   end
end

staged.rows("send_many", {
   { "with a wrong password", call = first_of_many({ host = "smtp.gmail.com" },
      { AUTH = "535 5.7.8 Username and Password not accepted." }),
      error = { "auth_rejected", "app_password_required", "account", "never" },
      says = "myaccount.google.com/apppasswords" },
   { "with a sender that is not allowed", call = first_of_many({}, { MAIL = "553 5.7.1 <ann@example.com>: Sender "
      .. "address rejected: not owned by user ann2" }),
      error = { "sender_refused", "sender_not_allowed", "sender", "never" }, says = { "ann@example.com", "set from" } },
   { "to a recipient that is not known", call = first_of_many({}, { RCPT = "550 5.1.1 User unknown" }),
      error = { "recipients_refused", "unknown_recipient", "recipient", "never" }, says = "bob@example.net" },
   { "beyond a limit", call = first_of_many({}, { END = "454 Throttling failure: Maximum sending rate exceeded." }),
      error = { "data_refused", "rate_limited", "client", "later" }, says = "rate =|a rate" },
   { "over a connection that is silent", call = first_of_many({ reply_timeout = 7 }, { MAIL = "SILENCE" }),
      error = { "timeout", "timeout", nil, "later" }, says = { "7 s", "reply_timeout" } },
})

local function connect(options, replies)
   return function()
      local t = staged.options(options)
      t.transport, t.tls_host = function() return staged.server(replies) end, t.tls ~= "skip" and t.host or nil
      t.from, t.to, t.raw = nil, nil, nil
      return safe.connect(t)
   end
end

staged.rows("connect", {
   { "to a server that blocks this machine", call = connect({ port = 25, username = false, password = false },
      { greeting = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org" }),
      error = { "greeting_refused", "blocked", "client", "never" }, says = { "192.0.2.1", "zen.spamhaus.org" } },
   { "with a wrong password", call = connect({}, { AUTH = "535 Incorrect authentication data" }),
      error = { "auth_rejected", "rejected", "account", "never" }, says = "check username and password" },
   { "to a web server", call = connect({ port = 8080 }, { greeting = "HTTP/1.1 400 Bad Request\nCLOSE" }),
      error = { "protocol", "malformed", nil, "never" }, says = { "web server", "check host and port" } },
   { "to a server that is silent after EHLO", call = connect({ reply_timeout = 7 }, { EHLO = "SILENCE" }),
      error = { "timeout", "timeout", nil, "later" }, says = { "EHLO", "7 s", "reply_timeout" } },
})

describe("a receipt", function()
   it("names what each refused recipient is about", function()
      local receipt = assert(staged.send { options = { to = { "b1@example.net", "b2@example.net", "b3@example.net",
         "b4@example.net", "b5@example.net" } }, server = { RCPT = { "250 ok", "550 5.1.1 User unknown",
         "552 5.2.2 Mailbox full", "450 4.7.1 Greylisted", "550 5.7.1 relaying denied" } } })
      local said = {}
      for i, one in ipairs(receipt.recipients) do
         said[i] = ("%s %s %s"):format(tostring(one.reason), tostring(one.concerns), tostring(one.retry))
         assert.equal(i > 1, one.hint ~= nil)
      end
      assert.same({ "nil nil nil", "unknown_recipient recipient never", "mailbox_full recipient later",
         "greylisted server later", "relay_denied account never" }, said)
   end)
end)

-- { name, what the server says, the options, the reason, what the warning must say }
local warnings = {
   { "of AUTH that is refused", { AUTH = "535-5.7.8 Username and Password not accepted.\n535 5.7.8 - gsmtp" },
      { host = "smtp.gmail.com" }, "app_password_required", "apppasswords" },
   { "of a block", { greeting = "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org" }, {}, "blocked",
      "zen.spamhaus.org" },
   { "of AUTH that is gone after TLS", { EHLO = { "STARTTLS", "AUTH PLAIN" }, TLS = { "SIZE 1000" } }, {},
      "not_advertised_after_tls", "after" },
   { "of a firewall", { greeting = "220 ***************", EHLO = { "XXXXXXXA" } }, {}, nil, "firewall" },
}

describe("a probe warns", function()
   for _, row in ipairs(warnings) do
      it(row[1], function()
         local t = staged.options(row[3])
         t.transport, t.tls_host = function() return staged.server(row[2]) end, t.host
         t.from, t.to, t.raw = nil, nil, nil
         local report, err = safe.probe(t)
         local said, found = { tostring(err) }, row[4] == nil or err ~= nil and err.reason == row[4]
         for _, one in ipairs(report and report.warnings or {}) do
            said[#said + 1] = one.text .. " " .. tostring(one.hint)
            found = found or one.reason == row[4]
         end
         local text = ascii.lower(table.concat(said, "\n"))
         assert.is_true(found, text)
         assert.truthy(text:find(row[5], 1, true), text)
      end)
   end
end)
