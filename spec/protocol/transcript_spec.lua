-- What a session keeps of its conversation, for people.
local core = require "smtp.core"

local LINES_MAX, LINE_MAX = 8192, 1024 -- SMTP_TRANSCRIPT_MAX; LINE_SHOWN_MAX

local function begin(options)
   local given = { domain = "me", tls = "skip", auth = "skip", flight_max = 1 }
   for name, value in pairs(options or {}) do given[name] = value end
   return core.session(given)
end

-- All that is to be said leaves, `step` octets at a time.
local function say(session, step)
   local left = #session:output()
   while left > 0 do
      local count = math.min(left, step or left)
      session:sent(count)
      left = left - count
   end
end

local function open(options)
   local session = begin(options)
   session:heard("220 mx\r\n")
   say(session)
   session:heard("250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
   return session
end

local opened = "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250-CHUNKING\nS: 250 PIPELINING\n"

local function mail(session, text)
   session:add(core.transaction { from = "a@b", to = { "c@d" }, size = #text, exact = true,
      source_len = #text }, text)
end

describe("A session's transcript", function()
   it("has every line that was said and heard", function()
      assert.equal(opened, (open():transcript()))
   end)

   it("shows a command whole once it begins to leave", function()
      local session = begin()
      session:heard("220 mx\r\n")
      assert.equal("S: 220 mx\n", (session:transcript()))
      session:sent(4)
      assert.equal("S: 220 mx\nC: EHLO me\n", (session:transcript()))
      session:sent(100)
      assert.equal("S: 220 mx\nC: EHLO me\n", (session:transcript()))
   end)

   it("shows no octet of a chunk where the server speaks within its command", function()
      local session = open()
      mail(session, "hidden\r\n")
      say(session)
      session:heard("250 ok\r\n250 ok\r\n")
      session:sent(4) -- "BDAT"
      session:heard("421")
      session:sent(4)
      session:sent(100)
      local text = session:transcript()
      assert.is_nil(text:find("hidden"))
      assert.matches("C: BDAT 8 LAST\nS: 421\nC: %(8 bytes of the message%)\n", text)
   end)

   it("shows a line that is not whole yet", function()
      local session = begin()
      session:heard("220")
      session:heard("-m")
      assert.equal("S: 220-m\n", (session:transcript()))
      session:heard("x\r")
      assert.equal("S: 220-mx\n", (session:transcript()))
      session:heard("\n220 mx")
      assert.equal("S: 220-mx\nS: 220 mx\n", (session:transcript()))
   end)

   it("has no control characters and no broken UTF-8", function()
      local session = begin()
      session:heard("220 a\0b\27c\rd\127e\tf \195\188 \195\r\n")
      assert.equal("S: 220 a?b?c?d?e f \195\188 ?\n", (session:transcript():match("^[^\n]*\n")))
   end)

   it("gives programs the lines after a mark, by whole lines", function()
      local session = begin()
      session:heard("220")
      local news, mark = session:news(0)
      assert.is_nil(news)
      session:heard(" mx\r\n")
      news, mark = session:news(mark)
      assert.same({ "S", "220 mx", false }, news)
      session:sent(2)
      news, mark = session:news(mark)
      assert.same({ "C", "EHLO me", "ehlo" }, news)
      assert.is_nil((session:news(mark)))
      assert.is_nil((session:news(mark + 1000)))
   end)

   it("names the stage of each command, and counts the bytes of a message", function()
      local session = open()
      mail(session, "hidden\r\n")
      say(session)
      session:heard("250 ok\r\n250 ok\r\n")
      say(session)
      session:heard("250 ok\r\n")
      session:quit()
      say(session)
      local news, said = session:news(0), {}
      for i = 1, #news, 3 do
         if news[i] ~= "S" then said[#said + 1] = table.concat({ tostring(news[i + 1]),
            tostring(news[i + 2]) }, ": ") end
      end
      assert.same({ "EHLO me: ehlo", "MAIL FROM:<a@b>: mail", "RCPT TO:<c@d>: rcpt", "BDAT 8 LAST: data",
         "8: false", "QUIT: quit" }, said)
   end)

   it("keeps the newest lines, all of them whole", function()
      local session, said = begin(), {}
      session:heard("220 mx\r\n")
      say(session)
      for i = 1, 250 do said[i] = ("250-line %d %s\r\n"):format(i, ("x"):rep(i % 50)) end
      session:heard(table.concat(said))
      local all = "S: 220 mx\nC: EHLO me\nS: " .. table.concat(said, "S: "):gsub("\r", "")
      local kept = session:transcript()
      assert.equal(all:sub(-#kept), kept)
      assert.equal("S: 250-line ", kept:sub(1, 12))
      assert.is_true(#kept <= LINES_MAX and #kept > LINES_MAX - 400)
   end)

   it("keeps the beginning of an endless line", function()
      local session = begin()
      session:heard("220 " .. ("x"):rep(12000))
      assert.equal("S: 220 " .. ("x"):rep(LINE_MAX - 4) .. "\n", (session:transcript()))
   end)

   for _, step in ipairs { 1, 7, 1000 } do
      it("counts the octets of a chunk, in writes of " .. step, function()
         local session = open()
         mail(session, "Subject: BDAT 5\r\n\r\nBDAT 9 LAST\r\n")
         say(session, step)
         session:heard("250 ok\r\n250 ok\r\n")
         say(session, step)
         local said = opened .. "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nS: 250 ok\nS: 250 ok\n"
            .. "C: BDAT 32 LAST\nC: (32 bytes of the message)\n"
         assert.equal(said, (session:transcript()))
         session:heard("250 taken\r\n")
         session:quit()
         say(session, step)
         assert.equal(said .. "S: 250 taken\nC: QUIT\n", (session:transcript()))
      end)

      it("counts the octets of a text, in writes of " .. step, function()
         local session = open { extensions = { chunking = "skip" } }
         mail(session, "Subject: hidden\r\n\r\n.hidden\r\n")
         say(session, step)
         session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         say(session, step)
         session:heard("250 taken\r\n")
         assert.equal(opened .. "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n"
            .. "S: 250 ok\nS: 250 ok\nS: 354 go\nC: (29 bytes of the message)\nC: .\nS: 250 taken\n",
            (session:transcript()))
      end)

      it("hides secrets, in writes of " .. step, function()
         local session = begin { auth = "require", username = "ann", secret_in_clear = true,
            mechanisms = { { name = "PLAIN" }, { name = "LOGIN" } } }
         session:heard("220 mx\r\n")
         say(session)
         session:heard("250-mx\r\n250 AUTH PLAIN LOGIN\r\n")
         session:secret("sesame-42")
         say(session, step)
         session:heard("504 no\r\n")
         session:secret("sesame-42")
         say(session, step)
         session:heard("334 VXNlcm5hbWU6\r\n")
         say(session, step)
         session:heard("334 UGFzc3dvcmQ6\r\n")
         say(session, step)
         assert.equal("C: AUTH PLAIN [secret]\nS: 504 no\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n"
            .. "C: [secret]\nS: 334 UGFzc3dvcmQ6\nC: [secret]\n",
            (session:transcript():match("C: AUTH PLAIN.*$")))
         session:heard("235 ok\r\n")
         session:quit()
         say(session, step)
         assert.equal("235 ok\nC: QUIT\n", (session:transcript():match("235 ok.*$"))) -- of later commands nothing
      end)
   end

   it("shows the start of TLS", function()
      assert.equal("*: TLS\n", (begin { tls_on = true }:transcript()))
      local session = begin { tls = "prefer" }
      session:heard("220 mx\r\n")
      say(session)
      session:heard("250-mx\r\n250 STARTTLS\r\n")
      say(session)
      session:heard("220 go\r\n")
      session:tls_started(true)
      say(session)
      assert.equal("C: STARTTLS\nS: 220 go\n*: TLS\nC: EHLO me\n",
         (session:transcript():match("C: STARTTLS.*$")))
   end)
end)

describe("a mark that no transcript has given", function()
   it("shows nothing more", function()
      local one = begin()
      one:heard("220 hi\r\n")
      local news, mark = one:news(0)
      assert.same({ "S", "220 hi", false }, news)
      assert.is_nil((one:news(mark)))
      assert.is_nil((one:news(mark + 1000)))
      assert.is_nil((one:news(2 ^ 53)))
   end)
end)
