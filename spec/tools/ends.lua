--- Messages whose ends are held back (smtp.client.ending), to servers of spec.tools.server that know which of them may
--- end. Message i contains the words "message i".

local many = require "smtp.client.many"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local ends = {}

-- The octets of the message that a server reads, as far as they have come, with these; would they end it?
local function would_end(server, data)
   local heard, left, is_last = server.heard .. data, server.left, server.last
   if server.mode == "text" then return ("\r\n" .. heard):find("\r\n.\r\n", 1, true) ~= nil, server.body .. heard end
   if server.mode ~= "octets" then
      local len, at = heard:match("BDAT (%d+) LAST\r\n()")
      if not len then return false end
      heard, left, is_last = heard:sub(at), tonumber(len), true
   end
   return is_last and #heard >= left, (server.body or "") .. heard
end

--- Notes in `run` each write that would end a message which is not in run.allowed, whatever the server takes of it.
function ends.guard(server, run)
   local send = server.send
   function server:send(data)
      local is_over, text = would_end(self, data)
      local index = is_over and tonumber(text:match("message (%d+)"))
      if is_over and not run.allowed[index] then run.faults[#run.faults + 1] = index .. ": " .. data end
      local count, why, words, partly = send(self, data)
      run.wire[#run.wire + 1] = data:sub(1, count or partly)
      return count, why, words, partly
   end
   return server
end

--- A run of send_many: { servers =, results =, allowed = by index, calls = { "1 bob eve", … }, batches = { count, … },
--- faults =, wire = what was sent }. `given`: server = of spec.tools.server, options, settings; without = no ends are
--- held back; before_end = asked before each of them.
function ends.run(given, messages)
   local run = { servers = {}, results = {}, allowed = {}, calls = {}, batches = {}, faults = {}, wire = {} }
   local options = talk.options { from = false, to = false, raw = false, port = talk.new_port() }
   for name, value in pairs(given.options or {}) do options[name] = value end
   function options.transport()
      local at = #run.servers + 1
      run.servers[at] = ends.guard(spec_server.new(given.server and given.server(at)), run)
      return run.servers[at]
   end
   local settings = { connections = 1, on_result = function(index, receipt, err)
      assert(not run.results[index], "told twice")
      run.results[index] = receipt or err
   end }
   for name, value in pairs(given.settings or {}) do settings[name] = value end
   run.before_end = function(list)
      run.batches[#run.batches + 1] = #list
      for _, one in ipairs(list) do
         local names = table.concat(one.recipients, " "):gsub("@[^ ]*", "")
         run.calls[#run.calls + 1] = one.index .. " " .. names
      end
      local allowed, why = true, nil
      if given.before_end then allowed, why = given.before_end(list, run) end
      for i, one in ipairs(list) do
         run.allowed[one.index] = allowed == true and not (type(why) == "table" and why[i])
      end
      return allowed, why
   end
   run.summary, run.err = many.send(options, messages, settings, not given.without and run.before_end or nil)
   run.wire = table.concat(run.wire)
   return run
end

--- This server hears so many octets, or says so many, and then the connection is gone. `told`: what it has said.
function ends.cut(server, heard, said)
   server.cut, server.told = heard, 0
   local receive = server.receiveany
   function server:receiveany(max)
      if self.told == said then self:vanish() end
      local data, why, words = receive(self, said and math.min(max, math.max(1, said - self.told)) or max)
      self.told = self.told + #(data or "")
      return data, why, words
   end
   return server
end

--- What is reported of each message is true, and none is taken twice, or without having been allowed to end.
function ends.check(run, count)
   local taken = {}
   for _, server in ipairs(run.servers) do
      for _, one in ipairs(server.taken) do
         local index = tonumber(one.body:match("message (%d+)"))
         assert(not taken[index], "taken twice")
         taken[index] = true
      end
   end
   for i = 1, count do
      local result = run.results[i]
      local sent = result.kind and result.sent or "yes"
      assert(run.allowed[i] or not taken[i], "taken without a word")
      assert(run.allowed[i] or sent == "no", "in doubt without a word")
      assert(sent == "maybe" or (sent ~= "no") == (taken[i] or false), sent)
   end
   assert(not run.faults[1], run.faults[1])
end

--- Messages of every kind, each for these recipients.
function ends.messages(recipients)
   local list = {}
   for i = 1, 8 do
      list[i] = { from = "ann@me.example", to = recipients, message_id = ("<%d@me.example>"):format(i),
         date = "Tue, 24 Nov 2026 12:00:00 +0000", subject = "message " .. i }
   end
   local function plain(i, raw)
      list[i] = { from = "ann@me.example", to = recipients, raw = ("Subject: message %d\r\n\r\n%s"):format(i, raw) }
   end
   plain(1, ".dot\r\n")
   plain(2, "no line end")
   plain(3, (("more than a buffer "):rep(45) .. "\r\n"):rep(100))
   list[4].text = "hello"
   list[5].text, list[5].html = "hello", "<p>hello ä"
   list[6].text, list[6].attachments = "hello", { filename = "a.bin", content = ("\0\1\2"):rep(1000) }
   list[7].text, list[7].priority = "hello", "high"
   plain(8, "pieces\r\n")
   local text = list[8].raw
   list[8].raw = nil
   list[8].pieces = { text:sub(1, 30), text:sub(31), ("x"):rep(70) .. "\r\n" }
   return list
end

--- The same, ready to be sent: a source is read once only.
function ends.fresh(list)
   local copies = {}
   for i, message in ipairs(list) do
      local copy = {}
      for name, value in pairs(message) do copy[name] = value end
      if copy.pieces then copy.pieces, copy.raw = nil, talk.pieces(copy.pieces).new() end
      copies[i] = copy
   end
   return copies
end

return ends
