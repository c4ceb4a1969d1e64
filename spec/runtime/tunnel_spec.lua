-- The way through a proxy of any kind: by transcripts, and over real sockets.
local core = require "smtp.core"
local environment = require "smtp.runtime.environment"
local poll_loop = require "spec.tools.poll_loop"
local proxies = require "spec.tools.proxies"
local safe = require "smtp.safe"

local play, play_once, script = proxies.play, proxies.play_once, proxies.script
local PASSWORD, LOGIN = proxies.PASSWORD, proxies.LOGIN

local function socks(more) return proxies.options("socks5", more) end
local function http(more) return proxies.options("http", more) end

local function escaped(text)
   return (text:gsub(".", function(c) return ("\\x%02x"):format(c:byte()) end))
end

describe("A proxy", function()
   it("that closes says nothing of the server: another attempt may help", function()
      for scheme, hint in pairs { socks5 = "http://", http = "socks5://" } do
         local _, err = play(socks { proxy = scheme .. "://proxy.example" }, script(
            (scheme == "http" and "<http>" or "<hello_socks>") .. "\nCLOSE"))
         assert.same({ "connect", "proxy_protocol", "later" }, { err.kind, err.reason, err.retry })
         assert.truthy(err.hint:find(hint, 1, true), err.hint)
         assert.truthy(tostring(err):find("closed the connection", 1, true))
      end
   end)

   it("that says nothing runs into the deadline", function()
      for _, before in ipairs { "<hello_socks>", "<hello_socks>\nS~ \\x05\\x00\n<connect_socks>" } do
         local _, err = play(socks { connect_timeout = 7 }, script(before .. "\nSILENCE"))
         assert.same({ "timeout", "timeout", "connect", "later" }, { err.kind, err.reason, err.stage, err.retry })
         assert.truthy(tostring(err):find("through the proxy proxy.example:1080 within 7 s (connect_timeout)", 1, true),
            tostring(err))
      end
   end)

   it("that stops in its header is shown with what it said", function()
      local _, err = play(http(), script "<http>\nS: HTTP/1.1 100 Wait\nSILENCE")
      assert.same({ "timeout", "timeout", "HTTP/1.1 100 Wait" }, { err.kind, err.reason, err.text })
   end)

   it("may give the server's first bytes with its last answer, for TLS as well", function()
      local early = script [[
         <http>
         S: HTTP/1.1 200 OK
         S:
         S: 220 hi
         CLOSE
      ]]
      local _, err = play_once(http { tls = "implicit", tls_host = "mx.example" }, early, "whole")
      assert.same({ "tls", "plaintext", "tls" }, { err.kind, err.reason, err.stage })
      assert.equal("220 hi", err.text)
   end)

   it("may give a greeting that refuses all mail with its last answer: all messages have that error", function()
      local early = script [[
         <http>
         S: HTTP/1.1 200 OK
         S:
         S: 554 no service
         C: QUIT
         S: 221 bye
      ]]
      local _, err = play(http {}, early)
      assert.same({ "greeting_refused", "greeting" }, { err.kind, err.stage })
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" }
      local summary = proxies.play_many(http {}, early, { message, message })
      assert.same({ 0, 2, "greeting_refused", "greeting_refused" }, { summary.sent, summary.failed,
         summary.results[1].kind, summary.results[2].kind })
   end)

   it("that sends so much at once that more may wait in a buffer causes proxy_protocol", function()
      local _, err = play_once(http { tls = "implicit", tls_host = "mx.example" }, script(
         "<http>\nS: HTTP/1.1 200 OK\nS:\nS: " .. ("x"):rep(70000) .. "\nCLOSE"), "whole")
      assert.same({ "connect", "proxy_protocol" }, { err.kind, err.reason })
   end)

   it("that closes after any byte causes an error before anything is sent", function()
      for scheme, dialogue in pairs {
         socks5 = { { "<hello_socks>", "\5\0" }, { "<connect_socks>", "\5\0\0\1\127\0\0\1\0\25" } },
         http = { { "<http>", "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n" } } } do
         local before = ""
         for _, part in ipairs(dialogue) do
            before = before .. part[1] .. "\n"
            for count = 0, #part[2] - 1 do
               local said = before .. "S~ " .. escaped(part[2]:sub(1, count)) .. "\nCLOSE"
               local _, err = play_once(proxies.options(scheme), script(said), "whole")
               assert.same({ "connect", "proxy_protocol", "later", "no" },
                  { err.kind, err.reason, err.retry, err.sent }, said)
            end
            before = before .. "S~ " .. escaped(part[2]) .. "\n"
         end
      end
   end)

   it("may lead to TLS from the first byte, which is verified by the name of the server", function()
      local receipt, _, peer = play(http { tls = "implicit" }, script [[
         <http>
         S: HTTP/1.1 200 OK
         S:
         TLS
         <hello HELP>
         <accepted>
      ]])
      assert.same({ name = "mx.example", verify = true }, peer.handshake)
      assert.equal("on", receipt.tls.state)
   end)

   it("does not count as loopback", function()
      for _, host in ipairs { "localhost", "127.0.0.1", "::1" } do
         local _, err = play(http { host = host, tls = false, port = 25 }, script([[
            C: CONNECT $place:25 HTTP/1.1
            C: Host: $place:25
            C:
            S: HTTP/1.1 200 OK
            S:
            <hello HELP>
            <bye>
         ]], { place = host == "::1" and "[::1]" or host }))
         assert.equal("tls_unsupported", err.kind)
         _, err = play(http { host = host, tls = "skip", port = 25, username = "ann", password = "sesame-smtp-32" },
            script([[
            C: CONNECT $place:25 HTTP/1.1
            C: Host: $place:25
            C:
            S: HTTP/1.1 200 OK
            S:
            <hello AUTH PLAIN>
            <bye>
         ]], { place = host == "::1" and "[::1]" or host }))
         assert.equal("auth_insecure", err.kind)
      end
   end)

   it("is named in what is observed, and its login is hidden there", function()
      local connected, lines = nil, {}
      local _, err = play_once(http { proxy = "http://" .. LOGIN .. "proxy.example",
         observe = function(event) connected = event.name == "connected" and event or connected end,
         trace = function(_, line) lines[#lines + 1] = line end }, script([[
         C: CONNECT mx.example:25 HTTP/1.1
         C: Host: mx.example:25
         C: Proxy-Authorization: Basic $login
         C:
         S: HTTP/1.1 200 OK
         S:
         S: 220 $password $login
         <ehlo HELP>
         <accepted>
      ]], { password = PASSWORD, login = core.base64("ann:" .. PASSWORD) }), "whole")
      assert.is_nil(err)
      assert.equal("proxy.example:3128", connected.proxy)
      lines = table.concat(lines, "\n")
      assert.truthy(lines:find("220 [secret] [secret]", 1, true), lines)
      assert.is_nil(lines:find(PASSWORD, 1, true))
   end)
