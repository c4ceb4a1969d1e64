-- Many messages over few connections; and, in eager transcripts, many in one flight.
local core = require "smtp.core"
local scheduler = require "smtp.runtime.scheduler"
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

describe("send_many", function()
   it("sends one message after the other over one connection", function()
      local data = [[
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
      ]]
      local summary, states = send(messages("a", "b"), {}, script([[
         <plain>
         <this_mail>
         <data>
         <this_mail2>
         <data>
         <bye>
      ]], {
         this_mail = script("<mail $1>", { "a" }):format(" SIZE=9"), data = data,
         this_mail2 = script("<mail $1>", { "b" }):format(" SIZE=9"),
      }))
      assert.equal("accepted accepted", states)
      assert.equal(2, summary.sent)
      assert.equal(0, summary.failed)
   end)

   it("has an error for each message that fails, and goes on", function()
      local list = messages("a", "b", "c")
      list[2].to = "nobody at all"
      local summary, states = send(list, {}, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 550 no
         C: RSET
         S: 250 ok
         <envelope2>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello c
         S: 250 ok
         <bye>
      ]], { envelope = envelope("a"), envelope2 = envelope("c") }))
      assert.equal("refused address accepted", states)
      assert.equal(1, summary.sent)
      assert.equal(2, summary.failed)
   end)

   it("opens a new connection after so many messages", function()
      local one = function(name)
         return script([[
            <chunking>
            <envelope>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
            <bye>
         ]], { envelope = envelope(name), name = name })
      end
      send(messages("a", "b"), { per_connection = 1 }, one("a"), one("b"))
   end)

   it("opens a new connection where the server allows no more on this one", function()
      local one = function(name)
         return script([[
            <caps>
            S: 250-LIMITS MAILMAX=1
            S: 250 CHUNKING
            <envelope>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
            <bye>
         ]], { envelope = envelope(name), name = name })
      end
      send(messages("a", "b"), {}, one("a"), one("b"))
   end)

   it("sends again what a goodbye has left unsent", function()
      local one = function(name)
         return script([[
            <envelope>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
         ]], { envelope = envelope(name), name = name })
      end
      local _, states = send(messages("a", "b"), {}, script([[
         <chunking>
         <one>
         <envelope>
         S: 421 enough
      ]], { one = one("a"), envelope = envelope("b") }), script([[
         <chunking>
         <one>
         <bye>
      ]], { one = one("b") }))
      assert.equal("accepted accepted", states)
   end)

   it("sends nothing again that may have been taken", function()
      local _, states = send(messages("a", "b"), {}, script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello a
         CLOSE
      ]], { envelope = envelope("a") }), script([[
         <chunking>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello b
         S: 250 ok
         <bye>
      ]], { envelope = envelope("b") }))
      assert.equal("unknown accepted", states)
   end)

   it("gives up a message that breaks every connection", function()
      local cut = script([[
         <chunking>
         <envelope>
         CLOSE
      ]], { envelope = envelope("a") })
      local _, states = send(messages("a"), {}, cut, cut, cut)
      assert.equal("unsent", states)
   end)
end)

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

