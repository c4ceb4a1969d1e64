local ascii = require "smtp.ground.ascii"
local talk = require "spec.tools.talk"
local safe = require "smtp.safe"

local script = talk.snippets {
   data = [[
      C: DATA
      S: 354 go on
      MESSAGE
      S: 250 2.0.0 ok
   ]],
   rcpt = "C: RCPT TO:<$1@x.example>",
}

local three = { "a@x.example", "b@x.example", "c@x.example" }

local states = talk.states

describe("MAIL", function()
   for _, code in ipairs { 550, 553, 451 } do
      it("refused with " .. code .. " is the sender's refusal, and no recipient has a verdict", function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: $code 5.1.8 no such sender
            <bye>
         ]], { code = code }))
         assert.equal("sender_refused", err.kind)
         assert.equal("mail", err.stage)
         assert.equal(code, err.code)
         assert.equal(code == 451 and "later" or "never", err.retry)
         assert.equal("unsent", states(err))
      end)
   end

   local sized = script [[
      <hello SIZE 10240000>
      C: MAIL FROM:<ann@me.example> SIZE=21
   ]]

   for _, line in ipairs { "552 5.3.4 too big", "552 5.2.3 too big", "552 too big", "523 too big", "523 5.3.4 too big",
      "534 SIZE=Message too large.", "534 5.3.4 too big" } do
      it("where SIZE was said, refused with " .. line .. ", is a message too large", function()
         local _, err = talk.send({}, script([[
            <sized>
            S: $line
            <bye>
         ]], { sized = sized, line = line }))
         assert.same({ "message_too_large", "too_large", "mail", tonumber(line:sub(1, 3)), "never", 10240000, 21 },
            { err.kind, err.reason, err.stage, err.code, err.retry, err.limit, err.size })
         assert.is_nil(err.hint:find("10240000", 1, true)) -- it is below that
         _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: $line
            <bye>
         ]], { line = line }))
         assert.equal("sender_refused", err.kind)
      end)
   end

   for _, line in ipairs { "552 5.2.2 Over quota", "452 4.2.2 Over quota" } do
      it("refused with " .. line .. " is a quota, for now, and no size", function()
         for _, opening in ipairs { sized, script [[
            <hello>
            C: MAIL FROM:<ann@me.example>
         ]] } do
            local _, err = talk.send({}, script([[
               <opening>
               S: $line
               <bye>
            ]], { opening = opening, line = line }))
            assert.same({ "sender_refused", "quota", "mail", "later", "Over quota", true },
               { err.kind, err.reason, err.stage, err.retry, err.text, err.temporary })
            assert.is_nil(tostring(err):find("10240000", 1, true))
         end
      end)
   end

   -- The status stays in the text where its class is not that of the code.
   it("refused with a status of another class is what that says, at the end of the message too", function()
      local _, err = talk.send({}, script([[
         <sized>
         S: 552 4.2.2 Over quota
         <bye>
      ]], { sized = sized }))
      assert.same({ "sender_refused", "quota", "later", "4.2.2 Over quota" },
         { err.kind, err.reason, err.retry, err.text })
      _, err = talk.send({}, script([[
         <sized>
         S: 552 4.7.0 no
         <bye>
      ]], { sized = sized }))
      assert.same({ "sender_refused", "refused" }, { err.kind, err.reason })
      _, err = talk.send({}, script([[
         <sized>
         S: 552 4.3.4 big
         <bye>
      ]], { sized = sized }))
      assert.same({ "message_too_large", "too_large", "message" }, { err.kind, err.reason, err.concerns })
      _, err = talk.send({}, script([[
         <sized>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
         S: 354 go
         MESSAGE
         S: 552 4.2.2 Over quota
         <bye>
      ]], { sized = sized }))
      assert.same({ "data_refused", "mailbox_full", "later" }, { err.kind, err.reason, err.retry })
   end)

   for _, line in ipairs { "552 5.7.0 no", "552 5.1.8 no", "534 5.7.8 no", "452 4.3.1 disk full" } do
      it("where SIZE was said, refused with " .. line .. ", has another cause", function()
         local _, err = talk.send({}, script([[
            <sized>
            S: $line
            <bye>
         ]], { sized = sized, line = line }))
         assert.equal("sender_refused", err.kind)
         assert.not_equal("too_large", err.reason)
      end)
   end

   it("answered by 421 is a lost connection, without RSET or QUIT", function()
      local _, err = talk.send({}, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 421 4.3.2 going down
         CLOSE
      ]])
      assert.equal("disconnected", err.kind)
      assert.equal("mail", err.stage)
      assert.equal("later", err.retry)
      assert.equal("going down", err.text)
   end)

   for _, code in ipairs { 354, 334 } do
      it("answered by " .. code .. " means nothing", function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: $code what
         ]], { code = code }))
         assert.equal("protocol", err.kind)
         assert.equal("unsent", states(err))
      end)
   end

   it("may have the null reverse path", function()
      assert.is_table((talk.send({ envelope = { from = "" } },
         script [[
            <hello>
            C: MAIL FROM:<>
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: 250 ok
            <data>
            <bye>
         ]])))
   end)

   it("declares 8-bit content where 8BITMIME is offered", function()
      assert.is_table((talk.send({ raw = "x\r\n\r\n\195\164\r\n" },
         script [[
            <hello 8BITMIME>
            C: MAIL FROM:<ann@me.example> BODY=8BITMIME
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: 250 ok
            <data>
            <bye>
         ]])))
   end)

   it("is never said for 8-bit content where 8BITMIME is missing", function()
      local _, err = talk.send({ raw = "x\r\n\r\n\195\164\r\n" }, script [[
         <hello>
         <bye>
      ]])
      assert.equal("extension_unsupported", err.kind)
      assert.equal("8bitmime", err.reason)
      assert.equal("mail", err.stage)
   end)
