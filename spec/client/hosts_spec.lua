-- Several hosts: which one is used, when the next one is tried, and what is said about the others.
local core = require "smtp.core"
local luassert = require "luassert"
local memory = require "smtp.client.memory"
local proxies = require "spec.tools.proxies"
local runtime = require "smtp.runtime.runtime"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.script
local real_transport = runtime.transport

local OK = "<hello HELP>\n<accepted>"

-- By host: a transcript, a list of them for one connection each, or the word of a connection that fails.
local function transports(by_host, tried, mode)
   local counts = {}
   return function(server)
      local host = server.host
      tried[#tried + 1] = host
      counts[host] = (counts[host] or 0) + 1
      local play = by_host[host]
      if type(play) == "table" then play = play[counts[host]] end
      assert(play, "nothing to do for " .. host)
      if play:find("%s") or play:find("^<") then
         local peer = talk.peer(script(play), mode)
         tried.peers[#tried.peers + 1] = peer
         return peer
      end
      local fail = function() return nil, play, "its words" end
      return { settimeouts = function() end, close = function() end, connect = fail }
   end
end

local function once(fn, options, by_host, mode)
   local tried, t = { peers = {} }, {}
   runtime.transport = by_host and transports(by_host, tried, mode) or real_transport
   for name, value in pairs(options) do t[name] = value end
   t.port = t.port or talk.new_port() -- what happens at a host is remembered
   local result, err = fn(t)
   runtime.transport = real_transport
   for _, peer in ipairs(tried.peers) do talk.finished(peer) end
   return result, err, tried
end

-- Sends a message to these hosts in all ways. -> receipt, err, the hosts in the order in which they were tried
local function send(hosts, by_host, more)
   local options = talk.options(more)
   options.host = hosts
   local receipt, err, tried = once(safe.send, options, by_host, "whole")
   for _, mode in ipairs { "bytes", "halves" } do
      local other, other_err, other_tried = once(safe.send, options, by_host, mode)
      luassert.same(table.concat(tried, " "), table.concat(other_tried, " "))
      luassert.equal(receipt and receipt.server.host, other and other.server.host)
      luassert.equal(err and err.what:gsub(":%d+", ""), other_err and other_err.what:gsub(":%d+", ""))
   end
   return receipt, err, table.concat(tried, " ")
end

after_each(function() runtime.transport = real_transport end) -- where an assertion failed

describe("Several hosts", function()
   it("are one, if the first greets", function()
      local receipt, err, tried = send({ "a.example", "b.example" }, { ["a.example"] = OK })
      assert.is_nil(err)
      assert.same({ "a.example", "a.example" }, { receipt.server.host, tried })
   end)

   for what, play in pairs {
      ["has no address"] = "resolve:unknown_host", ["cannot be looked up"] = "timeout:resolve",
      ["refuses the connection"] = "connect:refused", ["cannot be reached"] = "connect:unreachable",
      ["does not accept it in time"] = "timeout",
      ["greets with 554"] = "S: 554 no service\nC: QUIT\nS: 221 bye",
      ["greets with 421"] = "S: 421 too busy\nCLOSE",
      ["closes instead of greeting"] = "SILENCE_\nCLOSE",
      ["closes in its greeting"] = "S~ 220-hi\nCLOSE", ["says nothing"] = "SILENCE_\nSILENCE",
      ["is a web server"] = "S: HTTP/1.1 400 Bad Request\nCLOSE",
      ["refuses EHLO and HELO"] = "S: 220 hi\nC: EHLO me.example\nS: 550 no\nC: QUIT\nS: 221 bye",
      ["closes after EHLO"] = "S: 220 hi\nC: EHLO me.example\nCLOSE",
      ["does not answer EHLO"] = "S: 220 hi\nC: EHLO me.example\nSILENCE",
   } do
      it("are tried in order where one " .. what, function()
         local transcript = play:gsub("SILENCE_\n", "")
         if not transcript:find("\n") and not transcript:find("^[a-z]") then transcript = "\n" .. transcript end
         local receipt, err, tried = send({ "a.example", "b.example" }, { ["a.example"] = transcript,
            ["b.example"] = OK })
         assert.is_nil(err)
         assert.same({ "b.example", "a.example b.example" }, { receipt.server.host, tried })
      end)
   end

   for what, play in pairs {
      ["refuses STARTTLS"] = { "<hello STARTTLS>\nC: STARTTLS\nS: 454 not now\n<bye>", { tls = "require" } },
      ["has a wrong certificate"] = { "<hello STARTTLS>\nC: STARTTLS\nS: 220 go\nTLS certificate:wrong_host",
         { tls = "require" } },
      ["has a wrong certificate at once"] = { "TLS certificate:expired", { tls = "implicit" } },
      ["has no AUTH"] = { "<hello HELP>\n<bye>", { username = "ann", password = "sesame-hosts-41" } },
      ["refuses the password"] = { "<hello AUTH PLAIN>\n<auth PLAIN, \\0ann\\0sesame-hosts-41>\nS: 535 5.7.8 no\n<bye>",
         { username = "ann", password = "sesame-hosts-41", auth_plaintext = true } },
      ["refuses the sender"] = { "<hello HELP>\nC: MAIL FROM:<ann@me.example>\nS: 550 no\n<bye>" },
      ["says 421 to MAIL"] = { "<hello HELP>\nC: MAIL FROM:<ann@me.example>\nS: 421 bye\nCLOSE" },
      ["closes after MAIL"] = { "<hello HELP>\nC: MAIL FROM:<ann@me.example>\nCLOSE" },
      ["does not answer the end of the message"] = { "<hello HELP>\nC: MAIL FROM:<ann@me.example>\nS: 250 ok\n"
         .. "C: RCPT TO:<bob@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nCLOSE" },
   } do
      it("stay with the one that " .. what, function()
         local receipt, err, tried = send({ "a.example", "b.example" }, { ["a.example"] = play[1] }, play[2])
         assert.is_nil(receipt)
         assert.same({ "a.example", "a.example" }, { err.host, tried })
         assert.is_nil(err.tried)
         local _, single = once(safe.send, (function()
            local t = talk.options(play[2])
            t.host = "a.example"
            return t
         end)(), { ["a.example"] = play[1] }, "whole")
         assert.same({ single.kind, single.reason, single.stage, single.retry, single.sent, single.recipients ~= nil },
            { err.kind, err.reason, err.stage, err.retry, err.sent, err.recipients ~= nil })
      end)
   end

   it("with TLS from the first byte are tried in order where one closes before it greets", function()
      local _, err, tried = send({ "a.example", "b.example" }, { ["a.example"] = "TLS closed",
         ["b.example"] = "TLS\n" .. OK }, { tls = "implicit" })
      assert.is_nil(err)
      assert.equal("a.example b.example", tried)
   end)

   it("have one error where none greets, which names them all", function()
      local receipt, err, tried = send({ "a.example", "b.example", "c.example" }, {
         ["a.example"] = "resolve:unknown_host", ["b.example"] = "S: 554 no service\nC: QUIT\nS: 221 bye",
         ["c.example"] = "connect:refused" })
      assert.is_nil(receipt)
      assert.equal("a.example b.example c.example", tried)
      assert.same({ "connect", "refused", "c.example", "later", "no" },
         { err.kind, err.reason, err.host, err.retry, err.sent })
      local line = tostring(err)
      local at_a, at_b, at_c = line:find("a.example:%d+ has no address"), line:find("b.example:%d+ refused"),
         line:find("c.example:%d+ cannot be reached")
      assert.truthy(at_a and at_b and at_c and at_a < at_b and at_b < at_c, line)
      assert.equal(3, #err.tried)
      assert.truthy(err.tried[2]:find("^b.example:%d+ refused .*%(554%): no service"), err.tried[2])
   end)

   it("have the error of the preferred one where all fail alike", function()
      local _, err = send({ "a.example", "b.example" }, { ["a.example"] = "connect:refused",
         ["b.example"] = "connect:unreachable" })
      assert.same({ "a.example", "refused" }, { err.host, err.reason })
   end)

   it("name those that were tried in an error of the one that is used", function()
      local _, err = send({ "a.example", "b.example" }, { ["a.example"] = "connect:refused",
         ["b.example"] = "<hello HELP>\nC: MAIL FROM:<ann@me.example>\nS: 550 no\n<bye>" })
      assert.same({ "sender_refused", "b.example", 1 }, { err.kind, err.host, #err.tried })
   end)

   it("lack what this machine lacks", function()
      local _, err, tried = send({ "a.example", "b.example" }, { ["a.example"] = "system" })
      assert.same({ "system", "a.example" }, { err.kind, tried })
   end)

   it("stop where the time is over", function()
      local options = talk.options { host = { "a.example", "b.example" }, timeout = 0.05 }
      options.host = { "a.example", "b.example" }
      local tried = 0
      runtime.transport = function()
         tried = tried + 1
         return { settimeouts = function() end, close = function() end, connect = function()
            core.sleep(0.1)
            return nil, "timeout"
         end }
      end
      options.port = talk.new_port()
      local _, err = safe.send(options)
      runtime.transport = real_transport
      assert.same({ "timeout", 1 }, { err.kind, tried })
   end)
end)

describe("A host that did not greet", function()
   local real_now = core.now
   after_each(function() core.now = real_now end)

   it("is tried last for a minute, and then first again", function()
      local port = talk.new_port()
      local options = talk.options { port = port }
      options.host = { "a.example", "b.example" }
      local dead = { ["a.example"] = "connect:refused", ["b.example"] = OK }
      local alive = { ["a.example"] = OK, ["b.example"] = OK }
      local function tried_with(by_host)
         return table.concat(select(3, once(safe.send, options, by_host, "whole")), " ")
      end
      assert.equal("a.example b.example", tried_with(dead))
      assert.equal("b.example", tried_with(alive))
      local now = real_now()
      core.now = function() return now + 50 end -- luacheck: ignore
      assert.equal("b.example", tried_with(alive))
      core.now = function() return now + 70 end -- luacheck: ignore
      assert.equal("a.example", tried_with(alive))
      core.now = real_now -- luacheck: ignore
      assert.equal("a.example", tried_with(alive))
   end)

   it("is tried again at once where the others fail as well, and is the first one again", function()
      local options = talk.options { port = talk.new_port() }
      options.host = { "a.example", "b.example" }
      once(safe.send, options, { ["a.example"] = "connect:refused", ["b.example"] = OK }, "whole")
      local receipt, _, tried = once(safe.send, options, { ["b.example"] = "connect:refused", ["a.example"] = OK },
         "whole")
      assert.same({ "a.example", "b.example a.example" }, { receipt.server.host, table.concat(tried, " ") })
      tried = select(3, once(safe.send, options, { ["a.example"] = OK }, "whole"))
      assert.equal("a.example", table.concat(tried, " "))
   end)

   it("is tried again by one at a time", function()
      local options, tried = talk.options { port = talk.new_port() }, {}
      options.host = { "a.example", "b.example" }
      once(safe.send, options, { ["a.example"] = "connect:refused", ["b.example"] = OK }, "whole")
      local now = real_now()
      core.now = function() return now + 70 end -- luacheck: ignore
      runtime.transport = function(server)
         tried[#tried + 1] = server.host
         if server.host == "b.example" then return talk.peer(script(OK), "whole") end
         return { settimeouts = function() end, close = function() end, connect = function()
            if #tried == 1 then assert(safe.send(options)) end -- meanwhile
            return nil, "timeout"
         end }
      end
      assert(safe.send(options))
      assert.same({ "a.example", "b.example", "b.example" }, tried)
   end)

   it("alone is asked each time", function()
      local server = { host = "one.example", port = 25 }
      memory.note_unreached(server)
      assert.is_true(memory.is_unreached(server))
      assert.is_false(memory.is_unreached { host = "one.example", port = 26 })
      memory.note_reached(server)
      assert.is_false(memory.is_unreached(server))
      local options = talk.options { host = "c.example", port = talk.new_port() }
      for _ = 1, 2 do
         assert.equal("c.example", (once(safe.send, options, { ["c.example"] = OK }, "whole")).server.host)
      end
   end)
end)

describe("A list of hosts", function()
   local function tls_of(options, host)
      local found
      options.host = host
      runtime.transport = function(server)
         found = found or server
         return { settimeouts = function() end, close = function() end, connect = function() return nil, "timeout" end }
      end
      safe.send(options)
      runtime.transport = real_transport
      return found.tls
   end

   it("gives each host its own defaults", function()
      local seen = {}
      runtime.transport = function(server)
         seen[#seen + 1] = ("%s %s %s"):format(server.host, server.tls, tostring(server.loopback))
         return { settimeouts = function() end, close = function() end, connect = function() return nil, "timeout" end }
      end
      local options = talk.options { port = talk.new_port() }
      options.host, options.tls = { "localhost", "mx.example", "[2001:db8::1]" }, nil
      safe.send(options)
      runtime.transport = real_transport
      assert.same({ "localhost skip true", "mx.example require false", "2001:db8::1 require false" }, seen)
      assert.equal("skip", tls_of(talk.options { tls = false, port = talk.new_port() }, { "127.0.0.1" }))
   end)

   it("verifies the certificate by the name of the host that is used", function()
      local options = talk.options { tls = "require", port = talk.new_port() }
      options.host, options.tls_host = { "a.example", "b.example" }, nil
      local receipt, _, tried = once(safe.send, options, { ["a.example"] = "connect:refused",
         ["b.example"] = "<hello STARTTLS>\nC: STARTTLS\nS: 220 go\nTLS\n<ehlo HELP>\n<accepted>" }, "whole")
      assert.equal("b.example", receipt.server.host)
      assert.same({ name = "b.example", verify = true }, tried.peers[1].handshake)
   end)

   it("serves connections, many messages, a probe and a rehearsal", function()
      local by_host = { ["a.example"] = "connect:refused", ["b.example"] = OK }
      local base = talk.options {}
      local connection = { host = { "a.example", "b.example" }, domain = "me.example", tls = "skip" }
      local message = { from = base.from, to = base.to, raw = base.raw }
      local receipt = once(function(t)
         local conn = assert(safe.connect(t))
         local found = assert(conn:send(message))
         assert.truthy(tostring(conn):find("b.example", 1, true))
         conn:quit()
         return found
      end, connection, by_host, "whole")
      assert.equal("b.example", receipt.server.host)
      local summary = once(function(t) return safe.send_many(t, { message }) end, connection, by_host, "whole")
      assert.equal(1, summary.sent)
      assert.equal("b.example", summary.results[1].server.host)
      local report = once(safe.probe, connection, { ["a.example"] = "connect:refused", ["b.example"] =
         "<hello HELP>\n<bye>" }, "whole")
      assert.same({ "b.example", "b.example" }, { report.host, report.options.host })
      local rehearsal = require "smtp.client.rehearsal"
      local found = once(function(t) return rehearsal.run(t, "ehlo") end, connection,
         { ["a.example"] = "connect:refused", ["b.example"] = "<hello HELP>\n<bye>" }, "whole")
      assert.equal("b.example", found.server.host)
   end)

   it("serves what send_many has left where a host goes away", function()
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "Subject: x\r\n\r\nhello\r\n" }
      local one = "C: MAIL FROM:<ann@me.example>\nS: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\nC: DATA\n"
         .. "S: 354 go\nMESSAGE\nS: 250 ok\n"
      local summary, _, tried = once(function(t)
         return safe.send_many(t, { message, message, message }, { connections = 1 })
      end, { host = { "a.example", "b.example" }, domain = "me.example", tls = "skip" }, {
         ["a.example"] = { "<hello HELP>\n" .. one .. "C: MAIL FROM:<ann@me.example>\nCLOSE", "connect:refused" },
         ["b.example"] = "<hello HELP>\n" .. one .. one .. "<bye>" }, "whole")
      assert.same({ 3, 0, "a.example a.example b.example" }, { summary.sent, summary.failed,
         table.concat(tried, " ") })
      assert.same({ "a.example", "b.example", "b.example" }, { summary.results[1].server.host,
         summary.results[2].server.host, summary.results[3].server.host })
   end)

   it("with send_many fails as one host does, where the login is refused", function()
      local play = "<hello AUTH PLAIN>\n<auth PLAIN, \\0ann\\0sesame-hosts-41>\nS: 535 5.7.8 no\n<bye>"
      local found = {}
      for i, host in ipairs { "b.example", { "a.example", "b.example" } } do
         local t = { host = host, domain = "me.example", tls = "skip", username = "ann", password = "sesame-hosts-41",
            auth_plaintext = true }
         local summary = once(function(options)
            return safe.send_many(options, { { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" } })
         end, t, { ["a.example"] = "connect:refused", ["b.example"] = { play, play } }, "whole")
         local err = summary.results[1]
         found[i] = { err.kind, err.reason, err.stage, err.retry, err.sent }
      end
      assert.same(found[1], found[2])
      assert.equal("auth_rejected", found[1][1])
   end)

   it("is checked as a whole, before anything is sent", function()
      for _, row in ipairs { { {}, "0 entries, not 1 to 16" }, { { "a.example", 5 }, "host%[2%]: expected a string" },
         { { "a.example", "b.example:25" }, "a port" }, { { "a.example", { "b.example" } }, "host%[2%]" },
         { { "a.example", nil, "b.example" }, "hole" }, { { x = "a.example" }, "list" },
         { { "a.example", "smtps://b.example" }, "a URL" }, { "a.example, b.example", "several hosts" } } do
         for _, option in ipairs { "host", "server" } do
            local _, err = safe.send { [option] = row[1], from = "a@b.example", to = "c@d.example", text = "" }
            assert.equal("usage", err.kind)
            assert.truthy(err.what:gsub("^server", "host"):find(row[2]), tostring(err))
         end
      end
      local _, err = safe.send { host = { "a.example", "b.example" }, socket = "/run/x", from = "a@b.example",
         to = "c@d.example", text = "" }
      assert.equal("socket", err.option)
   end)

   it("goes with a url, whose other parts it keeps", function()
      local options = { url = "smtp://ann:sesame-hosts-41@x.example:2525", host = { "a.example", "b.example" } }
      local server = assert(require("smtp.client.request").connection(options))
      assert.same({ "a.example", "b.example" }, { server.hosts[1].host, server.hosts[2].host })
      assert.same({ 2525, "ann", "sesame-hosts-41" }, { server.hosts[2].port, server.hosts[2].username,
         server.hosts[2].password })
      assert.equal(server, (require("smtp.client.request").connection(options)))
   end)
end)

describe("Several hosts over real sockets", function()
   it("are tried in order", function()
      local sink = proxies.sink("starttls", 1) -- it listens on one address
      local receipt = assert(safe.send { host = { "127.0.0.2", "localhost" }, port = sink.port, timeout = 20,
         from = "a@b.example", to = "c@d.example", raw = "x\r\n" })
      assert.equal("localhost", receipt.server.host)
      assert.equal("1\n", sink.finish())
   end)

   it("are tried by one proxy, which refuses the first", function()
      local sink, proxy = proxies.sink("starttls", 1), proxies.start("http", { connections = 2 })
      local t = { host = { "nowhere.example", "localhost" }, proxy = "http://127.0.0.1:" .. proxy.port,
         from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
      for name, value in pairs(sink.options) do t[name] = t[name] or value end
      local receipt = assert(safe.send(t))
      assert.same({ "localhost", true }, { receipt.server.host, receipt.tls.verified })
      assert.same({ "nowhere.example\nlocalhost\n", "1\n" }, { proxy.finish(), sink.finish() })
   end)

   it("are not tried where the proxy cannot be reached", function()
      local _, err = safe.send { host = { "a.example", "b.example" }, proxy = "http://127.0.0.1:1", tls = "skip",
         from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
      assert.same({ "proxy_unreachable", "a.example" }, { err.reason, err.host })
      assert.is_nil(err.tried)
   end)

   it("are named where the proxy goes away after the first", function()
      local proxy = proxies.start("http", { connections = 1 })
      local _, err = safe.send { host = { "nowhere.example", "b.example" }, proxy = "http://127.0.0.1:" .. proxy.port,
         tls = "skip", from = "a@b.example", to = "c@d.example", raw = "x\r\n" }
      proxy.finish()
      assert.same({ "b.example", 1 }, { err.host, err.tried and #err.tried })
      assert.truthy(err.tried[1]:find("nowhere.example:25 was not reached", 1, true), err.tried[1])
   end)
end)
