local core = require "smtp.core"
local loop = require "smtp.client.loop"
local peer = require "spec.tools.peer"
local server = require "spec.tools.server"
local smtp = require "smtp.safe"
local sockets = require "spec.tools.sockets"
local talk = require "spec.tools.talk"

local greet_and, send = sockets.greet_and, sockets.send

describe("time", function()
   it("is not extended by a server that drips", function()
      for _, drip in ipairs { "2", "250-x\\r\\n" } do
         local other = peer.start(greet_and .. ([[
            for _ = 1, 200 do -- 20 s
               sock:send("%s")
               sock:settimeouts(1, 1, 100)
               local data, why = sock:receiveany(1)
               if not data and why == "closed" then break end
            end
         ]]):format(drip))
         local started = core.now()
         local _, err = send(other.port, { timeout = 0.7 })
         local took = core.now() - started
         other.finish()
         assert.equal("timeout", err.kind)
         assert.truthy(took > 0.6 and took < 10, took)
      end
   end)

   it("for QUIT is two seconds at most, and what was delivered stays delivered", function()
      local other = peer.start(greet_and .. [[
         sock:send("250 mx\r\n")
         for _, reply in ipairs { "250 ok", "250 ok", "354 go" } do line(sock) sock:send(reply .. "\r\n") end
         repeat until line(sock) == ".\r\n"
         sock:send("250 queued\r\n")
         line(sock)
         sock:receiveany(1)
      ]])
      local started = core.now()
      assert(send(other.port))
      assert.truthy(core.now() - started < 20) -- and not as long as reply_timeout
      other.finish()
   end)
end)

describe("a wait", function()
   it("shows other conversations first what the server fails at", function()
      local function yes() return true end
      local record, seen = { grade = "eager", conversations = {} }, nil
      loop.wait { record = record, session = { eager_failed = yes, chunk_failed = yes }, sock = { wait = function()
         seen = { record.grade, record.chunk_failed }
      end } }
      assert.same({ "safe", true }, seen)
   end)
end)

describe("a server that stops reading", function()
   if package.loaded.ngx then return end -- it has its own sockets

   local text = (("x"):rep(70) .. "\r\n"):rep(120000) -- more than the kernel keeps for both ends

   -- Takes the envelopes of some connections, and nothing more until one more connection comes.
   local function start(count)
      return peer.start(([[
         local open = {}
         for i = 1, %d do
            local sock = accept()
            open[i] = sock
            sock:send("220 hi\r\n")
            for _, reply in ipairs { "250 mx", "250 ok", "250 ok", "354 go" } do
               line(sock)
               sock:send(reply .. "\r\n")
            end
            heard = ""
         end
         accept()]]):format(count))
   end

   local function check(err, took)
      assert.same({ "timeout", "body", "no" }, { err.kind, err.stage, err.sent }, tostring(err))
      assert.is_true(took < 6, took)
   end

   local function stop(other)
      local sock = require("smtp.socket").new()
      assert(sock:connect("127.0.0.1", other.port))
      sock:close()
      other.finish()
   end

   for how, observe in pairs { ["in C"] = false, ["in Lua"] = function() end } do
      local options = { host = "127.0.0.1", tls = "skip", domain = "me.example", timeout = 8, reply_timeout = 0.3,
         observe = observe or nil }

      it("has reply_timeout, where this thread waits " .. how, function()
         local other, began = start(1), core.now()
         options.port = other.port
         local all = talk.message(options)
         all.raw = text
         local _, err = smtp.send(all)
         local took = core.now() - began
         stop(other)
         check(err, took)
      end)

      it("has reply_timeout, where others wait as well " .. how, function()
         local other, began = start(2), core.now()
         options.port = other.port
         local messages = {}
         for i = 1, 2 do messages[i] = { from = "a@b.example", to = "c@d.example", raw = text } end
         local summary = smtp.send_many(options, messages, { connections = 2 })
         local took = core.now() - began
         stop(other)
         for i = 1, 2 do check(summary.results[i], took) end
      end)
   end
end)

