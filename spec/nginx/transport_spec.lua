-- The cosocket transport: what goes over real sockets inside nginx, and what each refusal says.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local phases = require "spec.nginx.phases"
local running = require "spec.nginx.running"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"
local transport = require "smtp.runtime.nginx.transport"

local start, with_tls, options = running.start, running.with_tls, running.options
local plain, at, send_at = running.plain, running.at, running.send_at

local ngx = package.loaded.ngx
local cert = certs.make()

local function nothing_told(mx)
   mx:wait("over", 1)
   for _, line in ipairs(mx:log()) do
      assert.is_nil(line:find("MAIL", 1, true) or line:find("auth", 1, true) or line:find("message", 1, true),
         line)
   end
end

after_each(running.stop)

describe("a message from nginx", function()
   it("goes out in clear", function()
      local mx = start {}
      local receipt, err = safe.send(options(mx, plain))
      assert(receipt, tostring(err))
      assert.same({ "bob@there.example" }, receipt.accepted)
      assert.same({ "1 open", "1 C EHLO me.example", "1 C MAIL FROM:<ann@me.example> SIZE=24",
         "1 C RCPT TO:<bob@there.example>", "1 C DATA" }, { unpack(mx:log(), 1, 5) }) -- luacheck: ignore
      mx:wait("C QUIT", 1)
   end)

   it("goes out over TLS, by STARTTLS and from the first byte, with AUTH", function()
      for _, tls in ipairs { "starttls", "implicit" } do
         local mx = with_tls("good", { tls = tls })
         local receipt, err = safe.send(options(mx, { tls = tls == "implicit" and tls or "require" }))
         assert(receipt, tostring(err))
         assert.same({ "on", true, "authenticated" },
            { receipt.tls.state, receipt.tls.verified, receipt.auth.state })
         assert.equal(1, mx:count("message %d+ %x+ from ann"))
         assert.equal(1, mx:count("tls TLSv1.3"))
      end
   end)

   it("goes out whole where replies come byte by byte", function()
      local mx = start { split = true }
      assert((safe.send(options(mx, plain))))
   end)

   it("to two thousand recipients keeps to the window of replies", function()
      local mx, to = start {}, {}
      for i = 1, 2000 do to[i] = ("user%d@there.example"):format(i) end
      local t = options(mx, plain)
      t.to = to
      local receipt = assert((safe.send(t)))
      assert.equal(2000, #receipt.accepted)
   end)

   it("of 10 MiB goes out unchanged while others have their turn", function()
      local mx = with_tls("good")
      local line = ("x"):rep(70) .. "\r\n"
      local text = line:rep(10 * 1024 * 1024 / #line)
      local ticks, going = 0, true
      local ticker = ngx.thread.spawn(function()
         while going do
            ngx.sleep(0.001)
            ticks = ticks + 1
         end
      end)
      local receipt, err = safe.send(options(mx, { raw = text }))
      going = false
      ngx.thread.wait(ticker)
      assert(receipt, tostring(err))
      assert.truthy(ticks >= 30, ticks) -- 10 MiB are 40 budgets
      local length, digest = mx:log("message")[1]:match("message (%d+) (%x+)")
      local hash = require("smtp.crypto").digest("SHA256", text .. ".\r\n")
      assert.same({ #text + 3, (hash:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) },
         { tonumber(length), digest })
   end)

   it("is authenticated in slices, between which others have their turn", function()
      local slices, ticks, going = 0, 0, true
      local own = { name = "X-OWN", start = function() end, step = function()
         slices = slices + 1
         local until_when = core.now() + 0.001
         repeat until core.now() > until_when
         if slices < 30 then return nil, "again" end
         return "x", true
      end }
      local ticker = ngx.thread.spawn(function()
         while going do
            ngx.sleep(0.001)
            ticks = ticks + 1
         end
      end)
      local peer = talk.peer([[
         S: 220 hi
         C: EHLO me.example
         S: 250-mx
         S: 250 AUTH X-OWN
         C: AUTH X-OWN
         S: 334
         C: eA==
         S: 535 no
         C: QUIT
         S: 221 bye]])
      local _, err = safe.send(talk.options({ username = "ann", password = "sesame", auth_mechanisms = { own },
         auth_plaintext = true }, peer))
      going = false
      ngx.thread.wait(ticker)
      assert.equal("auth_rejected", err.kind, tostring(err))
      assert.truthy(ticks >= 15, ticks)
   end)

   it("goes out through a unix socket, and its path is an error where no server listens", function()
      local _, err = safe.send(options({}, { host = "none", socket = "/nowhere/smtp.sock", tls = "skip",
         username = "none", password = "none" }))
      assert.same({ "connect", "connect" }, { err.kind, err.stage })
   end)
end)

describe("a certificate", function()
   for name, reason in pairs { wrong_host = "wrong_host", expired = "expired", not_yet_valid = "not_yet_valid",
      self_signed = "self_signed", unknown_issuer = "unknown_issuer" } do
      for _, version in ipairs { "1.2", "1.3" } do
         it(("that is %s is refused and the server told nothing, TLS %s"):format(name, version), function()
            local mx = with_tls(name, { [version == "1.2" and "tls_max" or "tls_min"] = version })
            for _ = 1, 10 do
               local _, err = safe.send(options(mx))
               assert.equal("certificate", err.kind, tostring(err))
               assert.same({ reason, "tls", "never", "no" }, { err.reason, err.stage, err.retry, err.sent })
            end
            nothing_told(mx)
         end)
      end
   end

   it("with its intermediate is good, and lua_ssl_verify_depth is named where it is too low", function()
      local mx = with_tls("chain")
      assert((safe.send(options(mx))))
      local _, err = send_at("/shallow", options(mx))
      assert.equal("unknown_issuer", err.reason, tostring(err))
      assert.truthy(err.hint:find("lua_ssl_verify_depth", 1, true))
   end)

   it("without a CA file names lua_ssl_trusted_certificate", function()
      local _, err = send_at("/bare", options(with_tls("good")))
      assert.same({ "certificate", "unknown_issuer" }, { err.kind, err.reason })
      assert.truthy(err.hint:find("lua_ssl_trusted_certificate", 1, true))
   end)

   it("is checked for tls_host, and not at all where the caller says so", function()
      assert((safe.send(options(with_tls("wrong_host"), { tls_host = "elsewhere.example" }))))
      local _, err = safe.send(options(with_tls("good"), { tls_host = "elsewhere.example" }))
      assert.equal("wrong_host", err.reason)
      local receipt = assert((safe.send(options(with_tls("self_signed"), { tls_verify = false }))))
      assert.is_false(receipt.tls.verified)
   end)

   it("for an address is refused, and tls_host is named", function()
      local _, err = safe.send(options(with_tls("good"), { host = "127.0.0.1" }))
      assert.equal("wrong_host", err.reason)
      assert.truthy(err.hint:find("tls_host", 1, true))
   end)

   it("of the client's is shown", function()
      local path, key = cert "client"
      local mx = with_tls("good", { client_ca = (cert "ca") })
      assert((safe.send(options(mx, { tls_cert = path, tls_key = key }))))
      local _, err = safe.send(options(mx, { tls_cert = path, tls_key = (cert "ca") }))
      assert.same({ "usage", "tls_key" }, { err.kind, err.option })
      assert.matches("it contains no private key in PEM", err.what, 1, true)
      _, err = safe.send(options(mx, { tls_cert = key, tls_key = key }))
      assert.equal(("tls_cert cannot be used: %s: it contains no certificate in PEM"):format(key), err.what)
      _, err = safe.send(options(mx, { tls_cert = path, tls_key = select(2, cert "good") }))
      assert.same({ "tls", "client_certificate" }, { err.kind, err.reason }, tostring(err))
   end)
end)

describe("TLS", function()
   it("refuses what was injected before it, in the same packet and after it", function()
      for _, text in ipairs { "250 injected\r\n", ("250 injected\r\n"):rep(1000) } do
         local mx = with_tls("good", { inject = text })
         local _, err = safe.send(options(mx))
         assert.same({ "protocol", "injected", "never" }, { err.kind, err.reason, err.retry }, tostring(err))
         nothing_told(mx)
      end
   end)

   it("on a port that speaks plain SMTP fails", function()
      local _, err = safe.send(options(start {}, { tls = "implicit" }))
      assert.equal("tls", err.kind, tostring(err))
   end)
end)

describe("a phase", function()
   for _, phase in ipairs { "init", "init_worker", "set", "header_filter", "body_filter", "log", "balancer" } do
      it(("without sockets is a UsageError that names it and the remedy: %s"):format(phase), function()
         local _, found = phases.visit(phase)
         assert.is_true(found.ok, tostring(found.receipt))
         assert.equal("usage", found.err.kind)
         assert.truthy(found.err.what:find("phase " .. phase, 1, true), found.err.what)
         assert.truthy(found.err.hint:find("smtp.defer", 1, true))
      end)
   end

   for _, phase in ipairs { "rewrite", "access" } do
      it(("with sockets sends: %s"):format(phase), function()
         assert.equal("connect", select(2, phases.visit(phase)).err.kind)
      end)
   end
end)

describe("a connection", function()
   it("belongs to the request that made it, and is closed in others", function()
      local conn = assert(safe.connect(options(start {}, { tls = "skip", username = "none", password = "none",
         from = "none", to = "none", raw = "none" })))
      local receipt, err = at("/bare", function() return conn:send { from = "a@b", to = "c@d", text = "" } end)
      assert.is_nil(receipt)
      assert.equal("disconnected", err.kind)
   end)

   it("refused is a ConnectError, and silence a TimeoutError", function()
      local _, err = safe.send(options({ port = 1 }, plain))
      assert.same({ "connect", "connect" }, { err.kind, err.stage })
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      _, err = safe.send(options({ port = port }, { tls = "skip", username = "none", password = "none",
         timeout = 0.2 }))
      listener:close()
      assert.same({ "timeout", "greeting" }, { err.kind, err.stage })
   end)
end)

describe("a transport", function()
   it("keeps a connection whose last reply was long, where all of it was heard", function()
      local mx = start { queued = "250 " .. ("x"):rep(1500) }
      for _ = 1, 3 do
         assert(safe.send(options(mx, { tls = "skip", username = "none", password = "none",
            keepalive = { idle = 60 } })))
      end
      assert.equal(1, mx:count("open"))
   end)

   it("says why a socket does not send", function()
      local one = transport.new { tls = "skip", host = "mx.example", port = 25 }
      for said, expected in pairs { timeout = "", closed = "", ["broken pipe"] = "broken pipe" } do
         one.sock = { send = function() return nil, said end }
         local why = said == "timeout" and said or "closed"
         assert.same({ nil, why, expected }, { one:send "x" })
      end
   end)
end)

describe("a composed message", function()
   local options_text = [[{ domain = "me.example", date = 1700000000, message_id = "<1@me.example>",
      subject = "Gr\195\188\195\159e", from = "Ann \195\150 <ann@me.example>",
      to = { "bob@there.example", "eve@there.example" }, text = ("Zeile \195\164 .\n.\n"):rep(500),
      tls = "skip", host = "127.0.0.1", port = %d }]]

   it("has the same bytes as outside nginx", function()
      local mx = start {}
      local text = options_text:format(mx.port)
      assert((safe.send(loadstring("return " .. text)()))) -- luacheck: ignore
      local name = os.tmpname()
      local file = io.open(name, "w")
      file:write('require("smtp").send ' .. text)
      file:close()
      assert.truthy(os.execute("luajit " .. name))
      os.remove(name)
      mx:wait("over", 2)
      local inside, outside = {}, {}
      for _, line in ipairs(mx:log()) do
         local number, what = line:match("^(%d+) (.*)$")
         table.insert(number == "1" and inside or outside, what)
      end
      assert.same(inside, outside)
      assert.truthy(#inside > 6)
   end)
end)

describe("the library", function()
   it("can be loaded by a handler, and not at the start of nginx alone", function()
      local kept = {}
      for name, module in pairs(package.loaded) do
         if name:find("^smtp") and type(module) == "table" then kept[name] = module end
      end
      for name in pairs(kept) do package.loaded[name] = nil end
      local ok, loaded = at("/bare", function() return pcall(require, "smtp") end)
      for name, module in pairs(kept) do package.loaded[name] = module end
      assert.is_true(ok, tostring(loaded))
      assert.is_function(loaded.send)
   end)
end)

describe("a 421 without a line end, before the end of the connection,", function()
   for verb, stage in pairs { EHLO = "ehlo", MAIL = "mail", RCPT = "rcpt", DATA = "data" } do
      it("is shown: " .. verb, function()
         local mx = start { cut = { [verb] = "421 4.3.2 going down" } }
         local _, err = safe.send(options(mx, plain))
         assert.same({ "disconnected", stage, 421, "going down", "later" },
            { err.kind, err.stage, err.code, err.text, err.retry }, tostring(err))
      end)
   end
end)
