local checked = require "spec.tools.checked"
local safe = require "smtp.safe"
local smtp = require "smtp"

describe("a colon where a dot belongs", function()
   for _, name in ipairs { "send", "send_many", "defer", "connect", "probe", "message", "sink", "outbox",
      "is_error" } do
      it("is named: " .. name, function()
         local result, err = safe[name](safe, { from = "a@b" }, {})
         assert.is_nil(result)
         assert.equal("usage", err.kind)
         assert.truthy(tostring(err):find("call smtp." .. name .. " with a dot", 1, true), tostring(err))
         local ok, raised = pcall(smtp[name], smtp, { from = "a@b" }, {})
         assert.is_false(ok)
         assert.equal(tostring(err), tostring(raised))
      end)
   end

   it("is missing where a method gets options", function()
      local connection = assert(safe.connect { transport = smtp.sink {}:transport(), tls = "skip" })
      local closed = smtp.connect { transport = smtp.sink {}:transport(), tls = "skip" }
      for _, name in ipairs { "send", "capabilities", "noop", "reset", "verify", "quit", "close" } do
         for _, given in ipairs { checked.base, 7, false } do
            local result, err = connection[name](given or nil)
            assert.is_nil(result)
            assert.truthy(tostring(err):find("call connection:" .. name .. " with a colon", 1, true))
            assert.is_false((pcall(closed[name], given or nil)))
         end
      end
      assert.is_true(connection:close() and closed:close())
   end)
end)

describe("a function that takes one table", function()
   it("refuses a second argument", function()
      local _, err = safe.send({ host = "mx.example" }, { from = "a@b.example", to = "c@d.example", text = "x" })
      assert.equal("smtp.send takes one table, but got two arguments", err.what)
   end)
end)
