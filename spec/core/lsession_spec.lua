-- A session that goes on where another one stopped: smtp_session_init.
local core = require "smtp.core"
local talk = require "spec.tools.talk"

local script = talk.script

local function options(more)
   local all = { domain = "me.example", tls = "skip", auth = "skip", host = "mx.example", port = 25 }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

-- A session that has heard this reply to EHLO.
local function greeted(reply, more)
   local session = core.session(options(more))
   session:heard("220 hi\r\n")
   session:sent(#session:output())
   session:heard(reply)
   return session
end

local function resumed(session, more)
   return core.session(options(more), session:facts())
end

-- What it says first for this mail.
local function said(session)
   local mail = core.transaction { from = "a@b", to = { "c@d", "e@f" }, size = 4000, source_len = 4000,
      eightbit = true }
   session:add(mail)
   local trouble = mail:trouble()
   return trouble and trouble.kind .. trouble.reason or (session:output())
end

local function same(session, more)
   local other = resumed(session, more)
   assert.same(session:facts(), other:facts())
   assert.same(session:facts(), resumed(other, more):facts())
   assert.equal("ready", other:wants())
   assert.equal(said(session), said(other))
end

describe("a session that is resumed", function()
   for name, reply in pairs {
      ["after a bare EHLO"] = "250 mx\r\n", ["with extensions"] = "250-mx hello\r\n250-PIPELINING\r\n"
         .. "250-SIZE 5000\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n",
      ["with a limit that is too low"] = "250-mx\r\n250-8BITMIME\r\n250 SIZE 10\r\n",
      ["with limits"] = "250-mx\r\n250-8BITMIME\r\n250-LIMITS RCPTMAX=5 MAILMAX=7\r\n250 SIZE 4000\r\n",
      ["with tabs"] = "250-mx\r\n250-SIZE\t5000\r\n250-8BITMIME\t\r\n250 AUTH\tPLAIN\r\n",
      ["with bytes that are no text"] =
         "250-mx \1\255\r\n250-SIZE 50\00200\r\n250-8BITMIME\1\r\n250 \195\164 \237\160\128\r\n",
      ["with the old form of AUTH"] = "250-mx\r\n250-AUTH=PLAIN\r\n250 auth LOGIN\r\n",
      ["with a reply beyond what is kept"] = "250-mx\r\n" .. ("250-X" .. ("y"):rep(400) .. "\r\n"):rep(40)
         .. "250 8BITMIME\r\n",
      ["with one cut within a word"] = "250-mx\r\n" .. ("250-" .. ("x"):rep(100) .. "\r\n"):rep(121)
         .. "250-SIZE 400000000000000000000000000000000000000000000000000000000000000000000000\r\n250 8BITMIME\r\n",
      ["with enhanced status"] = "250-2.1.0 mx\r\n250-2.1.0 8BITMIME\r\n250 2.1.0 SIZE 9000\r\n",
   } do
      it(name .. " says and knows the same", function() same(greeted(reply)) end)
   end

   it("inside TLS knows whether the server has proven itself", function()
      for _, verified in ipairs { true, false } do
         local facts = greeted("250 mx\r\n", { tls_on = true, tls_verified = verified }):facts()
         assert.equal(verified, facts.tls_verified)
         assert.equal(verified, core.session(options(), facts):facts().tls_verified)
      end
   end)

   it("after a refused EHLO says and knows the same, also why", function()
      for _, text in ipairs { "", " no EHLO here", " 5.5.1 no EHLO here" } do
         local session = greeted("502" .. text .. "\r\n")
         assert.equal("HELO me.example\r\n", session:output())
         session:sent(#session:output())
         session:heard("250 mx.example\r\n")
         local facts = resumed(session):facts()
         assert.same({ false, "mx.example", 502, text:match("no.*") or "" },
            { facts.esmtp, facts.server, facts.ehlo_reply.code, facts.ehlo_reply.text })
         if facts.ehlo_reply.enhanced == session:facts().ehlo_reply.enhanced then same(session) end
      end
      local session = greeted("502 no\r\n")
      session:sent(#session:output())
      session:heard("250 mx\r\n")
      local facts = session:facts()
      facts.ehlo_reply.text = ("x"):rep(100000)
      assert.equal(facts.ehlo_reply.text:sub(1, #core.session(options(), facts):facts().ehlo_reply.text),
         core.session(options(), facts):facts().ehlo_reply.text)
   end)

   it("with any reply says and knows the same", function()
      math.randomseed(7)
      local words = { "SIZE", " ", "\t", "5000", "AUTH", "=", "PLAIN", "8BITMIME", "PIPELINING", "\1", "\255",
         "\195\164", "x", "2.0.0 ", "starttls", "0" }
      for _ = 1, 500 do
         local lines = {}
         for i = 1, math.random(6) do
            local line = ""
            for _ = 1, math.random(5) do line = line .. words[math.random(#words)] end
            lines[i] = "250-" .. line .. "\r\n"
         end
         local reply = "250-mx\r\n" .. table.concat(lines) .. "250 end\r\n"
         local ok, why = pcall(same, greeted(reply))
         assert(ok, reply .. tostring(why))
      end
   end)

   it("is as authenticated as the other was", function()
      local more = { auth = "require", username = "ann", secret_in_clear = true, mechanisms = { { name = "PLAIN" } } }
      local session = greeted("250-mx\r\n250 AUTH PLAIN\r\n", more)
      session:secret("sesame")
      session:sent(#session:output())
      session:heard("235 ok\r\n")
      assert.equal("authenticated", session:facts().auth)
      local other = resumed(session, more)
      assert.same({ "authenticated", "PLAIN" }, { other:facts().auth, other:facts().mechanism })
      more.auth = "prefer"
      session = greeted("250-mx\r\n250 SIZE\r\n", more)
      assert.same({ "unavailable", "not_advertised" }, { session:facts().auth, session:facts().auth_reason })
      same(session, more)
   end)

   it("takes a goodbye in the place of an answer", function()
      local other = resumed(greeted("250 mx\r\n"))
      local mail = core.transaction { from = "a@b", to = { "c@d" } }
      other:add(mail)
      other:sent(#other:output())
      other:heard("421 4.4.2 idle\r\n")
      assert.same({ "disconnected", 421, 1 }, { other:trouble().kind, other:trouble().code, other:replies() })
      assert.equal("unsent", mail:recipients()[1].state)
   end)

   it("rests only where nothing is half heard", function()
      local session = greeted("250 mx\r\n")
      assert.is_true(session:rests())
      session:heard("2")
      assert.equal("ready", session:wants())
      assert.is_false(session:rests())
   end)
end)

describe("a session in the place of an old one", function()
   it("is the same object, and knows nothing of it", function()
      local old = greeted("250-mx\r\n250-8BITMIME\r\n250-SIZE 10\r\n250 AUTH PLAIN\r\n", { auth = "require",
         username = "ann", secret_in_clear = true, mechanisms = { { name = "PLAIN" } } })
      old:secret("sesame")
      old:sent(#old:output())
      old:heard("535 no\r\n")
      assert.equal("auth_rejected", old:trouble().kind)
      local facts = core.session(options()):facts()
      local session = core.session(options(), nil, old)
      assert.is_true(rawequal(old, session))
      assert.same(facts, session:facts())
      assert.same({ 0, "recv" }, { session:replies(), session:wants() })
      assert.is_nil(session:trouble())
   end)

   it("can be one that is resumed", function()
      local facts = greeted("250-mx\r\n250 SIZE 5000\r\n"):facts()
      local session = core.session(options(), facts, greeted("250-mx\r\n250 PIPELINING\r\n"))
      assert.same(facts, session:facts())
      assert.equal("ready", session:wants())
   end)

   it("is that of the message before", function()
      local new, made = core.session, {}
      core.session = function(...)
         made[#made + 1] = new(...)
         return made[#made]
      end
      for _ = 1, 2 do
         talk.send({}, script [[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: 550 no
            <bye>
         ]])
      end
      core.session = new
      assert.is_true(#made > 1)
      for i = 2, #made do assert.is_true(rawequal(made[1], made[i])) end
   end)

   -- What is wiped is in exhaust/secrets.c.
   it("finds nothing of a login that was given up, and the collector leaves nothing", function()
      local more = { auth = "require", username = "ann", secret_in_clear = true, mechanisms = { { name = "PLAIN" } } }
      local function given_up()
         local old = greeted("250-mx\r\n250 AUTH PLAIN\r\n", more)
         old:secret("sesame")
         assert.truthy(old:output():find("^AUTH PLAIN "))
         return old
      end
      assert.equal("", core.session(options(), nil, given_up()):output())
      local session = given_up()
      debug.getmetatable(session).__gc(session)
      assert.equal("", session:output())
   end)

   it("cannot be in the place of anything else", function()
      assert.has_error(function() core.session(options(), nil, io.stdout) end)
      assert.has_error(function() core.session(options(), nil, {}) end)
   end)
end)

-- Frees what nothing holds any more, and has other strings of that length in its place.
local function churn(len)
   collectgarbage()
   collectgarbage()
   local list = {}
   for i = 1, 2000 do list[i] = ("%05d"):format(i) .. ("#"):rep(len - 5) end
   return list
end

describe("what a session borrows", function()
   it("of the options, of the session before, and of the caller's words stays as it was", function()
      local domain, mechanism = ("d"):rep(50) .. ".example", ("M"):rep(60)
      local facts = greeted("250 mx\r\n", { domain = domain }):facts()
      facts.auth, facts.mechanism = "authenticated", ("M"):rep(60)
      local given = options { domain = ("d"):rep(50) .. ".example" }
      local session, first = core.session(given, facts), core.session(given)
      facts, given = nil, nil -- luacheck: ignore
      churn(#mechanism)
      churn(#domain)
      assert.equal(mechanism, session:facts().mechanism)
      first:heard("220 hi\r\n")
      assert.equal("EHLO " .. domain .. "\r\n", first:output())
   end)

   it("is not changed by it", function()
      local given, facts = options(), greeted("250 mx\r\n"):facts()
      local seen = {}
      for name, value in pairs(given) do seen[name] = value end
      core.session(given, facts):ask("vrfy", "bob")
      assert.same(seen, given)
   end)
end)

describe("a session's method", function()
   it("that does something returns nothing", function()
      local session = greeted("250 mx\r\n")
      local transaction = core.transaction { from = "a@b", to = { "c@d" } }
      for _, call in ipairs { { "add", transaction }, { "sent", 0 }, { "heard", "" }, { "mechanism_out" },
         { "body_end" }, { "tls_started", true }, { "hide", {} }, { "secret", "x" }, { "ask", "noop" }, { "quit" },
         { "answer_refuse", "protocol" }, { "broken", "timeout", "timeout", "" } } do
         assert.equal(0, select("#", session[call[1]](session, call[2], call[3], call[4])), call[1])
      end
   end)

   it("takes no second piece before the first one has left", function()
      local session = greeted("250-mx\r\n250 PIPELINING\r\n")
      session:add(core.transaction { from = "a@b", to = { "c@d" } })
      session:sent(#session:output())
      session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
      local sent, pieces, at = {}, { ("first\r\n"):rep(4500), ("second\r\n"):rep(4000) }, { 1, 1 }
      for round = 1, 20 do
         for i = round == 1 and 1 or 2, 2 do -- also where it is not wanted
            if i == 2 and at[1] <= #pieces[1] then at[1] = session:body(pieces[1], at[1]) end
            if i == 1 or at[1] > #pieces[1] then at[i] = session:body(pieces[i], at[i]) end
         end
         collectgarbage()
         local bytes = session:output()
         sent[#sent + 1] = bytes
         session:sent(#bytes)
      end
      assert.equal(pieces[1] .. pieces[2], table.concat(sent))
   end)

   it("that takes a piece says where the rest of it begins, and every byte goes out once", function()
      local session = greeted("250-mx\r\n250 PIPELINING\r\n")
      local transaction = core.transaction { from = "a@b", to = { "c@d" } }
      session:add(transaction)
      local function send()
         local bytes = session:output()
         session:sent(#bytes)
         return bytes
      end
      send()
      session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
      local lines, sent, at = {}, {}, 1
      for i = 1, 20000 do lines[i] = ("line %05d\r\n"):format(i) end
      local piece = table.concat(lines)
      for _, from in ipairs { 0, 5, 2 ^ 40 } do
         assert.has_error(function() session:body("abc", from) end)
      end
      assert.equal(4, session:body("abc", 4))
      while at <= #piece do
         if session:wants() == "body" then
            at = session:body(piece, at)
         else
            sent[#sent + 1] = send()
         end
      end
      session:body_end()
      while session:wants() == "send" do sent[#sent + 1] = send() end
      assert.equal(piece .. ".\r\n", table.concat(sent))
   end)
end)
