-- The options of an outbox, of put, run and list.
local outboxes = require "spec.tools.outboxes"
local options = require "smtp.outbox.options"
local smtp = require "smtp.safe"

local function refused(changes)
   local given = { store = "/nonexistent/x", server = { host = "relay.example" } }
   for name, value in pairs(changes) do
      given[name] = value ~= "nil" and value or nil
   end
   local box, err = smtp.outbox(given)
   assert.is_nil(box)
   assert.equal("usage", err.kind)
   assert.is_truthy(err.hint)
   return err.option
end

local function name_of(server)
   return options.outbox({ store = "x", server = server }).name
end

describe("The options of an outbox", function()
   after_each(outboxes.clean)

   it("have to name a store and a server", function()
      assert.equal("store", refused { store = "nil" })
      assert.equal("store", refused { store = "" })
      assert.equal("store", refused { store = {} })
      assert.equal("store", refused { store = "redis://:sesame-93@localhost" })
      assert.equal("server", refused { server = "nil" })
      assert.equal("server", refused { server = "relay.example" })
      assert.equal("port", refused { server = { host = "relay.example", port = "many" } })
   end)

   it("say what a store is that is not a file", function()
      for _, case in ipairs { { ":memory:", "in memory" }, { "/", "a directory" }, { "/dev/null", "a device" } } do
         local _, err = smtp.outbox { store = case[1], server = { host = "relay.example" } }
         assert.equal("usage store", err.kind .. " " .. err.option)
         assert.matches(case[2], err.what, 1, true)
      end
   end)

   it("are checked", function()
      assert.equal("lease", refused { lease = 0 })
      assert.equal("lease", refused { lease = "long" })
      assert.equal("keep", refused { keep = -1 })
      assert.equal("doubt", refused { doubt = "maybe" })
      assert.equal("name", refused { name = "" })
      assert.equal("on_result", refused { on_result = 5 })
      assert.equal("retry", refused { retry = 5 })
      assert.equal("retries", refused { retries = {} })
   end)

   it("are read without their metatables", function()
      local function new() return setmetatable({}, { __index = error, __len = error }) end
      local box = outboxes.new().box
      assert.equal("store", select(2, smtp.outbox(new())).option)
      assert.equal("connect", select(2, smtp.outbox.redis(new())).option)
      assert(box:put(outboxes.message "bob@example.net", new()))
      assert.equal(1, #box:list(new()))
      assert.equal("start", select(2, box:start(new())).option)
      outboxes.clean()
   end)

   it("refuse a second argument, and a colon", function()
      assert.equal("options", select(2, smtp.outbox({}, {})).option)
      assert.equal("options", select(2, smtp:outbox {}).option)
   end)

   it("name the outbox after the server and the user", function()
      assert.equal("relay.example:25", name_of { host = "relay.example" })
      assert.equal("ann@relay.example:587", name_of { host = "relay.example", username = "ann",
         password = "sesame-outbox" })
      assert.equal("/run/lmtp", name_of { socket = "/run/lmtp", protocol = "lmtp" })
      assert.equal("relay.example:587", name_of { host = "relay.example", username = "sesame-name",
         password = "sesame-name" })
   end)

   it("of put are checked", function()
      local box = outboxes.new().box
      local message = outboxes.message "bob@example.net"
      for _, id in ipairs { "", ("x"):rep(256), "a\0b", 7 } do
         assert.equal("id", select(2, box:put(message, { id = id })).option)
      end
      assert.equal("at", select(2, box:put(message, { at = "tomorrow" })).option)
      assert.equal("at", select(2, box:put(message, { at = -1 })).option)
      assert.equal("delay", select(2, box:put(message, { delay = 5 })).option)
      assert.equal("put", select(2, box:put(message, 5)).option)
   end)

   it("of put need a message, and say how to write one", function()
      local box = outboxes.new().box
      for _, value in ipairs { "Subject: x", 5, false } do
         local _, err = box:put(value)
         assert.same({ "usage", "message" }, { err.kind, err.option })
         assert.matches("outbox:put {", err.hint, 1, true)
      end
      assert.matches("got nil", select(2, box:put()).what)
   end)

   it("of run are checked", function()
      local box = outboxes.new().box
      assert.equal("connections", select(2, box:run { connections = 0 }).option)
      assert.equal("rate", select(2, box:run { rate = "slow" }).option)
      assert.equal("once", select(2, box:run { once = 1 }).option)
      assert.equal("forever", select(2, box:run { forever = true }).option)
      assert.equal("run", select(2, box:run(true)).option)
   end)

   it("of list are checked", function()
      local box = outboxes.new().box
      assert.equal("state", select(2, box:list { state = "lost" }).option)
      assert.equal("limit", select(2, box:list { limit = 0 }).option)
      assert.equal("limit", select(2, box:list { limit = 1.5 }).option)
      assert.equal("after", select(2, box:list { after = "x" }).option)
      assert.equal("to", select(2, box:list { to = 5 }).option)
      assert.equal("list", select(2, box:list "all").option)
   end)
end)

describe("smtp.outbox", function()
   it("takes a table", function()
      local _, err = smtp.outbox "mail.db"
      assert.equal("options", err.option)
      assert.matches("expected a table, got", tostring(err))
   end)
end)
