-- BDAT (RFC 3030).
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local said, open, of_unknown_size = sessions.said, sessions.open, sessions.of_unknown_size
local begin = sessions.begin

local script = talk.snippets {
   envelope = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
   ]],
   two = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
   ]],
   one = [[
      C: BDAT 21 LAST
      C: Subject: x
      C:
      C: hello
   ]],
}

local both = { "a@x.example", "b@x.example" }
-- Octets of a chunk that fills the session's buffer.
local FULL = 61406

local function chunk(len, last)
   return script([[
      C: BDAT $len$last
      OCTETS $len
   ]], { len = len, last = last or "" })
end

local states = talk.states

local pieces = talk.pieces

-- Whether a server knows BDAT is remembered by its port.
local function another_server(options)
   options.port = talk.new_port()
   return options
end

describe("CHUNKING", function()
   it("sends the message as one chunk once a recipient is accepted", function()
      local receipt, _, peer = talk.send({}, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <one>
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted", states(receipt))
      -- EHLO; the envelope; the chunk with its command; QUIT
      assert.equal(4, peer.sends)
   end)

   it("works without PIPELINING", function()
      talk.send({}, script [[
         <hello CHUNKING>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         <one>
         S: 250 ok
         <bye>
      ]])
   end)

   it("doubles no dots, and makes every line end CRLF", function()
      local _, _, peer = talk.send({ raw = ".\n..a\r.b" }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 12 LAST
         OCTETS 12
         S: 250 ok
         <bye>
      ]])
      assert.equal(".\r\n..a\r\n.b\r\n", peer.body)
   end)

   it("is not used where it is to be skipped", function()
      talk.send({ extensions = { chunking = "skip" } }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
   end)

   it("uses DATA for an empty message, as some servers take no empty chunk", function()
      local _, _, peer = talk.send({ raw = "" }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      assert.equal(".\r\n", peer.body)
   end)

   it("refuses a NUL all the same", function()
      local _, err = smtp.send(talk.options { raw = "a\0b" })
      assert.equal("usage", err.kind)
   end)

   it("gathers what a function gives, where its length is not known", function()
      local receipt, _, peer = talk.send({ raw = pieces { "Subject: x\n", "\n", "hel", "lo" } }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 21 LAST
         OCTETS 21
         S: 250 ok
         <bye>
      ]])
      assert.equal("accepted", states(receipt))
      assert.equal("Subject: x\r\n\r\nhello\r\n", peer.body)
   end)

   it("cuts a long message of unknown length into chunks, the last of which has octets", function()
      local line = ("x"):rep(70) .. "\r\n"
      local long = line:rep(1000) -- 72,000 octets
      local _, _, peer = talk.send({ raw = pieces { long } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 250 ok
         <last_chunk>
         S: 250 ok
         <bye>
      ]], { chunk = chunk(FULL), last_chunk = chunk(#long - FULL, " LAST") }))
      assert.equal(long, peer.body)
   end)

   it("ends a chunk that is all but full where more comes, or with the message", function()
      local line = ("x"):rep(98) .. "\r\n"
      talk.send({ raw = pieces { line:rep(610), line:rep(10) } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 250 ok
         <last_chunk>
         S: 250 ok
         <bye>
      ]], { chunk = chunk(FULL), last_chunk = chunk(62000 - FULL, " LAST") }))
      talk.send({ raw = pieces { line:rep(610) } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 250 ok
         <bye>
      ]], { chunk = chunk(61000, " LAST") }))
   end)

   it("sends no further chunk where one is refused", function()
      local line = ("x"):rep(70) .. "\r\n"
      local _, err = talk.send({ raw = pieces { line:rep(1000) } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 552 too much
         <bye>
      ]], { chunk = chunk(FULL) }))
      assert.equal("message_too_large", err.kind)
      assert.equal("body", err.stage)
      assert.equal("refused", states(err))
   end)

   -- go-smtp does not consume a chunk after one that it has refused, and runs it as commands.
   it("sends no chunk after one that is not answered", function()
      local line = ("x"):rep(70) .. "\r\n"
      talk.send({ raw = pieces { line:rep(3000) } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 250 ok
         <chunk>
         S: 250 ok
         <chunk>
         S: 250 ok
         <last_chunk>
         S: 250 ok
         <bye>
      ]], { chunk = chunk(FULL), last_chunk = chunk(216000 - 3 * FULL, " LAST") }))
      local _, err = talk.send({ raw = pieces { line:rep(3000) } }, script([[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <chunk>
         S: 250 ok
         <chunk>
         S: 552 5.3.4 too much
         <bye>
      ]], { chunk = chunk(FULL) }))
      assert.equal("refused", states(err))
   end)

   for _, code in ipairs { 451, 552, 554 } do
      it("is refused at its end with " .. code, function()
         local _, err = talk.send({}, script([[
            <hello PIPELINING, CHUNKING>
            <envelope>
            S: 250 ok
            S: 250 ok
            <one>
            S: $code no
            <bye>
         ]], { code = code }))
         assert.equal(code == 552 and "message_too_large" or "data_refused", err.kind)
         assert.equal("final", err.stage)
         assert.equal(code == 451 and "deferred" or "refused", states(err))
      end)
   end

   it("is asked for a reply to each recipient first, where all must be accepted", function()
      local _, err = talk.send({ to = both, recipients = "all" }, script [[
         <hello PIPELINING, CHUNKING>
         <two>
         S: 250 ok
         S: 250 ok
         S: 550 no
         <bye>
      ]])
      assert.equal("not_all", err.reason)
   end)

   it("sends no chunk after refused recipients", function()
      local _, err = talk.send({ to = both }, script [[
         <hello PIPELINING, CHUNKING>
         <two>
         S: 250 ok
         S: 550 no
         S: 550 no
         <bye>
      ]])
      assert.equal("recipients_refused", err.kind)
   end)

   it("is over where the server refuses the message before all of it was sent", function()
      local text = ("x"):rep(70) .. "\r\n"
      local _, err = talk.send({ raw = text:rep(2000) }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 144000 LAST
         OCTETS 100000
         S: 552 too much
      ]])
      assert.equal("message_too_large", err.kind)
      assert.equal("refused", states(err))
   end)

   it("that the server accepts before it was sent is not believed", function()
      local text = ("x"):rep(70) .. "\r\n"
      local _, err = talk.send({ raw = text:rep(2000) }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 144000 LAST
         OCTETS 100000
         S: 250 ok
      ]])
      assert.equal("protocol", err.kind)
      assert.equal("unsent", states(err))
      assert.equal("no", err.sent)
   end)

   it("cut off within a chunk is not delivered, and after it is in doubt", function()
      local text = ("x"):rep(70) .. "\r\n"
      local _, within = talk.send({ raw = text:rep(2000) }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 144000 LAST
         OCTETS 100000
         CLOSE
      ]])
      assert.equal("unsent", states(within))
      assert.equal("no", within.sent)
      local _, behind = talk.send({}, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         <one>
         CLOSE
      ]])
      assert.equal("unknown", states(behind))
      assert.equal("doubt", behind.retry)
   end)

   it("gives up where a source is shorter than it was", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "w+b"))
      file:write(("x"):rep(70), "\n", ("y"):rep(70), "\n")
      file:seek("set", 0)
      local function grow_less()
         -- looked through when the options were checked; cut when it is read for sending
         return talk.peer(script [[
            <hello PIPELINING, CHUNKING>
            <envelope>
            S: 250 ok
            S: 250 ok
            C: BDAT 144 LAST
            OCTETS 72
            CLOSE
         ]])
      end
      local peer = grow_less()
      local receive = peer.receiveany
      peer.receiveany = function(self, max)
         local shorter = assert(io.open(path, "wb"))
         shorter:write(("x"):rep(70), "\n")
         shorter:close()
         return receive(self, max)
      end
      local _, err = smtp.send(talk.options({ raw = file }, peer))
      file:close()
      os.remove(path)
      assert.equal("source", err.kind)
      assert.equal("unsent", states(err))
   end)