-- A message to a server, of whose writes each takes so many octets and no more in time.
local function send_slowly(portion)
   local slow = server.new {}
   local send_all = slow.send
   function slow:send(data)
      if #data <= portion then return send_all(self, data) end
      if portion > 0 then assert.equal(portion, send_all(self, data:sub(1, portion))) end
      return nil, "timeout", "", portion
   end
   local receipt, err = smtp.send(talk.message { transport = slow, domain = "me.example", tls = "skip",
      raw = ("x"):rep(70) .. "\r\n" })
   return receipt, err, slow
end

describe("a server that takes little at a time", function()
   it("is only slow", function()
      local receipt, err, slow = send_slowly(20)
      assert(receipt, tostring(err))
      assert.equal(1, #slow.taken)
   end)

   it("is not waited for where it takes nothing", function()
      local _, err = send_slowly(0)
      assert.same({ "timeout", "ehlo", "no" }, { err.kind, err.stage, err.sent })
   end)
end)

describe("a socket that stops to send because there is something to read", function()
   -- There is a record of TLS without data, so that nothing is received.
   -- -> the outcome, the server, and after each send of the message how long the receive might take
   local function send_in_parts(portions, options)
      local other = server.new { capabilities = {} }
      local send_all, receive, waits, at = other.send, other.receiveany, {}, 0
      local patience -- of the next receive
      function other.settimeouts(_, _, _, ms) patience = ms end
      function other:send(data)
         if not self.is_body then
            local count = send_all(self, data)
            self.is_body = data:find("^DATA") ~= nil
            return count
         end
         at = at + 1
         local count = math.min(portions[at] or portions.then_always or #data, #data)
         waits[at] = count < #data and "short" or "whole"
         if count > 0 then assert.equal(count, send_all(self, data:sub(1, count))) end
         return count
      end
      function other:receiveany(max)
         if waits[at] == "short" then
            waits[at] = patience
            return nil, "timeout", ""
         end
         return receive(self, max)
      end
      local all = talk.message { transport = other, domain = "me.example", tls = "skip", timeout = 5,
         raw = ("x"):rep(70) .. "\r\n" }
      for name, value in pairs(options or {}) do all[name] = value end
      local receipt, err = smtp.send(all)
      return receipt, err, other, waits
   end

   it("does not make the client wait for a reply", function()
      local receipt, err, other, waits = send_in_parts { 0, 20, 0, 0, 1 }
      assert(receipt, tostring(err))
      assert.equal(1, #other.taken)
      assert.same({ 0, 0, 0, 0, 0, "whole", "whole" }, waits) -- the last one is QUIT
   end)

   it("is not asked again once reply_timeout is over", function()
      local receipt, err = send_in_parts({ then_always = 0 }, { reply_timeout = 0.2 })
      assert.is_nil(receipt)
      assert.same({ "timeout", "no" }, { err.kind, err.sent }, tostring(err))
   end)
end)

describe("a connection that is reset", function()
   if package.loaded.ngx then return end -- it has its own words

   it("is not taken for one that the server has closed", function()
      for _, observe in ipairs { false, function() end } do
         local other = peer.start [[
            local sock = accept()
            sock:send("220 hi\r\n")
            sock:receiveany(1)
            sock:close() -- with unread bytes: that is a reset
         ]]
         local all = talk.message { host = "127.0.0.1", port = other.port, tls = "skip", domain = "me.example" }
         all.observe = observe or nil
         local _, err = smtp.send(all)
         other.finish()
         assert.same({ "disconnected", "closed", "ehlo" }, { err.kind, err.reason, err.stage })
         assert.truthy(err.text:find "reset by peer" or os.getenv "SMTP_LOCALE", err.text)
      end
   end)

   it("stays reset each time it is read", function()
      local other = peer.start [[
         local sock = accept()
         sock:receiveany(1)
         sock:close()
      ]]
      local sock = require("smtp.socket").new()
      assert(sock:connect("127.0.0.1", other.port))
      assert(sock:send("two"))
      other.finish()
      for _ = 1, 3 do assert.equal("reset", (select(2, sock:receiveany(10)))) end
      sock:close()
   end)
end)
