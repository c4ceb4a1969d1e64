local ascii = require "smtp.ground.ascii"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   in_one_flight = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 354 go on
      MESSAGE
      S: 250 ok
      <bye>
   ]],
}

local function offering(lines, rest)
   return script([[
      S: 220 hi
      C: EHLO me.example
      <lines>
      <rest>
   ]], { lines = lines, rest = rest })
end

local with_size = script.accepted:gsub("me%.example>", "me.example> SIZE=21", 1)

local login = { auth = "require", username = "ann", password = "sesame-0", auth_plaintext = true }

describe("EHLO's keywords", function()
   it("are whole words in any case", function()
      local receipt = talk.send({}, offering([[
         S: 250-mx
         S: 250 pipeLining
      ]], script.in_one_flight))
      assert.equal("", receipt.capabilities.PIPELINING)
   end)

   it("are not found within other words", function()
      local receipt = talk.send({}, offering([[
         S: 250-mx
         S: 250-PIPELININGX
         S: 250-SIZEABLE 5
         S: 250-XAUTH PLAIN
         S: 250 X-PIPELINING
      ]], script.accepted))
      assert.equal("PLAIN", receipt.capabilities.XAUTH)
      assert.is_nil(receipt.capabilities.PIPELINING)
   end)

   it("after a leading space, or without any letter, are not keywords", function()
      talk.send({}, offering([[
         S: 250-mx
         S: 250- PIPELINING
         S: 250\x20
      ]], script.accepted))
      talk.send({}, offering([[
         S: 250-mx
         S: 250-
         S: 250
      ]], script.accepted))
      talk.send({}, offering([[
         S: 250-mx
         S: 250 Ok SESSIONID=<1>
      ]], script.accepted))
   end)

   it("with 8-bit bytes mean nothing", function()
      talk.send({}, offering([[
         S: 250-mx
         S: 250-PIPELINING\xE9
         S: 250 HELP
      ]], script.accepted))
   end)

   it("with a NUL are not a reply", function()
      local _, err = talk.send({}, offering([[
         S: 250-mx
         S: 250-PIPE\0LINING
         S: 250 HELP
      ]], ""))
      assert.equal("protocol", err.kind)
      assert.equal("malformed", err.reason)
   end)

   it("that we do not know are kept for display", function()
      local receipt = talk.send({}, offering([[
         S: 250-mx
         S: 250-XVERP=Courier
         S: 250 FOO a b
      ]],
         script.accepted))
      assert.equal("Courier", receipt.capabilities.XVERP)
      assert.equal("a b", receipt.capabilities.FOO)
   end)
end)

describe("SIZE", function()
   for _, value in ipairs { "", " 0", " 1000", " -1", " 99999999999999999999", " 1e6", " abc" } do
      it("with the value '" .. value .. "' lets a small message pass", function()
         assert.is_table((talk.send({}, offering(script([[
            S: 250-mx
            S: 250 SIZE$value
         ]], { value = value }),
            with_size))))
      end)
   end

   it("counts each line end as two octets", function()
      talk.send({ raw = "Subject: x\n\nhello" }, offering([[
         S: 250-mx
         S: 250 SIZE
      ]], with_size))
   end)

   it("that is exceeded stops the message before MAIL", function()
      local _, err = talk.send({}, offering([[
         S: 250-mx
         S: 250 SIZE 20
      ]], script "<bye>"))
      assert.equal("message_too_large", err.kind)
      assert.equal("mail", err.stage)
      assert.equal(20, err.limit)
      assert.equal(21, err.size)
      assert.equal("unsent", err.recipients[1].state)
   end)

   it("said twice is the first", function()
      local _, err = talk.send({}, offering([[
         S: 250-mx
         S: 250-SIZE 20
         S: 250 SIZE 5000
      ]],
         script "<bye>"))
      assert.equal(20, err.limit)
   end)

   it("is not said for a source of unknown length", function()
      local raw = { new = function()
         local given = false
         return function()
            if given then return nil end
            given = true
            return "x\r\n"
         end
      end }
      talk.send({ raw = raw }, offering([[
         S: 250-mx
         S: 250 SIZE 20
      ]], script.accepted))
   end)
end)

