-- What needs nginx, where there is none. What it does there: spec/nginx/pool_spec.lua.
local safe = require "smtp.safe"

describe("keepalive outside nginx", function()
   it("sends its user to smtp.connect", function()
      local t = { keepalive = { idle = 60 } }
      local message = { from = "a@b", to = "c@d", raw = "" }
      for _, call in ipairs { safe.connect, safe.probe, safe.send_many,
         function() return safe.send { keepalive = {}, from = "a@b", to = "c@d", raw = "" } end } do
         local result, err
         if call == safe.send_many then result, err = call(t, { message }) else result, err = call(t) end
         assert.is_nil(result)
         assert.equal("keepalive", err.option)
         assert.truthy(err.hint:find("smtp.connect", 1, true))
      end
   end)
end)

describe("smtp.defer outside nginx", function()
   it("sends its user to smtp.send", function()
      local _, err = safe.defer { from = "a@b", to = "c@d", text = "" }
      assert.equal("usage", err.kind)
      assert.truthy(err.hint:find("smtp.send", 1, true))
   end)
end)
