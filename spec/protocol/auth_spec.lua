local talk = require "spec.tools.talk"
local errors = require "smtp.errors"
local safe = require "smtp.safe"

local script = talk.snippets {
   helo_only = [[
      S: 220 hi
      C: EHLO me.example
      S: 502 what
      C: HELO me.example
      S: 250 mx
   ]],
   gone = [[
      <hello STARTTLS, AUTH PLAIN>
      C: STARTTLS
      S: 220 go
      TLS
      <ehlo>
   ]],
}


local function login(auth, more)
   local options = { auth = auth, username = "ann", password = "sesame-0", auth_plaintext = true }
   for key, value in pairs(more or {}) do
      if value == "none" then value = nil end
      options[key] = value
   end
   return options
end

-- The table before anything is sent: what the server offers, and what follows under each word.
local before = {
   { "a mechanism we may use", script "<hello AUTH PLAIN>", use = [[
      C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
      S: 235 ok
   ]] },
   { "usable mechanisms, on a clear link", script "<hello AUTH PLAIN LOGIN>",
      { auth_plaintext = "none" }, error = "auth_insecure", reason = "plaintext", always = true },
   { "no EHLO", script.helo_only, error = "auth_unsupported", reason = "helo_only" },
   { "AUTH before TLS only", script.gone, { tls = "require", auth_plaintext = "none" },
      error = "auth_unsupported", reason = "not_advertised_after_tls" },
   { "no AUTH", script "<hello PIPELINING2>", error = "auth_unsupported", reason = "not_advertised" },
   { "AUTH with an empty list", script "<hello AUTH>", error = "auth_unsupported", reason = "empty_list" },
   { "AUTH= with an empty list", script "<hello AUTH=>", error = "auth_unsupported", reason = "empty_list" },
   { "unknown mechanisms", script "<hello AUTH GSSAPI X-FOO>", error = "auth_unsupported",
      reason = "no_common_mechanism" },
   { "mechanisms other than those named", script "<hello AUTH LOGIN>", { auth_mechanisms = { "PLAIN" } },
      error = "auth_unsupported", reason = "no_common_mechanism", always = true },
}

describe("AUTH, where the server offers", function()
   for _, row in ipairs(before) do
      local name, opening, more = row[1], row[2], row[3]

      it(name .. ", under require", function()
         if row.use then
            local receipt = talk.send(login("require", more), script([[
               <opening>
               <use>
               <accepted>
            ]], { opening = opening, use = row.use }))
            assert.equal("authenticated", receipt.auth.state)
            return
         end
         local _, err = talk.send(login("require", more), script([[
            <opening>
            <bye>
         ]], { opening = opening }))
         assert.equal(row.error, err.kind)
         assert.equal(row.reason, err.reason)
         assert.equal("auth", err.stage)
         assert.equal("no", err.sent)
         assert.equal("never", err.retry)
         assert.equal(row.error == "auth_unsupported",
            errors.is(err, errors.classes.AuthUnsupportedError))
         assert.is_string(err.hint)
      end)

      it(name .. ", under prefer", function()
         if row.use then
            local receipt = talk.send(login("prefer", more), script([[
               <opening>
               <use>
               <accepted>
            ]], { opening = opening, use = row.use }))
            assert.equal("authenticated", receipt.auth.state)
         elseif row.always then
            local _, err = talk.send(login("prefer", more), script([[
               <opening>
               <bye>
            ]], { opening = opening }))
            assert.equal(row.error, err.kind)
            assert.equal(row.reason, err.reason)
         else
            local receipt = talk.send(login("prefer", more), script([[
               <opening>
               <accepted>
            ]], { opening = opening }))
            assert.equal("unavailable", receipt.auth.state)
            assert.equal(row.reason, receipt.auth.reason)
         end
      end)

      it(name .. ", under skip", function()
         local receipt = talk.send(login("skip", more), script([[
            <opening>
            <accepted>
         ]], { opening = opening }))
         assert.equal("skipped", receipt.auth.state)
      end)
   end

   it("nothing: the error reads like this", function()
      local _, err = talk.send(login("require", { port = 25 }), script [[
         <hello PIPELINING, SIZE, STARTTLS>
         <bye>
      ]])
      assert.equal('smtp: mx.example:25 does not offer AUTH, and auth = "require" (EHLO offered '
         .. "PIPELINING, SIZE, STARTTLS). The server offers STARTTLS and tls = \"skip\": AUTH usually "
         .. 'appears only after TLS; set tls = "require", or auth = "prefer" to send without.',
         tostring(err))
   end)

   it("AUTH is not an AuthError where it is missing: nobody refused us", function()
      local _, err = talk.send(login("require"), script [[
         <hello X>
         <bye>
      ]])
      assert.is_false(errors.is(err, "auth"))
      assert.is_true(errors.is(err, "not_supported"))
   end)

   it("unknown mechanisms: the error says why each was not used", function()
      local _, err = talk.send(login("require", { auth_mechanisms = { "PLAIN" } }),
         script [[
            <hello AUTH GSSAPI LOGIN>
            <bye>
         ]])
      assert.same({ "GSSAPI", "LOGIN" }, err.offered)
      assert.truthy(err.what:find("GSSAPI: not known here", 1, true))
      assert.truthy(err.what:find("LOGIN: not in auth_mechanisms", 1, true))
   end)

   it("AUTH before TLS only: both lists are in the error", function()
      local _, err = talk.send(login("require", { tls = "require" }), script [[
         <gone>
         <bye>
      ]])
      assert.same({}, err.offered)
      assert.same({ "PLAIN" }, err.offered_before_tls)
   end)

   it("AUTH: it is inside TLS that a password may travel", function()
      local receipt = talk.send(login("require", { tls = "require", auth_plaintext = "none" }),
         script [[
            <hello STARTTLS>
            C: STARTTLS
            S: 220 go
            TLS
            <ehlo AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 235 ok
            <accepted>
         ]])
      assert.equal("authenticated", receipt.auth.state)
   end)
end)

