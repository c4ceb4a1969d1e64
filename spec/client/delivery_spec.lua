-- Messages on their way, and what is told of them, where connections end and servers are odd.
local runtime = require "smtp.runtime.runtime"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local message = talk.message

local function options(more, servers)
   return talk.options_to(servers, more)
end

describe("A message", function()
   local names = { "a@x.example", "b@x.example", "c@x.example", "d@x.example" }

   -- Takes one recipient at a time, for as many transactions as it takes.
   local function one_at_a_time(broken)
      local count, ends = 0, 0
      return spec_server.new { reply = function(_, what)
         if what == "mail" then count = 0 end
         if what == "rcpt" then
            count = count + 1
            return count > 1 and "452 4.5.3 too many" or nil
         elseif what == "final" then
            ends = ends + 1
            return ends == broken and "451 later\r\n421 bye" or nil
         end
      end }
   end

   it("goes to each of its recipients once, in as many transactions as it takes", function()
      for _, many in ipairs { false, true } do
         local server = one_at_a_time()
         local receipt
         if many then
            receipt = smtp.send_many(options({}, { server }), { message { to = names } },
               { connections = 1 }).results[1]
         else
            receipt = assert(smtp.send(options(message { to = names }, { server })))
         end
         assert.same(names, receipt.accepted)
         local taken = {}
         for i = 1, #server.taken do taken[i] = server.taken[i].to[1] end
         assert.same(names, taken)
      end
   end)

   it("goes out without BDAT where that is preferred, and not known", function()
      local knows_none = spec_server.new { reply = function(self, what)
         if what ~= "final" then return nil end
         self.closing = true
         return "500 what?"
      end }
      local other = spec_server.new()
      assert(smtp.send(options(message { extensions = { chunking = "prefer" } },
         { knows_none, other })))
      assert.matches("DATA", table.concat(other.lines))
   end)

   it("that may have been taken on a kept connection is not sent again", function()
      local facts = { esmtp = true, tls = "skipped", auth = "skipped", server = "mx",
         capabilities = "PIPELINING\nCHUNKING", mechanisms_before_tls = "" }
      local kept = spec_server.new { said = "", reply = function(self, what)
         if what == "final" then self:vanish() end
      end }
      function kept.kept() return { facts = facts } end
      local transport = runtime.transport
      finally(function() runtime.transport = transport end)
      runtime.transport = function() return kept end
      local given = options(message { pipelining = "eager" }, {})
      given.transport = nil
      local _, err = smtp.send(given)
      assert.equal("maybe", err.sent)
      assert.equal("doubt", err.retry)
   end)
end)

describe("What is shown", function()
   it("has no octet of a message, however little of it a write takes", function()
      local lines, writes = {}, 0
      local server = spec_server.new { portion = function(len)
         writes = writes + 1
         return len > 40000 and 35000 or len
      end }
      local list = {}
      for i = 1, 8 do
         list[i] = message { raw = ("hidden %d\r\n"):format(i):rep(i < 4 and 2000 or 8000) }
      end
      local all = options({ pipelining = "eager", trace = function(_, line)
         lines[#lines + 1] = line
      end }, { server })
      assert.equal(8, smtp.send_many(all, list, { connections = 1 }).sent)
      assert.is_nil(table.concat(lines, "\n"):find("hidden"))
      assert.is_true(writes > 12)
   end)
end)
