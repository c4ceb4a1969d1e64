-- A transport of the caller's own: what its TLS counts for, and which options it excludes.

local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   hello = [[
      S: 220 hi
      C: EHLO me.example
   ]],
   inside = [[
      S: 250-mx
      S: 250 AUTH %s
   ]],
   starttls = [[
      <hello>
      S: 250-mx
      S: 250-AUTH PLAIN LOGIN
      S: 250 STARTTLS
      C: STARTTLS
      S: 220 go
      TLS
      C: EHLO me.example
      <inside>
   ]],
   plain = [[
      C: AUTH PLAIN AGFubgBzZXNhbWUtMQ==
      S: 235 ok
   ]],
}

local implicit = script [[
   TLS
   <hello>
   <inside>
]]

local function options_of(more, peer)
   local t = talk.options({ username = "ann", password = "sesame-1", tls = "require" }, peer)
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function without_login(more)
   local t = options_of(more)
   t.username, t.password = nil, nil
   return t
end

-- `claims`: what the transport says of itself. -> receipt, error
local function send(t, transcript, claims)
   local peer = talk.peer(transcript)
   peer.mute_about_tls = true
   for name, value in pairs(claims or {}) do peer[name] = value end
   t.transport = peer
   local receipt, err = safe.send(t)
   talk.finished(peer)
   return receipt, err
end