-- The table after AUTH was sent. `next`: the answer lets LOGIN be tried.
local after = {
   { "454 4.7.0 not now", "auth_temporary", "temporary", "later" },
   { "432 4.7.12 transition", "auth_temporary", "temporary", "later" },
   { "538 5.7.11 encrypt", "auth_insecure", "encryption_required", "never" },
   { "530 5.7.0 Must issue a STARTTLS command first", "tls_required", "required", "never" },
   { "530 5.7.0 authenticate", "auth_required", "required", "never" },
   { "535 5.7.8 no", "auth_rejected", "rejected", "never" },
   { "501 5.5.2 bad", "auth_rejected", "rejected", "never" },
   { "550 5.7.1 no", "auth_rejected", "rejected", "never" },
   { "554 5.7.1 no", "auth_rejected", "rejected", "never" },
   { "521 no", "auth_rejected", "rejected", "never" },
}

describe("AUTH answered by", function()
   for _, policy in ipairs { "require", "prefer" } do
      for _, row in ipairs(after) do
         it(row[1] .. " is final under " .. policy, function()
            local _, err = talk.send(login(policy), script([[
               <hello AUTH PLAIN LOGIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: $first
               <bye>
            ]], { first = row[1] }))
            assert.equal(row[2], err.kind)
            assert.equal(row[3], err.reason)
            assert.equal(row[4], err.retry)
            assert.equal("auth", err.stage)
            assert.equal(tonumber(row[1]:sub(1, 3)), err.code)
         end)
      end

      it("421 is temporary, and the connection is gone, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 421 bye
         ]]) -- not even QUIT
         assert.equal("auth_temporary", err.kind)
      end)

      for _, code in ipairs { 250, 220, 354 } do
         it(code .. " is no success, under " .. policy, function()
            local _, err = talk.send(login(policy), script([[
               <hello AUTH PLAIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: $code ok
            ]], { code = code }))
            assert.equal("protocol", err.kind)
         end)
      end

      for _, line in ipairs { "504 5.5.4 unknown", "504 no", "501 5.5.4 unrecognized",
         "503 5.5.4 unrecognized", "534 5.7.0 too weak" } do
         it(line .. " leads to the next mechanism, under " .. policy, function()
            local receipt = talk.send(login(policy), script([[
               <hello AUTH LOGIN PLAIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: $line
               C: AUTH LOGIN
               S: 334 VXNlcm5hbWU6
               C: YW5u
               S: 334 UGFzc3dvcmQ6
               C: c2VzYW1lLTA=
               S: 235 ok
               <accepted>
            ]], { line = line }))
            assert.equal("LOGIN", receipt.auth.mechanism)
         end)
      end

      it("534 to the last mechanism is too weak, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN LOGIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 534 5.7.0 weak
            C: AUTH LOGIN
            S: 504 no
            <bye>
         ]])
         assert.same({ "auth_rejected", "mechanism_too_weak", 534, "5.7.0", "weak" },
            { err.kind, err.reason, err.code, err.enhanced, err.text })
         assert.same({ PLAIN = "answered 534", LOGIN = "answered 504" }, err.mechanisms)
      end)

      -- Another mechanism would be a second failed login with the same password.
      for line, reason in pairs {
         ["534-5.7.9 Application-specific password required.\nS: 534 5.7.9  https://x.example/?p=InvalidSecondFactor"]
            = "app_password_required",
         ["534-5.7.14 <https://accounts.google.com/signin/continue>\nS: 534 5.7.14 Please log in via your web browser"]
            = "browser_login_required" } do
         it(line:sub(1, 10) .. " ends the authentication, under " .. policy, function()
            local _, err = talk.send(login(policy), script([[
               <hello AUTH PLAIN LOGIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: $line
               <bye>
            ]], { line = line }))
            assert.same({ "auth_rejected", reason, "auth", 534, "never", "no" },
               { err.kind, err.reason, err.stage, err.code, err.retry, err.sent })
            assert.truthy(err.hint:find("application password", 1, true))
            assert.truthy(tostring(err):find("not tried: LOGIN", 1, true))
            _, err = talk.send(login(policy), script([[
               <hello AUTH LOGIN>
               C: AUTH LOGIN
               S: 334 VXNlcm5hbWU6
               C: YW5u
               S: 334 UGFzc3dvcmQ6
               C: c2VzYW1lLTA=
               S: $line
               <bye>
            ]], { line = line }))
            assert.same({ "auth_rejected", reason }, { err.kind, err.reason })
         end)
      end

      it("534 with a status of another class leads on, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN LOGIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 534 4.7.9 weak
            C: AUTH LOGIN
            S: 534 5.7.14 web
            <bye>
         ]])
         assert.equal("browser_login_required", err.reason)
      end)

      it("500 5.5.6 to an initial response is tried once without, under " .. policy, function()
         for _, code in ipairs { 500, 501 } do
            local receipt = talk.send(login(policy), script([[
               <hello AUTH PLAIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: $code 5.5.6 too long
               C: AUTH PLAIN
               S: 334\x20
               C: AGFubgBzZXNhbWUtMA==
               S: 235 ok
               <accepted>
            ]], { code = code }))
            assert.equal("PLAIN", receipt.auth.mechanism)
         end
      end)

      it("a lost connection is no reason to go on without, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            CLOSE
         ]])
         assert.equal("disconnected", err.kind)
         assert.equal("auth", err.stage)
      end)

      it("silence is no reason to go on without, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            SILENCE
         ]])
         assert.equal("timeout", err.kind)
         assert.equal("auth", err.stage)
      end)
   end

   it("is told what those that are offered would need", function()
      for offered, hint in pairs { ["XOAUTH2"] = "Give token, for XOAUTH2",
         ["CRAM-MD5"] = 'auth_mechanisms = { "CRAM-MD5" }' } do
         local _, err = talk.send(login("require"), script([[
            <hello AUTH $offered>
            <bye>
         ]], { offered = offered }))
         assert.equal("no_common_mechanism", err.reason)
         assert.truthy(err.hint:find(hint, 1, true), err.hint)
      end
      local _, err = talk.send({ auth_plaintext = true, username = "ann", token = "t" }, script [[
         <hello AUTH PLAIN>
         <bye>
      ]])
      assert.truthy(err.hint:find("Give password, for PLAIN", 1, true), err.hint)
   end)

   it("may be what a relay wants that refuses the recipient", function()
      local _, err = talk.send({}, script [[
         <hello AUTH PLAIN>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 554 5.7.1 relay access denied
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
      assert.truthy(err.hint:find("username and password", 1, true))
   end)

   it("504 to all mechanisms is no common mechanism", function()
      local all = script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 504 5.5.4 no
      ]]
      local _, err = talk.send(login("require"), script([[
         <all>
         <bye>
      ]], { all = all }))
      assert.equal("auth_unsupported", err.kind)
      assert.equal("no_common_mechanism", err.reason)
      assert.truthy(err.what:find("PLAIN: answered 504", 1, true))
      local receipt = talk.send(login("prefer"), script([[
         <all>
         <accepted>
      ]], { all = all }))
      assert.equal("unavailable", receipt.auth.state)
      _, err = talk.send(login("prefer", { auth_mechanisms = "PLAIN" }), script([[
         <all>
         <bye>
      ]], { all = all }))
      assert.equal("no_common_mechanism", err.reason)
   end)

   for _, line in ipairs { "500 5.5.1 what", "502 5.5.1 not implemented", "503 bad sequence",
      "503 5.5.1 already authenticated" } do
      it(line .. " is AUTH that is not there, never success", function()
         local opening = script([[
            <hello AUTH PLAIN LOGIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: $line
         ]], { line = line })
         local _, err = talk.send(login("require"), script([[
            <opening>
            <bye>
         ]], { opening = opening }))
         assert.equal("auth_unsupported", err.kind)
         assert.equal("rejected_command", err.reason)
         local receipt = talk.send(login("prefer"), script([[
            <opening>
            <accepted>
         ]], { opening = opening }))
         assert.equal("unavailable", receipt.auth.state)
         assert.equal("rejected_command", receipt.auth.reason)
      end)
   end
end)

