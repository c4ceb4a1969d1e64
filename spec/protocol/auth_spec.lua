local errors = require "smtp.errors"
local logins = require "spec.tools.logins"
local talk = require "spec.tools.talk"

local login, with, spoken = logins.login, logins.with, logins.spoken

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
      local _, err = talk.send(login("require", { host = "bare.example", port = 25 }), script [[
         <hello PIPELINING, SIZE, STARTTLS>
         <bye>
      ]])
      assert.equal('smtp: bare.example:25 does not offer AUTH, but auth = "require" (EHLO offered '
         .. "PIPELINING, SIZE, STARTTLS). The server offers STARTTLS and tls = \"skip\": AUTH usually "
         .. 'appears only after TLS; set tls = "require", or auth = "prefer" to send without authentication.',
         tostring(err))
   end)

   it("AUTH is not an AuthError where it is missing: no login was refused", function()
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
   { "432 4.7.12 transition", "auth_temporary", "browser_login_required", "later" },
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
         it(code .. " is not a success, under " .. policy, function()
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
            assert.truthy(err.hint:find("app password", 1, true))
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

      it("a lost connection does not let it go on without AUTH, under " .. policy, function()
         local _, err = talk.send(login(policy), script [[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            CLOSE
         ]])
         assert.equal("disconnected", err.kind)
         assert.equal("auth", err.stage)
      end)

      it("silence does not let it go on without AUTH, under " .. policy, function()
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

   it("may be what a relay requires that refuses the recipient", function()
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

   it("504 to all mechanisms means that there is no common mechanism", function()
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

describe("AUTH by", function()
   for name, way in pairs(spoken) do
      it(name .. " is spoken to the letter", function()
         local receipt, err = talk.send(way[1], script([[
            <hello AUTH $name>
            <spoken>
            S: 235 ok
            <accepted>
         ]], { name = name, spoken = way[2] }))
         assert(receipt, tostring(err))
         assert.equal("authenticated", receipt.auth.state)
         assert.equal(name, receipt.auth.mechanism)
      end)

      for _, row in ipairs {
         { "454 4.7.0 later", "auth_temporary" }, { "432 4.7.12 transition", "auth_temporary" },
         { "535 5.7.8 no", "auth_rejected" }, { "501 5.5.2 what", "auth_rejected" },
         { "550 5.7.1 no", "auth_rejected" }, { "554 no", "auth_rejected" },
         { "538 5.7.11 encrypt", "auth_insecure" }, { "530 5.7.0 first", "auth_required" },
         { "530 5.7.0 Must issue a STARTTLS command first", "tls_required" },
         { "534 5.7.0 weak", "auth_rejected", "mechanism_too_weak" },
         { "534 5.7.9 app", "auth_rejected", "app_password_required" },
         { "534 5.7.14 web", "auth_rejected", "browser_login_required" }, { "250 ok", "protocol", drop = true },
         { "220 ok", "protocol", drop = true }, { "421 bye", "auth_temporary", drop = true },
      } do
         it(name .. " answered at its end by " .. row[1]:match("^[^\n]*") .. " is not a success", function()
            for _, policy in ipairs { "require", "prefer" } do
               local options = {}
               for key, value in pairs(way[1]) do options[key] = value end
               options.auth = policy
               local _, err = talk.send(options, script([[
                  <hello AUTH $name>
                  <spoken>
                  S: $line
                  <ending>
               ]], { name = name, spoken = way[2], line = row[1], ending = row.drop and "" or script.bye }))
               assert.equal(row[2], err.kind)
               assert.equal("auth", err.stage)
               assert.equal("no", err.sent)
               if row[3] then assert.equal(row[3], err.reason) end
            end
         end)
      end

      it(name .. " asked once more than it has answers is cancelled", function()
         local more = (name == "XOAUTH2" and [[
            S: 334 e30=
            C:
         ]])
            or (name == "OAUTHBEARER" and [[
               S: 334 e30=
               C: AQ==
            ]]) or ""
         local _, err = talk.send(way[1], script([[
            <hello AUTH $name>
            <spoken>
            <more>
            S: 334 bW9yZQ==
            C: *
            S: 501 cancelled
            <bye>
         ]], { name = name, spoken = way[2], more = more }))
         assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
      end)
   end

   it("PLAIN is not said where an unknown word only looks like it", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH PLAIN2 XPLAIN CRAM_MD5 LOGIN1>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("not known here", err.mechanisms.PLAIN2)
   end)
end)
