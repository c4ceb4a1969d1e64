-- Names and values that other libraries and programs use: each error names the option here.
local checked = require "spec.tools.checked"
local fields = require "smtp.options.foreign_fields"
local foreign = require "smtp.options.foreign"
local names = require "smtp.options.names"
local safe = require "smtp.safe"

local base, refused = checked.base, checked.refused

local own = {}
for _, name in ipairs(names.all) do own[name] = true end

local function contains(text, word)
   return (" " .. text .. " "):find("[^A-Za-z0-9_]" .. word .. "[^A-Za-z0-9_]") ~= nil
end

-- The error of options, or of fields, that have one unknown name, by section.
local give = {}

function give.options(name) return refused { [name] = "x" } end

function give.attachment(name) return refused { attachments = { { content = "x", [name] = "x" } } } end

function give.address(name)
   return refused { to = { address = "bob@there.example", [name] = "x" } }
end

function give.envelope(name) return refused { envelope = { [name] = "x" } } end

function give.dsn(name) return refused { dsn = { [name] = "x" } } end

function give.dkim(name) return refused { dkim = { [name] = "x" } } end

function give.keepalive(name)
   return select(2, safe.connect { host = "mx.example", keepalive = { [name] = 1 } })
end

function give.settings(name)
   return select(2, safe.send_many({ host = "mx.example" }, {}, { [name] = 1 }))
end

function give.sink(name) return select(2, safe.sink { [name] = "x" }) end

function give.sink_auth(name)
   return select(2, safe.sink { auth = { users = { a = "b" }, [name] = "x" } })
end

describe("a name that other libraries use", function()
   for section, error_of in pairs(give) do
      local rows = section == "options" and foreign.rows or fields[section]
      it("leads to the name here: " .. section, function()
         for _, row in ipairs(rows) do
            for i = 3, #row do
               local err = error_of(row[i])
               assert.equal("usage", err.kind)
               assert.truthy(err.what:find("there is no option", 1, true), err.what)
               assert.truthy(err.what:find(row[i], 1, true), err.what)
               assert.equal(row[2], err.hint)
               if row[1] then assert.truthy(contains(row[2], row[1]), row[1] .. ": " .. row[2]) end
            end
         end
      end)
   end

   it("is in one row, and is none of ours", function()
      for section in pairs(give) do
         local seen = {}
         for _, name in ipairs(foreign.names(section)) do
            assert.equal(foreign.plain(name), name)
            assert.is_nil(seen[name], section .. ": " .. name)
            assert.is_true(section ~= "options" or not own[name], name)
            seen[name] = true
         end
      end
      for _, row in ipairs(foreign.rows) do assert.is_true(not row[1] or own[row[1]], row[1]) end
   end)

   for name, hint in pairs { pass = "Write password", body = "Write text", rcpt = "Write to", source = "Write raw",
      recipient = "Write to", ssl = 'Write tls = "implicit"', secure = 'Write tls = "implicit"',
      starttls = 'Write tls = "require"', use_tls = 'Write tls = "require"', timeout_ms = "Write timeout = 300, in s",
      connectTimeout = "Did you mean connect_timeout?", reply_to_address = "Write reply_to", debug = "Write trace",
      rejectUnauthorized = "Write tls_ca_file", mail_from = 'Write from = "ann', hostname = "Write host",
      requireTLS = 'Write tls = "require"', replyto = "Did you mean reply_to?", recipent = "Write to",
      smtp_server = "Write host", access_token = "Write token", password_file = "Write password = function",
      files = "Write attachments", name = "Write domain" } do
      it("is " .. name .. ": " .. hint, function()
         local err = refused { [name] = "x" }
         assert.equal(hint, err.hint:sub(1, #hint))
      end)
   end

   it("belongs to another call", function()
      local _, err = safe.connect { host = "mx.example", body = "x" }
      assert.equal('Write text = "…" (raw = … for a whole message with its header); it belongs to a message: '
         .. "smtp.send, connection:send or send_many", err.hint)
      _, err = safe.message { from = base.from, to = base.to, text = "", pass = "x" }
      assert.truthy(err.hint:find("^Write password = …; it belongs to the connection"), err.hint)
      assert.is_nil(tostring(err):find('"x"', 1, true))
   end)

   it("is given without a name", function()
      local err = refused { "bob@there.example" }
      assert.equal('Write each option with its name: { to = "bob@example.net" }', err.hint)
   end)

   it("is not known: the error lists short lists", function()
      assert.equal("It has from and to", give.envelope("xyzzyxyzzy").hint)
      assert.equal('The chapter "Options" of README.md lists all options', give.options("xyzzyxyzzy").hint)
   end)
end)

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
