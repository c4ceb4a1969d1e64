-- pipelining = "eager" against models of the servers that fail at it: whatever they do, no message is lost, delivered
-- twice or in doubt without need, and no message's text is run as commands.
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

-- Among them are bad senders, bad recipients, and messages that are refused at their ends. Each text would send a mail
-- of its own if a server ran it as commands.
local function messages(count)
   local list = {}
   for i = 1, count do
      local bad = i % 7 == 3
      list[i] = { from = i % 11 == 5 and "bad@me.example" or "ann@me.example",
         to = bad and "bad@there.example" or "bob@there.example",
         raw = ("message %d\r\nRSET\r\nMAIL FROM:<eve@me.example>\r\nRCPT TO:<eve@there.example>\r\nDATA\r\n"
            .. "Subject: smuggled\r\n%s"):format(i, i % 13 == 6 and "refuse this\r\n" or "") }
   end
   return list
end

local function wanted(i)
   return i % 7 ~= 3 and i % 11 ~= 5 and i % 13 ~= 6
end

local function judge(self, what)
   if what == "mail" and self.lines[#self.lines]:find("bad@") then return "550 5.1.8 bad sender" end
   if what == "rcpt" and self.lines[#self.lines]:find("bad@") then return "550 5.1.1 who?" end
   if what == "final" and self.judged:find("refuse this", 1, true) then return "554 5.6.0 no" end
end

local function make(model)
   local given = { reply = judge }
   for name, value in pairs(model) do given[name] = value end
   local server = spec_server.new(given)
   local finish = server.finish
   function server:finish()
      self.judged = self.body
      return finish(self)
   end
   return server
end

-- A run of send_many: { servers =, results =, over = how many messages are }. `order(run, server, at)` says what holds
-- back the connection that was opened as number `at`.
local function start(model, order)
   local run = { servers = {}, results = {}, over = 0 }
   function run.connect()
      local server = make(model)
      local at = #run.servers + 1
      run.servers[at] = server
      server.held = order and order(run, server, at)
      return server
   end
   function run.on_result(index, receipt, err)
      run.results[index], run.over = receipt or err, run.over + 1
   end
   return run
end

-- One server, which several runs may go to, one after the other: each call is a run.
local function new_server(model, pipelining)
   local run
   local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
      pipelining = pipelining or "eager" }
   options.transport = function() return run.connect() end
   return function(count, connections, order)
      run = start(model, order and function(...) return order(count, ...) end)
      assert(smtp.send_many(options, messages(count), { connections = connections, on_result = run.on_result }))
      assert.equal(count, run.over)
      return run
   end
end

-- Each message was taken once, or refused, or is in doubt. -> how many are in doubt, how many servers were hurt
local function check(case, run, count)
   local taken, doubts, hurt = {}, 0, 0
   for _, server in ipairs(run.servers) do
      if case.bad and server.hurt then hurt = hurt + 1 end
      for _, one in ipairs(server.taken) do
         assert.equal("ann@me.example", one.from)
         local i = tonumber(one.body:match("^message (%d+)"))
         taken[i] = (taken[i] or 0) + 1
      end
      for at, line in ipairs(server.lines) do
         assert.is_nil(line:find("eve@", 1, true))
         assert.is_false(line == "RSET" and server.lines[at + 1] == "RSET")
      end
   end
   for i = 1, count do
      local result = run.results[i]
      local doubt = result.retry == "doubt"
      if doubt then doubts = doubts + 1 end
      local is_lost = doubt and case.loses and not taken[i]
      assert.equal(wanted(i) and not is_lost and 1 or 0, taken[i] or 0, tostring(result))
      assert.equal(wanted(i) and not doubt, result.accepted ~= nil, tostring(result))
      if not wanted(i) and not doubt then assert.equal("never", result.retry, tostring(result)) end
   end
   if case.loses then
      assert.is_true(doubts < 16) -- the window
      doubts = 0
   end
   return doubts, hurt
end

local function last_of(count)
   while not wanted(count) do count = count - 1 end
   return count
end

-- What the receipts of these messages say.
local function said(run, from, to)
   local words = {}
   for i = from, to do
      local word = run.results[i].pipelining
      if word and not words[word] then
         words[word] = true
         words[#words + 1] = word
      end
   end
   table.sort(words)
   return table.concat(words, " ")
end

local both, pipelined = { "PIPELINING", "CHUNKING" }, { "PIPELINING" }

-- `bad`: it fails at what follows the end of a message, and `doubts` of that are reported. `late`: not at the first.
-- `loses`: and it has none of the messages whose chunks went ahead. Nothing shows that, so they are in doubt.
local models = {
   { "does all right", { capabilities = both } },
   { "does all right, without CHUNKING", { capabilities = pipelined } },
   { "offers neither", { capabilities = {} } },
   { "offers CHUNKING alone", { capabilities = { "CHUNKING" } } },
   { "runs a chunk behind refused recipients as commands", { capabilities = both, runs_chunks = true } },
   { "refuses what follows the end", { capabilities = both, behind = "refused" }, bad = true },
   { "refuses what follows the dot", { capabilities = pipelined, behind = "refused" }, bad = true },
   { "loses what follows the end", { capabilities = both, behind = "lost" }, bad = true },
   { "loses what follows the dot", { capabilities = pipelined, behind = "lost" }, bad = true },
   { "dies of what follows the end", { capabilities = both, behind = "deadly" }, bad = true, doubts = 1 },
   { "dies of what follows the dot", { capabilities = pipelined, behind = "deadly" }, bad = true, doubts = 1 },
   { "dies at the RSET for a sender that came ahead", { capabilities = both, behind = "doomed" },
      bad = true, late = true, loses = true },
   { "dies at the RSET for a sender that came ahead of DATA", { capabilities = pipelined, behind = "doomed" },
      bad = true, late = true },
   { "counts RSET", { capabilities = both, nonmail_max = 10 } },
   { "counts RSET, without CHUNKING", { capabilities = pipelined, nonmail_max = 10 } },
   { "counts RSET, without PIPELINING", { capabilities = { "CHUNKING" }, nonmail_max = 10 } },
   { "takes five messages", { capabilities = both, message_max = 5 } },
   { "takes five messages, without CHUNKING", { capabilities = pipelined, message_max = 5 } },
   { "takes one message", { capabilities = pipelined, message_max = 1 }, bad = true },
}

local function grade_of(case)
   if not table.concat(case[2].capabilities, " "):find("PIPELINING") then return "off" end
   return case.bad and "safe" or "eager"
end

-- The first connection finds out what the server is; the others hear nothing before that. They have the messages 2 and
-- 3, so the first that follows an end and is accepted is 4, or 7 with CHUNKING: 5 and 6 are refused, and no message
-- follows the first chunk.
local function ahead(case)
   return function(_, run, _, at)
      if at == 1 then return nil end
      local first = run.servers[1]
      return function()
         if case.bad or case[2].runs_chunks then return not first.closed end
         return not run.results[7]
      end
   end
end

-- The first connection hears nothing before the others are done with all messages but its own.
local function behind(count, run, _, at)
   if at > 1 then return nil end
   return function() return run.over < count - 1 end
end

-- What is known of the server from earlier runs decides about this one, whatever the order.
local function check_known(case, send, connections)
   local run = send(20, connections)
   local doubts, hurt = check(case, run, 20)
   assert.same({ 0, 0 }, { doubts, hurt })
   assert.equal(grade_of(case), said(run, 1, 20))
   if grade_of(case) == "eager" then return end
   for _, server in ipairs(run.servers) do assert.equal(0, server.crossings) end
end

describe("A server that", function()
   for _, case in ipairs(models) do
      local what, model = case[1], case[2]
      for connections, count in ipairs { 40, (model.runs_chunks or case.bad) and 500 or 150, 40 } do
         it(("%s gets each of %d messages once, over %d connections"):format(what, count, connections), function()
            local send = new_server(model)
            local run = send(count, connections, ahead(case))
            local doubts, hurt = check(case, run, count)
            assert.equal(case.doubts or 0, doubts)
            assert.equal(case.bad and 1 or 0, hurt)
            local last = last_of(count)
            -- The last one of all may come first on a new connection, where it is not sent eagerly.
            local first = grade_of(case) == "eager" and last - 9 or last
            assert.matches(grade_of(case), said(run, first, last))
            check_known(case, send, connections)
         end)
      end

      it(what .. " is found out in a later run where the others were done before it tried", function()
         local send = new_server(model)
         local run = send(40, 3, behind)
         assert.same({ 0, 0 }, { check(case, run, 40) })
         assert.equal(grade_of(case) == "off" and "off" or "safe", said(run, 2, 40))
         assert.equal(grade_of(case) == "off" and "off" or "eager", said(run, 1, 1)) -- it would have tried
         for _, server in ipairs(run.servers) do assert.equal(0, server.crossings) end
         run = send(40, 3, ahead(case))
         assert.same({ case.doubts or 0, case.bad and 1 or 0 }, { check(case, run, 40) })
         check_known(case, send, 3)
      end)

      -- Which connection has its turn when is nginx's business here. What a run found out decides all the rest.
      it(what .. " is tried by one connection in whatever order", function()
         local send = new_server(model)
         local tried = 0
         for _ = 1, 3 do
            local run = send(40, 3)
            local doubts, hurt = check(case, run, 40)
            assert.equal(hurt * (case.doubts or 0), doubts)
            if tried > 0 then assert.equal(0, hurt) end
            tried = tried + hurt
         end
         if not case.late then assert.is_true(tried <= 1) end
         if not case.bad then assert.equal(0, tried) end
         if tried > 0 then check_known(case, send, 3) end
      end)
   end

   for _, pipelining in ipairs { "safe", "eager", "off" } do
      it("counts refused transactions is left for another connection before: " .. pipelining, function()
         local list = {}
         local servers = {}
         for i = 1, 60 do list[i] = { from = "ann@me.example", to = "bad@there.example", raw = "x" .. i } end
         local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
            pipelining = pipelining }
         options.transport = function()
            servers[#servers + 1] = make { nonmail_max = 10 }
            return servers[#servers]
         end
         local summary = assert(smtp.send_many(options, list, { connections = 2 }))
         for i = 1, 60 do assert.equal("recipients_refused", summary.results[i].kind) end
         for _, server in ipairs(servers) do
            assert.equal("QUIT", server.lines[#server.lines])
            assert.is_true((server.nonmail or 0) <= 10)
         end
      end)
   end
end)

describe("A server that loses what follows the dot", function()
   it("costs two seconds once, whatever reply_timeout is", function()
      local other = peer.start [[
         local sock = accept()
         local function take()
            assert(line(sock):find("^MAIL"))
            assert(line(sock):find("^RCPT"))
            assert(line(sock) == "DATA\r\n")
            sock:send("250 ok\r\n250 ok\r\n354 go\r\n")
            repeat until line(sock) == ".\r\n"
            sock:send("250 ok\r\n")
         end
         local function greet()
            sock:send("220 hi\r\n")
            line(sock)
            sock:send("250-mx\r\n250 PIPELINING\r\n")
         end
         greet()
         take()
         print(heard)
         repeat until not sock:receiveany(65536)
         sock, heard = accept(), ""
         greet()
         take()
         print(line(sock))]]
      local began = core.now()
      local summary = assert(smtp.send_many({ host = "127.0.0.1", port = other.port, tls = "skip",
         domain = "me.example", pipelining = "eager" },
         { { from = "a@x", to = "b@x", raw = "one" }, { from = "a@x", to = "c@x", raw = "two" } },
         { connections = 1 }))
      local took = core.now() - began
      assert.equal("RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<c@x>\r\n\nQUIT\r\n\n", other.finish())
      assert.equal(2, summary.sent)
      assert.same({ "eager", "safe" }, { summary.results[1].pipelining, summary.results[2].pipelining })
      assert.is_true(took > 1.9 and took < 6, took)
   end)

   it("is given up as soon where Lua waits", function()
      local servers, waits = {}, {}
      local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
         pipelining = "eager" }
      options.transport = function()
         local server, ms = spec_server.new { behind = "lost", capabilities = pipelined }, nil
         function server.settimeouts(_, _, _, read) ms = read end
         local receive = server.receiveany
         function server:receiveany(max)
            if self.said == "" and not self.closing then waits[#waits + 1] = ms end
            return receive(self, max)
         end
         servers[#servers + 1] = server
         return server
      end
      local summary = assert(smtp.send_many(options, messages(2), { connections = 1 }))
      assert.same({ 2, 2 }, { summary.sent, #servers })
      assert.equal(1, #waits)
      assert.is_true(waits[1] <= 2000, waits[1])
   end)
end)

-- A 421 answers the command that it comes for: what was said behind that one was not taken.
describe("A goodbye in the place of the answer to", function()
   local raw = ("x"):rep(70) .. "\r\n"

   for what in pairs { mail = 1, rcpt = 1, data = 1, chunk = 1 } do
      for _, pipelining in ipairs { "safe", "eager" } do
         it(("%s leaves the message unsent: %s"):format(what, pipelining), function()
            local servers = {}
            local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
               pipelining = pipelining,
               extensions = { chunking = what == "chunk" and "require" or what == "data" and "skip" or "prefer" } }
            options.transport = function()
               local first = #servers == 0
               local asked = 0
               servers[#servers + 1] = spec_server.new { reply = function(self, asked_for)
                  if asked_for ~= what then return nil end
                  asked = asked + 1
                  if not first or asked < 3 then return nil end
                  self.gone = true
                  self.said = self.said .. "421 4.3.2 going down\r\n"
               end }
               return servers[#servers]
            end
            local list = {}
            for i = 1, 6 do
               local given = 0
               list[i] = { from = "ann@me.example", to = "bob@there.example",
                  raw = what == "chunk" and function()
                     given = given + 1
                     return given <= 3000 and raw or nil
                  end or ("message " .. i) }
            end
            local summary = assert(smtp.send_many(options, list, { connections = 1 }))
            local taken = 0
            for _, server in ipairs(servers) do taken = taken + #server.taken end
            if what == "chunk" then -- it cannot be read again
               assert.same({ 5, 5 }, { summary.sent, taken })
               for _, result in ipairs(summary.results) do
                  assert.is_true(result.accepted ~= nil or result.sent == "no" and result.retry == "later")
               end
            else
               assert.same({ 6, 6, 2 }, { summary.sent, taken, #servers })
            end
         end)
      end
   end
end)
