local talk = require "spec.talk"
local safe = require "smtp.safe"

local hi = "S: 220 hi\nC: EHLO me.example\nS: 250 mx\n"
local mail = "C: MAIL FROM:<ann@me.example>\n"
local bob = "C: RCPT TO:<bob@there.example>\n"
local bye = "C: QUIT\nS: 221 bye\n"
local data = "C: DATA\nS: 354 go on\nMESSAGE\nS: 250 2.0.0 ok\n"
local three = { "a@x.example", "b@x.example", "c@x.example" }

local function rcpt(name)
   return ("C: RCPT TO:<%s@x.example>\n"):format(name)
end

local function states(result)
   local list = {}
   for i, one in ipairs(result.recipients) do list[i] = one.state end
   return table.concat(list, " ")
end

describe("MAIL", function()
   for _, code in ipairs { 550, 553, 451 } do
      it("refused with " .. code .. " is the sender's refusal, and nobody is told", function()
         local _, err = talk.send({}, hi .. mail .. ("S: %d 5.1.8 no such sender\n"):format(code) .. bye)
         assert.equal("sender_refused", err.kind)
         assert.equal("mail", err.stage)
         assert.equal(code, err.code)
         assert.equal(code == 451 and "later" or "never", err.retry)
         assert.equal("unsent", states(err))
      end)
   end

   it("refused with 552 where SIZE was said is a message too large", function()
      local _, err = talk.send({}, "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 SIZE\n"
         .. "C: MAIL FROM:<ann@me.example> SIZE=21\nS: 552 5.3.4 too big\n" .. bye)
      assert.equal("message_too_large", err.kind)
      assert.equal(552, err.code)
   end)

   it("answered by 421 is a lost connection, without RSET or QUIT", function()
      local _, err = talk.send({}, hi .. mail .. "S: 421 4.3.2 going down\nCLOSE")
      assert.equal("disconnected", err.kind)
      assert.equal("mail", err.stage)
      assert.equal("later", err.retry)
      assert.equal("going down", err.text)
   end)

   for _, code in ipairs { 354, 334 } do
      it("answered by " .. code .. " means nothing", function()
         local _, err = talk.send({}, hi .. mail .. ("S: %d what"):format(code))
         assert.equal("protocol", err.kind)
         assert.equal("unsent", states(err))
      end)
   end

   it("may have the null reverse path", function()
      assert.is_table((talk.send({ envelope = { from = "" } },
         hi .. "C: MAIL FROM:<>\nS: 250 ok\n" .. bob .. "S: 250 ok\n" .. data .. bye)))
   end)

   it("declares 8-bit content where 8BITMIME is offered", function()
      assert.is_table((talk.send({ raw = "x\r\n\r\n\195\164\r\n" },
         "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 8BITMIME\n"
         .. "C: MAIL FROM:<ann@me.example> BODY=8BITMIME\nS: 250 ok\n" .. bob .. "S: 250 ok\n" .. data
         .. bye)))
   end)

   it("is never said for 8-bit content where 8BITMIME is missing", function()
      local _, err = talk.send({ raw = "x\r\n\r\n\195\164\r\n" }, hi .. bye)
      assert.equal("extension_unsupported", err.kind)
      assert.equal("8bitmime", err.reason)
      assert.equal("mail", err.stage)
   end)
end)

