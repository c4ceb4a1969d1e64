local core = require "smtp.core"
local keeper = require "spec.tools.keeper"
local outboxes = require "spec.tools.outboxes"
local peer = require "spec.tools.peer"
local sessions = require "spec.tools.sessions"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local odd = { -1, -2 ^ 63, 2 ^ 63, 2 ^ 64, 1e300, math.huge, -math.huge, 0 / 0, 0.5 }

local function session()
   return core.session { domain = "me.example", extensions = {} }
end

describe("session:flights", function()
   it("takes a number for a time that is none", function()
      if package.loaded.ngx then return end
      local socket = require "smtp.socket"
      local sock = socket.new()
      for i = 1, #odd do assert.equal("recv", (session():flights(sock:io(), odd[i], odd[i], odd[i]))) end
      sock:close() -- it has to outlive what io() gave
   end)

   -- What became of messages that a pipeline with a window of four was offered: how many it took at
   -- first, how many session:flights took, how many it took the next time, how many are on their way.
   local function offer(list, connected)
      local other, sock = connected and peer.start [[ local sock = accept() line(sock) ]], require("smtp.socket").new()
      if connected then assert(sock:connect("127.0.0.1", other.port)) end
      local eager = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager",
         flight_max = 64 }
      eager:heard("220 hi\r\n")
      eager:sent(#eager:output())
      eager:heard("250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
      local line, later = core.pipeline(eager, {}, 10, 0, 4), core.now() + 10
      local function fly() return (select(4, eager:flights(sock:io(), later, 10, core.now(), true, line))) end
      local first = line:post(list, 1, #list, 1, 0)
      local taken = { first, fly(), fly(), (select(2, line:take({}, 0, {}))) }
      sock:close()
      if connected then other.finish() end
      return taken
   end

   it("takes the other half of a window after it sent the first", function()
      if package.loaded.ngx then return end
      local list = {}
      for i = 1, 9 do list[i] = { from = "a@x", to = "b@x", raw = "hi\r\n" } end
      assert.same({ 2, 2, 0, 4 }, offer(list, true))
      assert.same({ 2, 0, 0, 2 }, offer(list, false))
      list[4] = { from = "a@x", to = "b@x", html = "hi" }
      assert.same({ 2, 1, 0, 3 }, offer(list, true))
      list[2] = false
      assert.same({ 1, 0, 0, 1 }, offer(list, true))
   end)
end)

local message = talk.message

describe("What is shown", function()
   it("is the same whether Lua or C sends and receives", function()
      local shown = {}
      for _, trace in ipairs { false, function() end } do
         local other = peer.start [[
            local sock = accept()
            local replies = { EHLO = "250 mx", MAIL = "250 ok", RCPT = "550 who?", QUIT = "221 bye" }
            sock:send("220 hi\r\n")
            for _ = 1, 4 do sock:send(replies[line(sock):match("^%u+")] .. "\r\n") end]]
         local all = message { host = "127.0.0.1", port = other.port, tls = "skip",
            domain = "me.example", trace = trace }
         local _, err = smtp.send(all)
         other.finish()
         shown[#shown + 1] = err.command .. "\n" .. table.concat(err.transcript, "\n")
      end
      assert.equal(shown[1], shown[2])
   end)
end)

describe("the part of the loop in C", function()
   if package.loaded.ngx then return end

   -- A session that has read this greeting, and a socket to a peer that does what `body` says.
   local function open(body)
      local other, sock = peer.start("local sock = accept() " .. body), require("smtp.socket").new()
      assert(sock:connect("127.0.0.1", other.port))
      return session(), sock, other
   end

   it("waits for what is slow by itself, and notes when something moved", function()
      local one, sock, other = open [[ socket.wait({}, 100) sock:send("220 hi\r\n") line(sock) ]]
      local before = core.now()
      local want, moved, is_ours = one:flights(sock:io(), before + 10, 10, before, true)
      assert.same({ "send", false }, { want, is_ours })
      assert.truthy(moved > before)
      before = core.now() - 1000
      want, moved, is_ours = one:flights(sock:io(), core.now() + 10, 10, before, true)
      assert.same({ "recv", false }, { want, is_ours })
      assert.truthy(moved > before + 990)
      sock:close()
      other.finish()
   end)

   it("lets messages end that an outbox has allowed beforehand", function()
      local sink = keeper.start()
      finally(function()
         sink.stop()
         outboxes.clean()
      end)
      local box = assert(smtp.outbox { store = outboxes.path(),
         server = { host = "127.0.0.1", port = sink.port, tls = "skip", domain = "me.example", pipelining = "eager" } })
      local expected = {}
      for i = 1, 30 do
         expected[i] = ("u%d@there.example"):format(i)
         assert(box:put { from = "ann@me.example", to = expected[i], raw = "Subject: x\r\n\r\nhi\r\n" })
      end
      assert.equal(30, assert(box:run { until_empty = true, connections = 1 }).sent)
      for i = 1, 30 do assert.equal(expected[i], sink.next().to) end
   end)

   it("leaves to Lua what is over, or too late", function()
      local one, sock, other = open [[ line(sock) ]]
      local before = core.now()
      for _, times in ipairs { { before - 1, 10 }, { before, 10 }, { before + 20, 0.01 } } do
         local want, _, is_ours = one:flights(sock:io(), times[1], times[2], before)
         assert.same({ "recv", true }, { want, is_ours })
      end
      assert.truthy(core.now() - before < 5)
      sock:close()
      other.finish()
   end)

   it("ends where the socket would wait, and goes on with the next call", function()
      local one, sock, other = open [[
         line(sock)
         sock:send("220 hi\r\n")
         line(sock)
         sock:send("250 mx\r\n")
         line(sock)
      ]]
      local later, socket = core.now() + 20, require "smtp.socket"
      local function fly() return one:flights(sock:io(), later, 20, core.now()) end
      sock:nonblocking(true)
      sock:send("go on\r\n")
      for i = 1, 2 do
         local want, _, is_ours = fly()
         assert.same({ "recv", "again" }, { want, is_ours }, i)
         assert.same({ 1 }, socket.wait({ sock }, 20000))
      end
      local want, _, is_ours = fly()
      assert.same({ "ready", true }, { want, is_ours })
      sock:close()
      other.finish()
   end)

   it("goes on while others wait, if these say so", function()
      local one, sock, other = open [[
         line(sock)
         sock:send("220 hi\r\n")
         line(sock)
         sock:send("250 mx\r\n")
         line(sock)
      ]]
      local later, socket, before = core.now() + 20, require "smtp.socket", core.now() - 1
      sock:nonblocking(true)
      sock:send("go on\r\n")
      assert.equal("again", (select(3, one:flights(sock:io(), later, 20, before))))
      assert.same({ 1 }, socket.wait({ sock }, 20000, true))
      assert.equal("ready", one:wants())
      local want, moved, is_ours = one:flights(sock:io(), later, 20, before)
      assert.same({ "ready", true }, { want, is_ours })
      assert.truthy(moved > before + 1)
      sock:close()
      other.finish()
   end)

   it("goes on until Lua has to give the next piece of a message", function()
      local _, sock, other = open [[
         line(accept())
         while sock:receiveany(65536) do end
      ]]
      local one, socket = sessions.open({}, "250-PIPELINING\r\n"), require "smtp.socket"
      sessions.begin(one, sessions.of_unknown_size())
      sessions.said(one)
      one:heard("354 go\r\n")
      sock:nonblocking(true)
      while sock:send(("x"):rep(65536)) do end -- until there is no more room
      while one:wants() == "body" do one:body(("x\r\n"):rep(20000), 1) end
      assert.equal("again", (select(3, one:flights(sock:io(), core.now() + 20, 20, core.now()))))
      local starter = socket.new()
      assert(starter:connect("127.0.0.1", other.port))
      starter:send("read\n")
      assert.same({ 1 }, socket.wait({ sock }, 20000, true))
      assert.equal("body", one:wants())
      starter:close()
      sock:close()
      other.finish()
   end)

   it("says so too where its time is over while the socket would wait", function()
      local one, sock, other = open [[ line(sock) ]]
      sock:nonblocking(true)
      local later = core.now() + 0.05
      local _, _, is_ours = one:flights(sock:io(), later, 20, core.now())
      while is_ours == "again" do
         assert.same({ 1 }, require("smtp.socket").wait({ sock }, 20000))
         _, _, is_ours = one:flights(sock:io(), later, 20, core.now())
      end
      assert.is_true(is_ours)
      assert.truthy(core.now() >= later)
      sock:close()
      other.finish()
   end)

   it("is given a socket", function()
      for _, name in ipairs { "flights", "look" } do
         for _, other in ipairs { false, "io", session(), io.stdout } do
            local one = session()
            local ok, why = pcall(one[name], one, other, 1, 1, 1)
            assert.is_false(ok)
            assert.truthy(why:find("bad argument #2", 1, true) and why:find("sock:io() is", 1, true), why)
         end
      end
   end)

   it("hears what an idle connection brought, and whether it can be used", function()
      for said, expected in pairs {
         [""] = "true ready", ["421 bye\r\n"] = "false nothing", ["250 late\r\n"] = "false nothing",
         ["CLOSE"] = "false ready",
      } do
         local one, sock, other = open(([[
            sock:send("220 hi\r\n")
            line(sock)
            sock:send("250 mx\r\n")
            sock:receiveany(1)
            if %q == "CLOSE" then sock:close() else sock:send(%q) line(sock) end
         ]]):format(said, said))
         assert.is_nil((one:look(sock:io())))
         assert.equal("ready", (one:flights(sock:io(), core.now() + 10, 10, core.now())))
         sock:send("x")
         if said ~= "" then core.sleep(0.2) end
         assert.equal(expected, tostring((one:look(sock:io()))) .. " " .. one:wants(), said)
         sock:close()
         other.finish()
      end
   end)

   it("does not wait for the next message once one is over", function()
      local list = {}
      local _, sock, other = open [[
         sock:send("220 hi\r\n")
         line(sock)
         sock:send("250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
         line(sock)
         sock:send("250 ok\r\n250 ok\r\n")
         repeat until line(sock):find "^BDAT"
         sock:send("250 taken\r\n")
         while line(sock) ~= "" do end
      ]]
      local one = core.session { domain = "me.example", tls = "skip", auth = "skip", grade = "eager", flight_max = 64 }
      for i = 1, 8 do list[i] = { from = "a@x", to = "b@x", raw = "hi\r\n" } end
      local later = core.now() + 20
      repeat local want = one:flights(sock:io(), later, 20, core.now(), true) until want == "ready"
      local line = core.pipeline(one, {}, 20, 0, 16)
      assert.truthy(line:post(list, 1, 8, 1, 0) > 2)
      local before = core.now()
      repeat
         local want, _, is_ours = one:flights(sock:io(), later, 20, core.now(), false, line)
         assert.same({ "recv", false }, { want, is_ours })
      until (line:take({}, 0, {})) > 0
      assert.truthy(core.now() - before < 8, core.now() - before)
      sock:close()
      other.finish()
   end)

   -- The flights of a session wait for a socket.
   local function wait_for(sock, one)
      sock:nonblocking(true)
      assert.equal("again", (select(3, one:flights(sock:io(), core.now() + 10, 5, core.now()))))
   end

   -- The sanitizers see what is written to memory that was freed.
   it("may wait for a socket that is collected", function()
      for case = 1, 3 do
         local one, two = session(), session()
         do
            local sock, far = require("spec.tools.sockets").pair()
            wait_for(sock, one)
            if case == 2 then wait_for(sock, two) end
            if case == 3 then sock:io() end
            sock:close()
            far:close()
         end
         for _ = 1, 4 do collectgarbage() end
         for _, old in ipairs { one, two } do
            assert.equal("recv", core.session({ domain = "me.example" }, nil, old):wants())
         end
      end
   end)

   it("does not go on with the next connection of a socket", function()
      local socket, one = require "smtp.socket", session()
      local listener, sock = assert(socket.listen("127.0.0.1", 0)), socket.new()
      local function connect()
         sock:nonblocking(false)
         assert(sock:connect("127.0.0.1", (select(2, listener:getsockname()))))
         return assert(listener:accept(2000))
      end
      local first = connect()
      wait_for(sock, one)
      sock:close()
      local second = connect()
      sock:nonblocking(true)
      assert.equal("again", (select(2, sock:receiveany(100))))
      second:send("220 two\r\n")
      assert.same({ 1 }, socket.wait({ sock }, 5000, true))
      assert.equal("220 two\r\n", sock:receiveany(100))
      assert.equal("", one:output())
      for _, each in ipairs { first, second, sock, listener } do each:close() end
   end)

   it("goes on for the session that waited last, though another one that waited has ended", function()
      local sock, far = require("spec.tools.sockets").pair()
      local one, two = session(), session()
      wait_for(sock, one)
      wait_for(sock, two)
      core.session({ domain = "me.example" }, nil, one)
      far:send("220 hi\r\n")
      assert.same({}, require("smtp.socket").wait({ sock }, 300, true))
      assert.equal("EHLO me.example\r\n", far:receiveany(100))
      sock:close()
      far:close()
   end)
end)
