-- Many conversations at once: each a light thread.
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
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

describe("a pause", function()
   it("is short where the system's clock was set back", function()
      local core, pace = require "smtp.core", require "smtp.runtime.nginx.pace"
      local now = ngx.now
      finally(function() ngx.now = now end)
      ngx.now = function() return now() + 1000 end
      for _ = 1, 2 do pace.work(1e6, 0) end
      ngx.now = now
      local began = core.now()
      for _ = 1, 2 do pace.work(1e6, 0) end
      assert.truthy(core.now() - began < 20)
   end)
end)

-- How many turns another light thread had meanwhile.
local function turns_of_others(fn)
   local count, over = 0, false
   local thread = ngx.thread.spawn(function()
      while not over do
         ngx.sleep(0.001)
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
      local crypto, pace, events = require "smtp.crypto", require "smtp.runtime.nginx.pace", ""
      local function note(event, fn)
         return function(...)
            events = events .. event
            return fn(...)
         end
      end
      local sleep, header = ngx.sleep, crypto.dkim_header
      finally(function() ngx.sleep, crypto.dkim_header = sleep, header end)
      ngx.sleep, crypto.dkim_header = note("p", sleep), note("s", header)
      sleep(0.002)
      pace.work(0, 0)      -- the turn begins,
      pace.work(0, 0.0001) -- and others have worked in it, for less than its time
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
      local count, over, longest = 0, false, 0
      local thread = ngx.thread.spawn(function()
         while not over do
            local began = os.clock()
            ngx.sleep(0.001)
            count, longest = count + 1, math.max(longest, os.clock() - began)
         end
      end)
      local message = compose()
      over = true
      ngx.thread.wait(thread)
      assert.equal(20000, #message.envelope.to)
      assert.truthy(count >= 20, count)
      assert.truthy(longest < 0.05, longest)
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
