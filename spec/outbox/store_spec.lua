-- What may be given as a store.
local errors = require "smtp.errors"
local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"
local sqlite = require "smtp.outbox.sqlite"
local store = require "smtp.outbox.store"

describe("The option store", function()
   after_each(outboxes.clean)

   it("takes an object that has the methods of a store", function()
      local own = assert(sqlite.open(outboxes.path()))
      local case = outboxes.new { store = own }
      assert(case.box:put(outboxes.message "bob@example.net"))
      assert(case.box:run { once = true })
      assert.equal(1, #case.sink.messages)
   end)

   it("refuses one that lacks a method, and names it", function()
      local own = {}
      for i = 1, #store.methods do own[store.methods[i]] = print end
      own.renew = nil
      local box, err = smtp.outbox { store = own, server = { host = "relay.example" } }
      assert.is_nil(box)
      assert.equal("store", err.option)
      assert.matches("a method renew", err.what)
   end)

   -- A store that fails in one method from the time on at which case.fails is set.
   local function new_case(method, fail)
      local own, case = assert(sqlite.open(outboxes.path())), nil
      local store_of_caller = setmetatable({}, { __index = function(_, name)
         return function(_, ...)
            if case and case.fails and name == method then return fail() end
            return own[name](own, ...)
         end
      end })
      case = outboxes.new { store = store_of_caller }
      assert(case.box:put(outboxes.message "bob@example.net", { id = "a" }))
      case.fails = true
      return case
   end

   local failures = {
      ["raises"] = function() error("no more disks", 0) end,
      ["raises a table"] = function() error({}, 0) end,
      ["returns a text"] = function() return nil, "no more disks" end,
      ["returns another type"] = function() return print end,
   }
   local calls = {
      put = function(box) return box:put(outboxes.message "bob@example.net", { id = "b" }) end,
      claim = function(box) return box:run { once = true } end,
      commit = function(box) return box:run { once = true } end,
      expire = function(box) return box:run { once = true } end,
      purge = function(box) return box:run { once = true } end,
      get = function(box) return box:get "a" end,
      list = function(box) return box:list() end,
      count = function(box) return box:stats() end,
      note = function(box) return box:retry "a" end,
   }

   for how, fail in pairs(failures) do
      for method, call in pairs(calls) do
         it(("gives an error where its method %s %s"):format(method, how), function()
            local case = new_case(method, fail)
            local result, err = call(case.box)
            assert.is_nil(result)
            assert.equal("system store later", err.kind .. " " .. err.reason .. " " .. err.retry)
            assert.matches("the method " .. method .. " of the store", err.what)
            assert.equal(0, #case.sink.messages)
         end)
      end
   end

   it("gives an error where its method commit returns one list", function()
      local case = new_case("commit", function() return { true } end)
      local result, err = case.box:run { once = true }
      assert.is_nil(result)
      assert.equal("the method commit of the store returned one list, not two", err.what)
   end)

   local right = { number = 1, id = "a", state = "queued", claim = 0 }

   for what, change in pairs { ["a text"] = "x", ["no id"] = { id = print }, ["no state"] = { state = 1 },
      ["no number"] = { number = print }, ["no claim"] = { claim = "x" } } do
      it("gives an error where a record has " .. what, function()
         local record = type(change) == "string" and change or {}
         for name, value in pairs(type(change) == "table" and right or {}) do
            record[name] = change[name] == nil and value or change[name] ~= print and change[name] or nil
         end
         for method in pairs { get = true, list = true, claim = true } do
            local case = new_case(method, function() return method == "get" and record or { record } end)
            local result, err = calls[method](case.box)
            assert.is_nil(result)
            assert.matches("the method " .. method .. " of the store returned", err.what)
         end
      end)
   end

   it("gives an error where a record raises", function()
      local case = new_case("get", function() return setmetatable({}, { __index = function() error "no" end }) end)
      local result, err = case.box:get "a"
      assert.is_nil(result)
      assert.equal("system store", err.kind .. " " .. err.reason)
   end)

   it("may return a record that was damaged: it has no recipients then", function()
      local case = new_case("get", function()
         return { number = 1, id = "a", state = "sent", claim = 0, recipients = false, created = "x" }
      end)
      local entry = assert(case.box:get "a")
      assert.same({ "a", "sent", 0 }, { entry.id, entry.state, #entry.recipients })
   end)

   it("may say that there is nothing", function()
      local case = new_case("get", function() end)
      local entry, err = case.box:get "a"
      assert.is_nil(entry)
      assert.is_nil(err)
   end)

   it("may give errors of this library", function()
      local full = errors.new("system", { reason = "store_full", retry = "later", what = "the store is full" })
      assert.equal(full, select(2, new_case("count", function() return nil, full end).box:stats()))
   end)
end)