describe("PLAIN", function()
   it("is sent with an identity where one is given", function()
      talk.send(login("require", { authzid = "boss" }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN Ym9zcwBhbm4Ac2VzYW1lLTA=
         S: 235 ok
         <accepted>
      ]])
   end)

   it("that would make the command too long is sent in answer to a challenge", function()
      local long = ("k3"):rep(200)
      local core = require "smtp.core"
      local _, err = talk.send(login("require", { password = long }), script([[
         <hello AUTH PLAIN>
         C: AUTH PLAIN
         S: 334
         C: $coded
         S: 235 ok
         <accepted>
      ]], { coded = core.base64("\0ann\0" .. long) }))
      assert.is_nil(err)
   end)

   for _, challenge in ipairs { "334 ", "334", "334 text" } do
      it("takes '" .. challenge .. "' for an empty challenge", function()
         talk.send(login("require"), script([[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 501 5.5.6 long
            C: AUTH PLAIN
            S: $challenge
            C: AGFubgBzZXNhbWUtMA==
            S: 235 ok
            <accepted>
         ]], { challenge = challenge }))
      end)
   end

   it("asked once more is cancelled", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 334 more
         C: *
         S: 501 cancelled
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
      assert.equal("protocol", err.reason)
      assert.equal("C: *", err.transcript[#err.transcript - 3])
   end)

   it("accepted before anything was said is no success", function()
      local _, err = talk.send(login("require", { password = ("k3"):rep(200) }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN
         S: 235 welcome
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
      assert.equal("protocol", err.reason)
   end)

   it("with bytes outside ASCII sends them as they are given", function()
      talk.send(login("require", { password = "p\195\164ss" }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBww6Rzcw==
         S: 235 ok
         <accepted>
      ]])
   end)

   it("challenged with control characters is cancelled", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 ab\rcd
         C: *
         S: 501 cancelled
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)
end)

describe("LOGIN", function()
   local options = login("require", { auth_mechanisms = { "login" } })

   for name, prompts in pairs {
      ["the usual prompts"] = { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
      ["prompts in the wrong order"] = { "UGFzc3dvcmQ6", "VXNlcm5hbWU6" },
      ["prompts nobody knows"] = { "eA==", "Zm9v" }, ["no prompts"] = { "", "" },
   } do
      it("answers " .. name .. " by their order", function()
         local receipt = talk.send(options, script([[
            <hello AUTH LOGIN>
            C: AUTH LOGIN
            S: 334 $first
            C: YW5u
            S: 334 $second
            C: c2VzYW1lLTA=
            S: 235 ok
            <accepted>
         ]], { first = prompts[1], second = prompts[2] }))
         assert.equal("LOGIN", receipt.auth.mechanism)
      end)
   end

   it("refused at the user name never sends the password", function()
      local _, err = talk.send(options, script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 535 no
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
   end)

   it("accepted at the user name is no success", function()
      local _, err = talk.send(options, script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 235 welcome
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)

   it("is not tried with the same password after PLAIN was rejected", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH PLAIN LOGIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 535 no
         <bye>
      ]])
      assert.equal("rejected", err.reason)
   end)
end)

describe("530 later", function()
   local opening = script "<hello AUTH PLAIN>"

   it("on MAIL is AuthRequiredError, and the connection is left in order", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 log in
         <bye>
      ]], { opening = opening }))
      assert.equal("auth_required", err.kind)
      assert.equal("mail", err.stage)
      assert.same({ "PLAIN" }, err.offered)
   end)

   it("on MAIL is TlsRequiredError where the server says so", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 Must issue a StartTLS command first
         <bye>
      ]], { opening = opening }))
      assert.equal("tls_required", err.kind)
   end)

   it("on the only RCPT is AuthRequiredError", function()
      local _, err = talk.send({}, script([[
         <opening>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 530 5.7.0 log in
         <bye>
      ]], { opening = opening }))
      assert.equal("auth_required", err.kind)
      assert.equal("rcpt", err.stage)
   end)

   it("after prefer could not authenticate says why", function()
      local _, err = talk.send(login("prefer"), script [[
         <hello X>
         C: MAIL FROM:<ann@me.example>
         S: 530 5.7.0 log in
         <bye>
      ]])
      assert.equal("auth_required", err.kind)
      assert.equal("not_advertised", err.auth_reason)
   end)
