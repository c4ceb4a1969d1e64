local core = require "smtp.core"
local many = require "spec.tools.many"
local scheduler = require "smtp.runtime.scheduler"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local messages, options_of, arrived = many.messages, many.options_of, many.arrived

describe("send_many", function()
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

   it("gives each message an error of its own where all fail for one reason", function()
      local options = options_of(smtp.sink {}, 1, 1000)
      local results = assert(smtp.send_many(options, messages("a", "b"), { connections = 1 })).results
      results[1].note = "changed"
      assert.same({ "connect", "connect" }, { results[1].kind, results[2].kind })
      assert.equal(tostring(results[1]), tostring(results[2]))
      assert.is_nil(results[2].note)
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

   it("reports all that is left once the server is gone, whatever the rate", function()
      local options, made = options_of(smtp.sink {}, 2, 1000)
      local summary = assert(smtp.send_many(options, messages("a", "b", "c", "d", "e", "f", "g"),
         { connections = 1, per_connection = 1, rate = 0.5 }))
      assert.equal(1, summary.sent)
      assert.equal(6, summary.failed)
      assert.equal(5, made())
      for i = 2, 7 do assert.equal("connect", summary.results[i].kind) end
      assert.truthy(summary.seconds < 10, summary.seconds) -- not two for each
   end)

   it("reports at once that there is no server", function()
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

local message = talk.message

local function send(servers, list, more, settings)
   settings = settings or {}
   settings.connections = 1
   return assert(smtp.send_many(talk.options_to(servers, more), list, settings))
end

-- Pieces of a message, and how often they were read to their end.
local function read_once()
   local count, ends = 2, 0
   return function()
      count = count - 1
      if count >= 0 then return "piece\r\n" end
      ends = ends + 1
      return nil
   end, function() return ends end
end

describe("A message of send_many from a function", function()
   it("is not sent again after the connection broke within it", function()
      local pieces, ends = read_once()
      local broken, other = spec_server.new { capabilities = {} }, spec_server.new()
      function broken:send(data)
         if self.mode == "text" then self:vanish() end
         return spec_server.new().send(self, data)
      end
      local summary = send({ broken, other }, { message { raw = pieces }, message() })
      local err = summary.results[1]
      assert.same({ "disconnected", "no", "now" }, { err.kind, err.sent, err.retry })
      assert.same({ 1, 1 }, { summary.sent, #other.taken })
      assert.equal("hello\r\n", other.taken[1].body)
      assert.equal(1, ends())
   end)

   it("is sent again where it was not read yet", function()
      local pieces, ends = read_once()
      local broken, other = spec_server.new { reply = function(self, what)
         if what == "mail" then self:vanish() end
      end }, spec_server.new()
      assert.equal(1, send({ broken, other }, { message { raw = pieces } }).sent)
      assert.same({ 1, "piece\r\npiece\r\n" }, { ends(), other.taken[1].body })
   end)

   it("goes to no more recipients than its one transaction took", function()
      local count, pieces = 0, read_once()
      local server = spec_server.new { reply = function(_, what)
         if what ~= "rcpt" then return nil end
         count = count + 1
         return count == 2 and "452 4.5.3 too many" or nil
      end }
      local summary = send({ server }, { message { raw = pieces, to = { "a@x.example", "b@x.example" } }, message() })
      assert.equal("accepted deferred", talk.states(summary.results[1]))
      assert.same({ 2, 2 }, { summary.sent, #server.taken })
   end)
end)

-- The connection is gone at the MAIL of the message after so many, or nothing is heard of it any more.
local function dies_after(count, silent)
   return spec_server.new { reply = function(self, what)
      if what ~= "mail" or #self.taken < count then return nil end
      if not silent then self:vanish() end
      return silent and "" or nil
   end, say = silent and function(self, line)
      if line ~= "" then spec_server.new().say(self, line) end
   end or nil }
end

describe("A message of send_many whose connection ends", function()
   it("is tried three times, and once more where the connection had carried others", function()
      local servers = { dies_after(1) }
      for _ = 1, 3 do servers[#servers + 1] = dies_after(0) end
      local last = servers[4]
      local summary = send(servers, { message(), message() })
      assert.same({ 1, 1 }, { summary.sent, summary.failed })
      assert.same({ "disconnected", "no", "now" },
         { summary.results[2].kind, summary.results[2].sent, summary.results[2].retry })
      assert.is_true(last.gone)
   end)

   it("is not tried again where the server does not answer in time", function()
      local summary = send({ dies_after(1, true), spec_server.new() }, { message(), message() }, { pipelining = "off" })
      assert.same({ "timeout", "no" }, { summary.results[2].kind, summary.results[2].sent })
   end)

   it("is not tried again where the server refuses the conversation for good", function()
      local refusing = spec_server.new { said = "554 no service\r\n" }
      local summary = send({ dies_after(1), refusing }, { message(), message() })
      assert.same({ "greeting_refused", 554, "never" },
         { summary.results[2].kind, summary.results[2].code, summary.results[2].retry })
   end)
end)

describe("Messages of send_many after one whose source fails", function()
   for _, capabilities in ipairs { { "PIPELINING", "CHUNKING" }, { "PIPELINING" }, {} } do
      for failing = 1, 3 do
         it(("number %d go out by another connection: %s"):format(failing, table.concat(capabilities, " ")), function()
            local servers, list = {}, {}
            for i = 1, 2 do servers[i] = spec_server.new { capabilities = capabilities } end
            for i = 1, 5 do list[i] = message { to = ("u%d@there.example"):format(i) } end
            list[failing].raw = function() error "mine" end
            local summary = send(servers, list, { pipelining = "eager" })
            local taken = {}
            for i = 1, 2 do
               for _, one in ipairs(servers[i].taken) do taken[#taken + 1] = one.to[1]:match("%d") end
            end
            assert.same({ 4, 1, "source" }, { summary.sent, summary.failed, summary.results[failing].kind })
            assert.equal(("12345"):gsub(failing, ""), table.concat(taken))
         end)
      end
   end
end)

describe("A transport that raises", function()
   it("fails the message that it was to send, whatever was read before", function()
      local server, other = spec_server.new(), spec_server.new()
      function server:send(data)
         if #self.taken == 1 and data:find("MAIL", 1, true) then error "mine" end
         return spec_server.new().send(self, data)
      end
      local summary = send({ server, other }, { message { raw = read_once() }, message(), message() })
      assert.same({ "source", "transport", "no" },
         { summary.results[2].kind, summary.results[2].reason, summary.results[2].sent })
      assert.same({ 1, 1, 2 }, { #server.taken, #other.taken, summary.sent })
   end)
end)

describe("The function that gives send_many its messages", function()
   it("is not entered again while it waits", function()
      local servers, inside, count = { spec_server.new(), spec_server.new(), spec_server.new() }, false, 0
      local summary = assert(smtp.send_many(talk.options_to(servers), function()
         assert(not inside, "entered again")
         inside = true
         coroutine.yield()
         inside = false
         count = count + 1
         return count <= 5 and message() or nil
      end, { connections = 3 }))
      assert.same({ 5, 0 }, { summary.sent, summary.failed })
   end)
end)

describe("The rate of send_many", function()
   it("is no lower than what is set", function()
      local list = {}
      for i = 1, 12 do list[i] = message() end
      local summary = send({ spec_server.new() }, list, {}, { rate = 100 })
      assert.equal(12, summary.sent)
      assert.truthy(summary.seconds >= 0.1 and summary.seconds < 6, summary.seconds)
   end)
end)

describe("The deadline of send_many", function()
   -- The longest wait that the transport was given while each message was on its way, in seconds.
   for _, kind in ipairs { "posted in bulk", "added one by one" } do
      it("is each message's own: those " .. kind, function()
         local waits, at = { 0, 0, 0 }, 1
         local server = spec_server.new()
         function server:settimeouts(_, _, ms)
            if self.mode == "command" and #self.taken < 3 then
               at = #self.taken + 1
               waits[at] = math.max(waits[at], ms / 1000)
            end
         end
         local list = {}
         for i = 1, 3 do
            list[i] = message { raw = kind == "posted in bulk" and "x\r\n" or read_once() }
         end
         local summary = send({ server }, list, { timeout = 20, reply_timeout = 60 }, { on_result = function()
            core.sleep(1)
         end })
         assert.equal(3, summary.sent)
         for i = 1, 3 do assert.truthy(waits[i] > 19.2, waits[i]) end
      end)
   end

   it("is that of the oldest one on its way, and then the next one's", function()
      local server, told, asked, waits = spec_server.new { capabilities = { "PIPELINING" } }, 0, 0, {}
      function server:settimeouts(_, _, ms)
         if self.mode == "command" then waits[told] = math.max(waits[told] or 0, ms / 1000) end
      end
      send({ server }, function()
         asked = asked + 1
         if asked == 4 then core.sleep(1) end -- while the third one is on its way
         return asked <= 4 and message() or nil
      end, { timeout = 20, reply_timeout = 60, pipelining = "eager" }, { window = 2, on_result = function()
         told = told + 1
      end })
      assert.equal(4, told)
      assert.truthy(waits[2] < 19.1, waits[2])
      assert.truthy(waits[3] > 19.2, waits[3])
   end)
end)

describe("A secret that the server repeats in the receipts of send_many", function()
   for _, kind in ipairs { "posted in bulk", "added one by one" } do
      it("is not shown: those " .. kind, function()
         local server = spec_server.new { capabilities = { "PIPELINING", "AUTH PLAIN" }, reply = function(_, what)
            if what == "rcpt" then return "250 for sesame-61" end
            if what == "final" then return "250 queued for sesame-61, AGFubgBzZXNhbWUtNjE=" end
         end }
         local list = {}
         for i = 1, 3 do
            list[i] = message { raw = "x\r\n", to = kind == "posted in bulk" and "bob@there.example"
               or { "bob@there.example", "eve@there.example" } }
         end
         local summary = send({ server }, list, { username = "ann", password = "sesame-61", auth_plaintext = true })
         assert.equal(3, summary.sent)
         for i = 1, 3 do
            local receipt = summary.results[i]
            assert.equal("queued for [secret], [secret]", receipt.reply.text)
            for _, one in ipairs(receipt.recipients) do assert.equal("for [secret]", one.text) end
         end
      end)
   end
end)
