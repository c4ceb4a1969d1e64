-- Against a real Postfix with Dovecot's SASL: the bytes that arrive are the bytes sent.
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

describe("Postfix", function()
   local live = servers.during(setup, teardown, servers.start)

   local function options(more)
      local t = { username = live.user, password = live.password }
      for key, value in pairs(more or {}) do t[key] = value end
      return servers.options(live, live.submission_port, t)
   end

   local function relay(more)
      local t = { port = live.relay_port, tls = "skip", auth_plaintext = true }
      for key, value in pairs(more or {}) do t[key] = value end
      return options(t)
   end

   local head = servers.head "bytes"

   for _, mechanism in ipairs { "PLAIN", "LOGIN" } do
      it("takes mail after STARTTLS and AUTH " .. mechanism, function()
         local receipt, err = safe.send(options { raw = head .. "hello\n",
            auth_mechanisms = { mechanism } })
         assert(receipt, tostring(err))
         assert.same({ "authenticated", mechanism, "on", true },
            { receipt.auth.state, receipt.auth.mechanism, receipt.tls.state, receipt.tls.verified })
         assert.truthy(receipt.reply.text:find("queued as", 1, true))
         assert.same({ head .. "hello\n" }, live.arrived("bob", 1))
      end)

      it("rejects a wrong password with AUTH " .. mechanism, function()
         local _, err = safe.send(options { text = "x", password = "wrong", auth_mechanisms = mechanism })
         assert.same({ "auth_rejected", 535, "never", "no" }, { err.kind, err.code, err.retry, err.sent })
      end)
   end

   for name, body in pairs {
      ["leading dots"] = ".\n..\n...x\n.\n\n.a.\n", ["bare line ends"] = "a\nb\nc\n.\nd\n",
      ["no last line end"] = "the end", ["a line of 998 octets"] = ("x"):rep(998) .. "\n",
      ["a mebibyte of dots"] = ("." .. ("x"):rep(60) .. "\n"):rep(17000),
   } do
      it("gives back the bytes of a message with " .. name, function()
         for _, line_end in ipairs { "\n", "\r\n" } do
            local receipt, err = safe.send(options { raw = ((head .. body):gsub("\n", line_end)) })
            assert(receipt, tostring(err))
            local got = live.arrived("bob", 1)[1]
            local want = head .. body
            if want:sub(-1) ~= "\n" then want = want .. "\n" end
            assert(got == want, "the message changed on its way")
         end
      end)
   end

   it("gives back 8-bit bytes where 8BITMIME is said", function()
      local raw = head .. "gr\195\188\195\159e\n"
      assert(safe.send(options { raw = raw }))
      assert.same({ raw }, live.arrived("bob", 1))
   end)

   it("gives back a composed message", function()
      assert(safe.send(options { subject = "Gr\195\188\195\159e",
         text = ".a\nwords enough for quoted-printable\n\195\164\n" }))
      local got = live.arrived("bob", 1)[1]
      assert.truthy(got:find("\n\n=2Ea\nwords enough for quoted%-printable\n=C3=A4\n$"), got)
   end)

   it("refuses one of several recipients, and the others get it", function()
      local receipt, err = safe.send(options { raw = head .. "x\n",
         to = { "bob@live.example", "nobody@live.example", "carol@live.example" } })
      assert(receipt, tostring(err))
      assert.same({ "bob@live.example", "carol@live.example" }, receipt.accepted)
      assert.same({ "nobody@live.example", "refused", 550 },
         { receipt.refused[1].address, receipt.refused[1].state, receipt.refused[1].code })
      assert.equal(1, #live.arrived("bob", 1))
      assert.equal(1, #live.arrived("carol", 1))
   end)

   it("reports a delivery as it was asked to", function()
      local receipt, err = safe.send(options { raw = head .. "x\n",
         dsn = { notify = { "success", "failure" }, ret = "hdrs", envid = "order 1+7=8" },
         envelope = { to = { { address = "bob@live.example", orcpt = "b+o=b@old.example" },
            { address = "carol@live.example", notify = "never" } } } })
      assert(receipt, tostring(err))
      assert.same({ dsn = "used" }, receipt.extensions)
      assert.equal(1, #live.arrived("bob", 1))
      assert.equal(1, #live.arrived("carol", 1))
      local report = table.concat(live.arrived("ann", 1))
      for _, line in ipairs { "Original-Envelope-Id: order 1+7=8", "Action: delivered",
         "Original-Recipient: rfc822;b+o=b@old.example", "text/rfc822-headers" } do
         assert.truthy(report:find(line, 1, true), line .. "\n" .. report)
      end
      assert.is_nil(report:find("carol", 1, true))
   end)

   it("offers no other extension of those that are asked for, and is told so before MAIL", function()
      for name, value in pairs { deliver_by = 60, hold_for = 60, mt_priority = 1 } do
         local _, err = safe.send(options { text = "x", [name] = value })
         assert.same({ "extension_unsupported", "mail" }, { err.kind, err.stage })
      end
      assert.truthy(safe.send(options { raw = head .. "x\n", mt_priority = 1,
         extensions = { ["mt-priority"] = "prefer" } }))
      assert.equal(1, #live.arrived("bob", 1))
   end)

   it("without AUTH is an error of its own under require", function()
      local _, err = safe.send(relay { text = "x" })
      assert.same({ "auth_unsupported", "not_advertised", "no" }, { err.kind, err.reason, err.sent })
   end)

   it("without AUTH is sent to under prefer and skip, and the receipt says so", function()
      local receipt, err = safe.send(relay { raw = head .. "x\n", auth = "prefer" })
      assert(receipt, tostring(err))
      assert.equal("unavailable", receipt.auth.state)
      receipt = assert(safe.send(relay { raw = head .. "x\n", auth = "skip" }))
      assert.equal("skipped", receipt.auth.state)
      assert.equal(2, #live.arrived("bob", 2))
   end)

   it("that requires AUTH refuses those without", function()
      local _, err = safe.send(options { text = "x", username = "none", password = "none" })
      assert.truthy(err.code and err.code >= 500, tostring(err))
      assert.equal("no", err.sent)
   end)

   it("behind an issuer we do not know is not talked to", function()
      local _, err = servers.send_trusting_other(options { text = "x" })
      assert.same({ "certificate", "unknown_issuer" }, { err.kind, err.reason })
   end)

   it("takes several messages over one connection, a refused one among them", function()
      local connection = options {}
      connection.from, connection.to = nil, nil
      connection = assert(safe.connect(connection))
      local mail = { from = "ann@live.example", to = "bob@live.example", raw = head .. "1\n" }
      assert(connection:send(mail))
      local _, err = connection:send { from = mail.from, to = "nobody@live.example", raw = "x\n" }
      assert.equal("recipients_refused", err.kind)
      mail.raw = head .. "2\n"
      assert(connection:send(mail))
      assert.is_table(connection:noop())
      assert.is_true(connection:quit())
      assert.same({ head .. "1\n", head .. "2\n" }, live.arrived("bob", 2))
   end)
end)