end)

describe("RCPT", function()
   it("accepted by all is a receipt with all", function()
      local receipt = talk.send({ to = three }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <rcpt a>
         S: 250 ok
         <rcpt b>
         S: 251 will forward
         <rcpt c>
         S: 252 will try
         <data>
         <bye>
      ]])
      assert.same(three, receipt.accepted)
      assert.equal(251, receipt.recipients[2].code)
      assert.equal(252, receipt.recipients[3].code)
   end)

   it("refused by some leaves the others, each with its verdict", function()
      local receipt = talk.send({ to = three }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <rcpt a>
         S: 550 5.1.1 who?
         <rcpt b>
         S: 250 ok
         <rcpt c>
         S: 451 4.2.1 later
         <data>
         <bye>
      ]])
      assert.same({ "b@x.example" }, receipt.accepted)
      assert.equal("refused accepted deferred", states(receipt))
      local refused = receipt.refused[1]
      assert.truthy(refused.hint)
      refused.hint = nil
      assert.same({ address = "a@x.example", state = "refused", code = 550, enhanced = "5.1.1",
         text = "who?", reason = "unknown_recipient", concerns = "recipient", retry = "never" }, refused)
   end)

   it("refused by all is an error without DATA", function()
      local _, err = talk.send({ to = three }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <rcpt a>
         S: 550 no
         <rcpt b>
         S: 451 no
         <rcpt c>
         S: 553 no
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
      assert.equal("rcpt", err.stage)
      assert.equal("refused deferred refused", states(err))
      assert.equal("no", err.sent)
   end)

   it("with 421 in the middle leaves no recipient in doubt", function()
      local _, err = talk.send({ to = three }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <rcpt a>
         S: 250 ok
         <rcpt b>
         S: 421 bye
         CLOSE
      ]])
      assert.equal("disconnected", err.kind)
      assert.equal("unsent unsent unsent", states(err))
   end)

   for _, line in ipairs { "354 x", "850 x", "199 x", "000 x" } do
      it("answered by " .. line .. " is not delivered", function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: $line
         ]], { line = line }))
         assert.equal("protocol", err.kind)
         assert.equal("unsent", states(err))
      end)
   end

   -- Where several are refused, the error is that of the refusal which decides.
   local function replies(list)
      local lines = { script "<hello>", "C: MAIL FROM:<ann@me.example>\n", "S: 250 ok\n" }
      for i, name in ipairs { "a", "b", "c" } do
         lines[#lines + 1] = script([[
            <rcpt $name>
            S: $list
         ]], { name = name, list = list[i] })
      end
      return script([[
         <lines>
         <bye>
      ]], { lines = table.concat(lines) })
   end

   local pipelined = script "<hello PIPELINING>"

   local function in_one_flight(all, list)
      return script([[
         <pipelined>
         C: MAIL FROM:<ann@me.example>
         <rcpt a>
         <rcpt b>
         <rcpt c>
         <data_ahead>
         S: 250 ok
         S: $lines
         <reply>
         <bye>
      ]], {
         pipelined = pipelined, data_ahead = all and "" or "C: DATA\n", lines = table.concat(list, "\nS: "),
         reply = all and "" or "S: 554 no valid recipients\n",
      })
   end

   for _, case in ipairs {
      { "all", { "250 ok", "451 4.7.1 greylisted", "250 ok" }, 451, "greylisted", "later",
         "unsent deferred unsent" },
      { "all", { "250 ok", "550 5.1.1 who?", "250 ok" }, 550, "who?", "never", "unsent refused unsent" },
      { "all", { "451 later", "550 who?", "250 ok" }, 550, "who?", "never", "deferred refused unsent" },
      { "all", { "550 first", "451 later", "551 second" }, 550, "first", "never",
         "refused deferred refused" },
      { "all", { "250 ok", "250 ok", "452 full" }, 452, "full", "later", "unsent unsent deferred" },
      { "any", { "451 later", "451 later", "550 who?" }, 451, "later", "later",
         "deferred deferred refused" },
      { "any", { "550 who?", "450 4.2.1 busy", "553 no" }, 450, "busy", "later",
         "refused deferred refused" },
      { "any", { "550 first", "553 second", "550 third" }, 550, "first", "never",
         "refused refused refused" },
   } do
      local which, list, code, text, retry, all_states = case[1], case[2], case[3], case[4], case[5],
         case[6]
      local name = ("%s: %s, and recipients = %s"):format("answered by " .. table.concat(list, ", "),
         "the error is " .. code, which)
      it(name, function()
         for _, transcript in ipairs { replies(list), in_one_flight(which == "all", list) } do
            local _, err = talk.send({ to = three, recipients = which }, transcript)
            assert.same({ "recipients_refused", code, text, retry, "rcpt", "no" },
               { err.kind, err.code, err.text, err.retry, err.stage, err.sent })
            assert.equal(all_states, states(err))
         end
      end)
   end

   it("refused by one under recipients = all is an error before DATA", function()
      local _, err = talk.send({ to = three, recipients = "all" }, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         <rcpt a>
         S: 250 ok
         <rcpt b>
         S: 550 no
         <rcpt c>
         S: 250 ok
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
      assert.equal("not_all", err.reason)
      assert.equal("unsent refused unsent", states(err))
   end)

   it("of ten thousand recipients keeps each verdict in its place", function()
      local to, lines = {}, { script [[
         <hello PIPELINING>
         C: MAIL FROM:<ann@me.example>
      ]] }
      for i = 1, 10000 do
         to[i] = ("u%d@x.example"):format(i)
         lines[#lines + 1] = ("C: RCPT TO:<u%d@x.example>\n"):format(i)
         if i == 10000 then lines[#lines + 1] = "C: DATA\n" end
         if i == 100 then lines[#lines + 1] = "S: 250 ok\n" end
         for j = i % 100 == 0 and i - 99 or i + 1, i do
            lines[#lines + 1] = j % 3 == 0 and "S: 550 no\n" or "S: 250 ok\n"
         end
      end
      lines[#lines + 1] = script [[
         S: 354 go on
         MESSAGE
         S: 250 ok
         <bye>
      ]]
      local peer = talk.peer(table.concat(lines))
      local receipt, err = safe.send(talk.options({ to = to }, peer))
      talk.finished(peer)
      assert.is_nil(err)
      assert.equal(6667, #receipt.accepted)
      for i = 1, 10000 do
         assert(receipt.recipients[i].address == to[i])
         assert(receipt.recipients[i].state == (i % 3 == 0 and "refused" or "accepted"))
      end
   end)
end)

-- A transcript of one message: what EHLO offers, and what follows MAIL and RCPT.
local function asking(offered, behind_mail, behind_rcpt)
   local lines = { "S: 220 hi", "C: EHLO me.example", "S: 250-mx" }
   for i, line in ipairs(offered) do lines[i + 3] = "S: 250-" .. line end
   lines[#lines + 1] = "S: 250 HELP"
   lines[#lines + 1] = script([[
      C: MAIL FROM:<ann@me.example>$behind_mail
      S: 250 ok
   ]], { behind_mail = behind_mail })
   lines[#lines + 1] = script([[
      C: RCPT TO:<bob@there.example>$behind_rcpt
      S: 250 ok
   ]], { behind_rcpt = (behind_rcpt or "") })
   return script([[
      <lines>
      <data>
      <bye>
   ]], { lines = table.concat(lines, "\n") })
end

local function send_asking(options, ...)
   local receipt, err = talk.send(options, asking(...))
   assert(receipt, tostring(err))
   return receipt
end

-- Refused before MAIL: -> err
local function not_sent(options, ...)
   local lines = { "S: 220 hi", "C: EHLO me.example", "S: 250-mx" }
   for _, line in ipairs { ... } do lines[#lines + 1] = "S: 250-" .. line end
   local _, err = talk.send(options, script([[
      <lines>
      S: 250 HELP
      <bye>
   ]], { lines = table.concat(lines, "\n") }))
   assert.same({ "extension_unsupported", "mail", "no", "unsent" },
      { err.kind, err.stage, err.sent, states(err) })
   assert.is_string(err.hint)
   return err
end

-- Each option, the keyword it needs, and what is said.
local askings = {
   { { dsn = { notify = "never" } }, "DSN", "", " NOTIFY=NEVER" },
   { { dsn = { notify = { "delay", "failure" }, ret = "full", envid = "Q 1+2=3" } }, "DSN",
      " RET=FULL ENVID=Q+201+2B2+3D3", " NOTIFY=FAILURE,DELAY" },
   { { dsn = { ret = "hdrs" } }, "DSN", " RET=HDRS", "" },
   { { envelope = { to = { address = "bob@there.example", orcpt = "Bob <b+o=b@old.example>", notify = "success" } } },
      "DSN", "", " NOTIFY=SUCCESS ORCPT=rfc822;b+2Bo+3Db@old.example" },
   { { envelope = { to = { { address = "bob@there.example", orcpt = "\"b \\\\ c\"@old.example" } } } },
      "DSN", "", " ORCPT=rfc822;\"b+20\\\\\\\\+20c\"@old.example" },
   { { envelope = { to = { { address = "bob@there.example", orcpt = "pel\195\169+\240\144\141\136@old.example" } } } },
      "DSN", "", " ORCPT=utf-8;pel\\\\x{E9}\\\\x{2B}\\\\x{10348}@old.example" },
   { { deliver_by = 3600 }, "DELIVERBY", " BY=3600;R", "" },
   { { deliver_by = { seconds = "1", mode = "notify", trace = true } }, "DELIVERBY", " BY=1;NT", "" },
   { { hold_for = 999999999 }, "FUTURERELEASE", " HOLDFOR=999999999", "" },
   { { hold_until = 1795521600 }, "FUTURERELEASE", " HOLDUNTIL=2026-11-24T12:00:00Z", "" },
   { { hold_until = "2026-11-24T12:00:00.5+01:30" }, "FUTURERELEASE", " HOLDUNTIL=2026-11-24T10:30:00Z", "" },
   { { mt_priority = -9 }, "MT-PRIORITY", " MT-PRIORITY=-9", "" },
   { { mt_priority = 0 }, "MT-PRIORITY", " MT-PRIORITY=0", "" },
}

describe("what is asked of an extension", function()
   for i, case in ipairs(askings) do
      local options, keyword, behind_mail, behind_rcpt = case[1], case[2], case[3], case[4]
      local name = ascii.lower(keyword)
      it(("is said where %s is offered (%d)"):format(keyword, i), function()
         local receipt = send_asking(options, { keyword }, behind_mail, behind_rcpt)
         assert.same({ [name] = "used" }, receipt.extensions)
      end)

      it(("needs %s, and nothing is sent without (%d)"):format(keyword, i), function()
         local err = not_sent(options, "X" .. keyword)
         assert.equal(name, err.reason)
         assert.truthy(tostring(err):find("does not offer " .. keyword, 1, true))
         assert.truthy(tostring(err):find(" asks for it", 1, true))
      end)

      it(("is left out under prefer without %s, and the receipt says so (%d)"):format(keyword, i), function()
         local preferred = { extensions = { [name] = "prefer" } }
         for key, value in pairs(options) do preferred[key] = value end
         assert.same({ [name] = "unavailable" }, send_asking(preferred, {}, "").extensions)
         assert.same({ [name] = "used" },
            send_asking(preferred, { keyword }, behind_mail, behind_rcpt).extensions)
      end)

      it(("contradicts skip (%d)"):format(i), function()
         local skipped = { extensions = { [name] = "skip" } }
         for key, value in pairs(options) do skipped[key] = value end
         local _, err = safe.send(talk.options(skipped, talk.peer("")))
         assert.equal("extensions." .. name, err.option)
      end)
   end

   it("may be much at once", function()
      local receipt = send_asking({ dsn = { notify = "failure", ret = "hdrs", envid = "x" }, deliver_by = 60,
         mt_priority = 3, hold_until = "2026-11-24T12:00:00Z" },
         { "SIZE", "dsn", "DeliverBy", "Futurerelease 99999999 2027-01-01T00:00:00Z", "mt-priority MIXER" },
         " SIZE=21 RET=HDRS ENVID=x BY=60;R HOLDUNTIL=2026-11-24T12:00:00Z MT-PRIORITY=3", " NOTIFY=FAILURE")
      assert.same({ dsn = "used", deliverby = "used", futurerelease = "used", ["mt-priority"] = "used" },
         receipt.extensions)
   end)

   it("stays within a command, whatever it is", function()
      local long = ("a"):rep(60) .. "@" .. ("b."):rep(96) .. "c"
      local to = long:gsub("^aa", "zz")
      local plus = ("+"):rep(33)
      local longest = { from = long, requiretls = true, dsn = { notify = { "success", "failure", "delay" },
         ret = "full", envid = plus }, deliver_by = { seconds = 999999999, trace = true },
         hold_until = "2026-11-24T12:00:00Z", mt_priority = -9, raw = "x\r\n\r\n\195\164\r\n",
         envelope = { to = { address = to, orcpt = ("+"):rep(60) .. "@" .. ("b."):rep(96) .. "c" } },
         tls = "implicit" }
      local receipt, err = talk.send(longest, script([[
         TLS
         <hello SIZE, 8BITMIME, DSN, REQUIRETLS, DELIVERBY, FUTURERELEASE, MT-PRIORITY>
         C: MAIL FROM:<$long> SIZE=9 BODY=8BITMIME RET=FULL ENVID=$envid REQUIRETLS $times MT-PRIORITY=-9
         S: 250 ok
         C: RCPT TO:<$to> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;$local_part@${labels}c
         S: 250 ok
         <data>
         <bye>
      ]], {
         times = "BY=999999999;RT HOLDUNTIL=2026-11-24T12:00:00Z",
         long = long, envid = ("+2B"):rep(33), to = to, local_part = ("+2B"):rep(60),
         labels = ("b."):rep(96),
      }))
      assert(receipt, tostring(err))
   end)

   it("of some recipients is said of these", function()
      local receipt = talk.send({ dsn = { notify = "failure" }, envelope = { to = { "a@x.example",
         { address = "b@x.example", notify = "never" }, { address = "c@x.example", orcpt = "d@x.example" },
         { address = "B@x.example", name = "B" }, { address = "b@x.example", notify = "delay" } } } },
         script [[
            <hello PIPELINING, DSN>
            C: MAIL FROM:<ann@me.example>
            C: RCPT TO:<a@x.example> NOTIFY=FAILURE
            C: RCPT TO:<b@x.example> NOTIFY=NEVER
            C: RCPT TO:<c@x.example> NOTIFY=FAILURE ORCPT=rfc822;d@x.example
            C: RCPT TO:<B@x.example> NOTIFY=FAILURE
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 354 go on
            MESSAGE
            S: 250 ok
            <bye>
         ]])
      assert.equal(4, #receipt.accepted)
   end)

   it("of one message of a connection is not said of the next", function()
      local peer = talk.peer(script [[
         <hello DSN>
         C: MAIL FROM:<ann@me.example> RET=HDRS
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         <data>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         <data>
         <bye>
      ]])
      local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false,
         extensions = { ["mt-priority"] = "prefer" } }, peer)))
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n", mt_priority = 5,
         dsn = { ret = "hdrs" } }
      assert.same({ dsn = "used", ["mt-priority"] = "unavailable" }, connection:send(message).extensions)
      message.dsn = nil
      assert.same({ ["mt-priority"] = "unavailable" }, connection:send(message).extensions)
      connection:quit()
      talk.finished(peer)
   end)
