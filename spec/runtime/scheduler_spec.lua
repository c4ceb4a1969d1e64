-- Many conversations in one thread.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local socket = not package.loaded.ngx and require "smtp.socket"
local smtp_sink = require "smtp.sink"
local user_call = require "smtp.options.user_call"

local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }

local function send(more)
   local options = { host = "127.0.0.1", tls = "skip", timeout = 20 }
   for _, list in ipairs { message, more or {} } do
      for key, value in pairs(list) do options[key] = value end
   end
   return safe.send(options)
end

-- A sink that takes so many milliseconds for each reply.
local slow = [[
   local core, pause = require "smtp.core", %d / 1000
   local sock = accept()
   local function say(reply)
      sock:settimeouts(5000, 5000, pause * 1000)
      sock:receiveany(1) -- nothing comes: it is our turn
      sock:settimeouts(5000, 5000, 5000)
      sock:send(reply .. "\r\n")
   end
   local replies = { EHLO = "250 mx", DATA = "354 go", QUIT = "221 bye", [".\r\n"] = "250 queued" }
   say "220 hi"
   while true do
      local text = line(sock)
      if text == "" then break end
      local reply = replies[text:match("^%%u+") or text]
         or text:find("^%%u+ %%u+:") and "250 ok"
      if reply then say(reply) end
   end
]]

-- -> the jobs that send to so many slow peers, what they returned, and how to end the peers
local function senders(pauses)
   local jobs, results, peers = {}, {}, {}
   for i, pause in ipairs(pauses) do
      peers[i] = peer.start(slow:format(pause * 1000))
      jobs[i] = function()
         local began = core.now()
         local receipt, err = send { port = peers[i].port, timeout = pause > 1 and 0.5 or 20 }
         results[i] = { receipt = receipt, err = err, began = began, at = core.now() }
      end
   end
   return jobs, results, function()
      for i = 1, #peers do peers[i].finish() end
   end
end

