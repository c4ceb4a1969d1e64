-- Receipts of single transactions; spec/core/ltaken_spec.lua has those of a pipeline.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local said = sessions.said

-- A transaction that is said, and gets these replies to its envelope and then to its message.
local function answered(to, envelope, message)
   local session = sessions.open()
   local transaction = core.transaction { from = "a@x", to = to, size = 4, exact = true, source_len = 4 }
   session:add(transaction, "hi\r\n")
   said(session)
   session:heard(envelope)
   said(session)
   if message then session:heard(message) end
   return transaction
end

describe("A receipt", function()
   it("has the recipients, the accepted ones, the others, and the reply", function()
      local transaction = answered({ "b@x", "c@x", "d@x" },
         "250 ok\r\n250 2.1.5 yes\r\n550 5.1.1 who?\r\n450 4.20.112 later\r\n", "250 2.0.0 queued\r\n")
      local recipients, accepted, refused, reply = transaction:receipt()
      assert.same({ { address = "b@x", state = "accepted", code = 250, enhanced = "2.1.5", text = "yes" },
         { address = "c@x", state = "refused", code = 550, enhanced = "5.1.1", text = "who?" },
         { address = "d@x", state = "deferred", code = 450, enhanced = "4.20.112", text = "later" } }, recipients)
      assert.same({ { "b@x" }, { code = 250, enhanced = "2.0.0", text = "queued" } }, { accepted, reply })
      assert.is_true(rawequal(refused[1], recipients[2]) and rawequal(refused[2], recipients[3]))
      assert.equal(2, #refused)
      assert.same(transaction:recipients(), recipients)
      assert.same({ accepted, refused }, { core.receipt(recipients) })
   end)

   it("is not made where the message was refused, or is not over", function()
      for _, row in ipairs { { "250 ok\r\n250 ok\r\n" }, { "250 ok\r\n250 ok\r\n", "550 no\r\n" },
         { "250 ok\r\n550 no\r\n" }, { "250 ok\r\n250 ok\r\n452 4.5.3 too many\r\n", "250 ok\r\n" } } do
         assert.equal(0, select("#", answered({ "b@x", "c@x" }, row[1], row[2]):receipt()))
      end
   end)

   it("is not made where replies were cut: a part of a secret may end them", function()
      local long = (" y"):rep(400)
      for _, row in ipairs { { "250 ok\r\n250 ok\r\n", "250" .. long .. "\r\n" },
         { "250 ok\r\n250" .. long .. "\r\n", "250 ok\r\n" } } do
         local transaction = answered({ "b@x" }, row[1], row[2])
         assert.equal("accepted", transaction:recipients()[1].state)
         assert.equal(0, select("#", transaction:receipt()))
      end
   end)
end)
