-- smtp.outbox: what users call.
local outboxes = require "spec.tools.outboxes"
local raising = require "smtp"

local message, states = outboxes.message, outboxes.states

describe("An outbox", function()
   after_each(outboxes.clean)

   it("delivers what was put", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message("bob@example.net", "eve@example.net")))
      assert.equal("queued", case.box:get(id).state)
      assert.same({ sent = 1, failed = 0, doubt = 0, queued = 0 }, case.box:run { once = true })
      assert.same({ "bob@example.net", "eve@example.net" }, case.sink.messages[1].to)
      local entry = case.box:get(id)
      assert.equal("sent", entry.state)
      assert.equal("sent sent", states(entry))
      assert.equal("<m@example.org>", entry.message_id)
      assert.equal("ann@example.org", entry.from)
      assert.equal(1, #entry.attempts)
      assert.equal(250, entry.attempts[1].code)
      assert.same({ sent = 0, failed = 0, doubt = 0, queued = 0 }, case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
   end)

   it("counts a second put with the same id as the first one", function()
      local case = outboxes.new()
      assert.equal("order-7", case.box:put(message "bob@example.net", { id = "order-7" }))
      assert.equal("order-7", case.box:put(message "eve@example.net", { id = "order-7" }))
      assert(case.box:run { once = true })
      assert.equal("order-7", case.box:put(message "eve@example.net", { id = "order-7" }))
      assert(case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
      assert.same({ "bob@example.net" }, case.sink.messages[1].to)
   end)

   it("sends nothing before its time", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net", { at = case.clock.time + 3600 }))
      assert(case.box:run { once = true })
      assert.equal(0, #case.sink.messages)
      assert.equal(case.clock.time + 3600, case.box:get(id).due)
      case.clock.time = case.clock.time + 3600
      assert(case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
   end)

   it("calls on_result after the result is stored", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      assert(case.box:run { once = true })
      local one = case.results[1]
      assert.equal(id, one.entry.id)
      assert.equal("sent", one.entry.state)
      assert.equal("accepted", one.receipt.recipients[1].state)
      assert.is_nil(one.err)
   end)

   it("stops with an error if on_result raises one, and no message is sent twice", function()
      local case = outboxes.new { on_result = function() error "no disk" end }
      for i = 1, 3 do assert(case.box:put(message("u" .. i .. "@example.net"))) end
      local totals, err = case.box:run { once = true }
      assert.is_nil(totals)
      assert.equal("on_result", err.reason)
      assert.matches("no disk", err.what)
      assert(outboxes.beside(case, { on_result = false }):run { once = true })
      assert.equal(3, #case.sink.messages)
   end)

   it("of another name never claims a message", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      local other = outboxes.beside(case, { name = "other" })
      assert(other:run { once = true })
      assert.is_nil((other:get(id)))
      assert.equal(0, #case.sink.messages)
      assert.equal(0, other:stats().queued)
   end)

   it("of another server is another outbox of the same store", function()
      local case, other = outboxes.new(), outboxes.new()
      local beside = outboxes.beside(other, { store = case.path, server = { host = "other.example", tls = "skip",
         transport = other.server.transport } })
      for i = 1, 3 do assert(case.box:put(message("u" .. i .. "@example.net"), { id = "m" .. i })) end
      for i = 1, 2 do assert(beside:put(message("v" .. i .. "@example.net"), { id = "m" .. i })) end
      assert.equal(2, beside:run({ until_empty = true }).sent)
      assert.same({ 0, 2 }, { #case.sink.messages, #other.sink.messages })
      assert.equal(3, case.box:run({ until_empty = true }).sent)
      assert.same({ 3, 2 }, { #case.sink.messages, #other.sink.messages })
      assert.equal("v1@example.net", beside:get("m1").recipients[1].address)
   end)

   it("takes text of any kind for an id, a name or an address, and never for a command of its store", function()
      local odd = "x'); DROP TABLE messages; --\"\255\1%?1"
      local address = [["x'); DROP TABLE messages; --"@example.net]]
      local case = outboxes.new { name = odd }
      assert.equal(odd, case.box:put(message(address), { id = odd }))
      assert.equal(odd, case.box:put(message "bob@example.net", { id = odd }))
      assert.equal(odd, case.box:list({ to = address, state = "queued" })[1].id)
      assert.same({}, case.box:list { to = "%" })
      assert.same({}, case.box:list { to = "' OR 1=1 --" })
      assert.is_true(case.box:cancel(odd))
      assert.is_true(case.box:retry(odd))
      assert.equal(1, case.box:run({ once = true }).sent)
      assert.equal(odd, case.box:stats().name)
      assert.equal(address, case.box:get(odd).recipients[1].address)
      assert.same({ address }, case.sink.messages[1].to)
   end)

   it("lists its messages", function()
      local case = outboxes.new()
      for i = 1, 5 do assert(case.box:put(message("u" .. i .. "@Example.net"), { id = "m" .. i })) end
      local list = case.box:list { limit = 2 }
      assert.same({ 2, "m1", "m2" }, { #list, list[1].id, list[2].id })
      list = case.box:list { after = list[2].number }
      assert.same({ 3, "m3" }, { #list, list[1].id })
      assert.equal("m4", case.box:list({ to = "U4@example.net" })[1].id)
      assert.equal(5, #case.box:list { state = "queued" })
      assert.equal(0, #case.box:list { state = "sent" })
   end)

   it("counts its messages", function()
      local case = outboxes.new(nil, { faults = { rcpt = function(command)
         return command:find("eve") and "550 5.1.1 who?"
      end } })
      for _, name in ipairs { "bob", "eve", "zoe" } do
         assert(case.box:put(message(name .. "@example.net")))
      end
      assert.equal(case.clock.time, case.box:stats().due)
      assert(case.box:run { once = true })
      local stats = case.box:stats()
      assert.same({ 2, 1, 0, 0 }, { stats.sent, stats.failed, stats.queued, stats.doubt })
      assert.equal("relay.example:25", stats.name)
      assert.is_nil(stats.due)
      assert.is_nil(stats.why)
   end)

   it("cancels what waits", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      assert.is_true(case.box:cancel(id))
      assert(case.box:run { once = true })
      assert.equal(0, #case.sink.messages)
      assert.equal("cancelled", case.box:get(id).state)
      local done, err = case.box:cancel(id)
      assert.is_nil(done)
      assert.matches("its state is cancelled", err.what)
   end)

   it("sends again what has failed, if it is asked to", function()
      local fault = "550 5.7.1 no"
      local case = outboxes.new(nil, { faults = { rcpt = function() return fault end } })
      local id = assert(case.box:put(message "bob@example.net"))
      assert(case.box:run { once = true })
      assert.equal("failed", case.box:get(id).state)
      fault = nil
      assert.is_true(case.box:retry(id))
      assert(case.box:run { once = true })
      assert.equal("sent", case.box:get(id).state)
      assert.equal(3, #case.box:get(id).attempts)
      assert.is_nil((case.box:retry(id)))
   end)

   it("says which id it does not have", function()
      local box = outboxes.new().box
      assert.is_nil((box:get "x"))
      for _, call in ipairs { "retry", "cancel" } do
         assert.matches("no message with the id x", select(2, box[call](box, "x")).what)
      end
      assert.matches("no message with the id x", select(2, box:resolve("x", "sent")).what)
      assert.equal("resolve", select(2, box:resolve("x", "lost")).option)
   end)

   it("takes strings as ids", function()
      local box = outboxes.new().box
      for _, id in ipairs { 7, true, {}, print, 0 / 0, setmetatable({}, { __tostring = error }) } do
         for _, call in ipairs { "get", "retry", "cancel", "resolve" } do
            local result, err = box[call](box, id, "sent")
            assert.is_nil(result)
            assert.equal("usage id", err.kind .. " " .. err.option)
         end
      end
      assert.equal("id", select(2, box:get()).option)
      assert.truthy(#select(2, box:retry(("x"):rep(1e6))).what < 400)
   end)

   it("names a dot where a colon belongs", function()
      local case = outboxes.new()
      local box = raising.outbox(case.given)
      for name in pairs(require("smtp.outbox").methods) do
         for _, given in ipairs { message "bob@example.net", "id", false } do
            local result, err = case.box[name](given or nil)
            assert.is_nil(result)
            assert.equal(("call outbox:%s with a colon"):format(name), err.what)
            assert.is_false((pcall(box[name], given or nil)))
         end
      end
   end)

   it("makes a store in Redis as well", function()
      local redis_model = require "spec.tools.redis_model"
      local safe = require "smtp.safe"
      for _, outbox in ipairs { raising.outbox, safe.outbox } do
         local own = outbox.redis { connect = redis_model.new().connect, prefix = "mail" }
         local case = outboxes.new { store = own }
         local box = outbox(case.given)
         assert.equal("a", box:put(message "bob@example.net", { id = "a" }))
         assert(box:run { once = true })
         assert.equal("sent", box:get("a").state)
      end
      local store, err = safe.outbox.redis { prefix = "mail" }
      assert.is_nil(store)
      assert.equal("connect", err.option)
      local ok, raised = pcall(raising.outbox.redis, { prefix = "mail" })
      assert.is_false(ok)
      assert.equal(tostring(err), tostring(raised))
      for _, outbox in ipairs { raising.outbox, safe.outbox } do
         err = select(2, safe.outbox.redis(outbox, {}))
         assert.equal("call smtp.outbox.redis with a dot, not with a colon", err.what)
         assert.equal(tostring(err), tostring(select(2, pcall(raising.outbox.redis, outbox, {}))))
      end
   end)

   it("of the module smtp raises what that of smtp.safe returns", function()
      local case = outboxes.new()
      local box = raising.outbox(case.given)
      local id = box:put(message "bob@example.net")
      assert.equal(id, box:get(id).id)
      assert.is_nil(box:get "x")
      assert.same({}, { box.missing, box.settings })
      local ok, err = pcall(box.put, box, {})
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      ok, err = pcall(raising.outbox, {})
      assert.is_false(ok)
      assert.equal("store", err.option)
   end)

   it("says which rock is missing", function()
      local loaded, searchers = package.loaded["smtp.sqlite_store"], package.cpath
      package.loaded["smtp.sqlite_store"], package.cpath = nil, ""
      local box, err = require("smtp.safe").outbox { store = outboxes.path(),
         server = { host = "relay.example" } }
      package.loaded["smtp.sqlite_store"], package.cpath = loaded, searchers
      assert.is_nil(box)
      assert.equal("not_installed", err.reason)
      assert.matches("lua%-smtp%-outbox", err.hint)
   end)
end)
