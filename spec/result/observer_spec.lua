-- What the option `observe` reports while a conversation goes on.
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local names = { connected = true, tls = true, stage = true, done = true }

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
      events[#events + 1] = text
      assert.is_true(event.seconds >= 0)
      assert.equal("number", type(event.connection))
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
connected
stage greeting
heard greeting: 220 mx
stage ehlo
sent ehlo: EHLO me.example
heard ehlo: 250-mx
heard ehlo: 250 PIPELINING
stage mail
sent mail: MAIL FROM:<ann@me.example>]], table.concat(events, "\n", 1, 9))
      assert.matches("sent data: DATA\n", all)
      assert.matches("message %d+ of 21\n", all)
      assert.matches("sent quit: QUIT\nheard quit: 221 bye\ndone$", all)
   end)

   it("reports the same of a socket of this library", function()
      local sink = assert(safe.sink { port = 0 })
      local events = {}
      local receipt = assert(safe.send { transport = sink:transport(), tls = "skip", domain = "me.example",
         from = "a@b.example", to = "c@d.example", raw = ("x"):rep(70) .. "\r\n", observe = record(events) })
      sink:close()
      local all = table.concat(events, "\n")
      assert.equal(receipt.reply.code, 250)
      assert.matches("^connected\nstage greeting\n", all)
      assert.matches("message 72 of 72\n", all)
      assert.matches("\ndone$", all)
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
      assert.matches("^connected\n.*\ndone$", table.concat(events, "\n"))
      for i = #events, 1, -1 do events[i] = nil end
      assert(safe.send_many(options, { message, message }, { connections = 1 }))
      assert.equal(2, select(2, table.concat(events, "\n"):gsub("sent mail:", "")))
      for i = #events, 1, -1 do events[i] = nil end
      assert(safe.probe(options))
      assert.matches("^connected\n.*heard ehlo:.*\ndone$", table.concat(events, "\n"))
   end)

   it("reports why a conversation ended, and hides secrets", function()
      local events = {}
      talk.send({ username = "ann", password = "sesame-4", auth_plaintext = true,
         observe = function(event) record(events)(event) end }, "S: 220 mx\nC: EHLO me.example\nS: 250-mx\n"
         .. "S: 250 AUTH PLAIN\nC: AUTH PLAIN AGFubgBzZXNhbWUtNA==\nS: 535 sesame-4 is wrong\nC: QUIT\nS: 221 bye\n")
      local all = table.concat(events, "\n")
      assert.matches("sent auth: AUTH PLAIN %[secret%]\nheard auth: 535 %[secret%] is wrong", all)
      assert.matches("done auth_rejected rejected$", all)
      assert.is_nil(all:find("sesame", 1, true))
      events = {}
      talk.send({ observe = function(event) record(events)(event) end }, "S: 220 mx\nC: EHLO me.example\nCLOSE")
      assert.equal("done disconnected closed", events[#events])
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
