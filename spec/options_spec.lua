local options = require "smtp.options"
local safe = require "smtp.safe"
local smtp = require "smtp"

local base = { host = "mx.example", from = "ann@me.example", to = "bob@there.example", text = "hi" }

-- A transport that must not be touched.
local function untouched()
   local function fail() error("the transport was used") end
   return { connect = fail, send = fail, receiveany = fail, sslhandshake = fail, settimeouts = fail,
      close = fail }
end

local function with(more)
   local t = {}
   for key, value in pairs(base) do t[key] = value end
   for key, value in pairs(more) do t[key] = value end
   return t
end

-- Refused before a connection is made: -> the error
local function refused(more)
   local t = with(more)
   t.transport, t.tls_host = t.transport or untouched(), t.tls_host or "mx.example"
   local receipt, err = safe.send(t)
   assert.is_nil(receipt)
   assert.is_true(safe.is_error(err, "usage"), tostring(err))
   assert.equal("no", err.sent)
   assert.equal("never", err.retry)
   return err
end

local function plan(more)
   local found, err = options.send(with(more))
   assert(found, tostring(err))
   return found, err
end

describe("unknown options", function()
   for given, near in pairs { tls_verfy = "tls_verify", pasword = "password", hots = "host",
      Subject = "subject", usernme = "username", recipent = "recipients" } do
      it(given .. " suggests " .. near, function()
         local err = refused { [given] = "x" }
         assert.equal(given, err.option)
         assert.equal("Did you mean " .. near .. "?", err.hint)
      end)
   end

   it("far from any name points to the list", function()
      assert.truthy(refused { xyzzyxyzzy = 1 }.hint:find("README", 1, true))
   end)

   it("of another function are unknown there", function()
      local _, err = safe.connect { host = "mx.example", subject = "x" }
      assert.equal("usage", err.kind)
   end)

   it("are tables only", function()
      local _, err = safe.send("mx.example")
      assert.equal("usage", err.kind)
      assert.has_error(function() smtp.send(nil) end)
   end)
end)

describe("defaults", function()
   it("want TLS and, with credentials, authentication on the port for submission", function()
      local found = plan { username = "ann", password = "pw" }
      assert.same({ "require", "require", 587, true },
         { found.tls, found.auth, found.port, found.tls_verify })
   end)

   it("without credentials are port 25, TLS required, no authentication", function()
      local found = plan {}
      assert.same({ "require", "skip", 25 }, { found.tls, found.auth, found.port })
   end)

   it("on port 465 are TLS from the first byte", function()
      assert.equal("implicit", plan({ port = 465 }).tls)
      assert.equal("implicit", plan({ port = "465" }).tls)
      assert.equal(465, plan({ tls = "implicit" }).port)
   end)

   for _, host in ipairs { "localhost", "127.0.0.1", "127.1.2.3", "::1" } do
      it("on loopback need no TLS: " .. host, function()
         local found = plan { host = host }
         assert.same({ "skip", true }, { found.tls, found.loopback })
      end)
   end

   for _, host in ipairs { "localhost.example", "127.example", "128.0.0.1", "127.0.0.1.example" } do
      it("take nothing else for loopback: " .. host, function()
         assert.equal("require", plan({ host = host }).tls)
      end)
   end

   it("through a transport of the user's take nothing for loopback", function()
      assert.equal("require", plan({ host = "localhost", transport = untouched() }).tls)
   end)

   it("are described by a url, and the other options win", function()
      local found = plan { host = nil, url = "x" and "smtp://a%40b:p%3Aw@[::1]:2525" }
      assert.equal("mx.example", found.host)
      local t = with { url = "smtp://a%40b:p%3Aw@[2001:db8::1]:2525" }
      t.host = nil
      found = assert(options.send(t))
      assert.same({ "2001:db8::1", 2525, "a@b", "p:w", "require" },
         { found.host, found.port, found.username, found.password, found.auth })
      t.url = "smtps://mx.example"
      found = assert(options.send(t))
      assert.same({ "implicit", 465 }, { found.tls, found.port })
   end)
end)

