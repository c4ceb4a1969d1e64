-- What an interruption means, by the events before it. spec/live/terminal_spec.lua shows the line that is drawn.
local errors = require "smtp.errors"
local sending = require "smtp.cli.sending"
local signals = require "smtp.cli.signals"

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
   local safe = require "smtp.safe"
   local send = safe.send
   after_each(function()
      safe.send = send
      signals.note "no"
   end)

   -- -> the exit status, and what was written to standard error
   local function deliver(receipt, show)
      local stderr, said = io.stderr, {}
      function safe.send() return receipt end
      local function write(_, ...)
         for i = 1, select("#", ...) do said[#said + 1] = (select(i, ...)) end
      end
      io.stderr = { write = write } -- luacheck: ignore
      local ok, status = pcall(sending.deliver, {}, show)
      io.stderr = stderr -- luacheck: ignore
      return ok and status, table.concat(said)
   end

   it("is reported, though the words for those that were refused cannot be loaded", function()
      local name = "smtp.cli.wording"
      local loaded = package.loaded[name]
      finally(function() package.loaded[name], package.preload[name] = loaded, nil end)
      package.loaded[name] = nil
      package.preload[name] = function() error("no descriptors", 0) end
      local receipt, shown = { refused = { { address = "b@example.net" } } }, nil
      assert.equal(0, (deliver(receipt, function(one)
         shown = one
         return 0
      end)))
      assert.equal(receipt, shown)
   end)

   it("is not to be sent again, where its receipt cannot be shown", function()
      local lack = errors.new("system", { what = "a module cannot be loaded" })
      for cause, words in pairs { ["not enough memory"] = "not enough memory", [lack] = lack.what } do
         local status, said = deliver({ refused = {} }, function() error(cause, 0) end)
         assert.equal(74, status)
         assert.equal("lua-smtp: the message was sent, but the receipt cannot be shown: " .. words .. "\n", said)
         assert.equal(74, signals.unexplained)
      end
      assert.is_false((deliver({ refused = {} }, function() error("interrupted by signal 15", 0) end)))
   end)

   it("or may have been, has not the status of one that was not, where there is no memory to say so", function()
      for sent, status in pairs { no = 75, maybe = 70, partly = 70 } do
         function safe.send()
            assert.equal(70, signals.unexplained)
            return nil, errors.new("system", { sent = sent })
         end
         assert.is_nil((sending.deliver {}))
         assert.equal(status, signals.unexplained)
      end
   end)
end)
