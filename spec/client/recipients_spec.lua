-- More recipients than a server takes: each gets the message once, whatever the server does with
-- those that are too many.
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"


-- A server that takes `limit` recipients in a transaction and refuses more with `refusal`. After
-- `errors_max` refusals on a connection it says `farewell` (nothing where it is "") and closes;
-- the first `overshoot` refusals of a transaction are free.
local function limited(model)
   local count, errors = 0, 0
   local server = spec_server.new { rcpts = 0, capabilities = model.capabilities
      or { "PIPELINING", "CHUNKING" } }
   function server.reply(self, what)
      if what == "mail" then count = 0 end
      if what ~= "rcpt" then return model.reply and model.reply(self, what) end
      self.rcpts = self.rcpts + 1
      local other = model.reply and model.reply(self, what)
      if not other then
         count = count + 1
         if count <= model.limit then return nil end
         other = model.refusal or "452 4.5.3 too many recipients"
         if count - model.limit <= (model.overshoot or 0) then return other end
      end
      if other:sub(1, 1) == "2" then return other end
      errors = errors + 1
      if errors < (model.errors_max or math.huge) then return other end
      self.closing = true
      return other .. (model.farewell and "\r\n" .. model.farewell or "")
   end
   -- How many RCPT the client says at once.
   local send = server.send
   function server.send(self, data)
      local _, flight = data:gsub("RCPT TO", "")
      self.flight = math.max(self.flight or 0, flight)
      return send(self, data)
   end
   return server
end

local function addresses(count)
   local list = {}
   for i = 1, count do list[i] = ("u%d@x.example"):format(i) end
   return list
end

