-- A session led by hand, call by call: what no transcript can show.
local core = require "smtp.core"

-- What it says until it wants something else.
local function said(session)
   local parts = {}
   while session:wants() == "send" do
      local bytes = session:output()
      parts[#parts + 1] = bytes
      session:sent(#bytes)
   end
   return table.concat(parts)
end

-- One that is ready.
local function open(options, capabilities)
   local all = { domain = "me.example" }
   for name, value in pairs(options or {}) do all[name] = value end
   local session = core.session(all)
   session:heard("220 hi\r\n")
   said(session)
   session:heard("250-mx\r\n" .. (capabilities or "250-PIPELINING\r\n250-CHUNKING\r\n") .. "250 HELP\r\n")
   return session
end

local function of_unknown_size()
   return core.transaction { from = "a@x", to = { "b@x" } }
end

-- The envelope said and accepted.
local function begin(session, mail, text)
   session:add(mail, text)
   said(session)
   session:heard("250 ok\r\n250 ok\r\n")
   return mail
end

-- A chunk was accepted here.
local function show_bdat(session)
   begin(session, of_unknown_size())
   session:body("hi\r\n", 1)
   session:body_end()
   assert.equal("BDAT 4 LAST\r\nhi\r\n", said(session))
   session:heard("250 ok\r\n")
end

local lines = (("x"):rep(70) .. "\r\n"):rep(1000)

describe("A session", function()
   it("forgets a chunk that it was gathering when the one before it was refused", function()
      local session = open()
      show_bdat(session)
      local mail = begin(session, of_unknown_size())
      session:body(lines, 1)
      said(session)
      session:body("half a line", 1)
      session:heard("552 too much\r\n")
      assert.is_true(mail:over())
      assert.equal("RSET\r\n", said(session))
      session:heard("250 ok\r\n")
      assert.equal("ready", session:wants())
   end)

   it("gathers no chunk before the answer to the one before it", function()
      local session = open()
      show_bdat(session)
      begin(session, of_unknown_size())
      while session:wants() == "body" do session:body(lines, 1) end
      assert.truthy(said(session):find("^BDAT"))
      assert.equal("recv", session:wants())
      session:heard("250 ok\r\n")
      assert.equal("body", session:wants())
   end)

   it("has a line end for the last line where its buffer is all but full", function()
      for size = 65510, 65540 do
         local session = open({}, "250-CHUNKING\r\n")
         local text = (("x"):rep(900) .. "\r\n"):rep(80):sub(1, size)
         local mail = core.transaction({ from = "a@x", to = "b@x", raw = text }, {})
         session:add(mail, text)
         for _ = 1, 3 do
            said(session)
            session:heard("250 ok\r\n")
         end
         assert.is_nil(mail:trouble())
      end
   end)

   it("takes an empty message for empty behind one without a line end", function()
      local session = open({}, "250-PIPELINING\r\n")
      for _, message in ipairs { { "hello", "hello\r\n.\r\n" }, { "", ".\r\n" } } do
         session:add(of_unknown_size())
         said(session)
         session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         session:body(message[1], 1)
         session:body_end()
         assert.equal(message[2], said(session))
         session:heard("250 ok\r\n")
      end
   end)

   it("waits for no answer to the lone dot in LMTP, where nobody was accepted", function()
      local session = open({ lmtp = true }, "250-PIPELINING\r\n")
      local mail = of_unknown_size()
      session:add(mail)
      said(session)
      session:heard("250 ok\r\n550 who?\r\n354 go\r\n")
      assert.equal(".\r\nRSET\r\n", said(session))
      assert.is_true(mail:over())
      session:heard("250 ok\r\n")
      assert.equal("ready", session:wants())
   end)

   it("believes no answer to a RCPT that has not left yet", function()
      local session = open()
      local mail = core.transaction { from = "a@x", to = { "b@x", "c@x" }, size = 4, exact = true, source_len = 4 }
      session:add(mail, "hi\r\n")
      session:sent(#"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<")
      session:heard("250 ok\r\n250 ok\r\n")
      assert.is_nil(session:trouble())
      session:heard("250 ok\r\n")
      assert.equal("unasked", session:trouble().reason)
      assert.equal("unsent", mail:recipients()[1].state)
   end)

   -- Otherwise the server would take a message that turns out to be longer for whole.
   it("holds back the last octet of a chunk until the message has ended", function()
      for _, longer in ipairs { false, true } do
         local session = open()
         local mail = begin(session, core.transaction { from = "a@x", to = { "b@x" }, size = 8, exact = true })
         session:body("hello!\r\n", 1)
         assert.equal("BDAT 8 LAST\r\nhello!\r", session:output())
         session:sent(#session:output())
         if longer then
            session:body("x", 1)
            assert.equal("", session:output())
            assert.same({ "source", "size" }, { session:trouble().kind, session:trouble().reason })
            assert.equal("unsent", mail:recipients()[1].state)
         else
            session:body_end()
            assert.equal("\n", said(session))
            session:heard("250 ok\r\n")
            assert.equal("accepted", mail:recipients()[1].state)
         end
      end
   end)
end)
