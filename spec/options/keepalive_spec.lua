local request = require "smtp.client.request"

describe("keepalive", function()
   it("has seconds and a number of connections that make sense", function()
      for _, keepalive in ipairs { { idle = 0 }, { idle = 86401 }, { size = 0 }, { size = 1.5 }, { size = 10001 },
         { size = true } } do
         local _, err = request.connection { host = "mx.example", keepalive = keepalive }
         assert.equal("keepalive", err.option)
         assert.matches("seconds up to a day", err.what)
      end
   end)

   it("is completed, and is not the table of the caller", function()
      local own = { idle = 5 }
      local kept = assert(request.connection { host = "mx.example", keepalive = own }).keepalive
      assert.same({ idle = 5, size = 32 }, kept)
      assert.same({ idle = 5 }, own)
      local by_default = assert(request.connection { host = "mx.example", keepalive = {} })
      assert.same({ idle = 60, size = 32 }, by_default.keepalive)
   end)
end)
