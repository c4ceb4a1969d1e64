-- A connection that the caller keeps: its methods, and what is left of it where a call did not return.
local core = require "smtp.core"
local peer_process = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"
local smtp = require "smtp"
local talk = require "spec.tools.talk"

local states = talk.states

local script = talk.snippets {
   envelope = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
   ]],
   data = [[
      C: DATA
      S: 354 go on
      MESSAGE
      S: 250 2.0.0 ok
   ]],
}

local message = { from = "ann@me.example", to = "bob@there.example", raw = "x" }

local function connect(transcript, more)
   local options = { from = false, to = false, raw = false }
   for name, value in pairs(more or {}) do options[name] = value end
   local peer = talk.peer(script([[
      <hello>
      <transcript>
   ]], { transcript = transcript }))
   return safe.connect(talk.options(options, peer)), peer
end

-- Every call says so, and never that the connection is busy.
local function is_broken(connection, kind, reason)
   for _, name in ipairs { "noop", "reset", "send", "capabilities" } do
      local result, err = connection[name](connection, message)
      assert.is_nil(result)
      assert.same({ kind, reason }, { err.kind, err.reason }, tostring(err))
      assert.is_nil(tostring(err):find("busy", 1, true))
   end
   assert.is_false(connection.alive)
   assert.is_true(connection:quit())
   assert.is_true(connection:close())
end

describe("a call that did not return", function()
   -- Calls connection:send, which a debug hook ends by an error.
   local function send_in_vain(connection)
      local jit = package.loaded.jit
      if jit then jit.off() end -- what is compiled calls no hooks
      debug.sethook(function()
         if not rawget(connection, "busy") then return end
         debug.sethook()
         error("too slow", 0)
      end, "", 10)
      local fine, cause = pcall(connection.send, connection, message)
      debug.sethook()
      if jit then jit.on() end
      assert.same({ false, "too slow" }, { fine, cause })
      error(cause, 0)
   end

   it("because a debug hook raised leaves a connection broken, and not busy", function()
      local connection, peer = connect(script [[
         <envelope>
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
      ]])
      assert.is_false((pcall(send_in_vain, connection)))
      is_broken(connection, "disconnected", "aborted")
      assert.is_true(peer.closed)
   end)

   -- A connection whose send waits in a coroutine.
   local function suspended()
      local connection, peer = connect("C: MAIL FROM:<ann@me.example>\n")
      peer.receiveany = function() return coroutine.yield("waits") end
      peer.duplex = nil
      local thread = coroutine.create(function() return connection:send(message) end)
      local _, said = coroutine.resume(thread)
      assert.equal("waits", said)
      return connection, thread
   end

   it("because the connection was closed meanwhile does not blame the server", function()
      local connection, thread = suspended()
      assert.same({ true, "waits" }, { coroutine.resume(thread, nil, "timeout") }) -- MAIL has left
      assert.is_true(connection:close())
      assert.is_true(connection:close())
      local _, receipt, err = coroutine.resume(thread, nil, "closed", "end")
      assert.same({ nil, "disconnected", "closed", "no", "now" },
         { receipt, err.kind, err.reason, err.sent, err.retry })
      local line = tostring(err)
      assert.truthy(line:find("this program closed the connection", 1, true), line)
      assert.truthy(err.hint:find("connection:close", 1, true), err.hint)
   end)

   it("because its coroutine is gone leaves a connection broken, and not busy", function()
      local connection, thread = suspended() -- luacheck: ignore
      local _, err = connection:noop()
      assert.equal("usage", err.kind) -- somebody may still resume it
      assert.truthy(tostring(err):find("busy", 1, true))
      assert.equal("suspended", coroutine.status(thread))
      connection, thread = suspended() -- luacheck: ignore
      thread = nil -- luacheck: ignore
      is_broken(connection, "disconnected", "aborted")
   end)

   it("of the main thread leaves a connection broken for a coroutine as well, long after its deadline", function()
      local connection = connect(script [[
         <envelope>
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
      ]])
      assert.is_false((pcall(send_in_vain, connection)))
      connection.conv.deadline = core.now() - 6
      coroutine.wrap(function() is_broken(connection, "disconnected", "aborted") end)()
   end)

   it("long after its deadline leaves a connection broken, and not busy", function()
      local connection, thread = suspended()
      connection.conv.deadline = core.now() - 6
      is_broken(connection, "disconnected", "aborted")
      assert.truthy(thread)
   end)

   it("though its coroutine is dead leaves a connection broken, and not busy", function()
      local connection = connect("C: MAIL FROM:<ann@me.example>\n")
      local thread = coroutine.create(function() send_in_vain(connection) end)
      assert.same({ false, "too slow" }, { coroutine.resume(thread) })
      is_broken(connection, "disconnected", "aborted")
   end)

   it("and goes on after all is not disturbed by the calls of others", function()
      local connection, thread = suspended()
      for _ = 1, 3 do
         local _, err = connection:noop()
         assert.equal("usage", err.kind)
      end
      local fine, receipt, err = coroutine.resume(thread, nil, "closed", "end")
      assert.is_true(fine)
      assert.same({ nil, "disconnected", "closed" }, { receipt, err.kind, err.reason })
   end)

   it("is retried on another connection: nothing of the new message was sent", function()
      local connection = connect([[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
      ]])
      pcall(send_in_vain, connection)
      local _, err = connection:send(message)
      assert.same({ "now", "no" }, { err.retry, err.sent })
   end)
end)

