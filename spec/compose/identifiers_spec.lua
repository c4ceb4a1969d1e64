local composing = require "spec.tools.composing"
local request = require "smtp.client.request"

local bytes = composing.bytes

describe("headers with options of their own", function()
   it("of a long thread come as one string as well", function()
      local one = ("<%s@somewhere.example>"):format(("x"):rep(40))
      local text = bytes { text = "", references = (one .. " "):rep(50) }
      assert.equal(50, select(2, text:gsub(one, "")))
   end)
end)

describe("a text message", function()
   it("has an identifier of its own each time, at the sender's domain", function()
      local seen = {}
      for _ = 1, 100 do
         local _, mail = request.send { from = "a@me.example", to = "b@x.example", text = "" }
         assert.truthy(mail.message_id:find("^<%x+@me%.example>$"))
         assert.is_nil(seen[mail.message_id])
         seen[mail.message_id] = true
      end
   end)
end)
