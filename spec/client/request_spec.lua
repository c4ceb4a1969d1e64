local checked = require "spec.tools.checked"
local request = require "smtp.client.request"

local untouched = checked.untouched

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
