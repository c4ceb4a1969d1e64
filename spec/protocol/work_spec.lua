-- Working memory is taken from a session that rests, and other sessions use it meanwhile: csrc/engine/work.c. What a
-- fuzzer does with it is in spec/fuzz/dialogue.c; what is wiped, in spec/exhaust/secrets.c.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

local EVERY = "250-SIZE 5000\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250-LIMITS RCPTMAX=7\r\n"

local function started(options)
   local all = { domain = "me.example", tls = "skip", auth = "skip", host = "mx.example", port = 25 }
   for name, value in pairs(options or {}) do all[name] = value end
   local session = core.session(all)
   session:heard("220 hi\r\n")
   sessions.said(session)
   return session
end

-- Other sessions write over all memory that is not in use: replies as long as may be, lines in parts, and logins.
local function use_memory()
   local busy = {}
   for i = 1, 10 do
      busy[i] = started { auth = "require", username = "ann", secret_in_clear = true,
         mechanisms = { { name = "PLAIN" } } }
      busy[i]:heard("250-" .. ("z"):rep(2000) .. "\r\n" .. ("250-AUTH " .. ("Z"):rep(500) .. "\r\n"):rep(4))
      busy[i]:heard("250 AUTH PLAIN\r\n")
      busy[i]:secret(("secret"):rep(10))
      sessions.said(busy[i])
      busy[i]:heard("235-" .. ("z"):rep(11000))
   end
   return busy
end

describe("a session that rests", function()
   it("still knows its server", function()
      local session = started { tls = "prefer", auth = "prefer", username = "ann", secret_in_clear = true,
         mechanisms = { { name = "PLAIN" } } }
      session:heard("250-mx.example hello\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n")
      sessions.said(session)
      session:heard("220 go\r\n")
      session:tls_started(true)
      sessions.said(session)
      session:heard("250-mx.example again\r\n" .. EVERY .. "250 AUTH=LOGIN\r\n")
      session:secret("sesame-work")
      sessions.said(session)
      session:heard("235 ok\r\n")
      assert.is_true(session:rests())
      use_memory()
      local facts = session:facts()
      assert.equal("mx.example again", facts.server)
      assert.equal("SIZE 5000\nPIPELINING\nAUTH PLAIN\nLIMITS RCPTMAX=7\nAUTH=LOGIN", facts.capabilities)
      assert.equal("LOGIN", facts.mechanisms_before_tls)
      local names = {}
      for i, offer in ipairs(session:mechanisms()) do names[i] = offer.name end
      assert.same({ "PLAIN", "LOGIN" }, names)
      assert.equal("authenticated", facts.auth)
   end)

   it("still knows it where its reply is too long to be moved", function()
      local session = started()
      session:heard("250-mx\r\n" .. ("250-X" .. ("y"):rep(100) .. "\r\n"):rep(60) .. "250 SIZE 5000\r\n")
      local capabilities = session:facts().capabilities
      assert.equal(60 * 102 + #"SIZE 5000", #capabilities)
      use_memory()
      assert.equal(capabilities, session:facts().capabilities)
      assert.equal("mx", session:facts().server)
   end)

   it("still knows why EHLO was refused", function()
      local session = started()
      session:heard("502 no EHLO here\r\n")
      sessions.said(session)
      session:heard("250 mx.example\r\n")
      use_memory()
      local facts = session:facts()
      assert.same({ "mx.example", 502, "no EHLO here" }, { facts.server, facts.ehlo_reply.code, facts.ehlo_reply.text })
   end)

   it("goes on as if nothing had been", function()
      local session = sessions.open()
      for _ = 1, 3 do
         use_memory()
         local transaction = core.transaction { from = "a@x", to = { "b@x" }, size = 8, source_len = 8 }
         session:add(transaction, "A: b\r\n\r\n")
         local said = sessions.said(session)
         use_memory()
         session:heard("250 ok\r\n250 ok\r\n")
         said = said .. sessions.said(session)
         use_memory()
         session:heard("250 queued\r\n")
         assert.equal("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 8 LAST\r\nA: b\r\n\r\n", said)
         assert.equal("accepted", transaction:recipients()[1].state)
      end
   end)

   it("hears a goodbye, or that the connection has ended", function()
      for said, kind in pairs { ["421 idle\r\n"] = 421, [""] = false, ["250 what\r\n"] = 250 } do
         local session = sessions.open()
         use_memory()
         session:heard(said)
         assert.equal("nothing", session:wants())
         assert.equal(kind, session:trouble().code or false)
      end
   end)

   it("is broken, asked and ended like any other", function()
      local session = sessions.open()
      use_memory()
      session:broken("disconnected", "aborted", "")
      assert.equal("aborted", session:trouble().reason)
      session = sessions.open()
      use_memory()
      session:ask("noop")
      assert.equal("NOOP\r\n", sessions.said(session))
      session:heard("250 here\r\n")
      assert.equal("here", session:asked().text)
      session:quit()
      assert.equal("QUIT\r\n", sessions.said(session))
      session:heard("221 bye\r\n")
      assert.equal("nothing", session:wants())
   end)

   it("shows what was said before, and says nothing by itself", function()
      local session = sessions.open()
      local lines = session:transcript()
      use_memory()
      assert.same({ "ready", "" }, { session:wants(), session:output() })
      assert.equal(lines, session:transcript())
   end)
end)

describe("a session in the middle of something", function()
   it("keeps its own memory while others begin and rest", function()
      local half = sessions.open()
      half:heard("421 not the wh")
      local line = started()
      line:heard("250-mx\r\n250-SIZE 5000\r\n250 PIPEL")
      local busy = use_memory()
      for _ = 1, 20 do sessions.open() end
      line:heard("INING\r\n")
      assert.equal("SIZE 5000\nPIPELINING", line:facts().capabilities)
      half:heard("ole\r\n")
      assert.equal("not the whole", half:trouble().text)
      for _, session in ipairs(busy) do
         session:heard("\r\n235 ok\r\n")
         assert.equal("ready", session:wants())
      end
   end)
end)