describe("a connection that is busy", function()
   it("says so to a function that gives the message, and goes on", function()
      local connection
      local inner = {}
      connection = connect(script [[
         <envelope>
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
      ]])
      local receipt = connection:send { from = "ann@me.example", to = "bob@there.example", raw = function()
         if inner.err then return nil end
         inner.result, inner.err = connection:noop()
         return "x\r\n"
      end }
      assert(receipt)
      assert.truthy(tostring(inner.err):find("busy", 1, true))
      assert.is_true(connection.alive)
   end)

   it("goes on wherever an error ends such a call", function()
      local connection
      local ended, returned = 0, false
      connection = connect(script [[
         <envelope>
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
      ]])
      -- The call ends by an error at its first call of a function, then at its second, and so on.
      local function try(count)
         local ok, err = pcall(function()
            debug.sethook(function()
               count = count - 1
               if count > 0 then return end
               debug.sethook()
               error("too slow", 0)
            end, "c")
            connection:noop()
            debug.sethook()
         end)
         returned = ok
         if ok then return end
         assert.equal("too slow", err)
         ended = ended + 1
      end
      local jit = package.loaded.jit
      if jit then jit.off() end -- what is compiled calls no hooks
      local receipt, err = connection:send { from = "ann@me.example", to = "bob@there.example", raw = function()
         if returned then return nil end
         for count = 1, 1000 do
            try(count)
            if returned then break end
         end
         return "x\r\n"
      end }
      if jit then jit.on() end
      assert(receipt, tostring(err))
      assert.is_true(returned and ended > 3)
      assert.is_true(connection.alive)
   end)
end)

