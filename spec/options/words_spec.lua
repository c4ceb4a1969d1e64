-- Values that other libraries and programs use: the error shows the value, and says what to write.
local refused = require("spec.tools.checked").refused

describe("a value that other libraries use", function()
   local REQUIRE = 'Write tls = "require" (STARTTLS, port 587)'
   local IMPLICIT = 'Write tls = "implicit" (TLS from the first byte, port 465)'
   local AUTH = "The user name and the password are options of their own: username and password; a mechanism goes "
      .. 'into auth_mechanisms = { "PLAIN" }'
   for _, row in ipairs {
      { "tls", true,
         'Write tls = "require" (STARTTLS, port 587) or tls = "implicit" (TLS from the first byte, port 465)' },
      { "tls", false, 'Write tls = "skip"' }, { "tls", "starttls", REQUIRE }, { "tls", "STARTTLS", REQUIRE },
      { "tls", "ssl", IMPLICIT }, { "tls", "SSL/TLS", IMPLICIT }, { "tls", "none", 'Write tls = "skip"' },
      { "tls", "opportunistic", 'Write tls = "prefer"' }, { "tls", "Require", 'Write tls = "require"' },
      { "tls", " skip ", 'Write tls = "skip"' }, { "tls", "requrie", 'Did you mean "require"?' },
      { "tls", 465, IMPLICIT }, { "tls", "xyzzyxyzzy", 'Write one of its words, such as tls = "implicit"' },
      { "tls", { rejectUnauthorized = false }, "TLS has options of its own: tls_verify, tls_ca_file, tls_cert, "
         .. "tls_key, tls_host and tls_min_version" },
      { "tls", "TLSv1.2", 'A version of TLS goes into tls_min_version = "1.2"' },
      { "auth", "login", AUTH }, { "auth", "PLAIN", AUTH }, { "auth", "cram-md5", AUTH },
      { "auth", { user = "ann", pass = "pw" }, AUTH }, { "auth", "hunter2", AUTH },
      { "auth", true, 'Write auth = "require"' }, { "auth", false, 'Write auth = "skip"' },
      { "pipelining", true, 'Write pipelining = "safe"' }, { "pipelining", false, 'Write pipelining = "off"' },
      { "protocol", "smtps", IMPLICIT }, { "tls_min_version", 1.2, 'Write tls_min_version = "1.2"' },
      { "tls_min_version", "TLSv1.3", 'Write tls_min_version = "1.3"' },
      { "tls_min_version", "1.0", 'This library supports TLS 1.2 and 1.3 only: write tls_min_version = "1.2"' },
      { "priority", 1, 'Write priority = "high"' }, { "priority", "urgent", 'Write priority = "high"' },
      { "recipients", { "a@b.example" }, 'The recipients go into to; recipients decides whether one refused '
         .. 'recipient stops the message ("all") or not ("any")' },
   } do
      local name, value, hint = row[1], row[2], row[3]
      it(("is %s = %s"):format(name, type(value) == "table" and "a table" or tostring(value)), function()
         local err = refused { [name] = value }
         assert.equal(name, err.option)
         assert.equal(hint, err.hint)
         assert.is_nil(tostring(err):find("0x", 1, true))
         if value == "hunter2" then
            assert.is_nil(tostring(err):find("hunter2", 1, true))
            assert.is_nil(err.value)
         end
      end)
   end

   it("is shown, with what is expected", function()
      assert.equal('tls: expected "implicit", "require", "prefer" or "skip", got the string "starttls"',
         refused { tls = "starttls" }.what)
      assert.equal("subject: expected a string, got the number 12", refused { subject = 12 }.what)
      assert.equal("tls_verify: expected true or false, got the string \"yes\"", refused { tls_verify = "yes" }.what)
      assert.equal("Write tls_verify = true", refused { tls_verify = "yes" }.hint)
      assert.equal("html: expected a string, got a table", refused { html = {} }.what)
      assert.equal("html: expected a string, got a function", refused { html = print }.what)
      assert.equal("host: expected a string, got true", refused { host = true }.what)
      assert.equal("port: expected a whole number from 1 to 65535, got the string \"smtp\"",
         refused { port = "smtp" }.what)
   end)

   it("is shown only in part where it is long", function()
      assert.is_true(#tostring(refused { tls = ("x"):rep(5000) }) < 300)
   end)
end)
