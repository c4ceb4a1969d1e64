local request = require "smtp.client.request"
local safe = require "smtp.safe"
local smtp = require "smtp"
local source = require "smtp.compose.source"

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

local function server(more)
   local found, err = request.send(with(more))
   assert(found, tostring(err))
   return found, err
end

describe("what raises wherever it is touched", function()
   local function evil() error("touched") end
   local trap = setmetatable({}, { __index = evil, __len = evil, __tostring = evil, __pairs = evil, __call = evil,
      __eq = evil, __lt = evil, __concat = evil })
   local values = { trap, { trap }, { [trap] = 1 }, { address = trap, name = trap }, 0 / 0, { 0 / 0 },
      ("x"):rep(70000) }
   local names = { "url", "host", "port", "socket", "protocol", "domain", "tls", "tls_verify", "tls_host",
      "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key", "tls_min_version", "tls_pin", "auth", "username",
      "password", "token",
      "authzid", "auth_mechanisms", "auth_plaintext", "scram_iterations", "timeout", "connect_timeout", "reply_timeout",
      "source_address", "transport", "pipelining", "extensions", "trace", "keepalive", "from", "to", "cc", "bcc",
      "reply_to", "sender", "text", "html", "attachments", "calendar", "headers", "date", "message_id", "in_reply_to",
      "references", "priority", "list_unsubscribe", "dkim", "raw", "eightbit", "size", "envelope", "recipients", "dsn",
      "requiretls", "deliver_by", "hold_for", "hold_until", "mt_priority" }

   for _, name in ipairs(names) do
      it("is no matter to smtp.safe: " .. name, function()
         for _, value in ipairs(values) do
            local t = with { [name] = value, timeout = name == "timeout" and value or 1 }
            if name ~= "transport" then t.transport = smtp.sink {}:transport() end
            local receipt, err = safe.send(t)
            if not receipt then
               assert.is_true(safe.is_error(err))
               assert.truthy(#tostring(err) < 1500 and not tostring(err):find("\n"), name)
            end
         end
      end)
   end

   it("is no sink's option either", function()
      for _, value in ipairs { 7, "x", { [trap] = 1 }, false } do
         local _, err = safe.sink(value)
         assert.equal("usage", err.kind)
      end
   end)
end)

describe("an option that belongs elsewhere", function()
   it("is told where", function()
      local _, err = safe.connect { host = "mx.example", subject = "x" }
      assert.truthy(err.hint:find("belongs to a message", 1, true))
      _, err = safe.message { from = base.from, to = base.to, text = "", host = "mx.example" }
      assert.truthy(err.hint:find("belongs to the connection", 1, true))
   end)
end)

describe("an error of the caller's", function()
   it("has a hint, be it only where to read", function()
      for _, more in ipairs { { port = "x" }, { timeout = "soon" }, { tls_verify = 1 }, { raw = 7, text = false },
         { attachments = { { path = "" } } }, { username = 7, password = "x" } } do
         if more.text == false then more.text = nil end
         local err = refused(more)
         assert.is_string(err.hint)
      end
   end)
end)

describe("a list with a hole", function()
   local a, b = "ann@me.example", "bob@there.example"
   for name, value in pairs { to = { a, [3] = b }, cc = { [2] = b }, bcc = { a, nil, b }, reply_to = { [0] = b, a },
      attachments = { { content = "x" }, [3] = { content = "y" } }, references = { "<a@b>", [3] = "<c@d>" },
      list_unsubscribe = { "https://me.example/", [3] = "mailto:off@me.example", one_click = true },
      auth_mechanisms = { "PLAIN", [3] = "LOGIN" }, dkim = { {}, [3] = {} } } do
      it("is refused, lest what is behind the hole is left out: " .. name, function()
         local err = refused { [name] = value }
         assert.equal(name, err.option)
         assert.truthy(err.what:find("is a list", 1, true), err.what)
      end)
   end

   for name, more in pairs { ["envelope.to"] = { envelope = { to = { a, [3] = b } } },
      ["dsn.notify"] = { dsn = { notify = { "failure", [3] = "delay" } } } } do
      it("is refused within an option: " .. name, function()
         assert.equal(name, refused(more).option)
      end)
   end

   it("of messages is refused before any is sent", function()
      local message = { from = a, to = b, text = "" }
      for _, messages in ipairs { { message, nil, message }, { message, [3] = message }, { message, x = message } } do
         local summary, err = safe.send_many({ host = "mx.example", tls = "skip", transport = untouched() }, messages)
         assert.is_nil(summary)
         assert.equal("messages", err.option)
      end
   end)
end)

describe("date", function()
   for _, date in ipairs { "Foo, 24 Nov 2026 12:00:00 +0000", "Tue, 99 Nov 2026 12:00:00 +0000",
      "Tue, 24 Nix 2026 12:00:00 +0000", "Tue, 24 Nov 2026 24:00:00 +0000", "Tue, 24 Nov 2026 12:00:61 +0000",
      0 / 0, 1 / 0, -1, 1e18, "2026-11-24", "Tue, 24 Nov 2026 12:00" .. ("z"):rep(1000),
      "Tue, 24 Nov 2026 12:00:00 +0000\r\nBcc: x", {}, false } do
      it("is refused where it is none: " .. tostring(date):sub(1, 30), function()
         assert.equal("date", refused({ date = date }).option)
      end)
   end

   it("is a time, fractions of a second left out, or a date of RFC 5322", function()
      for date, written in pairs { [0.5] = "Thu, 01 Jan 1970 00:00:00 +0000",
         [1764000000] = "Mon, 24 Nov 2025 16:00:00 +0000",
         ["Tue, 24 Nov 2026 12:00:00 +0100 (CET)"] = "Tue, 24 Nov 2026 12:00:00 +0100 (CET)",
         ["Tue, 4 Nov 2026 12:00 GMT"] = "Tue, 4 Nov 2026 12:00 GMT" } do
         local message = assert(safe.message { from = base.from, to = base.to, text = "", date = date })
         assert.truthy(tostring(message):find("Date: " .. written .. "\r\n", 1, true), tostring(message))
      end
   end)
end)

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

describe("raw", function()
   it("that is an open folder is refused", function()
      local folder = assert(io.open("/", "rb"))
      local _, err = safe.send { transport = untouched(), tls = "skip", from = base.from, to = base.to, raw = folder }
      folder:close()
      assert.equal("raw", err.option)
   end)
end)

describe("transport as a function", function()
   it("that makes none is a SourceError, and nobody is connected to past it", function()
      local listener = assert(require("smtp.socket").listen("127.0.0.1", 0))
      local _, port = listener:getsockname()
      for _, make in ipairs { function() end, function() return nil, "the proxy is down" end,
         function() return false end,
         function() return {} end, function() return "x" end, function() error("the proxy is down") end } do
         for _, tls in ipairs { "skip", "require" } do
            local t = { host = "127.0.0.1", port = port, transport = make, tls = tls, timeout = 1, from = base.from,
               to = base.to, text = "" }
            for _, call in ipairs { safe.send, safe.probe } do
               if call == safe.probe then t.from, t.to, t.text = nil, nil, nil end
               local _, err = call(t)
               assert.same({ "source", "transport", "no" }, { err.kind, err.reason, err.sent })
               assert.truthy(err.what:find("transport", 1, true))
            end
         end
      end
      assert.is_nil((listener:accept(1)))
      listener:close()
   end)
end)

describe("an address as a table", function()
   it("has no other fields: somebody may stand in them", function()
      assert.equal("to.1", refused({ to = { address = "bob@there.example", "eve@there.example" } }).option)
      assert.equal("cc.notify", refused({ cc = { { address = "bob@there.example", notify = "never" } } }).option)
   end)
end)

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

describe("the words of extensions", function()
   for keyword, near in pairs { chunkin = "chunking", ["8bit-mime"] = "8bitmime", DSN = "dsn",
      mtpriority = "mt-priority", deliver_by = "deliverby" } do
      it("are for the names in EHLO: " .. keyword .. " suggests " .. near, function()
         local err = refused { extensions = { [keyword] = "skip" } }
         assert.equal("extensions." .. keyword, err.option)
         assert.truthy(err.hint:find(near, 1, true) or keyword == "DSN")
      end)
   end

   it("leave STARTTLS and AUTH to tls and auth", function()
      assert.truthy(refused({ extensions = { starttls = "skip" } }).hint:find("option tls", 1, true))
      assert.truthy(refused({ extensions = { auth = "require" } }).hint:find("option auth", 1, true))
   end)

   it("are three, in a table", function()
      for _, bad in ipairs { "chunking", true, { "chunking" }, { chunking = true }, { chunking = "off" },
         { chunking = {} } } do
         assert.truthy(refused({ extensions = bad }).option:find("^extensions"))
      end
   end)

   it("promise REQUIRETLS or do not", function()
      assert.equal("extensions.requiretls", refused({ extensions = { requiretls = "prefer" } }).option)
      assert.is_table(server { extensions = { requiretls = "skip" } })
   end)

   it("for pipelining agree with the option", function()
      assert.same({ "off", "skip" }, { server({ extensions = { pipelining = "skip" } }).pipelining,
         server({ pipelining = "off" }).extensions.pipelining })
      assert.equal("eager", server({ pipelining = "eager", extensions = { pipelining = "require" } }).pipelining)
      assert.equal("off", server({ pipelining = "off", extensions = { pipelining = "skip" } }).pipelining)
      for option, word in pairs { off = "require", safe = "skip", eager = "skip" } do
         assert.equal("pipelining", refused({ pipelining = option, extensions = { pipelining = word } }).option)
      end
      refused { pipelining = "off", extensions = { pipelining = "prefer" } }
   end)

   it("do not skip what the message needs", function()
      local err = refused { to = "pel\195\169@there.example", extensions = { smtputf8 = "skip" } }
      assert.equal("extensions.smtputf8", err.option)
      assert.truthy(err.what:find("pel\195\169@there.example", 1, true))
   end)

   it("are copied", function()
      local given = { dsn = "prefer" }
      assert.is_not.equal(given, server({ extensions = given }).extensions)
   end)
end)

describe("what is asked of an extension", function()
   local bad_notify = { "never,failure", "FAILURE", "", true, 7, {}, { "never", "failure" }, { "fail" },
      { failure = true }, { "failure", 7 }, { "failure\r\nRCPT" } }

   local function to_bob(more)
      more.address = "bob@there.example"
      return { envelope = { to = { more } } }
   end

   for option, values in pairs {
      dsn = { "failure", true, { "failure" }, { notfy = "failure" } },
      ["dsn.ret"] = { "FULL", "header", true, "full RET=HDRS" },
      ["dsn.envid"] = { "", 7, true, "a\tb", "a\127", "\195\164", ("x"):rep(101), (" "):rep(34), "a\r\nDATA" },
      requiretls = { "yes", 1, "true" },
      deliver_by = { 0, -1, 1.5, "x", true, {}, 1e9, 0 / 0, math.huge, { seconds = 0 },
         { seconds = 60, secs = 5 } },
      ["deliver_by.mode"] = { "R", true }, ["deliver_by.trace"] = { "T", 1 },
      hold_for = { 0, -1, 1.5, "x", {}, 1e9, 0 / 0, "5\r\nDATA" },
      hold_until = { -1, 1e12, 0 / 0, math.huge, true, "", "tomorrow", "2026-11-24", "2026-11-24T12:00:00",
         "2026-13-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T12:60:00Z",
         "2026-11-24T12:00:61Z", "2026-11-24T12:00:0012Z", "2026-11-24T12:00:00.Z", "2026-11-24T12:00:00+25:00",
         "2026-11-24T12:00:00+0100", "2026-11-24T12:00:00Z HOLDFOR=1", "1969-12-31T23:59:59Z",
         "2026-11-24T12:00:00ZZ" },
      mt_priority = { 10, -10, 1.5, "high", true, 0 / 0, "5 SIZE=1", {} },
   } do
      for i, value in ipairs(values) do
         it(("has to be of its form: %s, %d"):format(option, i), function()
            local name, field = option:match("^([^.]*)%.?(.*)$")
            local given = field == "" and value or { seconds = name == "deliver_by" and 60 or nil, [field] = value }
            assert.equal(name, refused({ [name] = given }).option:match("^[^.]*"))
         end)
      end
   end

   it("names those who are to be told of what", function()
      for _, bad in ipairs(bad_notify) do
         assert.equal("dsn.notify", refused({ dsn = { notify = bad } }).option)
         assert.equal("envelope.to.notify", refused(to_bob { notify = bad }).option)
      end
   end)

   it("has an address for orcpt", function()
      for _, bad in ipairs { "", "x", 7, true, "rfc822;", "rfc822;x", "x400;a@b.example", "rfc822;utf-8;a@b.example",
         "utf-8;rfc822;a@b.example", "rfc822;a@b\r\nDATA", "a@b\r\nDATA",
         ("\195\169"):rep(85) .. "@x.example" } do
         assert.equal("envelope.to.orcpt", refused(to_bob { orcpt = bad }).option)
      end
      assert.equal("envelope.to.notfy", refused(to_bob { notfy = "never" }).option)
   end)

   it("may have the type of an address before it in orcpt", function()
      for given, want in pairs { ["old@b.example"] = "rfc822;old@b.example",
         ["rfc822;old@b.example"] = "rfc822;old@b.example",
         ["RFC822; old@b.example "] = "rfc822;old@b.example", ["utf-8;old@b.example"] = "rfc822;old@b.example",
         ["utf-8;pel\195\169@b.example"] = "utf-8;pel\\x{E9}@b.example",
         ["rfc822;Bob <old@b.example>"] = "rfc822;old@b.example" } do
         local t = to_bob { orcpt = given }
         t.from, t.text = "ann@me.example", ""
         local one = assert(request.message(t))
         assert.same({ ["bob@there.example"] = want }, one.parameters.orcpt_of)
      end
   end)

   it("holds a message in one way", function()
      assert.equal("hold_until", refused({ hold_for = 5, hold_until = 1e9 }).option)
   end)

   it("tells mt_priority from priority", function()
      assert.truthy(refused({ mt_priority = "high" }).hint:find("priority", 1, true))
      local _, mail = server { priority = "high" }
      assert.is_nil(mail.parameters.mt_priority)
   end)

   it("takes dates in any zone, to the second", function()
      for given, want in pairs { ["2024-02-29T23:59:59z"] = "2024-02-29T23:59:59Z",
         ["2026-12-31 23:30:00-01:00"] = "2027-01-01T00:30:00Z",
         ["1970-01-01T00:00:00Z"] = "1970-01-01T00:00:00Z",
         ["2100-03-01T00:00:00.999+00:01"] = "2100-02-28T23:59:00Z",
         ["9999-12-31T23:59:59Z"] = "9999-12-31T23:59:59Z" } do
         local _, mail = server { hold_until = given }
         assert.equal(want, mail.parameters.hold_until)
      end
   end)
end)

describe("defaults", function()
   it("want TLS and, with credentials, authentication on the port for submission", function()
      local found = server { username = "ann", password = "pw" }
      assert.same({ "require", "require", 587, true },
         { found.tls, found.auth, found.port, found.tls_verify })
   end)

   it("without credentials are port 25, TLS required, no authentication", function()
      local found = server {}
      assert.same({ "require", "skip", 25 }, { found.tls, found.auth, found.port })
   end)

   it("on port 465 are TLS from the first byte", function()
      assert.equal("implicit", server({ port = 465 }).tls)
      assert.equal("implicit", server({ port = "465" }).tls)
      assert.equal(465, server({ tls = "implicit" }).port)
   end)

   for _, host in ipairs { "localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]" } do
      it("on loopback need no TLS: " .. host, function()
         local found = server { host = host }
         assert.same({ "skip", true }, { found.tls, found.loopback })
      end)
   end

   for _, host in ipairs { "localhost.example", "127.example", "128.0.0.1", "127.0.0.1.example" } do
      it("take nothing else for loopback: " .. host, function()
         assert.equal("require", server({ host = host }).tls)
      end)
   end

   it("through a transport of the user's take nothing for loopback", function()
      assert.equal("require", server({ host = "localhost", transport = untouched() }).tls)
   end)

   it("are described by a url, and the other options win", function()
      local found = server { host = nil, url = "x" and "smtp://a%40b:p%3Aw@[::1]:2525" }
      assert.equal("mx.example", found.host)
      local t = with { url = "smtp://a%40b:p%3Aw@[2001:db8::1]:2525" }
      t.host = nil
      found = assert(request.send(t))
      assert.same({ "2001:db8::1", 2525, "a@b", "p:w", "require" },
         { found.host, found.port, found.username, found.password, found.auth })
      t.url = "smtps://mx.example"
      found = assert(request.send(t))
      assert.same({ "implicit", 465 }, { found.tls, found.port })
   end)
end)

-- Every way to where a message goes refuses the same.
local ways = {
   send = function(t) return safe.send(t) end,
   connect = function(t) return safe.connect(t) end,
   probe = function(t) return safe.probe(t) end,
   send_many = function(t) return safe.send_many(t, { { from = base.from, to = base.to, text = "" } }) end,
}

-- -> the errors, by way
local function refused_everywhere(given)
   local errors = {}
   for way, call in pairs(ways) do
      local t = { transport = untouched(), tls_host = "mx.example" }
      for name, value in pairs(way == "send" and base or {}) do t[name] = value end
      t.host = nil
      for name, value in pairs(given) do t[name] = value end
      local result, err = call(t)
      assert.is_nil(result)
      assert.same({ "usage", "no", "never" }, { err.kind, err.sent, err.retry }, way)
      errors[way] = err
   end
   return errors
end

describe("host", function()
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

describe("times", function()
   for name, max in pairs { timeout = 3600, connect_timeout = 300, reply_timeout = 900 } do
      it("are seconds, as many as make sense: " .. name, function()
         for _, value in ipairs { max + 1, 30000, "30000", max + 0.5 } do
            for _, err in pairs(refused_everywhere { host = "mx.example", [name] = value }) do
               assert.equal(name, err.option)
               assert.truthy(err.hint:find("milliseconds?", 1, true))
            end
         end
         for _, value in ipairs { 0, -1, 0 / 0, math.huge, -math.huge, "nan", "inf", "", "soon", true, {} } do
            for _, err in pairs(refused_everywhere { host = "mx.example", [name] = value }) do
               assert.equal(name, err.option)
            end
         end
         for value, seconds in pairs { [max] = max, [0.25] = 0.25, [tostring(max)] = max, ["0.5"] = 0.5 } do
            assert.equal(seconds, server({ [name] = value })[name])
         end
      end)
   end

   it("may exceed that where the size of the message asks for it", function()
      local delivery = require "smtp.client.delivery"
      assert.truthy(delivery.deadline(server {}, { size = 1e9 }, 0) > 3600)
   end)
end)

describe("a colon where a dot belongs", function()
   for _, name in ipairs { "send", "send_many", "defer", "connect", "probe", "message", "sink", "is_error" } do
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
         for _, given in ipairs { base, 7, false } do
            local result, err = connection[name](given or nil)
            assert.is_nil(result)
            assert.truthy(tostring(err):find("call connection:" .. name .. " with a colon", 1, true))
            assert.is_false((pcall(closed[name], given or nil)))
         end
      end
      assert.is_true(connection:close() and closed:close())
   end)
end)

describe("LMTP", function()
   local function from_url(url, more)
      local t = { url = url }
      for name, value in pairs(more or {}) do t[name] = value end
      local found, err = request.connection(t)
      assert(found, tostring(err))
      return found
   end

   it("has port 24, whatever else is given", function()
      local lmtp = server { protocol = "lmtp" }
      assert.same({ 24, "lmtp", "require" }, { lmtp.port, lmtp.protocol, lmtp.tls })
      assert.equal(24, server({ protocol = "lmtp", username = "ann", password = "pw" }).port)
      assert.equal(2525, server({ protocol = "lmtp", port = 2525 }).port)
      assert.equal("smtp", server({}).protocol)
   end)

   it("is not spoken on port 25", function()
      for _, bad in ipairs { { protocol = "lmtp", port = 25 }, { protocol = "lmtp", port = "25" } } do
         assert.truthy(refused(bad).what:find("RFC 2033", 1, true))
      end
      local _, err = request.connection { url = "lmtp://mx.example:25" }
      assert.equal("port", err.option)
   end)

   it("is described by a url", function()
      local found = from_url "lmtp://mx.example"
      assert.same({ "lmtp", "mx.example", 24, "require" }, { found.protocol, found.host, found.port, found.tls })
      found = from_url "lmtp://ann:pw@[::1]:2003"
      assert.same({ "lmtp", "::1", 2003, "skip", "ann" },
         { found.protocol, found.host, found.port, found.tls, found.username })
      for _, url in ipairs { "lmtp+unix:/run/dovecot/lmtp", "lmtp+unix:///run/dovecot/lmtp",
         "lmtp+unix:/run/dovecot%2Flmtp" } do
         found = from_url(url)
         assert.same({ "lmtp", "/run/dovecot/lmtp", nil, "skip", true },
            { found.protocol, found.socket, found.host, found.tls, found.loopback })
      end
      assert.equal("mx.example", from_url("lmtp+unix:/x", { host = "mx.example" }).host)
      assert.equal("smtp", from_url("lmtp://mx.example", { protocol = "smtp" }).protocol)
   end)

   it("has urls of its form only", function()
      for _, url in ipairs { "lmtp+unix:", "lmtp+unix:x", "lmtp+unix:/x?y", "lmtps://x", "lmtp+tcp:/x",
         "lmtp+unix:/x%00y", "lmtp+unix:/" .. ("x"):rep(200), "lmtp://" } do
         local _, err = request.connection { url = url }
         assert.is_true(err.option == "url" or err.option == "socket", url)
      end
      assert.equal("protocol", refused({ protocol = "LMTP" }).option)
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
      reply_timeout = { 0 }, pipelining = { "fast", true }, trace = { "yes" },
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
      local found = server { port = "2525", timeout = "1.5" }
      assert.same({ 2525, 1.5 }, { found.port, found.timeout })
      refused { timeout = "1,5" } -- whatever the locale
      assert.equal("25", ("%s"):format(server({ port = "25.0" }).port))
   end)

   it("asks about milliseconds", function()
      assert.truthy(refused({ timeout = 300000 }).hint:find("milliseconds", 1, true))
   end)

   it("knows no two names for one thing at once", function()
      assert.equal("server", refused({ server = "x" }).option)
      assert.equal("mx2.example", assert(request.connection { server = "mx2.example" }).host)
      assert.equal("ann", assert(request.connection { user = "ann", password = "x" }).username)
   end)

   it("takes keepalive = false everywhere", function()
      assert.is_table(server { keepalive = false })
   end)

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
      assert.equal("skip", server({ username = "", password = "" }).auth)
   end)

   it("count as on loopback only for what is an address there", function()
      assert.equal("skip", server({ host = "127.0.0.1" }).tls)
      assert.equal("skip", server({ host = "127.255.255.254" }).tls)
      for _, host in ipairs { "127.999.1.1", "127.0.0.256", "127.1", "127.0.0.1.example", "127.00.0.1" } do
         assert.equal("require", server({ host = host }).tls, host)
      end
   end)

   it("may be a token, for a user", function()
      assert.same({ "require", 587 }, { server({ username = "ann", token = "t" }).auth,
         server({ username = "ann", token = "t" }).port })
      assert.equal("username", refused({ token = "t" }).option)
      assert.equal("token", refused({ username = "ann", token = 7 }).option)
   end)

   it("have to fit one of the mechanisms named", function()
      assert.equal("token", refused({ username = "ann", password = "pw", auth_mechanisms = "XOAUTH2" }).option)
      assert.equal("password", refused({ username = "ann", token = "t", auth_mechanisms = "PLAIN" }).option)
      assert.equal("username", refused({ auth = "prefer", auth_mechanisms = "PLAIN" }).option)
   end)

   it("give the bounds of SCRAM's work", function()
      assert.same({ 4096, 200000 }, server({}).scram_iterations)
      assert.same({ 1, 5 }, server({ scram_iterations = { 1, 5 } }).scram_iterations)
      for _, bad in ipairs { 7, {}, { 1 }, { 2, 1 }, { 0, 5 }, { 1.5, 3 }, { "x", 3 }, { 1, 1e10 } } do
         assert.equal("scram_iterations", refused({ scram_iterations = bad }).option)
      end
   end)

   it("are needed for auth = require", function()
      assert.equal("auth", refused({ auth = "require" }).option)
      assert.equal("prefer", server({ auth = "prefer" }).auth)
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
      local _, mail = server { to = { "a@x.example", "b@x.example" }, cc = "a@x.example",
         bcc = "c@x.example" }
      assert.same({ "a@x.example", "b@x.example", "c@x.example" }, mail.to)
      local bytes = {}
      for piece in source.of_message(mail).open() do bytes[#bytes + 1] = piece end
      bytes = table.concat(bytes)
      assert.truthy(bytes:find("b@x.example", 1, true))
      assert.is_nil(bytes:find("c@x.example", 1, true))
      assert.is_nil(("\n" .. bytes:lower()):find("\nbcc", 1, true))
   end)

   it("may have another envelope than its headers say", function()
      local _, mail = server { envelope = { from = "", to = { "z@x.example" } } }
      assert.same({ "", { "z@x.example" } }, { mail.from, mail.to })
      _, mail = server { cc = "c@x.example", bcc = "d@x.example", envelope = { to = "z@x.example" } }
      assert.same({ "z@x.example" }, mail.to)
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
      assert.is_table((request.send(t)))
   end)

   it("leaves the caller's tables alone, and runs nothing of theirs", function()
      local to = setmetatable({ "bob@there.example" }, { __index = function() error("ran") end })
      local t = with { to = to }
      setmetatable(t, { __index = function() error("ran") end })
      assert.is_table((request.send(t)))
      assert.same({ "bob@there.example" }, { rawget(to, 1) })
      assert.is_nil(rawget(t, "port"))
   end)
end)
