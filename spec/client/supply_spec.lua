local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

-- A function that gives so many messages; `at(i)` is called first, and what it returns, if anything, in their place.
local function counted(count, at)
   local i = 0
   return function()
      i = i + 1
      local message = at and at(i)
      if message == nil and i <= count then
         message = { from = "a@x.example", to = ("u%d@x.example"):format(i), raw = "hello\r\n" }
      end
      return message
   end, function() return i end
end

local function send(messages, settings, more)
   local server = spec_server.new { capabilities = { "PIPELINING" } }
   settings.connections = 1
   local summary, err = smtp.send_many(talk.options_to({ server }, more), messages, settings)
   return server, summary or err.summary, err
end

describe("The function that gives send_many its messages", function()
   for _, window in ipairs { 1, 2, 16, 64 } do
      it("is called once for each, and once more, with a window of " .. window, function()
         local messages, calls = counted(50)
         local server, summary = send(messages, { window = window }, { pipelining = "eager" })
         assert.same({ 50, 51, 50 }, { summary.sent, calls(), #server.taken })
         for i = 1, 50 do
            assert.equal(("u%d@x.example"):format(i), server.taken[i].to[1])
            assert.same({ ("u%d@x.example"):format(i) }, summary.results[i].accepted)
         end
      end)

      it("may raise after some, which are sent: with a window of " .. window, function()
         local messages, calls = counted(50, function(i)
            if i == 21 then error "mine" end
         end)
         local server, summary, err = send(messages, { window = window }, { pipelining = "eager" })
         assert.same({ "source", "messages" }, { err.kind, err.reason })
         assert.truthy(tostring(err.cause):find("mine", 1, true))
         assert.same({ 20, 0, 21, 20 }, { summary.sent, summary.failed, calls(), #server.taken })
      end)
   end

   it("may give what is not a message, and goes on", function()
      for _, wrong in ipairs { false, 7, "text" } do
         local messages = counted(30, function(i)
            if i == 11 then return wrong end
         end)
         local server, summary, err = send(messages, { window = 16 }, { pipelining = "eager" })
         assert.is_nil(err)
         assert.same({ 29, 1, 29, "usage" }, { summary.sent, summary.failed, #server.taken, summary.results[11].kind })
      end
   end)

   it("is not called again after on_result has raised an error", function()
      local told, messages, calls = {}, counted(50)
      local server, summary, err = send(messages, { window = 16, on_result = function(index, receipt)
         told[#told + 1] = index
         if #told == 3 then error(receipt, 0) end
      end }, { pipelining = "eager" })
      assert.same({ "on_result", "u3@x.example" }, { err.reason, err.cause.accepted[1] })
      assert.is_true(calls() < 50, calls())
      assert.same({ #server.taken, 0 }, { summary.sent, summary.failed })
      assert.equal(summary.sent, #told) -- each has been reported once, in order
      for i = 1, #told do assert.equal(i, told[i]) end
   end)

   it("says in the error of the whole call what became of the messages", function()
      for state, fault in pairs { partly = "250 2.0.0 ok", maybe = "drop", no = "554 5.7.1 spam" } do
         local given, sink = 0, smtp.sink { faults = { final = fault } }
         local _, err = smtp.send_many({ transport = function() return sink:transport() end, tls = "skip" }, function()
            given = given + 1
            if given == 2 then error "mine" end
            return { from = "a@x.example", to = "u@x.example", raw = "hello\r\n" }
         end, { connections = 1 })
         assert.same({ "source", "messages", state }, { err.kind, err.reason, err.sent })
      end
   end)
end)

describe("A table that makes its messages when it is asked", function()
   -- One of 20 messages; what it says after the last one, and how often it was asked then.
   local function lazy(last)
      local over = 0
      return setmetatable({}, { __index = function(_, i)
         if i <= 20 then return { from = "a@x.example", to = ("u%d@x.example"):format(i), raw = "hello\r\n" } end
         over = over + 1
         return last(over)
      end }), function() return over end
   end

   local function send_over(connections, messages, pipelining)
      local servers = { spec_server.new(), spec_server.new() }
      local summary, err = smtp.send_many(talk.options_to(servers, { pipelining = pipelining }), messages,
         { connections = connections })
      return summary or err.summary, err
   end

   for connections = 1, 2 do
      for _, pipelining in ipairs { "safe", "eager" } do
         local name = (" by %d connections, pipelining = %s"):format(connections, pipelining)
         it("is not asked again after its end:" .. name, function()
            local messages, asked = lazy(function(count)
               if count > 1 then error("it is closed", 0) end
            end)
            local summary, err = send_over(connections, messages, pipelining)
            assert.is_nil(err)
            assert.same({ 20, 0, 1 }, { summary.sent, summary.failed, asked() })
         end)

         it("is not asked again after it has raised an error:" .. name, function()
            local messages, asked = lazy(function() error("mine", 0) end)
            local summary, err = send_over(connections, messages, pipelining)
            assert.same({ "source", "messages", "mine" }, { err.kind, err.reason, err.cause })
            assert.same({ 20, 0, 1 }, { summary.sent, summary.failed, asked() })
         end)
      end
   end
end)
