local checked = require "spec.tools.checked"
local request = require "smtp.client.request"

local refused_everywhere, refused, server = checked.refused_everywhere, checked.refused, checked.server

describe("source_address", function()
   it("is an IP address of this host", function()
      for _, text in ipairs { "xyz", "localhost", "127.0.0.300", "::g", "" } do
         assert.equal("source_address", refused({ source_address = text }).option)
      end
      for _, text in ipairs { "127.0.0.1", "::1", "fe80::1%lo" } do
         assert.equal(text, server({ source_address = text }).source_address)
      end
      local _, err = request.connection { socket = "/run/smtp.sock", source_address = "127.0.0.1" }
      assert.equal("source_address", err.option)
   end)
end)

describe("host", function()
   it("is not a number, which systems take for an address of 32 bits", function()
      for _, name in ipairs { "host", "server", "tls_host" } do
         for _, text in ipairs { "2526", "0", "65536", "167772161", "0x9de", "0X9DE", "25." } do
            local _, err = request.connection { [name] = text }
            assert.matches("is a number, and not the name or the address of a server", tostring(err), 1, true)
         end
      end
      assert.equal('2526 is a port? Write host = "localhost" and port = 2526', refused({ host = "2526" }).hint)
      assert.equal("Write the name of the server, or its address", refused({ host = "65536" }).hint)
      assert.matches("2526 is a port?", tostring(refused { host = { "mx.example", "2526" } }), 1, true)
      assert.equal('2526 is a port? Write url = "smtp://localhost:2526"', refused({ url = "smtp://2526" }).hint)
      for _, host in ipairs { "127.0.0.1", "1and1.example", "0xbad.example", "3com.example" } do
         assert.equal(host, server({ host = host }).host)
      end
   end)

   for host, named in pairs { ["mail.example.org:587"] = "port", ["[2001:db8::1]:25"] = "port",
      ["mail.example.org:"] = "port", ["192.0.2.1:25"] = "port", ["mail.example.org:smtp"] = "port",
      ["smtp://x"] = "url", ["ssl://x"] = "url", ["tls://x:465"] = "url", ["SMTP://ann:sesame@x"] = "url",
      ["ann@x"] = "username", ["ann:sesame@x:587"] = "username", ["mail.example.org/"] = "url",
      ["unix:/run/smtp.sock"] = "socket", ["UNIX:/run/smtp.sock"] = "socket", ["unix:smtp.sock"] = "socket" } do
      it("is a name or an address; " .. named .. " is an option of its own: " .. host, function()
         for _, name in ipairs { "host", "server", "tls_host" } do
            for _, err in pairs(refused_everywhere { [name] = host }) do
               assert.equal(name == "server" and "host" or name, err.option)
               assert.truthy(err.hint:find(named, 1, true), err.hint)
               assert.is_nil(tostring(err):find("sesame", 1, true))
            end
         end
      end)
   end

   for _, host in ipairs { "a..b", ".a", "a b", "a,b", "a_b!", "[192.0.2.1]", "[mx.example]", "1:2:3",
      ("a"):rep(64) .. ".example", ("a."):rep(130) .. "b", "mx.example?x", "mx.example%41",
      "fe80::1%eth0/#", "\239\188\160" } do
      it("is refused where it is neither: " .. host:sub(1, 20), function()
         assert.equal("host", refused({ host = host }).option)
         assert.equal("tls_host", refused({ tls_host = host }).option)
      end)
   end

   it("may be any name and address", function()
      for given, used in pairs { ["mx.example"] = "mx.example", ["mx.example."] = "mx.example.", mail = "mail",
         my_mail = "my_mail", ["192.0.2.1"] = "192.0.2.1", ["2001:db8::1"] = "2001:db8::1",
         ["[2001:db8::1]"] = "2001:db8::1", ["fe80::1%eth0"] = "fe80::1%eth0", ["::1"] = "::1",
         LOCALHOST = "localhost", ["b\195\188cher.example"] = "xn--bcher-kva.example" } do
         assert.equal(used, server({ host = given }).host)
      end
   end)
end)