end)

describe("A proxy over real sockets", function()
   local function options(sink, kind, proxy, login)
      local t = { proxy = ("%s://%s127.0.0.1:%d"):format(kind, login or "", proxy.port), from = "a@b.example",
         to = "c@d.example", raw = "x\r\n" }
      for name, value in pairs(sink.options) do t[name] = value end
      return t
   end

   for _, kind in ipairs { "socks5", "http" } do
      for _, tls in ipairs { "starttls", "implicit" } do
         it(("%s leads to a server with %s"):format(kind, tls), function()
            local sink, proxy = proxies.sink(tls), proxies.start(kind, { user = "ann", password = PASSWORD })
            local receipt = assert(safe.send(options(sink, kind, proxy, LOGIN)))
            assert.same({ "on", true }, { receipt.tls.state, receipt.tls.verified })
            assert.same({ "localhost\n", "1\n" }, { proxy.finish(), sink.finish() })
         end)
      end

      it(kind .. " carries many messages over several connections", function()
         local sink, proxy = proxies.sink("starttls", 2), proxies.start(kind, { connections = 2 })
         local t, messages = options(sink, kind, proxy), {}
         t.from, t.to, t.raw = nil, nil, nil
         for i = 1, 8 do messages[i] = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" } end
         local summary = assert(safe.send_many(t, messages, { connections = 2 }))
         assert.same({ 8, 0 }, { summary.sent, summary.failed })
         assert.same({ "localhost\nlocalhost\n", "8\n" }, { proxy.finish(), sink.finish() })
      end)

      it(kind .. " may give the greeting with its last answer", function()
         local sink, proxy = proxies.sink "starttls", proxies.start(kind, { waits = true })
         assert(safe.send(options(sink, kind, proxy)))
         assert.same({ "localhost\n", "1\n" }, { proxy.finish(), sink.finish() })
      end)

      if not environment.is_nginx() then
         it(kind .. " is waited for in an event loop", function()
            local sink, proxy = proxies.sink "starttls", proxies.start(kind, { pause = 0.005 })
            local loop, t, receipt = poll_loop.new(), options(sink, kind, proxy), nil
            local ticks = 0
            t.loop = loop
            loop.run { function()
               receipt = assert(safe.send(t))
            end, function()
               while not receipt and ticks < 2000 do
                  ticks = ticks + 1
                  loop.sleep(0.005)
               end
            end }
            assert.is_true(receipt.tls.verified)
            assert.is_true(ticks > 0)
            assert.same({ "localhost\n", "1\n" }, { proxy.finish(), sink.finish() })
         end)
      end

      it(kind .. " carries a connection that is kept", function()
         local sink, proxy = proxies.sink("starttls", 1), proxies.start(kind)
         local t = options(sink, kind, proxy)
         t.keepalive = { idle = 60, size = 1 }
         assert(safe.send(t))
         local message = { from = t.from, to = t.to, raw = t.raw }
         t.from, t.to, t.raw = nil, nil, nil
         local conn = assert(safe.connect(t))
         assert(conn:send(message))
         conn:quit()
         assert.same({ "localhost\n", "2\n" }, { proxy.finish(), sink.finish() })
      end)

      it(kind .. " that drips is held to connect_timeout", function()
         local sink, proxy = proxies.sink("starttls"), proxies.start(kind, { pause = 0.3 })
         local t = options(sink, kind, proxy)
         t.connect_timeout = 0.7
         local _, err = safe.send(t)
         assert.same({ "timeout", "timeout", "connect" }, { err.kind, err.reason, err.stage })
         proxy.finish()
         local other = safe.connect { host = "127.0.0.1", port = sink.port, tls = "skip" } -- the sink ends with it
         if other then other:quit() end
         sink.finish()
      end)
   end

   it("cannot be reached where it does not listen", function()
      local sink = proxies.sink "starttls"
      local _, err = safe.send(options(sink, "socks5", { port = 1 }))
      assert.same({ "connect", "proxy_unreachable", "connect", "later" },
         { err.kind, err.reason, err.stage, err.retry })
      local other = assert(safe.connect { host = "127.0.0.1", port = sink.port, tls = "skip" })
      other:quit()
      sink.finish()
   end)
end)
