-- The option proxy, with the proxies of Debian: microsocks, dante and tinyproxy; with PROXIES=squid, that one.
local proxies = require "spec.tools.proxies"
local safe = require "smtp.safe"
local socket = require "smtp.socket"

local PASSWORD, LOGIN = proxies.PASSWORD, proxies.LOGIN

-- scheme; has_login = it can require one; blocks = it refuses a port by a rule
local kinds = {
   microsocks = { scheme = "socks5", has_login = true }, dante = { scheme = "socks5", blocks = true },
   tinyproxy = { scheme = "http", has_login = true },
}
if os.getenv "PROXIES" == "squid" then kinds = { squid = { scheme = "http", has_login = true, blocks = true } } end

local function closed_port()
   local listener = socket.listen("127.0.0.1", 0)
   local port = select(2, listener:getsockname())
   listener:close()
   return port
end

local function start(kind, blocked, login)
   local pipe = io.popen(("exec bash spec/live/proxies.sh %s %d %s 2>&1"):format(kind, blocked, login or ""))
   local said = {}
   for line in pipe:lines() do
      said[#said + 1] = line
      local port, pid = line:match("^ready (%d+) (%d+)$")
      if port then
         return { port = port, stop = function()
            os.execute("kill " .. pid)
            pipe:close()
         end }
      end
   end
   error(table.concat(said, "\n"))
end

for kind, traits in pairs(kinds) do
   describe(kind, function()
      local proxy, blocked, login

      setup(function()
         blocked, login = closed_port(), traits.has_login and LOGIN or ""
         proxy = start(kind, blocked, traits.has_login and "ann " .. PASSWORD)
      end)
      teardown(function() proxy.stop() end)

      local function options(more, with)
         local t = { host = "localhost", timeout = 20, from = "a@b.example", to = "c@d.example", raw = "x\r\n",
            proxy = ("%s://%s127.0.0.1:%s"):format(traits.scheme, with or login, proxy.port) }
         for name, value in pairs(more) do t[name] = value end
         return t
      end

      -- To a proxy "localhost" may be ::1, where the sink does not listen.
      local function to(sink)
         local t = { tls_host = "localhost" }
         for name, value in pairs(sink.options) do t[name] = value end
         t.host = "127.0.0.1"
         return t
      end

      for _, tls in ipairs { "starttls", "implicit" } do
         it("leads to a server with " .. tls, function()
            local sink = proxies.sink(tls, 1)
            local receipt = assert(safe.send(options(to(sink))))
            assert.same({ "on", true }, { receipt.tls.state, receipt.tls.verified })
            assert.equal("1\n", sink.finish())
         end)
      end

      it("carries many connections at once", function()
         local sink, messages = proxies.sink("starttls", 4), {}
         for i = 1, 12 do messages[i] = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" } end
         local t = options(to(sink))
         t.from, t.to, t.raw = nil, nil, nil
         local summary = assert(safe.send_many(t, messages, { connections = 4 }))
         assert.same({ 12, 0 }, { summary.sent, summary.failed })
         assert.equal("12\n", sink.finish())
      end)

      it("that cannot reach the server refuses", function()
         for host, port in pairs { localhost = closed_port(), ["nowhere.invalid"] = 25 } do
            local _, err = safe.send(options { host = host, port = port })
            assert.same({ "connect", "proxy_refused", "connect", "later" },
               { err.kind, err.reason, err.stage, err.retry }, tostring(err))
         end
      end)

      if traits.has_login then
         it("that requires a login says so, and does not take another one", function()
            for _, with in ipairs { "", "ann:wrong-password-34@" } do
               local _, err = safe.send(options({ port = 25 }, with))
               assert.same({ "connect", "proxy_auth", "connect", "never" },
                  { err.kind, err.reason, err.stage, err.retry }, tostring(err))
               assert.is_nil(tostring(err):find("wrong-password", 1, true))
            end
         end)
      end

      if traits.blocks then
         it("that has a rule against the port says so", function()
            local _, err = safe.send(options { port = blocked })
            assert.same({ "connect", "proxy_refused", "never" }, { err.kind, err.reason, err.retry }, tostring(err))
         end)
      end

      it("is not a proxy of the other kind", function()
         local other = traits.scheme == "http" and "socks5" or "http"
         local _, err = safe.send(options { port = 25, connect_timeout = 2,
            proxy = ("%s://127.0.0.1:%s"):format(other, proxy.port) })
         assert.equal("connect", err.stage)
         assert.truthy(err.reason == "proxy_protocol" or err.reason == "timeout", tostring(err))
         assert.truthy(err.hint:find(traits.scheme .. "://", 1, true), tostring(err))
      end)
   end)
end
