-- What require "smtp" loads, and what happens where one of the modules that are loaded later cannot be read then.
local command = require "spec.tools.command"
local dkim_keys = require "spec.tools.dkim_keys"
local peer = require "spec.tools.peer"

local function run(text)
   local name = os.tmpname()
   command.write(name, text)
   local said = command.own(peer.interpreter .. " " .. name)
   os.remove(name)
   return said
end

-- What a message of from, to and raw or text needs, with a login or without, and what reports what became of it: that
-- must not depend on files that can be read.
local needed = [[
client.body client.connecting client.conversation client.delivery client.ending client.findings client.hosts
client.login client.loop client.mechanisms client.memory client.opening client.request client.sasl client.tls core
errors ground.ascii ground.bounded ground.modules ground.resources options.address options.check options.credentials
options.extensions options.host_name options.loop options.names options.place options.server options.services
options.transport options.user_call options.words result.decision result.failure result.first_bytes result.hello_hints
result.hints result.interruptions result.login_hints result.observer result.proxy_hints result.reasons result.receipt
result.refusal result.remedies result.sentences result.transcript result.wording runtime.environment runtime.runtime
runtime.tls_context safe]]

describe('require "smtp"', function()
   it("loads what every message needs, and no more", function()
      local said = run [[
         require "smtp"
         local names = {}
         for name in pairs(package.loaded) do
            names[#names + 1] = type(name) == "string" and name:match "^smtp%.(.*)"
         end
         table.sort(names)
         print(table.concat(names, " "))
      ]]
      assert.equal(needed:gsub("\n", " ") .. "\n", said)
   end)
end)

describe("a module that cannot be read when it is needed", function()
   local needs = {
      ["client.connection"] = 'safe.connect { host = "localhost", port = 1 }',
      ["client.many"] = 'safe.send_many({ host = "localhost", port = 1 }, {})',
      ["client.probe"] = 'safe.probe { host = "localhost", port = 1 }',
      ["compose.attachment"] = 'send { attachments = { { content = "x", filename = "x" } } }',
      ["compose.calendar"] = 'send { calendar = "BEGIN:VCALENDAR" }',
      ["compose.dkim_options"] = 'send { dkim = { domain = "me.example", selector = "a", key = key } }',
      ["compose.outgoing"] = 'send { html = "<p>Hello" }',
      ["compose.sign"] = 'send { dkim = { domain = "me.example", selector = "a", key = key } }',
      ["message"] = 'safe.message { from = "a@b.example", to = "c@d.example", text = "x" }',
      ["options.proxy"] = 'send { host = "mx.example", proxy = "socks5://localhost:1" }',
      ["options.unknown"] = 'send { hots = "localhost" }',
      ["options.url_parts"] = 'send { host = "none", port = "none", url = "smtp://localhost:1" }',
      ["outbox"] = 'safe.outbox { store = {} }',
      ["outbox.redis"] = 'safe.outbox.redis {}',
      ["runtime.callers_transport"] = 'send { transport = function() end }',
      ["runtime.kept_socket"] = 'send { keepalive = { idle = 1 } }',
      ["runtime.tunnel"] = 'send { host = "mx.example", proxy = "socks5://127.0.0.1:" .. port }',
      ["sink"] = 'safe.sink {}',
      ["socket"] = 'send {}',
   }

   local prologue = [[
      local safe = require "smtp.safe"
      local listener = require("smtp.socket").listen("127.0.0.1", 0)
      local port = select(2, listener:getsockname())
      local function send(more)
         local t = { host = "localhost", port = 1, tls = "skip", from = "a@b.example", to = "c@d.example",
            subject = "Hi", text = "Hello" }
         for name, value in pairs(more) do
            if value == "none" then value = nil end
            t[name] = value
         end
         return safe.send(t)
      end
      local key = %q
      package.loaded["smtp.%s"] = nil
      package.preload["smtp.%s"] = function() error("no descriptors", 0) end
      local ok, result, err = pcall(function() return %s end)
      print(ok, result, type(err) == "table" and err.kind .. " " .. err.retry, err)
   ]]

   for name, call in pairs(needs) do
      it("is a SystemError, and later an attempt may succeed: " .. name, function()
         local said = run(prologue:format(dkim_keys.rfc.ed25519, name, name, call))
         assert.matches("^true\tnil\tsystem later\t.*no descriptors", said)
      end)
   end
end)
