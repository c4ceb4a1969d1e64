-- A connection on which nothing happened for a while: what the server said meanwhile is read before anything is sent.
local runtime = require "smtp.runtime.runtime"
local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local message = talk.message

local function options(more, servers)
   return talk.options_to(servers, more)
end

-- What happens while the connection is idle.
local ends = {
   ["says goodbye"] = function(server) server:say("421 4.4.2 idle for too long") end,
   ["says goodbye and closes"] = function(server)
      server:say("421-4.4.2 idle")
      server:say("421 4.4.2 for too long")
      server.gone = true
   end,
   ["closes"] = function(server) server.gone = true end,
}

describe("An idle connection on which the server", function()
   for what, happens in pairs(ends) do
      for _, pipelining in ipairs { "safe", "eager", "off" } do
         it(what .. " has sent nothing more: pipelining = " .. pipelining, function()
            local server = spec_server.new()
            local connection = assert(smtp.connect(options({ pipelining = pipelining }, { server })))
            assert(connection:send(message()))
            local said = #server.lines
            happens(server)
            local _, err = connection:send(message())
            assert.same({ "disconnected", "no", "later" }, { err.kind, err.sent, err.retry })
            assert.equal(what == "closes" and "closed" or "shutting_down", err.reason)
            assert.equal(what ~= "closes" and 421 or nil, err.code)
            assert.equal(said, #server.lines)
            assert.is_false(connection.alive)
            local _, again = connection:send(message())
            assert.same({ err.kind, err.code, "later" }, { again.kind, again.code, again.retry })
         end)
      end

      for _, command in ipairs { "noop", "reset", "verify" } do
         it(what .. " is not asked " .. command, function()
            local server = spec_server.new()
            local connection = assert(smtp.connect(options({}, { server })))
            local said = #server.lines
            happens(server)
            local answer, err = connection[command](connection, "bob")
            assert.is_nil(answer)
            assert.same({ "disconnected", "later", said }, { err.kind, err.retry, #server.lines })
         end)
      end

      it(what .. " is quit without a word", function()
         local server = spec_server.new()
         local connection = assert(smtp.connect(options({}, { server })))
         local said = #server.lines
         happens(server)
         assert.is_true(connection:quit())
         assert.equal(said, #server.lines)
      end)

      it(what .. " is replaced by send_many after a wait, and the message goes out once", function()
         local first, second = spec_server.new(), spec_server.new()
         local told = 0
         local summary = assert(smtp.send_many(options({}, { first, second }), { message(), message() },
            { connections = 1, rate = 10, on_result = function(_, receipt, err)
               assert(receipt, tostring(err))
               told = told + 1
               if told == 1 then happens(first) end
            end }))
         assert.same({ 2, 0, 1, 1 }, { summary.sent, summary.failed, #first.taken, #second.taken })
         assert.equal(1, select(2, table.concat(first.lines, "\n"):gsub("MAIL", "")))
      end)

      it(what .. " is replaced by send_many where the next message took its time", function()
         local first, second = spec_server.new(), spec_server.new()
         local index = 0
         local summary = assert(smtp.send_many(options({}, { first, second }), function()
            index = index + 1
            if index == 2 then
               happens(first)
               local core = require "smtp.core"
               local till = core.now() + 0.02
               while core.now() < till do end -- luacheck: ignore
            end
            return index < 3 and message() or nil
         end, { connections = 1 }))
         assert.same({ 2, 0, 1, 1 }, { summary.sent, summary.failed, #first.taken, #second.taken })
         assert.equal(1, select(2, table.concat(first.lines, "\n"):gsub("MAIL", "")))
      end)
   end

   it("says what was not asked for is not used any more", function()
      local server = spec_server.new()
      local connection = assert(smtp.connect(options({}, { server })))
      server:say("250 ok")
      local _, err = connection:send(message())
      assert.same({ "protocol", "unasked", "no" }, { err.kind, err.reason, err.sent })
   end)

   for _, pipelining in ipairs { "safe", "eager", "off" } do
      it("says what was not asked for is replaced by send_many, pipelining = " .. pipelining, function()
         local servers, told = { spec_server.new(), spec_server.new(), spec_server.new() }, 0
         local index = 0
         local summary = assert(smtp.send_many(options({ pipelining = pipelining }, servers), function()
            index = index + 1
            return index <= 3 and message() or nil
         end, { connections = 1, window = 1, on_result = function(_, receipt, err)
            assert(receipt, tostring(err))
            told = told + 1
            servers[told]:say("250 what else?")
         end }))
         assert.same({ 3, 0 }, { summary.sent, summary.failed })
         for i = 1, 3 do assert.equal(1, #servers[i].taken) end
      end)
   end
end)

-- As Exim does after ten transactions that were refused, and Haraka.
describe("RSET refused between messages", function()
   local function refuses(code, at_once)
      local server = spec_server.new { has_refused = at_once, reply = function(self, what)
         self.has_refused = self.has_refused or what == "rcpt"
         return what == "rcpt" and "550 5.1.1 who?" or nil
      end }
      local say = server.say
      function server:say(line)
         local asked = self.lines[#self.lines]
         say(self, asked == "RSET" and self.has_refused and code .. " not now" or line)
      end
      return server
   end

   for _, code in ipairs { 554, 503, 421 } do
      it("with " .. code .. " ends the connection, and the next message can go out by another at once", function()
         local connection = assert(smtp.connect(options({}, { refuses(code) })))
         local _, err = connection:send(message())
         assert.same({ "recipients_refused", "never" }, { err.kind, err.retry })
         assert.is_false(connection.alive)
         _, err = connection:send(message())
         assert.same({ "no", code == 421 and "later" or "now" }, { err.sent, err.retry })
         assert.equal(code, err.code)
      end)

      for _, pipelining in ipairs { "safe", "eager" } do
         it(("with %s: send_many goes on by another, pipelining = %s"):format(code, pipelining), function()
            local second = spec_server.new()
            local summary = assert(smtp.send_many(options({ pipelining = pipelining },
               { refuses(code), second }), { message(), message(), message() }, { connections = 1 }))
            assert.same({ 2, 1, 2 }, { summary.sent, summary.failed, #second.taken })
            assert.equal("recipients_refused", summary.results[1].kind)
         end)
      end
   end

   for _, said in ipairs { "250 ok", "554 Too many nonmail commands", "421 4.4.2 bye" } do
      it("as NOOP is, replaces a kept connection before it is used: " .. said, function()
         local kept, new = spec_server.new { said = "", noop = said }, spec_server.new()
         function kept.kept()
            return { esmtp = true, tls = "skipped", auth = "skipped", server = "mx",
               capabilities = "PIPELINING", mechanisms = "", mechanisms_before_tls = "" }
         end
         local servers, transport = { kept, new }, runtime.transport
         finally(function() runtime.transport = transport end)
         runtime.transport = function() return table.remove(servers, 1) end
         local given = options({}, {})
         given.transport = nil
         local connection = assert(smtp.connect(given))
         assert(connection:send(message()))
         local good = said:find("^250") ~= nil
         assert.same({ good and 1 or 0, good and 0 or 1 }, { #kept.taken, #new.taken })
      end)
   end

   it("by wish of the caller is reported as such", function()
      local server = refuses(554, true)
      local connection = assert(smtp.connect(options({}, { server })))
      local answer, err = connection:reset()
      assert.is_nil(answer)
      assert.same({ "reset_refused", 554, "now" }, { err.reason, err.code, err.retry })
   end)
end)

describe("A connection that may be kept", function()
   for kept, ending in pairs { [true] = "", [false] = "C: QUIT\nS: 221 bye" } do
      it("ends with QUIT where its transport does not keep it: " .. tostring(kept), function()
         local peer = talk.peer(talk.script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: 250 ok
            C: DATA
            S: 354 go
            MESSAGE
            S: 250 ok
            <ending>
         ]], { ending = ending }))
         local facts
         function peer.keep(_, these)
            facts = these
            return kept
         end
         local transport = runtime.transport
         finally(function() runtime.transport = transport end)
         runtime.transport = function() return peer end
         local given = talk.options({ keepalive = { idle = 60 } }, peer)
         given.transport = nil
         assert(smtp.send(given))
         if kept then peer:close() end
         talk.finished(peer)
         assert.equal("mx", facts.server)
      end)
   end
end)
