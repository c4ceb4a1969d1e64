-- Every mechanism of AUTH: its bytes, what each refusal leads to, and which one is chosen.
local core = require "smtp.core"
local errors = require "smtp.errors"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.script


local function with(more)
   local options = { username = "ann", password = "sesame-1", auth_plaintext = true }
   for key, value in pairs(more or {}) do
      if value == "none" then value = nil end
      options[key] = value
   end
   return options
end

local function with_token(more)
   local options = with { password = "none", token = "to.ken-1", port = 25 }
   for key, value in pairs(more or {}) do options[key] = value end
   return options
end

-- A peer whose last answer is right, in the words of a dialogue of two.
local own = { name = "X-OWN", plaintext = false,
   start = function(self, info)
      self.name_said = info.username
      return "hello " .. info.username
   end,
   step = function(self, challenge)
      if challenge == "riddle" then return self.name_said .. " knows", true end
      return nil, "that is no riddle"
   end }

local XOAUTH2 = core.base64("user=ann\1auth=Bearer to.ken-1\1\1")
local OAUTHBEARER = core.base64("n,a=ann,\1host=mx.example\1port=25\1auth=Bearer to.ken-1\1\1")
local expired = core.base64('{"status":"invalid_token","scope":"mail"}')

-- How each mechanism is said to success: before the 235.
local spoken = {
   PLAIN = { with(), "C: AUTH PLAIN " .. core.base64("\0ann\0sesame-1") .. "\n" },
   LOGIN = { with(), script([[
      C: AUTH LOGIN
      S: 334 eA==
      C: YW5u
      S: 334 eQ==
      C: $coded
   ]], { coded = core.base64("sesame-1") }) },
   XOAUTH2 = { with_token(), "C: AUTH XOAUTH2 " .. XOAUTH2 .. "\n" },
   OAUTHBEARER = { with_token(), "C: AUTH OAUTHBEARER " .. OAUTHBEARER .. "\n" },
   EXTERNAL = { { auth_mechanisms = "EXTERNAL" }, "C: AUTH EXTERNAL =\n" },
   ["CRAM-MD5"] = { { auth_mechanisms = "CRAM-MD5", username = "tim", password = "tanstaaftanstaaf" },
      [[
         C: AUTH CRAM-MD5
         S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
         C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
      ]] }, -- RFC 2195 2
   ["X-OWN"] = { with { auth_mechanisms = { own } }, script([[
      C: AUTH X-OWN $coded
      S: 334 $coded2
      C: $coded3
   ]], {
      coded = core.base64("hello ann"), coded2 = core.base64("riddle"), coded3 = core.base64("ann knows"),
   }) },
}

describe("AUTH", function()
   for name, way in pairs(spoken) do
      it(name .. " is spoken to the letter", function()
         local receipt, err = talk.send(way[1], script([[
            <hello AUTH $name>
            <second>
            S: 235 ok
            <accepted>
         ]], { name = name, second = way[2] }))
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
         it(name .. " answered at its end by " .. row[1]:match("^[^\n]*") .. " is no success", function()
            for _, policy in ipairs { "require", "prefer" } do
               local options = {}
               for key, value in pairs(way[1]) do options[key] = value end
               options.auth = policy
               local _, err = talk.send(options, script([[
                  <hello AUTH $name>
                  <second>
                  S: $first
                  <row>
               ]], { name = name, second = way[2], first = row[1], row = (row.drop and "" or script.bye) }))
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
            <second>
            <more>
            S: 334 bW9yZQ==
            C: *
            S: 501 cancelled
            <bye>
         ]], { name = name, second = way[2], more = more }))
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

