-- Chunks that go ahead of the answers to RCPT, and the harmless chunk that comes before them.
local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"
local sessions = require "spec.tools.sessions"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local said = sessions.said

local TRIAL = "BDAT 6\r\nQUIT\r\nRSET\r\n"
local ENVELOPE = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
local CHUNK = "BDAT 4 LAST\r\nhi\r\n"
local CONSUMED = "503 5.5.1 need RCPT\r\n250 reset\r\n"

-- A session that is eager; it has said EHLO, and heard the answer.
local function open(options, capabilities)
   local all = { grade = "eager", chunks_ahead = true, flight_max = 8 }
   for name, value in pairs(options or {}) do all[name] = value end
   return sessions.open(all, capabilities)
end

-- One to which the server has shown that it consumes chunks.
local function consumed(options)
   local session = open(options)
   assert.equal(TRIAL, said(session))
   session:heard(CONSUMED)
   assert.equal("ready", session:wants())
   return session
end

local function add(session, more, text)
   local all = { from = "a@x", to = { "b@x" }, size = 4, exact = true, source_len = 4 }
   for name, value in pairs(more or {}) do all[name] = value end
   local mail = core.transaction(all)
   session:add(mail, text or "hi\r\n")
   return mail
end

local function states(mail)
   local list = {}
   for i, one in ipairs(mail:recipients()) do list[i] = one.state end
   return table.concat(list, " ")
end

