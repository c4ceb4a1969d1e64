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

-- -> summary, servers
local function send(model, count, settings, pipelining)
   local servers = {}
   local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(),
      pipelining = pipelining or "eager" }
   options.transport = function()
      servers[#servers + 1] = make(model)
      return servers[#servers]
   end
   local summary = assert(smtp.send_many(options, messages(count), settings))
   return summary, servers, options
end

-- -> how many are in doubt
local function check(summary, servers, count)
   local taken, doubts = {}, 0
   for _, server in ipairs(servers) do
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
      local result = summary.results[i]
      local doubt = result.retry == "doubt"
      if doubt then doubts = doubts + 1 end
      assert.equal(wanted(i) and 1 or 0, taken[i] or 0, tostring(result))
      assert.equal(wanted(i) and not doubt, result.accepted ~= nil, tostring(result))
      if not wanted(i) then assert.equal("never", result.retry, tostring(result)) end
   end
   return doubts
end

local both, pipelined = { "PIPELINING", "CHUNKING" }, { "PIPELINING" }

local models = {
   { "does all right", { capabilities = both } },
   { "does all right, without CHUNKING", { capabilities = pipelined } },
   { "offers neither", { capabilities = {} } },
   { "offers CHUNKING alone", { capabilities = { "CHUNKING" } } },
   { "runs a chunk behind refused recipients as commands", { capabilities = both, runs_chunks = true } },
   { "refuses what follows the end", { capabilities = both, behind = "refused" }, true },
   { "refuses what follows the dot", { capabilities = pipelined, behind = "refused" }, true },
   { "loses what follows the end", { capabilities = both, behind = "lost" }, true },
   { "loses what follows the dot", { capabilities = pipelined, behind = "lost" }, true },
   { "dies of what follows the end", { capabilities = both, behind = "deadly" }, true, 1 },
   { "dies of what follows the dot", { capabilities = pipelined, behind = "deadly" }, true, 1 },
   { "dies at the RSET for a sender that came ahead", { capabilities = both, behind = "doomed" }, true },
   { "dies at the RSET for a sender that came ahead of DATA", { capabilities = pipelined, behind = "doomed" }, true },
   { "counts RSET", { capabilities = both, nonmail_max = 10 } },
   { "counts RSET, without CHUNKING", { capabilities = pipelined, nonmail_max = 10 } },
   { "counts RSET, without PIPELINING", { capabilities = { "CHUNKING" }, nonmail_max = 10 } },
   { "takes five messages", { capabilities = both, message_max = 5 } },
   { "takes five messages, without CHUNKING", { capabilities = pipelined, message_max = 5 } },
   { "takes one message", { capabilities = pipelined, message_max = 1 }, true },
}

describe("A server that", function()
   for _, case in ipairs(models) do
      local what, model, is_bad, doubts = case[1], case[2], case[3], case[4] or 0
      for connections, count in ipairs { 40, (model.runs_chunks or is_bad) and 500 or 150, 40 } do
         it(("%s gets each of %d messages once, over %d connections"):format(what, count, connections), function()
            local summary, servers, options = send(model, count, { connections = connections })
            local last = count
            local in_doubt = check(summary, servers, count)
            assert.is_true(in_doubt <= doubts)
            if connections == 1 then assert.equal(doubts, in_doubt) end
            while not wanted(last) do last = last - 1 end
            local offered = table.concat(model.capabilities, " "):find("PIPELINING")
            local grade = not offered and "off" or is_bad and "safe" or "eager"
            -- Of several connections one tries, and the others may be done with all messages before it has.
            if connections == 1 then assert.equal(grade, summary.results[last].pipelining) end
            -- What was found out lasts.
            local known = #servers
            local more = assert(smtp.send_many(options, messages(20), { connections = connections }))
            for _ = 1, known do table.remove(servers, 1) end
            assert.is_true(check(more, servers, 20) <= (connections == 1 and 0 or doubts))
            if connections == 1 then assert.equal(grade, more.results[1].pipelining) end
         end)
      end
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
