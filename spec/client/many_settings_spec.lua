local many = require "spec.tools.many"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script, messages = many.script, many.messages

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
            <envelope $name>
            S: 250 ok
            S: 250 ok
            C: BDAT 9 LAST
            C: hello $name
            S: 250 ok
         ]], { name = name })
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
      assert.truthy(summary.seconds >= 0.09 and summary.seconds < 20, summary.seconds)
   end)
end)
