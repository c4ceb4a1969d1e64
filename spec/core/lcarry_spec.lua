-- A caller's message from its table to its receipt in one call.
if package.loaded.ngx then return end

local core = require "smtp.core"
local peer = require "spec.tools.peer"
local socket = require "smtp.socket"

-- A server that says what `replies` has for each command; a list is said in turn, and what follows
-- "|" is said later.
local SERVER = [[
   local replies, sock = %s, accept()
   local turns = {}
   local function say(verb)
      local reply = replies[verb] or "250 ok"
      if type(reply) == "table" then
         local turn = (turns[verb] or 0) + 1
         turns[verb] = turn
         reply = reply[turn] or reply[#reply]
      end
      sock:send(reply:match("^[^|]+") .. "\r\n")
      if not reply:find("|", 1, true) then return reply end
      socket.wait({}, 10)
      sock:send(reply:match("|(.*)") .. "\r\n")
   end
   local in_message = false
   say "GREETING"
   for text in function() return line(sock) end do
      if text == "" then break end
      print((text:gsub("\r\n$", "")))
      io.stdout:flush()
      if not in_message then
         in_message = say(text:match("^%%u+")) == "354 go"
      elseif text == ".\r\n" then
         in_message = false
         say "DOT"
      end
   end
]]

local function quoted(replies)
   local all = { ('GREETING = "220 mx", EHLO = %q, DATA = "354 go"'):format(
      replies.EHLO or "250-mx\r\n250 PIPELINING") }
   for verb, reply in pairs(replies) do
      if type(reply) == "table" then
         local each = {}
         for i = 1, #reply do each[i] = ("%q"):format(reply[i]) end
         all[#all + 1] = ("%s = { %s }"):format(verb, table.concat(each, ", "))
      elseif verb ~= "EHLO" then
         all[#all + 1] = ("%s = %q"):format(verb, reply)
      end
   end
   return "{ " .. table.concat(all, ", ") .. " }"
end

-- A session that is READY, its socket, and its server.
local function open(replies)
   local other, sock = peer.start(SERVER:format(quoted(replies or {}))), socket.new()
   assert(sock:connect("127.0.0.1", other.port))
   local session = core.session { domain = "me.example", tls = "skip", auth = "skip" }
   repeat until session:flights(sock:io(), core.now() + 20, 20, core.now()) == "ready"
   return session, sock, other
end

local function message(more)
   local t = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nhi\r\n" }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function carry(session, sock, t)
   return session:carry(t, {}, sock:io(), 20, true, 20)
end

local function go_on(session, sock)
   local want
   repeat
      want = session:flights(sock:io(), core.now() + 20, 20, core.now())
      if want == "recv" then assert(socket.wait({ sock }, 20000)) end
   until want == "ready" or want == "nothing"
   return want
end

-- What the server heard after EHLO.
local function heard(sock, other)
   sock:close()
   return (other.finish():gsub("^EHLO [^\n]*\n", ""))
end

describe("session:carry", function()
   it("returns what the receipt of a message is made of", function()
      local session, sock, other = open { DOT = "250 2.0.0 taken" }
      local before = core.now()
      local recipients, accepted, refused, reply, seconds, size, eightbit, id =
         carry(session, sock, message())
      assert.same({ { address = "bob@there.example", state = "accepted", code = 250, text = "ok" } }, recipients)
      assert.same({ { "bob@there.example" }, {} }, { accepted, refused })
      assert.same({ code = 250, enhanced = "2.0.0", text = "taken" }, reply)
      assert.truthy(seconds >= 0 and seconds <= core.now() - before)
      assert.same({ 18, false, nil }, { size, eightbit, id })
      assert.equal("ready", session:wants())
      local lines = heard(sock, other)
      assert.equal("MAIL FROM:<ann@me.example>\nRCPT TO:<bob@there.example>\nDATA\nSubject: x\n\nhi\n.\n", lines)
   end)

   it("returns tables of their own for each message, and knows its recipients", function()
      local session, sock, other = open { EHLO = "250-mx\r\n250 8BITMIME",
         DOT = { "250 one", "250 two", "250 three" } }
      local first = { carry(session, sock, message { to = { "a@x.example", "b@x.example" } }) }
      local second = { carry(session, sock, message { to = "c@x.example", raw = "Subject: y\r\n\r\n\200\r\n" }) }
      local third = { carry(session, sock, { from = "d@x.example", to = "e@x.example", text = "hi" }) }
      assert.same({ { "a@x.example", "b@x.example" }, { "c@x.example" }, { "e@x.example" } },
         { first[2], second[2], third[2] })
      assert.same({ "one", "two", "three" }, { first[4].text, second[4].text, third[4].text })
      assert.same({ false, true, false }, { first[7], second[7], third[7] })
      assert.truthy(third[8]:find("@x.example", 1, true))
      for i = 1, 4 do
         assert.are_not.equal(first[i], second[i])
         assert.are_not.equal(second[i], third[i])
      end
      heard(sock, other)
   end)

   it("sends nothing where there is more to say of the table", function()
      local session, sock, other = open()
      for _, t in ipairs { message { html = "<p>" }, message { to = "nowhere" }, message { raw = 1 }, {}, false } do
         assert.equal(0, select("#", carry(session, sock, t)))
      end
      assert.equal("ready", session:wants())
      assert.equal("", heard(sock, other))
   end)

   it("sends nothing in a session that is not READY", function()
      local session, sock, other = open()
      session:ask("noop")
      assert.equal(0, select("#", carry(session, sock, message())))
      assert.equal("ready", go_on(session, sock))
      session:broken("disconnected", "aborted", "")
      assert.equal(0, select("#", carry(session, sock, message())))
      assert.equal("NOOP\n", heard(sock, other))
   end)

   it("sends nothing on a connection that brought something while it was idle", function()
      for _, said in ipairs { "421 bye", "250 more" } do
         local session, sock, other = open { DOT = "250 ok|" .. said }
         assert.truthy(carry(session, sock, message()))
         core.sleep(0.2)
         assert.same({ false }, { carry(session, sock, message()) })
         assert.equal("nothing", session:wants())
         assert.equal(1, select(2, heard(sock, other):gsub("MAIL", "")))
      end
   end)

   -- A socket that has received these bytes.
   local function brought(bytes)
      local other = peer.start(('local sock = accept() sock:send("x" .. %q) line(sock)'):format(bytes))
      local sock = socket.new()
      assert(sock:connect("127.0.0.1", other.port))
      assert.equal("x", sock:receiveany(1))
      return sock, other
   end

   it("looks directly after an answer as well, where another one has begun", function()
      local session, sock, other = open()
      local rest, another = brought "e\r\n"
      assert.truthy(carry(session, sock, message()))
      session:heard("421 by")
      assert.same({ false }, { carry(session, rest, message()) })
      assert.equal("bye", session:trouble().text)
      rest:close()
      another.finish()
      heard(sock, other)
   end)

   it("looks directly after an answer, also where nothing else has begun", function()
      local session, sock, other = open()
      local rest, another = brought "250 more\r\n"
      assert.truthy(carry(session, sock, message()))
      assert.same({ false }, { carry(session, rest, message()) })
      assert.equal("unasked", session:trouble().reason)
      rest:close()
      another.finish()
      heard(sock, other)
   end)

   it("looks before the first message of a session that has the memory of another", function()
      local session, sock, other = open()
      local rest, another = brought "421 bye\r\n"
      assert.truthy(carry(session, sock, message()))
      local newer = core.session({ domain = "me.example", tls = "skip", auth = "skip" }, nil, session)
      newer:heard("220 mx\r\n")
      newer:sent(#newer:output())
      newer:heard("250 mx\r\n")
      assert.equal("ready", newer:wants())
      assert.same({ false }, { carry(newer, rest, message()) })
      rest:close()
      another.finish()
      heard(sock, other)
   end)

   it("leaves to Lua what has more to report, which its memory outlives", function()
      local session, sock, other = open { RCPT = { "550 5.1.1 who?", "250 ok" },
         DOT = { "554 none", "452 full", "250 ok" } }
      local refused = { select(2, carry(session, sock, message())) }
      assert.equal("ready", go_on(session, sock))
      local deferred = { select(2, carry(session, sock, message { from = "eve@me.example" })) }
      assert.equal("ready", go_on(session, sock))
      assert.truthy(carry(session, sock, message()))
      assert.truthy(carry(session, sock, message()))
      collectgarbage()
      assert.same({ "refused", "who?" }, { refused[1].transaction:recipients()[1].state,
         refused[1].transaction:trouble().text })
      assert.same({ "full", "eve@me.example" }, { deferred[1].transaction:trouble().text,
         (deferred[1].transaction:envelope()) })
      heard(sock, other)
   end)

   it("that raised an error before its message began says so, whatever became of the one before", function()
      local session, sock, other = open()
      local function is_not_sent()
         assert.is_false((pcall(session.carry, session, message(), false, sock:io(), 20, true, 20)))
         assert.is_false(session:may_be_sent())
      end
      is_not_sent()
      assert.truthy(carry(session, sock, message()))
      is_not_sent()
      sock:nonblocking(true)
      local _, begun = carry(session, sock, message())
      assert.equal("ready", go_on(session, sock))
      assert.is_true(begun.transaction:may_be_sent())
      is_not_sent()
      heard(sock, other)
   end)

   it("says that the socket waits, and the message goes on", function()
      local session, sock, other = open { DOT = "250 taken" }
      sock:nonblocking(true)
      local before = core.now()
      local line = ("y"):rep(70)
      local none, begun = carry(session, sock, message { raw = (line .. "\r\n"):rep(300) })
      assert.is_nil(none)
      assert.same({ true, 21600, 21600, false }, { begun.waits, #begun.text, begun.size, begun.eightbit })
      assert.truthy(before <= begun.started and begun.started <= begun.moved and begun.moved <= core.now())
      assert.truthy(math.abs(begun.deadline - begun.started - 20) < 1e-3)
      local transaction = begun.transaction
      begun = nil -- luacheck: ignore
      collectgarbage()
      local others = {} -- which take the place of what was collected
      for i = 1, 20 do others[i] = ("z"):rep(21600 - i) end
      assert.equal("ready", go_on(session, sock))
      assert.equal("taken", select(4, transaction:receipt()).text)
      assert.equal(20, #others)
      assert.equal(300, select(2, heard(sock, other):gsub(line .. "\n", "")))
   end)

   it("gives a message the time that its size needs", function()
      local session, sock, other = open()
      sock:nonblocking(true)
      local _, begun = session:carry(message { raw = ("x"):rep(990) .. "\r\n" }, {}, sock:io(), 5, false, 20)
      assert.truthy(math.abs(begun.deadline - begun.started - 5 - 992 / 131072) < 1e-3)
      assert.equal("ready", go_on(session, sock))
      heard(sock, other)
   end)

   it("is given a socket", function()
      local session, sock, other = open()
      for _, io in ipairs { false, "io", session } do
         assert.is_false((pcall(session.carry, session, message(), {}, io, 20, true, 20)))
      end
      heard(sock, other)
   end)
end)