describe("a crowd", function()
   it("knows that one of its jobs has failed", function()
      local seen = {}
      local function look() seen[#seen + 1] = scheduler.has_failed() end
      local ok, cause = scheduler.run { look, function() error("mine", 0) end, look }
      assert.same({ nil, "mine", { false, true } }, { ok, cause, seen })
      look()
      assert.is_false(seen[3]) -- outside of a job
   end)

   it("of three slow conversations takes the time of one", function()
      local jobs, results, finish = senders { 0.1, 0.1, 0.1 }
      local cpu = os.clock()
      assert.is_true(scheduler.run(jobs))
      cpu = os.clock() - cpu
      finish()
      for i = 1, 3 do
         assert(results[i].receipt, tostring(results[i].err))
         assert.truthy(results[i].at - results[i].began >= 0.6) -- each has 7 replies of 0.1 s
         for k = 1, 3 do assert.truthy(results[k].began < results[i].at) end
      end
      assert.truthy(cpu < 0.4, cpu)
   end)

   it("goes on where one of it has no more time", function()
      local jobs, results, finish = senders { 0.1, 3, 0.1 }
      assert.is_true(scheduler.run(jobs))
      finish()
      assert.equal("timeout", results[2].err.kind)
      assert.truthy(results[2].at - results[2].began >= 0.5)
      assert(results[1].receipt and results[3].receipt)
      assert.truthy(results[1].at > results[2].at)
   end)

   it("of two hundred connections is served by one that greets when all are there", function()
      local other = peer.start [[
         local socks, says = {}, { "220 hi", "250 mx", "250 ok", "250 ok", "354 go", "250 queued", "221 bye" }
         for i = 1, 200 do socks[i] = accept() end
         for step = 1, #says do
            for i = 1, 200 do
               if step > 1 then
                  heard = ""
                  repeat local text = line(socks[i]) until step ~= 6 or text == ".\r\n" or text == ""
               end
               socks[i]:send(says[step] .. "\r\n")
            end
         end
         print "all"
      ]]
      local jobs, receipts = {}, 0
      for i = 1, 200 do
         jobs[i] = function()
            local receipt, err = send { port = other.port }
            assert(receipt, tostring(err))
            receipts = receipts + 1
         end
      end
      local cpu = os.clock()
      local ok, err = scheduler.run(jobs)
      cpu = os.clock() - cpu
      assert(ok, err)
      assert.equal("all\n", other.finish())
      assert.equal(200, receipts)
      assert.truthy(cpu < 2, cpu)
   end)

   it("does STARTTLS, by name, with each ticket used once", function()
      local path, key = certs.make()("good")
      local other = peer.start(([[
         local socks, context = {}, server_context(%q, %q)
         local function say(i, text) socks[i]:send(text .. "\r\n") end
         for i = 1, 4 do socks[i] = accept() say(i, "220 hi") end
         for i = 1, 4 do line(socks[i]) say(i, "250-mx\r\n250 STARTTLS") end
         for i = 1, 4 do line(socks[i]) say(i, "220 go") assert(socks[i]:sslaccept(context)) end
         for _, reply in ipairs { "250 mx", "250 ok", "250 ok", "354 go" } do
            for i = 1, 4 do line(socks[i]) say(i, reply) end
         end
         for i = 1, 4 do repeat until line(socks[i]) == ".\r\n" say(i, "250 queued") end
         for i = 1, 4 do line(socks[i]) say(i, "221 bye") end
      ]]):format(path, key))
      local jobs, versions = {}, {}
      for i = 1, 4 do
         jobs[i] = function()
            local receipt, err = send { host = "localhost", port = other.port, tls = "require",
               tls_ca_file = certs.make() "ca" }
            assert(receipt, tostring(err))
            versions[#versions + 1] = receipt.tls.version
         end
      end
      assert(scheduler.run(jobs))
      other.finish()
      assert.same({ "TLSv1.3", "TLSv1.3", "TLSv1.3", "TLSv1.3" }, versions)
   end)

   it("does not let one job send for so long that others wait", function()
      local other = peer.start [[
         local reader = accept()
         local n = 0
         repeat
            local data = reader:receiveany(65536)
            n = n + (data and #data or 0)
         until not data
         print(n)
      ]]
      local sent, at_once, most = 0, 0, 0
      assert(scheduler.run {
         function()
            local sock = scheduler.polite(socket.new())
            sock:settimeouts(5000, 5000, 5000)
            assert(sock:connect("127.0.0.1", other.port))
            local data = ("x"):rep(65536)
            while sent < 16777216 do
               local count, _, _, partly = sock:send(data)
               sent, at_once = sent + (count or partly), at_once + (count or partly)
               most = math.max(most, at_once)
            end
            sock:close()
         end,
         function()
            while sent < 16777216 do
               at_once = 0
               scheduler.sleep(0)
            end
         end,
      })
      assert.equal(sent .. "\n", other.finish())
      assert.truthy(most < 262144 + 65536, most)
   end)

   it("does not let one job receive for so long that others wait", function()
      local other = peer.start [[
         local sock = accept()
         sock:settimeouts(5000, 5000, 5000)
         local data = ("x"):rep(65536)
         for _ = 1, 64 do
            local sent = 0
            while sent < #data do sent = sent + assert(sock:send(data:sub(sent + 1))) end
         end
         sock:close()
      ]]
      local got, at_once, most = 0, 0, 0
      assert(scheduler.run {
         function()
            local sock = scheduler.polite(socket.new())
            sock:settimeouts(5000, 5000, 5000)
            assert(sock:connect("127.0.0.1", other.port))
            repeat
               local data = sock:receiveany(4096)
               got, at_once = got + #(data or ""), at_once + #(data or "")
               most = math.max(most, at_once)
               if not data then break end
               core.sleep(0.00005) -- slower than the peer, so that there is always more
            until false
            sock:close()
         end,
         function()
            while got < 2097152 do
               at_once = 0
               scheduler.sleep(0)
            end
            at_once = -math.huge
         end,
      })
      assert.equal(4194304, got)
      assert.truthy(most < 65536 + 8192, most)
      other.finish()
   end)

   it("sees at once that a socket was closed by another job", function()
      local other = peer.start "accept():receiveany(1)"
      local why
      local started = core.now()
      local sock
      assert(scheduler.run {
         function()
            sock = scheduler.polite(socket.new())
            sock:settimeouts(60000, 60000, 60000)
            assert(sock:connect("127.0.0.1", other.port))
            why = select(2, sock:receiveany(1))
         end,
         function()
            scheduler.sleep(0.05)
            sock:close()
         end,
      })
      other.finish()
      assert.equal("closed", why)
      assert.truthy(core.now() - started < 30)
   end)

   it("loses no job to an error, and reports the first error", function()
      local log = {}
      local ok, err = scheduler.run {
         function() scheduler.sleep(0.02) log[#log + 1] = "late" end,
         function() error({ "mine" }) end,
         function() scheduler.sleep(0.01) error("another") end,
      }
      assert.is_nil(ok)
      assert.same({ "mine" }, err)
      assert.same({ "late" }, log)
   end)

   it("grows from within, and waits for the jobs that joined", function()
      local log = {}
      assert(scheduler.run { function()
         for i = 3, 1, -1 do
            scheduler.spawn(function()
               scheduler.sleep(i / 10)
               log[#log + 1] = i
            end)
         end
      end })
      table.sort(log)
      assert.same({ 1, 2, 3 }, log)
   end)

   it("of no jobs is over at once, and one inside another as well", function()
      assert(scheduler.run {})
      local log = {}
      assert(scheduler.run { function()
         assert(scheduler.run { function() scheduler.sleep(0.01) log[1] = "inner" end })
         scheduler.sleep(0.01)
         log[2] = "outer"
      end })
      assert.same({ "inner", "outer" }, log)
   end)

   it("sleeps outside of a job as well", function()
      local started = core.now()
      scheduler.sleep(0.03)
      assert.truthy(core.now() - started >= 0.03)
   end)

   it("sleeps for as short a time as is left", function()
      for i = 1, 50000 do scheduler.sleep(i % 20 * 1e-7) end
   end)
end)

-- A transport of the user's that yields before whatever it does.
local function yielding(sink, name, log)
   local transport = sink:transport()
   local own = { duplex = true }
   for _, method in ipairs { "connect", "send", "receiveany", "sslhandshake", "settimeouts", "close" } do
      own[method] = function(_, ...)
         if method == "send" then
            log[#log + 1] = name
            assert.equal(coroutine.yield(name, nil, 3), log.answer and name or nil)
         end
         return transport[method](transport, ...)
      end
   end
   return own
end

describe("a job that yields", function()
   local function three(log)
      local sink = smtp_sink.new {}
      local jobs = {}
      for i, name in ipairs { "a", "b", "c" } do
         jobs[i] = function()
            local receipt, err = send { transport = yielding(sink, name, log) }
            assert(receipt, tostring(err))
         end
      end
      return jobs, sink
   end

   it("takes turns with the others, its yields passed on and answered", function()
      local log, passed = { answer = true }, {}
      local jobs, sink = three(log)
      local thread = coroutine.create(function() assert(scheduler.run(jobs)) end)
      local given
      repeat
         local ok, name, second, third = coroutine.resume(thread, given)
         assert(ok, name)
         if name then passed[#passed + 1] = name .. tostring(second) .. third end
         given = name
      until coroutine.status(thread) == "dead"
      assert.equal(3, #sink.messages)
      assert.equal("abcabcabc", table.concat(log):sub(1, 9))
      assert.equal(#log, #passed)
      assert.equal("anil3", passed[1])
   end)

   it("takes turns where nothing resumes it", function()
      local log = {}
      local jobs, sink = three(log)
      assert.is_false(user_call.can_yield())
      assert(scheduler.run(jobs))
      assert.equal(3, #sink.messages)
      assert.equal("abcabcabc", table.concat(log):sub(1, 9))
   end)

   it("does not hurry while others wait for the network", function()
      local other = peer.start(slow:format(200))
      local turns, over = 0, false
      local cpu = os.clock()
      assert(scheduler.run {
         function() assert(send { port = other.port }) over = true end,
         function()
            while not over do
               turns = turns + 1
               coroutine.yield()
            end
         end,
      })
      cpu = os.clock() - cpu
      other.finish()
      assert.truthy(turns > 10 and turns < 1500, turns)
      assert.truthy(cpu < 0.5, cpu)
   end)

   it("inside a function of its own does not stop the others", function()
      local sink = smtp_sink.new {}
      local count, ticks = 0, 0
      assert(scheduler.run {
         function()
            assert(send { transport = sink:transport(), raw = function()
               count = count + 1
               coroutine.yield()
               return count < 5 and "line\r\n" or nil
            end })
         end,
         function()
            while count < 5 do
               ticks = ticks + 1
               scheduler.sleep(0)
            end
         end,
      })
      assert.equal(1, #sink.messages)
      assert.truthy(ticks >= 4, ticks)
   end)
end)

describe("without smtp.socket", function()
   local loaded, preload = nil, package.preload["smtp.socket"]

   before_each(function()
      loaded, package.loaded["smtp.socket"] = package.loaded["smtp.socket"], nil
      package.preload["smtp.socket"] = function() error "libssl.so.3: cannot open shared object file" end
   end)
   after_each(function()
      package.loaded["smtp.socket"], package.preload["smtp.socket"] = loaded, preload
   end)

   -- Steps of the interpreter, in thousands, while it runs.
   local function count_steps(fn)
      local count = 0
      debug.sethook(function() count = count + 1 end, "", 1000)
      fn()
      debug.sethook()
      return count
   end

   it("a pause is slept through, in a job and outside one", function()
      local began = core.now()
      assert.truthy(count_steps(function() scheduler.sleep(0.2) end) < 10)
      assert.truthy(core.now() - began >= 0.2)
      began = core.now()
      local function job() scheduler.sleep(0.2) end
      assert.truthy(count_steps(function() assert(scheduler.run { job, job }) end) < 20)
      local took = core.now() - began
      assert.truthy(took >= 0.2, took)
   end)

   it("send_many goes over the caller's transport, at the rate that is set", function()
      local lines = {}
      local options = { host = "mx.example", tls = "skip", transport = function()
         local out = { "220 hi\r\n" }
         return { connect = function() return true end, settimeouts = function() end, close = function() end,
            sslhandshake = function() end,
            send = function(_, data)
               for text in data:gmatch("[^\r\n]+") do
                  lines[#lines + 1] = text
                  local verb = text:match("^%u+")
                  out[#out + 1] = ({ EHLO = "250 mx\r\n", DATA = "354 go\r\n", QUIT = "221 bye\r\n" })[verb]
                     or (text:find("^%u+ %u+:") or text == ".") and "250 ok\r\n" or nil
               end
               return #data
            end,
            receiveany = function() return table.remove(out, 1) end }
      end }
      local summary
      local steps = count_steps(function()
         summary = assert(safe.send_many(options, { message, message, message }, { connections = 2, rate = 10 }))
      end)
      assert.same({ 3, 0 }, { summary.sent, summary.failed }, tostring(summary.results[1]))
      assert.truthy(summary.seconds >= 0.1, summary.seconds)
      assert.truthy(steps < 100, steps)
   end)
end)