describe("send_many", function()
   -- To a sink; connection `broken` cannot be made, for `times` attempts.
   local function options_of(sink, broken, times)
      local made = 0
      local options = talk.options { from = false, to = false, raw = false, port = talk.new_port() }
      options.transport = function()
         made = made + 1
         local transport = sink:transport()
         if broken and made >= broken and made < broken + times then
            transport.connect = function() return nil, "connect", "Connection refused" end
         end
         return transport
      end
      return options, function() return made end
   end

   local function arrived(sink)
      local list = {}
      for i, message in ipairs(sink.messages) do list[i] = message.to[1]:match("^[^@]*") end
      return table.concat(list, " ")
   end

   for _, capabilities in ipairs { { "PIPELINING", "CHUNKING" }, { "PIPELINING" } } do
      it("eager, goes on behind a message whose source fails: " .. table.concat(capabilities, ", "), function()
         local sink = smtp.sink { capabilities = capabilities }
         local options = options_of(sink)
         options.pipelining = "eager"
         local list = messages("a", "b", "c", "d", "e", "f")
         for _, i in ipairs { 2, 5 } do
            list[i].raw, list[i].text = nil, "x"
            list[i].attachments = { source = function() error("mine") end, filename = "x" }
         end
         local summary = assert(smtp.send_many(options, list, { connections = 1 }))
         assert.equal(4, summary.sent)
         assert.equal("source", summary.results[2].kind)
         assert.equal("source", summary.results[5].kind)
         assert.equal("a c d f", arrived(sink))
      end)
   end

   it("tries again to connect where it has been connected, as after a restart of the server", function()
      local sink = smtp.sink {}
      local options, made = options_of(sink, 2, 2)
      local summary = assert(smtp.send_many(options, messages("a", "b", "c"), { connections = 1, per_connection = 1 }))
      assert.equal(3, summary.sent)
      assert.equal(5, made())
      assert.equal("a b c", arrived(sink))
   end)

   -- The pauses that send_many makes, each with the number of connections that were tried before it.
   local function pauses(run)
      local real, list = scheduler.sleep, {}
      scheduler.sleep = function(seconds) list[#list + 1] = seconds end
      local done, result = pcall(run)
      scheduler.sleep = real
      assert(done, result)
      return list, result
   end

   it("waits longer before each further attempt, and gives up after three", function()
      local options, made = options_of(smtp.sink {}, 2, 1000)
      local list, summary = pauses(function()
         return smtp.send_many(options, messages("a", "b", "c"), { connections = 1, per_connection = 1 })
      end)
      assert.same({ 0.1, 0.4, 1.6 }, list)
      assert.same({ 1, 2, 5 }, { summary.sent, summary.failed, made() })
   end)

   it("begins with the shortest pause again once a message was sent", function()
      for _, is_busy in ipairs { false, true } do
         local connections, broken = 0, { [2] = true, [3] = true, [5] = true }
         local sink = smtp.sink { faults = is_busy and { connect = function()
            connections = connections + 1
            return broken[connections] and "421 4.3.2 busy" or nil
         end } or nil }
         local options, made = options_of(sink), 0
         if not is_busy then
            function options.transport()
               made = made + 1
               local transport = sink:transport()
               if broken[made] then transport.connect = function() return nil, "connect", "refused" end end
               return transport
            end
         end
         local list, summary = pauses(function()
            return smtp.send_many(options, messages("a", "b", "c"), { connections = 1, per_connection = 1 })
         end)
         assert.same({ 0.1, 0.4, 0.1 }, list)
         assert.equal(3, summary.sent)
         assert.equal("a b c", arrived(sink))
      end
   end)

   it("does not wait for a server that never took a message, nor where another try is of no use", function()
      local list, summary = pauses(function()
         return smtp.send_many(options_of(smtp.sink {}, 1, 1000), messages("a", "b"), { connections = 1 })
      end)
      assert.same({ {}, 2 }, { list, summary.failed })
      local options, made = options_of(smtp.sink {}), 0
      local make = options.transport
      function options.transport()
         made = made + 1
         local transport = make()
         if made > 1 then
            transport.connect = function() return nil, "resolve:unknown_host", "there is none" end
         end
         return transport
      end
      list, summary = pauses(function()
         return smtp.send_many(options, messages("a", "b", "c"), { connections = 1, per_connection = 1 })
      end)
      assert.same({ {}, 1, 2 }, { list, summary.sent, summary.failed })
   end)

   it("catches up with its rate for a tenth of a second at most", function()
      local list, stalled = {}, false
      for i = 1, 60 do list[i] = messages("n" .. i)[1] end
      local sink = smtp.sink { faults = { mail = function()
         local due = core.now() + (stalled and 0 or 0.4) -- a slow server
         stalled = true
         repeat until core.now() >= due
      end } }
      local summary = smtp.send_many(options_of(sink), list, { connections = 1, rate = 100 })
      assert.equal(60, summary.sent)
      -- In 0.4 s it could have sent 40. It makes up for 10 of them: 49 are left, each after 0.01 s.
      assert.is_true(summary.seconds > 0.8, summary.seconds)
   end)

   it("tells of all that is left once the server is gone, whatever the rate", function()
      local options, made = options_of(smtp.sink {}, 2, 1000)
      local summary = assert(smtp.send_many(options, messages("a", "b", "c", "d", "e", "f", "g"),
         { connections = 1, per_connection = 1, rate = 1 }))
      assert.equal(1, summary.sent)
      assert.equal(6, summary.failed)
      assert.equal(5, made())
      for i = 2, 7 do assert.equal("connect", summary.results[i].kind) end
      assert.truthy(summary.seconds < 5, summary.seconds)
   end)

   it("tells at once that there is no server", function()
      local options, made = options_of(smtp.sink {}, 1, 1000)
      local summary = assert(smtp.send_many(options, messages("a", "b"), { connections = 1 }))
      assert.equal(2, summary.failed)
      assert.equal(1, made())
   end)

   it("comes back to a server that is busy when it greets", function()
      local connections = 0
      local sink = smtp.sink { faults = { connect = function()
         connections = connections + 1
         return connections == 2 and "421 4.3.2 busy" or nil
      end } }
      local summary = assert(smtp.send_many(options_of(sink), messages("a", "b", "c"),
         { connections = 1, per_connection = 1 }))
      assert.equal(3, summary.sent)
      assert.equal("a b c", arrived(sink))
   end)
end)

describe("The settings of send_many", function()
   local function settings(given)
      return select(2, smtp.send_many(talk.options { from = false, to = false, raw = false }, {}, given))
   end

   it("are checked by name and value", function()
      for name, value in pairs { connections = 0, window = 65, per_connection = 1.5, rate = -1, on_result = 1,
         progress = 1, windows = 2 } do
         local err = settings { [name] = value }
         assert.equal("usage", err.kind, name)
         assert.equal(name, err.option)
      end
      local where = talk.options { from = false, to = false, raw = false }
      assert.equal("messages", select(2, smtp.send_many(where, 1)).option)
      assert.equal("settings", settings(1).option)
   end)

   it("tell of messages that cannot be had", function()
      local where = talk.options { from = false, to = false, raw = false }
      for _, messages_given in ipairs { function() error("mine") end,
         setmetatable({}, { __index = function() error("mine") end, __len = function() error("mine") end }) } do
         local _, err = smtp.send_many(where, messages_given)
         assert.equal("source", err.kind)
         assert.equal("messages", err.reason)
         assert.matches("mine", err.cause)
         assert.equal(0, err.summary.sent)
      end
   end)

   it("tell of a function that says why it has no more", function()
      local where = talk.options { from = false, to = false, raw = false }
      local _, err = smtp.send_many(where, function() return nil, "the database is gone" end)
      assert.same({ "source", "messages", "the database is gone" }, { err.kind, err.reason, err.cause })
   end)

   it("hold back what is too much for the rate", function()
      local one = function(name)
         return script([[
            <envelope>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
         ]], { envelope = envelope(name), name = name })
      end
      local peer = talk.peer(script([[
         <chunking>
         <one>
         <one2>
         <one3>
         <bye>
      ]], { one = one("a"), one2 = one("b"), one3 = one("c") }))
      local options = talk.options({ from = false, to = false, raw = false, port = talk.new_port() }, peer)
      local summary = assert(smtp.send_many(options, messages("a", "b", "c"), { connections = 1, rate = 20 }))
      talk.finished(peer)
      assert.equal(3, summary.sent)
      assert.truthy(summary.seconds >= 0.09 and summary.seconds < 2, summary.seconds)
   end)
end)
