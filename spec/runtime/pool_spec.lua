-- Kept connections, in nginx and elsewhere: for whom, in which state, and what becomes of dead ones.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local optionlist = require "smtp.client.request"
local pool = require "smtp.runtime.pool"
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local server = require "spec.nginx.server"

local cert = certs.make()
local mx

local function start(config)
   config = config or {}
   config.auth = config.auth or { ann = "sesame", eve = "apple1" }
   mx = server.start(config)
   return mx
end

after_each(function()
   if mx then mx:stop() end
   mx = nil
end)

local function options(more)
   local all = { host = "127.0.0.1", port = mx.port, tls = "skip", username = "ann", password = "sesame",
      domain = "me.example", from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n",
      timeout = 10, keepalive = { idle = 60, size = 4 } }
   for option, value in pairs(more or {}) do
      if value == "none" then value = nil end
      all[option] = value
   end
   return all
end

local function send(more)
   local receipt, err = safe.send(options(more))
   return receipt, err, tostring(err)
end

-- A message that takes its time: several of them are under way at once, however fast the server is.
local function slow()
   local given = false
   return function()
      if given then return nil end
      given = true
      scheduler.sleep(0.05)
      return "Subject: x\r\n\r\nx\r\n"
   end
end

-- So many such messages at once.
local function send_at_once(count)
   local jobs = {}
   for i = 1, count do
      jobs[i] = function()
         local receipt, _, why = send { raw = slow() }
         assert(receipt, why)
      end
   end
   assert(scheduler.run(jobs))
end

describe("a kept connection", function()
   it("carries the next message, and the receipt is the same", function()
      start()
      local first, second = assert((send())), assert((send()))
      assert.equal(1, mx:count("open"))
      assert.equal(1, mx:count("C EHLO"))
      assert.equal(1, mx:count("C AUTH"))
      assert.equal(2, mx:count("message %d+ %x+ from ann"))
      assert.equal(0, mx:count("C RSET"))
      second.server.name, first.server.name = nil, nil
      for _, name in ipairs { "auth", "tls", "capabilities", "recipients", "server", "size" } do
         assert.same(first[name], second[name])
      end
   end)

   it("keeps its TLS", function()
      local path, key = cert "good"
      start { tls = "starttls", cert = path, key = key }
      for _ = 1, 3 do
         local receipt, _, why = send { host = "localhost", tls = "require",
            tls_ca_file = not environment.is_nginx() and cert "ca" or "none" }
         assert(receipt, why)
         assert.same({ "on", true }, { receipt.tls.state, receipt.tls.verified })
      end
      assert.equal(1, mx:count("tls"))
      assert.equal(3, mx:count("message"))
   end)

   it("is not used without keepalive", function()
      start()
      for _ = 1, 2 do assert((send { keepalive = "none" })) end
      assert.equal(2, mx:count("open"))
   end)

   it("serves a refused message and then the next one", function()
      start { refuse = { RCPT = "550 5.1.1 no" } }
      for _ = 1, 2 do
         local _, err = send()
         assert.equal("recipients_refused", err.kind)
      end
      assert.equal(1, mx:count("open"))
      assert.equal(2, mx:count("C RSET"))
   end)

   it("serves many at once, each message once", function()
      start()
      for _ = 1, 2 do send_at_once(8) end
      assert.equal(16, mx:count("message"))
      assert.truthy(mx:count("open") <= 12) -- four of eight were kept
   end)

   it("is left to others by a connection that is closed, and not by QUIT", function()
      start()
      for _ = 1, 2 do
         local t = options { from = "none", to = "none", raw = "none" }
         local conn = assert(safe.connect(t))
         assert(conn:send { from = "a@b", to = "c@d", text = "" })
         conn:close()
         assert.is_false(conn.alive)
      end
      assert.equal(1, mx:count("open"))
      local conn = assert(safe.connect(options { from = "none", to = "none", raw = "none" }))
      conn:quit()
      assert.equal(1, mx:count("C QUIT"))
      assert((send()))
      assert.equal(2, mx:count("open"))
   end)
end)

describe("a kept connection of send_many", function()
   it("is one of those of smtp.send", function()
      start()
      local where = options { from = "none", to = "none", raw = "none" }
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" }
      local list = { message, message, message }
      for _, pipelining in ipairs { "safe", "eager" } do
         where.pipelining = pipelining
         assert((send { pipelining = pipelining }))
         for _ = 1, 2 do assert.equal(3, assert(safe.send_many(where, list, { connections = 1 })).sent) end
         assert((send { pipelining = pipelining }))
      end
      assert.equal(2, mx:count("open"))
      assert.equal(16, mx:count("message"))
   end)
end)

