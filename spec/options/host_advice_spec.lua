-- What belongs in other options than host is also in the spec of smtp.options.place.
local host_advice = require "smtp.options.host_advice"

describe("the advice about a host", function()
   it("names what the text contains, and the option for that", function()
      for text, expected in pairs { ["mx.example:25"] = "host contains a port",
         ["smtps://mx.example"] = "host contains a URL", ["unix:/run/smtp"] = "host contains the path of a unix socket",
         ["ann@mx.example"] = "host contains a user", ["b\195\188cher.example:25"] = "host contains a port" } do
         local ok, err = pcall(host_advice.refuse_misplaced, "host", text)
         assert.is_false(ok)
         assert.equal("usage", err.kind)
         assert.equal(expected, err.what)
      end
      for _, text in ipairs { "mx.example", "::1", "[2001:db8::1]", "b\195\188cher.example", "" } do
         assert.is_nil(host_advice.refuse_misplaced("host", text))
      end
   end)

   it("proposes a URL without a login, and no other", function()
      assert.equal('Write url = "smtps://mx.example", or host = "mx.example" with tls = "implicit"',
         host_advice.instead_of_url "https://mx.example:465/x")
      assert.is_nil(host_advice.instead_of_url "https://ann:sesame@mx.example")
   end)
end)
