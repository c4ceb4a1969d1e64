-- What the option `observe` reports while a conversation goes on.
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local names = { connected = true, tls = true, stage = true, done = true, result = true }

-- "sent mail: MAIL FROM:<…>", "message 7", "stage rcpt", in the order in which they came.
local function record(events)
   return function(event)
      local text = event.name
      if event.name == "sent" or event.name == "heard" then
         text = ("%s %s: %s"):format(event.name, event.stage, event.text)
      elseif event.name == "stage" then
         text = "stage " .. event.stage
      elseif event.name == "message" then
         text = ("message %d of %s"):format(event.bytes, tostring(event.size))
      elseif event.reason then
         text = event.name .. " " .. event.kind .. " " .. event.reason
      end
      if event.name == "result" then text = ("%s %d/%d"):format(text, event.accepted, event.refused) end
      events[#events + 1] = text
      assert.is_true(event.seconds >= 0)
      assert.equal(event.name == "result" and "nil" or "number", type(event.connection))
      assert.truthy(names[event.name] or event.text or event.bytes)
   end
end

local hello = "S: 220 mx\nC: EHLO me.example\nS: 250-mx\nS: 250 PIPELINING\n"

describe("The option observe", function()
   it("reports every line with its stage, the bytes of the message, and the end", function()
      local events, peer = {}, talk.peer(hello .. talk.accepted)
      assert(safe.send(talk.options({ observe = record(events) }, peer)))
      local all = table.concat(events, "\n")
      assert.equal([[
stage connect
connected
stage greeting
heard greeting: 220 mx
stage ehlo
sent ehlo: EHLO me.example
heard ehlo: 250-mx
heard ehlo: 250 PIPELINING
stage mail
sent mail: MAIL FROM:<ann@me.example>]], table.concat(events, "\n", 1, 10))
      assert.matches("sent data: DATA\n", all)
      assert.matches("message %d+ of 21\n", all)
      assert.matches("sent quit: QUIT\nheard quit: 221 bye\ndone\nresult 1/0$", all)
   end)

   it("reports the same of a socket of this library", function()
      local sink = assert(safe.sink { port = 0 })
      local events = {}
      local receipt = assert(safe.send { transport = sink:transport(), tls = "skip", domain = "me.example",
         from = "a@b.example", to = "c@d.example", raw = ("x"):rep(70) .. "\r\n", observe = record(events) })
      sink:close()
      local all = table.concat(events, "\n")
      assert.equal(receipt.reply.code, 250)
      assert.matches("^stage connect\nconnected\nstage greeting\n", all)
      assert.matches("message 72 of 72\n", all)
      assert.matches("\ndone\nresult 1/0$", all)
   end)

   it("reports smtp.connect, send_many and smtp.probe as well", function()
      local function server() return spec_server.new() end
      local events = {}
      local options = talk.options({ from = false, to = false, raw = false, observe = record(events) })
      options.transport = server
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }
      local connection = assert(safe.connect(options))
      assert(connection:send(message))
      connection:quit()
      assert.matches("^stage connect\nconnected\n.*\ndone$", table.concat(events, "\n"))
      for i = #events, 1, -1 do events[i] = nil end
      assert(safe.send_many(options, { message, message }, { connections = 1 }))
      assert.equal(2, select(2, table.concat(events, "\n"):gsub("sent mail:", "")))
      for i = #events, 1, -1 do events[i] = nil end
      assert(safe.probe(options))
      assert.matches("^stage connect\nconnected\n.*heard ehlo:.*\ndone$", table.concat(events, "\n"))
   end)

   it("reports why a conversation ended, and hides secrets", function()
      local events = {}
      talk.send({ username = "ann", password = "sesame-4", auth_plaintext = true,
         observe = function(event) record(events)(event) end }, "S: 220 mx\nC: EHLO me.example\nS: 250-mx\n"
         .. "S: 250 AUTH PLAIN\nC: AUTH PLAIN AGFubgBzZXNhbWUtNA==\nS: 535 sesame-4 is wrong\nC: QUIT\nS: 221 bye\n")
      local all = table.concat(events, "\n")
      assert.matches("sent auth: AUTH PLAIN %[secret%]\nheard auth: 535 %[secret%] is wrong", all)
      assert.matches("done auth_rejected rejected\nresult auth_rejected rejected 0/%d$", all)
      assert.is_nil(all:find("sesame", 1, true))
      events = {}
      talk.send({ observe = function(event) record(events)(event) end }, "S: 220 mx\nC: EHLO me.example\nCLOSE")
      assert.equal("done disconnected closed", events[#events - 1])
      assert.matches("^result disconnected closed 0/%d$", events[#events])
   end)

   it("reports what became of each message, once", function()
      local results
      local function observe(event)
         if event.name ~= "result" then return end
         assert.is_true(event.seconds >= 0)
         results[#results + 1] = ("%s %s %d/%d %s"):format(tostring(event.kind), tostring(event.reason), event.accepted,
            event.refused, tostring(event.size))
      end
      -- The server refuses Bob.
      local function options()
         results = {}
         local all = talk.options { from = false, to = false, raw = false, observe = observe }
         function all.transport()
            return spec_server.new { reply = function(self, what)
               local is_bob = what == "rcpt" and self.lines[#self.lines]:find("<bob@", 1, true)
               return is_bob and "550 5.1.1 unknown" or nil
            end }
         end
         return all
      end
      local message = { from = "ann@me.example", to = "eve@there.example", raw = "x\r\n" }
      local both = { from = "ann@me.example", to = { "eve@there.example", "bob@there.example" }, raw = "x\r\n" }
      local none = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }
      local expected = { "nil nil 1/0 3", "nil nil 1/1 3", "recipients_refused unknown_recipient 0/1 nil" }

      local connection = assert(safe.connect(options()))
      for _, one in ipairs { message, both, none } do connection:send(one) end
      connection:quit()
      assert.same(expected, results)
      for _, pipelining in ipairs { "safe", "eager" } do
         local given = options()
         given.pipelining = pipelining
         assert(safe.send_many(given, { message, both, none }, { connections = 1 }))
         assert.same(expected, results)
      end
      for i, one in ipairs { message, both, none } do
         local given = options()
         for name, value in pairs(one) do given[name] = value end
         safe.send(given)
         assert.same({ expected[i] }, results)
      end
      local given = options()
      function given.transport() return nil, "down" end
      for name, value in pairs(message) do given[name] = value end
      safe.send(given)
      assert(safe.send_many({ transport = given.transport, tls = "skip", observe = observe }, { message }))
      assert.same({ "source transport 0/0 nil", "source transport 0/0 nil" }, results)
   end)

   it("reports a message that is refused before anything is sent", function()
      local results = {}
      local function observe(event)
         if event.name ~= "result" then return end
         assert.is_true(event.seconds >= 0)
         results[#results + 1] = ("%s %s %d/%d"):format(event.kind, tostring(event.reason), event.accepted,
            event.refused)
      end
      local function options(more)
         more.observe, more.transport, more.tls, more.timeout = observe, spec_server.new, "skip", 20
         return more
      end
      local function send(changes)
         local t = options { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }
         for name, value in pairs(changes) do t[name] = value end
         return select(2, safe.send(t))
      end
      local message = { from = "ann@me.example", to = "bad", raw = "x\r\n" }
      assert.equal("address", send { to = "bad" }.kind)
      assert.equal("usage", send { tls = "no" }.kind)
      assert.equal("usage", send { observe = observe, text = "x" }.kind)
      assert.same({ "address nil 0/0", "usage nil 0/0", "usage nil 0/0" }, results)
      assert.equal("usage", send { observe = 5 }.kind)
      assert.equal(3, #results)
      results = {}
      safe.send_many(options {}, { message })
      local connection = assert(safe.connect(options {}))
      connection:send(message)
      assert.same({ "address nil 0/0", "address nil 0/0" }, results)
      connection:close()
      connection:send { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }
      assert.equal(3, #results)
   end)

   it("says how long each stage took, one after the other", function()
      local stages, at = {}, 0
      assert(safe.send(talk.options({ observe = function(event)
         if event.name == "stage" and not event.ended then
            assert.same({ "connect" }, { event.stage, event.took })
         elseif event.ended then
            assert.is_true(math.abs(event.seconds - event.took - at) < 0.001)
            stages[#stages + 1], at = event.ended, event.seconds
         end
      end }, spec_server.new())))
      assert.equal("connect greeting ehlo mail rcpt body final quit", table.concat(stages, " "))
   end)

   it("counts the bytes of a conversation", function()
      local sent, heard, done = 0, 0, nil
      local server = spec_server.new()
      local send, receive = server.send, server.receiveany
      function server:send(data)
         local count, why, text, partly = send(self, data)
         sent = sent + (count or partly or 0)
         return count, why, text, partly
      end
      function server:receiveany(max)
         local data, why, text = receive(self, max)
         heard = heard + (data and #data or 0)
         return data, why, text
      end
      assert(safe.send(talk.options({ observe = function(event)
         if event.name == "done" then done = event end
      end }, server)))
      assert.same({ sent, heard }, { done.sent_bytes, done.heard_bytes })
      assert.is_true(sent > 100 and heard > 50)
   end)

   it("says which host was not reached", function()
      local events = {}
      local _, err = safe.send { host = { "127.0.0.1", "127.0.0.2" }, port = 1, tls = "skip", from = "a@b.example",
         to = "c@d.example", text = "x", timeout = 20, observe = function(event)
            if event.name ~= "done" then return end
            events[#events + 1] = ("%s:%d %s"):format(event.host, event.port, event.kind)
         end }
      assert.equal("connect", err.kind)
      assert.same({ "127.0.0.1:1 connect", "127.0.0.2:1 connect" }, events)
   end)

   it("is an error of its own where the function raises", function()
      local cause = { "mine" }
      for count = 1, 12 do
         local left = count
         local peer = talk.peer(hello .. talk.accepted:gsub("MESSAGE", "C: x\nC: ."))
         local receipt, err = safe.send(talk.options({ raw = "x", observe = function()
            left = left - 1
            if left == 0 then error(cause, 0) end
         end }, peer))
         assert.is_nil(receipt)
         assert.same({ "source", "observe", cause }, { err.kind, err.reason, err.cause })
         assert.is_true(peer.closed)
      end
      local made = 0
      local options = talk.options { from = false, to = false, raw = false, observe = function() error(cause, 0) end }
      function options.transport()
         made = made + 1
         assert.is_true(made < 9, "connects again and again")
         return talk.peer(hello)
      end
      local summary = safe.send_many(options, { { from = "a@b.example", to = "c@d.example", raw = "x" } })
      assert.same({ "source", "observe", cause },
         { summary.results[1].kind, summary.results[1].reason, summary.results[1].cause })
      local _, err = safe.send(talk.options { observe = "yes" })
      assert.same({ "usage", "observe" }, { err.kind, err.option })
   end)
end)

describe("trace = true", function()
   it("writes the dialogue to standard error", function()
      local command = require "spec.tools.command"
      local interpreter = require("spec.tools.peer").interpreter
      local said = command.own(interpreter .. [[ -e '
         local smtp = require "smtp"
         smtp.send { transport = smtp.sink {}:transport(), tls = "skip", tls_host = "mx.example", trace = true,
            from = "ann@me.example", to = "bob@there.example", raw = "x" }']])
      assert.matches("\nC: MAIL FROM:<ann@me.example>", said, 1, true)
      assert.matches("\nS: 221 ", said, 1, true)
   end)
end)
