-- LMTP to a real Dovecot: each recipient has a verdict of its own.
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

describe("Dovecot's LMTP", function()
   local live = servers.during(setup, teardown, servers.start_dovecot)

   local raw = servers.head "lmtp" .. ".hello\n"

   local function send(place, more)
      local options = { protocol = "lmtp", from = "ann@live.example", raw = raw, timeout = 30,
         host = place == "TCP" and "127.0.0.1" or nil, port = place == "TCP" and live.lmtp_port or nil,
         socket = place ~= "TCP" and live.lmtp_socket or nil }
      for key, value in pairs(more) do options[key] = value end
      return safe.send(options)
   end

   local function states(result)
      local list = {}
      for i, entry in ipairs(result.recipients) do list[i] = ("%s %d"):format(entry.state, entry.code) end
      return table.concat(list, ", ")
   end

   for _, place in ipairs { "TCP", "a unix socket" } do
      for _, chunking in ipairs { "require", "skip" } do
         it(("over %s knows two of three recipients, chunking = %s"):format(place, chunking), function()
            local receipt, err = send(place, { extensions = { chunking = chunking },
               to = { "bob@live.example", "nobody@live.example", "carol@live.example" } })
            assert(receipt, tostring(err))
            assert.equal("accepted 250, refused 550, accepted 250", states(receipt))
            assert.truthy(receipt.recipients[1].text:find("bob@live.example", 1, true))
            assert.truthy(receipt.recipients[3].text:find("carol@live.example", 1, true))
            for _, box in ipairs { "bob", "carol" } do assert.same({ raw }, live.arrived(box, 1)) end
         end)
      end
   end

   it("has a verdict after the message for each recipient", function()
      local receipt, err = send("TCP", { to = { "full@live.example", "bob@live.example" } })
      assert(receipt, tostring(err))
      assert.equal("deferred 451, accepted 250", states(receipt))
      assert.same({ raw }, live.arrived("bob", 1))
   end)

   it("that can deliver it to no recipient refuses the message", function()
      local _, err = send("a unix socket", { to = "full@live.example" })
      assert.same({ "data_refused", 451, "no", "later" }, { err.kind, err.code, err.sent, err.retry })
   end)

   it("takes a message in chunks, to the octet", function()
      local line, count = ("."):rep(99) .. "\n", 0
      local receipt, err = send("a unix socket", { to = "bob@live.example", raw = function()
         count = count + 1
         if count == 1 then return "Subject: chunks\n\n" end
         return count <= 31 and line:rep(100) or nil
      end, extensions = { chunking = "require" } })
      assert(receipt, tostring(err))
      assert(live.arrived("bob", 1)[1] == "Subject: chunks\n\n" .. line:rep(3000))
   end)

   it("takes many messages over one connection", function()
      local list = {}
      for i = 1, 30 do
         list[i] = { from = "ann@live.example", to = { "bob@live.example", "nobody@live.example" }, raw = raw }
      end
      for _, grade in ipairs { "safe", "eager" } do
         local summary = assert(safe.send_many({ protocol = "lmtp", socket = live.lmtp_socket, pipelining = grade },
            list, { connections = 1 }))
         assert.equal(30, summary.sent)
         assert.equal("accepted 250, refused 550", states(summary.results[30]))
         assert.equal(30, #live.arrived("bob", 30))
      end
   end)
end)
