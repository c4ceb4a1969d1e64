-- What is remembered of servers that pipelining = "eager" was tried with, where several conversations are under way.
-- The servers hold their answers back until the others have done what the spec is about.
local core = require "smtp.core"
local memory = require "smtp.client.memory"
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local wait_while = spec_server.wait_while
local pipelined = { "PIPELINING" }

local function messages(count)
   local list = {}
   for i = 1, count do list[i] = talk.message { raw = ("message %d\r\n"):format(i) } end
   return list
end

-- A server under a name of its own. `make(at)`: what the connection opened as number `at` leads to.
-- -> the options, the connections with this function as `make`
local function new_server(make, more)
   local servers = { make = make }
   local options = talk.options { from = false, to = false, raw = false, port = talk.new_port(), pipelining = "eager" }
   for name, value in pairs(more or {}) do options[name] = value end
   options.transport = function()
      local server = servers.make(#servers + 1)
      servers[#servers + 1] = server
      return server
   end
   return options, servers
end

local function send(options, list, settings)
   return assert(safe.send_many(options, list, settings))
end

local function single(options)
   local all = talk.message { raw = "a single message\r\n" }
   for name, value in pairs(options) do
      if value ~= false or all[name] == nil then all[name] = value end
   end
   return safe.send(all)
end

local function sum(servers, field)
   local total = 0
   for _, server in ipairs(servers) do
      local value = server[field]
      total = total + (type(value) == "number" and value or value and 1 or 0)
   end
   return total
end

-- Run these functions at once; return what each returned, in lists.
local function at_once(...)
   local results, threads, nginx = {}, {}, package.loaded.ngx
   for i, fn in ipairs { ... } do
      local function run() results[i] = { fn() } end
      threads[i] = nginx and nginx.thread.spawn(run) or coroutine.create(run)
   end
   if nginx then
      for _, thread in ipairs(threads) do assert(nginx.thread.wait(thread)) end
      return results
   end
   local alive
   repeat
      alive = false
      for _, thread in ipairs(threads) do
         if coroutine.status(thread) ~= "dead" then
            assert(coroutine.resume(thread))
            alive = true
         end
      end
   until not alive
   return results
end

describe("Of a server that nothing is known of", function()
   -- Each waits until all are there, and what breaks is not seen before all have sent a message.
   local function deadly_after(count)
      local servers
      local function have_sent()
         local sent = 0
         for i = 1, count do
            if #servers[i].taken > 0 then sent = sent + 1 end
         end
         return sent
      end
      local options, all = new_server(function()
         return spec_server.new { behind = "deadly", capabilities = pipelined, held = function(self)
            return #servers < count or self.hurt and have_sent() < count
         end }
      end)
      servers = all
      return options, servers
   end

   it("one of several single messages says QUIT ahead", function()
      local options, servers = deadly_after(4)
      local function run() return single(options) end
      local doubts, words = 0, {}
      for _, result in ipairs(at_once(run, run, run, run)) do
         local receipt, err = result[1], result[2]
         if receipt then words[#words + 1] = receipt.pipelining else doubts = doubts + 1 end
         assert(receipt or err.retry == "doubt", tostring(err))
      end
      assert.same({ 1, 1 }, { doubts, sum(servers, "crossings") })
      assert.same({ "safe", "safe", "safe" }, words)
   end)

   it("one connection of two runs of send_many tries", function()
      local options, servers = deadly_after(4)
      local function run() return send(options, messages(10), { connections = 2 }) end
      local results = at_once(run, run)
      assert.same({ 19, 1 }, { results[1][1].sent + results[2][1].sent, results[1][1].failed + results[2][1].failed })
      assert.equal(1, sum(servers, "crossings"))
   end)

   it("a single message waits for its answer while send_many tries, and the other way round", function()
      for _, order in ipairs { "many first", "single first" } do
         local options, servers = deadly_after(2)
         local jobs = { function() return send(options, messages(10), { connections = 1 }) end,
            function() return single(options) end }
         if order == "single first" then jobs[1], jobs[2] = jobs[2], jobs[1] end
         at_once(jobs[1], jobs[2])
         assert.equal(1, sum(servers, "crossings"))
         assert.equal(0, servers[2].crossings)
      end
   end)

   it("another connection tries while the first only waits for the answer to QUIT", function()
      local options, servers, is_done
      options, servers = new_server(function(at)
         return spec_server.new { capabilities = pipelined, held = at == 1 and function(self)
            return self.closing and not is_done
         end or nil }
      end)
      at_once(function() send(options, messages(1), { connections = 1 }) end, function()
         wait_while(function() return not servers[1].closing end)
         send(options, messages(5), { connections = 1 })
         is_done = true
      end)
      assert.equal(4, servers[2].crossings)
   end)

   it("another connection tries once the first was abandoned", function()
      if package.loaded.ngx then return end -- it keeps what is suspended until the request ends
      local options, servers = new_server(function(at)
         return spec_server.new { held = function() return at == 1 end }
      end)
      local thread = coroutine.create(function() send(options, messages(2), { connections = 1 }) end)
      assert(coroutine.resume(thread))
      assert.same({ 1, "suspended" }, { #servers, coroutine.status(thread) })
      thread = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      send(options, messages(10), { connections = 1 })
      assert.is_true(servers[2].crossings > 0)
   end)

   it("nothing is known after connections that ended for other reasons", function()
      local options, servers = new_server(function(at)
         local given = { [2] = "421 4.3.2 busy", [3] = "554 5.3.2 no" }
         local server = spec_server.new { capabilities = pipelined, reply = function(self, what)
            if at ~= 1 or what ~= "mail" then return nil end
            self.gone = true
            return "421 4.3.2 going down"
         end }
         if given[at] then server.said, server.gone = given[at] .. "\r\n", true end
         return server
      end)
      for _ = 1, 3 do assert(not single(options)) end
      local summary = send(options, messages(6), { connections = 1 })
      assert.same({ 6, 5 }, { summary.sent, servers[4].crossings })
      assert.equal("eager", summary.results[6].pipelining)
   end)

   it("what follows an end that has left already proves nothing", function()
      -- The answers are slow, and the rate gives the next message while one is due: it leaves after the end was read.
      local options, servers = new_server(function()
         local taken, moment = 0, 0
         return spec_server.new { behind = "deadly", capabilities = pipelined, stuck = function(self)
            if #self.taken > taken then taken, moment = #self.taken, core.now() + 0.06 end
            return core.now() < moment
         end }
      end)
      send(options, messages(6), { connections = 1, rate = 20 })
      assert.equal(sum(servers, "hurt"), sum(servers, "crossings"))
      -- Of two connections that go on, the first is not heard of before the second is done, or hurt as well.
      local known = #servers
      local held = {
         [known + 1] = function(first)
            local second = servers[known + 2]
            return not second or first.hurt and not second.closing and second.crossings == 0
         end,
         [known + 2] = function()
            local first = servers[known + 1]
            return not first.hurt and not first.closing
         end,
      }
      function servers.make(at)
         return spec_server.new { behind = "deadly", capabilities = pipelined, held = held[at] }
      end
      send(options, messages(40), { connections = 2 })
      assert.equal(1, sum(servers, "crossings"))
   end)
end)

describe("A server that failed at what follows the end of a message", function()
   it("is tried by no other connection while the caller's observer holds up the one that tried", function()
      local results, over = {}, 0
      local options, servers = new_server(function()
         return spec_server.new { behind = "refused", capabilities = pipelined }
      end, { observe = function(event)
         -- The first connection has three messages at most: the others are done.
         if event.name == "heard" and event.text:find("^503") then wait_while(function() return over < 9 end) end
      end })
      assert(safe.send_many(options, messages(12), { connections = 2, per_connection = 3,
         on_result = function(index, receipt, err) results[index], over = receipt or err, over + 1 end }))
      assert.same({ 1, 1 }, { sum(servers, "hurt"), sum(servers, "crossings") })
      local eager = 0
      for i = 1, 12 do if results[i].pipelining == "eager" then eager = eager + 1 end end
      assert.equal(1, eager)
   end)

   it("is tried by no other connection while on_result holds up the one that tried", function()
      local over = 0
      local options, servers = new_server(function()
         return spec_server.new { behind = "refused", capabilities = pipelined }
      end)
      assert(safe.send_many(options, messages(12), { connections = 2, per_connection = 3, on_result = function(index)
         over = over + 1
         if index == 1 then wait_while(function() return over < 10 end) end
      end }))
      assert.same({ 12, 1, 1 }, { over, sum(servers, "hurt"), sum(servers, "crossings") })
   end)

   if package.loaded.ngx then
      it("is tried by no other connection while nginx pauses after the write that failed", function()
         local over, thread, has_paused = 0, nil, false
         local pace = require "smtp.runtime.nginx.pace"
         local work, send_all = pace.work, spec_server.new().send
         local function send_and_die(self, data)
            local count = send_all(self, data)
            if not self.hurt then return count end
            local stop = core.now() + 0.002 -- longer than conversations may work without a pause
            repeat until core.now() >= stop
            return nil, "closed", "gone", count
         end
         local options, servers
         options, servers = new_server(function(at)
            if at == 1 then thread = coroutine.running() end
            return spec_server.new { behind = "deadly", capabilities = pipelined, send = send_and_die,
               held = at > 1 and function() return not servers[1].hurt end or nil }
         end)
         -- The pause of the first connection, which has three messages at most, lasts until the others are done.
         function pace.work(seconds)
            local is_it = coroutine.running() == thread and servers[1].hurt
            has_paused = has_paused or is_it
            while is_it and over < 9 do package.loaded.ngx.sleep(0.001) end
            work(seconds)
         end
         local ok, why = pcall(safe.send_many, options, messages(12), { connections = 2, per_connection = 3,
            on_result = function() over = over + 1 end })
         pace.work = work
         assert(ok, why)
         assert.same({ true, 12, 1, 1 }, { has_paused, over, sum(servers, "hurt"), sum(servers, "crossings") })
      end)
   end

   -- Two connections are eager. The second speaks past three ends and then waits for answers, until the first has
   -- broken: `turn(first)` makes its next message break it.
   local function break_first(behind, turn)
      local run, servers = { over = 0, results = {} }, nil
      local function is_ready() return servers[2] ~= nil and servers[2].crossings >= 3 end
      local held = {
         function() return run.over >= 7 and not is_ready() end,
         function() return run.over < 7 or is_ready() and not servers[1].closed end,
      }
      local options, all = new_server(function(at)
         return spec_server.new { behind = behind, capabilities = pipelined, held = held[at],
            reply = function(self, what)
               if at == 1 and what == "mail" and is_ready() then return turn(self) end
            end }
      end)
      servers = all
      assert(safe.send_many(options, messages(90), { connections = 2, on_result = function(index, receipt, err)
         run.results[index], run.over = receipt or err, run.over + 1
      end }))
      return run.results, servers, options
   end

   it("is safe at once for connections that were eager", function()
      local results, servers = break_first("doomed", function() return "550 5.1.8 bad sender" end)
      assert.same({ 3, 1 }, { servers[2].crossings, sum(servers, "hurt") })
      for i = 3, #servers do assert.equal(0, servers[i].crossings) end
      local function word(i) return results[tonumber(servers[2].taken[i].body:match("%d+"))].pipelining end
      for i = 1, 3 do assert.equal("eager", word(i)) end
      -- The second went on.
      local last = tonumber(servers[2].taken[#servers[2].taken].body:match("%d+"))
      assert.is_true(last > 20)
      assert.same({ "safe", "safe" }, { results[last].pipelining, results[90].pipelining })
   end)

   it("is safe, though it had just taken a message that followed another", function()
      local options, servers = new_server(function()
         return spec_server.new { capabilities = pipelined, reply = function(self, what)
            if what == "final" and self.crossings > 0 then self.behind = "refused" end
         end }
      end)
      assert.equal(6, send(options, messages(6), { connections = 1 }).sent)
      assert.equal("safe", send(options, messages(1), { connections = 1 }).results[1].pipelining)
      assert.equal(1, sum(servers, "hurt"))
   end)

   it("stays safe, though another connection was eager with success", function()
      local results, servers, options = break_first(nil, function(server) server.behind = "deadly" end)
      local doubts = 0
      for i = 1, 90 do if results[i].retry == "doubt" then doubts = doubts + 1 end end
      assert.same({ 1, 1, 3 }, { doubts, sum(servers, "hurt"), servers[2].crossings })
      local summary = send(options, messages(5), { connections = 2 })
      for i = 1, 5 do assert.equal("safe", summary.results[i].pipelining) end
   end)

   it("stays safe, though the success before the failure is noted later", function()
      local server = { host = "mx.example", port = talk.new_port(), pipelining = "eager", extensions = {} }
      local conv = {}
      memory.recall(server, conv)
      memory.note_grade(conv, "safe")
      memory.note_grade(conv, "eager")
      assert.equal("safe", (select(2, memory.recall(server, {}))))
   end)

   it("is safe in the receipts of connections that were open", function()
      local options = new_server(function() return spec_server.new { behind = "lost", capabilities = pipelined } end)
      local connection = assert(safe.connect(options))
      assert.equal("eager", assert(connection:send(messages(1)[1])).pipelining)
      assert.equal(3, send(options, messages(3), { connections = 1 }).sent)
      assert.equal("safe", assert(connection:send(messages(1)[1])).pipelining)
      connection:close()
   end)

   it("is another one where another transport leads there", function()
      local port = talk.new_port()
      local function object(given)
         local server = spec_server.new(given)
         return setmetatable({}, { __index = server, __tostring = function() return "a transport" end })
      end
      local words = {}
      for i, given in ipairs { { behind = "deadly" }, {}, { behind = "lost" } } do
         local receipt, err = safe.send(talk.options({ port = port, pipelining = "eager" }, object(given)))
         words[i] = receipt and receipt.pipelining or err.retry
      end
      assert.same({ "doubt", "eager", "eager" }, words)
   end)

   it("is remembered for a transport whose __tostring raises", function()
      for _, pipelining in ipairs { "eager", "safe" } do
         local server = spec_server.new()
         local object = setmetatable({}, { __index = server, __tostring = function() error("mine") end })
         assert(safe.send(talk.options({ port = talk.new_port(), pipelining = pipelining }, object)))
      end
   end)

   it("is remembered without its conversations", function()
      local weak = setmetatable({}, { __mode = "v" })
      local options = new_server(function() return nil end)
      options.transport = function()
         local server = spec_server.new { behind = "deadly", capabilities = pipelined }
         weak[#weak + 1] = server
         return server
      end
      assert.equal(4, send(options, messages(5), { connections = 1 }).sent)
      collectgarbage()
      collectgarbage()
      assert.same({}, weak)
   end)
end)