describe("EXTERNAL", function()
   it("says whom to act as, where that is given", function()
      talk.send({ auth_mechanisms = "EXTERNAL", authzid = "boss" }, script [[
         <hello AUTH EXTERNAL>
         C: AUTH EXTERNAL Ym9zcw==
         S: 235 ok
         <accepted>
      ]])
   end)

   it("answers a challenge with nothing where there is nothing to say", function()
      talk.send({ auth_mechanisms = "EXTERNAL" }, script [[
         <hello AUTH EXTERNAL>
         C: AUTH EXTERNAL =
         S: 501 5.5.6 no initial response
         C: AUTH EXTERNAL
         S: 334
         C:
         S: 235 ok
         <accepted>
      ]])
   end)

   it("named is credentials: AUTH is required, on the port for submission", function()
      local _, err = talk.send({ auth_mechanisms = "EXTERNAL" }, script [[
         <hello X>
         <bye>
      ]])
      assert.equal("auth_unsupported", err.kind)
      assert.equal(587, err.port)
   end)

   it("is not used unless it is named", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH EXTERNAL CRAM-MD5>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("only where auth_mechanisms names it", err.mechanisms.EXTERNAL)
      assert.equal("only where auth_mechanisms names it", err.mechanisms["CRAM-MD5"])
   end)

   it("without a client certificate is a mistake of the caller's", function()
      local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example",
         text = "x", auth_mechanisms = "EXTERNAL" }
      assert.same({ "usage", "tls_cert" }, { err.kind, err.option })
   end)
end)

