local connection = require "smtp.client.connection"
local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local ends = require "spec.tools.ends"
local many = require "smtp.client.many"
local peer = require "spec.tools.peer"
local request = require "smtp.client.request"
local scheduler = require "smtp.runtime.scheduler"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local both = { "PIPELINING", "CHUNKING", "8BITMIME" }

-- Refuses the recipient eve, the sender of message 4, and message 5 at its end.
local function judge(self, what)
   local line = self.lines[#self.lines]
   if what == "rcpt" and line:find("eve@", 1, true) then return "550 5.1.1 who?" end
   if what == "mail" and line:find("bad@", 1, true) then return "550 5.1.8 no" end
   if what == "final" and self.body:find("message 5", 1, true) then return "554 5.6.0 no" end
end

local function states_of(run)
   local list = {}
   for i, result in ipairs(run.results) do
      list[i] = ("%d %s %s"):format(i, result.kind or "sent", talk.states(result))
   end
   return table.concat(list, "\n")
end

local ways = {}
for _, pipelining in ipairs { "safe", "eager", "off" } do
   for _, capabilities in ipairs { both, { "PIPELINING" }, { "CHUNKING" }, {} } do
      for _, protocol in ipairs { "smtp", "lmtp" } do
         ways[#ways + 1] = { pipelining = pipelining, protocol = protocol, capabilities = capabilities }
      end
   end
end

local function each_way(play)
   for _, way in ipairs(ways) do
      local name = ("%s, %s, %s"):format(way.protocol, way.pipelining, table.concat(way.capabilities, " "))
      local ok, why = pcall(play, { pipelining = way.pipelining, protocol = way.protocol }, way.capabilities)
      if not ok then error(name .. ": " .. tostring(why), 0) end
   end
end

-- One Lua tries every octet.
local stride = _VERSION == "Lua 5.4" and not os.getenv "SMTP_SANITIZED" and 1 or 17

describe("The end of a message", function()
   it("is held back until the function allows it, and nothing else is different", function()
      local list = ends.messages { "bob@there.example", "eve@there.example", "carol@there.example" }
      list[4].envelope = { from = "bad@me.example" }
      list[7].to = "eve@there.example"
      each_way(function(options, capabilities)
         local function portion(len) return math.min(len, 40000) end
         local given = { options = options,
            server = function() return { capabilities = capabilities, reply = judge, portion = portion } end }
         local run = ends.run(given, ends.fresh(list))
         given.without = true
         local other = ends.run(given, ends.fresh(list))
         assert.same({}, run.faults)
         assert.same({ "1 bob carol", "2 bob carol", "3 bob carol", "5 bob carol", "6 bob carol", "8 bob carol" },
            run.calls)
         assert.equal(states_of(other), states_of(run))
         -- Chunks go ahead, several of them in one write, where their ends are not held back.
         local is_ahead = options.pipelining == "eager" and options.protocol == "smtp" and capabilities == both
         if not is_ahead then assert.equal(other.wire:gsub("=_%d_%w+", ""), run.wire:gsub("=_%d_%w+", "")) end
         assert.truthy(#other.faults >= (is_ahead and 1 or 6))
      end)
   end)

   it("is asked for when the rest of a long text has left", function()
      local raw = "Subject: message 1\r\n\r\n" .. ("hello\r\n"):rep(3000)
      local texts = { ["8BITMIME"] = raw, CHUNKING = ("BDAT %d LAST\r\n"):format(#raw) .. raw:sub(1, -2) }
      for capability, text in pairs(texts) do
         local list, seen = { talk.message { raw = raw } }, nil
         ends.run({ server = function() return { capabilities = { capability } } end,
            before_end = function(_, run) seen = table.concat(run.wire) return true end }, list)
         assert.equal(text, seen:sub(-#text))
      end
   end)

   it("that is refused is never sent: this message alone is not", function()
      local list = ends.messages "bob@there.example"
      each_way(function(options, capabilities)
         local run = ends.run({ options = options, server = function() return { capabilities = capabilities } end,
            before_end = function(asked)
               if asked[1].index == 3 then return nil, "the claim is gone" end
               if asked[1].index == 6 then error({ "the store is down" }) end
               if asked[1].index == 7 then return asked end
               if asked[1].index == 8 then return true, { "not this one" } end
               return true
            end }, ends.fresh(list))
         assert.same({}, run.faults)
         assert.equal(8, #run.calls)
         local causes = { [3] = "the claim is gone", [6] = { "the store is down" }, [7] = false, [8] = "not this one" }
         for i, cause in pairs(causes) do
            local err = run.results[i]
            assert.same({ "source", "withheld", "no", "never", "body" },
               { err.kind, err.reason, err.sent, err.retry, err.stage })
            assert.same(cause or nil, err.cause)
            assert.equal("unsent", talk.states(err))
         end
         local taken = {}
         for _, server in ipairs(run.servers) do
            assert.is_true(server.closed)
            for _, one in ipairs(server.taken) do taken[#taken + 1] = one.body:match("message (%d)") end
         end
         assert.equal("1 2 4 5", table.concat(taken, " "))
         assert.equal(4, run.summary.sent)
      end)
   end)

   it("is asked for once more where the message goes to others of its recipients", function()
      local server = spec_server.one_at_a_time()
      local list = { talk.message { to = { "a@x.example", "b@x.example", "c@x.example" }, raw = "message 1\r\n" } }
      local run = ends.run({ server = function() return server end }, list)
      assert.same({}, run.faults)
      assert.same({ "1 a", "1 b", "1 c" }, run.calls)
      assert.equal("accepted accepted accepted", talk.states(run.results[1]))
   end)

   -- Two messages, the second of which comes in pieces, to a server whose first connection is cut.
   local function play(way, recipients, heard, said, more)
      more = more or ".\r\n"
      local list = { talk.message { to = recipients, raw = "message 1\r\n" .. more },
         talk.message { to = recipients, raw = talk.pieces({ "message 2\r\n", more }).new() } }
      local run = ends.run({ options = { pipelining = way.pipelining, protocol = way.protocol },
         server = function(at)
            local server = spec_server.new { capabilities = way.capabilities }
            return at == 1 and ends.cut(server, heard, said) or server
         end }, list)
      ends.check(run, 2)
      return run
   end

   it("is at no server unless the function allowed it, after whichever octet the connection is cut", function()
      for i = 1, 16 do -- "off" is the same as without PIPELINING
         local recipients = i % 3 > 0 and { "bob@x.example", "eve@x.example", "joe@x.example" } or "bob@x.example"
         local whole = play(ways[i], recipients)
         for n = i % stride, #whole.wire, stride do play(ways[i], recipients, n) end
         for n = i % stride, whole.servers[1].told, stride do play(ways[i], recipients, nil, n) end
      end
   end)

   it("of a long text is at no server unless the function allowed it, wherever the connection is cut", function()
      local more = (("."):rep(900) .. "\r\n"):rep(100)
      for i = 1, 16 do
         local whole = play(ways[i], "bob@x.example", nil, nil, more)
         for n = 3000 * i, #whole.wire, 50000 do play(ways[i], "bob@x.example", n, nil, more) end
      end
   end)

   it("is not sent once the time is over, however slow the function is", function()
      local run = ends.run({ options = { timeout = 0.02 }, before_end = function()
         core.sleep(0.05)
         return true
      end }, { talk.message { raw = "message 1\r\n" } })
      assert.same({}, run.servers[1].taken)
      assert.same({ "timeout", "no" }, { run.results[1].kind, run.results[1].sent })
   end)
end)

describe("The ends of several connections", function()
   it("are in one call where they are due at the same time, and there is one call at a time", function()
      local calls, list = 0, {}
      for i = 1, 24 do list[i] = talk.message { raw = ("message %d\r\n"):format(i) } end
      local run = ends.run({ settings = { connections = 4 }, before_end = function(asked)
         calls = calls + 1
         assert.equal(1, calls)
         scheduler.sleep(0.002)
         calls = calls - 1
         local refused = {}
         for i, one in ipairs(asked) do refused[i] = one.index % 7 == 0 and "no" or nil end
         return true, refused
      end }, list)
      assert.same({}, run.faults)
      assert.equal(21, run.summary.sent)
      -- A turn of nginx is a millisecond: all but one may be late, but not each time.
      local is_nginx, most = package.loaded.ngx ~= nil, 0
      for i = 1, is_nginx and #run.batches or 1 do most = math.max(most, run.batches[i]) end
      assert.is_true(most >= (is_nginx and 2 or 4), most)
      for i = 7, 21, 7 do assert.equal("withheld", run.results[i].reason) end
      assert.equal(24, #run.calls)
   end)
end)

describe("The function that allows an end", function()
   local function options_to(server)
      return talk.options({ from = false, to = false, raw = false, port = talk.new_port() }, server)
   end

   it("may yield", function()
      local run
      local thread = coroutine.create(function()
         run = ends.run({ before_end = function() return coroutine.yield("store") end },
            { talk.message { raw = "message 1\r\n" } })
      end)
      assert.same({ true, "store" }, { coroutine.resume(thread) })
      assert.is_true(coroutine.resume(thread, true))
      assert.equal(1, run.summary.sent)
   end)

   it("is asked for the messages of a connection, and of a single call", function()
      local server, heard = spec_server.new(), {}
      local values = { ending = { before_end = function(list)
         heard[#heard + 1] = ("%s %s %d"):format(tostring(list[1].index), list[1].recipients[1], #server.taken)
         return #heard < 3, "no"
      end } }
      local one = assert(connection.open(options_to(server), values))
      assert(one:send(talk.message { raw = "a\r\n" }))
      assert(one:send(talk.message()))
      local _, err = one:send(talk.message())
      assert.equal("withheld", err.reason)
      assert.same({ "nil bob@there.example 0", "nil bob@there.example 1", "nil bob@there.example 2" }, heard)
      server = spec_server.new()
      values.ending.before_end = function() return true end
      local target = assert(request.connection(options_to(server), values))
      assert(delivery.send(target, assert(request.message(talk.message(), target)), core.now()))
      assert.equal(1, #server.taken)
   end)

   it("may close the connection", function()
      local server, one = spec_server.new(), nil
      one = assert(connection.open(options_to(server), { ending = { before_end = function()
         one:close()
         return true
      end } }))
      local _, err = one:send(talk.message())
      assert.same({ "disconnected", "no" }, { err.kind, err.sent })
      assert.same({}, server.taken)
   end)
end)

describe("Over a socket of this library, the end", function()
   if package.loaded.ngx then return end

   -- A message of this many lines to a server that waits before it reads them. -> what was reported, how often the
   -- function was called, how many lines the server has read, and whether there was an end
   local function send(count, seconds, allowed)
      local other = peer.start(([[
         local sock = accept()
         for _, reply in ipairs { "220 hi", "250 mx", "250 ok", "250 ok", "354 go" } do
            sock:send(reply .. "\r\n")
            if reply ~= "354 go" then line(sock) end
         end
         socket.wait({}, %d)
         local count, text = 0, nil
         repeat
            text = line(sock)
            count = count + (#text == 902 and 1 or 0)
         until text == "" or text:find "^%%."
         print(count, text:find "^%%." ~= nil)
      ]]):format(1000 * seconds))
      local calls, result = 0, nil
      many.send({ host = "127.0.0.1", port = other.port, tls = "skip", domain = "me.example", timeout = seconds / 2 },
         { talk.message { raw = (("x"):rep(900) .. "\r\n"):rep(count) } },
         { on_result = function(_, receipt, err) result = receipt or err end },
         function()
            calls = calls + 1
            return allowed, "no"
         end)
      local lines, ended = other.finish():match("(%d+)%s+(%a+)")
      return result, calls, tonumber(lines), ended
   end

   it("is not asked for while the server reads nothing of a long text", function()
      local result, calls, lines, ended = send(30000, 0.6, true)
      assert.same({ "timeout", "no", 0, "false" }, { result.kind, result.sent, calls, ended })
      assert.truthy(lines < 30000)
   end)

   it("is not there where it was refused", function()
      local result, calls, lines, ended = send(20, 0.6, nil)
      assert.same({ "withheld", "no", 1, 20, "false" }, { result.reason, result.sent, calls, lines, ended })
   end)

   it("is there once it was allowed, and what comes of it is not known where no answer is heard", function()
      local result, calls, lines, ended = send(10, 0.6, true)
      assert.same({ "timeout", "maybe", 1, 10, "true" }, { result.kind, result.sent, calls, lines, ended })
   end)
end)
