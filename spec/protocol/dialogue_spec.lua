local talk = require "spec.tools.talk"

local hi = "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 PIPELINING\n"
local one = "C: MAIL FROM:<ann@me.example>\nC: RCPT TO:<bob@there.example>\nC: DATA\n"
local two = "C: MAIL FROM:<ann@me.example>\nC: RCPT TO:<a@x.example>\nC: RCPT TO:<b@x.example>\n"
local both = { "a@x.example", "b@x.example" }
local bye = "C: QUIT\nS: 221 bye\n"
local ok = "S: 250 ok\n"

local states = talk.states

describe("PIPELINING", function()
   it("puts MAIL, RCPT and DATA into one flight, and nothing behind the end", function()
      local receipt, _, peer = talk.send({}, hi .. one .. ok .. ok .. "S: 354 go\nMESSAGE\n" .. ok .. bye)
      assert.equal("accepted", states(receipt))
      -- EHLO; the envelope; the message; QUIT
      assert.equal(4, peer.sends)
   end)

   it("is not used where it is off", function()
      talk.send({ pipelining = "off" }, hi .. "C: MAIL FROM:<ann@me.example>\n" .. ok
         .. "C: RCPT TO:<bob@there.example>\n" .. ok .. "C: DATA\nS: 354 go\nMESSAGE\n" .. ok .. bye)
   end)

   it("with a refused sender reports the sender, and nobody else's echo", function()
      local _, err = talk.send({ to = both }, hi .. two
         .. "C: DATA\nS: 550 no sender\nS: 503 what\nS: 503 what\nS: 503 what\n" .. bye)
      assert.equal("sender_refused", err.kind)
      assert.equal(550, err.code)
      assert.equal("unsent unsent", states(err))
   end)

   for _, code in ipairs { 503, 554, 451 } do
      it("with all recipients refused and DATA answered by " .. code, function()
         local _, err = talk.send({ to = both }, hi .. two
            .. "C: DATA\nS: 250 ok\nS: 550 no\nS: 550 no\n" .. ("S: %d no\n"):format(code) .. bye)
         assert.equal("recipients_refused", err.kind)
         assert.equal("refused refused", states(err))
      end)
   end

   it("with all recipients refused and 354 nevertheless sends the lone dot", function()
      local _, err, peer = talk.send({ to = both }, hi .. two
         .. "C: DATA\nS: 250 ok\nS: 550 no\nS: 550 no\nS: 354 go\nMESSAGE\nS: 554 nobody\n" .. bye)
      assert.equal("recipients_refused", err.kind)
      assert.equal(".\r\n", peer.body)
   end)

   it("with a refused sender, an accepted recipient and 354 drops the connection", function()
      local _, err, peer = talk.send({}, hi .. one .. "S: 550 no\nS: 250 ok\nS: 354 go")
      assert.equal("sender_refused", err.kind)
      assert.is_nil(peer.body)
      assert.equal("unsent", states(err))
   end)

   it("with DATA refused for now defers", function()
      local _, err = talk.send({}, hi .. one .. ok .. ok .. "S: 451 4.3.0 later\n" .. bye)
      assert.equal("data_refused", err.kind)
      assert.equal("data", err.stage)
      assert.equal("deferred", states(err))
   end)

   it("with the only accepted recipient among a hundred delivers to it", function()
      local to, said, heard = {}, {}, {}
      for i = 1, 100 do
         to[i] = ("u%d@x.example"):format(i)
         said[i] = ("C: RCPT TO:<%s>\n"):format(to[i])
         heard[i] = i == 1 and ok or "S: 550 no\n"
      end
      local receipt = talk.send({ to = to }, hi .. "C: MAIL FROM:<ann@me.example>\n"
         .. table.concat(said) .. "C: DATA\n" .. ok .. table.concat(heard)
         .. "S: 354 go\nMESSAGE\n" .. ok .. bye)
      assert.same({ to[1] }, receipt.accepted)
      assert.equal(99, #receipt.refused)
   end)

   it("waits with DATA for all recipients where all must be accepted", function()
      talk.send({ to = both, recipients = "all" }, hi .. two .. ok .. ok .. ok
         .. "C: DATA\nS: 354 go\nMESSAGE\n" .. ok .. bye)
      local _, err = talk.send({ to = both, recipients = "all" }, hi .. two .. ok .. ok
         .. "S: 550 no\n" .. bye)
      assert.equal("not_all", err.reason)
   end)

   it("with a reply too many is out of turn, before the message", function()
      local _, err, peer = talk.send({}, hi .. one .. ok .. ok .. ok .. "S: 354 go")
      assert.equal("protocol", err.kind)
      assert.is_nil(peer.body)
      assert.equal("unsent", states(err))
   end)

   it("with a reply too few runs into the time limit, before the message", function()
      local _, err, peer = talk.send({}, hi .. one .. ok .. "S: 354 go\nSILENCE")
      assert.equal("protocol", err.kind)
      assert.is_nil(peer.body)
      _, err, peer = talk.send({}, hi .. one .. ok .. ok .. "SILENCE")
      assert.equal("timeout", err.kind)
      assert.is_nil(peer.body)
   end)

   it("with replies sent before the commands is out of turn", function()
      local _, err = talk.send({}, "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 PIPELINING\n"
         .. "S: 250 ok\nS: 250 ok\nS: 354 go")
      assert.equal("unasked", err.reason)
   end)

   it("goes through a transport of the user's, whatever else that one can do", function()
      local safe = require "smtp.safe"
      local peer = talk.peer(hi .. one .. ok .. ok .. "S: 354 go\nMESSAGE\n" .. ok .. bye)
      peer.io = function() error("this is for sockets of ours", 0) end
      assert(safe.send(talk.options({}, peer)))
      talk.finished(peer)
   end)

   it("says a hundred RCPT in a flight, also where the transport cannot read while it writes", function()
      local safe = require "smtp.safe"
      for _, duplex in ipairs { true, false } do
         local to, lines = {}, { hi, "C: MAIL FROM:<ann@me.example>\n" }
         for i = 1, 500 do
            to[i] = ("u%d@x.example"):format(i)
            lines[#lines + 1] = ("C: RCPT TO:<%s>\n"):format(to[i])
            if i == 500 then lines[#lines + 1] = "C: DATA\n" end
            if i % 100 == 0 then lines[#lines + 1] = ok:rep(i == 100 and 101 or 100) end
         end
         local peer = talk.peer(table.concat(lines) .. "S: 354 go\nMESSAGE\n" .. ok .. bye)
         peer.duplex = duplex
         local receipt, err = safe.send(talk.options({ to = to }, peer))
         talk.finished(peer)
         assert.is_nil(err)
         assert.equal(500, #receipt.accepted)
      end
   end)
end)