describe("a connection", function()
   it("takes several messages, with one EHLO", function()
      local once = script [[
         <envelope>
         <data>
      ]]
      local connection, peer = connect(script([[
         <once>
         <once>
         <bye>
      ]], { once = once }))
      assert.is_table(connection:send(message))
      assert.is_true(connection.alive)
      assert.is_table(connection:send(message))
      assert.is_true(connection:quit())
      talk.finished(peer)
      assert.is_false(connection.alive)
   end)

   it("resets after a refused envelope, waits for it, and goes on", function()
      local connection, peer = connect(script [[
         C: MAIL FROM:<ann@me.example>
         S: 550 no
         C: RSET
         S: 250 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 550 no
         C: RSET
         S: 250 ok
         <envelope>
         <data>
         <bye>
      ]])
      local _, err = connection:send(message)
      assert.equal("sender_refused", err.kind)
      _, err = connection:send(message)
      assert.equal("recipients_refused", err.kind)
      assert.is_table(connection:send(message))
      connection:quit()
      talk.finished(peer)
   end)

   it("says why 8BITMIME is needed", function()
      local connection, peer = connect(script.bye)
      local _, err = connection:send { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n\r\n\195\164" }
      assert.truthy(tostring(err):find("does not offer 8BITMIME, and the message contains 8-bit bytes", 1, true))
      connection:quit()
      talk.finished(peer)
      peer = talk.peer(script [[
         <hello 8BITMIME>
         C: MAIL FROM:<ann@me.example> BODY=8BITMIME
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         <data>
         <bye>
      ]])
      connection = safe.connect(talk.options({ from = false, to = false, raw = false }, peer))
      local receipt = connection:send { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n\r\n\195\164" }
      assert.same({ ["8bitmime"] = "used" }, receipt.extensions)
      connection:quit()
   end)

   it("needs no reset after a refused message", function()
      local connection, peer = connect(script [[
         <envelope>
         C: DATA
         S: 354 go
         MESSAGE
         S: 554 spam
         <envelope>
         <data>
         <bye>
      ]])
      local _, err = connection:send(message)
      assert.equal("data_refused", err.kind)
      assert.is_table(connection:send(message))
      connection:quit()
      talk.finished(peer)
   end)

   it("reports the refusal, not what happens to the reset after it", function()
      for _, ending in ipairs { "CLOSE", "S: 500 what", [[
         S: 421 bye
         CLOSE
      ]] } do
         local connection = connect(script([[
            C: MAIL FROM:<ann@me.example>
            S: 550 no
            C: RSET
            <ending>
         ]], { ending = ending }))
         local _, err = connection:send(message)
         assert.equal("sender_refused", err.kind)
         assert.is_false(connection.alive)
         _, err = connection:send(message)
         assert.is_not.equal("sender_refused", err.kind)
      end
   end)

   it("is dead after a break, and says so in every call", function()
      local connection = connect([[
         C: MAIL FROM:<ann@me.example>
         CLOSE
      ]])
      for _ = 1, 2 do
         local _, err = connection:send(message)
         assert.equal("disconnected", err.kind)
      end
      for _, name in ipairs { "noop", "reset" } do
         local _, err = connection[name](connection)
         assert.equal("disconnected", err.kind)
      end
      assert.is_true(connection:quit())
      assert.is_true(connection:close())
      assert.is_true(connection:close())
   end)

   it("that was closed here says so in every call", function()
      for _, how in ipairs { "close", "quit" } do
         local connection = connect(how == "quit" and script.bye or "CLOSE")
         connection[how](connection)
         for _, name in ipairs { "send", "noop", "reset", "capabilities" } do
            local _, err = connection[name](connection, message)
            assert.equal("usage", err.kind)
            assert.truthy(err.hint:find("smtp.connect", 1, true))
         end
      end
   end)

   it("asks NOOP, RSET and VRFY", function()
      local connection, peer = connect(script [[
         C: NOOP
         S: 250 2.0.0 yes
         C: RSET
         S: 250 ok
         C: VRFY bob
         S: 252 2.0.0 perhaps
         C: VRFY eve
         S: 550 5.1.1 no
         <bye>
      ]])
      assert.same({ code = 250, enhanced = "2.0.0", text = "yes" }, connection:noop())
      assert.equal(250, connection:reset().code)
      assert.equal(252, connection:verify("bob").code)
      local _, err = connection:verify("eve")
      assert.equal("reply", err.kind)
      assert.equal(550, err.code)
      _, err = connection:verify("eve\r\nRSET")
      assert.equal("usage", err.kind)
      _, err = connection:verify("eve\226\128\139@x.example")
      assert.truthy(err.what:find("U+200B", 1, true), err.what)
      connection:quit()
      talk.finished(peer)
   end)

   it("that is busy with a message cannot be used by the message's own source", function()
      local connection, peer = connect(script [[
         <envelope>
         <data>
         <bye>
      ]])
      local inner
      local pieces = { "x\r\n" }
      local receipt = connection:send { from = message.from, to = message.to, raw = function()
         local _
         _, inner = connection:send(message)
         return table.remove(pieces)
      end }
      assert.is_table(receipt)
      assert.equal("usage", inner.kind)
      connection:quit()
      talk.finished(peer)
   end)

   it("reports a keyword in several lines as one, and names an IPv6 host in brackets", function()
      local peer = talk.peer(script [[
         <hello AUTH PLAIN, AUTH LOGIN>
         <bye>
      ]])
      local connection = safe.connect(talk.options({ from = false, to = false, raw = false, host = "2001:db8::1" },
         peer))
      assert.same({ AUTH = "PLAIN LOGIN" }, connection:capabilities())
      assert.truthy(tostring(connection):find("[2001:db8::1]:25", 1, true))
      connection:quit()
   end)

   it("reports what the server offers", function()
      local peer = talk.peer(script [[
         <hello SIZE 9>
         <bye>
      ]])
      local connection = safe.connect(talk.options({ from = false, to = false, raw = false }, peer))
      assert.same({ SIZE = "9" }, connection:capabilities())
      connection:quit()
   end)

   it("closes itself as a to-be-closed variable, where Lua has them", function()
      local chunk = (rawget(_G, "loadstring") or load)("local c <close> = ... ; return 1")
      local connection, peer = connect("CLOSE")
      if not chunk then
         connection:close()
      else
         assert.equal(1, chunk(connection))
      end
      assert.is_true(peer.closed)
      assert.is_false(connection.alive)
   end)

   it("closed by the server while at rest fails with that in the next call", function()
      local connection = connect("PAUSE\nS: 421 4.4.2 idle too long\nCLOSE")
      local _, err = connection:send(message)
      assert.equal("disconnected", err.kind)
      assert.equal("unsent", states(err))
   end)
end)

describe("a trace that raises", function()
   -- After so many lines.
   local function failing(count, cause)
      return function()
         count = count - 1
         if count == 0 then error(cause or "no more paper", 0) end
      end
   end

   it("ends the connection with an error of its own, wherever it does so", function()
      local dialogue = script([[
         <hello>
         <talk>
      ]], { talk = talk.accepted:gsub("MESSAGE", "C: x\nC: .") })
      for count = 1, 14 do
         for _, mode in ipairs { "whole", "bytes", "halves" } do
            local peer = talk.peer(dialogue, mode)
            local receipt, err = safe.send(talk.options({ raw = "x", trace = failing(count) }, peer))
            assert.is_true(peer.closed)
            if not receipt then
               assert.same({ "source", "trace", "no more paper", "no more paper" },
                  { err.kind, err.reason, err.cause, err.text })
               assert.truthy(err.recipients == nil or err.sent == "no" or err.retry == "doubt")
            else
               assert.truthy(count >= 12, count) -- only QUIT was left
            end
         end
      end
   end)

   it("leaves a connection broken, and not busy", function()
      local cause = { "mine" }
      local connection = connect([[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
      ]], { trace = failing(6, cause) })
      local receipt, err = connection:send(message)
      assert.is_nil(receipt)
      assert.equal(cause, err.cause)
      is_broken(connection, "source", "trace")
   end)

   it("raises an error object where errors are raised", function()
      local peer = talk.peer(script "<hello>")
      local fine, err = pcall(smtp.send, talk.options({ trace = failing(1) }, peer))
      assert.is_false(fine)
      assert.truthy(safe.is_error(err, safe.SourceError))
   end)

   it("is an error of smtp.connect, smtp.probe and of each message in send_many", function()
      local options = { from = false, to = false, raw = false }
      options.trace = failing(2)
      local connection, err = safe.connect(talk.options(options, talk.peer(script "<hello>")))
      assert.same({ nil, "trace" }, { connection, err.reason })
      for count = 1, 3 do
         options.trace = failing(count)
         local report
         report, err = safe.probe(talk.options(options, talk.peer(script [[
            <hello>
            <bye>
         ]])))
         assert.same({ nil, "trace" }, { report, err and err.reason })
      end
      options.trace = failing(4)
      local summary = safe.send_many(talk.options(options, talk.peer(script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
      ]])), { message })
      assert.same({ "source", "trace" }, { summary.results[1].kind, summary.results[1].reason })
   end)
end)