describe("OAuth", function()
   for _, row in ipairs { { "XOAUTH2", XOAUTH2, "" }, { "OAUTHBEARER", OAUTHBEARER, "AQ==" } } do
      local name, first, dummy = row[1], row[2], row[3]
      local said = "C: AUTH " .. name .. " " .. first .. "\n"

      it(name .. ": an error challenge is answered, and its JSON is in the error", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 535 5.7.8 no
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.same({ "auth_rejected", 535 }, { err.kind, err.code })
         assert.equal('{"status":"invalid_token","scope":"mail"}', err.challenge)
         assert.truthy(tostring(err):find("invalid_token", 1, true))
      end)

      it(name .. ": 235 behind an error challenge is no success", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 235 welcome
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
      end)

      it(name .. ": 454 behind an error challenge is temporary", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 454 4.7.0 no
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.equal("auth_temporary", err.kind)
      end)

      it(name .. ": a token that would make the command too long follows a challenge", function()
         local long = ("t"):rep(4000)
         local message = name == "XOAUTH2" and "user=ann\1auth=Bearer " .. long .. "\1\1"
            or "n,a=ann,\1host=mx.example\1port=25\1auth=Bearer " .. long .. "\1\1"
         talk.send(with_token { token = long }, script([[
            <hello AUTH $name>
            C: AUTH $name
            S: 334
            C: $coded
            S: 235 ok
            <accepted>
         ]], { name = name, coded = core.base64(message) }))
      end)

      -- Called a second time it is told why.
      local function renewing(second)
         local calls = {}
         return function(said_by_server)
            calls[#calls + 1] = said_by_server or false
            return #calls % 2 == 1 and "to.ken-1" or second
         end, calls
      end

      local function message_of(token)
         return name == "XOAUTH2" and core.base64("user=ann\1auth=Bearer " .. token .. "\1\1")
            or core.base64("n,a=ann,\1host=mx.example\1port=25\1auth=Bearer " .. token .. "\1\1")
      end

      for _, status in ipairs { '{"status":"invalid_token"}', '{"status" : "401","schemes":"bearer"}',
         '{ "status":400 }', "not JSON at all" } do
         it(name .. ": a token function is asked once more after " .. status, function()
            local token, calls = renewing "to.ken-2"
            local receipt = talk.send(with_token { token = token }, script([[
               <hello AUTH $name>
               <said>
               S: 334 $coded
               C: $dummy
               S: 535 5.7.8 no
               C: AUTH $name $message_of
               S: 235 ok
               <accepted>
            ]], {
               name = name, said = said, coded = core.base64(status), dummy = dummy,
               message_of = message_of "to.ken-2",
            }))
            assert.equal(name, receipt.auth.mechanism)
            assert.same({ false, status, false, status, false, status }, calls)
         end)
      end

      it(name .. ": a token function is asked once more after a bare 535, and never in a loop", function()
         local token, calls = renewing "to.ken-2"
         local _, err = talk.send(with_token { token = token }, script([[
            <hello AUTH $name>
            <said>
            S: 535 5.7.8 no
            C: AUTH $name $message_of
            S: 535 no
            <bye>
         ]], { name = name, said = said, message_of = message_of "to.ken-2" }))
         assert.equal("auth_rejected", err.kind)
         assert.same({ false, "", false, "", false, "" }, calls)
      end)

      for _, status in ipairs { "insufficient_scope", "invalid_request" } do
         it(name .. ": another token would not help after " .. status, function()
            local token, calls = renewing "to.ken-1"
            local _, err = talk.send(with_token { token = token }, script([[
               <hello AUTH $name>
               <said>
               S: 334 $coded
               C: $dummy
               S: 535 5.7.8 no
               <bye>
            ]], {
               name = name, said = said, coded = core.base64('{"status":"' .. status .. '"}'),
               dummy = dummy,
            }))
            assert.equal("auth_rejected", err.kind)
            assert.equal(3, #calls)
         end)
      end

      it(name .. ": a token that is a string is tried once", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 535 5.7.8 no
            <bye>
         ]], { name = name, said = said }))
         assert.equal("auth_rejected", err.kind)
      end)
   end

   it("escapes what separates fields in a user name", function()
      talk.send(with_token { username = "a,b=c" }, script([[
         <hello AUTH OAUTHBEARER>
         C: AUTH OAUTHBEARER $coded
         S: 235 ok
         <accepted>
      ]], {
         coded = core.base64("n,a=a=2Cb=3Dc,\1host=mx.example\1port=25\1auth=Bearer to.ken-1\1\1"),
      }))
   end)

   it("never uses a password for a token, nor a token for a password", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH XOAUTH2 OAUTHBEARER>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("it needs a token", err.mechanisms.XOAUTH2)
      _, err = talk.send(with_token(), script [[
         <hello AUTH PLAIN LOGIN SCRAM-SHA-256>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("it needs a password", err.mechanisms["SCRAM-SHA-256"])
   end)

   it("refuses a token that no token is", function()
      for _, bad in ipairs { "a b", "a\1b", "a\r\nb", "a\0b", "\195\164", ("k"):rep(9000) } do
         local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example",
            text = "x", username = "ann", token = bad }
         assert.same({ "usage", "token" }, { err.kind, err.option })
         assert.is_nil(tostring(err):find(bad, 1, true))
         local _, late = talk.send(with_token { token = function() return bad end }, script [[
            <hello AUTH XOAUTH2>
         ]])
         assert.equal("source", late.kind)
      end
   end)
end)

describe("a mechanism of the user's own", function()
   local function object(more)
      local made = { name = "X-OWN", plaintext = false, start = own.start, step = own.step }
      for key, value in pairs(more) do made[key] = value end
      return with { auth_mechanisms = { made } }
   end

   it("whose initial response is too long gives it after a challenge", function()
      local long = ("x"):rep(600)
      talk.send(object { start = function(self)
         self.name_said = "ann"
         return long
      end }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN
         S: 334
         C: $coded
         S: 334 $coded2
         C: $coded3
         S: 235 ok
         <accepted>
      ]], {
         coded = core.base64(long), coded2 = core.base64("riddle"), coded3 = core.base64("ann knows"),
      }))
   end)

   it("begins anew without an initial response where the server cannot take one", function()
      local starts = 0
      talk.send(object { start = function(self, info)
         starts = starts + 1
         return own.start(self, info)
      end }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 501 5.5.6 no
         C: AUTH X-OWN
         S: 334
         C: $coded
         S: 334 $coded2
         C: $coded3
         S: 235 ok
         <accepted>
      ]], {
         coded = core.base64("hello ann"), coded2 = core.base64("riddle"),
         coded3 = core.base64("ann knows"),
      }))
      assert.equal(6, starts) -- twice for each of the three ways to play it
   end)

   it("that does not like a challenge cancels, and its reason is in the error", function()
      local _, err = talk.send(with { auth_mechanisms = { own } }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 334 $coded2
         C: *
         S: 501 ok
         <bye>
      ]], { coded = core.base64("hello ann"), coded2 = core.base64("what?") }))
      assert.same({ "auth_rejected", "mechanism" }, { err.kind, err.reason })
      assert.truthy(tostring(err):find("that is no riddle", 1, true))
   end)

   it("that cannot be used here is passed over for the next one, and says why", function()
      local options = object { start = function() return false, "no ticket" end }
      options.auth_mechanisms[2] = "PLAIN"
      local receipt = talk.send(options, script([[
         <hello AUTH X-OWN PLAIN>
         <spoken>
         S: 235 ok
         <accepted>
      ]], { spoken = spoken.PLAIN[2] }))
      assert.equal("PLAIN", receipt.auth.mechanism)
      local _, err = talk.send(options, script [[
         <hello AUTH X-OWN>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("no ticket", err.mechanisms["X-OWN"])
   end)

   it("is not believed by 235 before it is content", function()
      local _, err = talk.send(with { auth_mechanisms = { own } }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 235 welcome
         <bye>
      ]], { coded = core.base64("hello ann") }))
      assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
   end)

   it("that fails is a SourceError with its cause", function()
      for _, bad in ipairs { { start = function() error("broken", 0) end },
         { step = function() error("broken", 0) end } } do
         local options = object(bad)
         local _, err = talk.send(options, script([[
            <hello AUTH X-OWN>
            <coded>
         ]], {
            coded = (bad.step and "C: AUTH X-OWN " .. core.base64("hello ann") .. "\nS: 334 eA==\n" or ""),
         }))
         assert.same({ "source", "broken" }, { err.kind, err.cause })
      end
      for _, bad in ipairs { 7, ("x"):rep(9217) } do
         local _, err = talk.send(object { start = function() return bad end }, script "<hello AUTH X-OWN>")
         assert.equal("source", err.kind)
      end
   end)

   it("may yield, and is resumed", function()
      local options = object { step = function()
         coroutine.yield("pause")
         return "done", true
      end }
      local peer = talk.peer(script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 334 eA==
         C: ZG9uZQ==
         S: 235 ok
         <accepted>
      ]], { coded = core.base64("hello ann") }))
      local thread = coroutine.create(function() return safe.send(talk.options(options, peer)) end)
      local _, said = coroutine.resume(thread)
      assert.equal("pause", said)
      local ok, receipt = coroutine.resume(thread)
      assert.is_true(ok)
      assert.equal("X-OWN", receipt.auth.mechanism)
   end)

   it("has a self for each exchange, and the object is left as it was", function()
      talk.send(with { auth_mechanisms = { own } }, script([[
         <hello AUTH X-OWN>
         <spoken>
         S: 235 ok
         <accepted>
      ]], { spoken = spoken["X-OWN"][2] }))
      assert.is_nil(own.name_said)
   end)

   it("counts as one that shows the secret unless it says otherwise", function()
      local options = object { plaintext = "none" }
      options.auth_mechanisms[1].plaintext, options.auth_plaintext = nil, nil
      local _, err = talk.send(options, script [[
         <hello AUTH X-OWN>
         <bye>
      ]])
      assert.equal("auth_insecure", err.kind)
      options.auth_mechanisms[1].plaintext = false
      talk.send(options, script([[
         <hello AUTH X-OWN>
         <spoken>
         S: 235 ok
         <accepted>
      ]], { spoken = spoken["X-OWN"][2] }))
   end)

   it("may refuse to begin, and then nobody goes on", function()
      local options = object { start = function() return nil, "not from here" end }
      options.auth_mechanisms[2] = "PLAIN"
      local _, err = talk.send(options, script [[
         <hello AUTH X-OWN PLAIN>
         <bye>
      ]])
      assert.same({ "auth_rejected", "mechanism" }, { err.kind, err.reason })
      assert.truthy(tostring(err):find("not from here", 1, true))
   end)

   it("that never ends is ended by the deadline", function()
      local options = object { step = function() return nil, "again" end }
      options.timeout = 0.2
      local _, err = talk.send(options, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 334 eA==
      ]], { coded = core.base64("hello ann") }))
      assert.same({ "timeout", "auth" }, { err.kind, err.stage })
   end)

   it("may want a name without a secret, or a token", function()
      local options = object {}
      options.password = nil
      talk.send(options, script([[
         <hello AUTH X-OWN>
         <spoken>
         S: 235 ok
         <accepted>
      ]], { spoken = spoken["X-OWN"][2] }))
      local seen
      options = object { start = function(_, info)
         seen = info
         return ""
      end, step = function() return "", true end }
      options.password, options.token = nil, function() return "to.ken-1" end
      talk.send(options, script [[
         <hello AUTH X-OWN>
         C: AUTH X-OWN =
         S: 334 eA==
         C:
         S: 235 ok
         <accepted>
      ]])
      assert.same({ "to.ken-1" }, { seen.token, seen.password })
   end)

   it("with metamethods that raise is a mistake of the caller's, and nothing is raised", function()
      local function raise() error("raised") end
      local mean = setmetatable({ name = "X-OWN" }, { __index = raise, __tostring = raise, __len = raise })
      for _, given in ipairs { { mean }, mean, setmetatable({}, { __index = raise, __len = raise }),
         { setmetatable({ name = mean }, { __tostring = raise }) } } do
         local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example", text = "x",
            auth_mechanisms = given }
         assert.equal("usage", err.kind)
      end
      for name, value in pairs { auth = mean, scram_iterations = mean, tls = mean } do
         local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example", text = "x",
            [name] = value }
         assert.same({ "usage", name }, { err.kind, err.option })
      end
      local _, err = talk.send(object { step = function() error(mean) end }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         S: 334 eA==
      ]], { coded = core.base64("hello ann") }))
      assert.equal("source", err.kind)
      assert.equal(mean, err.cause)
   end)

   it("without credentials is credentials itself", function()
      local options = object { start = function() return "" end, step = function() return "", true end }
      options.username, options.password = nil, nil
      talk.send(options, script [[
         <hello AUTH X-OWN>
         C: AUTH X-OWN =
         S: 334 eA==
         C:
         S: 235 ok
         <accepted>
      ]])
   end)

   it("that is none is a mistake of the caller's", function()
      for _, bad in ipairs { { name = "X-OWN" }, { name = "X-OWN", start = own.start }, { name = "x own",
         start = own.start, step = own.step }, { name = "PLAIN", start = own.start, step = own.step } } do
         local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example",
            text = "x", auth_mechanisms = { bad } }
         assert.same({ "usage", "auth_mechanisms" }, { err.kind, err.option })
      end
   end)

   it("asked without end is cancelled", function()
      local lines = {}
      for i = 1, 15 do lines[i] = [[
         S: 334 eA==
         C: YQ==
      ]] end
      local _, err = talk.send(object { step = function() return "a" end }, script([[
         <hello AUTH X-OWN>
         C: AUTH X-OWN $coded
         <lines>
         S: 334 eA==
         C: *
         S: 501 ok
         <bye>
      ]], { coded = core.base64("hello ann"), lines = table.concat(lines) }))
      assert.equal("protocol", err.reason)
   end)