end)

describe("what was offered and then refused us", function()
   local user, password = [[
      S: 334 eA==
      C: YW5u
   ]], [[
      S: 334 eQ==
      C: c2VzYW1lLTA=
   ]]

   for _, line in ipairs { "504 5.5.4 no", "503 5.5.4 no", "501 5.5.4 no" } do
      it("behind a challenge by " .. line .. " is refused: the mechanism was known", function()
         for _, policy in ipairs { "require", "prefer" } do
            for _, asked in ipairs { user, user .. password } do
               local _, err = talk.send(login(policy), script([[
                  <hello AUTH LOGIN>
                  C: AUTH LOGIN
                  <asked>
                  S: $line
                  <bye>
               ]], { asked = asked, line = line }))
               assert.equal("auth_rejected", err.kind)
            end
         end
      end)
   end

   it("as too weak stays too weak, whatever the next one is told", function()
      for _, policy in ipairs { "require", "prefer" } do
         for _, line in ipairs { "500 what", "502 5.5.1 what", "503 what", "504 no" } do
            local _, err = talk.send(login(policy), script([[
               <hello AUTH PLAIN LOGIN>
               C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
               S: 534 5.7.0 weak
               C: AUTH LOGIN
               S: $line
               <bye>
            ]], { line = line }))
            assert.same({ "auth_rejected", "mechanism_too_weak" }, { err.kind, err.reason })
         end
      end
   end)

   it("as a token that is over stays refused, whatever the new one is told", function()
      local first = "C: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgdG9rZW4tNwEB\n"
      for _, policy in ipairs { "require", "prefer" } do
         for _, line in ipairs { "503 what", "504 no", "500 what", "535 no" } do
            local options = login(policy, { token = function() return "token-7" end })
            local _, err = talk.send(options, script([[
               <hello AUTH XOAUTH2 PLAIN>
               <first>
               S: 535 5.7.8 no
               <first>
               S: $line
               <bye>
            ]], { first = first, line = line }))
            assert.equal("auth_rejected", err.kind)
         end
      end
   end)
end)