describe("where and how", function()
   for name, values in pairs {
      url = { "http://x", "smtp://", 7 }, host = { "", "a b", "a\r\nb", "a\0b", 7 },
      port = { 0, 65536, "x", 25.5 }, domain = { "", "a b", "a\r\nVRFY x", "a\0b", "-a.example",
         ("a"):rep(64), ("a."):rep(200) .. "b", "m\195\188 nchen.example", "\240\159\146\169.example", "[1.2.3]" },
      tls = { "starttls", true }, tls_verify = { "yes", 1 }, tls_min_version = { "1.0", 1.2 },
      tls_cert = { "cert.pem" }, tls_key = { "key.pem" }, tls_pin = { "x", ("a"):rep(44) },
      auth = { "yes", true }, auth_mechanisms = { {}, { "NTLM" }, 7 },
      timeout = { 0, -1, "x", 0 / 0, math.huge, 86401, 300000 }, connect_timeout = { 0 },
      reply_timeout = { 0 }, pipelining = { "eager", true }, trace = { "yes" },
      keepalive = { true, "yes" }, transport = { {}, 7 }, socket = { "", ("x"):rep(200) },
      recipients = { "some" },
   } do
      for i = 1, #values do
         it(("%s = %s is refused"):format(name, tostring(values[i]):gsub("%c", "?")), function()
            local err = refused { [name] = values[i] }
            assert.truthy(err.option == name or name == "tls_cert" or name == "tls_key"
               or name == "url" or name == "socket")
         end)
      end
   end

   it("takes numbers as text", function()
      local found = plan { port = "2525", timeout = "1.5" }
      assert.same({ 2525, 1.5 }, { found.port, found.timeout })
   end)

   it("asks about milliseconds", function()
      assert.truthy(refused({ timeout = 300000 }).hint:find("milliseconds", 1, true))
   end)

   it("knows no two names for one thing at once", function()
      assert.equal("server", refused({ server = "x" }).option)
      assert.equal("mx2.example", assert(options.connection { server = "mx2.example" }).host)
      assert.equal("ann", assert(options.connection { user = "ann", password = "x" }).username)
   end)

   it("takes keepalive = false everywhere", function()
      assert.is_table(plan { keepalive = false })
   end)

   it("make the same plan once more, and a change anywhere in them another", function()
      local t = { host = "mx.example", username = "ann", password = "sesame",
         auth_mechanisms = { "PLAIN", "LOGIN" }, scram_iterations = { 1, 2 } }
      local function changed(change)
         local before = options.connection(t)
         assert.equal(before, options.connection(t))
         change()
         return options.connection(t) ~= before
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
      assert.is_nil((options.connection(t)))
   end)

   it("are looked at each time where they hold objects of the caller's", function()
      local own = { name = "OWN", start = function() end, step = function() end }
      for _, given in ipairs { own, { own } } do
         own.plaintext = nil
         local t = { host = "mx.example", username = "ann", auth_mechanisms = given }
         assert.is_true(options.connection(t).mechanisms[1].shows_secret)
         own.plaintext = false
         assert.is_false(options.connection(t).mechanisms[1].shows_secret)
      end
      local methods = { __index = untouched() }
      for _, transport in ipairs { setmetatable({}, methods), setmetatable({}, methods), untouched() } do
         local t = { transport = transport, tls_host = "mx.example" }
         assert.equal(transport, options.connection(t).transport)
      end
   end)

   it("needs a name for the certificate where there is only a socket", function()
      local _, err = safe.connect { socket = "/tmp/x", tls = "require" }
      assert.equal("tls_host", err.option)
   end)

   it("names the option of a certificate file that cannot be read", function()
      local t = with { tls_ca_file = "/nowhere/ca.pem" }
      local _, err = safe.send(t)
      assert.equal("tls_ca_file", err.option)
   end)
end)

describe("credentials", function()
   it("come in pairs", function()
      assert.equal("password", refused({ username = "ann" }).option)
      assert.equal("username", refused({ password = "pw" }).option)
      assert.equal("password", refused({ username = "ann", password = "" }).option)
   end)

   it("both empty are none", function()
      assert.equal("skip", plan({ username = "", password = "" }).auth)
   end)

   it("count as on loopback only for what is an address there", function()
      assert.equal("skip", plan({ host = "127.0.0.1" }).tls)
      assert.equal("skip", plan({ host = "127.255.255.254" }).tls)
      for _, host in ipairs { "127.999.1.1", "127.0.0.256", "127.1", "127.0.0.1.example", "127.00.0.1" } do
         assert.equal("require", plan({ host = host }).tls, host)
      end
   end)

   it("may be a token, for a user", function()
      assert.same({ "require", 587 }, { plan({ username = "ann", token = "t" }).auth,
         plan({ username = "ann", token = "t" }).port })
      assert.equal("username", refused({ token = "t" }).option)
      assert.equal("token", refused({ username = "ann", token = 7 }).option)
   end)

   it("have to fit one of the mechanisms named", function()
      assert.equal("token", refused({ username = "ann", password = "pw", auth_mechanisms = "XOAUTH2" }).option)
      assert.equal("password", refused({ username = "ann", token = "t", auth_mechanisms = "PLAIN" }).option)
      assert.equal("username", refused({ auth = "prefer", auth_mechanisms = "PLAIN" }).option)
   end)

   it("give the bounds of SCRAM's work", function()
      assert.same({ 4096, 200000 }, plan({}).scram_iterations)
      assert.same({ 1, 5 }, plan({ scram_iterations = { 1, 5 } }).scram_iterations)
      for _, bad in ipairs { 7, {}, { 1 }, { 2, 1 }, { 0, 5 }, { 1.5, 3 }, { "x", 3 }, { 1, 1e10 } } do
         assert.equal("scram_iterations", refused({ scram_iterations = bad }).option)
      end
   end)

   it("are needed for auth = require", function()
      assert.equal("auth", refused({ auth = "require" }).option)
      assert.equal("prefer", plan({ auth = "prefer" }).auth)
   end)

   for _, bad in ipairs { "a\0b", "a\r\nb", "a\n" } do
      it(("refuse %q"):format(bad):gsub("%c", "?"), function()
         refused { username = bad, password = "pw" }
         refused { username = "ann", password = bad }
         refused { username = "ann", password = "pw", authzid = bad }
      end)
   end
end)

