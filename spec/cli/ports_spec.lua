local core = require "smtp.core"
local ports = require "smtp.cli.ports"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   clear = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
      S: 250 STARTTLS
      C: STARTTLS
      S: 220 go
   ]],
   starttls = [[
      <clear>
      TLS
      <ehlo $1>
   ]],
   implicit = [[
      TLS
      <hello $1>
   ]],
   login = [[
      C: AUTH PLAIN AGFubgBzZXNhbWUtcHJvYmU=
      S: $code ok
   ]],
}

-- A transport that plays at each port the transcripts of `servers`, one for each connection; a port without one is
-- closed, and "timeout" is one that does not answer. -> the transport, a function that checks that all were played
local function new_network(servers)
   local peers, visits = {}, {}
   local function open()
      local own = {}
      function own.connect(_, host, port)
         visits[port] = (visits[port] or 0) + 1
         local list = servers[port] or {}
         local transcript = type(list) == "table" and list[visits[port]] or list
         if transcript == "timeout" then return nil, "timeout", "nothing came" end
         if type(transcript) ~= "string" then return nil, "connect:refused", "Connection refused" end
         own.peer = talk.peer(transcript)
         peers[#peers + 1] = own.peer
         return own.peer:connect(host, port)
      end
      function own:sslhandshake(...)
         local ok, why, text = own.peer:sslhandshake(...)
         self.secure = own.peer.secure
         return ok, why, text
      end
      for _, name in ipairs { "send", "receiveany", "settimeouts", "tlsinfo" } do
         own[name] = function(_, ...)
            if own.peer then return own.peer[name](own.peer, ...) end
         end
      end
      function own.close() return not own.peer or own.peer:close() end
      return own
   end
   return open, function()
      for _, peer in ipairs(peers) do talk.finished(peer) end
      return visits
   end
end

local count = 0

-- Surveys a host with these servers. -> survey, err, how many connections each port had
local function survey(servers, more)
   local transport, finish = new_network(servers)
   count = count + 1
   local options = { host = ("ports%d.example"):format(count), domain = "me.example", transport = transport }
   for name, value in pairs(more or {}) do options[name] = value end
   local result, err = ports.survey(options)
   return result, err, finish()
end

local function states(result)
   local list = {}
   for _, entry in ipairs(result.ports) do
      list[#list + 1] = entry.port .. " " .. (entry.usable and "usable" or entry.trouble.kind)
   end
   return list
end

local login = { username = "ann", password = "sesame-probe" }
local secret = "AGFubgBzZXNhbWUtcHJvYmU="

-- Two transcripts: one to look, and one to log in.
local function twice(start, code)
   return { script(start .. "\n<bye>"), script(start .. "\n<login>\n<bye>", { code = code }) }
end

-- The options without the two that all have here.
local function used(result)
   local use = {}
   for name, value in pairs(result.options) do use[name] = value end
   assert.equal(result.host, use.host)
   assert.equal("me.example", use.domain)
   use.host, use.domain, use.transport = nil, nil, nil
   return use
end

describe("the ports of a host", function()
   it("are all looked at, and that with TLS from the first byte comes first", function()
      local result, err, visits = survey {
         [465] = { script "<implicit AUTH PLAIN, SIZE 1000>\n<bye>" },
         [587] = { script "<starttls AUTH PLAIN>\n<bye>" },
         [25] = { script "<starttls SIZE>\n<bye>" },
      }
      assert.is_nil(err)
      assert.same({ "465 usable", "587 usable", "25 usable" }, states(result))
      assert.same({ port = 465 }, used(result))
      assert.is_nil(result.login)
      assert.same({ [465] = 1, [587] = 1, [25] = 1 }, visits)
   end)

   it("may not include 465", function()
      local result = survey { [587] = { script "<starttls AUTH PLAIN>\n<bye>" } }
      assert.same({ "465 connect", "587 usable", "25 connect" }, states(result))
      assert.same({ port = 587 }, used(result))
   end)

   it("may not include 587", function()
      local result = survey { [25] = { script "<starttls SIZE>\n<bye>" } }
      assert.same({}, used(result)) -- the default without credentials
   end)

   it("may be silent", function()
      local result = survey {
         [465] = { "TLS\nSILENCE" }, [25] = { "SILENCE" }, [587] = { script "<starttls AUTH PLAIN>\n<bye>" },
      }
      assert.same({ "465 timeout", "587 usable", "25 timeout" }, states(result))
      assert.equal("greeting", result.ports[1].err.stage)
   end)

   it("may be hidden by a firewall", function()
      local result = survey { [465] = "timeout", [25] = "timeout",
         [587] = { script "<starttls AUTH PLAIN>\n<bye>" } }
      assert.same({ "465 timeout", "587 usable", "25 timeout" }, states(result))
      assert.equal("connect", result.ports[1].err.stage)
   end)

   it("may show a wrong certificate", function()
      local result = survey {
         [465] = { "TLS certificate:wrong_host", script "<implicit AUTH PLAIN>\n<bye>" },
         [587] = { script "<starttls AUTH PLAIN>\n<bye>" },
      }
      assert.same({ "465 certificate", "587 usable", "25 connect" }, states(result))
      assert.same({ port = 587 }, used(result))
   end)

   it("are compared by TLS: clear text comes last", function()
      local result = survey {
         [587] = { script "<hello AUTH PLAIN>\n<bye>" }, [25] = { script "<starttls SIZE>\n<bye>" },
      }
      assert.equal(25, result.best)
      local clear = survey { [25] = { script "<hello SIZE>\n<bye>" } }
      assert.same({ tls = "prefer" }, used(clear))
   end)

   it("are only those that fit to the TLS that the caller names", function()
      local result = survey({ [465] = { script "<implicit SIZE>\n<bye>" } }, { tls = "implicit" })
      assert.same({ "465 usable" }, states(result))
      assert.same({ 587, 25 }, ports.candidates { host = "mx.example", tls = "require" })
   end)

   it("begin with that of the provider", function()
      assert.same({ 587, 465, 25 }, ports.candidates { host = "smtp.office365.com" })
      assert.same({ 465, 587, 25 }, ports.candidates { host = "smtp.gmail.com" })
   end)

   it("are those of a provider by name", function()
      local transport, finish = new_network { [465] = { script "<implicit AUTH PLAIN>\n<bye>" } }
      local result = assert(ports.survey { service = "gmail", domain = "me.example", transport = transport })
      finish()
      assert.equal("smtp.gmail.com", result.host)
      assert.same({ service = "gmail", domain = "me.example" }, result.options)
   end)

   it("give an error where no port can be used", function()
      local result, err = survey {}
      assert.same({ "465 connect", "587 connect", "25 connect" }, states(result))
      assert.is_nil(result.options)
      assert.equal("connect", err.kind)
      assert.matches("no mail can be sent by ports 465, 587, 25", tostring(err), 1, true)
   end)

   it("give the error of the port that tells most", function()
      local _, certificate = survey { [587] = "timeout",
          [25] = { script "<clear>\nTLS certificate:expired", script "<starttls SIZE>\n<bye>" } }
      assert.equal("certificate", certificate.kind)
      local _, first = survey { [465] = { "TLS certificate:wrong_host", script "<implicit SIZE>\n<bye>" },
         [25] = { script "<clear>\nTLS certificate:expired", script "<starttls SIZE>\n<bye>" } }
      assert.equal("wrong_host", first.reason)
   end)

   it("give the name of a provider that was probably meant", function()
      local transport = { connect = function() return nil, "resolve:unknown_host", "unknown" end }
      for _, name in ipairs { "send", "receiveany", "sslhandshake", "settimeouts", "close" } do
         transport[name] = function() return true end
      end
      for host, hint in pairs { gmial = 'Did you mean "gmail"?', outlook = 'Write service = "microsoft365"',
         ["mail.example.org"] = "Check the spelling of --host" } do
         local result, err = ports.survey { host = host, transport = transport }
         assert.is_nil(result)
         assert.equal("resolve", err.kind)
         assert.equal(hint, err.hint)
      end
   end)

   it("give one error for a host that is not valid", function()
      local result, err = ports.survey { host = "a b" }
      assert.is_nil(result)
      assert.equal("usage", err.kind)
   end)
end)

describe("a login", function()
   it("is tried with exactly the recommended options", function()
      local result, err, visits = survey({
         [465] = twice("<implicit AUTH PLAIN>", 235), [587] = { script "<starttls AUTH PLAIN>\n<bye>" },
      }, login)
      assert.is_nil(err)
      assert.same({ state = "authenticated", mechanism = "PLAIN" }, result.login)
      assert.same({ port = 465, username = "ann" }, used(result))
      assert.same({ [465] = 2, [587] = 1, [25] = 1 }, visits)
   end)

   it("needs few options where STARTTLS is used", function()
      local result = survey({ [587] = twice("<starttls AUTH PLAIN>", 235) }, login)
      assert.equal("authenticated", result.login.state)
      assert.same({ username = "ann" }, used(result))
   end)

   it("is tried on one port only, and its refusal is the error", function()
      local result, err, visits = survey({
         [465] = twice("<implicit AUTH PLAIN>", 535), [587] = { script "<starttls AUTH PLAIN>\n<bye>" },
      }, login)
      assert.equal("failed", result.login.state)
      assert.equal(535, result.login.code)
      assert.equal("auth_rejected", err.kind)
      assert.same({ [465] = 2, [587] = 1, [25] = 1 }, visits)
   end)

   it("is tried where AUTH is offered", function()
      local result = survey({
         [465] = { script "<implicit SIZE>\n<bye>" }, [587] = twice("<starttls AUTH PLAIN>", 235),
      }, login)
      assert.equal(587, result.best)
      assert.equal("authenticated", result.login.state)
   end)

   it("is an error where no port offers AUTH", function()
      local start = "<implicit SIZE>\n<bye>"
      local result, err = survey({ [465] = { script(start), script(start) } }, login)
      assert.equal("auth_unsupported", err.kind)
      assert.equal("failed", result.login.state)
   end)

   it("never shows a secret without TLS", function()
      local start = "<hello AUTH PLAIN>\n<bye>"
      local result, err = survey({ [25] = { script(start), script(start) } }, login)
      assert.equal("failed", result.login.state)
      assert.is_not_nil(err)
   end)

   it("is not tried where a certificate is not trusted", function()
      local start = { "TLS certificate:expired", script "<implicit AUTH PLAIN>\n<bye>" }
      local result, err, visits = survey({ [465] = start }, login)
      assert.is_nil(result.login)
      assert.equal("certificate", err.kind)
      assert.equal(2, visits[465])
   end)

   it("is not repeated in what is reported", function()
      local result = survey({ [465] = twice("<implicit AUTH PLAIN>", 535) }, login)
      local function search(value, path)
         if type(value) == "string" then
            assert(not value:find("sesame", 1, true) and not value:find(secret, 1, true), path)
         elseif type(value) == "table" then
            for name, inner in next, value do search(inner, path .. "." .. tostring(name)) end
         end
      end
      search(result, "survey")
   end)
end)

describe("each port", function()
   it("has its own label for those who observe", function()
      local labels = {}
      survey({ [465] = twice("<implicit AUTH PLAIN>", 235) }, { username = "ann", password = "sesame-probe",
         observer = function(label)
            return function(event) labels[label] = (labels[label] or "") .. (event.name == "done" and "." or "") end
         end })
      assert.same({ ["465"] = ".", ["587"] = ".", ["25"] = ".", login = "." }, labels)
   end)

   it("has its turn at once: the answer takes as long as the slowest port", function()
      local socket = require "smtp.socket"
      local held, list = {}, {}
      for i = 1, 3 do -- they accept the connection, and say nothing
         held[i] = assert(socket.listen("127.0.0.1", 0))
         list[i] = select(2, held[i]:getsockname())
      end
      local began = core.now()
      local result, err = ports.survey({ host = "127.0.0.1", timeout = 0.5 }, list)
      local seconds = core.now() - began
      for i = 1, 3 do held[i]:close() end
      assert.equal(3, #result.ports)
      for i = 1, 3 do assert.equal("timeout", result.ports[i].trouble.kind) end
      assert.equal("timeout", err.kind)
      assert.is_true(seconds < 1.4, seconds)
   end)
end)

describe("a place", function()
   for text, expected in pairs {
      ["mail.example.org"] = { host = "mail.example.org" },
      ["localhost"] = { host = "localhost" },
      ["192.0.2.1"] = { host = "192.0.2.1" },
      ["2001:db8::1"] = { host = "2001:db8::1" },
      ["[2001:db8::1]"] = { host = "2001:db8::1" },
      ["gmail"] = { service = "gmail" },
      ["ses:eu-west-1"] = { service = "ses:eu-west-1" },
      ["gmail.example.org"] = { host = "gmail.example.org" },
   } do
      it("without a port is a host or a provider: " .. text, function()
         assert.same(expected, ports.place(text))
      end)
   end

   for _, text in ipairs { "mail.example.org:587", "smtp://mail.example.org", "[2001:db8::1]:25",
      "ann@mail.example.org", "smtps://[::1]" } do
      it("with a port, and a URL, is left to the option url: " .. text, function()
         assert.is_nil(ports.place(text))
      end)
   end
end)