describe("A harmless chunk", function()
   it("goes alone where there is no message yet, and the first message goes ahead", function()
      local session = consumed()
      assert.is_true(session:facts().consumes_chunks)
      local mail = add(session)
      assert.equal(ENVELOPE .. CHUNK, said(session))
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n")
      assert.equal("accepted", states(mail))
   end)

   it("rides with the first message, which waits for the answer", function()
      local session = core.session { domain = "me.example", grade = "try", chunks_ahead = true, flight_max = 1 }
      add(session)
      session:heard("220 hi\r\n")
      said(session)
      session:heard("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
      assert.equal(TRIAL .. ENVELOPE, said(session))
      session:heard("503 5.5.1 need RCPT\r\n")
      assert.equal("", said(session))
      session:heard("250 reset\r\n")
      assert.equal(CHUNK, said(session))
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n")
      add(session)
      assert.equal(ENVELOPE .. CHUNK, said(session))
   end)

   it("may be refused with any code", function()
      for _, reply in ipairs { "502 5.5.1 Missing RCPT TO", "530 5.7.0 no", "554-no\r\n554 no", "451 later" } do
         local session = open()
         said(session)
         session:heard(reply .. "\r\n250 ok\r\n")
         assert.is_true(session:facts().consumes_chunks)
         assert.is_false(session:chunk_failed())
      end
   end)

   it("is not said where nothing could go ahead", function()
      for _, options in ipairs { { grade = "safe" }, { chunks_ahead = false }, { lmtp = true },
         { halt = "rcpt" }, { extensions = { chunking = "skip" } } } do
         assert.equal("", said(open(options)))
      end
      for _, capability in ipairs { "PIPELINING", "CHUNKING" } do
         assert.equal("", said(open({}, ("250-%s\r\n"):format(capability))))
      end
      local session = core.session { domain = "me.example", grade = "try", chunks_ahead = true }
      add(session)
      session:quit()
      session:heard("220 hi\r\n")
      said(session)
      session:heard("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
      assert.equal(ENVELOPE, said(session)) -- it is the only message
   end)

   it("goes before more than one message, also where QUIT follows them", function()
      local session = core.session { domain = "me.example", grade = "try", chunks_ahead = true, flight_max = 8 }
      add(session)
      add(session)
      session:quit()
      session:heard("220 hi\r\n")
      said(session)
      session:heard("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
      assert.equal(TRIAL, said(session):sub(1, #TRIAL))
   end)

   it("comes after TLS and AUTH", function()
      local session = core.session { domain = "me.example", grade = "try", chunks_ahead = true, tls = "require",
         auth = "require", username = "ann", mechanisms = { { name = "PLAIN" } } }
      session:heard("220 hi\r\n")
      said(session)
      session:heard("250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n")
      assert.equal("STARTTLS\r\n", said(session))
      session:heard("220 go\r\n")
      session:tls_started(true)
      assert.equal("EHLO me.example\r\n", said(session))
      session:heard("250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n")
      assert.equal("secret", session:wants())
      session:secret("sesame-chunk")
      assert.truthy(said(session):find("^AUTH PLAIN [%w=]+\r\n$"))
      session:heard("235 ok\r\n")
      assert.equal(TRIAL, said(session))
   end)

   it("is no part of a message for those who look on", function()
      local session = consumed()
      assert.equal(0, session:octets())
      assert.matches("C: BDAT 6\nC: RSET\nS: 503", (session:transcript()))
   end)

   -- What a server says, and what the session makes of it.
   local failures = {
      { "runs it as commands", "502 what for?\r\n221 bye\r\n", "protocol", "chunk" },
      { "answers twice", "503 no\r\n500 what?\r\n", "protocol", "chunk" },
      { "accepts it", "250 ok\r\n", "protocol", "chunk" },
      { "says goodbye", "421 no more\r\n", "disconnected", "shutting_down" },
      { "closes the connection", "", "disconnected", "closed" },
      { "closes it after an answer", "503 no\r\n", "disconnected", "closed" },
   }
   for _, case in ipairs(failures) do
      it("that the server fails at: it " .. case[1], function()
         local session = core.session { domain = "me.example", grade = "eager", chunks_ahead = true, flight_max = 8 }
         local mail = add(session)
         session:heard("220 hi\r\n")
         said(session)
         session:heard("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
         assert.equal(TRIAL .. ENVELOPE, said(session))
         if case[2] ~= "" then session:heard(case[2]) end
         if case[4] == "closed" then session:heard("") end
         assert.equal("nothing", session:wants())
         assert.same({ case[3], case[4] }, { session:trouble().kind, session:trouble().reason })
         assert.same({ true, false, true }, { session:chunk_failed(), session:eager_failed(), mail:is_bystander() })
         assert.equal("unsent", states(mail))
      end)
   end

   it("that is not answered", function()
      local session = open()
      said(session)
      session:broken("timeout", "timeout", "")
      assert.is_true(session:chunk_failed())
   end)

   it("on a connection that was dead shows nothing", function()
      local facts = { esmtp = true, tls = "skipped", auth = "skipped", server = "mx",
         capabilities = "PIPELINING\nCHUNKING", mechanisms = "", mechanisms_before_tls = "" }
      local options = { domain = "me.example", grade = "eager", chunks_ahead = true }
      local session = core.session(options, facts)
      add(session)
      assert.equal(TRIAL .. ENVELOPE, said(session))
      session:heard("")
      assert.is_false(session:chunk_failed())
      facts.consumes_chunks = true
      session = core.session(options, facts)
      add(session)
      assert.equal(ENVELOPE .. CHUNK, said(session))
   end)
end)

describe("A chunk", function()
   it("does not go ahead where the message is long, is given in pieces, or is for all or none", function()
      local function waits(more, text)
         local session = consumed()
         local mail = add(session, more, text)
         local flight = said(session)
         return flight:find("BDAT") == nil and mail ~= nil
      end
      local long = (("x"):rep(62) .. "\r\n"):rep(4097)
      local both = { "b@x", "c@x" }
      assert.is_true(waits({ size = #long, source_len = #long }, long))
      assert.is_true(waits { to = both, all = true })
      assert.is_false(waits { to = both })
      assert.is_false(waits { all = true })
      local session = consumed()
      session:add(sessions.of_unknown_size())
      assert.is_nil(said(session):find("BDAT"))
   end)

   it("goes to those who are accepted", function()
      local session = consumed()
      local mail = add(session, { to = { "b@x", "c@x", "d@x" } })
      said(session)
      session:heard("250 ok\r\n550 who?\r\n250 ok\r\n452 full\r\n250 ok\r\n")
      assert.equal("refused accepted deferred", states(mail))
      assert.equal("ready", session:wants())
   end)

   it("that was refused with its recipients is no other refusal, and RSET follows", function()
      for _, reply in ipairs { "503 no recipient", "554 no", "502 no", "250 ok" } do
         local session = consumed()
         local mail = add(session)
         said(session)
         session:heard("250 ok\r\n550 5.1.1 who?\r\n" .. reply .. "\r\n")
         assert.same({ "recipients_refused", 550 }, { mail:trouble().kind, mail:trouble().code })
         assert.equal("refused", states(mail))
         assert.equal("RSET\r\n", said(session))
         session:heard("250 ok\r\n")
         assert.equal("ready", session:wants())
      end
   end)

   it("that was refused after its sender", function()
      local session = consumed()
      local mail = add(session)
      said(session)
      session:heard("553 no\r\n503 no\r\n503 no\r\n")
      assert.equal("sender_refused", mail:trouble().kind)
      assert.equal("unsent", states(mail))
      assert.equal("RSET\r\n", said(session))
   end)

   it("that was accepted after a sender that was not is in doubt", function()
      local session = consumed()
      local mail = add(session)
      said(session)
      session:heard("553 no\r\n250 ok\r\n250 ok\r\n")
      assert.same({ "protocol", "unexpected" }, { mail:trouble().kind, mail:trouble().reason })
      assert.equal("unknown", states(mail))
   end)

   it("that is not answered after a refusal is not waited for any longer than for other answers", function()
      local session = consumed()
      add(session)
      said(session)
      session:heard("250 ok\r\n")
      local now = core.now()
      local function patience() return session:patience(now + 1000, 60, now) end
      session:heard("250 ok\r\n")
      assert.is_true(patience() > 900)
      session = consumed()
      add(session)
      said(session)
      session:heard("250 ok\r\n550 who?\r\n")
      assert.is_true(patience() <= 60)
      session:broken("timeout", "timeout", "")
      assert.is_true(session:eager_failed())
   end)

   it("whose octets the server runs after a refusal ends the session, and the server gets no more of it", function()
      for _, is_late in ipairs { false, true } do
         local session = consumed()
         add(session)
         said(session)
         session:heard("250 ok\r\n550 who?\r\n503 no\r\n")
         if is_late then said(session) end
         session:heard("500 what?\r\n")
         assert.equal("nothing", session:wants())
         assert.is_true(session:eager_failed())
      end
      local session = consumed()
      add(session)
      said(session)
      session:heard("250 ok\r\n550 who?\r\n503 no\r\n")
      said(session)
      session:heard("554 too many\r\n") -- as Exim does after ten of them
      assert.is_false(session:eager_failed())
   end)

   it("is in doubt as soon as its end has left", function()
      local flight = #(ENVELOPE .. CHUNK)
      for sent = 0, flight do
         for answers = 0, 2 do
            local session = consumed()
            local mail = add(session)
            session:sent(sent)
            if sent == flight then session:heard(("250 ok\r\n"):rep(answers)) end
            session:heard("")
            assert.equal(sent == flight and "unknown" or "unsent", states(mail), sent)
         end
      end
   end)

   it("goes ahead of few answers only where the transport does not read while it writes", function()
      local session = consumed { window = 200, flight_max = 64 }
      local to = {}
      for i = 1, 20 do to[i] = ("b%d@x"):format(i) end
      add(session, { to = to })
      assert.is_nil(said(session):find("BDAT"))
      session:heard(("250 ok\r\n"):rep(21))
      assert.equal(CHUNK, said(session))
      session:heard("250 ok\r\n")
      for _ = 1, 20 do add(session) end
      local flight = said(session)
      assert.equal(4, select(2, flight:gsub("BDAT", "")))
      assert.equal(16, select(2, flight:gsub("\n", "")) - 4)
   end)
end)

-- RFC 5321 3.8: it may say so in the place of any answer.
describe("A server that says goodbye in the place of an earlier answer", function()
   local function hear_goodbye(answers)
      local session = consumed()
      local mails = { add(session), add(session) }
      said(session)
      session:heard(("250 ok\r\n"):rep(answers) .. "421 going\r\n")
      return session, function() return states(mails[1]) .. " " .. states(mails[2]) end
   end

   local expected = { [0] = "unsent unsent", "unsent unsent", "deferred unsent", "accepted unsent" }
   local doubts = { [0] = "unknown unknown", "unknown unknown", "deferred unknown", "accepted unknown" }

   for answers = 0, 3 do
      it(("has taken nothing of what follows, %d answers before"):format(answers), function()
         local session, all = hear_goodbye(answers)
         assert.equal("recv", session:wants())
         assert.is_true(session:patience(core.now() + 100, 60, core.now()) <= 2)
         session:heard("")
         assert.equal("shutting_down", session:trouble().reason)
         assert.equal(expected[answers], all())
         session, all = hear_goodbye(answers)
         session:broken("timeout", "timeout", "")
         assert.equal(expected[answers], all())
      end)

      it(("and goes on may have taken it, %d answers before"):format(answers), function()
         for _, more in ipairs { "250 ok\r\n", "421 again\r\n", "25" } do
            local session, all = hear_goodbye(answers)
            session:heard(more)
            if more == "25" then session:heard("") end
            assert.equal("shutting_down", session:trouble().reason)
            assert.equal(doubts[answers], all())
         end
      end)
   end

   it("ends the session at once where no end had left", function()
      local session = consumed()
      local mail = add(session)
      session:sent(#ENVELOPE)
      session:heard("421 going\r\n")
      assert.same({ "nothing", "unsent" }, { session:wants(), states(mail) })
   end)
end)

describe("A server that refuses RSET", function()
   local function refuse()
      local session = consumed()
      local mails = { add(session), add(session), add(session) }
      said(session)
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n554 too many\r\n")
      assert.equal("recv", session:wants())
      return session, mails
   end

   it("and closes the connection has not taken what follows", function()
      local session, mails = refuse()
      session:heard("")
      assert.equal("reset_refused", session:trouble().reason)
      assert.equal("accepted unsent unsent", states(mails[1]) .. " " .. states(mails[2]) .. " " .. states(mails[3]))
   end)

   it("may have taken it where the connection was reset, which loses what it said", function()
      local session, mails = refuse()
      session:broken("disconnected", "closed", "Connection reset by peer")
      assert.equal("reset_refused", session:trouble().reason)
      assert.equal("accepted unknown unknown", states(mails[1]) .. " " .. states(mails[2]) .. " " .. states(mails[3]))
   end)

   it("gets no more of a long message that is on its way", function()
      local session, long = consumed(), (("x"):rep(62) .. "\r\n"):rep(2000)
      local mails = { add(session), add(session), add(session, { size = #long, source_len = #long }, long) }
      session:sent(1000)
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n554 too many\r\n")
      assert.same({ "recv", "" }, { session:wants(), (session:output()) })
      session:heard("250 ok\r\n")
      assert.equal("accepted unknown unsent", states(mails[1]) .. " " .. states(mails[2]) .. " " .. states(mails[3]))
   end)

   it("and goes on may have taken it", function()
      local session, mails = refuse()
      session:heard("250 ok\r\n")
      assert.equal("reset_refused", session:trouble().reason)
      assert.equal("accepted unknown unknown", states(mails[1]) .. " " .. states(mails[2]) .. " " .. states(mails[3]))
   end)
end)

describe("A connection to a server that runs chunks as commands", function()
   local function options(servers)
      return talk.options_to(servers, { pipelining = "eager" })
   end

   local function runs()
      return spec_server.new { runs_chunks = true }
   end

   it("is replaced when it is opened, once in the process", function()
      local servers = { runs(), runs(), runs() }
      local given = options(servers)
      for at = 2, 3 do
         local connection = assert(smtp.connect(given))
         local receipt = assert(connection:send(talk.message()))
         assert.equal("eager", receipt.pipelining)
         connection:quit()
         assert.same({ 0, 1 }, { #servers[1].taken, #servers[at].taken })
      end
      assert.same({ "EHLO me.example", "BDAT 6", "QUIT" }, servers[1].lines)
   end)

   it("is replaced with its message, where it is to be kept", function()
      local servers, opened = { runs(), runs() }, 0
      local transport = runtime.transport
      finally(function() runtime.transport = transport end)
      runtime.transport = function()
         opened = opened + 1
         return servers[opened]
      end
      local given = talk.message { pipelining = "eager", keepalive = { idle = 60, size = 4 } }
      given = talk.options_to({}, given)
      given.transport = nil
      assert(smtp.send(given))
      assert.same({ 0, 1 }, { #servers[1].taken, #servers[2].taken })
   end)

   it("is an error where there is no other transport", function()
      local server = runs()
      local given = options({})
      given.transport, given.host, given.port = server, nil, nil
      local connection, err = smtp.connect(given)
      assert.is_nil(connection)
      assert.same({ "protocol", "chunk", "rset", "now" }, { err.kind, err.reason, err.stage, err.retry })
   end)
end)

-- A server that refuses what it is told to, with what it was sent and has not been read of its replies.
local function model(refuses)
   local self = { replies = "", taken = 0, foreign = 0 }
   local input, need, has_sender, has_recipient = "", 0, false, false

   local function reply(text) self.replies = self.replies .. text .. "\r\n" end

   local answers = {
      MAIL = function()
         has_sender = not refuses "MAIL"
         reply(has_sender and "250 ok" or "550 no")
      end,
      RCPT = function()
         local is_taken = has_sender and not refuses "RCPT"
         has_recipient = has_recipient or is_taken
         reply(is_taken and "250 ok" or "550 no")
      end,
      RSET = function()
         has_sender, has_recipient = false, false
         reply "250 ok"
      end,
   }

   local function chunk(data)
      if data:find "BDAT" or data:find "RSET" then self.foreign = self.foreign + 1 end
      self.taken = self.taken + (has_recipient and 1 or 0)
      reply(has_recipient and "250 taken" or "503 no recipient")
      has_sender, has_recipient = false, false
   end

   function self.hear(data)
      input = input .. data
      while true do
         if need > 0 then
            if #input < need then return end
            data, input, need = input:sub(1, need), input:sub(need + 1), 0
            chunk(data)
         else
            local line, rest = input:match "^([^\n]*)\r\n(.*)$"
            if not line then return end
            input = rest
            need = tonumber(line:match "^BDAT (%d+)") or 0
            if need == 0 then answers[line:sub(1, 4)]() end
         end
      end
   end
   return self
end

describe("Answers that come while a chunk is being said", function()
   for _, refused in ipairs { "none", "MAIL", "RCPT" } do
      it("find all of it sent first, and nothing else in it; refused: " .. refused, function()
         for seed = 1, 40 do
            math.randomseed(seed)
            local session = consumed { window = seed % 2 * 200 }
            local mx = model(function(verb) return verb == refused and math.random(2) == 1 end)
            local mails = {}
            for i = 1, 4 do
               local text = (("x"):rep(62) .. "\r\n"):rep(math.random(1, 4000))
               mails[i] = add(session, { size = #text, source_len = #text }, text)
            end
            for _ = 1, 5000 do
               local want = session:wants()
               if want == "ready" then break end
               if mx.replies ~= "" and math.random(2) == 1 then
                  local count = math.random(#mx.replies)
                  session:heard(mx.replies:sub(1, count))
                  mx.replies = mx.replies:sub(count + 1)
               elseif want == "send" then
                  local data = session:output()
                  local count = math.random(#data)
                  mx.hear(data:sub(1, count))
                  session:sent(count)
               end
            end
            local accepted = 0
            for i = 1, 4 do accepted = accepted + (states(mails[i]) == "accepted" and 1 or 0) end
            assert.same({ seed, "ready", 0, mx.taken }, { seed, session:wants(), mx.foreign, accepted })
         end
      end)
   end
end)
