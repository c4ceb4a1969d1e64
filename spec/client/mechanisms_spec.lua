local core = require "smtp.core"
local errors = require "smtp.errors"
local logins = require "spec.tools.logins"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local login, with, with_token = logins.login, logins.with, logins.with_token
local script = talk.script

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
   it("to use no mechanism is an error under prefer as well: the server lacks nothing", function()
      local own = { name = "X-OWN", start = function() return false, "no ticket" end, step = function() end }
      for _, policy in ipairs { "require", "prefer" } do
         local _, err = talk.send(login(policy, { auth_mechanisms = { own } }), script [[
            <hello AUTH X-OWN>
            <bye>
         ]])
         assert.same({ "auth_unsupported", "no_common_mechanism" }, { err.kind, err.reason })
      end
   end)

   it("is reported in the receipt where the server has nothing for us", function()
      local receipt = talk.send(login("prefer"), script [[
         <hello AUTH NTLM CRAM-MD5>
         <accepted>
      ]])
      assert.same({ NTLM = "not known here", ["CRAM-MD5"] = "only where auth_mechanisms names it" },
         receipt.auth.mechanisms)
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
      assert.equal("it sends the secret in clear text, and there is no TLS", err.mechanisms.PLAIN)
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

   it("where this connection has nothing to bind to is not made: nothing less is tried", function()
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

   it("is y where a -PLUS is offered that we do not have: a man in the middle could add it", function()
      assert.equal("y,,n=", flag(with(), "FOO-PLUS SCRAM-SHA3-512-PLUS SCRAM-SHA-256", bind))
      assert.equal("y,,n=", flag(with { auth_mechanisms = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256" } },
         "SCRAM-SHA-1-PLUS SCRAM-SHA-256", bind))
   end)

   it("is followed by the identity to act as", function()
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
end)