-- Options of connections to servers like `model`, the servers that come to be, and the message.
local function setup(model, more)
   local servers = {}
   local all = talk.options { port = talk.new_port(), from = false, to = false, raw = false }
   all.transport = function()
      servers[#servers + 1] = limited(model)
      return servers[#servers]
   end
   local message = { from = "ann@me.example", raw = "hello\r\n" }
   for name, value in pairs(more or {}) do message[name] = value end
   return all, servers, message
end

local function both(options, message)
   local all = {}
   for name, value in pairs(options) do all[name] = value end
   for name, value in pairs(message) do all[name] = value end
   return all
end

-- By address, how often it was given the message; how many transactions, RCPT, and RCPT in a flight.
local function taken(servers)
   local times, transactions, rcpts, flight = {}, 0, 0, 0
   for _, server in ipairs(servers) do
      for _, one in ipairs(server.taken) do
         transactions = transactions + 1
         assert.equal("hello\r\n", one.body)
         for _, to in ipairs(one.to) do times[to] = (times[to] or 0) + 1 end
      end
      rcpts, flight = rcpts + server.rcpts, math.max(flight, server.flight or 0)
   end
   return times, transactions, rcpts, flight
end

local function check_all_once(servers, to)
   local times, transactions, rcpts, flight = taken(servers)
   for i = 1, #to do assert(times[to[i]] == 1, to[i] .. ": " .. tostring(times[to[i]])) end
   assert.is_true(flight <= 100 + 2, flight .. " RCPT in a flight") -- 2 of other messages
   return transactions, rcpts
end

local postfix = { limit = 1000, overshoot = 1000, errors_max = 20,
   farewell = "421 4.7.0 too many errors" }
local chasquid = { limit = 100, errors_max = 3, farewell = "421 4.5.0 too many errors",
   capabilities = { "PIPELINING" } }
local courier = { limit = 100, refusal = "431 Too many recipients" }

local models = {
   { "Postfix", postfix, 2020, { 1, 3 } },
   { "chasquid", chasquid, 150, { 2, 2 } },
   { "a server that closes without a word", { limit = 100, errors_max = 3 }, 250, { 2, 3 } },
   { "a server that closes after the first that was too many", { limit = 7, errors_max = 1 }, 50,
      { 2, 8 } },
   { "Courier", courier, 250, { 1, 4 } },
   { "an older server", { limit = 10, refusal = "552 5.5.3 too many" }, 25, { 1, 4 } },
   { "an older server that says 4.5.3", { limit = 10, refusal = "552 4.5.3 too many" }, 25, { 1, 4 } },
   { "a server that says it by the status alone", { limit = 10, refusal = "451 4.5.3 too many" }, 25, { 1, 4 } },
   { "a server without PIPELINING", { limit = 5, errors_max = 2, capabilities = {} }, 12, { 2, 4 } },
   { "a server without enhanced status codes", { limit = 5, refusal = "452 too many" }, 12, { 1, 4 } },
}

local function pieces()
   local done
   return function()
      if done then return nil end
      done = true
      return "hello\r\n"
   end
end

describe("More recipients than the server takes", function()
   for _, entry in ipairs(models) do
      local name, model, count, most = entry[1], entry[2], entry[3], entry[4]
      local to = addresses(count)

      it("get the message from smtp.send at " .. name, function()
         local options, servers, message = setup(model, { to = to })
         local receipt, err = smtp.send(both(options, message))
         assert(receipt, tostring(err))
         assert.same(to, receipt.accepted)
         assert.same({}, receipt.refused)
         local transactions, rcpts = check_all_once(servers, to)
         assert.is_true(#servers <= most[1], #servers .. " connections")
         assert.is_true(transactions <= most[2], transactions .. " transactions")
         assert.is_true(rcpts <= 3 * count, rcpts .. " RCPT")
      end)

      -- With eager, what follows RCPT is in doubt where the server closes without a word.
      local silent = model.errors_max and not model.farewell
      for _, pipelining in ipairs { "safe", not silent and "eager" or nil } do
         it("get the message from send_many at " .. name .. ", pipelining " .. pipelining, function()
            local options, servers, message = setup(model, { to = to })
            options.pipelining = pipelining
            local other = { from = "ann@me.example", to = "bob@there.example", raw = "hello\r\n" }
            local summary = smtp.send_many(options, { other, message, other }, { connections = 1 })
            for _, result in ipairs(summary.results) do
               assert(not smtp.is_error(result), tostring(result))
            end
            assert.same(to, summary.results[2].accepted)
            check_all_once(servers, to)
            assert.equal(2, (taken(servers))["bob@there.example"])
         end)
      end
   end

   it("that cannot be read again get it as far as one transaction goes", function()
      local to = addresses(25)
      local options, servers, message = setup({ limit = 10 }, { to = to, raw = pieces() })
      local receipt = assert(smtp.send(both(options, message)))
      assert.equal(10, #receipt.accepted)
      assert.equal(15, #receipt.refused)
      assert.same({ "deferred", 452, "4.5.3" },
         { receipt.refused[1].state, receipt.refused[1].code, receipt.refused[1].enhanced })
      assert.equal(1, #servers)
   end)

   it("get a message that can be read once where the connection ended before it was read", function()
      local to = addresses(8)
      local options, servers, message = setup({ limit = 10, errors_max = 1,
         reply = function(self, what)
            if what == "rcpt" and self.rcpts == 5 and #self.lines < 8 then return "452 4.5.3 no" end
         end }, { to = to, raw = pieces() })
      local receipt = assert(smtp.send(both(options, message)))
      assert.equal(2, #servers)
      assert.equal("accepted accepted accepted accepted deferred unsent unsent unsent",
         talk.states(receipt))
   end)

   it("cost few RCPT: the limit is learned", function()
      local to = addresses(600)
      local options, servers, message = setup({ limit = 1 }, { to = to })
      assert.equal(600, #assert(smtp.send(both(options, message))).accepted)
      local _, rcpts = check_all_once(servers, to)
      assert.equal(1, #servers)
      assert.is_true(rcpts <= 1000, rcpts .. " RCPT")
   end)

   it("go out in larger transactions where the limit was a passing one", function()
      local to = addresses(400)
      local model = { limit = 10, reply = function(_, what) return nil, what end }
      local options, servers, message = setup(model, { to = to })
      function model.reply(self, what)
         if what == "final" and #self.taken == 0 then model.limit = 1000 end
      end
      assert(smtp.send(both(options, message)))
      local transactions = check_all_once(servers, to)
      assert.is_true(transactions > 10 and transactions < 30, transactions .. " transactions")
      local sizes = servers[1].taken
      assert.equal(10, #sizes[2].to)
      assert.is_true(#sizes[3].to > 10 and #sizes[3].to < 20)
   end)

   it("of a later message on the connection are offered as many as the server took", function()
      local options, servers, message = setup({ limit = 10 }, { to = addresses(40) })
      local connection = assert(smtp.connect(options))
      for _ = 1, 3 do assert.equal(40, #assert(connection:send(message)).accepted) end
      connection:quit()
      assert.is_true(servers[1].rcpts < 3 * 40 + 30 + 12)
   end)
end)

describe("All or none", function()
   for _, model in ipairs { { limit = 10 }, courier, { limit = 10, refusal = "552 5.5.3 too many" },
      { limit = 10, capabilities = { "PIPELINING", "LIMITS RCPTMAX=10" } },
      { limit = 10, capabilities = {} } } do
      it("of more recipients than the server takes is an error before DATA: " .. (model.refusal
         or model.capabilities and #model.capabilities .. " capabilities" or "452"), function()
         for _, many in ipairs { false, true } do
            local options, servers, message = setup(model, { to = addresses(150), recipients = "all" })
            local err
            if many then
               err = smtp.send_many(options, { message }).results[1]
            else
               err = select(2, smtp.send(both(options, message)))
            end
            assert.same({ "recipients_refused", "too_many", "no" }, { err.kind, err.reason, err.sent })
            assert.matches("any", err.hint)
            assert.is_nil(table.concat(servers[1].lines, "\n"):find("DATA"))
            assert.is_nil(table.concat(servers[1].lines, "\n"):find("BDAT"))
            assert.equal(1, #servers)
            for i, one in ipairs(err.recipients) do
               assert(one.state == "unsent" or one.code and one.state ~= "accepted", i)
            end
         end
      end)
   end

   it("does not go out in parts where the server ends the connection", function()
      local options, servers, message = setup(chasquid, { to = addresses(150), recipients = "all" })
      local _, err = smtp.send(both(options, message))
      assert.same({ "disconnected", 421, "later", "no" }, { err.kind, err.code, err.retry, err.sent })
      assert.equal(1, #servers)
      assert.same({}, servers[1].taken)
   end)
end)

describe("A server that ends the connection at RCPT", function()
   local function states(err)
      local count = {}
      for _, one in ipairs(err.recipients) do count[one.state] = (count[one.state] or 0) + 1 end
      return count
   end

   it("is not connected to again by the caller's own connection, which reports each recipient", function()
      local options, servers, message = setup(chasquid, { to = addresses(150) })
      local connection = assert(smtp.connect(options))
      local _, err = connection:send(message)
      assert.same({ "disconnected", 421, "later", "no", "rcpt" },
         { err.kind, err.code, err.retry, err.sent, err.stage })
      assert.same({ unsent = 147, deferred = 3 }, states(err))
      assert.equal(1, #servers)
   end)

   it("and cannot be connected to again leaves the message unsent", function()
      for _, many in ipairs { false, true } do
         local options, servers, message = setup(chasquid, { to = addresses(150) })
         local make = options.transport
         function options.transport()
            local server = make()
            if #servers > 1 then
               function server.connect() return nil, "connect:refused", "refused" end
            end
            return server
         end
         local err
         if many then
            err = smtp.send_many(options, { message }, { connections = 1 }).results[1]
         else
            err = select(2, smtp.send(both(options, message)))
         end
         assert.same({ "connect", "no", "later" }, { err.kind, err.sent, err.retry })
         assert.same({ unsent = 147, deferred = 3 }, states(err))
      end
   end)

   it("without a refusal is not tried again with fewer", function()
      local options, servers, message = setup({ limit = 1000, reply = function(self, what)
         if what == "rcpt" and self.rcpts == 3 then
            self.closing = true
            return "421 going down"
         end
      end }, { to = addresses(5) })
      local _, err = smtp.send(both(options, message))
      assert.same({ "disconnected", 421, "later", "no" }, { err.kind, err.code, err.retry, err.sent })
      assert.same({ unsent = 5 }, states(err))
      assert.equal(1, #servers)
   end)

   it("with a 421 that names too many recipients takes fewer on another connection", function()
      local to = addresses(10)
      local options, servers, message = setup({ limit = 1000, reply = function(self, what)
         if what == "rcpt" and #self.to == 3 then
            self.closing = true
            return "421 4.5.3 too many recipients"
         end
      end }, { to = to })
      assert.same(to, assert(smtp.send(both(options, message))).accepted)
      check_all_once(servers, to)
      assert.equal(2, #servers)
   end)

   it("with such a 421 to DATA ends the message", function()
      local options, servers, message = setup({ limit = 2, reply = function(self, what)
         if what == "final" or what == "data" then
            self.closing = true
            return "421 4.5.3 too many recipients"
         end
      end, capabilities = { "PIPELINING" } }, { to = addresses(2) })
      for _, many in ipairs { false, true } do
         local err
         if many then
            err = smtp.send_many(options, { message }, { connections = 1 }).results[1]
         else
            err = select(2, smtp.send(both(options, message)))
         end
         assert.same({ "disconnected", 421, "no" }, { err.kind, err.code, err.sent })
      end
      assert.is_true(#servers < 10)
   end)

   it("because many are refused for good serves the others on further connections", function()
      local to = addresses(60)
      for _, many in ipairs { false, true } do
         local options, servers, message = setup({ limit = 1000, errors_max = 10,
            farewell = "421 4.7.0 too many errors", reply = function(self, what)
               local i = what == "rcpt" and tonumber(self.lines[#self.lines]:match("u(%d+)@"))
               if i and i % 2 == 0 then return "550 5.1.1 who?" end
            end }, { to = to })
         local receipt
         if many then
            receipt = smtp.send_many(options, { message }, { connections = 1 }).results[1]
         else
            receipt = assert(smtp.send(both(options, message)))
         end
         assert.same({ accepted = 30, refused = 30 }, states(receipt))
         local times = taken(servers)
         for i = 1, 60 do assert.equal(i % 2 == 1 and 1 or nil, times[to[i]]) end
      end
   end)

   -- u1 to u12 are refused, and after each third refusal the server ends the connection.
   local function refusing(count, more)
      local model = { limit = 1000, errors_max = 3, farewell = "421 4.5.0 too many errors",
         reply = function(self, what)
            local i = what == "rcpt" and tonumber(self.lines[#self.lines]:match("u(%d+)@"))
            if i and i <= 12 then return "550 5.1.1 who?" end
         end }
      return setup(model, { to = addresses(count), recipients = more })
   end

   local function send(many, options, message, before)
      if many then
         local results = smtp.send_many(options, { before or message, before and message },
            { connections = 1 }).results
         return results[#results]
      end
      local receipt, err = smtp.send(both(options, message))
      return receipt or err
   end

   it("before it has accepted any serves the others on further connections", function()
      for _, many in ipairs { false, true } do
         local options, servers, message = refusing(20)
         local receipt = send(many, options, message)
         assert(receipt.accepted, tostring(receipt))
         assert.same({ accepted = 8, refused = 12 }, states(receipt))
         assert.is_true(#servers <= 6, #servers .. " connections")
         local times = taken(servers)
         for i = 1, 20 do assert.equal(i > 12 and 1 or nil, times[message.to[i]]) end
      end
   end)

   it("and never accepts any gives their refusals", function()
      for _, many in ipairs { false, true } do
         local options, _, message = refusing(8)
         local err = send(many, options, message)
         assert.same({ "recipients_refused", 550, "never", "no" }, { err.kind, err.code, err.retry, err.sent })
         assert.same({ refused = 8 }, states(err))
      end
   end)

   it("because of a message before gets this one on another connection", function()
      local before = { from = "ann@me.example", raw = "hello\r\n",
         to = { "u1@x.example", "u2@x.example", "bob@x.example" } }
      for _, all in ipairs { "all", "any" } do
         local options, servers, message = refusing(3, all)
         local err = send(true, options, message, before)
         assert.same({ "recipients_refused", 550, "never", "no" }, { err.kind, err.code, err.retry, err.sent })
         assert.equal(1, (taken(servers))["bob@x.example"])
      end
   end)
end)

describe("Recipients of further transactions", function()
   local six = addresses(6)

   -- LIMITS RCPTMAX=2; `replies` to RCPT by number.
   local function send(replies, more)
      local model = { limit = 2, capabilities = { "PIPELINING", "LIMITS RCPTMAX=2" },
         reply = function(self, what)
            if what == "rcpt" then return replies[tonumber(self.lines[#self.lines]:match("u(%d+)@"))] end
         end }
      local options, servers, message = setup(model, { to = six })
      for name, value in pairs(more or {}) do options[name] = value end
      local result, err = smtp.send(both(options, message))
      local same = smtp.send_many(options, { message }, { connections = 1 }).results[1]
      assert.same(talk.states(result or err), talk.states(same))
      return result, err, servers
   end

   it("are offered the message where those of the first were all refused", function()
      local receipt = assert(send { "550 who?", "451 later" })
      assert.same({ "u3@x.example", "u4@x.example", "u5@x.example", "u6@x.example" }, receipt.accepted)
      assert.equal("refused deferred accepted accepted accepted accepted", talk.states(receipt))
      assert.equal(250, receipt.reply.code)
   end)

   it("that are all refused leave the message to the others", function()
      local receipt = assert(send { [3] = "550 who?", [4] = "550 who?" })
      assert.equal("accepted accepted refused refused accepted accepted", talk.states(receipt))
   end)

   it("refused in all of them are an error, made from the refusal that decides", function()
      local _, err = send { "550 1", "550 2", "550 3", "451 4.7.1 greylisted", "550 5", "550 6" }
      assert.same({ "recipients_refused", 451, "4.7.1", "greylisted", "later", "no" },
         { err.kind, err.code, err.enhanced, err.text, err.retry, err.sent })
      assert.equal("refused refused refused deferred refused refused", talk.states(err))
      assert.matches("u1@x.example: 550 1; .*and 3 more", tostring(err))
      _, err = send { "550 1", "551 2", "553 3", "550 4", "550 5", "550 6" }
      assert.same({ 550, "1", "never" }, { err.code, err.text, err.retry })
   end)
end)

describe("RCPT", function()
   -- <rcpt 1, 100> offers u1 to u100; <ok 99> accepts so many commands.
   local flights = talk.snippets {
      mail = "C: MAIL FROM:<ann@me.example>",
      rcpt = function(from, to)
         local lines = {}
         for i = tonumber(from), tonumber(to) do lines[#lines + 1] = ("C: RCPT TO:<u%d@x.example>"):format(i) end
         return table.concat(lines, "\n")
      end,
      ok = function(count) return ("S: 250 ok\n"):rep(tonumber(count or 1)) end,
   }

   it("goes out in flights of a hundred, the last one with DATA", function()
      local flights_of = { [100] = flights [[
         <hello PIPELINING>
         <mail>
         <rcpt 1, 100>
         C: DATA
         <ok 101>
      ]], [230] = flights [[
         <hello PIPELINING>
         <mail>
         <rcpt 1, 100>
         <ok 101>
         <rcpt 101, 200>
         <ok 100>
         <rcpt 201, 230>
         C: DATA
         <ok 30>
      ]] }
      for count, envelope in pairs(flights_of) do
         local receipt = talk.send({ to = addresses(count) }, flights([[
            <envelope>
            S: 354 go
            MESSAGE
            <ok>
            <bye>
         ]], { envelope = envelope }))
         assert.equal(count, #receipt.accepted)
      end
   end)

   it("ends with the flight in which one was too many", function()
      local receipt = talk.send({ to = addresses(150) }, flights [[
         <hello PIPELINING>
         <mail>
         <rcpt 1, 100>
         <ok 100>
         S: 452 4.5.3 too many
         C: DATA
         S: 354 go
         MESSAGE
         <ok>
         <mail>
         <rcpt 100, 150>
         C: DATA
         <ok 52>
         S: 354 go
         MESSAGE
         <ok>
         <bye>
      ]])
      assert.equal(150, #receipt.accepted)
   end)

   it("ends with the flight in LMTP too", function()
      local receipt = talk.send({ to = addresses(4), protocol = "lmtp" }, flights [[
         <lhlo PIPELINING>
         <mail>
         <rcpt 1, 4>
         C: DATA
         <ok 3>
         S: 452 too many
         S: 431 too many
         S: 354 go
         MESSAGE
         <ok 2>
         <mail>
         <rcpt 3, 4>
         C: DATA
         <ok 3>
         S: 354 go
         MESSAGE
         <ok>
         S: 550 full
         <bye>
      ]])
      assert.equal("accepted accepted accepted refused", talk.states(receipt))
   end)

   it("goes on after a refusal that speaks of this recipient only", function()
      for _, line in ipairs { "452 4.2.2 full", "431 4.3.1 disk", "552 5.2.2 full", "452 too many" } do
         local is_first = line:find "too many" -- as the first reply it speaks of the recipient
         local receipt = talk.send({ to = addresses(101) }, flights([[
            <hello PIPELINING>
            <mail>
            <rcpt 1, 100>
            <ok>
            S: $one
            S: $other
            <ok 98>
            <rcpt 101, 101>
            C: DATA
            <ok>
            S: 354 go
            MESSAGE
            <ok>
            <bye>
         ]], { one = is_first and line or "250 ok", other = is_first and "250 ok" or line }))
         assert.equal(100, #receipt.accepted)
         assert.equal(1, #receipt.refused)
      end
   end)
end)