describe("a kept connection of one identity", function()
   it("is never used for a wrong password", function()
      start()
      assert((send()))
      local _, err = send { password = "guess" }
      assert.equal("auth_rejected", err.kind)
      assert.equal(1, mx:count("auth ann bad"))
      assert.equal(1, mx:count("message"))
      assert((send()))
      assert.equal(2, mx:count("open"))
   end)

   it("is never used for auth = skip, nor the other way round", function()
      start()
      assert((send()))
      assert((send { auth = "skip" }))
      assert((send { username = "none", password = "none" }))
      assert((send()))
      assert.equal(3, mx:count("open"))
      assert.equal(2, mx:count("from ann"))
      assert.equal(2, mx:count("from nobody"))
   end)

   it("is never used for another", function()
      start()
      for _ = 1, 2 do
         assert((send()))
         assert((send { username = "eve", password = "apple1" }))
      end
      assert.equal(2, mx:count("open"))
      assert.equal(2, mx:count("from eve"))
   end)

   it("has the same name whatever the order of the fields is, of a list with names, too", function()
      local function name(own) return pool.place({ keepalive = { idle = 1, size = 1 }, own = own }, "", nil).name end
      local one, other = { "a", "b", x = 1, y = 2 }, { y = 2 }
      other.x, other[2], other[1] = 1, "b", "a"
      assert.equal(name(one), name(other))
      other[1] = "c"
      assert.not_equal(name(one), name(other))
   end)

   it("has a name that no other options have", function()
      start()
      local seen = {}
      local function name(more)
         local t = options(more)
         local checked = assert(optionlist.connection { host = t.host, port = t.port, tls = t.tls,
            username = t.username, password = t.password, domain = t.domain, keepalive = t.keepalive,
            auth = t.auth, auth_mechanisms = t.auth_mechanisms, token = t.token, authzid = t.authzid,
            tls_verify = t.tls_verify, tls_host = t.tls_host, pipelining = t.pipelining,
            source_address = t.source_address, auth_plaintext = t.auth_plaintext, timeout = t.timeout,
            scram_iterations = t.scram_iterations, tls_cert = t.tls_cert, tls_key = t.tls_key })
         return pool.place(checked, "", nil).name
      end
      local one = name()
      assert.equal(one, name())
      assert.equal(one, name { timeout = 3 })
      assert.is_nil(one:find("sesame", 1, true) or one:find("ann", 1, true))
      local function fn() return "sesame" end
      for _, more in ipairs { {}, { host = "127.0.0.2" }, { port = 1 }, { tls = "prefer" }, { username = "a" },
         { password = "b" }, { username = "annsesame", password = "x" }, { domain = "a.example" },
         { auth = "prefer" }, { auth_mechanisms = "PLAIN" }, { auth_mechanisms = { "PLAIN", "LOGIN" } },
         { auth_mechanisms = { "LOGIN", "PLAIN" } }, { token = "t" }, { authzid = "z" }, { tls_verify = false },
         { tls_host = "h" }, { pipelining = "off" }, { source_address = "127.0.0.1" }, { auth_plaintext = true },
         { scram_iterations = { 1, 2 } }, { password = fn }, { password = function() return fn() end },
         { tls_cert = "a", tls_key = "b" }, { keepalive = { idle = 1 } } } do
         local found = name(more)
         assert.is_nil(seen[found])
         seen[found] = true
         assert.equal(found, name(more))
      end
      assert.equal(one, name()) -- made anew
   end)

   it("cannot be told with a mechanism of the user's own", function()
      start()
      local own = { name = "MINE", start = function() end, step = function() end }
      local _, err = send { auth_mechanisms = { own } }
      assert.same({ "usage", "keepalive" }, { err.kind, err.option })
   end)
end)

describe("a connection", function()
   for name, surplus in pairs { ["with half a reply unread"] = "25", ["with a surplus reply"] = "250 more\r\n" } do
      it(name .. " is not kept", function()
         start { surplus = surplus }
         for _ = 1, 2 do assert((send())) end
         assert.equal(2, mx:count("open"))
      end)
   end

   it("in another state than those kept is not kept, and the old ones are used no more", function()
      start { caps = { "PIPELINING", "SIZE 1000" }, later_caps = { "PIPELINING", "SIZE 2000" } }
      assert((send()))
      send_at_once(2)
      assert.equal(2, mx:count("open"))
      local third = assert((send()))
      assert.equal("2000", third.capabilities.SIZE)
      assert.equal(3, mx:count("open"))
      assert((send()))
      assert.equal(3, mx:count("open"))
   end)

   it("that idled for too long is closed, elsewhere than in nginx by the next message", function()
      start()
      assert((send { keepalive = { idle = "0.05" } }))
      scheduler.sleep(0.1)
      assert((send()))
      mx:wait("over", 1)
      assert.equal(2, mx:count("open"))
   end)
end)

describe("a kept connection that is dead", function()
   for _, how in ipairs { "message", "goodbye", "reset" } do
      it("is replaced once, and the message goes out once: " .. how, function()
         start { hang_up = how }
         for i = 1, 3 do
            local receipt, _, why = send()
            assert(receipt, why)
            assert.equal(i, mx:count("message"))
            core.sleep(0.15) -- nginx does not look meanwhile
         end
         assert.equal(3, mx:count("open"))
      end)
   end

   it("is not replaced by another one that is dead", function()
      start { hang_up = "message" }
      send_at_once(3)
      core.sleep(0.15) -- nginx does not look meanwhile
      local receipt, _, why = send()
      assert(receipt, why)
      assert.equal(4, mx:count("message"))
   end)

   it("is replaced for smtp.connect as well", function()
      start { hang_up = "message" }
      assert((send()))
      core.sleep(0.15) -- nginx does not look meanwhile
      local conn = assert(safe.connect(options { from = "none", to = "none", raw = "none" }))
      assert.is_true(conn.alive)
      conn:close()
   end)

   it("is not replaced once MAIL was answered", function()
      start { refuse = { RCPT = "421 4.3.0 enough" } }
      local conn = assert(safe.connect(options { from = "none", to = "none", raw = "none" }))
      conn:close()
      local _, err = send()
      assert.equal("disconnected", err.kind)
      assert.equal(1, mx:count("open"))
   end)

   it("leaves a source as it was", function()
      start { hang_up = "message" }
      assert((send()))
      core.sleep(0.15) -- nginx does not look meanwhile
      local calls, pieces = 0, { "Subject: x\r\n\r\n", "one\r\n" }
      assert((send { raw = function() calls = calls + 1 return pieces[calls] end }))
      assert.equal(2, mx:count("message"))
      assert.equal(3, calls)
   end)
end)