describe("LIMITS", function()
   local core = require "smtp.core"

   local function limits(line)
      local session = core.session { domain = "me.example" }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250 " .. line .. "\r\n")
      local facts = session:facts()
      return { facts.rcpt_max, facts.mail_max }
   end

   for line, want in pairs {
      ["LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=3"] = { 20, 5 }, ["limits rcptmax=999999"] = { 999999 },
      ["LIMITS"] = {}, ["LIMITS RCPTMAX"] = {}, ["LIMITS RCPTMAX="] = {}, ["LIMITS RCPTMAX=0"] = {},
      ["LIMITS RCPTMAX=-1"] = {}, ["LIMITS RCPTMAX=1000000"] = {}, ["LIMITS RCPTMAX=1e3 MAILMAX=7"] = { nil, 7 },
      ["LIMITS X-OTHER=a;b RCPTMAX=7"] = { 7 }, ["LIMITS XRCPTMAX=7 RCPTMAXX=8"] = {},
      ["LIMITS =7 =  RCPTMAX=7"] = { 7 },
      ["LIMITS RCPTMAX=5 RCPTMAX=0"] = { 5 },
      ["LIMITS RCPTMAX=00000000000000000000000000000007"] = {}, ["XLIMITS RCPTMAX=7"] = {},
   } do
      it("of '" .. line .. "' are read as they should", function()
         assert.same(want, limits(line))
      end)
   end
end)

describe("what was offered before TLS", function()
   it("counts no more after it, nor do its limits", function()
      local to = { "bob@there.example", "eve@there.example" }
      talk.send({ tls = "require", to = to, deliver_by = 1, hold_until = "2026-11-24T12:00:00Z" }, offering(
         [[
            S: 250-mx
            S: 250-DELIVERBY 60
            S: 250-FUTURERELEASE 5 2020-01-01T00:00:00Z
            S: 250-LIMITS RCPTMAX=1
            S: 250-SIZE 5
            S: 250-DSN
            S: 250 STARTTLS
         ]], script([[
            C: STARTTLS
            S: 220 go
            TLS
            <ehlo DELIVERBY, FUTURERELEASE, LIMITS, HELP>
            <plain_send>
         ]], {
            plain_send = script.accepted:gsub("(MAIL FROM:%S+)", "%1 BY=1;R HOLDUNTIL=2026-11-24T12:00:00Z")
               :gsub("(RCPT TO:%S+%s+S: 250 ok\n)", "%1C: RCPT TO:<eve@there.example>\nS: 250 ok\n"),
         })))
   end)
end)

