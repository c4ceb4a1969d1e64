-- What an interruption means, by the events before it. spec/live/terminal_spec.lua shows the line that is drawn.
local sending = require "smtp.cli.sending"

-- -> what finish returns after these events
local function fate(events)
   local observe, finish = sending.watch(false)
   for i, event in ipairs(events) do
      event.seconds = i
      observe(event)
   end
   return finish(false)
end

local mail = { name = "sent", stage = "mail", text = "MAIL FROM:<a@b.example>" }
local part = { name = "message", bytes = 1048576, size = 4194304 }
local final = { name = "stage", stage = "final" }
local accepted = { name = "heard", stage = "final", text = "250 2.0.0 ok" }

describe("An interruption", function()
   it("before the message says nothing more", function()
      assert.equal("", fate {})
      assert.equal("", fate { mail })
   end)

   it("amid the message says how much was sent", function()
      assert.equal(" after 1.00 of 4.00 MiB of the message: the server does not deliver an incomplete message",
         fate { mail, part })
      assert.equal(" after 2.00 MiB of the message: the server does not deliver an incomplete message",
         fate { mail, { name = "message", bytes = 2097152 } })
   end)

   it("before the last reply says that the outcome is not known", function()
      assert.equal(" before the server had confirmed the message: it may have accepted it", fate { mail, part, final })
   end)

   it("after the last reply says what that was", function()
      local quit = { name = "stage", stage = "quit" }
      assert.equal(" after the server had accepted the message", fate { mail, part, final, accepted, quit })
      assert.equal(" after the server had refused the message",
         fate { mail, part, final, { name = "heard", stage = "final", text = "554 5.7.1 no" }, quit })
   end)

   it("amid a second transaction says that the first one was accepted", function()
      assert.equal(" after 1.00 of 4.00 MiB of the message: the server does not deliver an incomplete message; "
         .. "earlier recipients have it", fate { mail, part, final, accepted, mail, part })
   end)
end)

describe("A message that was accepted", function()
   it("is reported, though the words for those that were refused cannot be loaded", function()
      local name, safe = "smtp.cli.wording", require "smtp.safe"
      local loaded, send = package.loaded[name], safe.send
      finally(function() package.loaded[name], package.preload[name], safe.send = loaded, nil, send end)
      package.loaded[name] = nil
      package.preload[name] = function() error("no descriptors", 0) end
      local receipt = { refused = { { address = "b@example.net" } } }
      function safe.send() return receipt end
      assert.equal(receipt, sending.deliver {})
   end)
end)
