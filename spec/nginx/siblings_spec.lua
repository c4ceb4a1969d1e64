-- What is refused before anything is sent, and what becomes of calls in the wrong place, inside nginx.
local core = require "smtp.core"
local phases = require "spec.nginx.phases"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local ngx = package.loaded.ngx
local mx

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local function options(more)
   local t = { host = "127.0.0.1", port = mx and mx.port or 1, tls = "skip", domain = "me.example",
      from = "ann@me.example", to = "bob@there.example", text = "x", timeout = 5 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

describe("an error that smtp raises", function()
   it("is in the error log of nginx in words, for nginx calls a table an unknown reason", function()
      local smtp = require "smtp"
      local logged, log = {}, ngx.log
      ngx.log = function(level, ...) logged[#logged + 1] = { level, table.concat { ... } } end
      local raised, err = pcall(smtp.send, options { port = 1 })
      local _, usage = pcall(smtp.connect, { pass = "sesame" })
      safe.send(options { port = 1 })
      ngx.log = log
      assert.is_false(raised)
      assert.same({ { ngx.ERR, tostring(err) }, { ngx.ERR, tostring(usage) } }, logged)
      assert.is_nil(tostring(usage):find("sesame", 1, true))
   end)
end)

describe("a connection of one request", function()
   it("that two light threads use at once is busy for the second, and no bytes are mixed", function()
      mx = server.start {}
      local conn = assert(safe.connect { host = "127.0.0.1", port = mx.port, tls = "skip", domain = "me.example" })
      local pieces = 0
      local function slow()
         pieces = pieces + 1
         ngx.sleep(0.01)
         return pieces <= 5 and ("line %d\r\n"):format(pieces) or nil
      end
      local first = ngx.thread.spawn(function()
         return conn:send { from = "a@b.example", to = "c@d.example", raw = slow }
      end)
      ngx.sleep(0.015)
      for _, call in ipairs { "noop", "reset", "quit" } do
         local _, err = conn[call](conn)
         assert.same({ "usage", "connection" }, { err.kind, err.option }, call)
      end
      local _, err = conn:send { from = "e@b.example", to = "f@d.example", text = "second" }
      assert.same({ "usage", "connection" }, { err.kind, err.option })
      local _, receipt = ngx.thread.wait(first)
      assert.same({ "c@d.example" }, receipt.accepted)
      assert(conn:send { from = "e@b.example", to = "f@d.example", text = "third" })
      assert.equal(2, mx:count("message"))
      assert.equal(2, mx:count("MAIL"))
      conn:close()
   end)

   it("whose light thread was killed amid a message delivers nothing and can be closed", function()
      for _, keepalive in ipairs { false, { idle = 10 } } do
         mx = server.start {}
         local conn = assert(safe.connect { host = "127.0.0.1", port = mx.port, tls = "skip",
            domain = "me.example", keepalive = keepalive })
         local thread = ngx.thread.spawn(function()
            return conn:send { from = "a@b.example", to = "c@d.example", raw = function()
               ngx.sleep(0.01)
               return "more\r\n"
            end }
         end)
         ngx.sleep(0.05)
         assert(ngx.thread.kill(thread))
         local receipt, err = conn:send { from = "e@b.example", to = "f@d.example", text = "second" }
         assert.is_nil(receipt)
         assert.is_table(err)
         conn:close()
         mx:wait("over", 1)
         assert.equal(0, mx:count("message"))
         mx:stop()
      end
      mx = nil
   end)
end)

describe("a send whose light thread is killed", function()
   it("leaves nothing to those that come after it", function()
      mx = server.start {}
      local more = { keepalive = { idle = 10, size = 4 } }
      for _ = 1, 5 do
         more.raw, more.text = function() ngx.sleep(0.005) return "more\r\n" end, nil
         local t = options(more)
         t.text = nil
         local thread = ngx.thread.spawn(function() return safe.send(t) end)
         ngx.sleep(0.03)
         assert(ngx.thread.kill(thread))
         assert(safe.send(options { keepalive = { idle = 10, size = 4 } }))
      end
      assert.equal(5, mx:count("message"))
   end)
end)

describe("a callback of smtp.defer", function()
   it("that ends its timer does not stop the queue for ever", function()
      mx = server.start {}
      local now, done, ended = core.now, 0, 0
      finally(function() core.now = now end)
      for _ = 1, 4 do
         assert(safe.defer(options(), function()
            ended = ended + 1
            ngx.exit(ngx.ERROR)
         end))
      end
      for _ = 1, 200 do
         if ended == 4 then break end
         ngx.sleep(0.01)
      end
      assert.equal(4, ended)
      core.now = function() return now() + 100 end
      assert(safe.defer(options(), function() done = done + 1 end))
      for _ = 1, 200 do
         if done == 1 then break end
         ngx.sleep(0.01)
      end
      assert.equal(1, done)
   end)
end)

describe("smtp.safe", function()
   for _, phase in ipairs { "init", "init_worker", "set", "header_filter", "body_filter", "log", "balancer", "rewrite",
      "access" } do
      it("raises nothing in the phase " .. phase, function()
         phases.visit(phase)
         for name, found in pairs(phases.others[phase]) do
            assert.is_true(found[1], name .. ": " .. tostring(found[2]))
            if name ~= "message" and name ~= "probe" then
               local err = found[3] or found[2] and found[2].results[1]
               assert.is_true(safe.is_error(err), name .. ": " .. tostring(err))
            end
         end
      end)
   end
end)

describe("421 without a line end", function()
   it("is shown", function()
      mx = server.start { cut = { MAIL = "421 4.3.2 going down" } }
      local _, err = safe.send(options())
      assert.same({ "disconnected", 421 }, { err.kind, err.code }, tostring(err))
      assert.truthy(tostring(err):find("going down", 1, true))
   end)
end)