describe("what is sent", function()
   -- Everything that takes text, and what it must not take.
   local attacks = { "x\r\nRCPT TO:<evil@x>", "x\nBcc: evil@x", "x\rx", "x\0x" }
   for _, name in ipairs { "from", "to", "cc", "bcc", "reply_to", "sender", "subject", "message_id",
      "date" } do
      for i, attack in ipairs(attacks) do
         it(("%s refuses attack %d"):format(name, i), function()
            local value = attack
            if name ~= "subject" and name ~= "message_id" and name ~= "date" then
               value = "a@b.example>" .. attack
            end
            refused { [name] = value }
         end)
      end
   end

   it("refuses attacks in names, headers and envelope", function()
      for _, attack in ipairs(attacks) do
         refused { to = { name = attack, address = "a@b.example" } }
         refused { to = "\"" .. attack .. "\" <a@b.example>" }
         refused { headers = { ["X-A"] = attack } }
         refused { headers = { [attack] = "x" } }
         refused { headers = { { "X-A", attack } } }
         refused { envelope = { from = "a@b.example>" .. attack } }
         refused { envelope = { to = "a@b.example>" .. attack } }
      end
   end)

   for _, name in ipairs { "X A", "X:A", "", "X\195\164" } do
      it(("refuses the header name '%s'"):format(name), function()
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end)
   end

   it("has headers of options in those options only", function()
      for _, name in ipairs { "From", "TO", "bcc", "Subject", "Date", "Message-Id", "MIME-Version",
         "Content-Type" } do
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end
   end)

   it("goes to somebody, from somebody", function()
      local t = with {}
      t.to = nil
      assert.equal("to", select(2, safe.send(t)).option)
      t = with { to = {} }
      assert.equal("to", select(2, safe.send(t)).option)
      t = with {}
      t.from = nil
      assert.equal("from", select(2, safe.send(t)).option)
      assert.equal("sender", refused({ from = { "a@x.example", "b@x.example" } }).option)
   end)

   it("as several addresses in one string is refused with a hint", function()
      local err = refused { to = "a@x.example, b@x.example" }
      assert.equal("address", err.kind)
      assert.truthy(err.hint:find("list", 1, true))
   end)

   it("goes once to each of to, cc and bcc", function()
      local _, mail = plan { to = { "a@x.example", "b@x.example" }, cc = "a@x.example",
         bcc = "c@x.example" }
      assert.same({ "a@x.example", "b@x.example", "c@x.example" }, mail.to)
      local bytes = {}
      for piece in mail.source.open() do bytes[#bytes + 1] = piece end
      bytes = table.concat(bytes)
      assert.truthy(bytes:find("b@x.example", 1, true))
      assert.is_nil(bytes:find("c@x", 1, true))
      assert.is_nil(bytes:lower():find("bcc", 1, true))
   end)

   it("may have another envelope than its headers say", function()
      local _, mail = plan { envelope = { from = "", to = { "z@x.example" } } }
      assert.same({ "", { "z@x.example" } }, { mail.from, mail.to })
   end)

   it("as raw stands alone", function()
      for _, name in ipairs { "cc", "bcc", "subject", "text", "headers", "date", "reply_to" } do
         local t = with { raw = "x\r\n", [name] = name == "headers" and {} or "a@b.example" }
         if name ~= "text" then t.text = nil end
         t.transport, t.tls_host = untouched(), "x"
         assert.equal(name, select(2, safe.send(t)).option)
      end
   end)

   it("as raw is checked before anything is sent", function()
      for _, raw in ipairs { "a\0b", ("x"):rep(999), "Subject: x\r\nBcc: a@b\r\n\r\nx",
         "Subject: x\rbcc : a@b\r\rx", 7, {} } do
         local t = with { raw = raw, transport = untouched(), tls_host = "x" }
         t.text = nil
         assert.equal("raw", select(2, safe.send(t)).option)
      end
      local t = with { raw = "Subject: x\r\n\r\nBcc: not a header\r\n" }
      t.text = nil
      assert.is_table((options.send(t)))
   end)

   it("leaves the caller's tables alone, and runs nothing of theirs", function()
      local to = setmetatable({ "bob@there.example" }, { __index = function() error("ran") end })
      local t = with { to = to }
      setmetatable(t, { __index = function() error("ran") end })
      assert.is_table((options.send(t)))
      assert.same({ "bob@there.example" }, { rawget(to, 1) })
      assert.is_nil(rawget(t, "port"))
   end)
end)
