local errors = require "smtp.errors"
local safe = require "smtp.safe"
local smtp = require "smtp"

describe("errors", function()
   it("know their class, and all classes above it", function()
      local err = errors.new("certificate", { what = "x" })
      for _, class in ipairs { smtp.CertificateError, smtp.TlsError, smtp.Error, "certificate", "tls",
         "error" } do
         assert.is_true(smtp.is_error(err, class))
      end
      for _, class in ipairs { smtp.AuthError, "connect" } do
         assert.is_false(smtp.is_error(err, class))
      end
   end)

   -- A misspelt class that matched every error would let a program send without a login.
   it("are of no class that does not exist", function()
      local err = errors.new("auth_rejected", { what = "x" })
      local metatable = setmetatable({}, { __index = function() error "no field" end })
      for _, class in ipairs { "nonsense", 5, {}, print, { kind = "auth" }, metatable, err } do
         local result, why = safe.is_error(err, class)
         assert.is_nil(result)
         assert.is_true(safe.is_error(why, safe.UsageError))
         assert.matches("class.*spelt", tostring(why))
         assert.is_false(pcall(smtp.is_error, err, class))
      end
      assert.is_nil((safe.is_error(err, smtp.AuthUnsuportedError)))
      assert.is_nil((safe.is_error("x", nil)))
      assert.is_false(pcall(smtp.is_error, err, smtp.AuthUnsuportedError))
   end)

   it("are distinguished from every other value", function()
      for _, value in ipairs { "x", 1, true, {}, setmetatable({}, { kind = "tls" }), print } do
         assert.is_false(smtp.is_error(value))
      end
      assert.is_false(smtp.is_error(nil))
   end)

   it("have a class for each kind, in snake case", function()
      for name, class in pairs(errors.classes) do
         assert.equal(name, class.name)
         assert.equal(class, smtp[name])
         local err = errors.new(class.kind, { what = "x" })
         assert.is_true(smtp.is_error(err, class))
      end
      assert.equal("auth_unsupported", smtp.AuthUnsupportedError.kind)
      assert.equal(smtp.NotSupportedError, smtp.AuthUnsupportedError.parent)
   end)

   it("are one line for a log", function()
      local err = errors.new("sender_refused", { what = "mx refused the sender", code = 550,
         enhanced = "5.1.8", text = "no\nsuch sender", hint = "Try another" })
      assert.equal("smtp: mx refused the sender (550 5.1.8): no such sender. Try another.",
         tostring(err))
      assert.equal("failed: " .. tostring(err), "failed: " .. err)
      assert.equal(tostring(err) .. "!", err .. "!")
   end)

   it("name the refused recipients, at most three, each with its reply", function()
      local function line(kind, code, text, ...)
         local recipients = {}
         for i, reply in ipairs { ... } do
            local reply_code, words = reply:match("^(%d+) (.*)$")
            recipients[i] = { address = ("u%d@x.example"):format(i), code = tonumber(reply_code),
               text = words, state = reply:sub(1, 1) == "4" and "deferred" or "refused" }
         end
         recipients[#recipients + 1] = { address = "z@x.example", state = "unsent" }
         return tostring(errors.new(kind, { what = "mx refused", code = code, text = text,
            recipients = recipients }))
      end
      local refused = "recipients_refused"
      assert.equal("smtp: mx refused (550): no [u1@x.example].", line(refused, 550, "no", "550 no"))
      assert.equal("smtp: mx refused (550): no [u1@x.example; u2@x.example].",
         line(refused, 550, "no", "550 no", "550 no"))
      assert.equal("smtp: mx refused: u1@x.example: 550 no; u2@x.example: 451 later.",
         line(refused, 451, "later", "550 no", "451 later"))
      assert.equal("smtp: mx refused: u1@x.example: 550 a; u2@x.example: 550 b; u3@x.example: 550 c; and 2 more.",
         line(refused, 550, "a", "550 a", "550 b", "550 c", "550 d", "550 e"))
      assert.equal("smtp: mx refused (554): spam.", line("data_refused", 554, "spam", "554 spam", "554 spam"))
      assert.matches("u2@x.example: 451 later", line("data_refused", 451, "later", "554 no", "451 later"))
      assert.is_true(#line(refused, 550, "x", "550 " .. ("ä"):rep(3000), "551 y") < 300)
      assert.equal("smtp: mx refused.", tostring(errors.new(refused, { what = "mx refused" })))
   end)

   it("say what the core calls them: each of its kinds is a class", function()
      for kind in io.open("csrc/smtp.h"):read("*a"):gmatch('X%(%u[%u%d_]*,%s*"([%l_]+)"') do
         if kind ~= "none" then assert.equal(kind, errors.new(kind, { what = "x" }).kind) end
      end
   end)
end)

describe("the line of a UsageError", function()
   local function line(name, value)
      local t = { host = "mx.example", from = "ann@me.example", to = "bob@there.example", text = "x",
         username = "ann", password = "sesame-5" }
      t[name] = value
      local receipt, err = safe.send(t)
      assert.is_nil(receipt)
      assert.truthy(safe.is_error(err, "usage"))
      return tostring(err), err
   end

   it("names the option, where its text is about something in it", function()
      local own = { name = "X-OWN", start = function() end }
      for _, value in ipairs { "NO SUCH", { "PLAIN", "NO SUCH" }, { own }, { { name = "plain" } },
         { { name = "PLAIN" } }, {}, 5, { 5 } } do
         local text, err = line("auth_mechanisms", value)
         assert.equal("auth_mechanisms", err.option)
         assert.truthy(text:find("auth_mechanisms", 1, true), text)
      end
   end)

   it("names any option that is wrong", function()
      local wrong = { auth = "never", tls = "maybe", port = "x", timeout = -1, username = 5, password = {},
         tls_pin = "x", domain = "local host", protocol = "x", transport = 5, pipelining = "x",
         extensions = { foo = "x" }, keepalive = 5, scram_iterations = 5, from = 5, to = 5, cc = "", subject = 5,
         attachments = 5, headers = 5,
         date = "x", envelope = 5, dkim = 5, recipients = "x", dsn = 5, deliver_by = "x", mt_priority = 99 }
      for name, value in pairs(wrong) do
         local text = line(name, value)
         assert.truthy(text:find(name, 1, true), text)
      end
   end)

   it("does not name it twice, nor an argument that is not an option", function()
      local _, times = line("auth", "never"):gsub("auth", "")
      assert.truthy(times <= 3)
      local _, err = safe.send(5)
      assert.is_nil(tostring(err):find("options: ", 1, true))
   end)
end)
