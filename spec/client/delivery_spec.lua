-- Messages on their way, and what is reported of them, where connections end and servers are odd.
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

   it("goes to each of its recipients once, in as many transactions as it takes", function()
      for _, many in ipairs { false, true } do
         local server = spec_server.one_at_a_time()
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
         capabilities = "PIPELINING\nCHUNKING", mechanisms = "", mechanisms_before_tls = "" }
      local kept = spec_server.new { said = "", reply = function(self, what)
         if what == "final" then self:vanish() end
      end }
      function kept.kept() return facts end
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

-- Pieces of a message, and how often they were read to their end.
local function read_once()
   local count, ends = 2, 0
   return function()
      count = count - 1
      if count >= 0 then return "piece\r\n" end
      ends = ends + 1
      return nil
   end, function() return ends end
end

describe("A message from a function", function()
   it("is read once: what the server left out gets no transaction of its own", function()
      local pieces_of, ends = read_once()
      local server = spec_server.takes_one()
      local to = { "bob@there.example", "eve@there.example" }
      local receipt = assert(smtp.send(options(message { to = to, raw = pieces_of }, { server })))
      assert.equal("accepted deferred", talk.states(receipt))
      assert.same({ 1, 1 }, { ends(), #server.taken })
      assert.equal("piece\r\npiece\r\n", server.taken[1].body)
   end)

   it("is not sent without BDAT to a server that refused it as unknown after it was read", function()
      local pieces_of, ends = read_once()
      local server = spec_server.new { reply = function(self, what)
         if what ~= "final" then return nil end
         self.closing = true
         return "500 what?"
      end }
      local _, err = smtp.send(options(message { raw = pieces_of }, { server, spec_server.new() }))
      assert.same({ "data_refused", "bdat", "now", 1 }, { err.kind, err.reason, err.retry, ends() })
   end)

   it("that was not read yet goes out by another connection", function()
      local pieces_of, ends = read_once()
      local first, count = spec_server.new { capabilities = {} }, 0
      function first:close() self.closed = true end
      function first:reply(what)
         if what == "data" then self:vanish() end
         if what == "rcpt" then count = count + 1 end
         return what == "rcpt" and count > 1 and "452 4.5.3 too many" or nil
      end
      local second = spec_server.new { capabilities = {} }
      assert(smtp.send(options(message { raw = pieces_of, to = { "bob@there.example", "eve@there.example" } },
         { first, second, spec_server.new() })))
      assert.is_true(first.closed)
      assert.equal(1, ends())
      assert.equal("piece\r\npiece\r\n", second.taken[1].body)
   end)
end)

describe("The deadline", function()
   local delivery = require "smtp.client.delivery"

   it("of a message of known size is later by what the size takes, unless the caller has set it", function()
      local server = { timeout = 300 }
      assert.equal(305, delivery.deadline(server, {}, 5))
      assert.equal(305, delivery.deadline(server, nil, 5))
      assert.equal(315, delivery.deadline(server, { size = 10 * 131072 }, 5))
      server.timeout_given = true
      assert.equal(305, delivery.deadline(server, { size = 10 * 131072 }, 5))
   end)
end)

describe("A recipient of a further transaction", function()
   it("that was accepted there, before the connection ended, has that reply and is unsent", function()
      local server, transactions = spec_server.new { capabilities = {} }, 0
      function server:reply(what)
         if what == "mail" then transactions = transactions + 1 end
         if what == "data" and transactions == 2 then self:vanish() end
         return what == "rcpt" and self.to[1] and "452 4.5.3 too many" or nil
      end
      local given = options(message { to = { "bob@there.example", "eve@there.example" } }, {})
      given.transport = server
      local _, err = smtp.send(given)
      assert.same({ "disconnected", "partly" }, { err.kind, err.sent })
      assert.equal("accepted unsent", talk.states(err))
      assert.same({ 250, 250 }, { err.recipients[1].code, err.recipients[2].code })
   end)

   it("gives a receipt of all transactions, and of how long they took", function()
      local server = spec_server.new { reply = function(self, what)
         return what == "rcpt" and self.to[1] and "452 4.5.3 too many" or nil
      end }
      local to = { "bob@there.example", "eve@there.example" }
      local receipt = assert(smtp.send(options(message { to = to }, { server })))
      assert.equal("accepted accepted", talk.states(receipt))
      assert.truthy(receipt.seconds >= 0 and receipt.seconds < 20, receipt.seconds)
   end)
end)

describe("A new connection", function()
   it("that the server closes at once is not replaced by another", function()
      local dead = spec_server.new { said = "", gone = true }
      local _, err = smtp.send(options(message(), { dead })) -- a second one would be one too many
      assert.same({ "disconnected", "greeting" }, { err.kind, err.stage })
   end)

   it("that the server ends because of too many recipients is the only one of an object", function()
      local connects, count = 0, 0
      local server = spec_server.new { capabilities = {} }
      function server.connect()
         connects = connects + 1
         return true
      end
      function server:reply(what)
         if what == "data" then self:vanish() end
         if what == "rcpt" then count = count + 1 end
         return what == "rcpt" and count > 1 and "452 4.5.3 too many" or nil
      end
      local given = options(message { to = { "bob@there.example", "eve@there.example" } }, {})
      given.transport = server
      local _, err = smtp.send(given)
      assert.same({ "disconnected", "data", "no", 1 }, { err.kind, err.stage, err.sent, connects })
   end)
end)

describe("A kept connection", function()
   -- What runtime.transport is asked for while a message is sent: nothing that was kept?
   local function asked_for(servers, more)
      local transport, asked = runtime.transport, {}
      finally(function() runtime.transport = transport end)
      runtime.transport = function(_, fresh)
         asked[#asked + 1] = fresh or false
         return table.remove(servers, 1)
      end
      local given = options(message(more), {})
      given.transport = nil
      return asked, smtp.send(given)
   end

   local function kept(reply, auth)
      local server = spec_server.new { said = "", reply = reply }
      function server.kept()
         return { esmtp = true, tls = "skipped", auth = auth or "skipped", server = "mx",
            capabilities = "PIPELINING", mechanisms = "", mechanisms_before_tls = "" }
      end
      return server
   end

   it("that is dead is replaced by a new one, not by another that was kept", function()
      local dead = kept(function(self, what)
         if what == "mail" then self:vanish() end
      end)
      function dead:close() self.closed = true end
      local new = spec_server.new()
      local asked, receipt = asked_for { dead, new }
      assert(receipt)
      assert.same({ false, true }, asked)
      assert.is_true(dead.closed)
      assert.equal(1, #new.taken)
   end)

   it("shows no secret that the server repeats, though there is no login on it", function()
      local server = kept(function(_, what)
         return what == "final" and "250 queued for sesame-62" or nil
      end, "authenticated")
      local _, receipt = asked_for({ server }, { username = "ann", password = "sesame-62", auth_plaintext = true })
      assert.equal("queued for [secret]", assert(receipt).reply.text)
   end)

   it("that fails after it has answered is not replaced", function()
      local broken = kept(function(self, what)
         if what == "rcpt" then self:vanish() end
      end)
      local asked, receipt, err = asked_for({ broken, spec_server.new() }, { pipelining = "off" })
      assert.is_nil(receipt)
      assert.same({ "disconnected", "no" }, { err.kind, err.sent })
      assert.same({ false }, asked)
   end)

   it("that ends because of too many recipients is replaced by a new one, too", function()
      local count = 0
      local full = kept(function(self, what)
         if what ~= "rcpt" then return nil end
         count = count + 1
         if count == 3 then self.closing = true end
         return count > 1 and "451 4.5.3 too many" or nil
      end)
      local new = spec_server.new()
      local asked, receipt = asked_for({ full, new }, { to = { "a@x.example", "b@x.example", "c@x.example" } })
      assert.same({ "a@x.example", "b@x.example", "c@x.example" }, assert(receipt).accepted)
      assert.same({ false, true }, asked)
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
