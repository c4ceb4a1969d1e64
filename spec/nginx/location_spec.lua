-- Which certificates are trusted is a matter of the location of nginx.conf: nothing that was verified in
-- one counts in another, neither a TLS session nor a kept connection nor a message that waits.
local certs = require "spec.tools.certs"
local elsewhere = require "spec.nginx.elsewhere"
local running = require "spec.nginx.running"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local at = running.at

local ngx = package.loaded.ngx
local cert = certs.make()
local mx

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local function start(name, version)
   local path, key = cert(name)
   mx = server.start { tls = "starttls", cert = path, key = key,
      [version == "1.2" and "tls_max" or "tls_min"] = version }
end

local function send(more)
   local t = { host = "localhost", port = mx.port, tls = "require", domain = "me.example",
      from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n", timeout = 10 }
   for name, value in pairs(more or {}) do t[name] = value end
   return safe.send(t)
end

-- Where another certificate authority is trusted, or less is.
local places = {
   ["another location"] = function(run) return at("/other", run) end,
   ["a location that trusts nothing"] = function(run) return at("/bare", run) end,
   ["a location with a list of revoked certificates"] = function(run) return at("/revoked", run) end,
   ["the rewrite phase of another location"] = function(run) return elsewhere.at("/rewrite", run) end,
   ["the access phase of another location"] = function(run) return elsewhere.at("/access", run) end,
   ["a location of the same path in another server"] = function(run)
      return elsewhere.at("/content", run, "other.example")
   end,
   ["a timer that was started in another location"] = function(run)
      return at("/other", function() return elsewhere.later(run) end)
   end,
   ["a light thread in another location"] = function(run)
      return at("/other", function() return select(2, ngx.thread.wait(ngx.thread.spawn(run))) end)
   end,
}

local function refused(receipt, err)
   assert.is_nil(receipt)
   assert.equal("certificate", err.kind, tostring(err))
   assert.equal("no", err.sent)
end

describe("what one location has verified", function()
   for _, version in ipairs { "1.2", "1.3" } do
      for _, keepalive in ipairs { false, true } do
         local more = { keepalive = keepalive and { idle = 60, size = 4 } or nil }
         for name, run in pairs(places) do
            it(("does not count in %s: TLS %s, %s"):format(name, version,
               keepalive and "kept connections" or "new connections"), function()
               start("good", version)
               assert(send(more))
               refused(run(function() return send(more) end))
               assert(send(more))
               refused(run(function() return send(more) end))
               assert.equal(2, mx:count("message"))
            end)
         end

         it(("does not count where fewer certificates may lie between: TLS %s, %s"):format(version,
            keepalive and "kept connections" or "new connections"), function()
            start("chain", version)
            assert(send(more))
            refused(at("/shallow", function() return send(more) end))
            assert(send(more))
         end)
      end
   end

   it("does not count where less of TLS is allowed", function()
      start "good"
      local more = { keepalive = { idle = 60, size = 4 } }
      assert(send(more))
      assert((at("/old_tls", function() return send(more) end)))
      assert.same({ 1, 1 }, { mx:count("tls TLSv1.3"), mx:count("tls TLSv1.2") })
   end)

   it("counts in it the next time, in its timers and in its light threads", function()
      start("good", "1.2")
      assert(send())
      assert(send())
      assert(elsewhere.later(send))
      assert(select(2, ngx.thread.wait(ngx.thread.spawn(send))))
      mx:wait("tls TLSv1.2 True", 3)
      local more = { keepalive = { idle = 60, size = 4 } }
      assert(send(more))
      assert(elsewhere.later(function() return send(more) end))
      assert(send(more))
      assert.equal(5, mx:count("open"))
   end)

   it("counts for a connection of smtp.connect, of send_many and of probe neither", function()
      for _, version in ipairs { "1.2", "1.3" } do
         start("good", version)
         local more = { host = "localhost", port = mx.port, tls = "require", domain = "me.example", timeout = 10 }
         local function connect()
            local conn, err = safe.connect(more)
            if conn then conn:close() end
            return conn, err
         end
         local function many()
            local message = { from = "ann@me.example", to = "bob@there.example", text = "" }
            local summary = safe.send_many(more, { message, message })
            return summary.sent == 2 and summary or nil, summary.results[1]
         end
         local function probe()
            local report, err = safe.probe(more)
            if report and report.error then return nil, report.error end
            return report, err
         end
         for _, run in ipairs { connect, many } do
            for _, keepalive in ipairs { false, { idle = 60 } } do
               more.keepalive = keepalive
               assert(run())
               refused(at("/other", run))
            end
         end
         more.keepalive = nil
         assert(probe())
         at("/other", probe)
         assert.equal(4, mx:count("message"))
         mx:stop()
      end
      mx = nil
   end)
end)

describe("a location that is not known", function()
   it("neither resumes nor keeps", function()
      local base = package.loaded["resty.core.base"]
      local get_request = base.get_request
      finally(function() base.get_request = get_request end)
      base.get_request = nil
      start("good", "1.2")
      local more = { keepalive = { idle = 60, size = 4 } }
      assert(send(more))
      assert(send(more))
      assert.same({ 2, 2 }, { mx:count("open"), mx:count("tls TLSv1.2 False") })
   end)
end)

describe("a deferred message", function()
   it("trusts what the location trusts that it was deferred in", function()
      start("good", "1.2")
      local results = {}
      local function defer(name)
         return safe.defer({ host = "localhost", port = mx.port, tls = "require", domain = "me.example",
            from = "ann@me.example", to = "bob@there.example", text = "", timeout = 10 },
            function(receipt, err) results[#results + 1] = { name = name, receipt = receipt, err = err } end)
      end
      local log = ngx.log
      finally(function() ngx.log = log end)
      ngx.log = function() end
      for _ = 1, 12 do
         assert(defer "good")
         assert((at("/other", function() return defer "other" end)))
      end
      for _ = 1, 500 do
         if #results == 24 then break end
         ngx.sleep(0.01)
      end
      assert.equal(24, #results)
      for _, result in ipairs(results) do
         if result.name == "good" then
            assert(result.receipt, tostring(result.err))
         else
            refused(result.receipt, result.err)
         end
      end
      assert.equal(12, mx:count("message"))
   end)
end)