describe("RCPT", function()
   it("accepted by all is a receipt with all", function()
      local receipt = talk.send({ to = three }, hi .. mail .. "S: 250 ok\n" .. rcpt "a" .. "S: 250 ok\n"
         .. rcpt "b" .. "S: 251 will forward\n" .. rcpt "c" .. "S: 252 will try\n" .. data .. bye)
      assert.same(three, receipt.accepted)
      assert.equal(251, receipt.recipients[2].code)
      assert.equal(252, receipt.recipients[3].code)
   end)

   it("refused by some leaves the others, each with its verdict", function()
      local receipt = talk.send({ to = three }, hi .. mail .. "S: 250 ok\n" .. rcpt "a"
         .. "S: 550 5.1.1 who?\n" .. rcpt "b" .. "S: 250 ok\n" .. rcpt "c" .. "S: 451 4.2.1 later\n"
         .. data .. bye)
      assert.same({ "b@x.example" }, receipt.accepted)
      assert.equal("refused accepted deferred", states(receipt))
      assert.same({ address = "a@x.example", state = "refused", code = 550, enhanced = "5.1.1",
         text = "who?" }, receipt.refused[1])
   end)

   it("refused by all is an error without DATA", function()
      local _, err = talk.send({ to = three }, hi .. mail .. "S: 250 ok\n" .. rcpt "a"
         .. "S: 550 no\n" .. rcpt "b" .. "S: 451 no\n" .. rcpt "c" .. "S: 553 no\n" .. bye)
      assert.equal("recipients_refused", err.kind)
      assert.equal("rcpt", err.stage)
      assert.equal("refused deferred refused", states(err))
      assert.equal("no", err.sent)
   end)

   it("with 421 in the middle leaves nobody in doubt", function()
      local _, err = talk.send({ to = three }, hi .. mail .. "S: 250 ok\n" .. rcpt "a" .. "S: 250 ok\n"
         .. rcpt "b" .. "S: 421 bye\nCLOSE")
      assert.equal("disconnected", err.kind)
      assert.equal("unsent unsent unsent", states(err))
   end)

   for _, line in ipairs { "354 x", "850 x", "199 x", "000 x" } do
      it("answered by " .. line .. " is not delivered", function()
         local _, err = talk.send({}, hi .. mail .. "S: 250 ok\n" .. bob .. "S: " .. line)
         assert.equal("protocol", err.kind)
         assert.equal("unsent", states(err))
      end)
   end

   it("refused by one under recipients = all is an error before DATA", function()
      local _, err = talk.send({ to = three, recipients = "all" }, hi .. mail .. "S: 250 ok\n"
         .. rcpt "a" .. "S: 250 ok\n" .. rcpt "b" .. "S: 550 no\n" .. rcpt "c" .. "S: 250 ok\n" .. bye)
      assert.equal("recipients_refused", err.kind)
      assert.equal("not_all", err.reason)
      assert.equal("unsent refused unsent", states(err))
   end)

   it("of ten thousand recipients keeps each verdict in its place", function()
      local to, lines = {}, { "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 PIPELINING\n" .. mail }
      for i = 1, 10000 do
         to[i] = ("u%d@x.example"):format(i)
         lines[#lines + 1] = ("C: RCPT TO:<u%d@x.example>\n"):format(i)
      end
      lines[#lines + 1] = "C: DATA\nS: 250 ok\n"
      for i = 1, 10000 do lines[#lines + 1] = i % 3 == 0 and "S: 550 no\n" or "S: 250 ok\n" end
      lines[#lines + 1] = "S: 354 go on\nMESSAGE\nS: 250 ok\n" .. bye
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

describe("enhanced status codes", function()
   for line, want in pairs {
      ["550 5.1.1 x"] = { "5.1.1", "x" }, ["550 4.1.1 x"] = { nil, "4.1.1 x" },
      ["550 5.1.1000 x"] = { nil, "5.1.1000 x" }, ["550 5..1 x"] = { nil, "5..1 x" },
      ["550 5.1 x"] = { nil, "5.1 x" }, ["550 5.123.456"] = { "5.123.456", "" },
      ["550 x 5.1.1"] = { nil, "x 5.1.1" },
   } do
      it("are read from '" .. line .. "' as they should", function()
         local _, err = talk.send({}, hi .. mail .. "S: " .. line .. "\n" .. bye)
         assert.equal(want[1], err.enhanced)
         assert.equal(want[2], err.text)
      end)
   end

   it("are taken from each line of a reply", function()
      local _, err = talk.send({}, hi .. mail .. "S: 550-5.7.1 one\nS: 550 5.7.1 two\n" .. bye)
      assert.equal("5.7.1", err.enhanced)
      assert.equal("one\ntwo", err.text)
      assert.is_nil(tostring(err):find("\n"))
   end)
end)

describe("a connection", function()
   local function connect(transcript)
      local peer = talk.peer(hi .. transcript)
      local options = talk.options({ from = false, to = false, raw = false }, peer)
      return assert(safe.connect(options)), peer
   end
   local message = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }

   it("takes several messages, with one EHLO", function()
      local once = mail .. "S: 250 ok\n" .. bob .. "S: 250 ok\n" .. data
      local connection, peer = connect(once .. once .. bye)
      assert.is_table(connection:send(message))
      assert.is_true(connection.alive)
      assert.is_table(connection:send(message))
      assert.is_true(connection:quit())
      talk.finished(peer)
      assert.is_false(connection.alive)
   end)

   it("resets after a refused envelope, waits for it, and goes on", function()
      local connection, peer = connect(mail .. "S: 550 no\nC: RSET\nS: 250 ok\n" .. mail
         .. "S: 250 ok\n" .. bob .. "S: 550 no\nC: RSET\nS: 250 ok\n" .. mail .. "S: 250 ok\n" .. bob
         .. "S: 250 ok\n" .. data .. bye)
      local _, err = connection:send(message)
      assert.equal("sender_refused", err.kind)
      _, err = connection:send(message)
      assert.equal("recipients_refused", err.kind)
      assert.is_table(connection:send(message))
      connection:quit()
      talk.finished(peer)
   end)

   it("needs no reset after a refused message", function()
      local connection, peer = connect(mail .. "S: 250 ok\n" .. bob .. "S: 250 ok\n"
         .. "C: DATA\nS: 354 go\nMESSAGE\nS: 554 spam\n" .. mail .. "S: 250 ok\n" .. bob
         .. "S: 250 ok\n" .. data .. bye)
      local _, err = connection:send(message)
      assert.equal("data_refused", err.kind)
      assert.is_table(connection:send(message))
      connection:quit()
      talk.finished(peer)
   end)

   it("reports the refusal, not what happens to the reset behind it", function()
      for _, ending in ipairs { "CLOSE", "S: 500 what", "S: 421 bye\nCLOSE" } do
         local connection = connect(mail .. "S: 550 no\nC: RSET\n" .. ending)
         local _, err = connection:send(message)
         assert.equal("sender_refused", err.kind)
         assert.is_false(connection.alive)
         _, err = connection:send(message)
         assert.is_not.equal("sender_refused", err.kind)
      end
   end)

   it("is dead after a break, and says so in every call", function()
      local connection = connect(mail .. "CLOSE")
      for _ = 1, 2 do
         local _, err = connection:send(message)
         assert.equal("disconnected", err.kind)
      end
      for _, name in ipairs { "noop", "reset" } do
         local _, err = connection[name](connection)
         assert.equal("disconnected", err.kind)
      end
      assert.is_true(connection:quit())
      assert.is_true(connection:close())
      assert.is_true(connection:close())
   end)

   it("asks NOOP, RSET and VRFY", function()
      local connection, peer = connect("C: NOOP\nS: 250 2.0.0 yes\nC: RSET\nS: 250 ok\n"
         .. "C: VRFY bob\nS: 252 2.0.0 perhaps\nC: VRFY eve\nS: 550 5.1.1 no\n" .. bye)
      assert.same({ code = 250, enhanced = "2.0.0", text = "yes" }, connection:noop())
      assert.equal(250, connection:reset().code)
      assert.equal(252, connection:verify("bob").code)
      local _, err = connection:verify("eve")
      assert.equal("reply", err.kind)
      assert.equal(550, err.code)
      _, err = connection:verify("eve\r\nRSET")
      assert.equal("usage", err.kind)
      connection:quit()
      talk.finished(peer)
   end)

   it("that is busy with a message cannot be used by the message's own source", function()
      local connection, peer = connect(mail .. "S: 250 ok\n" .. bob .. "S: 250 ok\n" .. data .. bye)
      local inner
      local pieces = { "x\r\n" }
      local receipt = connection:send { from = message.from, to = message.to, raw = function()
         local _
         _, inner = connection:send(message)
         return table.remove(pieces)
      end }
      assert.is_table(receipt)
      assert.equal("usage", inner.kind)
      connection:quit()
      talk.finished(peer)
   end)

   it("tells what the server offers", function()
      local peer = talk.peer("S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 SIZE 9\n" .. bye)
      local connection = safe.connect(talk.options({ from = false, to = false, raw = false }, peer))
      assert.same({ SIZE = "9" }, connection:capabilities())
      connection:quit()
   end)

   it("closes itself as a to-be-closed variable, where Lua has them", function()
      local chunk = (rawget(_G, "loadstring") or load)("local c <close> = ... ; return 1")
      local connection, peer = connect("CLOSE")
      if not chunk then
         connection:close()
      else
         assert.equal(1, chunk(connection))
      end
      assert.is_true(peer.closed)
      assert.is_false(connection.alive)
   end)

   it("closed by the server while at rest fails with that in the next call", function()
      local connection = connect("PAUSE\nS: 421 4.4.2 idle too long\nCLOSE")
      local _, err = connection:send(message)
      assert.equal("disconnected", err.kind)
      assert.equal("unsent", states(err))
   end)
end)
