-- The sink's side of every AUTH mechanism, against our client and against clients that err.
local auth_options = require "smtp.sink.auth_options"
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local octets = require "spec.tools.octets"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local sink_auth = require "smtp.sink.auth"

local cert = certs.make()

local users, tokens = { ann = "sesame-40", ["b=o,b"] = "tre,as=ure" }, { ann = "to.ken-40" }
local scrams = { "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512" }

local function auth_of(mechanisms, more)
   local auth = { users = users, tokens = tokens, external = "ann", iterations = 4096,
      mechanisms = mechanisms }
   for key, value in pairs(more or {}) do auth[key] = value end
   return auth
end

-- Sends to a sink in this process.
local function send(sink, more)
   local options = { transport = sink:transport(), tls = "skip", from = "ann@me.example",
      to = "bob@there.example", raw = "x\r\n", auth_plaintext = true, username = "ann" }
   for key, value in pairs(more or {}) do options[key] = value end
   for key, value in pairs(options) do if value == "none" then options[key] = nil end end
   return safe.send(options)
end

local function rejected(sink, more)
   local receipt, err = send(sink, more)
   assert.is_nil(receipt)
   assert.same({ "auth_rejected", more.token and "token_expired" or "rejected", 535, "no" },
      { err.kind, err.reason, err.code, err.sent })
   assert.equal(0, #sink.messages)
   return err
end

-- The sink's answers to these lines, without the greeting and the answer to EHLO.
local function say(sink, ...)
   local transport = sink:transport()
   transport:connect()
   transport:send("EHLO me.example\r\n")
   transport:receiveany(65536)
   local answers = {}
   for i = 1, select("#", ...) do
      local line = select(i, ...)
      if type(line) == "function" then line = line(answers[#answers]) end
      transport:send(line .. "\r\n")
      answers[#answers + 1] = (transport:receiveany(65536) or ""):gsub("\r\n$", "")
   end
   return answers
end

local function decoded(answer)
   return core.base64_decode(answer:match("^334 (.*)$"))
end

describe("the sink's AUTH", function()
   local by_secret = { password = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
      "SCRAM-SHA-512" }, token = { "XOAUTH2", "OAUTHBEARER" } }
   local right = { password = users.ann, token = tokens.ann }

   for secret, mechanisms in pairs(by_secret) do
      for _, mechanism in ipairs(mechanisms) do
         it(("takes the right %s by %s, and no wrong one"):format(secret, mechanism), function()
            local sink = assert(safe.sink { auth = auth_of { mechanism }, require_auth = true })
            local options = { auth_mechanisms = mechanism, [secret] = right[secret] }
            local receipt, err = send(sink, options)
            assert(receipt, tostring(err))
            assert.same({ "authenticated", mechanism }, { receipt.auth.state, receipt.auth.mechanism })
            assert.equal("ann", sink.messages[1].authenticated)
            sink.messages[1] = nil
            for _, wrong in ipairs { right[secret] .. "x", "x", right[secret]:upper() } do
               options[secret] = wrong
               rejected(sink, options)
            end
            options[secret], options.username = right[secret], "nobody"
            rejected(sink, options)
         end)
      end
   end

   it("unescapes the comma and the equals sign of a name", function()
      for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" } do
         local sink = safe.sink { auth = auth_of { mechanism } }
         assert(send(sink, { username = "b=o,b", password = users["b=o,b"], auth_mechanisms = mechanism }))
         assert.equal("b=o,b", sink.messages[1].authenticated)
      end
      local sink = safe.sink { auth = { tokens = { ["b=o,b"] = "to.ken-41" } } }
      assert(send(sink, { username = "b=o,b", token = "to.ken-41" }))
      assert.equal("b=o,b", sink.messages[1].authenticated)
   end)

   it("prepares a password outside ASCII as the client does", function()
      -- A soft hyphen is mapped to nothing, a Roman numeral to its letters (RFC 4013 3).
      local crypto = require "smtp.crypto"
      assert.equal("IX", crypto.saslprep("I\194\173\226\133\169"), "libidn is missing")
      local sink = safe.sink { auth = { users = { ann = "I\194\173\226\133\169" }, mechanisms = { "SCRAM-SHA-256" } } }
      assert(send(sink, { password = "\226\133\168" }))
   end)

   it("is chosen by what the client has: the strongest for a password, OAUTHBEARER for a token", function()
      local all = { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "EXTERNAL", "CRAM-MD5" }
      for _, name in ipairs(scrams) do
         all[#all + 1], all[#all + 2] = name .. "-PLUS", name
      end
      local sink = safe.sink { auth = auth_of(all) }
      assert.equal("SCRAM-SHA-512", assert(send(sink, { password = users.ann })).auth.mechanism)
      assert.equal("OAUTHBEARER", assert(send(sink, { token = tokens.ann })).auth.mechanism)
      sink = safe.sink { auth = { users = users, tokens = tokens } }
      local receipt = assert(send(sink, { password = users.ann }))
      assert.same({ "PLAIN", { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER" } },
         { receipt.auth.mechanism, receipt.auth.offered })
   end)

   it("by EXTERNAL knows one user, and hears the identity to act as", function()
      local sink = safe.sink { auth = { external = "ann" } }
      assert(send(sink, { username = "none", auth_mechanisms = "EXTERNAL" }))
      assert(send(sink, { username = "none", auth_mechanisms = "EXTERNAL", authzid = "boss" }))
      assert.same({ "ann", "ann" }, { sink.messages[1].authenticated, sink.messages[2].authenticated })
      assert.is_nil(sink.messages[1].authzid)
      assert.equal("boss", sink.messages[2].authzid)
   end)

   it("hears the identity to act as by PLAIN and SCRAM as well", function()
      for _, mechanism in ipairs { "PLAIN", "SCRAM-SHA-256" } do
         local sink = safe.sink { auth = auth_of { mechanism } }
         assert(send(sink, { password = users.ann, authzid = "bo,ss" }))
         assert.same({ "ann", "bo,ss" }, { sink.messages[1].authenticated, sink.messages[1].authzid })
      end
   end)

   it("lets a client with a function for its token try once more", function()
      for _, mechanism in ipairs(by_secret.token) do
         local calls = {}
         local sink = safe.sink { auth = auth_of { mechanism } }
         assert(send(sink, { token = function(said)
            calls[#calls + 1] = said or "first"
            return #calls == 2 and tokens.ann or "to.ken-old"
         end }))
         assert.same({ "first", '{"status":"invalid_token"}' }, calls)
      end
   end)

   it("has no -PLUS without real TLS", function()
      for _, tls in ipairs { "starttls", "implicit" } do
         local sink = safe.sink { tls = tls, auth = auth_of { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256" } }
         local mode = tls == "implicit" and "implicit" or "require"
         local receipt = assert(send(sink, { tls = mode, tls_host = "x", password = users.ann }))
         assert.same({ "SCRAM-SHA-256" }, receipt.auth.offered)
         sink = safe.sink { tls = tls, auth = auth_of { "SCRAM-SHA-256-PLUS" } }
         local _, err = send(sink, { tls = mode, tls_host = "x", password = users.ann })
         assert.same({ "auth_unsupported", "not_advertised" }, { err.kind, err.reason })
      end
      local sink = safe.sink { auth = auth_of { "SCRAM-SHA-256-PLUS", "PLAIN" } }
      assert.same({ "504 5.5.4 unknown mechanism" }, say(sink, "AUTH SCRAM-SHA-256-PLUS"))
   end)

   it("asks a mechanism of the user's own", function()
      local sink = safe.sink { auth = { mechanisms = { { name = "X-ECHO", run = function(exchange, ask)
         local first = exchange.initial or ask ""
         if ask(first) == first .. "!" then return "ann" end
      end } } } }
      local answer = "!"
      local own = { name = "X-ECHO", plaintext = false, start = function(_, info) return info.username end,
         step = function(_, challenge) return challenge .. answer, true end }
      local t = { transport = sink:transport(), tls = "skip", username = "ann", password = "unused",
         auth_mechanisms = own, from = "a@x.example", to = "b@x.example", text = "x" }
      local receipt, err = safe.send(t)
      assert(receipt, tostring(err))
      assert.equal("ann", sink.messages[1].authenticated)
      answer, t.transport = "?", sink:transport()
      local _, refused = safe.send(t)
      assert.equal("auth_rejected", refused.kind)
   end)
end)

describe("to a client that errs the sink's AUTH", function()
   local malformed, refused = "501 5.5.2 that is not base64", "535 5.7.8 authentication failed"

   it("says 501 where the answer is not base64", function()
      local sink = safe.sink { auth = auth_of { "PLAIN", "LOGIN", "SCRAM-SHA-256" } }
      assert.same({ malformed, "334 ", malformed, "250 2.0.0 ok" },
         say(sink, "AUTH PLAIN AG", "AUTH PLAIN", "a", "NOOP"))
      assert.same({ "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", malformed },
         say(sink, "AUTH LOGIN", "YW5u", "==="))
   end)

   it("says 501 to an initial response where the server begins (RFC 4954 4)", function()
      local sink = safe.sink { auth = auth_of { "CRAM-MD5" } }
      assert.same({ "501 5.7.0 here the server begins", "250 2.0.0 ok" },
         say(sink, "AUTH CRAM-MD5 YW5u", "NOOP"))
   end)

   it("ends an exchange that is cancelled, and begins anew", function()
      local sink = safe.sink { auth = auth_of { "PLAIN", "LOGIN" } }
      assert.same({ "334 VXNlcm5hbWU6", "501 5.7.0 cancelled", "334 ",
         "235 2.7.0 welcome", "503 5.5.1 once is enough" },
         say(sink, "AUTH LOGIN", "*", "auth plain", core.base64("\0ann\0sesame-40"), "AUTH PLAIN"))
   end)

   it("challenges anew each time", function()
      local seen = {}
      for _, mechanism in ipairs { "CRAM-MD5", "SCRAM-SHA-256" } do
         local sink = safe.sink { auth = auth_of { mechanism } }
         for _ = 1, 2 do
            local first = mechanism ~= "CRAM-MD5" and " " .. core.base64("n,,n=ann,r=abc") or ""
            local challenge = decoded(say(sink, "AUTH " .. mechanism .. first)[1])
            assert.is_nil(seen[challenge])
            seen[challenge] = true
         end
      end
   end)

   it("refuses a SCRAM client that begins wrongly", function()
      local sink = safe.sink { auth = auth_of { "SCRAM-SHA-256" } }
      for _, first in ipairs { "", "n", "n,,", "n,,n=ann", "n,,r=abc,n=ann", "n,,m=1,n=ann,r=abc",
         "x,,n=ann,r=abc", "n,b=boss,n=ann,r=abc", "n,a=,n=ann,r=abc", "n,,n=a=n,r=abc", "n,,n=,r=abc",
         "n,,n=ann,r=", "p=tls-unique,,n=ann,r=abc", "n=tls-unique,,n=ann,r=abc", "n,,n=ann,r=a b" } do
         assert.same({ refused }, say(sink, "AUTH SCRAM-SHA-256 " .. (first == "" and "=" or core.base64(first))))
      end
      for _, first in ipairs { "n,,n=ann,r=abc", "y,,n=ann,r=abc", "n,a=bo=2Css,n=ann,r=abc,x=1" } do
         local challenge = decoded(say(sink, "AUTH SCRAM-SHA-256 " .. core.base64(first))[1])
         assert.truthy(challenge:find("^r=abc[^,]+,s=[^,]+,i=4096$"), challenge)
      end
   end)

   -- A client's last message, right but for what `change` makes of it; `finish` follows.
   local function final(change, finish)
      local crypto = require "smtp.crypto"
      local sink = safe.sink { auth = auth_of { "SCRAM-SHA-256" } }
      local exchange = crypto.scram { hash = "SHA256", username = "ann", password = "sesame-40", flag = "n",
         nonce = "abcdef", iterations_min = 1, iterations_max = 4096 }
      return say(sink, "AUTH SCRAM-SHA-256 " .. core.base64(exchange:first()), function(challenge)
         local answer, why
         repeat answer, why = exchange:step(decoded(challenge)) until answer or why ~= "again"
         return core.base64(change(answer))
      end, finish)
   end

   it("refuses a SCRAM client that ends wrongly", function()
      for what, change in pairs {
         ["another nonce"] = function(text) return (text:gsub(",r=abc", ",r=abd")) end,
         ["half a nonce"] = function(text) return (text:gsub(",r=abcdef[^,]*", ",r=abcdef")) end,
         ["another channel"] = function(text) return (text:gsub("^c=biws", "c=eSws")) end,
         ["no channel"] = function(text) return (text:gsub("^c=[^,]*,", "")) end,
         ["no proof"] = function(text) return (text:gsub(",p=.*", "")) end,
         ["another proof"] = function(text) return (text:gsub(",p=....", ",p=AAAA")) end,
         ["half a proof"] = function(text) return (text:gsub("(,p=....).*", "%1")) end,
         ["what the proof does not cover"] = function(text) return (text:gsub(",p=", ",x=1%0")) end,
         nothing = function() return "" end,
      } do
         local answers = final(change, "NOOP")
         assert.same({ what, refused, "250 2.0.0 ok" }, { what, answers[2], answers[3] })
      end
   end)

   -- Who knows the password and proves what he says, be it right or wrong: the sink's last words.
   local function prove(name, channel, header, bound, change)
      local crypto = require "smtp.crypto"
      local auth = assert(auth_options.check { users = users, mechanisms = channel.offers })
      local exchange = sink_auth.exchange(auth, name, channel)
      local first = exchange:step(core.base64(header .. "n=ann,r=abc"))
      if first == refused then return "refused at once" end
      first = decoded(first)
      local nonce, salt = first:match("^r=([^,]+),s=([^,]+)")
      local bare = ("c=%s,r=%s"):format(core.base64(header .. bound), change and change(nonce) or nonce)
      local salted = crypto.pbkdf2("SHA256", users.ann, core.base64_decode(salt), 4096)
      local key = crypto.hmac("SHA256", salted, "Client Key")
      local signature = crypto.hmac("SHA256", crypto.digest("SHA256", key),
         table.concat({ "n=ann,r=abc", first, bare }, ","))
      local last = exchange:step(core.base64(bare .. ",p=" .. core.base64(octets.xor(key, signature))))
      return last:find("^334 ") and exchange:step("") or last
   end

   it("refuses a SCRAM client that proves another nonce", function()
      local channel = { offers = { "SCRAM-SHA-256" } }
      assert.equal("235 2.7.0 welcome", prove("SCRAM-SHA-256", channel, "n,,", ""))
      for _, change in ipairs { function(nonce) return nonce .. "x" end, function() return "abc" end } do
         assert.equal(refused, prove("SCRAM-SHA-256", channel, "n,,", "", change))
      end
   end)

   it("requires the flag of GS2 and what it binds to be those of the channel (RFC 5802 6)", function()
      local plain, plus = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
      local both, all = { plain, plus }, ("b"):rep(32)
      local tls = { offers = both, binding_type = "tls-exporter", binding = all }
      local clear = { offers = both }
      local tls_plain = { offers = { plain }, binding_type = "tls-exporter", binding = all }
      local welcome, at_once = "235 2.7.0 welcome", "refused at once"
      for i, row in ipairs {
         { welcome, plus, tls, "p=tls-exporter,,", all },
         { welcome, plain, tls, "n,,", "" },
         { welcome, plain, clear, "n,,", "" },
         { welcome, plain, clear, "y,,", "" },
         { welcome, plain, tls_plain, "y,,", "" },
         { refused, plus, tls, "p=tls-exporter,,", ("c"):rep(32) },
         { refused, plus, tls, "p=tls-exporter,,", "" },
         { refused, plus, tls, "p=tls-exporter,a=ann,", all:sub(1, 31) },
         { refused, plain, tls, "n,,", all },
         { at_once, plus, tls, "p=tls-unique,,", all },
         { at_once, plus, tls, "p=,,", all },
         { at_once, plus, tls, "p,,", all },
         { at_once, plus, tls, "n,,", "" },
         { at_once, plus, tls, "n,,", all },
         { at_once, plus, tls, "y,,", all },
         { at_once, plain, tls, "y,,", "" },
         { at_once, plain, tls, "p=tls-exporter,,", all },
         { at_once, plain, tls_plain, "p=tls-exporter,,", all },
         { at_once, plain, clear, "p=tls-exporter,,", "" },
      } do
         assert.same({ i, row[1] }, { i, prove(row[2], row[3], row[4], row[5]) })
      end
   end)

   it("requires an empty answer to its own SCRAM signature, and then it is content", function()
      local function same(text) return text end
      assert.equal("235 2.7.0 welcome", final(same, "")[3])
      assert.equal(refused, final(same, "YQ==")[3])
      assert.equal("501 5.7.0 cancelled", final(same, "*")[3])
   end)

   it("says what is wrong with a token before it refuses (RFC 7628 3.2.2)", function()
      local sink = safe.sink { auth = auth_of { "OAUTHBEARER", "XOAUTH2" } }
      for status, first in pairs {
         invalid_token = "n,a=ann,\1auth=Bearer to.ken-x\1\1", invalid_request = "n,a=ann,\1\1",
      } do
         local answers = say(sink, "AUTH OAUTHBEARER " .. core.base64(first), "AQ==")
         assert.same({ ('{"status":"%s"}'):format(status), refused }, { decoded(answers[1]), answers[2] })
      end
      local answers = say(sink, "AUTH XOAUTH2 " .. core.base64("user=ann\1auth=Bearer to.ken-x\1\1"), "")
      assert.same({ '{"status":"invalid_token"}', refused }, { decoded(answers[1]), answers[2] })
      for _, first in ipairs { "p,a=ann,\1auth=Bearer to.ken-40\1\1", "n,ann,\1auth=Bearer to.ken-40\1\1",
         "n,a=ann,\1auth=Basic to.ken-40\1\1", "n,a=ann,\1auth=Bearer to.ken-40\1" } do
         answers = say(sink, "AUTH OAUTHBEARER " .. core.base64(first), "AQ==")
         assert.same({ '{"status":"invalid_request"}', refused }, { decoded(answers[1]), answers[2] })
      end
      for _, first in ipairs { "n,,\1auth=bearer to.ken-40\1\1", "y,a=ann,\1port=25\1auth=Bearer to.ken-40\1\1" } do
         assert.same({ "235 2.7.0 welcome" }, say(sink, "AUTH OAUTHBEARER " .. core.base64(first)))
      end
   end)

   it("takes no answer of another user's token", function()
      local sink = safe.sink { auth = { tokens = { ann = "to.ken-40", bob = "to.ken-42" } } }
      for _, mechanism in ipairs { "XOAUTH2", "OAUTHBEARER" } do
         rejected(sink, { token = "to.ken-42", auth_mechanisms = mechanism })
         assert(send(sink, { token = "to.ken-42", username = "bob", auth_mechanisms = mechanism }))
         sink.messages[1] = nil
      end
   end)
end)

describe("the sink over real TLS", function()
   local source = [[
      local sink = assert(require("smtp.sink").new { tls = %q, tls_cert = %q, tls_key = %q, tls_max_version = %q,
         auth = { users = { ann = "sesame-40" }, mechanisms = { %s } }, require_auth = true })
      assert(sink:listen(listener))
      sink:serve { connections = %d, timeout = 5 }
      for _, message in ipairs(sink.messages) do print(message.authenticated) end
   ]]

   local function start(tls, version, mechanisms, connections)
      local path, key = cert "good"
      return peer.start(source:format(tls, path, key, version, '"' .. table.concat(mechanisms, '","') .. '"',
         connections))
   end

   local function send_to(other, tls, more)
      local options = { host = "localhost", port = other.port, tls = tls == "implicit" and tls or "require",
         tls_ca_file = cert "ca", from = "ann@me.example", to = "bob@there.example", raw = "x\r\n",
         username = "ann", password = "sesame-40", timeout = 10 }
      for key, value in pairs(more or {}) do options[key] = value end
      return safe.send(options)
   end

   for _, tls in ipairs { "starttls", "implicit" } do
      for _, version in ipairs { "1.2", "1.3" } do
         it(("offers every SCRAM with -PLUS, tls = %s, TLS %s"):format(tls, version), function()
            local all = {}
            for _, name in ipairs(scrams) do all[#all + 1], all[#all + 2] = name, name .. "-PLUS" end
            local other = start(tls, version, all, #scrams * 2 + 1)
            for _, name in ipairs(scrams) do
               local receipt, err = send_to(other, tls, { auth_mechanisms = name .. "-PLUS" })
               assert(receipt, tostring(err))
               assert.same({ name .. "-PLUS", all, "TLSv" .. version },
                  { receipt.auth.mechanism, receipt.auth.offered, receipt.tls.version })
               receipt, err = send_to(other, tls, { auth_mechanisms = name .. "-PLUS", password = "sesame-4" })
               assert.is_nil(receipt)
               assert.same({ "auth_rejected", 535 }, { err.kind, err.code })
            end
            local receipt = assert(send_to(other, tls))
            assert.equal("SCRAM-SHA-512-PLUS", receipt.auth.mechanism)
            assert.equal("ann\nann\nann\nann\n", other.finish())
         end)
      end
   end

   it("that offers no -PLUS takes a client that could bind", function()
      for _, mechanisms in ipairs { { "SCRAM-SHA-256" }, { "SCRAM-SHA-256", "PLAIN" } } do
         local other = start("starttls", "1.3", mechanisms, 1)
         local receipt, err = send_to(other, "starttls")
         assert(receipt, tostring(err))
         assert.equal("SCRAM-SHA-256", receipt.auth.mechanism)
         assert.equal("ann\n", other.finish())
      end
   end)
end)
