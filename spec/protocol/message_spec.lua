local talk = require "spec.tools.talk"

local script = talk.snippets {
   envelope = [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
   ]],
   go = [[
      <envelope>
      S: 354 go
      MESSAGE
   ]],
}

local function wire(raw)
   local _, err, peer = talk.send({ raw = raw }, script [[
      <go>
      S: 250 ok
      <bye>
   ]])
   assert.is_nil(err)
   return peer.body
end

describe("the message", function()
   for raw, want in pairs {
      [""] = ".\r\n", ["\r\n"] = "\r\n.\r\n", ["a"] = "a\r\n.\r\n", ["a\r\n"] = "a\r\n.\r\n",
      ["a\nb"] = "a\r\nb\r\n.\r\n", ["a\rb"] = "a\r\nb\r\n.\r\n", ["."] = "..\r\n.\r\n",
      [".\r\nb"] = "..\r\nb\r\n.\r\n", ["a\r\n.b\r\n..\r\n"] = "a\r\n..b\r\n...\r\n.\r\n",
      ["x\n.\r\nMAIL FROM:<e@x>\r\n"] = "x\r\n..\r\nMAIL FROM:<e@x>\r\n.\r\n",
      ["x\r.\r\n"] = "x\r\n..\r\n.\r\n", ["\r\r\n.\r\r\n"] = "\r\n\r\n..\r\n\r\n.\r\n",
      ["From: x\r\n"] = "From: x\r\n.\r\n", ["a.b\r\n"] = "a.b\r\n.\r\n",
   } do
      it(("%q has whole lines, doubled dots and one end"):format(raw), function()
         assert.equal(want, wire(raw))
      end)
   end

   -- What a server makes of the bytes: RFC 5321 4.5.2 backwards.
   local function received(body)
      assert(body:sub(-3) == ".\r\n")
      body = "\r\n" .. body:sub(1, -4)
      assert(not body:find("\r\n.\r\n", 1, true) and not body:gsub("\r\n", ""):find("[\r\n]"))
      return (body:gsub("\r\n%.", "\r\n"):sub(3))
   end

   it("is the same for every way to cut it", function()
      local core = require "smtp.core"
      local alphabet = { "\r", "\n", ".", "x" }
      local function body(text, cuts)
         local session = core.session { domain = "me.example" }
         session:heard("220 hi\r\n") -- the greeting
         session:sent(1000)
         session:heard("250 mx\r\n")
         local mail = core.transaction { from = "a@x", to = { "b@x" } }
         session:add(mail)
         for _, reply in ipairs { "250 ok\r\n", "250 ok\r\n", "354 go\r\n" } do
            session:sent(1000)
            session:heard(reply)
         end
         local from = 1
         for i = 1, #text do
            if i == #text or cuts % 2 ^ i >= 2 ^ (i - 1) then
               local piece, at = text:sub(from, i), 1
               while at <= #piece do at = session:body(piece, at) end
               from = i + 1
            end
         end
         session:body_end()
         return (session:output())
      end
      for length = 0, 5 do
         for number = 0, 4 ^ length - 1 do
            local letters, rest = {}, number
            for i = 1, length do
               letters[i] = alphabet[rest % 4 + 1]
               rest = math.floor(rest / 4)
            end
            local text = table.concat(letters)
            local whole = body(text, 0)
            local want = text:gsub("\r\n", "\n"):gsub("\r", "\n")
            if want ~= "" and want:sub(-1) ~= "\n" then want = want .. "\n" end
            assert(received(whole) == want:gsub("\n", "\r\n"), text)
            for cuts = 1, 2 ^ math.max(length - 1, 0) - 1 do assert(body(text, cuts) == whole, text) end
         end
      end
   end)

   it("may be far larger than any buffer", function()
      local line = "." .. ("x"):rep(70) .. "\r\n"
      local raw = line:rep(20000)
      local peer = talk.peer(script [[
         <go>
         S: 250 ok
         <bye>
      ]])
      local safe = require "smtp.safe"
      assert.is_table((safe.send(talk.options({ raw = raw }, peer))))
      talk.finished(peer)
      assert.equal(raw, received(peer.body))
   end)

   it("may be an open file, read from its current position", function()
      local name = os.tmpname()
      local file = assert(io.open(name, "w+"))
      file:write("skipped\nhello\n")
      file:seek("set", 8)
      local peer = talk.peer(script [[
         <go>
         S: 250 ok
         <bye>
      ]])
      local receipt = require("smtp.safe").send(talk.options({ raw = file }, peer))
      file:close()
      os.remove(name)
      assert.is_table(receipt)
      assert.equal("hello\r\n.\r\n", peer.body)
   end)

   it("with a line of 998 octets passes, and one more does not", function()
      assert.is_string(wire(("x"):rep(998) .. "\r\n"))
      local _, err = require("smtp.safe").send(talk.options { raw = ("x"):rep(999) })
      assert.equal("usage", err.kind)
      assert.equal("raw", err.option)
   end)
end)

