local core = require "smtp.core"
local logins = require "spec.tools.logins"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local login, with, own, spoken = logins.login, logins.with, logins.own, logins.spoken
local script = talk.script

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
      local telling = { name = "X-OWN", start = function(_, info) return false, "no for " .. info.password end,
         step = function() end }
      local _, err = talk.send(login("require", { auth_mechanisms = { telling } }), script [[
         <hello AUTH X-OWN>
         <bye>
      ]])
      assert.equal("no for [secret]", err.mechanisms["X-OWN"])
   end)

   it("are asked for once, though one mechanism after the other needs them", function()
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
         <challenge riddle>
         <answer ann knows>
         S: 235 ok
         <accepted>
      ]], { coded = core.base64(long) }))
   end)

   it("begins anew without an initial response where the server cannot take one", function()
      local starts = 0
      talk.send(object { start = function(self, info)
         starts = starts + 1
         return own.start(self, info)
      end }, script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         S: 501 5.5.6 no
         C: AUTH X-OWN
         S: 334
         <answer hello ann>
         <challenge riddle>
         <answer ann knows>
         S: 235 ok
         <accepted>
      ]])
      assert.equal(6, starts) -- twice for each of the three ways to play it
   end)

   it("that does not like a challenge cancels, and its reason is in the error", function()
      local _, err = talk.send(with { auth_mechanisms = { own } }, script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         <challenge what?>
         C: *
         S: 501 ok
         <bye>
      ]])
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
      local _, err = talk.send(with { auth_mechanisms = { own } }, script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         S: 235 welcome
         <bye>
      ]])
      assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
   end)

   it("that fails is a SourceError with its cause", function()
      for _, bad in ipairs { { start = function() error("broken", 0) end },
         { step = function() error("broken", 0) end } } do
         local options = object(bad)
         local _, err = talk.send(options, script([[
            <hello AUTH X-OWN>
            <steps>
         ]], { steps = bad.step and script "<auth X-OWN, hello ann>\n<challenge x>" or "" }))
         assert.same({ "source", "broken" }, { err.kind, err.cause })
      end
      for _, bad in ipairs { 7, ("x"):rep(9217) } do
         local _, err = talk.send(object { start = function() return bad end }, script "<hello AUTH X-OWN>")
         assert.equal("source", err.kind)
         _, err = talk.send(object { step = function() return bad end }, script [[
            <hello AUTH X-OWN>
            <auth X-OWN, hello ann>
            <challenge x>
         ]])
         assert.same({ "source", type(bad) }, { err.kind, err.cause })
      end
   end)

   it("may yield, and is resumed", function()
      local options = object { step = function()
         coroutine.yield("pause")
         return "done", true
      end }
      local peer = talk.peer(script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         S: 334 eA==
         C: ZG9uZQ==
         S: 235 ok
         <accepted>
      ]])
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

   it("may refuse to begin, and then nothing goes on", function()
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
      local _, err = talk.send(options, script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         S: 334 eA==
      ]])
      assert.same({ "timeout", "auth" }, { err.kind, err.stage })
   end)

   it("may need a name without a secret, or a token", function()
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
      local _, err = talk.send(object { step = function() error(mean) end }, script [[
         <hello AUTH X-OWN>
         <auth X-OWN, hello ann>
         S: 334 eA==
      ]])
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

   it("that is not valid is a mistake of the caller's", function()
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
         <auth X-OWN, hello ann>
         <lines>
         S: 334 eA==
         C: *
         S: 501 ok
         <bye>
      ]], { lines = table.concat(lines) }))
      assert.equal("protocol", err.reason)
   end)
end)

describe("A mechanism of this library", function()
   it("whose libcrypto fails ends the conversation", function()
      local mechanisms = require "smtp.client.mechanisms"
      local exchange = mechanisms.exchange
      finally(function() mechanisms.exchange = exchange end)
      function mechanisms.exchange()
         return { start = function() end, step = function() return nil, "crypto" end }
      end
      local peer = talk.peer(talk.script [[
         <hello AUTH SCRAM-SHA-256>
         C: AUTH SCRAM-SHA-256
         S: 334
      ]])
      local _, err = safe.send(talk.options({ username = "ann", password = "sesame-lib", auth_plaintext = true }, peer))
      talk.finished(peer)
      assert.same({ "system", "crypto", "auth", "no" }, { err.kind, err.reason, err.stage, err.sent })
   end)
end)
