local core = require "smtp.core"
local sessions = require "spec.tools.sessions"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.script

describe("a reply", function()
   it("of a very long line is kept to a bound, and its code is right", function()
      local _, err = talk.send({}, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 550 5.7.1 $repeated
         <bye>
      ]], { repeated = ("x"):rep(5000) }))
      assert.equal(550, err.code)
      assert.equal("5.7.1", err.enhanced)
      assert.truthy(#err.text <= 512 and err.text:find("[cut]", 1, true))
   end)

   it("of an endless line is refused", function()
      local _, err = talk.send({}, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S~ 250 $repeated
      ]], { repeated = ("x"):rep(13000) }))
      assert.equal("too_long", err.reason)
   end)

   it("of endless lines is refused", function()
      local _, err = talk.send({}, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         <repeated>
      ]], { repeated = ("S: 250-x\n"):rep(300) }))
      assert.equal("too_long", err.reason)
      _, err = talk.send({}, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         <repeated>
      ]], { repeated = ("S: 250-" .. ("x"):rep(1000) .. "\n"):rep(70) }))
      assert.equal("too_long", err.reason)
   end)
end)

describe("a flight of which a part has left", function()
   it("is nothing any more once the conversation is over", function()
      for name, finish in pairs {
         ["a reply"] = function(session) session:heard("421 bye\r\n") end,
         ["an error"] = function(session) session:broken("timeout", "timeout", "") end,
         ["the end of the session"] = function(session) debug.getmetatable(session).__gc(session) end,
      } do
         local session = sessions.open()
         session:ask("noop")
         session:sent(2)
         assert.same({ "OP\r\n", true }, { session:output() }, name)
         finish(session)
         assert.same({ "nothing", "" }, { session:wants(), session:output() }, name)
      end
   end)
end)

