-- Many conversations at once: each a light thread.
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local semaphore = require "ngx.semaphore"
local server = require "spec.nginx.server"

-- Seconds by nginx's clock that fn takes.
local function time(fn)
   ngx.update_time()
   local started = ngx.now()
   fn()
   ngx.update_time()
   return ngx.now() - started
end

describe("a crowd", function()
   it("of three slow conversations takes the time of one", function()
      local mx = server.start {}
      local jobs, began, ended = {}, {}, {}
      for i = 1, 3 do
         jobs[i] = function()
            local given = 0
            began[i] = ngx.now()
            local receipt, err = safe.send { host = "127.0.0.1", port = mx.port, tls = "skip", timeout = 10,
               from = "a@b.example", to = "c@d.example", raw = function()
                  given = given + 1
                  ngx.sleep(0.1)
                  return given < 4 and "line\r\n" or nil
               end }
            assert(receipt, tostring(err))
            ended[i] = ngx.now()
         end
      end
      local took = time(function() assert(scheduler.run(jobs)) end)
      mx:stop()
      assert.truthy(took >= 0.4, took)
      for i = 1, 3 do
         for k = 1, 3 do assert.truthy(began[k] < ended[i]) end
      end
   end)

   it("that waits for its next turn lets timers come", function()
      local due, turns = false, 0
      ngx.timer.at(0.002, function() due = true end)
      while not due and turns < 1000 do
         scheduler.sleep(0)
         turns = turns + 1
      end
      assert.is_true(due)
   end)

   it("loses no job to an error, grows from within, and sleeps", function()
      local log, ok, err = {}, nil, nil
      local took = time(function()
         ok, err = scheduler.run {
            function()
               scheduler.spawn(function()
                  scheduler.spawn(function() scheduler.sleep(0.1) log[#log + 1] = "third" end)
                  scheduler.sleep(0.05)
                  log[#log + 1] = "second"
               end)
               log[#log + 1] = "first"
            end,
            function() error({ "mine" }) end,
         }
      end)
      assert.is_nil(ok)
      assert.same({ "mine" }, err)
      assert.same({ "first", "second", "third" }, log)
      assert.truthy(took > 0.095 and took < 20, took)
   end)
end)

local core = require "smtp.core"
local pace = require "smtp.runtime.nginx.pace"

local replaced = {} -- { where, name, value }

-- Another value until the case ends.
local function replace(where, name, value)
   table.insert(replaced, 1, { where, name, where[name] })
   where[name] = value
   return replaced[1][3]
end

local function restore()
   for _, one in ipairs(replaced) do one[1][one[2]] = one[3] end
   replaced = {}
end

local LONG = 1 -- seconds of work: more than a turn has

describe("a conversation that has worked", function()
   after_each(restore)

   it("goes on in the next turn, and never sleeps", function()
      local slept, asked, at = 0, 0, ngx.timer.at
      replace(ngx, "sleep", function() slept = slept + 1 end)
      replace(ngx.timer, "at", function(seconds, ...)
         asked = asked + 1
         assert.equal(0, seconds)
         return at(seconds, ...)
      end)
      for _ = 1, 100 do pace.work(LONG) end
      assert.same({ 0, 100 }, { slept, asked })
   end)

   it("keeps its place where so many wait that it takes long", function()
      local turns, at = 0, ngx.timer.at
      replace(ngx.timer, "at", function(_, fn)
         return at(0.003, function()
            turns = turns + 1
            fn()
         end)
      end)
      local threads = {}
      for i = 1, 100 do threads[i] = ngx.thread.spawn(function() pace.work(LONG) end) end
      for i = 1, 100 do ngx.thread.wait(threads[i]) end
      assert.truthy(turns >= 99, turns)
   end)

   it("goes on at once where it was little", function()
      pace.work(LONG)
      local asked = 0
      replace(ngx.timer, "at", function() asked = asked + 1 end)
      for _ = 1, 10 do pace.work(0.00002) end
      assert.equal(0, asked)
   end)

   it("lets timers and sockets have their turns", function()
      local mx = server.start {}
      local heard, timers, turns = nil, 0, 0
      local thread = ngx.thread.spawn(function()
         local sock = ngx.socket.tcp()
         sock:settimeouts(10000, 10000, 10000)
         assert(sock:connect("127.0.0.1", mx.port))
         heard = sock:receive()
         sock:close()
      end)
      local function tick()
         timers = timers + 1
         if not heard then ngx.timer.at(0.001, tick) end
      end
      ngx.timer.at(0.001, tick)
      local began = core.now()
      while not (heard and timers > 0) and core.now() - began < 20 do
         turns = turns + 1
         pace.work(LONG)
      end
      ngx.thread.wait(thread)
      mx:stop()
      assert.matches("^220", heard)
      assert.truthy(timers > 0 and turns > 1)
   end)

   it("waits for those that came before, one in each turn", function()
      local log, turn, at, threads = {}, 0, ngx.timer.at, {}
      replace(ngx.timer, "at", function(seconds, fn)
         return at(seconds, function(...)
            turn = turn + 1
            return fn(...)
         end)
      end)
      for i = 1, 3 do
         threads[i] = ngx.thread.spawn(function()
            for _ = 1, 2 do
               pace.work(LONG)
               log[#log + 1] = i .. "/" .. turn
            end
         end)
      end
      for i = 1, 3 do ngx.thread.wait(threads[i]) end
      assert.same({ "1/1", "2/2", "3/3", "1/4", "2/5", "3/6" }, log)
   end)

   it("goes on where one before it was ended", function()
      local first = ngx.thread.spawn(function() pace.work(LONG) end)
      local gone_on
      local second = ngx.thread.spawn(function()
         pace.work(LONG)
         gone_on = true
      end)
      ngx.thread.kill(first)
      ngx.thread.wait(second)
      assert.is_true(gone_on)
   end)

   it("sleeps where nginx makes no timer, or has no semaphores in this phase", function()
      local slept, sleep, phase = 0, ngx.sleep, ngx.get_phase
      replace(ngx, "sleep", function(seconds)
         slept = slept + 1
         sleep(seconds)
      end)
      local at = replace(ngx.timer, "at", function() return nil, "too many pending timers" end)
      pace.work(LONG)
      ngx.timer.at = at
      replace(ngx, "get_phase", function() return "ssl_cert" end)
      pace.work(LONG)
      ngx.get_phase = phase
      pace.work(LONG)
      assert.equal(2, slept)
   end)

   it("goes on where nginx dropped the timer", function()
      local at = replace(ngx.timer, "at", function() return true end)
      pace.work(LONG)
      ngx.timer.at = at
      local asked = 0
      replace(ngx.timer, "at", function(...)
         asked = asked + 1
         return at(...)
      end)
      pace.work(LONG)
      assert.equal(1, asked)
   end)
end)

-- How many turns another light thread had meanwhile.
local function turns_of_others(fn)
   local count, over, turn = 0, false, semaphore.new()
   local thread = ngx.thread.spawn(function()
      while not over do
         assert(ngx.timer.at(0, function() turn:post(1) end))
         turn:wait(20)
         count = count + 1
      end
   end)
   fn()
   local turns = count
   over = true
   ngx.thread.wait(thread)
   return turns
end

describe("composing", function()
   local files = {}
   for i = 1, 1000 do files[i] = { content = "x", filename = i .. ".bin" } end

   local cases = { german = { text = ("Grüße an alle.\n"):rep(200000) },
      russian = { text = ("Добрый день\n"):rep(200000) },
      ascii = { text = ("It is good.\n"):rep(400000) }, html = { text = "x", html = ("<p>ä €</p>\n"):rep(200000) },
      attachments = { text = "x", attachments = files },
      ["an attached text"] = { attachments = { content = ("Grüße\n"):rep(900000), filename = "x.txt" } } }

   for name, more in pairs(cases) do
      it("pauses, and is the same where that is not possible: " .. name, function()
         local message, other
         more.from, more.to = "a@example.org", "b@example.net"
         more.date, more.message_id = "Tue, 24 Nov 2026 12:00:00 +0000", "<x@example.org>"
         assert.truthy(turns_of_others(function() message = assert(safe.message(more)) end) >= 3)
         assert.equal(0, turns_of_others(function()
            ("x"):gsub("x", function() other = assert(safe.message(more)) end)
         end))
         assert.truthy(tostring(message) == tostring(other))
         assert.equal(message.size, #tostring(message))
      end)
   end
end)

describe("a signature by DKIM", function()
   after_each(restore)

   local dkim = require "smtp.dkim"
   local keys = require "spec.tools.dkim_keys"
   local rsa = keys.make()("rsa")

   local signer = { domain = "example.org", selector = "s", key = rsa }
   local long = "From: a@example.org\r\n\r\n" .. (("x"):rep(76) .. "\r\n"):rep(110000)

   it("pauses while it reads a long body, and is the same as without pauses", function()
      local signed
      assert.truthy(turns_of_others(function()
         signed = assert(dkim.sign(long, signer, keys.clock))
      end) >= 10)
      local signing = assert(dkim.begin(dkim.check(signer), keys.clock))
      signing:body((long:match("\r\n\r\n(.*)$")))
      local header = assert(signing:finish { { "From", "From: a@example.org\r\n" } })
      assert.truthy(header .. long == signed)
   end)

   it("pauses where a message is composed or raw, by text, file and function", function()
      local sent
      local function source()
         if sent then return nil end
         sent = true
         return long
      end
      for _, more in ipairs { { raw = long }, { raw = source }, { text = long },
         { attachments = { content = long } } } do
         more.from, more.to, more.dkim = "a@example.org", "b@example.net", signer
         assert.truthy(turns_of_others(function() assert(safe.message(more)) end) >= 10)
      end
   end)

   it("pauses between the signatures of several keys", function()
      local several = {}
      for i = 1, 12 do several[i] = { domain = "example.org", selector = "s" .. i, key = rsa } end
      assert.truthy(turns_of_others(function()
         assert(safe.message { from = "a@example.org", to = "b@example.net", text = "hi", dkim = several })
      end) >= 6)
   end)

   it("has a turn of its own after other work", function()
      local crypto, events = require "smtp.crypto", ""
      local function note(event, fn)
         return function(...)
            events = events .. event
            return fn(...)
         end
      end
      pace.work(LONG)   -- a turn begins,
      pace.work(0.0001) -- and others have worked in it, for less than its time
      replace(ngx.timer, "at", note("p", ngx.timer.at))
      replace(crypto, "dkim_header", note("s", crypto.dkim_header))
      assert(safe.message { from = "a@example.org", to = "b@example.net", text = "hi", dkim = signer })
      assert.matches("^p+s", events)
   end)

   it("is made in phases that cannot pause", function()
      local phase = ngx.get_phase
      finally(function() ngx.get_phase = phase end)
      ngx.get_phase = function() return "log" end
      local signed = assert(dkim.sign(long, signer, keys.clock))
      assert.truthy(signed:find("^DKIM%-Signature"))
   end)
end)

describe("a long list of addresses", function()
   local list = {}
   for i = 1, 20000 do
      list[i] = i % 2 == 0 and ("J\195\182rg %d <u%d@x.example>"):format(i, i)
         or { name = "Ann " .. i, address = ("u%d@x.example"):format(i) }
   end

   local function compose()
      return assert(safe.message { from = "a@x.example", to = list, text = "hi" })
   end

   it("is read in turns with others", function()
      local message
      assert.truthy(turns_of_others(function() message = compose() end) >= 20)
      assert.equal(20000, #message.envelope.to)
   end)

   it("is read without a turn of others where a function of C is below", function()
      local messages = {}
      string.gsub("x", "x", function() messages[1] = compose() end)
      tostring(setmetatable({}, { __tostring = function()
         messages[2] = compose()
         return ""
      end }))
      for i = 1, 2 do assert.equal(20000, #messages[i].envelope.to) end
   end)
end)
