local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   ok = [[
      S: 220 there.example ready
      C: EHLO me.example
      S: 250 there.example
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
      S: 354 go on
      C: Subject: x
      C:
      C: hello
      C: .
      S: 250 2.0.0 queued as 7
      <bye>
   ]],
}

local function after(greeting)
   return (script.ok:gsub("%s*S: 220 there.example ready\n", greeting, 1))
end

describe("the greeting", function()
   it("is waited for, and a message goes out", function()
      local receipt, err = talk.send({}, script.ok)
      assert.is_nil(err)
      assert.same({ "bob@there.example" }, receipt.accepted)
      assert.same({ code = 250, enhanced = "2.0.0", text = "queued as 7" }, receipt.reply)
      assert.equal("there.example", receipt.server.name)
   end)

   it("may have many lines", function()
      assert.is_table(talk.send({}, after([[
         S: 220-a
         S: 220-b
         S: 220 c
      ]])))
   end)

   for _, code in ipairs { 554, 500, 501, 530 } do
      it("refuses the conversation with " .. code, function()
         local _, err = talk.send({}, script([[
            S: $code no service here
            <bye>
         ]], { code = code }))
         assert.equal("greeting_refused", err.kind)
         assert.equal("greeting", err.stage)
         assert.equal(code, err.code)
         assert.equal("never", err.retry)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   it("that is 421 ends it at once, for now", function()
      local _, err = talk.send({}, "S: 421 busy") -- not even QUIT is said
      assert.equal("greeting_refused", err.kind)
      assert.equal("later", err.retry)
      assert.is_true(err.temporary)
   end)

   for _, ending in ipairs { "CLOSE", "SILENCE" } do
      it("that has begun and does not end did come: " .. ending, function()
         for _, part in ipairs { "S: 220-mx, please wait", "S~ 220 mx", "S~ 22" } do
            local _, err = talk.send({}, part .. "\n" .. ending)
            assert.same({ ending == "CLOSE" and "disconnected" or "timeout", "greeting" }, { err.kind, err.stage })
            assert.is_nil(err.hint:find("implicit", 1, true))
            assert.truthy(err.hint:find("part of the greeting", 1, true))
         end
      end)
   end

   for _, code in ipairs { 250, 354, 221, 235 } do
      it("cannot be " .. code, function()
         local _, err = talk.send({}, ("S: %d what"):format(code))
         assert.equal("protocol", err.kind)
         assert.equal("never", err.retry) -- it will greet the next time as it did now
      end)
   end

   it("that never comes is a lost connection", function()
      local _, err = talk.send({}, "CLOSE")
      assert.equal("disconnected", err.kind)
      assert.equal("greeting", err.stage)
      assert.truthy(err.hint:find("implicit", 1, true))
   end)

   it("cut within a line is a lost connection", function()
      local _, err = talk.send({}, [[
         S~ 220 hi
         CLOSE
      ]])
      assert.equal("disconnected", err.kind)
   end)

   it("that is silence runs into the time limit", function()
      local _, err = talk.send({}, "SILENCE")
      assert.equal("timeout", err.kind)
      assert.truthy(err.hint:find("implicit", 1, true))
   end)

   it("with an answer to EHLO after it, before EHLO, is out of turn", function()
      local _, err = talk.send({}, [[
         S: 220 hi
         S: 250-mx
         S: 250 AUTH PLAIN
      ]])
      assert.equal("protocol", err.kind)
      assert.same({ "unasked", "ehlo", "now" }, { err.reason, err.stage, err.retry })
   end)

   for name, line in pairs { ["a web server"] = "HTTP/1.1 400 Bad Request",
      ["an IMAP server"] = "* OK ready", ["a POP3 server"] = "+OK ready",
      ["an SSH server"] = "SSH-2.0-OpenSSH_9.2" } do
      it("of " .. name .. " is known for what it is", function()
         local _, err = talk.send({}, "S: " .. line)
         assert.same({ "protocol", "never" }, { err.kind, err.retry })
         assert.truthy(err.hint:find(name, 1, true))
      end)
   end

   it("in TLS is known for what it is", function()
      local _, err = talk.send({}, [[
         S~ \x16\x03\x01\x00\x05
         CLOSE
      ]])
      assert.equal("tls_on_plain_port", err.reason)
      assert.truthy(err.hint:find('tls = "implicit"', 1, true))
   end)
end)

describe("EHLO", function()
   local hi = [[
      S: 220 hi
      C: EHLO me.example
   ]]

   for _, code in ipairs { 500, 501, 502, 504 } do
      it("answered by " .. code .. " is followed by HELO", function()
         local receipt = talk.send({}, (script.ok:gsub("S: 250 there.example\n",
            script([[
               S: $code what
               C: HELO me.example
               S: 250 old.example hello
            ]], { code = code }), 1)))
         assert.equal("old.example", receipt.server.name)
         assert.same({}, receipt.capabilities)
      end)
   end

   for _, code in ipairs { 550, 554, 530 } do
      it("answered by " .. code .. " is a refusal, without HELO", function()
         local _, err = talk.send({}, script([[
            <hi>
            S: $code banned
            <bye>
         ]], { hi = hi, code = code }))
         assert.equal("greeting_refused", err.kind)
         assert.equal("ehlo", err.stage)
      end)
   end

   for _, code in ipairs { 220, 221, 354 } do
      it("answered by " .. code .. " means nothing", function()
         local _, err = talk.send({}, hi .. ("S: %d what"):format(code))
         assert.equal("protocol", err.kind)
         assert.equal("unexpected", err.reason)
      end)
   end

   for _, code in ipairs { 450, 500, 501, 530, 550 } do
      it("and HELO refused with " .. code .. " end it", function()
         for _, first in ipairs { 500, 501, 502, 504 } do
            local _, err = talk.send({}, script([[
               <hi>
               S: $first what
               C: HELO me.example
               S: $code 5.5.4 bad name
               <bye>
            ]], { hi = hi, first = first, code = code }))
            assert.same({ "greeting_refused", "helo", "ehlo", code, code == 450 and "later" or "never" },
               { err.kind, err.reason, err.stage, err.code, err.retry })
            assert.truthy(err.text:find("bad name", 1, true))
            assert.truthy(err.hint:find("set domain", 1, true))
         end
      end)
   end

   for code, text in pairs { [501] = "Syntactically invalid EHLO argument(s)", [502] = "not implemented",
      [500] = 'Command unrecognized: "XXXX mail"', [504] = "no" } do
      -- What cannot be had without EHLO: the options, what is offered after HELO is nothing.
      local helo = script([[
         <hi>
         S: $code 5.5.0 $text
         C: HELO me.example
         S: 250 mx
      ]], { hi = hi, code = code, text = text })
      local cases = {
         { "auth_unsupported", "auth", { username = "ann", password = "sesame-5" } },
         { "tls_unsupported", "starttls", { tls = "require" } },
         { "extension_unsupported", "mail", { raw = "\195\164" } },
         { "extension_unsupported", "mail", { extensions = { dsn = "require" } } },
      }

      it("answered by " .. code .. " is shown where HELO makes something impossible", function()
         for _, case in ipairs(cases) do
            local _, err = talk.send(case[3], script([[
               <helo>
               <bye>
            ]], { helo = helo }))
            assert.same({ case[1], case[2], code, "5.5.0", text, "never", "no" },
               { err.kind, err.stage, err.code, err.enhanced, err.text, err.retry, err.sent })
            assert.truthy(err.hint:find("set domain", 1, true), err.hint)
            assert.truthy(tostring(err):find(text, 1, true))
         end
      end)

      it("answered by " .. code .. " is not reported for anything else", function()
         local _, err = talk.send({}, script([[
            <helo>
            C: MAIL FROM:<ann@me.example>
            S: 550 5.1.0 no
            <bye>
         ]], { helo = helo }))
         assert.same({ "sender_refused", 550, "no" }, { err.kind, err.code, err.text })
      end)

      it("answered by " .. code .. " is reported by smtp.probe", function()
         local report = assert(smtp.probe(talk.options({ from = false, to = false, raw = false },
            talk.peer(script([[
               <helo>
               <bye>
            ]], { helo = helo })))))
         assert.equal(("%d 5.5.0 %s"):format(code, text), report.ehlo_reply)
         local warning
         for _, one in ipairs(report.warnings) do warning = one.reason == "helo_only" and one or warning end
         assert.truthy(warning.text:find(text, 1, true), warning.text)
         assert.truthy(warning.hint:find("set domain", 1, true))
      end)
   end

   it("refused after TLS is shown, and what came before TLS is not", function()
      local _, err = talk.send({ tls = "require", username = "ann", password = "sesame-5" },
         script [[
            <hello STARTTLS>
            C: STARTTLS
            S: 220 go
            TLS
            C: EHLO me.example
            S: 501 bad name
            C: HELO me.example
            S: 250 mx
            <bye>
         ]])
      assert.same({ "auth_unsupported", "helo_only", 501, "bad name" }, { err.kind, err.reason, err.code, err.text })
   end)

   for _, code in ipairs { 220, 221, 354 } do
      it("and HELO answered by " .. code .. " end it", function()
         local _, err = talk.send({}, script([[
            <hi>
            S: 500 what
            C: HELO me.example
            S: $code what
         ]], { hi = hi, code = code }))
         assert.equal("protocol", err.kind)
      end)
   end

   it("answered by 421 is the end, for now", function()
      local _, err = talk.send({}, script([[
         <hi>
         S: 421 4.3.2 later
         CLOSE
      ]], { hi = hi }))
      assert.equal("disconnected", err.kind)
      assert.same({ "temporary", "server" }, { err.reason, err.concerns })
      assert.equal(421, err.code)
      assert.equal("later", err.retry)
   end)
end)

describe("LHLO", function()
   local hi = [[
      S: 220 hi
      C: LHLO me.example
   ]]
   local bye = script "<bye>"

   it("is LMTP's EHLO, before and after TLS", function()
      local receipt, err = talk.send({ protocol = "lmtp", tls = "require" }, script([[
         <hi>
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         C: LHLO me.example
         S: 250 lmtp.example
         <from_mail_on>
      ]], { hi = hi, from_mail_on = (script.ok:gsub("^.-(C: MAIL)", "%1")) }))
      assert(receipt, tostring(err))
      assert.equal("lmtp.example", receipt.server.name)
   end)

   for _, code in ipairs { 500, 501, 502, 504 } do
      it("answered by " .. code .. " is the end, without HELO: it may be SMTP", function()
         local _, err = talk.send({ protocol = "lmtp" }, script([[
            <hi>
            S: $code what
            <rest>
         ]], { hi = hi, code = code, rest = bye }))
         assert.same({ "greeting_refused", "ehlo", code }, { err.kind, err.stage, err.code })
         assert.equal(code == 501 and "helo" or "refused", err.reason)
         assert.equal(code == 501, err.hint:find("set domain", 1, true) ~= nil)
         assert.is_nil(tostring(err):find("[EH][HE]LO")) -- LMTP has neither
         assert.truthy(err.hint:find("SMTP server", 1, true))
         assert.truthy(err.hint:find('protocol = "smtp"', 1, true))
      end)
   end

   it("that would have been right is hinted at", function()
      local _, err = talk.send({}, script([[
         S: 220 hi
         C: EHLO me.example
         S: 500 what
         C: HELO me.example
         S: 500 LHLO!
         <rest>
      ]], { rest = bye }))
      assert.truthy(err.hint:find('protocol = "lmtp"', 1, true))
   end)

   it("refused otherwise has no such hint", function()
      local _, err = talk.send({ protocol = "lmtp" }, script([[
         <hi>
         S: 550 no
         <rest>
      ]], { hi = hi, rest = bye }))
      assert.is_nil(err.hint:find("protocol", 1, true))
   end)
end)

describe("QUIT", function()
   local sent = script.ok:gsub("%s*S: 221 bye\n", "\n")

   for _, answer in ipairs { "S: 220 x", "S: 250 x", "S: 354 x", "S: 421 x", "S: 500 x", "S: 530 x",
      "S: garbage", "CLOSE", "SILENCE", [[
         S~ 22
         CLOSE
      ]] } do
      it("answered by " .. answer .. " leaves delivered what was delivered", function()
         assert.is_table(talk.send({}, sent .. answer))
      end)
   end
end)