end)

describe("A server that offers CHUNKING and does not know BDAT", function()
   local function peers(...)
      local list, i = { ... }, 0
      return function()
         i = i + 1
         return talk.peer(list[i])
      end, function() return i end
   end
   local refused = script [[
      <hello PIPELINING, CHUNKING>
      <envelope>
      S: 250 ok
      S: 250 ok
      <one>
      S: 502 what
   ]]
   local by_data = script [[
      <hello PIPELINING, CHUNKING>
      <envelope>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 354 go
      MESSAGE
      S: 250 ok
      <bye>
   ]]

   it("is left without a word, and has the message by DATA", function()
      local transport, count = peers(refused, by_data)
      local receipt = assert(smtp.send(talk.options(another_server { transport = transport }, transport)))
      assert.equal("accepted", states(receipt))
      assert.equal(2, count())
   end)

   it("is remembered", function()
      local first, count = peers(refused, by_data, by_data)
      local options = another_server {}
      assert(smtp.send(talk.options(options, first)))
      assert(smtp.send(talk.options(options, first)))
      assert.equal(3, count())
   end)

   it("is an error where CHUNKING is required", function()
      local transport = peers(refused)
      local _, err = smtp.send(talk.options(another_server { extensions = { chunking = "require" } }, transport))
      assert.equal("data_refused", err.kind)
      assert.equal("bdat", err.reason)
      assert.matches("chunking", err.hint)
   end)

   it("is an error where the message can be read only once", function()
      local transport = peers(script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 7 LAST
         C: hello
         S: 500 what
      ]])
      local _, err = smtp.send(talk.options(another_server { raw = pieces({ "hello" }).new() }, transport))
      assert.equal("bdat", err.reason)
      assert.equal("unsent", states(err))
   end)

   it("is an error on a connection of the caller's, and the next one does without", function()
      local transport = peers(refused, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 250 ok
      ]])
      local where, what = {}, {}
      for name, value in pairs(talk.options(another_server {}, transport)) do
         local is_what = name == "from" or name == "to" or name == "raw"
         if is_what then what[name] = value else where[name] = value end
      end
      local connection = assert(smtp.connect(where))
      local _, err = connection:send(what)
      assert.equal("bdat", err.reason)
      assert.equal("now", err.retry)
      connection = assert(smtp.connect(where))
      assert(connection:send(what))
      connection:close()
   end)
