-- Many messages over few connections.
local client_many = require "smtp.client.many"
local many = require "spec.tools.many"
local request = require "smtp.client.request"
local smtp = require "smtp.safe"

local script, messages, send, options_of = many.script, many.messages, many.send, many.options_of
local arrived = many.arrived

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
         <sized a>
         <data>
         <sized b>
         <data>
         <bye>
      ]], { data = data }))
      assert.equal("accepted accepted", states)
      assert.equal(2, summary.sent)
      assert.equal(0, summary.failed)
   end)

   it("makes no connection where there are no messages", function()
      local function transport() error "a connection is made" end
      for _, none in ipairs { {}, function() end } do
         local options = { host = "mx.example", tls = "skip", transport = transport }
         local summary = assert(smtp.send_many(options, none, { connections = 2 }))
         assert.same({ 0, 0, {} }, { summary.sent, summary.failed, summary.results })
      end
   end)

   it("has an error for each message that fails, and goes on", function()
      local list = messages("a", "b", "c")
      list[2].to = "nobody at all"
      local summary, states = send(list, {}, script [[
         <chunking>
         <envelope a>
         S: 250 ok
         S: 550 no
         C: RSET
         S: 250 ok
         <envelope c>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello c
         S: 250 ok
         <bye>
      ]])
      assert.equal("refused address accepted", states)
      assert.equal(1, summary.sent)
      assert.equal(2, summary.failed)
   end)

   it("opens a new connection after so many messages", function()
      local one = function(name)
         return script([[
            <chunking>
            <envelope $name>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
            <bye>
         ]], { name = name })
      end
      send(messages("a", "b"), { per_connection = 1 }, one("a"), one("b"))
   end)

   it("opens a new connection where the server allows no more on this one", function()
      local one = function(name)
         return script([[
            <caps>
            S: 250-LIMITS MAILMAX=1
            S: 250 CHUNKING
            <envelope $name>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
            <bye>
         ]], { name = name })
      end
      send(messages("a", "b"), {}, one("a"), one("b"))
   end)

   it("sends again what a goodbye has left unsent", function()
      local one = function(name)
         return script([[
            <envelope $name>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
         ]], { name = name })
      end
      local _, states = send(messages("a", "b"), {}, script([[
         <chunking>
         <one>
         <envelope b>
         S: 421 enough
      ]], { one = one("a") }), script([[
         <chunking>
         <one>
         <bye>
      ]], { one = one("b") }))
      assert.equal("accepted accepted", states)
   end)

   it("sends nothing again that may have been taken", function()
      local _, states = send(messages("a", "b"), {}, script [[
         <chunking>
         <envelope a>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello a
         CLOSE
      ]], script [[
         <chunking>
         <envelope b>
         S: 250 ok
         S: 250 ok
         C: BDAT 9 LAST
         C: hello b
         S: 250 ok
         <bye>
      ]])
      assert.equal("unknown accepted", states)
   end)

   it("gives up a message that breaks every connection", function()
      local cut = script [[
         <chunking>
         <envelope a>
         CLOSE
      ]]
      local _, states = send(messages("a"), {}, cut, cut, cut)
      assert.equal("unsent", states)
   end)
end)

describe("send_many", function()
   for _, capabilities in ipairs { { "PIPELINING", "CHUNKING" }, { "PIPELINING" } } do
      it("eager, goes on after a message whose source fails: " .. table.concat(capabilities, ", "), function()
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

   -- As where Lua has no memory: what smtp.outbox gives raises nothing else.
   it("ends where a job has failed, and the others wait for what it may have had", function()
      local sink = smtp.sink()
      local options = options_of(sink)
      local server = assert(request.connection(options))
      local count = 0
      local function next_message()
         count = count + 1
         if count == 2 then error("not enough memory", 0) end
         if count > 2 then return nil, 0.01 end -- the job that has failed may still have one
         return { from = "a@me.example", to = "b@x.example", raw = "x\r\n" }
      end
      local summary, err = client_many.run(server, { connections = 3, window = 16, per_connection = 100,
         on_result = function() end, ready = function(given) return request.plain(given, server) end }, next_message)
      assert.is_nil(summary)
      assert.equal("system", err.kind)
      assert.truthy(#sink.messages <= 1)
   end)
end)
