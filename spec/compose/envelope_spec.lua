-- The addresses of a message, and its envelope.
local address = require "smtp.options.address"
local envelope = require "smtp.compose.envelope"
local returning = require("smtp.errors").returning

local read = returning(function(t)
   return envelope.read(t, envelope.lists(t))
end)

describe("the envelope", function()
   it("has each recipient once, in the order of to, cc and bcc", function()
      local found = read { from = "a@x", to = { "Bob <b@x>", "c@x", { address = "b@x" } }, cc = "c@x",
         bcc = { "d@x", "b@x" } }
      assert.same({ "a@x", { "b@x", "c@x", "d@x" } }, { found.from, found.to })
   end)

   it("without recipients says which option has none", function()
      local function hint(t)
         t.from = "a@x"
         local _, err = read(t)
         return err.option .. ": " .. err.hint
      end
      assert.equal("to: Give to, cc or bcc", hint { text = "x" })
      assert.equal("to: Give to, the recipients of raw", hint { raw = "x", to = {} })
      assert.matches("^envelope.to: envelope.to is empty", hint { to = "b@x", envelope = { to = {} } })
   end)

   it("has many recipients once each", function()
      local to = {}
      for i = 1, 5000 do to[i] = ("User %d <u%d@x.example>"):format(i, i % 1250) end
      local found = read { from = "a@x", to = to }
      assert.equal(1250, #found.to)
      assert.equal("u1@x.example", found.to[1])
      assert.equal("u0@x.example", found.to[1250])
   end)

   it("has the sender before the author, and its own before both", function()
      assert.equal("s@x", read({ from = { "a@x", "b@x" }, sender = "S <s@x>", to = "c@x" }).from)
      assert.equal("e@x", read({ from = "a@x", sender = "s@x", to = "c@x", envelope = { from = "E <e@x>" } }).from)
      assert.equal("", read({ from = "a@x", to = "c@x", envelope = { from = "" } }).from)
      assert.same({ "d@x" }, read({ from = "a@x", to = "c@x", bcc = "b@x", envelope = { to = "d@x" } }).to)
   end)

   it("has the parameters of the first entry of a recipient", function()
      local found = read { from = "a@x", envelope = { to = { { address = "B@x", notify = "never" },
         { address = "B@x", notify = "failure" }, "c@x", { address = "d@x", orcpt = "e@x" } } } }
      assert.same({ "B@x", "c@x", "d@x" }, found.to)
      assert.same({ { ["B@x"] = "NEVER" }, { ["d@x"] = "rfc822;e@x" } },
         { found.parameters.notify_of, found.parameters.orcpt_of })
   end)

   it("names an address because of which SMTPUTF8 is needed", function()
      assert.equal("\195\182@x", read({ from = "a@x", to = { "b@x", "\195\182@x" } }).utf8)
      assert.equal("\195\182@x", read({ from = "\195\182@x", to = "b@x" }).utf8)
      assert.is_nil(read({ from = "a@x", reply_to = "\195\182@x", to = "b@x" }).utf8)
      assert.equal("\195\182@x", envelope.header_utf8(envelope.lists { from = "a@x", reply_to = "\195\182@x" }))
   end)

   for option, t in pairs { from = { to = "a@x" }, to = { from = "a@x", to = {} }, sender = { sender = { "a@x" } },
      ["envelope.from"] = { from = "a@x", to = "b@x", envelope = { from = { "a@x" } } },
      ["envelope"] = { from = "a@x", envelope = "b@x" },
      ["envelope.to"] = { from = "a@x", envelope = { to = { "b@x", "b" } } },
      cc = { from = "a@x", cc = { "a@x", [3] = "c@x" } }, bcc = { from = "a@x", bcc = { "a@x", 7 } } } do
      it("is refused with the name of the option: " .. option, function()
         local _, err = read(t)
         assert.equal(option, (err.option:gsub("^(sender)%.1$", "%1"):gsub("^(envelope%.from)%.1$", "%1")))
      end)
   end

   it("lets others have their turn while it is long", function()
      local to = {}
      for i = 1, 3000 do to[i] = "Ann <a@x>" end
      local breaths = 0
      address.list(to, "to", 4, function(began)
         breaths = breaths + 1
         assert.is_number(began)
         return began
      end)
      assert.is_true(breaths >= 3)
   end)
end)