end)

describe("DELIVERBY", function()
   it("with a minimum is not asked for less", function()
      local err = not_sent({ deliver_by = 59 }, "DELIVERBY 60")
      assert.equal("deliverby_minimum", err.reason)
      assert.truthy(tostring(err):find("EHLO offered DELIVERBY 60", 1, true))
      send_asking({ deliver_by = 60 }, { "DELIVERBY 60" }, " BY=60;R")
   end)

   it("has no minimum where nothing is given back", function()
      send_asking({ deliver_by = { seconds = 1, mode = "notify" } }, { "DELIVERBY 60" }, " BY=1;N")
   end)

   it("with an invalid minimum has no minimum", function()
      for _, value in ipairs { "", "-5", "x", "60s", "1000000000", "99999999999999999999" } do
         send_asking({ deliver_by = 1 }, { "DELIVERBY " .. value }, " BY=1;R")
      end
   end)

   it("that is offered and too slow is an error under prefer too", function()
      assert.equal("deliverby_minimum",
         not_sent({ deliver_by = 1, extensions = { deliverby = "prefer" } }, "DELIVERBY 9").reason)
   end)
end)

describe("FUTURERELEASE", function()
   local offered = "FUTURERELEASE 3600 2026-11-24T12:00:00Z"

   it("is not asked for more than it offers", function()
      for _, options in ipairs { { hold_for = 3601 }, { hold_until = "2026-11-24T12:00:01Z" },
         { hold_until = "2027-01-01T00:00:00Z" }, { hold_until = 1795521601 } } do
         assert.equal("futurerelease_maximum", not_sent(options, offered).reason)
         assert.equal("futurerelease_maximum", not_sent(options, ascii.lower(offered)).reason)
      end
      send_asking({ hold_for = 3600 }, { offered }, " HOLDFOR=3600")
      send_asking({ hold_until = "2026-11-24T12:00:00Z" }, { offered }, " HOLDUNTIL=2026-11-24T12:00:00Z")
   end)

   it("without limits that can be read has none", function()
      for _, value in ipairs { "", "x y", "-1 2026", "0 2026-11-24T12:00:00",
         "99999999999 2026-11-24T12:00:00+00:00" } do
         send_asking({ hold_for = 5000 }, { "FUTURERELEASE " .. value }, " HOLDFOR=5000")
         send_asking({ hold_until = "2027-11-24T12:00:00Z" }, { "FUTURERELEASE " .. value },
            " HOLDUNTIL=2027-11-24T12:00:00Z")
      end
   end)
end)

