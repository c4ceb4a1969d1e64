local safe = require "smtp.safe"

describe("a sink", function()
   it("makes a certificate for as long as it listens, in the same process", function()
      local function exists(name)
         local file = io.open(name)
         if file then file:close() end
         return file ~= nil
      end
      local one = assert(safe.sink { tls = "starttls" })
      for _ = 1, 2 do
         assert(one:listen())
         local name = one.tls_ca_file
         assert.is_true(exists(name))
         assert.is_false(exists((name:gsub("certificate", "key"))))
         one:close()
         assert.is_false(exists(name))
      end
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local name
      do
         local other = assert(safe.sink { tls = "starttls", port = select(2, listener:getsockname()) })
         local address, err = other:listen()
         assert.is_nil(address)
         assert.equal("connect", err.kind)
         assert.is_false(exists(other.tls_ca_file))
         local forgotten = assert(safe.sink { tls = "starttls" })
         assert(forgotten:listen())
         name = forgotten.tls_ca_file
      end
      collectgarbage()
      collectgarbage()
      assert.is_false(exists(name))
      listener:close()
   end)
end)
