local core = require "smtp.core"
local sessions = require "spec.tools.sessions"
local talk = require "spec.tools.talk"

local open = sessions.open

local script = talk.snippets {
   one = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
      C: DATA
   ]],
   two = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
   ]],
}

local both = { "a@x.example", "b@x.example" }

local states = talk.states

describe("PIPELINING", function()
   it("with a refused sender reports the sender, and none of the replies that follow from it", function()
      local _, err = talk.send({ to = both }, script [[
         <hello PIPELINING>
         <two>
         C: DATA
         S: 550 no sender
         S: 503 what
         S: 503 what
         S: 503 what
         <bye>
      ]])
      assert.equal("sender_refused", err.kind)
      assert.equal(550, err.code)
      assert.equal("unsent unsent", states(err))
   end)

   for _, code in ipairs { 503, 554, 451 } do
      it("with all recipients refused and DATA answered by " .. code, function()
         local _, err = talk.send({ to = both }, script([[
            <hello PIPELINING>
            <two>
            C: DATA
            S: 250 ok
            S: 550 no
            S: 550 no
            S: $code no
            <bye>
         ]], { code = code }))
         assert.equal("recipients_refused", err.kind)
         assert.equal("refused refused", states(err))
      end)
   end

   it("with all recipients refused and 354 nevertheless sends the lone dot", function()
      local _, err, peer = talk.send({ to = both }, script [[
         <hello PIPELINING>
         <two>
         C: DATA
         S: 250 ok
         S: 550 no
         S: 550 no
         S: 354 go
         MESSAGE
         S: 554 nobody
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
      assert.equal(".\r\n", peer.body)
   end)

   it("with a refused sender, an accepted recipient and 354 drops the connection", function()
      local _, err, peer = talk.send({}, script [[
         <hello PIPELINING>
         <one>
         S: 550 no
         S: 250 ok
         S: 354 go
      ]])
      assert.equal("sender_refused", err.kind)
      assert.is_nil(peer.body)
      assert.equal("unsent", states(err))
   end)

   it("with DATA refused for now defers", function()
      local _, err = talk.send({}, script [[
         <hello PIPELINING>
         <one>
         S: 250 ok
         S: 250 ok
         S: 451 4.3.0 later
         <bye>
      ]])
      assert.equal("data_refused", err.kind)
      assert.equal("data", err.stage)
      assert.equal("deferred", states(err))
   end)

   it("with the only accepted recipient among a hundred delivers to it", function()
      local to, said, heard = {}, {}, {}
      for i = 1, 100 do
         to[i] = ("u%d@x.example"):format(i)
         said[i] = ("C: RCPT TO:<%s>\n"):format(to[i])
         heard[i] = i == 1 and "S: 250 ok\n" or "S: 550 no\n"
      end
      local receipt = talk.send({ to = to }, script([[
         <hello PIPELINING>
         C: MAIL FROM:<ann@me.example>
         <commands>
         C: DATA
         S: 250 ok
         <replies>
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]], { commands = table.concat(said), replies = table.concat(heard) }))
      assert.same({ to[1] }, receipt.accepted)
      assert.equal(99, #receipt.refused)
   end)

   it("with a reply too many is out of turn, before the message", function()
      local _, err, peer = talk.send({}, script [[
         <hello PIPELINING>
         <one>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 354 go
      ]])
      assert.equal("protocol", err.kind)
      assert.is_nil(peer.body)
      assert.equal("unsent", states(err))
   end)

   it("with a reply too few runs into the time limit, before the message", function()
      local _, err, peer = talk.send({}, script [[
         <hello PIPELINING>
         <one>
         S: 250 ok
         S: 354 go
         SILENCE
      ]])
      assert.equal("protocol", err.kind)
      assert.is_nil(peer.body)
      _, err, peer = talk.send({}, script [[
         <hello PIPELINING>
         <one>
         S: 250 ok
         S: 250 ok
         SILENCE
      ]])
      assert.equal("timeout", err.kind)
      assert.is_nil(peer.body)
   end)

   it("with replies sent before the commands is out of turn", function()
      local _, err = talk.send({}, script [[
         <hello PIPELINING>
         S: 250 ok
         S: 250 ok
         S: 354 go
      ]])
      assert.equal("unasked", err.reason)
   end)

   it("goes through a transport of the user's, whatever else that one can do", function()
      local safe = require "smtp.safe"
      local peer = talk.peer(script [[
         <hello PIPELINING>
         <one>
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      peer.io = function() error("this is for sockets of ours", 0) end
      assert(safe.send(talk.options({}, peer)))
      talk.finished(peer)
   end)
end)

describe("A session", function()
   it("believes no answer to a RCPT that has not left yet", function()
      local session = open()
      local mail = core.transaction { from = "a@x", to = { "b@x", "c@x" }, size = 4, exact = true, source_len = 4 }
      session:add(mail, "hi\r\n")
      session:sent(#"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<")
      session:heard("250 ok\r\n250 ok\r\n")
      assert.is_nil(session:trouble())
      session:heard("250 ok\r\n")
      assert.equal("unasked", session:trouble().reason)
      assert.equal("unsent", mail:recipients()[1].state)
   end)
end)
