-- SMTPUTF8 (RFC 6531): said where an address needs it, and nowhere else.
local request = require "smtp.client.request"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   all = "<hello 8BITMIME, SMTPUTF8>",
}

local function conversation(from, ...)
   local lines = { script([[
      C: MAIL FROM:$from
      S: 250 ok
   ]], { from = from }) }
   for _, to in ipairs { ... } do lines[#lines + 1] = script([[
      C: RCPT TO:$to
      S: 250 ok
   ]], { to = to }) end
   return script([[
      <lines>
      C: DATA
      S: 354 go on
      MESSAGE
      S: 250 ok
      <bye>
   ]], { lines = table.concat(lines) })
end

local function with(more)
   local given = { raw = false, text = "hi\n", date = "Tue, 24 Nov 2026 12:00:00 +0000",
      message_id = "<1@me.example>" }
   for key, value in pairs(more) do given[key] = value end
   return given
end

local function body_of(more, transcript)
   local receipt, err, peer = talk.send(with(more), transcript)
   assert(receipt, tostring(err))
   return peer.body, receipt
end

describe("an address that needs SMTPUTF8", function()
   it("is an error before MAIL where the server does not offer it", function()
      for _, place in ipairs { "from", "to", "cc", "bcc", "reply_to", "sender" } do
         local _, err = talk.send(with { [place] = "Pel\195\169 <pel\195\169@x.example>" }, script [[
            <hello 8BITMIME>
            <bye>
         ]])
         assert.same({ "extension_unsupported", "smtputf8", "mail", "no", "never" },
            { err.kind, err.reason, err.stage, err.sent, err.retry })
         assert.equal("pel\195\169@x.example", err.value)
         assert.truthy(tostring(err):find("SMTPUTF8.*pel\195\169@x.example"))
         assert.truthy(err.hint:find("ASCII", 1, true))
         assert.equal("unsent", err.recipients[1].state)
         assert.is_true(safe.is_error(err, safe.ExtensionUnsupportedError))
      end
   end)

   it("leaves the connection usable", function()
      local peer = talk.peer(script([[
         <hello 8BITMIME>
         <conversation>
      ]], { conversation = conversation("<ann@me.example>", "<bob@there.example>") }))
      local connection = assert(safe.connect(talk.options({ from = false, to = false, raw = false }, peer)))
      local _, err = connection:send { from = "ann@me.example", to = "pel\195\169@x.example", text = "x" }
      assert.equal("smtputf8", err.reason)
      assert.is_table(connection:send { from = "ann@me.example", to = "bob@there.example", text = "x" })
      connection:quit()
      talk.finished(peer)
   end)

   it("is not looked for where EHLO is unknown", function()
      local _, err = talk.send(with { to = "pel\195\169@x.example" },
         script [[
            S: 220 hi
            C: EHLO me.example
            S: 502 no
            C: HELO me.example
            S: 250 mx
            <bye>
         ]])
      assert.equal("smtputf8", err.reason)
   end)

   it("is sent as it is, and MAIL says SMTPUTF8", function()
      talk.send({ from = "pel\195\169@x.example" }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<pel\195\169@x.example> SMTPUTF8", "<bob@there.example>") }))
      talk.send({ from = '"pel\195\169 x"@x.example' }, script([[
         <all>
         <conversation>
      ]], {
         conversation = conversation('<"pel\195\169 x"@x.example> SMTPUTF8', "<bob@there.example>"),
      }))
   end)

   it("has its domain in U-labels; the others have A-labels", function()
      talk.send({ from = "pel\195\169@M\195\156NCHEN.example", to = { "bob@m\195\188nchen.example",
         "zo\195\171@xn--mnchen-3ya.example" } }, script([[
            <all>
            <conversation>
         ]], {
            conversation = conversation("<pel\195\169@m\195\188nchen.example> SMTPUTF8",
               "<bob@xn--mnchen-3ya.example>", "<zo\195\171@xn--mnchen-3ya.example>"),
         }))
   end)

   it("may be the recipient's only: MAIL says SMTPUTF8", function()
      local receipt = talk.send({ to = { "bob@there.example", "pel\195\169@x.example" } }, script([[
         <all>
         <conversation>
      ]], {
         conversation = conversation("<ann@me.example> SMTPUTF8", "<bob@there.example>", "<pel\195\169@x.example>"),
      }))
      assert.same({ "bob@there.example", "pel\195\169@x.example" }, receipt.accepted)
   end)

   it("may be in the envelope only", function()
      talk.send({ envelope = { from = "", to = "pel\195\169@x.example" } }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<> SMTPUTF8", "<pel\195\169@x.example>") }))
      talk.send({ envelope = { from = "pel\195\169@x.example" } }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<pel\195\169@x.example> SMTPUTF8", "<bob@there.example>") }))
   end)

   it("may be in the header only", function()
      local body = body_of({ reply_to = "pel\195\169@x.example" }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<ann@me.example> SMTPUTF8", "<bob@there.example>") }))
      assert.truthy(body:find("\r\nReply-To: pel\195\169@x.example\r\n", 1, true))
   end)

   it("goes on in one flight where PIPELINING is offered", function()
      talk.send({ to = "pel\195\169@x.example" }, script [[
         <hello PIPELINING, SMTPUTF8>
         C: MAIL FROM:<ann@me.example> SMTPUTF8
         C: RCPT TO:<pel\xC3\xA9@x.example>
         C: DATA
         S: 250 ok
         S: 250 ok
         S: 354 go on
         MESSAGE
         S: 250 ok
         <bye>
      ]])
   end)
end)

describe("SMTPUTF8", function()
   it("is not said for a domain outside ASCII alone", function()
      for _, offer in ipairs { script.all, script "<hello>" } do
         local body = body_of({ from = "Ann \195\150 <ann@m\195\188nchen.example>", to = "bob@\195\164.example" }, offer
            .. conversation("<ann@xn--mnchen-3ya.example>", "<bob@xn--4ca.example>"))
         assert.is_nil(body:find("[\128-\255]"))
         assert.truthy(body:find("\r\nTo: bob@xn--4ca.example\r\n", 1, true))
      end
   end)

   it("is not said for 8-bit text, nor because it is offered", function()
      talk.send({ raw = "x: y\r\n\r\n\195\164\r\n" }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<ann@me.example> BODY=8BITMIME", "<bob@there.example>") }))
      talk.send({}, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<ann@me.example>", "<bob@there.example>") }))
   end)

   it("has UTF-8 in the addresses of the header; all other text is encoded as ever", function()
      local body = body_of({ from = "Pel\195\169 <pel\195\169@x.example>", subject = "Gr\195\188\195\159e",
         text = "\195\164\n", to = { "Bob <bob@there.example>" } }, script([[
            <all>
            <conversation>
         ]], {
            conversation = conversation("<pel\195\169@x.example> SMTPUTF8", "<bob@there.example>"),
         }))
      assert.truthy(body:find("\r\nFrom: =%?UTF%-8%?[^\r ]+%?= <pel\195\169@x.example>\r\n"))
      assert.truthy(body:find("\r\nSubject: =%?UTF%-8%?[^\r ]+%?=\r\n"))
      local rest = body:gsub("pel\195\169@", "")
      assert.is_nil(rest:find("[\128-\255]"))
   end)

   -- RFC 6531 3.6: without BODY= the header holds UTF-8 and the body is ASCII.
   it("needs no BODY=8BITMIME for the header; 8-bit text needs it still", function()
      talk.send({ to = "pel\195\169@x.example", raw = "X: \195\164\r\n\r\n\195\164\r\n" }, script([[
         <all>
         <conversation>
      ]], {
         conversation = conversation("<ann@me.example> BODY=8BITMIME SMTPUTF8", "<pel\195\169@x.example>"),
      }))
      local _, err = talk.send({ to = "pel\195\169@x.example", raw = "X: y\r\n\r\n\195\164\r\n" },
         script [[
            <hello SMTPUTF8>
            <bye>
         ]])
      assert.equal("8bitmime", err.reason)
   end)

   it("lets a header of unknown content hold UTF-8, and no body that was not declared", function()
      local function source(text)
         return { new = function()
            local left = text
            return function()
               local piece = left
               left = nil
               return piece
            end
         end }
      end
      talk.send({ to = "pel\195\169@x.example", raw = source "To: pel\195\169@x.example\r\n\r\nhello\r\n" }, script([[
         <all>
         <conversation>
      ]], { conversation = conversation("<ann@me.example> SMTPUTF8", "<pel\195\169@x.example>") }))
      for to, text in pairs { ["pel\195\169@x.example"] = "X: y\n\nbody \195\164",
         ["bob@x.example"] = "X: \195\164\n\nhi" } do
         local peer = talk.peer(script [[
            <all>
            C~
            S: 250 ok
            C~
            S: 250 ok
            C: DATA
            S: 354 go
            MESSAGE
            CLOSE
         ]])
         local _, err = safe.send(talk.options({ to = to, raw = source(text).new() }, peer))
         assert.same({ "source", "eightbit", "no" }, { err.kind, err.reason, err.sent })
         assert.is_nil((peer.body or ""):find("\n.\r\n", 1, true))
      end
   end)

   it("has the domain of the Message-ID in ASCII", function()
      local _, one = request.send(talk.options({ from = "pel\195\169@m\195\188nchen.example", raw = false, text = "" }))
      assert.truthy(one.message_id:find("^<[0-9a-f]+@xn%-%-mnchen%-3ya%.example>$"))
   end)

   it("is read in any case, and as a whole word", function()
      talk.send({ to = "pel\195\169@x.example" }, script([[
         <hello smtputf8>
         <conversation>
      ]], { conversation = conversation("<ann@me.example> SMTPUTF8", "<pel\195\169@x.example>") }))
      local _, err = talk.send({ to = "pel\195\169@x.example" }, script [[
         <hello SMTPUTF8X, XSMTPUTF8>
         <bye>
      ]])
      assert.equal("smtputf8", err.reason)
   end)

   it("offered before TLS only is not offered", function()
      local _, err = talk.send({ tls = "require", to = "pel\195\169@x.example" },
         script [[
            <hello STARTTLS, SMTPUTF8>
            C: STARTTLS
            S: 220 go
            TLS
            <ehlo>
            <bye>
         ]])
      assert.equal("smtputf8", err.reason)
   end)
end)

describe("Bytes that are not UTF-8", function()
   for name, bad in pairs { overlong = "\192\175", surrogate = "\237\160\128", cut = "\195",
      ["too high"] = "\244\144\128\128",
      ["a C1 control"] = "\194\133", Latin1 = "\233" } do
      it("in an address is refused before connecting: " .. name, function()
         for _, form in ipairs { "a%sb@x.example", '"a%sb"@x.example', "a@x%s.example" } do
            local given = form:gsub("%%s", bad)
            local receipt, err = safe.send(talk.options({ to = given }, { connect = error, send = error,
               receiveany = error, sslhandshake = error, settimeouts = error, close = error }))
            assert.is_nil(receipt)
            assert.same({ "address", "to", given }, { err.kind, err.option, err.value })
         end
      end)
   end
end)
