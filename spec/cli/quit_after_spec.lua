local errors = require "smtp.errors"
local printed = require "spec.tools.printed"
local quit_after = require "smtp.cli.quit_after"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   rcpt = [[
      <hello PIPELINING, CHUNKING>
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
      C: RCPT TO:<eve@there.example>
      S: 250 ok
      S: 250 2.1.5 yours
      S: 550 5.1.1 no such user
      C: RSET
      S: 250 ok
      <bye>
   ]],
}

-- Runs it against a transcript. -> what was printed, the status, the error
local function run(word, given, transcript, json)
   local peer = talk.peer(transcript)
   local t = talk.options(given, peer)
   t.port = talk.new_port()
   local text, status, err = printed(quit_after.run, quit_after.word(word), t, json)
   talk.finished(peer)
   return text:gsub(":" .. t.port, ":PORT"), status, err
end

local both = { "bob@there.example", "eve@there.example" }

describe("--quit-after", function()
   it("shows the verdict of each recipient", function()
      local text, status = run("rcpt", { to = both }, script.rcpt)
      assert.equal(0, status)
      assert.equal([[
connected to mx.example:PORT
EHLO: CHUNKING, PIPELINING
bob@there.example: accepted (250 2.1.5 yours)
eve@there.example: refused (550 5.1.1 no such user)
quit after RCPT: no message was sent
]], text)
   end)

   it("prints the same as JSON", function()
      local text, status = run("RCPT", { to = both }, script.rcpt, true)
      assert.equal(0, status)
      assert.matches('"quit_after":"RCPT"', text, 1, true)
      assert.matches('"accepted":["bob@there.example"]', text, 1, true)
      assert.matches('"address":"eve@there.example","code":550,', text, 1, true)
      assert.is_nil(text:find("message_id", 1, true))
   end)

   it("shows TLS and the login", function()
      local text = run("AUTH", { tls = "require", username = "ann", password = "sesame" }, script [[
         S: 220 hi
         C: EHLO me.example
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         <ehlo AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWU=
         S: 235 ok
         <bye>
      ]])
      assert.equal([[
connected to mx.example:PORT
TLSv1.3, X, certificate verified
EHLO: AUTH PLAIN
authenticated by PLAIN
quit after AUTH: no message was sent
]], text)
   end)

   it("shows the sender's verdict", function()
      local text = run("mail", {}, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RSET
         S: 250 ok
         <bye>
      ]])
      assert.equal("connected to mx.example:PORT\nsender: accepted\nquit after MAIL: no message was sent\n", text)
   end)

   it("prints nothing where the point is not reached", function()
      local text, status, err = run("EHLO", {}, "S: 554 no service\nC: QUIT\nS: 221 bye")
      assert.equal("", text)
      assert.is_nil(status)
      assert.equal("greeting_refused", err.kind)
   end)

   for text, word in pairs { EHLO = "EHLO", ehlo = "EHLO", helo = "EHLO", banner = "BANNER", Connect = "BANNER",
      tls = "STARTTLS", starttls = "STARTTLS", auth = "AUTH", from = "MAIL", to = "RCPT", rcpt = "RCPT",
      ["first-helo"] = "FIRST-EHLO" } do
      it(("takes %s as %s"):format(text, word), function()
         assert.equal(word, quit_after.word(text))
      end)
   end

   for text, hint in pairs { AUHT = "Did you mean AUTH?", RCTP = "Did you mean RCPT?",
      startls = "Did you mean STARTTLS?",
      DATA = "It is one of BANNER, FIRST-EHLO, STARTTLS, EHLO, AUTH, MAIL, RCPT" } do
      it("refuses another word: " .. text, function()
         local word, err = errors.returning(quit_after.word)(text)
         assert.is_nil(word)
         assert.equal("usage", err.kind)
         assert.equal(hint, err.hint)
      end)
   end

   it("needs the flags of the message for MAIL and RCPT alone", function()
      local options = { from = "a@b.example", attach = { "x" }, host = "mx.example", extension = { "chunking=skip" },
         password = "x", trace = true }
      for _, word in ipairs(quit_after.words) do
         local kept, is_late = quit_after.flags(word, options), word == "MAIL" or word == "RCPT"
         assert.equal(is_late and "a@b.example" or nil, kept.from)
         assert.same({ "mx.example", "x", true }, { kept.host, kept.password, kept.trace })
         assert.same({ "chunking=skip" }, kept.extension)
         assert.equal(is_late and "" or nil, kept.text)
      end
   end)

   it("keeps the body that is given", function()
      for _, name in ipairs { "text", "html_file", "raw", "calendar" } do
         assert.same({ [name] = "x" }, quit_after.flags("RCPT", { [name] = "x" }))
      end
   end)

   it("has the words that the table of flags has", function()
      for _, flag in ipairs(require("smtp.cli.flag_table").flags "send") do
         if flag.name == "quit-after" then return assert.same(quit_after.words, flag.words) end
      end
      error("no flag")
   end)
end)
