-- Sending after the request.
local core = require "smtp.core"
local phases = require "spec.nginx.phases"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local mx

before_each(function() mx = server.start { refuse = {} } end)
after_each(function() mx:stop() end)

local function options(more)
   local all = { host = "127.0.0.1", port = mx.port, from = "ann@me.example", to = "bob@there.example",
      subject = "x", text = "hi" }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local function wait(done)
   for _ = 1, 300 do
      if done() then return true end
      ngx.sleep(0.01)
   end
   error("it never came", 0)
end

describe("a deferred message", function()
   it("goes out later, and its callback gets the receipt", function()
      local receipt, failure
      local t = options()
      local ticket = assert(safe.defer(t, function(...) receipt, failure = ... end))
      t.to = "eve@there.example"
      assert.equal(0, mx:count("message"))
      wait(function() return receipt or failure end)
      assert.same({ "bob@there.example" }, receipt.accepted)
      assert.equal(ticket.message_id, receipt.message_id)
   end)

   it("is checked before it is taken on", function()
      for option, value in pairs { timeout = 30000, connect_timeout = 301, reply_timeout = "901", host = "mail:587",
         domain = "localhost", url = "smtp://h:99999", tls_pin = ("a"):rep(43) .. "=" } do
         local ticket, err = safe.defer(options { [option] = value })
         assert.is_nil(ticket)
         assert.same({ "usage", option }, { err.kind, err.option })
      end
   end)

   it("that is not taken on has its result at once, for those who observe", function()
      local result
      safe.defer(options { to = "bad", observe = function(event) result = event end })
      assert.same({ "result", "address" }, { result.name, result.kind })
   end)

   it("that fails says so in the error log, in words", function()
      local failure
      local logged, log = {}, ngx.log
      ngx.log = function(_, ...) logged[#logged + 1] = table.concat { ... } end
      assert(safe.defer(options { port = 1 }, function(_, err) failure = err end))
      wait(function() return failure end)
      ngx.log = log
      assert.equal("connect", failure.kind)
      assert.truthy(logged[1]:find("^smtp: 127.0.0.1:1 cannot be reached"), logged[1])
   end)

   it("with a callback that raises or yields does not hold up the others", function()
      local done = 0
      local log = ngx.log
      ngx.log = function() end
      for i = 1, 12 do
         assert(safe.defer(options(), function()
            ngx.sleep(0.01)
            done = done + 1
            if i % 2 == 0 then error("mine") end
         end))
      end
      wait(function() return done == 12 end)
      ngx.log = log
      assert.equal(12, mx:count("message"))
   end)

   it("is checked at once", function()
      local _, err = safe.defer(options { to = "nobody" })
      assert.equal("address", err.kind)
      _, err = safe.defer(options { tls = "require", tls_ca_file = "/x" })
      assert.same({ "usage", "tls_ca_file" }, { err.kind, err.option })
      _, err = safe.defer(options(), "x")
      assert.equal("callback", err.option)
   end)

   it("whose timer nginx drops goes out by itself as soon as there is room", function()
      local busy, going = 0, true
      for _ = 1, 40 do -- lua_max_running_timers
         assert(ngx.timer.at(0, function()
            busy = busy + 1
            while going do ngx.sleep(0.01) end
            busy = busy - 1
         end))
      end
      wait(function() return busy == 40 end)
      local receipt
      for _ = 1, 4 do assert(safe.defer(options(), function(found) receipt = found end)) end
      ngx.sleep(0.1)
      assert.equal(0, mx:count("open")) -- their timers are gone
      going = false
      local until_when = core.now() + 12
      while mx:count("message") < 4 and core.now() < until_when do ngx.sleep(0.1) end
      assert.equal(4, mx:count("message"))
      wait(function() return receipt end)
   end)

   it("that a mistake in this library keeps from being sent is a SystemError, and the next one goes out", function()
      local err
      local log = ngx.log
      ngx.log = function() end
      finally(function() ngx.log = log end)
      local defer = require "smtp.runtime.nginx.defer"
      assert(defer.add(function() error("broken", 0) end, {}, {}, function(_, why) err = why end))
      wait(function() return err end)
      assert.same({ "system", "smtp.defer failed: broken" }, { err.kind, err.what })
      assert(safe.defer(options()))
      wait(function() return mx:count("message") == 1 end)
   end)

   for why, expected in pairs {
      ["process exiting"] = { "system", "timer", "later", "this worker of nginx is about to end: process exiting",
         "Send the message with smtp.send, or in the next worker" },
      ["too many pending timers"] = { "system", "timer", "later",
         "nginx could not make a timer: too many pending timers", "Raise lua_max_pending_timers in nginx.conf" },
   } do
      it("without a timer is a SystemError that retries later: " .. why, function()
         local at = ngx.timer.at
         finally(function() ngx.timer.at = at end)
         ngx.timer.at = function() return nil, why end
         local ticket, err = safe.defer(options())
         assert.is_nil(ticket)
         assert.same(expected, { err.kind, err.reason, err.retry, err.what, err.hint })
         assert.equal(0, mx:count("open"))
      end)
   end

   it("beyond a thousand that wait is refused, and all others go out", function()
      local done, err = 0, nil
      for _ = 1, 1010 do
         local ticket, why = safe.defer(options(), function() done = done + 1 end)
         if not ticket then err = why end
      end
      assert.same({ "system", "queue_full", "later" }, { err.kind, err.reason, err.retry })
      local until_when = core.now() + 60
      while done < 1000 and core.now() < until_when do ngx.sleep(0.05) end
      assert.equal(1000, done)
      assert.equal(1000, mx:count("message"))
   end)
end)

describe("smtp.runtime.nginx.defer", function()
   it("is refused in the phase init, with the remedy", function()
      local found = phases.deferred.init
      assert.is_true(found.ok)
      assert.equal("usage", found.err.kind)
      assert.truthy(found.err.hint:find("init_worker", 1, true))
   end)

   for _, phase in ipairs { "init_worker", "set", "header_filter", "body_filter", "log", "balancer", "access" } do
      it("sends from the phase " .. phase, function()
         local found = phases.visit(phase)
         assert.is_true(found.ok, tostring(found.accepted))
         assert(found.accepted, tostring(found.err))
         wait(function() return found.failure end)
         assert.equal("connect", found.failure.kind)
      end)
   end
end)