describe("a choice of ours", function()
   it("to use no mechanism is an error under prefer as well: it is no lack of the server's", function()
      local own = { name = "X-OWN", start = function() return false, "no ticket" end, step = function() end }
      for _, policy in ipairs { "require", "prefer" } do
         local _, err = talk.send(login(policy, { auth_mechanisms = { own } }), script [[
            <hello AUTH X-OWN>
            <bye>
         ]])
         assert.same({ "auth_unsupported", "no_common_mechanism" }, { err.kind, err.reason })
      end
   end)

   it("is told in the receipt where the server has nothing for us", function()
      local receipt = talk.send(login("prefer"), script [[
         <hello AUTH NTLM CRAM-MD5>
         <accepted>
      ]])
      assert.same({ NTLM = "not known here", ["CRAM-MD5"] = "only where auth_mechanisms names it" },
         receipt.auth.mechanisms)
   end)
end)

describe("secrets", function()
   it("that the server repeats after AUTH are in no receipt and no error", function()
      local options = login("require")
      options.to = { "bob@there.example", "eve@there.example" }
      local receipt = talk.send(options, script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 sesame-0
         C: RCPT TO:<eve@there.example>
         S: 550 no c2VzYW1lLTA=
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok sesame-0
         <bye>
      ]])
      assert.equal("[secret]", receipt.recipients[1].text)
      assert.equal("no [secret]", receipt.refused[1].text)
      assert.equal("ok [secret]", receipt.reply.text)
      local _, err = talk.send(login("require"), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 550 sesame-0
         <bye>
      ]])
      assert.equal("[secret]", err.recipients[1].text)
      local peer = talk.peer(script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         C: NOOP
         S: 250 sesame-0
      ]])
      local connection = assert(safe.connect { transport = peer, host = "mx.example", domain = "me.example",
         tls = "skip", username = "ann", password = "sesame-0", auth_plaintext = true })
      assert.equal("[secret]", connection:noop().text)
      assert.is_nil(tostring(connection):find("sesame", 1, true))
      connection:close()
   end)

   it("in the words of a user's mechanism are masked", function()
      local own = { name = "X-OWN", start = function(_, info) return false, "no for " .. info.password end,
         step = function() end }
      local _, err = talk.send(login("require", { auth_mechanisms = { own } }), script [[
         <hello AUTH X-OWN>
         <bye>
      ]])
      assert.equal("no for [secret]", err.mechanisms["X-OWN"])
   end)

   it("are asked for once, though one mechanism after the other wants them", function()
      local calls = 0
      local options = login("require", { auth_mechanisms = { "SCRAM-SHA-1", "PLAIN" }, password = function()
         calls = calls + 1
         return "sesame-0"
      end })
      talk.send(options, script [[
         <hello AUTH SCRAM-SHA-1 PLAIN>
         C~ AUTH
         S: 504 no
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         <accepted>
      ]])
      assert.equal(3, calls)
      local tokens = 0
      options = login("require", { auth_mechanisms = { "XOAUTH2", "PLAIN", "OAUTHBEARER" }, token = function()
         tokens = tokens + 1
         return "token-7"
      end })
      talk.send(options, script [[
         <hello AUTH XOAUTH2 PLAIN OAUTHBEARER>
         C~ AUTH
         S: 504 no
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 504 no
         C~ AUTH
         S: 235 ok
         <accepted>
      ]])
      assert.equal(3, tokens)
   end)

   it("are in no error, trace or transcript, even where the server repeats them", function()
      local lines = {}
      local options = login("require")
      options.trace = function(direction, line) lines[#lines + 1] = direction .. ": " .. line end
      local _, err = talk.send(options, script [[
         <hello AUTH PLAIN LOGIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 535 5.7.8 bad: AGFubgBzZXNhbWUtMA== sesame-0 c2VzYW1lLTA=
         <bye>
      ]])
      local all = table.concat(lines, "\n") .. tostring(err) .. table.concat(err.transcript, "\n")
         .. err.text .. err.command
      for _, secret in ipairs { "sesame-0", "AGFubgBzZXNhbWUtMA==", "c2VzYW1lLTA=" } do
         assert.is_nil(all:gsub("%[secret%]", ""):find(secret))
      end
      assert.truthy(all:find("AUTH PLAIN [secret]", 1, true))
   end)

   it("of LOGIN are removed as well", function()
      local lines = {}
      local options = login("require", { auth_mechanisms = { "LOGIN" } })
      options.trace = function(_, line) lines[#lines + 1] = line end
      talk.send(options, script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 334 y
         C: c2VzYW1lLTA=
         S: 535 no
         <bye>
      ]])
      assert.is_nil(table.concat(lines, "\n"):find("c2VzYW1lLTA=", 1, true))
   end)

   it("given as a function are asked for once, and only when they are needed", function()
      local calls = 0
      local options = login("require", { password = function()
         calls = calls + 1
         return "sesame-0"
      end })
      talk.send(options, script [[
         <hello AUTH PLAIN LOGIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 504 no
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 334 y
         C: c2VzYW1lLTA=
         S: 235 ok
         <accepted>
      ]])
      assert.equal(3, calls) -- once for each of the three ways to play it
      talk.send(options, script [[
         <hello X>
         <bye>
      ]])
      assert.equal(3, calls)
   end)

   it("whose function fails are a SourceError with its cause", function()
      for _, bad in ipairs { function() error("vault is sealed", 0) end,
         function() return nil, "vault is sealed" end } do
         local _, err = talk.send(login("require", { password = bad }), script "<hello AUTH PLAIN>")
         assert.equal("source", err.kind)
         assert.equal("vault is sealed", err.cause)
      end
   end)

   it("with a NUL or a line break from a function go nowhere", function()
      for _, bad in ipairs { "a\0b", "a\r\nb", "", ("k"):rep(5000) } do
         local _, err = talk.send(login("require", { password = function() return bad end }),
            script "<hello AUTH PLAIN>")
         assert.equal("source", err.kind)
      end
   end)
