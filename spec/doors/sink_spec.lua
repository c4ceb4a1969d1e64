local core = require "smtp.core"
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local sinks = require "spec.tools.sinks"
local talk = require "spec.tools.talk"

describe("a sink that cannot listen", function()
   it("says what to change: a path, or an address and a port", function()
      local _, err = assert(safe.sink { socket = "/nonexistent/x" }):listen()
      assert.matches("^Give a path in a folder that exists", err.hint)
      _, err = assert(safe.sink { host = "192.0.2.9" }):listen()
      assert.matches("^Give an address of this machine, and a port", err.hint)
   end)

   it("names its certificate, where that cannot be used", function()
      for path, why in pairs { ["/nonexistent/c.pem"] = "/nonexistent/c.pem: ", ["/dev/null"] = "not a PEM file" } do
         local _, err = assert(safe.sink { tls = "starttls", tls_cert = path }):listen()
         assert.same({ "usage", "tls_cert" }, { err.kind, err.option })
         assert.matches(why, err.what, 1, true)
      end
   end)
end)

describe("the sink over real TLS", function()
   it("makes a certificate for as long as it listens, in the same process", function()
      local function exists(name)
         local file = io.open(name)
         if file then file:close() end
         return file ~= nil
      end
      local one = assert(safe.sink { tls = "starttls" })
      for _ = 1, 2 do
         assert(one:listen())
         local name = one.tls_ca_file
         assert.is_true(exists(name))
         assert.is_false(exists((name:gsub("certificate", "key"))))
         one:close()
         assert.is_false(exists(name))
      end
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local name
      do
         local other = assert(safe.sink { tls = "starttls", port = select(2, listener:getsockname()) })
         local address, err = other:listen()
         assert.is_nil(address)
         assert.equal("connect", err.kind)
         assert.is_false(exists(other.tls_ca_file))
         local forgotten = assert(safe.sink { tls = "starttls" })
         assert(forgotten:listen())
         name = forgotten.tls_ca_file
      end
      collectgarbage()
      collectgarbage()
      assert.is_false(exists(name))
      listener:close()
   end)
end)

local send = sinks.send

local everything = sinks.everything

-- ---- by smtp.send ----

local function pieces(count, piece)
   return function()
      count = count - 1
      return count >= 0 and piece or nil
   end
end

local states = talk.states

