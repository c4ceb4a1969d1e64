-- Calls that wait in an event loop. What they send and report is compared by client/differential_spec.lua.
local core = require "smtp.core"
local event_loop = require "smtp.runtime.event_loop"
local outboxes = require "spec.tools.outboxes"
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"
local smtp_loop = require "smtp.loop"
local socket = require "smtp.socket"
local tls_server = require "spec.tools.tls_server"
local user_call = require "smtp.options.user_call"

local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }

local function options(port, loop, more)
   local t = { host = "127.0.0.1", port = port, tls = "skip", timeout = 20, loop = loop }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function send(port, loop, more)
   local t = options(port, loop, message)
   for name, value in pairs(more or {}) do t[name] = value end
   return safe.send(t)
end

-- A server for some connections at once, which takes so many milliseconds for each reply.
local slow = [[
   local core, count = require "smtp.core", %d
   local socks, says = {}, { "220 hi", "250 mx", "250 ok", "250 ok", "354 go", "250 queued", "221 bye" }
   for i = 1, count do socks[i] = accept() end
   for step = 1, #says do
      core.sleep(%d / 1000)
      for i = 1, count do
         if step > 1 then
            repeat local text = line(socks[i]) until step ~= 6 or text == ".\r\n" or text == ""
         end
         socks[i]:send(says[step] .. "\r\n")
      end
   end
   print "all"
]]