end)

describe("a list of mechanisms that shrank since an earlier connection", function()
   it("is in the receipt, on the connection, and in the error", function()
      local host = "shrank.example"
      talk.send(login("require", { host = host }), script [[
         <hello AUTH PLAIN LOGIN CRAM-MD5 X-FOO>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 535 no
         <bye>
      ]])
      local receipt = talk.send(login("require", { host = host }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         <accepted>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN" }, receipt.auth.downgrade) -- unknown names are not kept
      local _, err = talk.send(login("require", { host = host }), script [[
         <hello X>
         <bye>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN", "PLAIN" }, err.downgrade)
      assert.truthy(tostring(err):find("on an earlier connection it offered CRAM-MD5, LOGIN, PLAIN", 1, true))
      receipt = talk.send(login("prefer", { host = host }), script [[
         <hello X>
         <accepted>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN", "PLAIN" }, receipt.auth.downgrade)
      assert.equal("unavailable", receipt.auth.state)
   end)

   it("is not confused with that of another server, port, or link", function()
      talk.send(login("skip", { host = "one.example" }), script [[
         <hello AUTH PLAIN LOGIN>
         <accepted>
      ]])
      for _, other in ipairs { { host = "two.example" }, { host = "one.example", port = 26 } } do
         assert.is_nil(talk.send(login("skip", other), script [[
            <hello AUTH PLAIN>
            <accepted>
         ]]).auth.downgrade)
      end
      assert.is_nil(talk.send(login("require", { host = "one.example", tls = "require" }), script [[
         <hello STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS
         <ehlo AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         <accepted>
      ]]).auth.downgrade)
   end)

   it("is seen by connections that send nothing", function()
      local function connect(offered)
         return assert(safe.connect { host = "quiet.example", domain = "me.example", tls = "skip",
            transport = talk.peer(script("<hello $offered>", { offered = offered })) })
      end
      connect("AUTH PLAIN"):close()
      local second = connect "X"
      assert.same({ state = "skipped", offered = {}, downgrade = { "PLAIN" } }, second.auth)
      second:close()
   end)
end)