describe("REQUIRETLS", function()
   local hello = script "<hello REQUIRETLS, STARTTLS>"
   local again = [[
      C: STARTTLS
      S: 220 go
      TLS
      C: EHLO me.example
   ]]
   local offered = script([[
      <again>
      S: 250-mx
      S: 250 REQUIRETLS
   ]], { again = again })
   local promised = script [[
      C: MAIL FROM:<ann@me.example> REQUIRETLS
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      <data>
      <bye>
   ]]

   local function refused(more, transcript)
      more.requiretls = true
      local _, err = talk.send(more, script([[
         <transcript>
         <bye>
      ]], { transcript = transcript }))
      assert.same({ "extension_unsupported", "mail", "no" }, { err.kind, err.stage, err.sent })
      assert.is_string(err.hint)
      return err.reason
   end

   it("is promised inside verified TLS", function()
      local receipt = talk.send({ requiretls = true, tls = "require" }, hello .. offered .. promised)
      assert.same({ requiretls = "used" }, receipt.extensions)
      assert.is_table((talk.send({ requiretls = true, tls = "implicit" }, script([[
         TLS
         <opening>
         <promised>
      ]], {
         opening = hello:gsub("S: 250 STARTTLS\n", "") :gsub("250%-REQ", "250 REQ"), promised = promised,
      }))))
   end)

   it("is not promised in clear text", function()
      assert.equal("requiretls_unverified", refused({}, hello))
      assert.equal("requiretls_unverified", refused({ tls = "prefer" }, (hello:gsub("STARTTLS", "HELP"))))
   end)

   it("is not promised where the certificate was not verified", function()
      local peer = talk.peer(script([[
         <opening>
         <offered>
         <bye>
      ]], { opening = hello, offered = offered }))
      local options = talk.options({ requiretls = true, tls = "require" }, peer)
      options.tls_verify = false
      local _, err = safe.send(options)
      talk.finished(peer)
      assert.same({ "extension_unsupported", "requiretls_unverified", "no" }, { err.kind, err.reason, err.sent })
   end)

   it("counts as it is offered inside TLS", function()
      assert.equal("requiretls", refused({ tls = "require" }, hello .. again .. "S: 250 mx\n"))
   end)

   it("is never left out", function()
      for _, word in ipairs { "prefer", "skip" } do
         local _, err = safe.send(talk.options({ requiretls = true, extensions = { requiretls = word } },
            talk.peer("")))
         assert.equal("extensions.requiretls", err.option)
      end
   end)

   it("takes a handshake of the user's own for what its transport says of it", function()
      for _, transcript in ipairs { hello .. offered, script([[
         TLS
         <opening>
      ]], { opening = hello:gsub("S: 250 STARTTLS\n", "S: 250 HELP\n") }) } do
         local peer = talk.peer(script([[
            <transcript>
            <bye>
         ]], { transcript = transcript }))
         peer.mute_about_tls = true
         local _, err = safe.send(talk.options({ requiretls = true,
            tls = transcript:find("^TLS") and "implicit" or "require" }, peer))
         talk.finished(peer)
         assert.equal("requiretls_unverified", err.reason)
      end
   end)

   it("believes a transport that says it is secure", function()
      local peer = talk.peer(script([[
         <hello REQUIRETLS>
         <promised>
      ]], { promised = promised }))
      peer.secure = true
      assert(safe.send(talk.options({ requiretls = true }, peer)))
      talk.finished(peer)
   end)

   it("that is not asked for is not said", function()
      local peer = talk.peer(hello .. offered .. promised:gsub(" REQUIRETLS", ""))
      local options = talk.options({ tls = "require" }, peer)
      options.requiretls = false
      assert(safe.send(options))
      talk.finished(peer)
   end)
end)