describe("the three words", function()
   local all = [[
      S: 250-mx
      S: 250-SIZE
      S: 250 PIPELINING
   ]]

   it("skip what would be used", function()
      talk.send({ extensions = { pipelining = "skip" } }, offering(all, with_size))
      talk.send({ extensions = { pipelining = "skip", size = "skip" } }, offering(all, script.accepted))
   end)

   it("skip the limit of SIZE with it", function()
      talk.send({ extensions = { size = "skip" } }, offering([[
         S: 250-mx
         S: 250 SIZE 20
      ]], script.accepted))
   end)

   it("prefer what is used anyhow", function()
      talk.send({ extensions = { pipelining = "prefer", dsn = "prefer", ["mt-priority"] = "prefer" } },
         offering("S: 250 mx\n", script.accepted))
   end)

   for _, name in ipairs { "pipelining", "8bitmime", "size", "smtputf8", "chunking", "binarymime", "dsn",
      "requiretls", "deliverby", "futurerelease", "mt-priority", "limits" } do
      it("require " .. name .. ": without it nothing is sent", function()
         local _, err = talk.send({ extensions = { [name] = "require" } },
            offering(script([[
               S: 250-mx
               S: 250 X$name
            ]], { name = name }), script "<bye>"))
         assert.same({ "extension_unsupported", name, "mail", "never", "no" },
            { err.kind, err.reason, err.stage, err.retry, err.sent })
         assert.truthy(tostring(err):find("does not offer " .. ascii.upper(name) .. ", and extensions", 1, true))
         assert.is_string(err.hint)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   it("require what is there", function()
      talk.send({ extensions = { limits = "require", ["mt-priority"] = "require" } },
         offering([[
            S: 250-mx
            S: 250-limits RCPTMAX=5
            S: 250 Mt-Priority
         ]], script.accepted))
   end)

   it("of a message win over those of its connection", function()
      local peer = talk.peer(offering("S: 250 mx\n", script "<bye>"))
      local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false,
         extensions = { dsn = "prefer" } }, peer)))
      local _, err = connection:send { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n",
         extensions = { dsn = "require" } }
      assert.equal("dsn", err.reason)
      connection:quit()
      talk.finished(peer)
   end)

   it("of a message require for this message alone", function()
      local once = script.accepted:gsub("%s*C: QUIT.*", "\n")
      local peer = talk.peer(offering("S: 250 mx\n", script([[
         <once>
         <bye>
      ]], { once = once })))
      local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false }, peer)))
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x\r\n",
         extensions = { dsn = "require" } }
      local _, err = connection:send(message)
      assert.equal("dsn", err.reason)
      message.extensions = { dsn = "skip" }
      _, err = connection:send(message)
      assert.equal("extensions.dsn", err.option)
      message.extensions = nil
      assert.is_table((connection:send(message)))
      connection:quit()
      talk.finished(peer)
   end)
end)

describe("the list of AUTH mechanisms", function()
   local accepted = script [[
      C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
      S: 235 ok
      <accepted>
   ]]

   for name, lines in pairs {
      ["in lower case"] = "S: 250 auth plain\n",
      ["as AUTH="] = "S: 250 AUTH=PLAIN LOGIN\n",
      ["with odd spaces"] = "S: 250 AUTH  LOGIN\\tPLAIN \n",
      ["on two lines"] = [[
         S: 250-AUTH LOGIN
         S: 250-AUTH=CRAM-MD5
         S: 250 AUTH PLAIN LOGIN
      ]],
   } do
      it(name .. " is read", function()
         local receipt = talk.send(login, offering(script([[
            S: 250-mx
            <lines>
         ]], { lines = lines }), accepted))
         assert.equal("PLAIN", receipt.auth.mechanism)
      end)
   end

   it("of two lines has each mechanism once", function()
      local receipt = talk.send(login, offering(
         [[
            S: 250-mx
            S: 250-AUTH=LOGIN PLAIN
            S: 250 AUTH PLAIN LOGIN X-FOO
         ]], accepted))
      assert.same({ "LOGIN", "PLAIN", "X-FOO" }, receipt.auth.offered)
   end)

   it("holds whole names only", function()
      local _, err = talk.send(login, offering([[
         S: 250-mx
         S: 250 AUTH PLAIN2 XPLAIN LOGIN1
      ]],
         script "<bye>"))
      assert.equal("auth_unsupported", err.kind)
      assert.equal("no_common_mechanism", err.reason)
   end)

   it("may be longer than what is kept", function()
      local names = {}
      for i = 1, 200 do names[i] = "X-MECHANISM-" .. i end
      local _, err = talk.send(login, offering(script([[
         S: 250-mx
         S: 250 AUTH $lines PLAIN
      ]], { lines = table.concat(names, " ") }), script "<bye>"))
      assert.equal("no_common_mechanism", err.reason)
   end)
end)

describe("the locale", function()
   it("does not change how keywords are read", function()
      local before = os.setlocale()
      for _, name in ipairs { "tr_TR.ISO-8859-9", "tr_TR.UTF-8", "de_DE.UTF-8", "C" } do
         os.setlocale(name)
         talk.send({}, offering([[
            S: 250-mx
            S: 250 pipelining
         ]], script.in_one_flight))
      end
      os.setlocale(before)
   end)
end)