describe("TLS of a transport that does not declare secure", function()
   for name, transcript in pairs { starttls = script.starttls, implicit = implicit } do
      local given = { tls = name == "implicit" and "implicit" or "require" }

      for _, secure in ipairs { false, "true", 1 } do
         it(("gets no secret (%s, secure = %s)"):format(name, tostring(secure)), function()
            for _, auth in ipairs { "require", "prefer" } do
               given.auth = auth
               local receipt, err = send(options_of(given), script([[
                  <transcript>
                  <bye>
               ]], { transcript = transcript:format("PLAIN LOGIN XOAUTH2") }),
                  { secure = secure })
               assert.is_nil(receipt)
               assert.same({ "auth_insecure", "unverified", "auth", "no" },
                  { err.kind, err.reason, err.stage, err.sent })
               assert.truthy(err.hint:find("secure = true", 1, true), err.hint)
               assert.truthy(err.mechanisms.PLAIN:find("does not declare", 1, true))
            end
         end)
      end

      it("is not verified, whatever its tlsinfo says: " .. name, function()
         local receipt = assert(send(without_login { tls = given.tls },
            transcript:format("PLAIN") .. talk.accepted))
         assert.equal("on", receipt.tls.state)
         assert.is_false(receipt.tls.verified)
         assert.equal("TLSv1.3", receipt.tls.version)
         receipt = assert(send(without_login { tls = given.tls },
            transcript:format("PLAIN") .. talk.accepted, { tlsinfo = false }))
         assert.is_false(receipt.tls.verified)
      end)

      it("gets a secret by consent, and is not verified by that: " .. name, function()
         for consent, value in pairs { auth_plaintext = true, tls_verify = false } do
            local receipt = assert(send(options_of { tls = given.tls, [consent] = value },
               script([[
                  <transcript>
                  <plain>
                  <rest>
               ]], { transcript = transcript:format("PLAIN"), rest = talk.accepted })))
            assert.equal("authenticated", receipt.auth.state)
            assert.is_false(receipt.tls.verified)
         end
      end)

      it("may use what does not show the secret, -PLUS included: " .. name, function()
         for mechanism, bind in pairs { ["SCRAM-SHA-256"] = false, ["SCRAM-SHA-256-PLUS"] = function()
            return "tls-exporter", ("b"):rep(32)
         end } do
            local _, err = send(options_of { tls = given.tls },
               script([[
                  <transcript>
                  C~
                  S: 535 no
                  <bye>
               ]], { transcript = transcript:format("PLAIN " .. mechanism) }), { channel_binding = bind or nil })
            assert.same({ "auth_rejected", mechanism }, { err.kind, err.mechanism })
         end
      end)

      it("that declares secure after its handshake is verified: " .. name, function()
         local receipt = assert(send(options_of { tls = given.tls },
            script([[
               <transcript>
               <plain>
               <rest>
            ]], { transcript = transcript:format("PLAIN"), rest = talk.accepted }), { mute_about_tls = false }))
         assert.is_true(receipt.tls.verified)
      end)
   end

   it("is verified from the first byte where secure is true from the first", function()
      local receipt = assert(send(options_of(),
         script([[
            <hello>
            <inside_tls>
            <plain>
            <rest>
         ]], { inside_tls = script.inside:format("PLAIN"), rest = talk.accepted }), { secure = true }))
      assert.same({ "on", true }, { receipt.tls.state, receipt.tls.verified })
   end)

   it("gets no secret from connect, send_many and probe", function()
      local transcript = script([[
         <in_starttls>
         <bye>
      ]], { in_starttls = script.starttls:format("PLAIN") })
      local function peer()
         local one = talk.peer(transcript)
         one.mute_about_tls = true
         return one
      end
      local given = options_of()
      for _, name in ipairs { "from", "to", "raw" } do given[name] = nil end
      given.transport = peer()
      local connection, err = safe.connect(given)
      assert.is_nil(connection)
      assert.equal("auth_insecure", err.kind)
      given.transport = peer()
      local report = assert(safe.probe(given))
      talk.finished(given.transport)
      assert.is_false(report.tls.verified)
      assert.equal("auth_insecure", report.warnings[1].kind)
      assert.equal("failed", report.auth.state)
      for _, pipelining in ipairs { "safe", "eager" } do
         given.transport, given.pipelining = peer, pipelining
         local summary = assert(safe.send_many(given, { { from = "a@b.example", to = "c@d.example", raw = "x\r\n" } }))
         assert.equal("auth_insecure", summary.results[1].kind)
      end
   end)

   it("tells the truth on a connection that stays", function()
      local peer = talk.peer(script.starttls:format("PLAIN") .. talk.accepted)
      peer.mute_about_tls = true
      local given = without_login()
      given.transport = peer
      local message = { from = given.from, to = given.to, raw = given.raw }
      for _, name in ipairs { "from", "to", "raw" } do given[name] = nil end
      local connection = assert(safe.connect(given))
      assert.is_false(assert(connection:send(message)).tls.verified)
      connection:quit()
      talk.finished(peer)
   end)
end)

describe("a transport takes no option that only a socket of ours honours", function()
   for name, value in pairs { tls_pin = ("a"):rep(43) .. "=", tls_ca_file = "/nowhere.pem", tls_ca_path = "/nowhere",
      tls_min_version = "1.3", tls_cert = "/nowhere.pem", source_address = "192.0.2.1" } do
      it(name, function()
         for _, tls in ipairs { "require", "implicit", "prefer", "skip" } do
            for _, made in ipairs { false, true } do
               local peer = talk.peer ""
               local t = { host = "mx.example", tls = tls, [name] = value,
                  tls_key = name == "tls_cert" and "/nowhere.pem" or nil,
                  transport = made and function() return peer end or peer }
               local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
               local errors = { select(2, safe.connect(t)), select(2, safe.probe(t)),
                  select(2, safe.send_many(t, { message })) }
               for key, field in pairs(message) do t[key] = field end
               errors[4] = select(2, safe.send(t))
               for i = 1, 4 do
                  assert.same({ "usage", name }, { errors[i].kind, errors[i].option })
               end
               assert.is_nil(peer.connected)
            end
         end
      end)
   end
end)

