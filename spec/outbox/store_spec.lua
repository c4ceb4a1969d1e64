-- What may be given as a store.
local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"
local sqlite = require "smtp.outbox.sqlite"
local store = require "smtp.outbox.store"

describe("The option store", function()
   after_each(outboxes.clean)

   it("takes an object that has the methods of a store", function()
      local own = assert(sqlite.open(outboxes.path()))
      local case = outboxes.new { store = own }
      assert(case.box:put(outboxes.message "bob@example.net"))
      assert(case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
   end)

   it("refuses one that lacks a method, and names it", function()
      local own = {}
      for i = 1, #store.methods do own[store.methods[i]] = print end
      own.renew = nil
      local box, err = smtp.outbox { store = own, server = { host = "relay.example" } }
      assert.is_nil(box)
      assert.equal("store", err.option)
      assert.matches("a method renew", err.what)
   end)
end)