end)

describe("a challenge", function()
   for _, bad in ipairs { "Rubbish", "eA=", "====", "e===", "eB==", "eA==eA==", "a b=" } do
      it(bad .. " is no base64: the exchange is cancelled, and nothing else is tried", function()
         local options = with { auth_mechanisms = { "CRAM-MD5", "PLAIN" } }
         local _, err = talk.send(options, script([[
            <hello AUTH CRAM-MD5 PLAIN>
            C: AUTH CRAM-MD5
            S: 334 $bad
            C: *
            S: 501 ok
            <bye>
         ]], { bad = bad }))
         assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
      end)
   end

   it("that is empty is none for CRAM-MD5", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script [[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S: 334
         C: *
         S: 501 ok
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)

   it("with a NUL or a CR in its line is no reply", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script [[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S: 334 eA\0==
      ]])
      assert.same({ "protocol", "malformed" }, { err.kind, err.reason })
   end)

   it("of 64 KiB is beyond all limits", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script([[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S~ 334 $repeated
      ]], { repeated = ("QUFB"):rep(16384) }))
      assert.same({ "protocol", "too_long" }, { err.kind, err.reason })
   end)

   it("of 9,216 octets is taken", function()
      talk.send(with { auth_mechanisms = { { name = "X-OWN", plaintext = false,
         start = function() end, step = function(_, challenge) return tostring(#challenge), true end } } },
         script([[
            <hello AUTH X-OWN>
            C: AUTH X-OWN
            S: 334 $repeated
            C: $coded
            S: 235 ok
            <accepted>
         ]], { repeated = ("QUFB"):rep(3070), coded = core.base64("9210") }))
   end)
end)

describe("the choice", function()
   local all = "LOGIN PLAIN SCRAM-SHA-1 XOAUTH2 SCRAM-SHA-256-PLUS SCRAM-SHA-256 OAUTHBEARER "
      .. "SCRAM-SHA-512 CRAM-MD5 EXTERNAL"

   -- What is tried in turn where each is answered by 504.
   local function tried(options, offered)
      local list = {}
      local peer = { duplex = true, queue = "220 hi\r\n", secure = options.tls_on }
      options.tls_on = nil
      function peer.connect() return true end
      function peer.settimeouts() end
      function peer.close() end
      function peer.sslhandshake() return true end
      function peer:send(data)
         local verb, name = data:match("^(%u+) ?(%S*)")
         if verb == "AUTH" then list[#list + 1] = name end
         self.queue = self.queue .. (verb == "EHLO" and "250-mx\r\n250 AUTH " .. offered .. "\r\n"
            or verb == "AUTH" and "504 5.5.4 no\r\n" or "221 bye\r\n")
         return #data
      end
      function peer:receiveany()
         local data = self.queue
         self.queue = ""
         if data == "" then return nil, "closed" end
         return data
      end
      peer.channel_binding = options.bind
      options.bind = nil
      local _, err = safe.send(talk.options(options, peer))
      return list, err
   end

   it("with a password prefers SCRAM, the strongest hash first, then PLAIN, then LOGIN", function()
      assert.same({ "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN" },
         (tried(with(), all)))
   end)

   it("with a token is OAUTHBEARER, then XOAUTH2", function()
      assert.same({ "OAUTHBEARER", "XOAUTH2" }, (tried(with_token(), all)))
   end)

   it("with both begins with the token", function()
      assert.equal("OAUTHBEARER", (tried(with_token { password = "sesame-1" }, all))[1])
   end)

   it("follows the order in which mechanisms are named, whatever the server's", function()
      assert.same({ "CRAM-MD5", "LOGIN", "SCRAM-SHA-1" },
         (tried(with { auth_mechanisms = { "cram-md5", "login", "scram-sha-1", "LOGIN" } }, all)))
   end)

   it("on a clear link is SCRAM, and never what shows the secret", function()
      local list, err = tried(with { auth_plaintext = "none" }, all)
      assert.same({ "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1" }, list)
      assert.equal("auth_insecure", err.kind)
      assert.equal("it shows the secret, and there is no TLS", err.mechanisms.PLAIN)
   end)

   local function bind() return "tls-exporter", ("b"):rep(32) end

   it("where the channel can be bound begins with -PLUS, and nothing less follows it", function()
      local list, err = tried(with { tls_on = true, bind = bind }, all)
      assert.same({ "SCRAM-SHA-256-PLUS" }, list)
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("not tried after one with -PLUS", err.mechanisms["SCRAM-SHA-512"])
      assert.equal("not tried after one with -PLUS", err.mechanisms.PLAIN)
      assert.equal("answered 504", err.mechanisms["SCRAM-SHA-256-PLUS"])
   end)

   it("goes on from one -PLUS to the next", function()
      assert.same({ "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1-PLUS" },
         (tried(with { tls_on = true, bind = bind }, "SCRAM-SHA-1-PLUS SCRAM-SHA-512-PLUS PLAIN")))
   end)

   it("where this connection has nothing to bind to is none: nothing less is tried", function()
      local list, err = tried(with { tls_on = true, bind = function() end }, all)
      assert.same({}, list)
      assert.same({ "auth_rejected", "mechanism" }, { err.kind, err.reason })
      assert.truthy(tostring(err):find("nothing to bind to", 1, true))
      assert.equal("SCRAM-SHA-512", (tried(with { tls_on = true, bind = function() end },
         "SCRAM-SHA-512 PLAIN"))[1])
   end)

   it("with an identity to act as leaves out what has no place for it", function()
      assert.same({ "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN" },
         (tried(with { authzid = "boss" }, all)))
      local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example", text = "x",
         username = "ann", password = "sesame-1", authzid = "boss", auth_mechanisms = "LOGIN" }
      assert.same({ "usage", "authzid" }, { err.kind, err.option })
   end)

   it("without TLS never is -PLUS", function()
      local list, err = tried(with { bind = bind }, "SCRAM-SHA-256-PLUS")
      assert.same({}, list)
      assert.equal("it needs TLS", err.mechanisms["SCRAM-SHA-256-PLUS"])
   end)

   it("over a transport without channel binding never is -PLUS", function()
      local _, err = tried(with { tls_on = true }, "SCRAM-SHA-256-PLUS")
      assert.equal("the transport has no channel binding", err.mechanisms["SCRAM-SHA-256-PLUS"])
   end)
end)

describe("the flag of SCRAM", function()
   -- The first message for what is offered and what can be bound.
   local function flag(options, offered, bind)
      local first
      local peer = talk.peer(script([[
         <hello AUTH $offered>
         C~ AUTH
         S: 535 no
         <bye>
      ]], { offered = offered }))
      peer.secure, peer.channel_binding = true, bind
      local take = peer.take
      function peer:take(line)
         first = first or line:match("^AUTH SCRAM%S+ (%S+)\r\n")
         return take(self, line)
      end
      safe.send(talk.options(options, peer))
      return core.base64_decode(first):match("^[^,]*,[^,]*,n=")
   end
   local function bind() return "tls-exporter", ("b"):rep(32) end

   it("is p where we bind", function()
      assert.equal("p=tls-exporter,,n=", flag(with(), "SCRAM-SHA-256-PLUS SCRAM-SHA-256", bind))
   end)

   it("is y where we could bind, and no -PLUS is offered", function()
      assert.equal("y,,n=", flag(with(), "SCRAM-SHA-256", bind))
   end)

   it("is n where we cannot bind, and where a -PLUS is offered but not used", function()
      assert.equal("n,,n=", flag(with(), "SCRAM-SHA-256", nil))
      assert.equal("n,,n=", flag(with(), "SCRAM-SHA-256-PLUS SCRAM-SHA-256", nil))
      assert.equal("n,,n=", flag(with { auth_mechanisms = "SCRAM-SHA-256" },
         "SCRAM-SHA-256-PLUS SCRAM-SHA-256", bind))
   end)

   it("is y where a -PLUS is offered that we do not have: somebody in between could add it", function()
      assert.equal("y,,n=", flag(with(), "FOO-PLUS SCRAM-SHA3-512-PLUS SCRAM-SHA-256", bind))
      assert.equal("y,,n=", flag(with { auth_mechanisms = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256" } },
         "SCRAM-SHA-1-PLUS SCRAM-SHA-256", bind))
   end)

   it("is followed by whom to act as", function()
      assert.equal("y,a=b=2Cc,n=", flag(with { authzid = "b,c" }, "SCRAM-SHA-256", bind))
   end)
end)

describe("what follows a refusal", function()
   it("names the mechanisms that were not tried", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH PLAIN LOGIN SCRAM-SHA-256>
         C~ AUTH
         S: 535 5.7.8 no
         <bye>
      ]])
      assert.equal("SCRAM-SHA-256", err.mechanism)
      assert.same({ PLAIN = "not tried", LOGIN = "not tried", ["SCRAM-SHA-256"] = "answered 535" },
         err.mechanisms)
      assert.truthy(tostring(err):find("(AUTH SCRAM-SHA-256; not tried: PLAIN, LOGIN)", 1, true))
   end)

   it("of CRAM-MD5 is not that the password is shown", function()
      local _, err = talk.send(with { auth_mechanisms = { "CRAM-MD5", "PLAIN" } }, script [[
         <hello AUTH CRAM-MD5 PLAIN>
         C: AUTH CRAM-MD5
         S: 334 eA==
         C~ x
         S: 535 no
         <bye>
      ]])
      assert.is_true(errors.is(err, "auth_rejected"))
   end)
end)

describe("what became of each mechanism", function()
   local refused = [[
      C: MAIL FROM:<ann@me.example>
      S: 550 no
   ]]

   it("is a text in every error: of the one that authenticated, too", function()
      local _, err = talk.send(with(), script([[
         <hello AUTH GSSAPI LOGIN PLAIN XOAUTH2 CRAM-MD5 EXTERNAL SCRAM-SHA-1-PLUS>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMQ==
         S: 235 ok
         <refused>
         <bye>
      ]], { refused = refused }))
      assert.same({ GSSAPI = "not known here", LOGIN = "not tried", PLAIN = "authenticated",
         XOAUTH2 = "it needs a token", EXTERNAL = "only where auth_mechanisms names it",
         ["CRAM-MD5"] = "only where auth_mechanisms names it",
         ["SCRAM-SHA-1-PLUS"] = "the transport has no channel binding" }, err.mechanisms)
   end)

   it("is not a code that answered something else", function()
      local _, err = talk.send(with { auth = "prefer" }, script([[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMQ==
         S: 502 unknown command
         <refused>
         <bye>
      ]], { refused = refused }))
      assert.same({ "sender_refused", "rejected_command" }, { err.kind, err.auth_reason })
      assert.same({ PLAIN = "failed" }, err.mechanisms)
      _, err = talk.send(with(), script [[
         <hello AUTH PLAIN LOGIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMQ==
         S: 504 no
         C: AUTH LOGIN
         S: 421 bye
         CLOSE
      ]])
      assert.same({ PLAIN = "answered 504", LOGIN = "answered 421" }, err.mechanisms)
   end)

   it("is a word for programs inside: session:mechanisms()", function()
      local session = core.session { domain = "me.example", auth = "require", username = "ann", host = "mx.example",
         mechanisms = { { name = "PLAIN" }, { name = "SCRAM-SHA-1-PLUS", binds = true } } }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250 AUTH PLAIN SCRAM-SHA-1-PLUS NTLM\r\n")
      local words = {}
      for i, one in ipairs(session:mechanisms()) do words[i] = one.name .. " " .. one.state end
      assert.same({ "PLAIN in_clear", "SCRAM-SHA-1-PLUS needs_tls", "NTLM unlisted" }, words)
   end)
end)
