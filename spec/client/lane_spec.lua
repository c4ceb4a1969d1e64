local keeper = require "spec.tools.keeper"
local many = require "spec.tools.many"
local peer_process = require "spec.tools.peer"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script, messages, send = many.script, many.messages, many.send

describe("eager", function()
   it("says the next envelope after the end of a message, and all of the next messages once it was accepted", function()
      local summary, states = send(messages("a", "b", "c"), { pipelining = "eager" }, script [[
         <trial>
         <envelope a>
         <consumed>
         S: 250 ok
         S: 250 ok
         <bdat a>
         <renewed b>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat b>
         <renewed c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat c>
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted accepted accepted", states)
      for _, receipt in ipairs(summary.results) do assert.equal("eager", receipt.pipelining) end
   end)

   it("has no envelope ahead where the window is one message, but the chunk", function()
      send(messages("a", "b", "c"), { pipelining = "eager", window = 1 }, script [[
         <trial>
         <envelope a>
         <consumed>
         S: 250 ok
         S: 250 ok
         <bdat a>
         S: 250 ok
         <envelope b>
         <bdat b>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <envelope c>
         <bdat c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bye>
      ]])
   end)

   it("fills its window only once the server has said how many messages it takes", function()
      local limited = script [[
         <caps>
         S: 250-CHUNKING
         S: 250 LIMITS MAILMAX=1
         C: BDAT 6
         C: QUIT
         C: RSET
      ]]
      local one = function(name) return script([[
         <limited>
         <envelope $name>
         <consumed>
         S: 250 ok
         S: 250 ok
         <bdat $name>
         S: 250 ok
         <bye>
      ]], { limited = limited, name = name }) end
      local _, states = send(messages("a", "b"), { pipelining = "eager", window = 4 }, one("a"), one("b"))
      assert.equal("accepted accepted", states)
   end)

   -- a is accepted, b after it: then the server is known to be eager.
   local begun = script [[
      <trial>
      <envelope a>
      <consumed>
      S: 250 ok
      S: 250 ok
      <bdat a>
      <renewed b>
      S: 250 ok
      S: 250 ok
      S: 250 ok
      S: 250 ok
      <bdat b>
   ]]

   it("knows of each what became of it where chunks went ahead", function()
      local summary, states = send(messages("a", "b", "c", "d", "e", "f", "g"), { pipelining = "eager" }, script([[
         <begun>
         <renewed c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat c>
         <renewed d>
         <bdat d>
         <renewed e>
         <bdat e>
         <renewed f>
         <bdat f>
         <renewed g>
         <bdat g>
         S: 452 full
         S: 250 ok
         S: 250 ok
         S: 550 who?
         S: 503 no recipient
         S: 250 ok
         S: 553 no
         S: 503 no
         S: 503 no
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 554 spam
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bye>
      ]], { begun = begun }))
      assert.equal("accepted accepted deferred refused unsent refused accepted", states)
      local kinds = {}
      for i, result in ipairs(summary.results) do kinds[i] = result.kind or "-" end
      assert.equal("- - data_refused recipients_refused sender_refused data_refused -", table.concat(kinds, " "))
   end)

   it("says RSET after a chunk that was refused at the end", function()
      local _, states = send(messages("a", "b"), { pipelining = "eager", window = 1 }, script [[
         <trial>
         <envelope a>
         <consumed>
         S: 250 ok
         S: 250 ok
         <bdat a>
         S: 250 ok
         <envelope b>
         <bdat b>
         S: 250 ok
         S: 550 who?
         S: 503 no recipient
         C: RSET
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted refused", states)
   end)

   it("is in doubt about those whose ends had left when the connection broke", function()
      local summary, states = send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
         <begun>
         <renewed c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat c>
         <renewed d>
         <bdat d>
         S: 250 ok
         CLOSE
      ]], { begun = begun }))
      assert.equal("accepted accepted accepted unknown", states)
      assert.equal("doubt", summary.results[4].retry)
   end)

   it("sends again what came after a goodbye, and after a refused RSET that ended the connection", function()
      for _, word in ipairs { "421 going", "554 too many" } do
         local summary, states = send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
            <begun>
            <renewed c>
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            <bdat c>
            <renewed d>
            <bdat d>
            S: 250 ok
            S: $word
            CLOSE
         ]], { begun = begun, word = word }), word:find("^421") and script [[
            <trial>
            <envelope d>
            <consumed>
            S: 250 ok
            S: 250 ok
            <bdat d>
            S: 250 ok
            <bye>
         ]] or script [[
            <chunking>
            <envelope d>
            S: 250 ok
            S: 250 ok
            <bdat d>
            S: 250 ok
            <bye>
         ]])
         assert.equal("accepted accepted accepted accepted", states)
         assert.equal(word:find("^421") and "eager" or "safe", summary.results[4].pipelining)
      end
   end)

   it("is in doubt where a server refuses RSET and goes on", function()
      local summary, states = send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
         <begun>
         <renewed c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat c>
         <renewed d>
         <bdat d>
         S: 250 ok
         S: 503 not now
         S: 503 not now
      ]], { begun = begun }))
      assert.equal("accepted accepted accepted unknown", states)
      assert.same({ "reset_refused", "doubt" }, { summary.results[4].reason, summary.results[4].retry })
   end)

   it("says no more to a server that does not know BDAT, and sends by DATA", function()
      local peers, transcripts = {}, {
         script [[
            <trial>
            <envelope a>
            S: 502 what
            S: 221 bye
         ]],
         script [[
            <chunking>
            <envelope a>
            S: 250 ok
            S: 250 ok
            <bdat a>
            S: 502 what
         ]],
         script [[
            <chunking>
            <envelope a>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            MESSAGE
            <renewed b>
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            C: DATA
            S: 354 go
            MESSAGE
            S: 250 ok
            <bye>
         ]] }
      local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
         pipelining = "eager" }
      options.transport = function()
         peers[#peers + 1] = talk.peer(transcripts[#peers + 1])
         return peers[#peers]
      end
      local summary = assert(smtp.send_many(options, messages("a", "b"), { connections = 1 }))
      for i = 1, #peers do talk.finished(peers[i]) end
      assert.equal(2, summary.sent)
   end)

   local go = [[
      S: 354 go
      MESSAGE
   ]]

   it("without CHUNKING says DATA ahead, too, once a message that followed another's end was accepted", function()
      send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
         <plain>
         <sized a>
         C: DATA
         S: 250 ok
         S: 250 ok
         <go>
         C: RSET
         <sized b>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: DATA
         <go>
         C: RSET
         <sized c>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: DATA
         <go>
         C: RSET
         <sized d>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 ok
         <bye>
      ]], { go = go }))
   end)

   it("is as safe where the server does not offer PIPELINING", function()
      local one = function(name)
         return script([[
            C: MAIL FROM:<ann@me.example>
            S: 250 ok
            C: RCPT TO:<$name@there.example>
            S: 250 ok
            <bdat $name>
            S: 250 ok
         ]], { name = name })
      end
      local summary = send(messages("a", "b", "c"), { pipelining = "eager" },
         script([[
            <hello CHUNKING>
            <one>
            <one2>
            <one3>
            <bye>
         ]], { one = one("a"), one2 = one("b"), one3 = one("c") }))
      for _, receipt in ipairs(summary.results) do assert.equal("off", receipt.pipelining) end
   end)

   it("says QUIT after a single message", function()
      local receipt, _, peer = talk.send({ pipelining = "eager", raw = "hello a", to = "a@there.example" },
         script [[
            <chunking>
            <envelope a>
            S: 250 ok
            S: 250 ok
            <bdat a>
            C: QUIT
            S: 250 ok
            S: 221 bye
         ]])
      assert.equal("accepted", receipt.recipients[1].state)
      assert.equal("eager", receipt.pipelining)
      assert.equal(3, peer.sends) -- EHLO, the envelope, and the rest
   end)

   for said, lines in pairs { ["503 wait"] = "S: 503 wait\n", ["not a word"] = "SILENCE\n" } do
      it("says QUIT after no further message where the answer to it was " .. said, function()
         local t = { pipelining = "eager", raw = "hello a", to = "a@there.example", from = "ann@me.example" }
         local start = script [[
            <chunking>
            <envelope a>
            S: 250 ok
            S: 250 ok
            <bdat a>
         ]]
         local peers, transcripts = {}, { script([[
            <start>
            C: QUIT
            S: 250 ok
            <lines>
         ]], { start = start, lines = lines }), script([[
            <start>
            S: 250 ok
            <bye>
         ]], { start = start }) }
         local options = talk.options(t)
         options.port = talk.new_port()
         options.transport = function()
            peers[#peers + 1] = talk.peer(transcripts[#peers + 1])
            return peers[#peers]
         end
         assert.equal("eager", assert(smtp.send(options)).pipelining)
         assert.equal("safe", assert(smtp.send(options)).pipelining)
         for i = 1, 2 do talk.finished(peers[i]) end
      end)
   end

   it("sends no message before the answers where all recipients must be accepted", function()
      local envelopes = [[
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<a@there.example>
         C: RCPT TO:<b@there.example>
      ]]
      local t = { pipelining = "eager", recipients = "all", raw = "hello a",
         to = { "a@there.example", "b@there.example" } }
      local _, err = talk.send(t, script([[
         <chunking>
         <envelopes>
         S: 250 ok
         S: 250 ok
         S: 550 no
         <bye>
      ]], { envelopes = envelopes }))
      assert.equal("not_all", err.reason)
   end)

   it("reports what was done: a server without PIPELINING, and what the caller asks for", function()
      local given = { safe = "safe", eager = "eager", off = "off" }
      for grade, used in pairs(given) do
         local sink = smtp.sink { capabilities = { "PIPELINING" } }
         local options = talk.options { pipelining = grade, port = talk.new_port(), transport = false }
         options.transport = function() return sink:transport() end
         assert.equal(used, assert(smtp.send(options)).pipelining)
      end
      local sink = smtp.sink { capabilities = { "SIZE" } }
      local options = talk.options { pipelining = "safe", port = talk.new_port() }
      options.transport = function() return sink:transport() end
      assert.equal("off", assert(smtp.send(options)).pipelining)
   end)
end)

describe("many messages through a socket", function()
   if package.loaded.ngx then return end

   it("are each counted once, whoever posts them", function()
      local sink = keeper.start()
      local list, results = {}, {}
      for i = 1, 60 do
         list[i] = { from = "ann@me.example", to = ("u%d@there.example"):format(i),
            raw = "Subject: x\r\n\r\nh" .. (i % 3 == 0 and "\195\164" or "i") .. "\r\n" }
      end
      local summary = smtp.send_many({ host = "127.0.0.1", port = sink.port, tls = "skip", domain = "me.example",
         pipelining = "eager" }, list, { connections = 1, window = 8, on_result = function(index, receipt, err)
         assert.is_nil(results[index])
         results[index] = receipt and receipt.accepted[1] or tostring(err)
         assert.equal(index % 3 == 0 and "used" or nil, receipt.extensions["8bitmime"])
      end })
      assert.same({ 60, 0 }, { summary.sent, summary.failed })
      for i = 1, 60 do
         assert.equal(list[i].to, results[i])
         assert.equal(list[i].to, sink.next().to)
      end
      sink.stop()
   end)

   -- The second message is asked for once the server has closed the connection: a client of its own learns that.
   it("are another connection's where the server has gone before the function gave them", function()
      local other = peer_process.start [[
         local replies = { EHLO = "250 mx", MAIL = "250 ok", RCPT = "250 ok", DATA = "354 go", QUIT = "221 bye" }
         local function serve(sock, only_one)
            sock:send("220 hi\r\n")
            repeat
               local word = line(sock):match("^%u+")
               sock:send(replies[word] .. "\r\n")
               if word == "DATA" then
                  repeat until line(sock) == ".\r\n"
                  sock:send("250 taken\r\n")
               end
            until word == "QUIT" or only_one and word == "DATA"
            sock:close()
         end
         serve(accept(), true)
         accept():send("gone\r\n")
         serve(accept())
      ]]
      local socket, count = require "smtp.socket", 0
      local summary = smtp.send_many({ host = "127.0.0.1", port = other.port, tls = "skip", domain = "me.example" },
         function()
            count = count + 1
            if count == 2 then
               local sock = socket.new()
               sock:settimeouts(20000, 20000, 20000)
               assert(sock:connect("127.0.0.1", other.port))
               assert.equal("gone\r\n", sock:receiveany(100))
               sock:close()
               socket.wait({}, 20) -- a connection that was idle is looked at
            end
            return count <= 3 and { from = "ann@me.example", to = "bob@there.example", html = "<p>x" } or nil
         end, { connections = 1, window = 4 })
      other.finish()
      assert.same({ 3, 0 }, { summary.sent, summary.failed })
   end)
end)
