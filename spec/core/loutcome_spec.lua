-- What became of a transaction, as Lua reads it.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local said, open = sessions.said, sessions.open

local function transaction_for(...)
   return core.transaction { from = "a@x", to = { ... }, size = 4, exact = true, source_len = 4 }
end

-- A transaction that is said, and gets these replies to its envelope and then to its message.
local function answered(transaction, envelope, message)
   local session = open()
   session:add(transaction, "hi\r\n")
   said(session)
   session:heard(envelope)
   said(session)
   if message then session:heard(message) end
   return transaction, session
end

describe("A transaction", function()
   it("that is accepted has a reply, and no trouble", function()
      local transaction = answered(transaction_for "b@x", "250 ok\r\n250 2.1.5 yes\r\n", "250 2.0.0 queued as 7\r\n")
      assert.is_true(transaction:over())
      assert.is_nil((transaction:trouble()))
      assert.same({ code = 250, enhanced = "2.0.0", text = "queued as 7" }, transaction:reply())
      assert.same({ { address = "b@x", state = "accepted", code = 250, enhanced = "2.1.5", text = "yes" } },
         transaction:recipients())
      assert.same({}, (transaction:left()))
   end)

   it("is not over before the answer to its message", function()
      local transaction = answered(transaction_for "b@x", "250 ok\r\n250 ok\r\n")
      assert.is_false(transaction:over())
   end)

   it("has a verdict for each recipient, in the order given", function()
      local transaction = answered(transaction_for("b@x", "c@x", "d@x"),
         "250 ok\r\n250 ok\r\n550 5.1.1 who?\r\n450 4.2.1 later\r\n", "250 ok\r\n")
      local states = {}
      for i, recipient in ipairs(transaction:recipients()) do
         states[i] = ("%s %s %s"):format(recipient.address, recipient.state, tostring(recipient.enhanced))
      end
      assert.same({ "b@x accepted nil", "c@x refused 5.1.1", "d@x deferred 4.2.1" }, states)
   end)

   it("that is refused has a trouble with the words of the server", function()
      local transaction = answered(transaction_for "b@x", "550 5.7.1 not you\r\n503 what\r\n")
      local trouble = transaction:trouble()
      assert.same({ "sender_refused", "mail", 550, "5.7.1", "not you" },
         { trouble.kind, trouble.stage, trouble.code, trouble.enhanced, trouble.text })
      assert.equal("unsent", transaction:recipients()[1].state)
   end)

   it("that leaves recipients names them, for a further transaction", function()
      local transaction = answered(transaction_for("b@x", "c@x", "d@x"),
         "250 ok\r\n250 ok\r\n452 4.5.3 too many recipients\r\n452 4.5.3 too many recipients\r\n", "250 ok\r\n")
      assert.same({ 2, 3 }, (transaction:left()))
   end)

   it("is a bystander where the session breaks over another one", function()
      local session, first, second = open(), transaction_for "b@x", transaction_for "c@x"
      session:add(first, "hi\r\n")
      session:add(second, "hi\r\n")
      said(session)
      session:broken("timeout", "timeout", "nothing came")
      assert.same({ "timeout", false, true },
         { first:trouble().kind, first:is_bystander(), second:is_bystander() })
   end)
end)

describe("core.make", function()
   it("makes tables like those of a template, of their own", function()
      local given = { auth = { state = "skipped", offered = { "PLAIN", "LOGIN" } }, none = {}, size = 1, on = false }
      local template = core.template(given)
      local one, other = core.make(template), core.make(template)
      assert.same(given, one)
      one.auth.offered[1], one.none.x = "XOAUTH2", true
      assert.same(given, other)
      assert.equal(2, #other.auth.offered)
      assert.has_error(function() core.template "auth" end)
      assert.has_error(function() core.make(1) end)
   end)
end)
