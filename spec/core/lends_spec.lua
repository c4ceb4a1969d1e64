local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

describe("A pipeline whose ends are held back", function()
   it("lets posted messages end that were allowed beforehand, for as long as that was said", function()
      local session = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager",
         flight_max = 64, hold_ends = true }
      local line, list = core.pipeline(session, {}, 10), {}
      for i = 1, 3 do list[i] = { from = "a@x", to = "b@x", raw = "message " .. i .. "\r\n" } end
      line:post(list, 1, 3, 5, 0)
      assert.is_false(line:is_allowed())
      line:allow(6, 6, os.time() + 1000)
      line:allow(7, 7, os.time() - 1)
      session:heard("220 hi\r\n")
      sessions.said(session)
      session:heard("250-mx\r\n250 PIPELINING\r\n")
      for i = 5, 7 do
         while session:wants() ~= "end" do
            sessions.said(session)
            session:heard("250 ok\r\n250 ok\r\n354 go\r\n")
         end
         assert.same({ i, i == 6 }, { line:ending(), line:is_allowed() })
         session:end_allowed()
         sessions.said(session)
         session:heard("250 ok\r\n" .. (i < 7 and "250 ok\r\n" or ""))
      end
   end)

   -- Three posted messages with the indices 5 to 7, on a session whose server consumes chunks.
   local function three(raw)
      local session = sessions.open({ grade = "eager", chunks_ahead = true, flight_max = 64, hold_ends = true })
      sessions.said(session)
      session:heard("503 5.5.1 need RCPT\r\n250 reset\r\n")
      local line, list = core.pipeline(session, {}, 10), {}
      for i = 1, 3 do list[i] = { from = "a@x", to = "b@x", raw = raw or ("m%d\r\n"):format(i + 4) } end
      line:post(list, 1, 3, 5, 0)
      return session, line
   end

   local ENVELOPE = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"

   it("lets their chunks go ahead, of each all but the last octet until it may end", function()
      local session, line = three()
      line:allow(5, 6, os.time() + 1000)
      assert.same({ "end", ENVELOPE .. "BDAT 4 LAST\r\nm5\r", 5 }, { session:wants(), session:output(), line:ending() })
      assert.same({ "b@x" }, session:ending()) -- not answered yet
      session:end_allowed()
      assert.same({ "end", 6 }, { session:wants(), line:ending() })
      assert.equal(ENVELOPE .. "BDAT 4 LAST\r\nm5\r\nRSET\r\n" .. ENVELOPE .. "BDAT 4 LAST\r\nm6\r", session:output())
      session:end_allowed()
      assert.same({ "send", nil }, { session:wants(), line:ending() })
      assert.equal("\nRSET\r\n" .. ENVELOPE, sessions.said(session):sub(-39)) -- the third one was not allowed
      session:heard("250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n550 who?\r\n503 none\r\n250 ok\r\n250 ok\r\n")
      assert.equal("recv", session:wants())
      session:heard("250 ok\r\n")
      assert.same({ "end", 7, "BDAT 4 LAST\r\nm7\r" }, { session:wants(), line:ending(), session:output() })
      assert.same({ "b@x" }, session:ending())
   end)

   it("holds them back in a long text as well, which is not copied", function()
      local session, line = three(("x"):rep(70) .. "\r\n" .. ("y"):rep(9000):gsub(("y"):rep(72), "%0\r\n"))
      line:allow(5, 7, os.time() + 1000)
      local ends, text = 0, ""
      while session:wants() ~= "recv" do
         if session:wants() == "end" then
            ends = ends + 1
            local _, count = (text .. session:output()):gsub("BDAT", "")
            assert.is_true(count <= ends)
            session:end_allowed()
         else
            local bytes = session:output()
            text = text .. bytes
            session:sent(#bytes)
         end
      end
      local _, count = text:gsub("BDAT", "")
      assert.same({ 3, 3 }, { ends, count })
   end)

   -- The refusal comes while there is no room yet for the end of the chunk.
   it("holds back the end of a long chunk whose envelope is refused meanwhile", function()
      local text = (("z"):rep(70) .. "\r\n"):rep(1000)
      local session, line = three(text)
      line:allow(5, 5, os.time() + 1000)
      session:sent(1000)
      session:heard("550 who?\r\n503 none\r\n")
      local said = ENVELOPE .. "BDAT 72000 LAST\r\n"
      local left_len = #said + #text - 1000 -- with the last octet
      while session:wants() == "send" do
         local sent_len = #session:output()
         left_len = left_len - sent_len
         session:sent(sent_len)
      end
      assert.same({ "end", 5 }, { session:wants(), line:ending() })
      assert.equal(left_len - 1, #session:output())
      session:end_allowed()
      assert.equal(text:sub(-left_len), sessions.said(session):sub(1, left_len))
   end)

   it("has sent nothing of what follows an end that is withheld", function()
      local session, line = three()
      line:allow(5, 7, os.time() + 1000)
      session:end_allowed()
      sessions.said(session)
      local sent = session:output()
      session:sent(#sent)
      session:broken("source", "withheld", "the claim is gone")
      assert.same({ "nothing", "" }, { session:wants(), session:output() })
      local out = {}
      local states = {}
      for i = 1, 3 do
         local _, _, _, _, _, transaction = line:take(out, 0)
         states[i] = transaction:recipients()[1].state .. (transaction:is_bystander() and " bystander" or "")
      end
      assert.same({ "unknown", "unsent bystander", "unsent bystander" }, states)
   end)

   it("forgets an end that is held back where the server says goodbye", function()
      local session, line = three()
      line:allow(5, 7, os.time() + 1000)
      session:end_allowed()
      session:sent(#session:output())
      session:heard("421 bye\r\n")
      assert.equal("", session:output())
      assert.is_nil(line:ending())
   end)
end)
