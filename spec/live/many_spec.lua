-- Many messages to real servers: what is reported of each is what became of it.
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

local COUNT, REFUSED, NOBODY, READERS = 50, 17, 29, 2020

local function head(subject)
   return servers.head(subject, subject)
end

-- Each is another one. The one REFUSED has a sender whom nobody wants; the one with NOBODY a recipient who is not
-- there beside one who is; the one behind it no other.
local function messages()
   local list = {}
   for i = 1, COUNT do
      list[i] = { from = "ann@live.example", to = "bob@live.example", raw = head("m" .. i) .. ".text " .. i .. "\n" }
   end
   list[REFUSED].from = "refused@live.example"
   list[NOBODY].to = { "nobody@live.example", "bob@live.example" }
   list[NOBODY + 1].to = "nobody@live.example"
   return list
end

local function check(summary, list, texts)
   local wanted = {}
   for i, result in ipairs(summary.results) do
      local states = {}
      for at, entry in ipairs(result.recipients or {}) do states[at] = entry.state end
      local kind = i == REFUSED and "sender_refused" or i == NOBODY + 1 and "recipients_refused" or nil
      assert.equal(kind, result.kind, tostring(result))
      assert.equal(i == NOBODY and "refused accepted" or i == NOBODY + 1 and "refused"
         or i == REFUSED and "unsent" or "accepted", table.concat(states, " "))
      if not kind then wanted[#wanted + 1] = list[i].raw end
   end
   assert.same({ COUNT - 2, 2 }, { summary.sent, summary.failed })
   table.sort(wanted)
   table.sort(texts)
   assert.equal(table.concat(wanted, "~"), table.concat(texts, "~"))
end

-- A socket that writes down who talks: "S" for us, "R" for the server.
local function recorder(flights)
   local make = servers.transport()
   local function note(mark)
      if flights[#flights] ~= mark then flights[#flights + 1] = mark end
   end
   return function()
      local self = make()
      local send, receive = self.send, self.receiveany
      self.duplex = true
      function self.send(_, bytes)
         note "S"
         return send(self, bytes)
      end
      function self.receiveany(_, max)
         note "R"
         return receive(self, max)
      end
      return self
   end
end

describe("many messages to Postfix", function()
   local live = servers.during(setup, teardown, servers.start)

   local function relay(more)
      local t = { host = "127.0.0.1", port = live.relay_port, tls = "skip", timeout = 30 }
      for key, value in pairs(more or {}) do t[key] = value end
      return t
   end

   for _, grade in ipairs { "safe", "eager" } do
      for _, chunking in ipairs { "require", "skip" } do
         it(("have each its own outcome, pipelining = %s, chunking = %s"):format(grade, chunking), function()
            local list, flights = messages(), {}
            local summary = assert(safe.send_many(relay { pipelining = grade, extensions = { chunking = chunking },
               transport = recorder(flights) }, list, { connections = 1, window = 16 }))
            check(summary, list, live.arrived("bob", COUNT - 2))
            if grade == "eager" then assert(#flights < 3 * COUNT, #flights) end
            for _, result in ipairs(summary.results) do
               assert(not result.accepted or result.pipelining == grade, result.pipelining)
            end
         end)
      end
   end

   it("go over three connections at once", function()
      local list = messages()
      local summary = assert(safe.send_many(relay { pipelining = "eager" }, list, { connections = 3, window = 4,
         per_connection = 7 }))
      check(summary, list, live.arrived("bob", COUNT - 2))
   end)

   it("take four flights for one, eager", function()
      local flights = {}
      local receipt, err = safe.send(relay { pipelining = "eager", transport = recorder(flights), raw = head "eager",
         from = "ann@live.example", to = "bob@live.example", extensions = { chunking = "require" } })
      assert(receipt, tostring(err))
      assert.equal("R S R S R S R", table.concat(flights, " ")) -- greeting, EHLO, envelope, all the rest
      assert.same({ head "eager" }, live.arrived("bob", 1))
   end)

   -- Postfix as it comes takes 1,000, allows 1,000 too many, and ends the connection after 20 more.
   it("to 2,020 recipients are split, and each gets it once", function()
      local to = {}
      for i = 1, READERS do to[i] = ("reader-%d@live.example"):format(i) end
      table.insert(to, 700, "nobody@live.example")
      local receipt, err = safe.send(relay { raw = head "readers" .. "hello\n", from = "ann@live.example", to = to })
      assert(receipt, tostring(err))
      assert.same({ READERS, READERS + 1, 1 }, { #receipt.accepted, #receipt.recipients, #receipt.refused })
      for i, entry in ipairs(receipt.recipients) do
         assert(entry.address == to[i] and entry.state == (i == 700 and "refused" or "accepted"), entry.address)
      end
      local seen, count = {}, 0
      for _ = 1, 100 do
         local pipe = io.popen(("cd %s/var/boxes/readers/new 2>/dev/null && ls | wc -l"):format(live.work))
         count = tonumber(pipe:read("*l") or 0)
         pipe:close()
         if count >= READERS then break end
         os.execute("sleep 0.1")
      end
      assert.equal(READERS, count)
      local pipe = io.popen(("cat %s/var/boxes/readers/new/* | sed -n 's/^Delivered-To: //p'"):format(live.work))
      for address in pipe:lines() do seen[address] = (seen[address] or 0) + 1 end
      pipe:close()
      for i = 1, READERS do assert.equal(1, seen[("reader-%d@live.example"):format(i)]) end
   end)
end)

describe("many messages to Exim", function()
   local live = servers.during(setup, teardown, servers.start_exim)

   for _, grade in ipairs { "safe", "eager" } do
      for _, chunking in ipairs { "require", "skip" } do
         it(("have each its own outcome, pipelining = %s, chunking = %s"):format(grade, chunking), function()
            local list = messages()
            local summary = assert(safe.send_many({ host = "localhost", port = live.open_port, tls = "require",
               tls_ca_file = live.ca_file, username = "ann", password = "sesame", timeout = 30,
               pipelining = grade, extensions = { chunking = chunking } }, list, { connections = 1, window = 16 }))
            local texts = live.arrived("bob", COUNT - 2)
            for i, text in ipairs(texts) do texts[i] = text:gsub("X%-Identity: [^\n]*\n", "") end
            check(summary, list, texts)
         end)
      end
   end
end)

describe("many messages to Haraka", function()
   local live = servers.during(setup, teardown, servers.start_haraka)

   for connections = 1, 2 do
      it(("have each its own outcome, and safe pipelining after the first failure, %d connections"):format(connections),
         function()
            local list = messages()
            local to = { host = "127.0.0.1", port = live.port, tls = "skip", timeout = 30, pipelining = "eager" }
            local summary = assert(safe.send_many(to, list, { connections = connections, window = 16 }))
            check(summary, list, live.arrived("bob", COUNT - 2))
            assert.equal("safe", summary.results[COUNT].pipelining)
         end)
   end
end)