describe("url", function()
   it("may not have a port that is not a number", function()
      assert.truthy(refused({ url = "smtp://mail.example.org:abc" }).what:find("port that is not a number", 1, true))
   end)

   local bad = { "smtp://h:99999", "smtp://h:0", "smtp://h%0d%0a:25", "smtp://h%00", "smtp://a%0Ab:c@h",
      "smtp://ann:a%0db@h", "smtp://h\r\n:25", "smtp://ann:50%@h", "smtp://ann:50%zz@h", "smtp://unix:/x",
      "smtp://unix%3A%2Fx", "smtp://h%3A25", "smtp://a%40h", "smtp://[::1", "smtp://[::1]25",
      "smtp://:25", "smtp://h:x",
      "smtp://h:25/path", "smtp://h?timeout=30000", "smtp://h#x", "smtp://", "http://h", "h:25", "unix:/x",
      "smtp+unix:/x", "smtp://a b", "lmtp+unix:/a%0a" }
   for _, url in ipairs(bad) do
      it("is checked, whatever takes precedence over it: " .. url:gsub("%c", "?"), function()
         for _, more in ipairs { {}, { host = "mx.example" }, { socket = "/run/smtp.sock" },
            { host = "mx.example", port = 25, username = "ann", password = "x" } } do
            more.url = url
            for _, err in pairs(refused_everywhere(more)) do assert.equal("url", err.option) end
         end
      end)
   end

   it("never shows its password in an error", function()
      for _, url in ipairs { "smtp://ann:sesame@h:99999", "smtp://ann:sesame/@h", "http://ann:sesame@h",
         "smtp://ann:sesame%@h", "smtp://ann:sesame@h%0a", "smtp://ann:sesame@h i" } do
         local err = refused { url = url }
         assert.is_nil(tostring(err):find("sesame", 1, true))
      end
   end)

   local function read(t)
      local found, err = request.connection(t)
      assert(found, tostring(err))
      return found
   end

   it("is decoded where it has % and two digits", function()
      local found = read { url = "SMTP://ann%40me.example:p%2Fw%25%3a@mx%2Dexample:025/" }
      assert.same({ "ann@me.example", "p/w%:", "mx-example", 25 },
         { found.username, found.password, found.host, found.port })
      assert.equal("fe80::1%eth0", read({ url = "smtp://[fe80::1%25eth0]" }).host)
      assert.equal("a@b", read({ url = "smtp://a@b:c@h" }).username)
   end)

   it("gives each option that is not given", function()
      local found = read { url = "smtps://ann:pw@mx.example", port = "2465", password = "other" }
      assert.same({ "implicit", 2465, "ann", "other", "mx.example" },
         { found.tls, found.port, found.username, found.password, found.host })
      found = read { url = "smtps://ann:pw@mx.example", tls = "require", user = "bob", password = "x", server = "h" }
      assert.same({ "require", 587, "bob", "x", "h" },
         { found.tls, found.port, found.username, found.password, found.host })
      assert.same({ "/x", "smtp" }, { read({ url = "lmtp+unix:/x", protocol = "smtp" }).socket,
         read({ url = "lmtp+unix:/x", protocol = "smtp" }).protocol })
      assert.equal("skip", read({ url = "smtp://@mx.example" }).auth)
      assert.equal(25, read({ url = "smtp://mx.example:" }).port)
   end)

   it("has a password and a user, or neither", function()
      assert.equal("password", refused({ url = "smtp://ann@mx.example" }).option)
      assert.equal("password", refused({ url = "smtp://ann:@mx.example" }).option)
      assert.equal("username", refused({ url = "smtp://:pw@mx.example" }).option)
      assert.equal("password", refused({ url = "smtp://ann:pw@mx.example", username = "bob" }).option)
   end)
end)

describe("domain", function()
   for given, valid in pairs { ["192.168.1.5"] = "[192.168.1.5]", ["2001:db8::1"] = "[IPv6:2001:db8::1]",
      ["[2001:db8::1]"] = "[IPv6:2001:db8::1]", ["IPv6:::1"] = "[IPv6:::1]", ["[ipv6:::1]"] = "[IPv6:::1]",
      ["fe80::1%eth0"] = "[IPv6:fe80::1]", ["127.0.0.1"] = "[127.0.0.1]" } do
      it("is told its valid form: " .. given, function()
         for _, err in pairs(refused_everywhere { host = "mx.example", domain = given }) do
            assert.equal("domain", err.option)
            assert.equal(("Write %q"):format(valid), err.hint)
         end
         assert.equal(valid, server({ domain = valid }).domain)
      end)
   end

   for _, domain in ipairs { "localhost", "LOCALHOST", "localhost.localdomain", "Localhost.LocalDomain",
      "localhost6.localdomain6", "vm.localdomain", "mail.localhost", "1.2.3", "300.1.1.1" } do
      it("is a full name: not " .. domain, function()
         for _, protocol in ipairs { "smtp", "lmtp" } do
            local err = refused { domain = domain, protocol = protocol }
            assert.equal("domain", err.option)
            assert.truthy(err.hint:find("full name", 1, true))
         end
      end)
   end

   it("may be any other", function()
      for _, domain in ipairs { "me.example", "[192.0.2.1]", "[IPv6:::1]", "build7", "localhost.example" } do
         assert.equal(domain, server({ domain = domain }).domain)
      end
   end)
end)

describe("a host with more than a name", function()
   local both = 'Write url = "smtps://mail.example.com" (TLS from the first byte) or url = "smtp://mail.example.com", '
      .. 'or host = "mail.example.com" with tls = "implicit" or "require"'
   for host, hint in pairs { ["https://mail.example.com/x"] = 'Write url = "smtps://mail.example.com", or host = '
         .. '"mail.example.com" with tls = "implicit"',
      ["ssl://mail.example.com"] = 'Write url = "smtps://mail.example.com", or host = "mail.example.com" with '
         .. 'tls = "implicit"',
      ["smtp://ann:sesame@mail.example.com:587"] = both,
      ["mail.example.com:465"] = 'Write host = "mail.example.com" and port = 465',
      ["[::1]:25"] = 'Write host = "[::1]" and port = 25',
      ["ann:sesame@mail.example.com"] = 'Write host = "mail.example.com" and username = "ann"',
      ["mail.example.com/x"] = 'Write host = "mail.example.com"; a whole URL belongs in url' } do
      it("is told how to write it: " .. host, function()
         local err = checked.refused { host = host }
         assert.same({ "host", hint }, { err.option, err.hint })
         assert.is_nil(tostring(err):find("sesame", 1, true))
      end)
   end

   it("is a url with unescaped characters", function()
      for _, password in ipairs { "p@ss/w", "a#b", "a?b", "a/b" } do
         local err = checked.refused { url = "smtp://ann:" .. password .. "@mail.example.com:587" }
         assert.truthy(err.hint:find("^Write %%40 for @"), err.hint)
         assert.is_nil(tostring(err):find(password, 1, true))
      end
   end)
end)

describe("socket", function()
   it("is the path alone", function()
      local _, err = request.connection { socket = "unix:/run/smtp.sock" }
      assert.equal('smtp: socket contains "unix:". Write only the path.', tostring(err))
   end)
end)