-- A method of the caller's transport may raise, and return what makes no sense.
describe("a transport that fails", function()
   local names = { "connect", "settimeouts", "send", "receiveany" }
   local message = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nhi\r\n" }
   local answers = script [[
      <hello>
      S: 250 mx
   ]]

   -- The call number `count` of this method raises.
   local function failing(name, count, cause, transcript)
      local peer = talk.peer(transcript or answers .. talk.accepted)
      local method = peer[name]
      peer[name] = function(...)
         count = count - 1
         if count == 0 then error(cause, 0) end
         return method(...)
      end
      return peer
   end

   local function where(peer)
      local t = talk.options({}, peer)
      t.from, t.to, t.raw = nil, nil, nil
      return t
   end

   local function is_source(err, cause)
      assert.same({ "source", "transport" }, { err.kind, err.reason }, tostring(err))
      assert.equal(cause, err.cause)
      assert.truthy(safe.is_error(err, safe.SourceError))
   end

   for _, name in ipairs(names) do
      it("is an error object of every door: " .. name .. " raises", function()
         local cause = { "mine" }
         local peer = failing(name, 1, cause)
         local receipt, err = safe.send(talk.options({}, peer))
         assert.is_nil(receipt)
         is_source(err, cause)
         assert.equal("no", err.sent)
         assert.is_true(peer.closed)
         local connection
         connection, err = safe.connect(where(failing(name, 1, cause)))
         assert.is_nil(connection)
         is_source(err, cause)
         local report
         report, err = safe.probe(where(failing(name, 1, cause)))
         assert.is_nil(report)
         is_source(err, cause)
         for _, pipelining in ipairs { "safe", "eager" } do
            local t = where(function() return failing(name, 1, cause) end)
            t.pipelining = pipelining
            local summary = assert(safe.send_many(t, { message, message }))
            is_source(summary.results[1], cause)
            is_source(summary.results[2], cause)
         end
      end)
   end

   it("is an error object wherever in the dialogue it raises", function()
      for _, name in ipairs { "send", "receiveany", "settimeouts" } do
         for count = 1, 30 do
            local peer = failing(name, count, "boom")
            local receipt, err = safe.send(talk.options({}, peer))
            if err then is_source(err, "boom") else assert.equal("250", tostring(receipt.reply.code)) end
         end
      end
   end)

   it("leaves a connection broken", function()
      for _, name in ipairs { "send", "receiveany", "settimeouts" } do
         for _, method in ipairs { "noop", "reset", "verify", "send" } do
            local peer = talk.peer(script([[
               <answers>
               C~
               S: 250 ok
            ]], { answers = answers }))
            local connection = assert(safe.connect(where(peer)))
            peer[name] = function() error("boom", 0) end
            local answer, err = connection[method](connection, method == "verify" and "ann" or message)
            assert.is_nil(answer)
            is_source(err, "boom")
            assert.is_false(connection.alive)
            answer, err = connection:noop()
            assert.is_nil(answer)
            is_source(err, "boom")
            assert.is_true(connection:quit())
            assert.is_true(connection:close())
            assert.is_true(peer.closed)
         end
      end
   end)

   it("does not raise by close", function()
      local peer = talk.peer(answers .. talk.accepted)
      peer.close = function() error("boom", 0) end
      assert(safe.send(talk.options({}, peer)))
   end)

   it("raises in the handshake, and in what it says of TLS", function()
      for _, name in ipairs { "sslhandshake", "tlsinfo", "channel_binding", "getpeername", "getsockname",
         "certificate" } do
         for _, tls in ipairs { "require", "implicit" } do
            local transcript = (tls == "implicit" and implicit or script.starttls):format("PLAIN SCRAM-SHA-256-PLUS")
            local peer = talk.peer(script([[
               <transcript>
               <bye>
            ]], { transcript = transcript }))
            peer[name] = function() error("boom", 0) end
            local t = options_of({ tls = tls }, peer)
            local receipt, err = safe.send(t)
            assert.is_nil(receipt)
            assert.truthy(safe.is_error(err))
            if name ~= "certificate" and name ~= "getsockname" then is_source(err, "boom") end
         end
      end
   end)

   it("returns what makes no sense", function()
      for name, values in pairs { send = { true, "4", -1, 0.5, 1e9, {} }, receiveany = { true, 42, {} } } do
         for _, value in ipairs(values) do
            local peer = talk.peer(answers .. talk.accepted)
            peer[name] = function() return value end
            local receipt, err = safe.send(talk.options({}, peer))
            assert.is_nil(receipt)
            is_source(err, nil)
            assert.truthy(tostring(err):find(name .. " returned a " .. type(value), 1, true), tostring(err))
         end
      end
   end)

   it("is not made by its function, which says why or returns nothing", function()
      for i, words in ipairs { "transport failed: no proxy", "transport returned a nil that has no method connect" } do
         local _, err = safe.send(talk.options({}, function() if i == 1 then return nil, "no proxy" end end))
         assert.truthy(tostring(err):find(words, 1, true), tostring(err))
      end
   end)

   it("fails with words that are not strings", function()
      for _, why in ipairs { false, true, 42, {} } do
         for _, name in ipairs { "connect", "send", "receiveany", "sslhandshake" } do
            local peer = talk.peer(script([[
               <implicit>
               <bye>
            ]], { implicit = implicit:format("PLAIN") }))
            peer[name] = function() return nil, why, why end
            local receipt, err = safe.send(options_of({ tls = "implicit" }, peer))
            assert.is_nil(receipt)
            assert.truthy(safe.is_error(err))
         end
      end
   end)

   it("does not show a secret that is in what it raises", function()
      local peer = failing("receiveany", 4, "sesame-1 is the password", script([[
         <in_starttls>
         <plain>
      ]], { in_starttls = script.starttls:format("PLAIN") }))
      local _, err = safe.send(options_of({}, peer))
      assert.equal("source", err.kind)
      assert.is_nil(tostring(err):find("sesame", 1, true))
   end)

   it("may yield", function()
      local peer = talk.peer(answers .. talk.accepted)
      for _, name in ipairs { "connect", "send", "receiveany", "close" } do
         local method = peer[name]
         peer[name] = function(...)
            coroutine.yield(name)
            return method(...)
         end
      end
      local thread = coroutine.create(function() return safe.send(talk.options({}, peer)) end)
      local yields, ok, value = 0 -- luacheck: ignore
      repeat
         ok, value = coroutine.resume(thread)
         yields = yields + 1
      until coroutine.status(thread) == "dead"
      assert.is_true(ok)
      assert.is_table(value)
      assert.is_true(yields > 8)
   end)
end)

describe("a transport with a certificate", function()
   local full = { subject = "CN=mx.example", issuer = "CN=ca", names = { "mx.example", "192.0.2.1" },
      not_before = "2026-01-01T00:00:00Z", not_after = "2026-03-01T00:00:00Z", days_left = -3, key_pin = "x" }

   local function probed(given)
      local peer = talk.peer(script [[
         S: 220 hi
         C: EHLO me.example
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO me.example
         S: 250 mx
         C: QUIT
         S: 221 bye
      ]])
      function peer.certificate() return given end
      return assert(safe.probe { host = "mx.example", domain = "me.example", tls = "require", transport = peer })
   end

   it("shows it to smtp.probe", function()
      local report = probed(full)
      assert.same(full, report.tls.certificate)
      assert.equal("expired", report.warnings[1].reason)
   end)

   it("may leave fields out, and others are left out if they have another type", function()
      assert.same({ names = {} }, probed({}).tls.certificate)
      assert.same({ names = { "a" }, issuer = "CN=ca" },
         probed({ issuer = "CN=ca", subject = 7, days_left = "soon", names = { "a", 7, "b" } }).tls.certificate)
      assert.is_nil(probed("CN=mx.example").tls.certificate)
   end)
end)