describe("a message that is sent in one call", function()
   if package.loaded.ngx then return end

   -- A server that says what `replies` has for each command, else "250 ok".
   local function start(replies)
      return peer_process.start(([[
         local replies, in_message, sock = %s, false, accept()
         sock:send("220 mx\r\n")
         for text in function() return line(sock) end do
            local verb = text == ".\r\n" and "DOT" or text:match("^%%u+")
            if text == "" then break end
            if not in_message or verb == "DOT" then
               local reply = replies[verb] or "250 ok"
               if reply == "CLOSE" then break end
               sock:send(reply .. "\r\n")
               in_message = reply == "354 go"
            end
         end
      ]]):format(replies))
   end

   local function connect_to(other, more)
      local options = { host = "127.0.0.1", port = other.port, tls = "skip", domain = "me.example" }
      for name, value in pairs(more or {}) do options[name] = value end
      return assert(safe.connect(options))
   end

   -- What is reported of three messages, but for times and numbers of ports.
   local function reported(replies, messages, more)
      local other, all = start(replies), {}
      local connection = connect_to(other, more)
      for i = 1, 3 do
         local receipt, err = connection:send(messages[i])
         local one = receipt or { text = tostring(err), retry = err.retry, sent = err.sent }
         for _, name in ipairs { "kind", "reason", "stage", "code", "idle", "recipients" } do
            one[name] = (receipt or err)[name]
         end
         if receipt then one.seconds, one.server.port = type(one.seconds), nil end
         one.text = one.text and one.text:gsub(tostring(other.port), "PORT"):gsub("[%d.]+ s", "SECONDS")
         all[i] = one
      end
      connection:close()
      other.finish()
      return all
   end

   -- The socket says that it waits, and the message goes on later.
   local function in_loop(fn, replies, messages)
      local loop, result = poll_loop.new(), nil
      loop.run { function() result = fn(replies, messages, { loop = loop }) end }
      return result
   end

   local plain = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nhi\r\n" }
   local two = { from = "ann@me.example", to = { "bob@there.example", "eve@there.example" }, raw = "hi\n" }
   local eightbit = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\n\200\r\n" }
   local wrong = { from = "ann@me.example", to = "bob@there.example", raw = 1 }
   local html = { from = "ann@me.example", to = "bob@there.example", message_id = "1@me.example",
      date = "Tue, 24 Nov 2026 12:00:00 +0000", html = "<p>hi</p>" }

   it("is reported as one that is sent in steps", function()
      local hello = 'EHLO = "250-mx\\r\\n250-8BITMIME\\r\\n250 ENHANCEDSTATUSCODES", DATA = "354 go", '
      for _, replies in ipairs { "", 'DOT = "250 2.0.0 taken"', 'RCPT = "550 5.1.1 who?"', 'DOT = "452 4.3.1 full"',
         'MAIL = "421 later"', 'RCPT = "CLOSE"', 'DOT = "CLOSE"', 'DOT = "what?"', 'DATA = "554 no"' } do
         replies = "{ " .. hello .. replies .. " }"
         for _, messages in ipairs { { plain, plain, plain }, { plain, wrong, plain }, { two, html, eightbit } } do
            local in_steps = reported(replies, messages, { trace = function() end })
            assert.same(in_steps, reported(replies, messages), replies)
            assert.same(in_steps, in_loop(reported, replies, messages), replies)
         end
      end
   end)

   it("is not sent where the server has said goodbye meanwhile, nor reported in another way", function()
      for _, goodbye in ipairs { 'sock:send "421 bye\\r\\n"', "" } do
         local errs = {}
         for _, more in ipairs { {}, { trace = function() end } } do
            local other = peer_process.start([[
               local sock = accept()
               sock:send "220 mx\r\n"
               for _, reply in ipairs { "250 mx", "250 ok", "250 ok", "354 go" } do
                  line(sock)
                  sock:send(reply .. "\r\n")
               end
               repeat until line(sock) == ".\r\n"
               sock:send "250 ok\r\n"
            ]] .. goodbye)
            local connection = connect_to(other, more)
            assert(connection:send(plain))
            other.finish()
            core.sleep(0.1)
            local _, err = connection:send(plain)
            errs[#errs + 1] = { err.kind, err.reason, err.stage, err.sent, err.retry,
               (tostring(err):gsub(tostring(other.port), "PORT")) }
            connection:close()
         end
         assert.same(errs[2], errs[1])
         assert.equal("no", errs[1][4])
      end
   end)

   it("leaves the connection broken where an error of others ends it", function()
      local other = start '{ DATA = "354 go" }'
      local connection = connect_to(other)
      assert.truthy(connection:send(plain))
      local jit = package.loaded.jit
      if jit then -- what is compiled calls no hooks
         jit.off()
         jit.flush()
      end
      debug.sethook(function()
         if not rawget(connection, "busy") then return end
         debug.sethook()
         error("too slow", 0)
      end, "", 1)
      local fine, cause = pcall(connection.send, connection, plain)
      debug.sethook()
      if jit then jit.on() end
      assert.same({ false, "too slow" }, { fine, cause })
      is_broken(connection, "disconnected", "aborted")
      other.finish()
   end)

   it("cannot be disturbed by a finalizer", function()
      if _VERSION == "Lua 5.1" then return end -- tables have none
      local short = { from = "ann@me.example", to = "bob@there.example" }
      local other = start '{ DATA = "354 go" }'
      local connection = connect_to(other)
      local errs = {}
      local function watch()
         setmetatable({}, { __gc = function()
            if rawget(connection, "busy") ~= "at once" then return end
            errs[#errs + 1] = select(2, connection:send(plain)) or "sent"
         end })
      end
      local known, pause = pcall(collectgarbage, "setpause", 10) -- Lua 5.5 does not know these
      local multiplier = known and collectgarbage("setstepmul", 1000)
      for i = 1, 3000 do
         watch()
         short.raw = "Subject: x\r\n\r\n" .. ("y"):rep(i % 97) .. "\r\n" -- so that collections begin anywhere
         assert(connection:send(short))
         if errs[3] then break end -- on a large heap it may be that no collection begins within a message
      end
      if known then collectgarbage("setpause", pause) end
      if known then collectgarbage("setstepmul", multiplier) end
      for i = 1, #errs do assert.truthy(tostring(errs[i]):find("busy with a message", 1, true), errs[i]) end
      connection:quit()
      other.finish()
   end)
end)
