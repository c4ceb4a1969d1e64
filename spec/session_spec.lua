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
   return core.mail { from = "a@x", to = { "b@x" } }
end

-- The envelope said and accepted.
local function begin(session, mail, text)
   session:mail(mail, text)
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

   it("gathers no more of a message that was refused, though answers are due", function()
      local session = open()
      show_bdat(session)
      begin(session, of_unknown_size())
      for _ = 1, 2 do
         session:body(lines, 1)
         said(session)
      end
      assert.equal("body", session:wants())
      session:heard("552 too much\r\n")
      assert.equal("recv", session:wants())
      session:heard("503 no\r\n")
      assert.equal("RSET\r\n", said(session))
   end)

   it("keeps chunks, too, within its window, and within what it can remember", function()
      for window, most in pairs { [3] = 3, [0] = 263 } do
         local session, chunks = open { window = window }, 0
         show_bdat(session)
         begin(session, of_unknown_size())
         while session:wants() == "body" do
            session:body(lines, 1)
            if said(session) ~= "" then chunks = chunks + 1 end
         end
         assert.equal("recv", session:wants())
         assert.equal(most, chunks)
         session:heard("250 ok\r\n")
         assert.equal("body", session:wants())
      end
   end)
end)
