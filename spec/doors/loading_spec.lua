-- What require "smtp" loads, and what happens where one of the modules that are loaded later cannot be read then.
local command = require "spec.tools.command"
local dkim_keys = require "spec.tools.dkim_keys"
local peer = require "spec.tools.peer"

-- A server that offers AUTH, and refuses the recipients that its pattern names.
local server = [[
   local refused = %q
   local sock = accept()
   sock:send "220 mx.example\r\n"
   for text in function() return line(sock) end do
      local verb = text:match "^%%u+"
      local inside = verb == "DATA"
      if verb == "EHLO" then
         sock:send "250-mx.example\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n"
      elseif verb == "AUTH" then
         sock:send "235 2.7.0 welcome\r\n"
      elseif verb == "QUIT" then
         sock:send "221 bye\r\n"
         break
      elseif verb == "RCPT" and text:find(refused) then
         sock:send "550 5.1.1 no such user\r\n"
      elseif inside then
         sock:send "354 go ahead\r\n"
         repeat local one = line(sock) until one == ".\r\n" or one == ""
         sock:send "250 2.0.0 kept\r\n"
      elseif text == "" then
         break
      else
         sock:send "250 2.0.0 fine\r\n"
      end
   end
]]

-- Runs a program with `safe`, the options `t` of a message to such a server, `deny(names)`, which makes modules
-- unreadable, and `loaded()`, the names of the modules that are loaded, but for those of the call before.
local prologue = [[
   local safe = require "smtp.safe"
   local port, known = tonumber(arg[1]), {}
   local t = { host = "127.0.0.1", port = port, tls = "skip", from = "a@b.example", to = "c@d.example",
      subject = "Hi", text = "Hello", timeout = 60 }
   local function loaded()
      local names = {}
      for name in pairs(package.loaded) do
         local short = type(name) == "string" and name:match "^smtp%.(.*)"
         if short and not known[short] then names[#names + 1] = short end
         if short then known[short] = true end
      end
      table.sort(names)
      return table.concat(names, " ")
   end
   local function deny(names)
      for name in names:gmatch "[^ ]+" do
         package.loaded["smtp." .. name] = nil
         package.preload["smtp." .. name] = function() error("no descriptors", 0) end
      end
   end
   loaded()
]]

local function run(text, refused)
   local other = refused and peer.start(server:format(refused))
   local name = os.tmpname()
   command.write(name, prologue .. text)
   local said = command.own(("%s %s %d"):format(peer.interpreter, name, other and other.port or 1))
   os.remove(name)
   if other then other.finish() end
   return said
end

-- What the functions of the library need, until one of them is called.
local door = "core errors ground.ascii ground.modules ground.resources runtime.environment safe"

-- What a message of from, to and raw or text needs on its way, but for that: each of these is loaded by its sender.
local sender = [[
client.body client.connecting client.conversation client.delivery client.findings client.loop client.memory
client.opening client.request client.single client.tls ground.bounded options.check options.host_name options.names
options.place options.server options.user_call result.receipt result.verdict runtime.runtime socket]]
sender = sender:gsub("\n", " ")

describe('require "smtp"', function()
   it("loads what its functions are made of, and no more", function()
      assert.equal(door .. "\n", run [[
         known = {}
         require "smtp"
         print(loaded())
      ]])
   end)

   it("leaves all else to the first message", function()
      assert.equal("true\n" .. sender .. "\n", run([[
         print(safe.send(t) ~= nil)
         print(loaded())
      ]], "^$"))
   end)

   it("leaves TLS, and OpenSSL with it, to the first message that needs TLS", function()
      local said = run([[
         require "smtp.client.single"
         require "smtp.socket"
         loaded()
         t.tls = "prefer"
         print(safe.send(t) ~= nil)
         print(loaded())
      ]], "^$")
      assert.equal("true\nruntime.tls_context tls\n", said)
      local maps = io.open "/proc/self/maps"
      if not maps then return end -- not Linux
      maps:close()
      assert.equal("nil\ntrue\n", run([[
         local function libraries()
            local file = io.open "/proc/self/maps"
            local text = file:read "*a"
            file:close()
            return text:match "libssl" or text:match "libcrypto"
         end
         safe.send(t)
         print(libraries())
         t.tls = "prefer"
         safe.send(t)
         print(libraries() ~= nil)
      ]], "^$"))
   end)

   it("leaves a login to the options that give one", function()
      assert.equal("true\tauthenticated\nclient.login client.mechanisms client.sasl options.credentials "
         .. "result.transcript\n", run([[
         require "smtp.client.single"
         require "smtp.socket"
         loaded()
         t.username, t.password = "ann", "sesame-loaded"
         local receipt = safe.send(t)
         print(receipt ~= nil, receipt.auth.state)
         print(loaded())
      ]], "^$"))
   end)

   it("is all that the command loads for a message, but for its own modules", function()
      local said = run([[
         known = {}
         for name in pairs(package.loaded) do
            if type(name) == "string" and name:find "^smtp" then package.loaded[name] = nil end
         end
         local exit = os.exit
         os.exit = function(status)
            print(status, loaded())
            exit(0, true)
         end
         arg = { [0] = "lua-smtp", "send", "-f", t.from, "-t", t.to, "-s", "Hi", "--text", "Hello", "--host", t.host,
            "--port", tostring(port), "--tls", "skip" }
         dofile "csrc/lua-smtp"
      ]], "^$"):match "\n0\t([^\n]*)\n$"
      local own = {}
      local of_library = (" %s %s result.observer "):format(door, sender)
      for name in said:gmatch "[^ ]+" do
         if not of_library:find(" " .. name .. " ", 1, true) then own[#own + 1] = name end
      end
      assert.equal("cli.accounts cli.colors cli.commands cli.dry_run cli.flag_table cli.flags cli.main "
         .. "cli.message_flags cli.output cli.secrets cli.send cli.sending cli.signals",
         table.concat(own, " "))
   end)

   it("opens one file for each module: no name is looked for in vain but those in C", function()
      local said = run [[
         local searcher = (package.searchers or package.loaders)[2]
         known = {}
         for name in pairs(package.loaded) do
            if type(name) == "string" and name:find "^smtp" then package.loaded[name] = nil end
         end
         local count, missing = 0, {}
         local list = package.searchers or package.loaders
         list[2] = function(name)
            local found, path = searcher(name)
            count = count + 1
            if type(found) ~= "function" then missing[#missing + 1] = name end
            return found, path
         end
         require "smtp"
         print(count, table.concat(missing, " "))
      ]]
      assert.equal(("%d\tsmtp.core\n"):format(select(2, door:gsub("[^ ]+", "")) + 1), said)
   end)
end)

describe("a module that cannot be read when it is needed", function()
   local needs = {
      ["client.connection"] = 'safe.connect { host = "localhost", port = 1 }',
      ["client.hosts"] = 'send { host = { "localhost", "127.0.0.1" } }',
      ["client.login"] = 'send { username = "ann", password = "sesame-unloaded" }',
      ["client.many"] = 'safe.send_many({ host = "localhost", port = 1 }, {})',
      ["client.single"] = 'send {}',
      ["client.probe"] = 'safe.probe { host = "localhost", port = 1 }',
      ["compose.attachment"] = 'send { attachments = { { content = "x", filename = "x" } } }',
      ["compose.calendar"] = 'send { calendar = "BEGIN:VCALENDAR" }',
      ["compose.dkim_options"] = 'send { dkim = { domain = "me.example", selector = "a", key = key } }',
      ["compose.outgoing"] = 'send { html = "<p>Hello" }',
      ["compose.sign"] = 'send { dkim = { domain = "me.example", selector = "a", key = key } }',
      ["message"] = 'safe.message { from = "a@b.example", to = "c@d.example", text = "x" }',
      ["options.address"] = 'send { host = "b\195\188cher.example" }',
      ["options.credentials"] = 'send { username = "ann", password = "sesame-unread" }',
      ["options.host_advice"] = 'send { host = "::1" }',
      ["options.extensions"] = 'send { extensions = { chunking = "skip" } }',
      ["options.keepalive"] = 'send { keepalive = { idle = 1 } }',
      ["options.proxy"] = 'send { host = "mx.example", proxy = "socks5://localhost:1" }',
      ["options.services"] = 'send { host = "none", port = "none", service = "gmail" }',
      ["options.transport"] = 'send { transport = function() end }',
      ["options.unknown"] = 'send { hots = "localhost" }',
      ["options.url"] = 'send { host = "none", port = "none", url = "smtp://localhost:1" }',
      ["options.words"] = 'send { tls = "ssl" }',
      ["outbox"] = 'safe.outbox { store = {} }',
      ["outbox.redis"] = 'safe.outbox.redis {}',
      ["outbox.sqlite"] = 'safe.outbox { store = "/nonexistent/outbox", server = { host = "localhost" } }',
      ["result.observer"] = 'send { trace = function() end }',
      ["runtime.callers_transport"] = 'send { transport = function() end }',
      ["runtime.kept_socket"] = 'send { keepalive = { idle = 1 } }',
      ["runtime.tunnel"] = 'send { host = "mx.example", proxy = "socks5://127.0.0.1:" .. listener_port }',
      ["sink"] = 'safe.sink {}',
      ["socket"] = 'send {}',
      ["runtime.tls_context"] = 'send { tls = "prefer" }',
      ["tls"] = 'send { tls = "prefer" }',
   }

   local program = [[
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local listener_port = select(2, listener:getsockname())
      local function send(more)
         for name, value in pairs(more) do
            if value == "none" then value = nil end
            t[name] = value
         end
         return safe.send(t)
      end
      local key = %q
      deny %q
      local ok, result, err = pcall(function() return %s end)
      print(ok, result, type(err) == "table" and err.kind .. " " .. err.retry, err)
   ]]

   for name, call in pairs(needs) do
      it("is a SystemError, and later an attempt may succeed: " .. name, function()
         local said = run(program:format(dkim_keys.rfc.ed25519, name, call))
         assert.matches("^true\tnil\tsystem later\t[^\n]*" .. name:gsub("%.", "%%.") .. "[^\n]*no descriptors", said)
      end)
   end
end)

describe("the command whose words for errors cannot be read", function()
   it("prints the error of the library, and tells by its status whether to try again", function()
      local said = run [[
         deny "cli.failure"
         io.stderr = io.stdout
         os.exit = function(status)
            print("status " .. status)
            error "it has ended"
         end
         for _, host in ipairs { "127.0.0.1", "a b" } do
            arg = { [0] = "lua-smtp", "send", "-f", t.from, "-t", t.to, "--text", "x", "--host", host, "--port", "1" }
            pcall(dofile, "csrc/lua-smtp")
         end
      ]]
      assert.matches("^lua%-smtp: 127%.0%.0%.1:1 cannot be reached[^\n]*\nstatus 75\n"
         .. "lua%-smtp: host [^\n]*\nstatus 70\n$", said)
   end)
end)

describe('require "smtp.preload"', function()
   it("leaves nothing to be read later", function()
      local said = run([[
         require "smtp.preload"
         loaded()
         local function searcher(name) print("looked for " .. name) end
         table.insert(package.searchers or package.loaders, 1, searcher)
         t.trace = function() end
         t.username, t.password = "ann", "sesame-ahead"
         print(safe.send(t))
         t.html, t.attachments = "<p>Hello", { { content = "x", filename = "x.pdf" } }
         t.to = { "c@d.example", "e@f.example" }
         safe.send(t)
         safe.probe { host = t.host, port = port }
         safe.send_many({ host = t.host, port = 1 }, { { from = t.from, to = "c@d.example", text = "x" } })
         print(loaded())
      ]], "^$")
      assert.matches("^table: [^\n]*\n\n$", said)
   end)
end)

describe("the advice to load all at the start", function()
   local function hint_after(name)
      return run(([[
         require %q
         local _, err = require("smtp.ground.resources").loader "smtp.absent" ()
         print(err.kind, err.hint)
      ]]):format(name))
   end

   it("is for programs that have not done so", function()
      assert.matches('^system\t.*require "smtp%.preload"\n$', hint_after "smtp")
      assert.equal("system\tnil\n", hint_after "smtp.preload")
   end)

   it("is not for users of the command", function()
      assert.equal("system\tnil\n", hint_after "smtp.cli.main")
   end)
end)

describe("explanations that cannot be read", function()
   local shown = [[
      local function show(err)
         print(err.kind, err.reason, err.code, err.retry, err.sent)
         print(err)
      end
   ]]

   local function each_module(fn)
      for _, name in ipairs { "client.evidence", "result.failure", "result.refusal", "result.remedies" } do fn(name) end
   end

   it("leave a refusal its class, its reply and when to try again", function()
      each_module(function(name)
         local said = run(shown .. ([[
            deny %q
            local _, err = safe.send(t)
            show(err)
            print(#err.recipients, err.recipients[1].state, err.recipients[1].reason, err.recipients[1].retry)
         ]]):format(name), "c@d")
         assert.matches("^recipients_refused\trefused\t550\tnever\tno\nsmtp: 127%.0%.0%.1:%d+ [^\n]*"
            .. "%(550 5%.1%.1%): no such user[^\n]* No explanation is available: smtp%.client%.evidence [^\n]*\n"
            .. "1\trefused\trefused\tnever\n$", said)
      end)
   end)

   it("leave the line of an error the reply", function()
      local said = run(shown .. [[
         t.to = { "c@d.example", "e@f.example" }
         local _, err = safe.send(t)
         deny "ground.refusals"
         print(err)
         package.preload["smtp.ground.refusals"] = nil
         print(err)
      ]], ".")
      assert.matches("^smtp: [^\n]* %(550 5%.1%.1%): no such user%. [^\n]*\n"
         .. "smtp: [^\n]* %(550 5%.1%.1%): no such user %[c@d%.example; e@f%.example%]%. [^\n]*\n$", said)
   end)

   it("leave a receipt its refused recipients", function()
      local said = run([[
         deny "result.refusal"
         t.to = { "c@d.example", "e@f.example" }
         local receipt = safe.send(t)
         local one = receipt.refused[1]
         print(#receipt.accepted, one.address, one.code, one.reason, one.retry)
      ]], "c@d")
      assert.equal("1\tc@d.example\t550\trefused\tnever\n", said)
   end)

   it("leave a failed connection its class", function()
      local said = run(shown .. [[
         deny "client.evidence"
         local _, err = safe.send(t)
         show(err)
      ]])
      assert.matches("^connect\t%a+\tnil\tlater\tno\nsmtp: 127%.0%.0%.1:1[^\n]*No explanation is available", said)
   end)

   it("leave a doubt a doubt", function()
      local other = peer.start [[
         local sock = accept()
         sock:send "220 mx.example\r\n"
         for text in function() return line(sock) end do
            if text:find "^DATA" then
               sock:send "354 go ahead\r\n"
               repeat local one = line(sock) until one == ".\r\n" or one == ""
               break
            end
            sock:send "250 fine\r\n"
         end
         sock:close()
      ]]
      local said = run(shown .. ([[
         deny "client.evidence"
         t.port = %d
         local _, err = safe.send(t)
         show(err)
      ]]):format(other.port))
      other.finish()
      assert.matches("^disconnected\tclosed\tnil\tdoubt\tmaybe\n[^\n]*may have been delivered[^\n]* Check whether the "
         .. "message arrived[^\n]* No explanation is available", said)
   end)
end)
