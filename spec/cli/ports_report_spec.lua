local errors = require "smtp.errors"
local ports_report = require "smtp.cli.ports_report"
local printed = require "spec.tools.printed"

local function report(more)
   local r = { host = "mx.example", tls = { state = "on", version = "TLSv1.3", cipher = "X", verified = true },
      auth = { state = "skipped", offered = { "PLAIN", "LOGIN" }, usable = { PLAIN = true } },
      after_tls = { capabilities = { SIZE = "35882577", AUTH = "PLAIN LOGIN", PIPELINING = "", ["8BITMIME"] = "" },
         mechanisms = { "PLAIN", "LOGIN" } },
      limits = { size = 35882577 }, options = { host = "mx.example" }, warnings = {}, seconds = {} }
   for name, value in pairs(more or {}) do r[name] = value end
   return r
end

local function failed(port, kind, more)
   local values = { what = "mx.example:" .. port .. " did something" }
   for name, value in pairs(more or {}) do values[name] = value end
   local err = errors.new(kind, values)
   return { port = port, usable = false, err = err, trouble = err }
end

local starttls = { before_tls = { capabilities = { STARTTLS = "" }, mechanisms = {} } }

local function survey()
   return { host = "mx.example", best = 465, options = { host = "mx.example", port = 465 },
      ports = { { port = 465, usable = true, report = report() },
         { port = 587, usable = true, report = report(starttls) }, failed(25, "connect", { reason = "refused" }) } }
end

describe("the report of ports", function()
   it("has a row for each, and what to use", function()
      assert.equal([[
mx.example
   465  TLS         TLSv1.3, messages up to 35.88 MB
                    AUTH PLAIN LOGIN
                    8BITMIME PIPELINING
   587  STARTTLS    TLSv1.3, messages up to 35.88 MB
                    AUTH PLAIN LOGIN
                    8BITMIME PIPELINING
    25  closed
flags   --host mx.example --port 465
Lua     { host = "mx.example", port = 465 }
login   not tried: give --username
]], (printed(ports_report.print, survey(), nil, {})))
   end)

   it("says that the login works", function()
      local t = survey()
      t.options = { host = "mx.example", username = "ann" }
      t.login = { state = "authenticated", mechanism = "PLAIN" }
      local text = printed(ports_report.print, t, nil, { "--password-file", "my file" }, "password")
      assert.matches("flags   --host mx.example --username ann --password-file 'my file'\n", text, 1, true)
      assert.matches('Lua     { host = "mx.example", username = "ann", password = "…" }\n', text, 1, true)
      assert.matches("login   ann is logged in by PLAIN with these options\n", text, 1, true)
   end)

   for text, entry in pairs {
      ["    25  no answer   mx.example:25 did something"] = failed(25, "timeout", { stage = "connect" }),
      ["    25  silent      mx.example:25 did something"] = failed(25, "timeout", { stage = "greeting" }),
      ["    25  unusable    mx.example:25 did something"] = failed(25, "certificate"),
      ["    25  unusable    mx.example:25 did something: No route to host"] = failed(25, "connect",
         { reason = "connect", text = "No route to host" }),
      ["    25  unusable    the certificate has expired"] = { port = 25, usable = false, report = report(),
         trouble = { kind = "certificate", text = "the certificate has expired" } },
      ["    25  clear text  no AUTH"] = { port = 25, usable = true, report = report { tls = { state = "unavailable" },
         auth = { offered = {}, usable = {} }, limits = {}, after_tls = false } },
   } do
      it("has one line for such a port: " .. text:gsub(" +", " "), function()
         assert.equal("mx.example\n" .. text .. "\n", (printed(ports_report.print, { host = "mx.example",
            ports = { entry } }, nil, {})))
      end)
   end

   it("shows the warnings of the port to use", function()
      local t = survey()
      t.ports[1].report.warnings = { { kind = "warning", text = "it expires", hint = "Renew it" },
         { kind = "remark", text = "it is old" } }
      t.ports[2].report.warnings = { { kind = "warning", text = "another" } }
      local text = printed(ports_report.print, t, nil, {})
      assert.matches("\nwarning: it expires. Renew it.\n$", text)
      assert.is_nil(text:find("it is old", 1, true))
      assert.is_nil(text:find("another", 1, true))
   end)

   it("has errors in the words of the command", function()
      local err = errors.new("usage", { what = "tls: expected another word", option = "tls",
         hint = 'Write tls = "skip"' })
      local text = printed(ports_report.print, { host = "mx.example", ports = { failed(25, "connect") } }, err, {}, nil,
         true)
      assert.matches('"error":"lua-smtp: --tls: expected another word. Write --tls skip."', text, 1, true)
      assert.matches('"error":"lua-smtp: mx.example:25 did something', text, 1, true)
   end)

   it("is one object in JSON", function()
      local err = errors.new("auth_rejected", { what = "no", reason = "credentials" })
      local text, status = printed(ports_report.print, survey(), err, { "--password-env", "PW" }, nil, true)
      assert.equal(77, status)
      assert.matches('"ports":[{"port":465,"report":{', text, 1, true)
      assert.matches('"options":{"host":"mx.example","port":465}', text, 1, true)
      assert.matches('"flags":"--host mx.example --port 465 --password-env PW"', text, 1, true)
      assert.matches('"kind":"auth_rejected"', text, 1, true)
      assert.matches('"kind":"connect","port":25,"reason":"refused","usable":false', text, 1, true)
   end)
end)
