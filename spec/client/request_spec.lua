local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

local untouched = checked.untouched

describe("What is not a table of options", function()
   it("is refused with the call that was made", function()
      for _, call in ipairs { "send", "connect", "probe", "message" } do
         for _, value in ipairs { 42, "x", false } do
            assert.matches("^Write smtp." .. call .. " { ", select(2, safe[call](value)).hint)
         end
      end
      assert.matches("^Write smtp.send_many { ", select(2, safe.send_many(42, {})).hint)
      local sink = safe.sink()
      local conn = safe.connect { transport = sink:transport(), tls = "skip" }
      assert.equal("Write connection:send { from = …, to = …, text = … }", select(2, conn:send(42)).hint)
      conn:close()
      local summary = safe.send_many({ transport = sink:transport(), tls = "skip" }, { 42 })
      assert.equal("Write { from = …, to = …, text = … }", summary.results[1].hint)
   end)
end)

describe("A table of options", function()
   it("that is empty, with all options in its metatable, is refused", function()
      local defaults = { __index = { host = "mx.example", from = "a@x.example", to = "b@x.example", text = "x" } }
      for _, call in ipairs { "send", "connect", "probe", "message" } do
         local _, err = safe[call](setmetatable({}, defaults))
         assert.equal("usage options", err.kind .. " " .. tostring(err.option))
         assert.matches("metatable", err.what, 1, true)
      end
      assert.is_table((request.connection(setmetatable({}, {}))))
   end)
end)

describe("The options of a connection", function()
   it("make the same server once more, and a change anywhere in them another", function()
      local t = { host = "mx.example", username = "ann", password = "sesame",
         auth_mechanisms = { "PLAIN", "LOGIN" }, scram_iterations = { 1, 2 } }
      local function changed(change)
         local before = request.connection(t)
         assert.equal(before, request.connection(t))
         change()
         return request.connection(t) ~= before
      end
      assert.is_true(changed(function() t.password = "other" end))
      assert.is_true(changed(function() t.authzid = "zoe" end))
      assert.is_true(changed(function() t.authzid = nil end))
      assert.is_true(changed(function() t.scram_iterations[2] = 3 end))
      assert.is_true(changed(function() t.auth_mechanisms[2] = nil end))
      assert.is_true(changed(function() t.auth_mechanisms = "PLAIN" end))
      assert.is_true(changed(function() t.tls_verify = false end))
      assert.is_false(changed(function() end))
      t.port = "x"
      assert.is_nil((request.connection(t)))
   end)

   it("are looked at each time where they hold objects of the caller's", function()
      local own = { name = "OWN", start = function() end, step = function() end }
      for _, given in ipairs { own, { own } } do
         own.plaintext = nil
         local t = { host = "mx.example", username = "ann", auth_mechanisms = given }
         assert.is_true(request.connection(t).mechanisms[1].shows_secret)
         own.plaintext = false
         assert.is_false(request.connection(t).mechanisms[1].shows_secret)
      end
      local methods = { __index = untouched() }
      for _, transport in ipairs { setmetatable({}, methods), setmetatable({}, methods), untouched() } do
         local t = { transport = transport, tls_host = "mx.example" }
         assert.equal(transport, request.connection(t).transport)
      end
   end)
end)

describe("a message that was sent", function()
   local function read(raw, to)
      local server, message = request.send { host = "recycled.example", from = "ann@me.example", to = to or "bob@x",
         raw = raw }
      assert(server, tostring(message))
      return message
   end

   it("lends its memory to the next one, and keeps nothing of its own", function()
      read "Subject: x\r\n\r\n" -- the server is known from now on
      local first = read "Subject: first\r\n\r\n\195\164\r\n"
      local transaction = first.transaction
      request.recycle(first)
      assert.is_nil(first.text)
      local second = read "Subject: 2\r\n\r\n"
      assert.equal(first, second)
      assert.equal(transaction, second.transaction)
      assert.equal("Subject: 2\r\n\r\n", second.text)
      assert.equal(14, second.size)
      assert.same({}, second.needs)
      assert.equal("bob@x", second.transaction:recipients()[1].address)
      assert.not_equal(second, read "Subject: 3\r\n\r\n")
   end)

   it("makes room for a longer address", function()
      local first = read "Subject: x\r\n\r\n"
      request.recycle(first)
      local long = ("a"):rep(60) .. "@" .. ("b."):rep(80) .. "example"
      assert.equal(long, read("Subject: y\r\n\r\n", long).transaction:recipients()[1].address)
   end)
end)
