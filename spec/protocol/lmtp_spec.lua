-- LMTP (RFC 2033): each accepted recipient has a verdict of its own.
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   hi = [[
      S: 220 hi
      C: LHLO me.example
      S: 250-mx
      S: 250 PIPELINING
   ]],
   chunking = [[
      S: 220 hi
      C: LHLO me.example
      S: 250-mx
      S: 250-PIPELINING
      S: 250 CHUNKING
   ]],
   to_three = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
      C: RCPT TO:<c@x.example>
   ]],
   go = [[
      S: 354 go
      MESSAGE
   ]],
}

local three = { "a@x.example", "b@x.example", "c@x.example" }

local states = talk.states

local function send(more, transcript)
   local options = { protocol = "lmtp", to = three }
   for name, value in pairs(more) do options[name] = value end
   return talk.send(options, transcript)
end

describe("LMTP", function()
   it("has a verdict for each recipient, in the order of RCPT", function()
      local receipt = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 2.1.5 a has it
         S: 550 5.2.1 no such box
         S: 451 4.2.2 full
         <bye>
      ]])
      assert.equal("accepted refused deferred", states(receipt))
      assert.same({ "a@x.example" }, receipt.accepted)
      assert.equal("a has it", receipt.recipients[1].text)
      assert.equal("5.2.1", receipt.recipients[2].enhanced)
      assert.equal(451, receipt.recipients[3].code)
   end)

   it("has as many as were accepted at RCPT", function()
      local receipt = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 who?
         S: 250 ok
         <go>
         S: 250 a
         S: 250 c
         <bye>
      ]])
      assert.equal("accepted refused accepted", states(receipt))
      assert.equal("c", receipt.recipients[3].text)
   end)

   it("has them after the last chunk too", function()
      local receipt = send({}, script [[
         <chunking>
         <to_three>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
         S: 250 a
         S: 452 b
         S: 250 c
         <bye>
      ]])
      assert.equal("accepted deferred accepted", states(receipt))
   end)

   it("where every verdict refuses, refuses the message", function()
      local _, err = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 550 a
         S: 451 b
         S: 550 c
         <bye>
      ]])
      assert.equal("data_refused", err.kind)
      assert.equal("refused deferred refused", states(err))
      assert.equal("no", err.sent)
   end)

   it("where every verdict refuses, says the temporary one: a later attempt may help", function()
      local by_data = script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 550 who?
         S: 250 ok
         <go>
      ]]
      local by_bdat = script [[
         <chunking>
         <to_three>
         S: 250 ok
         S: 250 ok
         S: 550 who?
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
      ]]
      for _, transcript in ipairs { by_data, by_bdat } do
         local _, err = send({}, script([[
            <transcript>
            S: 550 5.2.1 no
            S: 451 4.2.2 full
            <bye>
         ]], { transcript = transcript }))
         assert.same({ "data_refused", 451, "4.2.2", "full", "later" },
            { err.kind, err.code, err.enhanced, err.text, err.retry })
         assert.equal("refused refused deferred", states(err))
      end
   end)

   it("cut off among the verdicts reports those that are known", function()
      local _, err = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 a
         CLOSE
      ]])
      assert.equal("disconnected", err.kind)
      assert.equal("accepted unknown unknown", states(err))
      assert.equal("partly", err.sent)
      assert.equal("doubt", err.retry)
   end)

   it("that says goodbye among the verdicts defers one recipient, and leaves the others unknown", function()
      local _, err = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 a
         S: 421 4.3.2 going down
      ]])
      assert.equal("accepted deferred unknown", states(err))
      assert.same({ 421, "partly", "doubt" }, { err.recipients[2].code, err.sent, err.retry })
   end)

   it("with one reply too many keeps the verdicts", function()
      local receipt = send({ to = "a@x.example" }, script [[
         <hi>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<a@x.example>
         C: DATA
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 a
         S: 250 nobody
      ]])
      assert.equal("accepted", states(receipt))
   end)

   it("never speaks after the end of a message, eager or not", function()
      local peer, said = talk.peer(script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 a
         S: 250 b
         S: 250 c
         <bye>
      ]]), {}
      local take = peer.send
      function peer.send(self, data)
         said[#said + 1] = data
         return take(self, data)
      end
      assert(smtp.send(talk.options({ protocol = "lmtp", to = three, pipelining = "eager" }, peer)))
      talk.finished(peer)
      assert.equal("\r\n.\r\n", said[#said - 1]:sub(-5))
      assert.equal("QUIT\r\n", said[#said])
   end)

   it("with 354 after refused recipients has no verdict to wait for", function()
      local _, err = send({}, script [[
         <hi>
         <to_three>
         C: DATA
         S: 250 ok
         S: 550 a
         S: 550 b
         S: 550 c
         S: 354 go
         MESSAGE
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
   end)

   it("names LHLO where something is missing", function()
      local _, err = send({ extensions = { chunking = "require" }, to = "a@x.example", auth = "require",
         username = "ann", password = "gehe1m-77", auth_plaintext = true }, script [[
            <hi>
            <bye>
         ]])
      assert.equal("auth_unsupported", err.kind)
      assert.matches("%(LHLO offered PIPELINING%)", tostring(err))
   end)

   it("whose first verdict might also say that BDAT is unknown sends nothing twice", function()
      local _, err = send({}, script [[
         <chunking>
         <to_three>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
         S: 500 no such box
      ]])
      assert.equal("bdat", err.reason)
      assert.equal("refused unknown unknown", states(err))
      assert.equal("doubt", err.retry)
   end)

   it("that does not know BDAT has nothing of a single recipient's, and gets it by DATA", function()
      local port, scripts = 2424, { script [[
         <chunking>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
         S: 500 what
      ]],
         script [[
            <chunking>
            C: MAIL FROM:<ann@me.example>
            C: RCPT TO:<bob@there.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            MESSAGE
            S: 250 ok
            <bye>
         ]] }
      local receipt = smtp.send(talk.options({ protocol = "lmtp", port = port }, function()
         return talk.peer(table.remove(scripts, 1))
      end))
      assert.equal("accepted", states(receipt))
      assert.equal(0, #scripts)
   end)
end)
