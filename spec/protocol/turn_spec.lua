local core = require "smtp.core"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   two = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
   ]],
}

local both = { "a@x.example", "b@x.example" }

local states = talk.states

describe("PIPELINING", function()
   it("puts MAIL, RCPT and DATA into one flight, and nothing after the end", function()
      local receipt, _, peer = talk.send({}, script [[
         <hello PIPELINING>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<bob@there.example>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted", states(receipt))
      -- EHLO; the envelope; the message; QUIT
      assert.equal(4, peer.sends)
   end)

   it("is not used where it is off", function()
      talk.send({ pipelining = "off" }, script [[
         <hello PIPELINING>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
   end)

   it("waits with DATA for all recipients where all must be accepted", function()
      talk.send({ to = both, recipients = "all" }, script [[
         <hello PIPELINING>
         <two>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      local _, err = talk.send({ to = both, recipients = "all" }, script [[
         <hello PIPELINING>
         <two>
         S: 250 ok
         S: 250 ok
         S: 550 no
         <bye>
      ]])
      assert.equal("not_all", err.reason)
   end)

   it("says a hundred RCPT in a flight, also where the transport cannot read while it writes", function()
      local safe = require "smtp.safe"
      for _, duplex in ipairs { true, false } do
         local to, lines = {}, { script "<hello PIPELINING>", "C: MAIL FROM:<ann@me.example>\n" }
         for i = 1, 500 do
            to[i] = ("u%d@x.example"):format(i)
            lines[#lines + 1] = ("C: RCPT TO:<%s>\n"):format(to[i])
            if i == 500 then lines[#lines + 1] = "C: DATA\n" end
            if i % 100 == 0 then lines[#lines + 1] = ("S: 250 ok\n"):rep(i == 100 and 101 or 100) end
         end
         local peer = talk.peer(script([[
            <lines>
            S: 354 go
            MESSAGE
            S: 250 ok
            <bye>
         ]], { lines = table.concat(lines) }))
         peer.duplex = duplex
         local receipt, err = safe.send(talk.options({ to = to }, peer))
         talk.finished(peer)
         assert.is_nil(err)
         assert.equal(500, #receipt.accepted)
      end
   end)
end)

describe("A session", function()
   local function open(grade)
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = grade, flight_max = 8 }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250 PIPELINING\r\n")
      return session
   end

   local function add(session)
      session:add(core.transaction { from = "a@x", to = { "b@x" }, size = 4, exact = true, source_len = 4 }, "hi\r\n")
   end

   -- What it says now.
   local function said(session)
      local text = session:output()
      session:sent(#text)
      return text
   end

   local envelope = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"

   local function to_first_end(grade)
      local session = open(grade)
      add(session)
      assert.equal(envelope .. "DATA\r\n", said(session))
      session:heard("250 ok\r\n250 ok\r\n")
      return session
   end

   it("that tries says the next envelope together with an end, or after its answer", function()
      local session = to_first_end("try")
      session:heard("354 go\r\n")
      assert.equal("hi\r\n.\r\n", said(session))
      add(session)
      assert.equal("", said(session))
      session:heard("250 ok\r\n")
      assert.equal(envelope .. "DATA\r\n", said(session))
      add(session)
      session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
      assert.equal("hi\r\n.\r\nRSET\r\n" .. envelope, said(session))
      assert.equal("try", session:grade())
   end)

   it("that is eager says it later as well", function()
      local session = to_first_end("eager")
      session:heard("354 go\r\n")
      assert.equal("hi\r\n.\r\n", said(session))
      add(session)
      assert.equal("RSET\r\n" .. envelope .. "DATA\r\n", said(session))
   end)

   it("that becomes safe says no more of what follows an end that is not answered", function()
      local session = to_first_end("try")
      add(session)
      session:heard("354 go\r\n")
      assert.equal("hi\r\n.\r\nRSET\r\n" .. envelope, said(session))
      session:grade("safe")
      add(session)
      assert.equal("", said(session))
      session:heard("250 first\r\n")
      assert.equal("", said(session))
      session:heard("250 reset\r\n250 ok\r\n250 ok\r\n")
      assert.equal("DATA\r\n", said(session))
      session:heard("354 go\r\n")
      assert.equal("hi\r\n.\r\n", said(session))
      session:heard("250 second\r\n")
      assert.equal(envelope .. "DATA\r\n", said(session))
      assert.equal("safe", session:grade())
   end)
end)