end)

describe("A transcript", function()
   it("shows no octet of a chunk", function()
      local _, err = talk.send({ raw = "Subject: hidden\r\n\r\nhidden too\r\n" }, script [[
         <hello PIPELINING, CHUNKING>
         <envelope>
         S: 250 ok
         S: 250 ok
         C: BDAT 31 LAST
         OCTETS 31
         S: 554 no
         <bye>
      ]])
      local all = table.concat(err.transcript, "\n")
      assert.matches("C: BDAT 31 LAST\nC: %(31 bytes of the message%)\nS: 554 no", all)
      assert.is_nil(all:find("hidden"))
      assert.is_nil(err.command:find("hidden"))
   end)
end)

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

   it("knows that a server which took one chunk knows BDAT", function()
      local session = open()
      local mail = begin(session, of_unknown_size())
      while session:wants() == "body" do session:body(lines, 1) end
      assert.matches("^BDAT %d+\r\n", said(session))
      session:heard("250 ok\r\n")
      session:body_end()
      assert.matches("^BDAT %d+ LAST\r\n", said(session))
      session:heard("502 5.5.1 what?\r\n")
      local trouble = mail:trouble()
      assert.same({ "data_refused", 502, "refused" }, { trouble.kind, trouble.code, mail:recipients()[1].state })
      assert.equal("RSET\r\n", said(session))
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

   -- `more`: fields of the transaction that say how long the message is.
   local function send_wrong(capabilities, more, text)
      local session = sessions.open({}, "250-PIPELINING\r\n" .. capabilities)
      more.from, more.to = "a@x", { "b@x" }
      local mail = begin(session, core.transaction(more))
      if capabilities == "" then session:heard("354 go\r\n") end
      session:body(text, 1)
      session:body_end()
      assert.same({ "source", "size" }, { session:trouble().kind, session:trouble().reason })
      assert.equal("unsent", mail:recipients()[1].state)
      assert.equal("", session:output())
   end

   it("breaks off a message that is shorter or longer than was declared", function()
      for _, text in ipairs { "hi\r\n", "hello!!\r\n" } do
         send_wrong("250-CHUNKING\r\n", { size = 8, exact = true }, text)
         send_wrong("250-CHUNKING\r\n", { source_len = 8 }, text)
         send_wrong("", { source_len = 8 }, text)
      end
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
