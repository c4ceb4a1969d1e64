-- Names of hosts in options. What belongs in other options is in the spec of smtp.options.place.
local host_name = require "smtp.options.host_name"

describe("The name of a host", function()
   it("is used as it is, or in ASCII and without brackets", function()
      for text, name in pairs { ["MX.example."] = "MX.example.", ["[2001:db8::1]"] = "2001:db8::1",
         ["192.0.2.1"] = "192.0.2.1", LocalHost = "localhost", ["b\195\188cher.example"] = "xn--bcher-kva.example" } do
         assert.equal(name, host_name.read("host", text))
      end
   end)

   it("is refused in the words of its option", function()
      for _, text in ipairs { "", "a b", "a..b", ("x"):rep(64), "mx.example:25", "smtp://mx.example", "a/b" } do
         local ok, err = pcall(host_name.read, "tls_host", text)
         assert.is_false(ok)
         assert.equal("tls_host", err.option)
      end
   end)
end)