describe("the sink", function()
   it("keeps what arrives", function()
      local sink = safe.sink {}
      assert(send(sink))
      assert.same({ { from = "ann@me.example", to = { "bob@there.example", "carol@there.example" },
         data = "Subject: x\r\n\r\n.dot\r\n", tls = false, parameters = { SIZE = "20" }, recipients = {
            { address = "bob@there.example", parameters = {} },
            { address = "carol@there.example", parameters = {} } } } }, sink.messages)
   end)

   it("keeps no more than it is told to", function()
      local seen = 0
      local sink = safe.sink { keep = 2, on_message = function() seen = seen + 1 end }
      for _ = 1, 5 do assert(send(sink)) end
      assert.same({ 2, 5 }, { #sink.messages, seen })
   end)

   it("reads a message that it kept, when it is asked", function()
      local sink = safe.sink()
      assert(send(sink, { raw = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nReceived: a\r\nReceived: b\r\n\r\nhi\r\n" }))
      local message = sink.messages[1]
      assert.equal("Grüße", message.headers.Subject)
      assert.same({ "a", "b" }, message.headers.received)
      assert.equal("hi\n", message.parts[1].text)
      assert.is_nil(message.subject)
      assert.is_nil(rawget(message, "headers"))
   end)

   it("refuses a message where the function for messages says so", function()
      for reply, kind in pairs { ["452 4.3.1 no room"] = "data_refused", drop = "disconnected" } do
         local sink = safe.sink { on_message = function() return reply end }
         local _, err = send(sink)
         assert.equal(kind, err.kind)
         assert.same({}, sink.messages)
      end
      local began = core.now()
      assert(send(safe.sink { on_message = function() return "slow 0.05" end }))
      assert(core.now() - began >= 0.05)
      local sink = safe.sink { on_message = function() return 1 end }
      local _, err = send(sink)
      assert.matches("on_message = 1 is not a valid reply", tostring(err))
   end)

   it("delays a reply, and what follows", function()
      local sink = safe.sink { faults = { rcpt = "slow 0.05", quit = function() return "slow 0.01" end } }
      local began = core.now()
      assert(send(sink))
      assert(core.now() - began >= 0.1)
      for _, wrong in ipairs { "slow", "slow x", "slow -1", "slow 4000", "slow 1 2" } do
         assert.equal("faults.rcpt", select(2, safe.sink { faults = { rcpt = wrong } }).option)
      end
   end)

   it("says what is wrong where it is to serve", function()
      local sink = safe.sink()
      for option, value in pairs { conections = 1, connections = 0, messages = 0.5, timeout = -1 } do
         local count, err = sink:serve { [option] = value }
         assert.is_nil(count)
         assert.equal("usage", err.kind)
         assert.equal(option, err.option)
      end
   end)
end)

describe("the sink", function()
   it("without a descriptor left goes on when a client leaves", function()
      local few = "ulimit -n $((11 + $(ls /proc/$$/fd | wc -l)))" -- nginx has its own open
      local pipe = io.popen(("%s; exec %s csrc/lua-smtp sink --count 30 2>&1"):format(few, peer.interpreter))
      local port = tonumber(pipe:read("*l"):match("%d+$"))
      local list = {}
      for i = 1, 30 do list[i] = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n" } end
      local summary = safe.send_many({ host = "127.0.0.1", port = port, timeout = 20 }, list,
         { connections = 30, per_connection = 1 })
      pipe:read("*a")
      pipe:close()
      assert.equal(30, summary.sent)
   end)
end)

describe("smtp.send to the sink", function()
   it("by BDAT in chunks is what it is by DATA", function()
      local sink = safe.sink()
      for _, word in ipairs { "require", "skip" } do
         assert(send(sink, { raw = pieces(30, (".%s\r\n"):format(("x"):rep(97)):rep(100)),
            extensions = { chunking = word } }))
      end
      assert.equal(300000, #sink.messages[1].data)
      assert(sink.messages[1].data == sink.messages[2].data)
   end)

   it("asks extensions for what they can do", function()
      local sink = safe.sink { capabilities = everything }
      local receipt = assert(send(sink, { dsn = { notify = { "failure", "delay" }, ret = "hdrs", envid = "a=b c" },
         deliver_by = { seconds = 60, trace = true }, hold_until = "2029-12-31T23:59:59Z", mt_priority = -9,
         envelope = { from = "pelé@me.example", to = { { address = "bob@there.example", notify = "never",
            orcpt = "pelé@there.example" }, "carol@there.example" } } }))
      assert.equal("accepted accepted", states(receipt))
      assert.same({ SIZE = "20", SMTPUTF8 = "", RET = "HDRS", ENVID = "a+3Db+20c", BY = "60;RT",
         HOLDUNTIL = "2029-12-31T23:59:59Z", ["MT-PRIORITY"] = "-9" }, sink.messages[1].parameters)
      assert.same({ { address = "bob@there.example", parameters = { NOTIFY = "NEVER",
         ORCPT = "utf-8;pel\\x{E9}@there.example" } }, { address = "carol@there.example", parameters = {
         NOTIFY = "FAILURE,DELAY" } } }, sink.messages[1].recipients)
   end)

   it("splits the recipients where LIMITS says so, and where it is silent", function()
      local count = 0
      for _, options in ipairs { { capabilities = { "LIMITS RCPTMAX=2" } }, { capabilities = {},
         faults = { rcpt = function()
            count = count + 1
            return count == 3 and "452 4.5.3 too many" or nil
         end } } } do
         local sink = safe.sink(options)
         local receipt = assert(send(sink, { to = { "a@x.example", "b@x.example", "c@x.example" } }))
         assert.equal("accepted accepted accepted", states(receipt))
         assert.same({ { "a@x.example", "b@x.example" }, { "c@x.example" } },
            { sink.messages[1].to, sink.messages[2].to })
      end
   end)

   it("by LMTP has a verdict for each recipient", function()
      for _, word in ipairs { "require", "skip" } do
         local sink = safe.sink { protocol = "lmtp", faults = { final = function(address)
            return address:find("bob") and "452 4.2.2 full" or nil
         end } }
         local receipt = assert(send(sink, { protocol = "lmtp", extensions = { chunking = word } }))
         assert.equal("deferred accepted", states(receipt))
         assert.same({ "carol@there.example" }, sink.messages[1].to)
      end
   end)

   it("through a unix socket goes by the command as well", function()
      local path = os.tmpname()
      os.remove(path)
      local pipe = io.popen(("%s csrc/lua-smtp sink --lmtp --socket %s --count 1 2>&1"):format(peer.interpreter, path))
      assert.equal("listening on " .. path, pipe:read("*l"))
      local receipt, err = safe.send { url = "lmtp+unix:" .. path, from = "ann@me.example", to = "bob@there.example",
         text = "hello" }
      local arrived = pipe:read("*a")
      pipe:close()
      assert(receipt, tostring(err))
      assert.truthy(arrived:find("--- from <ann@me.example> to <bob@there.example>, in clear text", 1, true))
      assert.is_nil(io.open(path))
   end)
end)

describe("many messages to the sink", function()
   for _, grade in ipairs { "safe", "eager", "off" } do
      for _, word in ipairs { "prefer", "skip" } do
         it(("have each its own outcome, pipelining = %s, chunking = %s"):format(grade, word), function()
            local sink = safe.sink { faults = {
               mail = function(line) return line:find("eve@") and "550 5.7.1 no" or nil end,
               rcpt = function(line) return line:find("nobody@") and "550 5.1.1 who?" or nil end } }
            local list, wanted = {}, {}
            for i = 1, 40 do
               list[i] = { from = "ann@me.example", to = "bob@there.example", raw = "message " .. i }
               wanted[i] = "message " .. i .. "\r\n"
            end
            list[17].from, list[29].to = "eve@me.example", "nobody@there.example"
            table.remove(wanted, 29)
            table.remove(wanted, 17)
            local summary = assert(safe.send_many({ transport = function() return sink:transport() end, tls = "skip",
               pipelining = grade, extensions = { chunking = word } }, list, { connections = 1 }))
            assert.same({ 38, 2 }, { summary.sent, summary.failed })
            assert.same({ "sender_refused", "recipients_refused" },
               { summary.results[17].kind, summary.results[29].kind })
            for i, one in ipairs(sink.messages) do assert.equal(wanted[i], one.data) end
            assert.equal(#wanted, #sink.messages)
         end)
      end
   end
end)

describe("a sink that listens", function()
   -- One that takes so many octets at a time, and has all that it wants to say ready.
   local function client(text, room)
      local function nothing() end
      local self = { heard = "", settimeouts = nothing, close = nothing, nonblocking = nothing }
      function self.send(_, bytes)
         local count = math.min(#bytes, room)
         self.heard = self.heard .. bytes:sub(1, count)
         return count
      end
      function self.receiveany(_, max)
         if text == "" then return nil, "closed" end
         local data = text:sub(1, max)
         text = text:sub(max + 1)
         return data
      end
      return self
   end

   local function serve(...)
      local sink, socks = safe.sink(), { ... }
      local count = #socks
      sink:listen { accept = function() return table.remove(socks, 1) end, nonblocking = function() end,
         getsockname = function() return "127.0.0.1", 1 end }
      assert.equal(count, sink:serve { connections = count })
   end

   it("hears a client that talks on before it reads", function()
      local sock = client(("NOOP\r\n"):rep(20000), 150000)
      serve(sock)
      local _, count = sock.heard:gsub("250 2.0.0 ok\r\n", "")
      assert.equal(20000, count)
   end)

   it("serves clients in turn that send without end", function()
      local order, socks = {}, {}
      for i, name in ipairs { "a", "b" } do
         local sock = client(("NOOP\r\n"):rep(50000), 1000000)
         local receive = sock.receiveany
         function sock.receiveany(...)
            order[#order + 1] = name
            return receive(...)
         end
         socks[i] = sock
      end
      serve(socks[1], socks[2])
      if not package.loaded.ngx then -- there its own sockets give way
         assert.is_nil(table.concat(order):match("aaa") or table.concat(order):match("bbb"))
      end
   end)

   it("hangs up on one that never reads", function()
      local sock = client(("NOOP\r\n"):rep(200000), 100)
      serve(sock)
      assert(#sock.heard < 10000)
   end)

   for _, tls in ipairs { "skip", "require", "implicit" } do
      it("serves several clients at once, tls = " .. tls, function()
         local cert = certs.make()
         local other = peer.start(([[
            local sink = assert(require("smtp.sink").new { tls = %s, tls_cert = %q, tls_key = %q,
               on_message = function(message)
                  print(message.from)
                  assert(message.tls == (message.tls_version == "TLSv1.3"))
                  assert(message.tls == (message.tls_cipher ~= nil))
               end })
            assert(sink:listen(listener))
            print(sink:serve { connections = 3, timeout = 5 })]]):format(
            ({ skip = "nil", require = "'starttls'", implicit = "'implicit'" })[tls], cert "good"))
         local all = {}
         for i = 1, 3 do
            all[i] = assert(safe.connect { host = "localhost", port = other.port, tls = tls, reply_timeout = 3,
               tls_ca_file = not package.loaded.ngx and cert "ca" or nil })
         end
         for i = 3, 1, -1 do
            assert(all[i]:send { from = ("c%d@me.example"):format(i), to = "bob@there.example", raw = "hi" })
         end
         for i = 1, 3 do all[i]:quit() end
         assert.equal("c3@me.example\nc2@me.example\nc1@me.example\n3\n", other.finish())
      end)
   end

   it("accepts no client any more where a function of the user's fails", function()
      local other = peer.start [[
         local sink = assert(require("smtp.sink").new { on_message = function() error("not this one") end })
         assert(sink:listen(listener))
         print(pcall(sink.serve, sink))]]
      local function try()
         return safe.send { host = "127.0.0.1", port = other.port, from = "ann@me.example", to = "bob@there.example",
            raw = "hi", reply_timeout = 3 }
      end
      local idle = assert(safe.connect { host = "127.0.0.1", port = other.port })
      local _, err = try()
      assert.equal("disconnected", err.kind)
      _, err = try()
      assert.equal("connect", err.kind)
      idle:quit()
      assert.matches("^false\t.*not this one\n$", other.finish())
   end)

   it("ends after so many messages, and leaves no connection open", function()
      local other = peer.start [[
         local sink = assert(require("smtp.sink").new())
         assert(sink:listen(listener))
         print(sink:serve { messages = 2 }, #sink.messages)]]
      local function connect()
         return assert(safe.connect { host = "127.0.0.1", port = other.port, reply_timeout = 3 })
      end
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "hi" }
      local idle, one = connect(), connect()
      assert(one:send(message))
      assert(one:send(message))
      local _, err = one:send(message)
      assert.equal(421, err.code)
      _, err = idle:send(message)
      assert.equal("disconnected", err.kind)
      assert.equal("2\t2\n", other.finish())
   end)

   it("waits no longer for a client than it is told", function()
      local other = peer.start [[
         local sink = assert(require("smtp.sink").new())
         assert(sink:listen(listener))
         print(sink:serve { timeout = 0.05 })]]
      assert.equal("0\n", other.finish())
   end)
end)
