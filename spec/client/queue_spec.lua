local core = require "smtp.core"
local scheduler = require "smtp.runtime.scheduler"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local function messages(...)
   local list = {}
   for i, name in ipairs { ... } do
      list[i] = { from = "ann@me.example", to = name .. "@there.example", raw = "hello " .. name }
   end
   return list
end

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