describe("DATA answered by", function()
   for _, code in ipairs { 250, 221 } do
      it(code .. " gets no message", function()
         local _, err = talk.send({}, script([[
            <envelope>
            S: $code ok
         ]], { code = code }))
         assert.equal("protocol", err.kind)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   for _, reply in ipairs { [[
      S: 354-go
      S: 354 on
   ]], "S: 300 go", "S: 351 go" } do
      it(reply .. " gets it", function()
         assert.is_table((talk.send({}, script([[
            <envelope>
            <reply>
            MESSAGE
            S: 250 ok
            <bye>
         ]], { reply = reply }))))
      end)
   end

   it("500 is a refusal", function()
      local _, err = talk.send({}, script [[
         <envelope>
         S: 500 what
         <bye>
      ]])
      assert.equal("data_refused", err.kind)
      assert.equal("refused", err.recipients[1].state)
   end)
end)

describe("the end of the message answered by", function()
   for _, code in ipairs { 550, 552, 554, 451 } do
      it(code .. " is a refusal of all that were accepted", function()
         local _, err = talk.send({}, script([[
            <go>
            S: $code 5.6.0 spam
            <bye>
         ]], { code = code }))
         assert.equal("data_refused", err.kind)
         assert.equal("final", err.stage)
         assert.equal(code == 451 and "deferred" or "refused", err.recipients[1].state)
         assert.equal(code, err.recipients[1].code)
         assert.equal(code == 451 and "later" or "never", err.retry)
      end)
   end

   for _, reply in ipairs { "S: 354 go", "S: 850 x", "S: what", [[
      S: 250-ok
      S: 550 no
   ]], "CLOSE",
      [[
         S~ 25
         CLOSE
      ]], "SILENCE" } do
      it(reply .. " leaves it in doubt, and says so", function()
         local _, err = talk.send({}, script([[
            <go>
            <reply>
         ]], { reply = reply }))
         assert.equal("unknown", err.recipients[1].state)
         assert.equal("maybe", err.sent)
         assert.equal("doubt", err.retry)
         assert.equal("final", err.stage)
         assert.truthy(tostring(err):find("may have been delivered", 1, true))
      end)
   end

   it("421 is an answer as well: it is not taken, for now", function()
      local _, err = talk.send({}, script [[
         <go>
         S: 421 4.3.2 bye
         CLOSE
      ]])
      assert.same({ "disconnected", "temporary", "final", 421, "no", "later" },
         { err.kind, err.reason, err.stage, err.code, err.sent, err.retry })
      assert.same({ "deferred", 421, "bye" },
         { err.recipients[1].state, err.recipients[1].code, err.recipients[1].text })
   end)

   it("250 and more after it is delivered", function()
      local receipt = talk.send({}, script [[
         <go>
         S: 250 ok
         S: 250 surprise
      ]])
      assert.equal("accepted", receipt.recipients[1].state)
   end)

   it("250 and a lost connection is delivered", function()
      assert.is_table((talk.send({}, script [[
         <go>
         S: 250 ok
         CLOSE
      ]])))
   end)
end)

describe("a server that answers while the message is on its way", function()
   local start = script [[
      <envelope>
      S: 354 go
      C~
   ]]
   local long = ("x\r\n"):rep(3)

   it("with 552 is heard, and nothing is in doubt", function()
      local _, err = talk.send({ raw = long }, script([[
         <start>
         S: 552 5.3.4 too big
         CLOSE
      ]], { start = start }))
      assert.equal("message_too_large", err.kind)
      assert.equal(552, err.code)
      assert.equal("refused", err.recipients[1].state)
   end)

   it("with 250 is not believed", function()
      local _, err = talk.send({ raw = long }, start .. "S: 250 ok")
      assert.equal("protocol", err.kind)
      assert.equal("no", err.sent)
      assert.equal("unsent", err.recipients[1].state)
   end)

   it("with 421 is a lost connection, nothing in doubt", function()
      local _, err = talk.send({ raw = long }, script([[
         <start>
         S: 421 4.3.2 bye
         CLOSE
      ]], { start = start }))
      assert.equal("disconnected", err.kind)
      assert.equal("unsent", err.recipients[1].state)
   end)

   it("by closing leaves nothing in doubt", function()
      local _, err = talk.send({ raw = long }, start .. "CLOSE")
      assert.equal("disconnected", err.kind)
      assert.equal("unsent", err.recipients[1].state)
      assert.equal("now", err.retry)
   end)
end)
