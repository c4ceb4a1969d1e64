local smtp = require "smtp.safe"
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

local pieces = talk.pieces

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
      ["From x\r\n"] = "From x\r\n.\r\n", ["a.b\r\n"] = "a.b\r\n.\r\n",
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

   it("may be an open file, read from where it stands", function()
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

describe("in a streamed message", function()
   local core = require "smtp.core"
   local function reason(pieces_of, eightbit)
      local session = core.session { domain = "me.example" }
      session:heard("220 hi\r\n")
      session:sent(1000)
      session:heard("250-mx\r\n250 8BITMIME\r\n")
      session:add(core.transaction { from = "a@x", to = { "b@x" }, eightbit = eightbit })
      for _, reply in ipairs { "250 ok\r\n", "250 ok\r\n", "354 go\r\n" } do
         session:sent(1000)
         session:heard(reply)
      end
      for _, piece in ipairs(pieces_of) do session:body(piece, 1) end
      return (session:trouble() or {}).reason
   end

   it("what must not be sent is found at every place", function()
      for before = 0, 20 do
         for after = 0, 12 do
            local function with(octets) return { "x\r\n" .. ("x"):rep(before) .. octets .. ("\t"):rep(after) } end
            assert.equal("nul", reason(with "\0"))
            assert.equal("nul", reason(with "\0", true))
            assert.equal("nul", reason(with "\195\164\0", true))
            assert.equal("eightbit", reason(with "\128"))
            assert.equal("eightbit", reason(with "\255"))
            assert.is_nil(reason(with "\255\128", true))
            assert.is_nil(reason(with "\t\1\2\11\12\14\127"))
         end
      end
   end)

   it("a line of 998 octets passes and one of 999 does not, wherever it is cut", function()
      for _, line in ipairs { ("x"):rep(998), ("."):rep(998) } do
         for cut = 1, 998, 83 do
            assert.is_nil(reason { line:sub(1, cut), line:sub(cut + 1), "\r\n", line, "\n" .. line })
            assert.equal("line_too_long", reason { "a\n" .. line:sub(1, cut), line:sub(cut + 1) .. "x" })
            assert.equal("line_too_long", reason { line:sub(1, cut), line:sub(cut + 1), ".", "\r\n" })
         end
      end
   end)
end)

describe("a streamed message", function()
   local cut = script [[
      <envelope>
      S: 354 go
      SILENCE
   ]]

   for name, list in pairs { ["a NUL"] = { "a", "b\0c" }, ["a line over 998 octets"] =
      { ("x"):rep(600), ("x"):rep(600) }, ["undeclared 8-bit bytes"] = { "a", "\195\164" } } do
      it("with " .. name .. " is cut before its end", function()
         local _, err = talk.send({ raw = pieces(list) }, cut)
         assert.equal("source", err.kind)
         assert.equal("body", err.stage)
         assert.equal("unsent", err.recipients[1].state)
         assert.equal("no", err.sent)
      end)
   end

   it("in many small pieces is whole", function()
      assert.equal("a\r\n..b\r\n.\r\n", wire(pieces { "a", "\r", "\n", ".", "", "b" }))
   end)

   it("that yields is passed on", function()
      local safe = require "smtp.safe"
      local peer = talk.peer(script [[
         <go>
         S: 250 ok
         <bye>
      ]])
      local list = { "a\r\n", "b\r\n" }
      local thread = coroutine.create(function()
         return safe.send(talk.options({ raw = function()
            coroutine.yield("waiting")
            return table.remove(list, 1)
         end }, peer))
      end)
      local yields = 0
      local ok, result = coroutine.resume(thread)
      while ok and result == "waiting" do
         yields = yields + 1
         ok, result = coroutine.resume(thread)
      end
      assert.is_true(ok)
      assert.same({ "bob@there.example" }, result.accepted)
      assert.equal(3, yields)
      assert.equal("a\r\nb\r\n.\r\n", peer.body)
   end)

   for name, source in pairs {
      ["raises"] = function() error("disk on fire", 0) end,
      ["returns nil and an error"] = function() return nil, "disk on fire" end,
      ["returns a number"] = function() return 7 end,
      ["returns empty strings without end"] = function() return "" end,
      -- In nginx there is always somebody who resumes.
      ["yields where nobody can resume it"] = not package.loaded.ngx and function() coroutine.yield() end or nil,
   } do
      it("whose function " .. name .. " is a SourceError, and nothing was delivered", function()
         local _, err = talk.send({ raw = source }, cut)
         assert.equal("source", err.kind)
         assert.equal("never", err.retry)
         assert.equal("unsent", err.recipients[1].state)
         if name:find("error") then assert.equal("disk on fire", err.cause) end
      end)
   end

   it("of another length than declared never ends", function()
      for _, size in ipairs { 3, 5 } do
         local _, err = talk.send({ raw = pieces { "ab", "cd" }, size = size }, cut)
         assert.equal("source", err.kind)
         assert.equal("size", err.reason)
      end
      assert.is_nil((select(2, talk.send({ raw = pieces { "ab", "cd" }, size = 4 },
         script [[
            <go>
            S: 250 ok
            <bye>
         ]]))))
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
      assert.same({ "disconnected", "shutting_down", "final", 421, "no", "later" },
         { err.kind, err.reason, err.stage, err.code, err.sent, err.retry })
      assert.same({ "deferred", 421, "bye" },
         { err.recipients[1].state, err.recipients[1].code, err.recipients[1].text })
   end)

   it("250 and more behind it is delivered", function()
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

-- Of a message that is too large some servers say so only after they have seen it (RFC 1870 6.4).
describe("a message refused for its size", function()
   local chunks = script([[
      <this_envelope>
      C: BDAT 21 LAST
      OCTETS 21
   ]], {
      this_envelope = script.envelope:gsub("S: 250 mx\n", "S: 250-mx\nS: 250 CHUNKING\n"):gsub("C: DATA\n", ""),
   })
   local places = { [script.envelope] = "data", [script [[
      <envelope>
      S: 354 go
      MESSAGE
   ]]] = "final", [chunks] = "final" }

   for line, kind in pairs { ["552 5.3.4 too big"] = "message_too_large", ["552 5.2.3 too big"] = "message_too_large",
      ["552 too big"] = "message_too_large", ["523 too big"] = "message_too_large",
      ["552 5.2.2 over quota"] = "data_refused",
      ["552 5.7.0 virus"] = "data_refused", ["534 no"] = "data_refused", ["554 5.3.4 no"] = "data_refused" } do
      for place, stage in pairs(places) do
         it(("by %s is %s, at %s"):format(line, kind, stage .. (place == chunks and " (BDAT)" or "")), function()
            local _, err = talk.send({}, script([[
               <place>
               S: $line
               <bye>
            ]], { place = place, line = line }))
            assert.same({ kind, stage, tonumber(line:sub(1, 3)), "never", "no", "refused" },
               { err.kind, err.stage, err.code, err.retry, err.sent, err.recipients[1].state })
            assert.equal(line:match("%l.*$"), err.recipients[1].text)
            if kind == "message_too_large" then assert.equal(21, err.size) end
         end)
      end
   end

   it("is one in LMTP where every recipient's verdict says so", function()
      local _, err = talk.send({ protocol = "lmtp" }, script([[
         <this_envelope>
         S: 354 go
         MESSAGE
         S: 552 5.3.4 too big
         <bye>
      ]], { this_envelope = script.envelope:gsub("EHLO", "LHLO") }))
      assert.same({ "message_too_large", "refused" }, { err.kind, err.recipients[1].state })
   end)

   it("leaves a connection usable, and is one message's in send_many", function()
      local one = [[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
      ]]
      local options = talk.options({ from = false, to = false, raw = false }, talk.peer(script([[
         <hello>
         <one>
         S: 354 go
         MESSAGE
         S: 552 5.3.4 too big
         <one>
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]], { one = one })))
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x" }
      local summary = smtp.send_many(options, { message, message })
      assert.same({ "message_too_large", 1 }, { summary.results[1].kind, summary.sent })
   end)
end)
