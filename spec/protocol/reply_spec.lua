local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local hi = "S: 220 hi\nC: EHLO me.example\nS: 250 mx\n"
local mail = "C: MAIL FROM:<ann@me.example>\n"
local bye = "C: QUIT\nS: 221 bye\n"
local rest = "C: RCPT TO:<bob@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nS: 250 ok\n" .. bye

describe("a reply", function()
   for _, reply in ipairs { "S: 250", "S: 250 ", "S: 250-\nS: 250", "S: 250-a\nS: 250-b\nS: 250 c",
      "S~ 250 ok\\n", "S~ 250-a\\n250 b\\n", "S: 250 a\\rb" } do
      it("may be " .. reply, function()
         local _, err = talk.send({}, hi .. mail .. reply .. "\n" .. rest)
         assert.is_nil(err)
      end)
   end

   for _, line in ipairs { "25", "2", "", "25x", "2500 x", "012 x", "+25 x", " 250 x", "250x", "250_x",
      "199 x", "000 x", "600 x", "999 x", "250\\tx", "250 a\\0b" } do
      it("cannot be '" .. line .. "'", function()
         local _, err = talk.send({}, hi .. mail .. "S: " .. line)
         assert.equal("protocol", err.kind)
         assert.equal("malformed", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   for _, lines in ipairs { "S: 550-a\nS: 250 b", "S: 250-a\nS: 550 b", "S: 250-a\nS: 251 b" } do
      it("cannot contradict itself: " .. lines, function()
         local _, err = talk.send({}, hi .. mail .. lines)
         assert.equal("mixed_codes", err.reason)
      end)
   end

   for _, lines in ipairs { "S: 250-a\nS: 250+b", "S: 250-a\nS: foo\nS: 250 b" } do
      it("cannot lose its form: " .. lines, function()
         local _, err = talk.send({}, hi .. mail .. lines)
         assert.equal("malformed", err.reason)
      end)
   end

   it("cut by the end of the connection is none", function()
      for _, part in ipairs { "25", "250", "250 ok", "250-a\\r\\n", "250 ok\\r" } do
         local _, err = talk.send({}, hi .. mail .. "S~ " .. part .. "\nCLOSE")
         assert.equal("disconnected", err.kind)
      end
   end)

   it("of a very long line is kept to a bound, and its code is right", function()
      local _, err = talk.send({}, hi .. mail .. "S: 550 5.7.1 " .. ("x"):rep(5000) .. "\n" .. bye)
      assert.equal(550, err.code)
      assert.equal("5.7.1", err.enhanced)
      assert.truthy(#err.text <= 512 and err.text:find("[cut]", 1, true))
   end)

   it("of an endless line is refused", function()
      local _, err = talk.send({}, hi .. mail .. "S~ 250 " .. ("x"):rep(13000))
      assert.equal("too_long", err.reason)
   end)

   it("of endless lines is refused", function()
      local _, err = talk.send({}, hi .. mail .. ("S: 250-x\n"):rep(300))
      assert.equal("too_long", err.reason)
      _, err = talk.send({}, hi .. mail .. ("S: 250-" .. ("x"):rep(1000) .. "\n"):rep(70))
      assert.equal("too_long", err.reason)
   end)

   it("of just as many lines as there may be is taken", function()
      local _, err = talk.send({}, hi .. mail .. ("S: 250-x\n"):rep(255) .. "S: 250 x\n" .. rest)
      assert.is_nil(err)
   end)

   it("with control bytes and broken UTF-8 is made printable", function()
      local _, err = talk.send({}, hi .. mail
         .. "S: 550 a\\x1B[31m\\xC3\\xA4\\xFF\\xC3 b\\xC2\\x9B1m\\xC2\\xA0\n" .. bye)
      local shown = "a?[31m\195\164?? b??1m\194\160"
      assert.equal(shown, err.text)
      assert.equal("S: 550 " .. shown, err.transcript[#err.transcript - 2])
   end)

   for _, at in ipairs { "", mail .. "S: 250 ok\n",
      mail .. "S: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\n" } do
      it("that nobody asked for is an error after '" .. at:match("([^\n]*)\n?$") .. "'", function()
         local _, err = talk.send({}, hi .. at .. "S: 250 surprise")
         assert.equal("protocol", err.kind)
         assert.equal("unasked", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end
end)

-- Some servers write their last words without a line end and close.
describe("a 421 without a line end, and then the end of the connection,", function()
   local cut = "S~ 421 4.3.2 going down\nCLOSE"
   local ready = hi .. mail .. "S: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\n"
   local chunking = "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
   local login = { username = "ann", password = "sesame-5", tls = "skip", auth_plaintext = true }
   local offer = "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 AUTH PLAIN LOGIN\n"

   for what, case in pairs {
      greeting = { "", kind = "greeting_refused", stage = "greeting" },
      EHLO = { "S: 220 hi\nC: EHLO me.example\n", stage = "ehlo" },
      HELO = { "S: 220 hi\nC: EHLO me.example\nS: 500 what\nC: HELO me.example\n", stage = "ehlo" },
      STARTTLS = { "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n",
         stage = "starttls", given = { tls = "require" } },
      AUTH = { offer .. "C: AUTH PLAIN AGFubgBzZXNhbWUtNQ==\n", kind = "auth_temporary", stage = "auth",
         given = login },
      ["an answer"] = { (offer:gsub("PLAIN ", "")) .. "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\n",
         kind = "auth_temporary", stage = "auth", given = login },
      MAIL = { hi .. mail, stage = "mail" },
      RCPT = { hi .. mail .. "S: 250 ok\nC: RCPT TO:<bob@there.example>\n", stage = "rcpt" },
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

   for what, transcript in pairs { ["the dot"] = ready .. "C: DATA\nS: 354 go\nMESSAGE\n",
      ["BDAT"] = chunking .. mail .. "C: RCPT TO:<bob@there.example>\nS: 250 ok\nS: 250 ok\n"
         .. "C: BDAT 21 LAST\nOCTETS 21\n" } do
      it("is shown where it came instead of the verdict, which stays unknown: " .. what, function()
         local _, err = talk.send({}, transcript .. cut)
         assert.same({ "disconnected", 421, "going down", "doubt", "maybe" },
            { err.kind, err.code, err.text, err.retry, err.sent })
         assert.equal("unknown", err.recipients[1].state)
      end)
   end

   it("is shown in LMTP", function()
      local _, err = talk.send({ protocol = "lmtp" }, "S: 220 hi\nC: LHLO me.example\n" .. cut)
      assert.same({ "disconnected", 421, "going down" }, { err.kind, err.code, err.text })
   end)

   it("at QUIT is no trouble", function()
      assert(talk.send({}, (hi .. talk.accepted:gsub("S: 221 bye\n", "S~ 421 bye\nCLOSE"))))
   end)

   it("may have several lines, the last of them cut anywhere", function()
      for last, text in pairs { [""] = "going", ["4"] = "going", ["421"] = "going\n",
         ["421 down"] = "going\ndown", ["421-4.3.2 down"] = "going\ndown", ["421 down\\r"] = "going\ndown" } do
         local _, err = talk.send({}, hi .. mail .. "S: 421-4.3.2 going\nS~ " .. last .. "\nCLOSE")
         assert.same({ "disconnected", 421, text }, { err.kind, err.code, err.text })
      end
   end)

   it("is shown where the connection is reset, or only falls silent", function()
      for _, ending in ipairs { "reset", "timeout" } do
         local peer = talk.peer(hi .. mail .. "S~ 421 4.3.2 going down\nSILENCE")
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
      local connection = assert(smtp.connect(talk.options(options, talk.peer(hi .. "PAUSE\nC: NOOP\n" .. cut))))
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
         local _, err = talk.send({}, hi .. mail .. "S~ " .. said .. "\nCLOSE")
         assert.same({ "disconnected", "closed", nil, text },
            { err.kind, err.reason, err.code, err.text })
      end
   end)
end)