-- Large pieces are not copied: the session sends them from where they are.
describe("a message in large pieces", function()
   local lines = {}
   for i = 1, 6000 do lines[i] = ("x"):rep(i % 79) .. (i % 50 == 0 and "\r\n.dot" or "") end
   local text = "Subject: x\r\n\r\n" .. table.concat(lines, "\r\n") .. "\r\n"

   local state = 1
   local function random(bound)
      state = state * 16807 % 2147483647
      return state % bound + 1
   end

   -- Sends some octets at a time; each piece is garbage once the session has taken it.
   local function send(session, data)
      local sent, at, piece, piece_at = {}, 1, nil, 1
      while true do
         local want = session:wants()
         if want == "send" then
            local bytes = session:output()
            bytes = bytes:sub(1, random(2) == 1 and random(50000) or #bytes)
            sent[#sent + 1] = bytes
            session:sent(#bytes)
         elseif want == "end" then
            session:end_allowed()
         elseif want == "body" and not piece and at > #data then
            session:body_end()
         elseif want == "body" then
            if not piece then
               local len = random(120000)
               piece, piece_at, at = data:sub(at, at + len - 1), 1, at + len
            end
            piece_at = session:body(piece, piece_at)
            if piece_at > #piece then piece = nil end
            if random(4) == 1 then collectgarbage() end
         else
            return table.concat(sent)
         end
      end
   end

   -- A session that has said the envelope of such a message, and may go on.
   local function begin(options, capabilities, size)
      local session = sessions.open(options, capabilities)
      local mail = core.transaction { from = "a@x", to = { "b@x" }, size = size, exact = true, source_len = #text }
      sessions.begin(session, mail)
      return session
   end

   for _, hold_ends in ipairs { false, true } do
      it("is one chunk" .. (hold_ends and " whose end may be held back" or ""), function()
         for _ = 1, 3 do
            local session = begin({ hold_ends = hold_ends }, "250-PIPELINING\r\n250-CHUNKING\r\n", #text)
            assert(("BDAT %d LAST\r\n"):format(#text) .. text == send(session, text))
            assert.equal(#text, session:octets())
         end
      end)

      it("follows DATA" .. (hold_ends and ", and its end may be held back" or ""), function()
         for _ = 1, 3 do
            local session = begin({ hold_ends = hold_ends }, "250-PIPELINING\r\n", #text)
            session:heard("354 go\r\n")
            assert(text:gsub("\r\n%.", "\r\n..") .. ".\r\n" == send(session, text))
         end
      end)
   end

   it("that is longer than its size never ends", function()
      local session = begin({}, nil, #text - 1)
      local sent = send(session, text)
      assert.equal("nothing", session:wants())
      assert.truthy(#sent < #text)
      assert.equal("source", session:trouble().kind)
   end)

   it("is not sent any more once the connection is over", function()
      local session = begin({}, "250-PIPELINING\r\n", #text)
      session:heard("354 go\r\n")
      session:body(text, 1)
      assert.truthy(#session:output() > 60000)
      session:heard("")
      assert.equal("", session:output())
   end)
end)

-- Some servers write their last words without a line end and close.
describe("a 421 without a line end, and then the end of the connection,", function()
   local cut = [[
      S~ 421 4.3.2 going down
      CLOSE
   ]]
   local ready = script [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
   ]]
   local chunking = script "<hello PIPELINING, CHUNKING>"
   local login = { username = "ann", password = "sesame-5", tls = "skip", auth_plaintext = true }
   local offer = script "<hello AUTH PLAIN LOGIN>"

   for what, case in pairs {
      greeting = { "", kind = "greeting_refused", stage = "greeting" },
      EHLO = { [[
         S: 220 hi
         C: EHLO me.example
      ]], stage = "ehlo" },
      HELO = { [[
         S: 220 hi
         C: EHLO me.example
         S: 500 what
         C: HELO me.example
      ]], stage = "ehlo" },
      STARTTLS = { script [[
         <hello STARTTLS>
         C: STARTTLS
      ]],
         stage = "starttls", given = { tls = "require" } },
      AUTH = { offer .. "C: AUTH PLAIN AGFubgBzZXNhbWUtNQ==\n", kind = "auth_temporary", stage = "auth",
         given = login },
      ["an answer"] = { script([[
         <offer>
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: YW5u
      ]], { offer = (offer:gsub("PLAIN ", "")) }),
         kind = "auth_temporary", stage = "auth", given = login },
      MAIL = { script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
      ]], stage = "mail" },
      RCPT = { script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
      ]], stage = "rcpt" },
      DATA = { ready .. "C: DATA\n", stage = "data" },
   } do
      it("is shown: " .. what, function()
         local _, err = talk.send(case.given, case[1] .. cut)
         assert.same({ case.kind or "disconnected", case.stage, 421, "4.3.2", "going down", "later", "no" },
            { err.kind, err.stage, err.code, err.enhanced, err.text, err.retry, err.sent })
         assert.equal("unsent", err.recipients and err.recipients[1].state or "unsent")
         assert.truthy(tostring(err):find("421 4.3.2): going down", 1, true))
      end)
   end

   for what, transcript in pairs { ["the dot"] = script([[
      <ready>
      C: DATA
      S: 354 go
      MESSAGE
   ]], { ready = ready }),
      ["BDAT"] = script([[
         <chunking>
         C: MAIL FROM:<ann@me.example>
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
      ]], { chunking = chunking }) } do
      it("is shown where it came instead of the verdict, which stays unknown: " .. what, function()
         local _, err = talk.send({}, transcript .. cut)
         assert.same({ "disconnected", 421, "going down", "doubt", "maybe" },
            { err.kind, err.code, err.text, err.retry, err.sent })
         assert.equal("unknown", err.recipients[1].state)
      end)
   end

   it("is shown in LMTP", function()
      local _, err = talk.send({ protocol = "lmtp" }, script([[
         S: 220 hi
         C: LHLO me.example
         <cut>
      ]], { cut = cut }))
      assert.same({ "disconnected", 421, "going down" }, { err.kind, err.code, err.text })
   end)

   it("at QUIT does no harm", function()
      assert(talk.send({}, (script([[
         <hello>
         <talk>
      ]], { talk = talk.accepted:gsub("S: 221 bye\n", "S~ 421 bye\nCLOSE") }))))
   end)

   it("may have several lines, the last of them cut anywhere", function()
      for last, text in pairs { [""] = "going", ["4"] = "going", ["421"] = "going\n",
         ["421 down"] = "going\ndown", ["421-4.3.2 down"] = "going\ndown", ["421 down\\r"] = "going\ndown" } do
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: 421-4.3.2 going
            S~ $last
            CLOSE
         ]], { last = last }))
         assert.same({ "disconnected", 421, text }, { err.kind, err.code, err.text })
      end
   end)

   it("is shown where the connection is reset, or only falls silent", function()
      for _, ending in ipairs { "reset", "timeout" } do
         local peer = talk.peer(script [[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S~ 421 4.3.2 going down
            SILENCE
         ]])
         local receive = peer.receiveany
         peer.receiveany = function(self, max)
            local data, why, text = receive(self, max)
            if why == "timeout" and not self.at_once and ending == "reset" then
               return nil, "reset", "Connection reset by peer"
            end
            return data, why, text
         end
         local _, err = smtp.send(talk.options({}, peer))
         assert.same({ "disconnected", 421, "going down", "later" },
            { err.kind, err.code, err.text, err.retry })
      end
   end)

   it("is what smtp.connect and smtp.probe report", function()
      local options = { from = false, to = false, raw = false }
      local connection = assert(smtp.connect(talk.options(options, talk.peer(script([[
         <hello>
         PAUSE
         C: NOOP
         <cut>
      ]], { cut = cut })))))
      local _, err = connection:noop()
      assert.same({ "disconnected", 421, "going down" }, { err.kind, err.code, err.text })
      _, err = smtp.connect(talk.options(options, talk.peer(cut)))
      assert.same({ "greeting_refused", 421, "going down" }, { err.kind, err.code, err.text })
      local report = assert(smtp.probe(talk.options(options, talk.peer(cut))))
      assert.truthy(report.warnings[1].text:find("going down", 1, true), report.warnings[1].text)
   end)

   it("keeps the words of any other reply that was cut", function()
      for said, text in pairs { ["554 5.7.1 blocked"] = "554 5.7.1 blocked", ["no SMTP"] = "no SMTP",
         ["55"] = "55", ["550-first\\r\\n550 second"] = "first\nsecond" } do
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S~ $said
            CLOSE
         ]], { said = said }))
         assert.same({ "disconnected", "closed", nil, text },
            { err.kind, err.reason, err.code, err.text })
      end
   end)
end)