describe("a call in an event loop", function()
   it("lets other coroutines go on", function()
      local other = peer.start(slow:format(1, 30))
      local result, loop, turns = poll_loop.call(function(loop) return send(other.port, loop) end)
      assert.equal("all\n", other.finish())
      assert(result[1], tostring(result[2]))
      assert.truthy(turns > 20, turns)
      assert.truthy(loop.waits >= 6, loop.waits)
   end)

   it("does TLS and AUTH, and refuses a certificate for another name", function()
      local receipt, err, heard
      poll_loop.call(function(loop)
         receipt, err, heard = tls_server.send("good", { loop = loop })
      end)
      assert(receipt, tostring(err))
      assert.is_true(receipt.tls.verified)
      assert.equal("authenticated", receipt.auth.state)
      assert.truthy(heard:find("treasure", 1, true))
      poll_loop.call(function(loop)
         err, heard = select(2, tls_server.send("wrong_host", { loop = loop }))
      end)
      assert.equal("wrong_host", err.reason)
      tls_server.nothing_told(heard)
   end)

   it("keeps its deadline where the server drips, and where the loop is late", function()
      for _, delay in ipairs { 0, 0.15 } do
         local other = peer.start [[
            local core, sock = require "smtp.core", accept()
            repeat core.sleep(0.02) until not sock:send "2"
         ]]
         local began = core.now()
         local result = poll_loop.call(function(loop)
            return send(other.port, { sleep = loop.sleep, wait = function(...)
               local is_ready = loop.wait(...)
               if delay > 0 then loop.sleep(delay) end
               return is_ready
            end }, { timeout = 0.4, reply_timeout = 30 })
         end)
         other.finish()
         assert.equal("timeout", result[2].kind)
         local took = core.now() - began
         assert.truthy(took >= 0.4 and took < 15, took)
      end
   end)

   it("does what is right where wait returns too early, whatever it says", function()
      for _, said in ipairs { true, false } do
         local other = peer.start(slow:format(1, 5))
         local result = poll_loop.call(function(loop)
            return send(other.port, { sleep = loop.sleep, wait = function()
               loop.sleep(0.001)
               return said
            end })
         end)
         other.finish()
         assert(result[1], tostring(result[2]))
      end
   end)

   it("lets others have their turn while it sends a large message", function()
      local other = peer.start [[
         local sock = accept()
         sock:send "220 hi\r\n"
         for _, reply in ipairs { "250 mx", "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         local data, last = "", ""
         repeat
            data = sock:receiveany(65536) or ""
            last = (last .. data):sub(-5)
         until data == "" or last == "\r\n.\r\n"
         sock:send "250 queued\r\n"
         line(sock)
         sock:send "221 bye\r\n"
      ]]
      local piece, count, at_once, most, over = (("x"):rep(78) .. "\r\n"):rep(800), 0, 0, 0, false
      local own = poll_loop.new()
      own.run {
         function()
            assert(send(other.port, own, { raw = function()
               count, at_once = count + 1, at_once + #piece
               most = math.max(most, at_once)
               return count <= 200 and piece or nil
            end }))
            over = true
         end,
         function()
            while not over do
               own.sleep(0)
               at_once = 0
            end
         end,
      }
      other.finish()
      assert.truthy(most <= 262144 + 2 * #piece, most)
   end)

   it("is one of two hundred that a server serves step by step", function()
      local other, own, receipts, list = peer.start(slow:format(200, 0)), poll_loop.new(), 0, {}
      for i = 1, 200 do
         list[i] = function()
            local receipt, err = send(other.port, own)
            assert(receipt, tostring(err))
            receipts = receipts + 1
         end
      end
      local cpu = os.clock()
      own.run(list)
      cpu = os.clock() - cpu
      assert.equal("all\n", other.finish())
      assert.equal(200, receipts)
      assert.truthy(cpu < 4, cpu)
   end)

   it("races addresses: the one that answers wins", function()
      local other = peer.start(slow:format(1, 0))
      local result = poll_loop.call(function(loop) return send(other.port, loop, { host = "localhost" }) end)
      other.finish()
      assert(result[1], tostring(result[2]))
   end)

   it("probes, and keeps a connection that is used again", function()
      local other = peer.start [[
         for _ = 1, 2 do
            local sock = accept()
            sock:send "220 hi\r\n"
            repeat
               local verb = line(sock):sub(1, 4)
               if verb == "DATA" then
                  sock:send "354 go\r\n"
                  repeat until line(sock) == ".\r\n"
               end
               if verb ~= "" then sock:send(verb == "QUIT" and "221 bye\r\n" or "250 ok\r\n") end
            until verb == "" or verb == "QUIT"
            sock:close()
         end
      ]]
      poll_loop.call(function(loop)
         local report = assert(safe.probe(options(other.port, loop)))
         assert.is_true(report.esmtp)
         local connection = assert(safe.connect(options(other.port, loop)))
         assert(connection:send(message))
         assert(connection:send(message))
         assert(connection:quit())
      end)
      other.finish()
   end)
end)

describe("send_many in an event loop", function()
   local function send_many(port, loop, count, settings)
      local list = {}
      for i = 1, count do list[i] = message end
      settings = settings or {}
      settings.connections = settings.connections or count
      return safe.send_many(options(port, loop), list, settings)
   end

   it("has all its connections wait at once", function()
      local other = peer.start(slow:format(20, 10))
      local result, loop, turns = poll_loop.call(function(loop) return send_many(other.port, loop, 20) end)
      assert.equal("all\n", other.finish())
      assert.equal(20, result[1].sent)
      assert.truthy(turns > 3, turns)
      assert.truthy(loop.waits < 300, loop.waits)
   end)

   it("does so where the system has no poller", function()
      local poller, own = socket.poller, poll_loop.new()
      local other, summary = peer.start(slow:format(5, 10)), nil
      socket.poller = function() end -- luacheck: ignore
      own.run { function() summary = send_many(other.port, own, 5) end }
      socket.poller = poller -- luacheck: ignore
      assert.equal("all\n", other.finish())
      assert.equal(5, summary.sent)
   end)

   it("pauses in it", function()
      local other, slept = peer.start(slow:gsub("#says", "4"):format(0, 0) .. [[
         local sock = accept()
         sock:send "220 hi\r\n"
         repeat
            local verb = line(sock):sub(1, 4)
            if verb == "DATA" then
               sock:send "354 go\r\n"
               repeat until line(sock) == ".\r\n"
            end
            sock:send(verb == "QUIT" and "221 bye\r\n" or "250 ok\r\n")
         until verb == "QUIT" or verb == ""
      ]]), 0
      local result = poll_loop.call(function(loop)
         return send_many(other.port, { wait = loop.wait, sleep = function(seconds)
            slept = slept + seconds
            loop.sleep(seconds)
         end }, 3, { connections = 1, rate = 20 })
      end)
      other.finish()
      assert.equal(3, result[1].sent)
      assert.truthy(slept >= 0.05, slept)
   end)
end)

describe("outbox:run", function()
   after_each(function()
      smtp_loop.use(false)
      outboxes.clean()
   end)

   it("pauses in the event loop", function()
      local case = outboxes.new()
      case.box.sleep, case.box.now = nil, function() return core.now() end
      assert(case.box:put(message, { id = "later", at = math.ceil(core.now() + 0.1) }))
      local totals, err
      local _, _, turns = poll_loop.call(function(loop)
         smtp_loop.use(loop)
         totals, err = case.box:run { until_empty = true }
      end)
      assert(totals, tostring(err))
      assert.equal(1, totals.sent)
      assert.truthy(turns > 5, turns)
   end)
end)

-- In Lua 5.1 the error passes through: no function can catch it and yield.
local can_catch = user_call.yields_across_pcall

describe("an event loop that fails", function()
   -- A server that prints what it hears until the connection ends.
   local listening = [[
      local sock = accept()
      sock:send "220 hi\r\n"
      repeat
         local text = line(sock)
         io.write(text)
         if text ~= "" then sock:send(text:find "^DATA" and "354 go\r\n" or "250 ok\r\n") end
      until text == ""
   ]]

   -- In the wait of this number. -> receipt, err; what the server heard
   local function fail_in(number, failing)
      local other, count = peer.start(listening), 0
      local result = poll_loop.call(function(loop)
         return send(other.port, { sleep = loop.sleep, wait = function(...)
            count = count + 1
            if count == number then return failing() end
            return loop.wait(...)
         end })
      end)
      return result[1], result[2], other.finish()
   end

   it("ends the call with an error that has its cause, and sends nothing more", function()
      if not can_catch then return end
      local cause = {}
      for number, stage in pairs { "greeting", "ehlo" } do
         local receipt, err, heard = fail_in(number, function() error(cause, 0) end)
         assert.is_nil(receipt)
         assert.equal("source", err.kind)
         assert.equal("loop", err.reason)
         assert.equal(stage, err.stage)
         assert.equal(cause, err.cause)
         assert.equal("no", err.sent)
         assert.truthy(tostring(err):find("the event loop that the caller gave failed: wait raised an error", 1, true))
         assert.is_nil(heard:find("MAIL", 1, true))
      end
   end)

   it("reports what wait returned in place of true or false", function()
      for _, value in ipairs { 1, "ready" } do
         local _, err = fail_in(2, function() return value end)
         assert.equal("loop", err.reason)
         assert.truthy(tostring(err):find("wait returned", 1, true))
      end
      local _, err = fail_in(1, function() end)
      assert.truthy(tostring(err):find("wait returned nil, not true or false", 1, true), tostring(err))
   end)

   it("raises its error through the call in Lua 5.1", function()
      if can_catch then return end
      local ok, why = pcall(fail_in, 1, function() error("mine", 0) end)
      assert.is_false(ok)
      assert.truthy(tostring(why):find("mine", 1, true))
   end)

   it("fails each message of send_many, while its connections or pauses need it", function()
      if not can_catch then return end
      local other, waits = peer.start(slow:format(2, 0)), 0
      local result = poll_loop.call(function(loop)
         return safe.send_many(options(other.port, { sleep = loop.sleep, wait = function(...)
            waits = waits + 1
            if waits > 2 then error "no more" end
            return loop.wait(...)
         end }), { message, message, message }, { connections = 2 })
      end)
      other.finish()
      assert.equal(0, result[1].sent)
      for i = 1, 3 do assert.equal("loop", result[1].results[i].reason) end
      assert.truthy(waits < 10, waits)
   end)
end)

describe("a coroutine that is never resumed again", function()
   local function abandon(call)
      local other = peer.start [[
         local sock = accept()
         print(sock:receiveany(10))
      ]]
      local thread = coroutine.create(function()
         call(other.port, { wait = function() return coroutine.yield() end, sleep = coroutine.yield })
      end)
      for _ = 1, 4 do
         assert(coroutine.resume(thread, true))
         assert.equal("suspended", coroutine.status(thread))
         core.sleep(0.01)
      end
      thread = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.truthy(other.finish():find("closed", 1, true))
   end

   it("leaves no connection", function()
      abandon(send)
      abandon(function(port, loop)
         return safe.send_many(options(port, loop), { message, message }, { connections = 1 })
      end)
   end)
end)

describe("a method of a connection", function()
   it("outside of the loop says so, and the connection goes on in it", function()
      local other = peer.start(slow:format(1, 0))
      local own, connection = poll_loop.new(), nil
      own.run { function() connection = assert(safe.connect(options(other.port, own))) end }
      local thread, is_main = coroutine.running()
      if not thread or is_main then
         assert.equal("loop", select(2, connection:send(message)).option)
      end
      own.run { function()
         assert(connection:send(message))
         connection:quit()
      end }
      other.finish()
   end)
end)

describe("where this machine cannot wait for sockets", function()
   local wait = socket and socket.wait

   after_each(function() socket.wait = wait end)

   it("each finds out by itself whether it can go on, and is in time", function()
      socket.wait = function() return nil, "system", "cannot wait" end
      assert.same({ 1, 2 }, event_loop.poll({ socket.new(), socket.new() }, 60))
      socket.wait = function() return nil, "again", "cannot wait" end
      assert.same({}, event_loop.poll({ socket.new() }, 60))
   end)

   it("messages are sent, or fail when their time is over", function()
      local other = peer.start [[
         local sock = accept()
         sock:send("220 hi\r\n")
         repeat until line(sock) == ""
      ]]
      socket.wait = function() return nil, "system", "cannot wait" end
      local summary = assert(safe.send_many({ host = "127.0.0.1", port = other.port, tls = "skip", timeout = 1 },
         { message }))
      assert.equal("timeout", summary.results[1].kind)
      other.finish()
   end)
end)
