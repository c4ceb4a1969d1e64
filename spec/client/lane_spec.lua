local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   caps = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
      S: 250-PIPELINING
   ]],
   chunking = [[
      <caps>
      S: 250 CHUNKING
   ]],
   plain = [[
      <caps>
      S: 250 SIZE
   ]],
   mail = [[
      C: MAIL FROM:<ann@me.example>%s
      C: RCPT TO:<$1@there.example>
   ]],
}

local function envelope(name)
   return script("<mail $1>", { name }):format("")
end

-- The message "hello " and the name, as one chunk.
local function bdat(name)
   return script([[
      C: BDAT $name LAST
      C: hello $name2
   ]], { name = 8 + #name, name2 = name })
end

-- The next envelope behind the end of a message.
local function renewed(name)
   return script([[
      C: RSET
      <envelope>
   ]], { envelope = envelope(name) })
end

local function messages(...)
   local list = {}
   for i, name in ipairs { ... } do
      list[i] = { from = "ann@me.example", to = name .. "@there.example", raw = "hello " .. name }
   end
   return list
end

-- Each transcript is another server's. -> summary, the peers
local function send(list, settings, ...)
   local transcripts, found = { ... }, nil
   local port = talk.new_port()
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local peers = {}
      local options = talk.options({ from = false, to = false, raw = false, port = port,
         pipelining = settings.pipelining })
      options.transport = function()
         local transcript = transcripts[#peers + 1]
         if not transcript then
            talk.finished(peers[#peers])
            error("one connection too many")
         end
         peers[#peers + 1] = talk.peer(transcript, mode)
         return peers[#peers]
      end
      local summary = assert(smtp.send_many(options, list, { connections = 1, window = settings.window,
         per_connection = settings.per_connection, on_result = settings.on_result }))
      for i = 1, #peers do talk.finished(peers[i]) end
      assert.equal(#transcripts, #peers)
      local states = {}
      for i, result in ipairs(summary.results) do
         states[i] = result.recipients and result.recipients[1].state or result.kind
      end
      found = found or { summary = summary, states = table.concat(states, " ") }
      assert.equal(found.states, table.concat(states, " "))
   end
   return found.summary, found.states
end

describe("eager", function()
   it("says the next envelope behind the end of a message, once a chunk was accepted", function()
      local summary, states = send(messages("a", "b", "c"), { pipelining = "eager" }, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <envelope2>
         S: 250 ok
         S: 250 ok
         <bdat2>
         <renewed>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat3>
         S: 250 ok
         <bye>
      ]], {
         envelope = envelope("a"), bdat = bdat("a"), envelope2 = envelope("b"), bdat2 = bdat("b"),
         renewed = renewed("c"), bdat3 = bdat("c"),
      }))
      assert.equal("accepted accepted accepted", states)
      for _, receipt in ipairs(summary.results) do assert.equal("eager", receipt.pipelining) end
   end)

   it("has no envelope ahead where the window is one message", function()
      local all = { script.chunking }
      for _, name in ipairs { "a", "b", "c" } do
         all[#all + 1] = script([[
            <envelope>
            S: 250 ok
            S: 250 ok
            <bdat>
            S: 250 ok
         ]], { envelope = envelope(name), bdat = bdat(name) })
      end
      send(messages("a", "b", "c"), { pipelining = "eager", window = 1 }, script([[
         <lines>
         <bye>
      ]], { lines = table.concat(all) }))
   end)

   it("fills its window only once the server has said how many messages it takes", function()
      local limited = script [[
         <caps>
         S: 250-CHUNKING
         S: 250 LIMITS MAILMAX=1
      ]]
      local one = function(name) return script([[
         <limited>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <bye>
      ]], { limited = limited, envelope = envelope(name), bdat = bdat(name) }) end
      local _, states = send(messages("a", "b"), { pipelining = "eager", window = 4 }, one("a"), one("b"))
      assert.equal("accepted accepted", states)
   end)

   it("sends no chunk behind recipients that are not accepted", function()
      local _, states = send(messages("a", "b", "c"), { pipelining = "eager" }, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <envelope2>
         S: 250 ok
         S: 250 ok
         <bdat2>
         <renewed>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 550 who?
         C: RSET
         S: 250 ok
         <bye>
      ]], {
         envelope = envelope("a"), bdat = bdat("a"), envelope2 = envelope("b"), bdat2 = bdat("b"),
         renewed = renewed("c"),
      }))
      assert.equal("accepted accepted refused", states)
   end)

   it("knows of each what became of it", function()
      local _, states = send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <envelope2>
         S: 250 ok
         S: 550 who?
         C: RSET
         S: 250 ok
         <envelope3>
         S: 250 ok
         S: 250 ok
         <bdat2>
         <renewed>
         S: 452 full
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <bdat3>
         S: 250 ok
         <bye>
      ]], {
         envelope = envelope("a"), bdat = bdat("a"), envelope2 = envelope("b"), envelope3 = envelope("c"),
         bdat2 = bdat("c"), renewed = renewed("d"), bdat3 = bdat("d"),
      }))
      assert.equal("accepted refused deferred accepted", states)
   end)

   it("takes a sender that is refused for one transaction's alone", function()
      local summary, states = send(messages("a", "b", "c"), { pipelining = "eager" }, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <envelope2>
         S: 553 no
         S: 503 no
         C: RSET
         S: 250 ok
         <envelope3>
         S: 250 ok
         S: 250 ok
         <bdat2>
         S: 250 ok
         <bye>
      ]], {
         envelope = envelope("a"), bdat = bdat("a"), envelope2 = envelope("b"), envelope3 = envelope("c"),
         bdat2 = bdat("c"),
      }))
      assert.equal("accepted unsent accepted", states)
      assert.equal("sender_refused", summary.results[2].kind)
   end)

   it("is in doubt about the one whose end had left when the connection broke, and sends the next again", function()
      local summary, states = send(messages("a", "b", "c"), { pipelining = "eager" }, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         <bdat>
         S: 250 ok
         <envelope2>
         S: 250 ok
         S: 250 ok
         <bdat2>
         <renewed>
         CLOSE
      ]], {
         envelope = envelope("a"), bdat = bdat("a"), envelope2 = envelope("b"), bdat2 = bdat("b"),
         renewed = renewed("c"),
      }),
         script([[
            <chunking>
            <envelope>
            S: 250 ok
            S: 250 ok
            <bdat>
            S: 250 ok
            <bye>
         ]], { envelope = envelope("c"), bdat = bdat("c") }))
      assert.equal("accepted unknown accepted", states)
      assert.equal("doubt", summary.results[2].retry)
   end)

   it("says not a word more to who does not know BDAT, and sends by DATA", function()
      local peers, transcripts = {}, {
         script([[
            <chunking>
            <envelope>
            S: 250 ok
            S: 250 ok
            <bdat>
            S: 502 what
         ]], { envelope = envelope("a"), bdat = bdat("a") }),
         script([[
            <chunking>
            <envelope>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            MESSAGE
            <renewed>
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 250 ok
            C: DATA
            S: 354 go
            MESSAGE
            S: 250 ok
            <bye>
         ]], { envelope = envelope("a"), renewed = renewed("b") }) }
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

   local sized = function(name) return script("<mail $1>", { name }):format(" SIZE=9") end
   local go = [[
      S: 354 go
      MESSAGE
   ]]

   it("without CHUNKING says DATA ahead, too, once a message that followed another's end was accepted", function()
      send(messages("a", "b", "c", "d"), { pipelining = "eager" }, script([[
         <plain>
         <sized>
         C: DATA
         S: 250 ok
         S: 250 ok
         <go>
         C: RSET
         <sized2>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: DATA
         <go>
         C: RSET
         <sized3>
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         C: DATA
         <go>
         C: RSET
         <sized4>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 250 ok
         S: 250 ok
         <go>
         S: 250 ok
         <bye>
      ]], {
         sized = sized("a"), go = go, sized2 = sized("b"), sized3 = sized("c"), sized4 = sized("d"),
      }))
   end)

   it("is as safe where the server does not offer PIPELINING", function()
      local one = function(name)
         local from, to = envelope(name):match("^(.-\n)(.*)$")
         return script([[
            <from>
            S: 250 ok
            <to>
            S: 250 ok
            <bdat>
            S: 250 ok
         ]], { from = from, to = to, bdat = bdat(name) })
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

   it("says QUIT behind a single message", function()
      local receipt, _, peer = talk.send({ pipelining = "eager", raw = "hello a", to = "a@there.example" },
         script([[
            <chunking>
            <envelope>
            S: 250 ok
            S: 250 ok
            <bdat>
            C: QUIT
            S: 250 ok
            S: 221 bye
         ]], { envelope = envelope("a"), bdat = bdat("a") }))
      assert.equal("accepted", receipt.recipients[1].state)
      assert.equal("eager", receipt.pipelining)
      assert.equal(3, peer.sends) -- EHLO, the envelope, and the rest
   end)

   for said, lines in pairs { ["503 wait"] = "S: 503 wait\n", ["not a word"] = "SILENCE\n" } do
      it("says QUIT behind no message more where the answer to it was " .. said, function()
         local t = { pipelining = "eager", raw = "hello a", to = "a@there.example", from = "ann@me.example" }
         local start = script([[
            <chunking>
            <envelope>
            S: 250 ok
            S: 250 ok
            <bdat>
         ]], { envelope = envelope("a"), bdat = bdat("a") })
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

   it("tells what was done: a server without PIPELINING, and what the caller wants", function()
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
