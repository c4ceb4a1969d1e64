-- BINARYMIME (RFC 3030): octets that no text may hold, and text where it is no more than preferred.
local keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   opening = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
   ]],
   both = [[
      <opening>
      S: 250-8BITMIME
      S: 250-BINARYMIME
      S: 250-SIZE
      S: 250 CHUNKING
   ]],
   mail = function(parameters)
      return ([[
         C: MAIL FROM:<ann@me.example>%s
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
      ]]):format(parameters and " " .. parameters or "")
   end,
   chunk = [[
      C: BDAT $1 LAST
      OCTETS $1
      S: 250 ok
      <bye>
   ]],
   data = [[
      C: DATA
      S: 354 go
      MESSAGE
      S: 250 ok
      <bye>
   ]],
}

local prefer, require_it = { binarymime = "prefer" }, { binarymime = "require" }

local function send(raw, extensions, transcript, more)
   local options = { host = "binary.example", raw = raw, extensions = extensions }
   for name, value in pairs(more or {}) do options[name] = value end
   local receipt, err, peer = talk.send(options, transcript)
   return receipt or err, peer
end

local pieces = talk.pieces

local head = "Subject: x\r\n\r\n"

-- What no text may hold, and how a file or a string has it.
local binaries = { ["a NUL"] = head .. "a\0b\r\n", ["a long line"] = head .. ("x"):rep(999) .. "\r\n",
   ["a bare LF"] = head .. "a\nb\r\n", ["a bare CR"] = head .. "a\rb", ["a CR at its end"] = head .. "a\r",
   ["two CRs"] = head .. "\r\r\n", ["a LF first of all"] = head .. "\nx\r\n",
   ["no line end, and 8-bit octets"] = head .. ".\r\n\0\255\r\n.\r\n\195", ["a NUL and no header"] = "\0" }

describe("a message that holds what no text may", function()
   for name, raw in pairs(binaries) do
      it("goes out as it is: " .. name, function()
         for _, words in ipairs { prefer, require_it } do
            for _, given in ipairs { raw, talk.file(raw) } do
               if name ~= "a NUL and no header" then
                  local receipt, peer = send(given, words,
                     script([[
                        <both>
                        <mail $format>
                        <chunk $raw>
                     ]], { format = ("SIZE=%d BODY=BINARYMIME"):format(#raw), raw = #raw }))
                  assert.same({ binarymime = "used", chunking = "used" }, receipt.extensions)
                  assert.equal(raw, peer.body)
                  assert.equal(#raw, receipt.size)
               end
            end
         end
      end)

      it("needs BINARYMIME and CHUNKING, preferred or not: " .. name, function()
         if name == "a NUL and no header" then return end
         for lacking, offered in pairs { binarymime = "CHUNKING", chunking = "BINARYMIME" } do
            local err = send(raw, prefer, script([[
               <opening>
               S: 250-8BITMIME
               S: 250 $offered
               <bye>
            ]], { offered = offered }))
            assert.same({ "extension_unsupported", lacking, "mail", "no" },
               { err.kind, err.reason, err.stage, err.sent })
            assert.matches("encode binary parts as base64", err.hint)
         end
      end)
   end

   it("needs CHUNKING where that is merely preferred, and 8BITMIME not at all", function()
      local err = send(binaries["a NUL"], { binarymime = "prefer", chunking = "prefer" },
         script [[
            <opening>
            S: 250 BINARYMIME
            <bye>
         ]])
      assert.equal("chunking", err.reason)
      local raw = head .. "\195\0"
      send(raw, { binarymime = "prefer", ["8bitmime"] = "skip" },
         script([[
            <both>
            <mail $format>
            <chunk $raw>
         ]], { format = ("SIZE=%d BODY=BINARYMIME"):format(#raw), raw = #raw }))
   end)

   it("has a header of lines all the same", function()
      for _, raw in ipairs { "Subject: x\n\n\0", "Subject: x\r\nFrom: y\n\r\n\0", "\0", "Subject: x\r\r\0",
         "Subject: x\0\r\n\r\nhello\r\n" } do
         for _, given in ipairs { raw, talk.file(raw).new() } do
            local _, err = safe.send(talk.options({ raw = given, extensions = prefer }, talk.peer("")))
            assert.equal("raw", err.option)
         end
      end
   end)

   it("is refused where BINARYMIME is not asked for, or is skipped", function()
      for _, words in ipairs { {}, { binarymime = "skip" } } do
         for _, raw in ipairs { binaries["a NUL"], binaries["a long line"] } do
            local _, err = safe.send(talk.options({ raw = raw, extensions = words }, talk.peer("")))
            assert.equal("raw", err.option)
            assert.is_string(err.hint)
         end
      end
   end)

   it("cannot be signed, nor do without CHUNKING", function()
      local options = talk.options({ raw = binaries["a NUL"], extensions = prefer,
         dkim = { domain = "me.example", selector = "s", key = "x" } }, talk.peer(""))
      local _, err = safe.send(options)
      assert.equal("dkim", err.option)
      options.dkim, options.extensions = nil, { binarymime = "prefer", chunking = "skip" }
      _, err = safe.send(options)
      assert.equal("extensions.chunking", err.option)
   end)

   it("of a function is so where BINARYMIME is required", function()
      local receipt, peer = send(pieces { "Subject: x\r\n\r\n", "\0\n", "\r" }, require_it,
         script [[
            <both>
            <mail BODY=BINARYMIME>
            <chunk 17>
         ]])
      assert.equal("used", receipt.extensions.binarymime)
      assert.equal("Subject: x\r\n\r\n\0\n\r", peer.body)
      send(pieces { "Subject: x\r\n\r\n", "\0\n", "\r" }, require_it,
         script [[
            <both>
            <mail SIZE=17 BODY=BINARYMIME>
            <chunk 17>
         ]], { size = 17 })
   end)

   it("of a function is text where BINARYMIME is preferred", function()
      local receipt, peer = send(pieces { "Subject: x\n\n", "hello\n" }, prefer,
         script [[
            <both>
            <mail>
            <chunk 21>
         ]])
      assert.is_nil(receipt.extensions.binarymime)
      assert.equal("Subject: x\r\n\r\nhello\r\n", peer.body)
   end)
end)

describe("a message that is fine as text", function()
   local raw = head .. "gr\195\188n\r\n"

   it("is BINARYMIME where that can be had", function()
      for _, words in ipairs { prefer, require_it } do
         for _, given in ipairs { raw, talk.file(raw) } do
            local receipt, peer = send(given, words,
               script([[
                  <both>
                  <mail $format>
                  <chunk $raw>
               ]], { format = ("SIZE=%d BODY=BINARYMIME"):format(#raw), raw = #raw }))
            assert.same({ binarymime = "used", chunking = "used" }, receipt.extensions)
            assert.equal(raw, peer.body)
         end
      end
   end)

   it("gets no line end at its end then", function()
      local _, peer = send(head .. "x", prefer, script [[
         <both>
         <mail SIZE=15 BODY=BINARYMIME>
         <chunk 15>
      ]])
      assert.equal(head .. "x", peer.body)
      send(head .. "x", prefer, script [[
         <opening>
         S: 250-SIZE
         S: 250 CHUNKING
         <mail SIZE=17>
         <chunk 17>
      ]])
   end)

   it("is 8BITMIME where it has to be, and the receipt says so", function()
      for _, given in ipairs { raw, talk.file(raw) } do
         local receipt = send(given, prefer, script [[
            <opening>
            S: 250-8BITMIME
            S: 250 BINARYMIME
            <mail BODY=8BITMIME>
            <data>
         ]])
         assert.same({ ["8bitmime"] = "used", binarymime = "unavailable", chunking = "unavailable" },
            receipt.extensions)
         receipt = send(given, prefer, script([[
            <opening>
            S: 250-8BITMIME
            S: 250 CHUNKING
            <mail BODY=8BITMIME>
            <chunk $raw>
         ]], { raw = #raw }))
         assert.equal("unavailable", receipt.extensions.binarymime)
      end
   end)

   it("needs 8BITMIME or BINARYMIME", function()
      local err = send(raw, prefer, script [[
         <opening>
         S: 250 CHUNKING
         <bye>
      ]])
      assert.same({ "extension_unsupported", "8bitmime" }, { err.kind, err.reason })
      local receipt = send(raw, prefer, script([[
         <opening>
         S: 250-BINARYMIME
         S: 250 CHUNKING
         <mail BODY=BINARYMIME>
         <chunk $raw>
      ]], { raw = #raw }))
      assert.equal("used", receipt.extensions.binarymime)
   end)

   it("is not sent without BINARYMIME where that is required", function()
      local err = send(raw, require_it, script [[
         <opening>
         S: 250-8BITMIME
         S: 250 CHUNKING
         <bye>
      ]])
      assert.same({ "extension_unsupported", "binarymime" }, { err.kind, err.reason })
      -- Not what was given already.
      assert.matches("encode binary parts as base64", err.hint)
      assert.is_nil(err.hint:find("prefer", 1, true))
   end)

   it("is not sent without CHUNKING where BINARYMIME is required", function()
      local err = send(raw, { binarymime = "require", chunking = "prefer" },
         script [[
            <opening>
            S: 250-8BITMIME
            S: 250 BINARYMIME
            <bye>
         ]])
      assert.same({ "extension_unsupported", "chunking" }, { err.kind, err.reason })
   end)

   it("stays text where it is signed, as its line ends may change then", function()
      local err = send("From: a@b\r\n" .. head .. "x", prefer, script [[
         <opening>
         S: 250-BINARYMIME
         S: 250 CHUNKING
         C: MAIL FROM:<ann@me.example>
         S: 550 no
         <bye>
      ]],
         { dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 } })
      assert.equal("sender_refused", err.kind)
   end)

   it("is so, when empty, by DATA", function()
      send("", prefer, script [[
         <opening>
         S: 250-BINARYMIME
         S: 250 CHUNKING
         <mail>
         <data>
      ]])
   end)

   it("is not said to be used where experience forbids BDAT", function()
      local scripts = { script [[
         <both>
         <mail SIZE=17 BODY=BINARYMIME>
         C: BDAT 17 LAST
         OCTETS 17
         S: 500 what
      ]],
         script [[
            <both>
            <mail SIZE=19 BODY=8BITMIME>
            <data>
         ]] }
      local receipt, err = safe.send(talk.options({ host = "unbinary.example", extensions = prefer,
         raw = head .. "\195\164\195" }, function() return talk.peer(table.remove(scripts, 1)) end))
      assert.is_nil(err)
      assert.same({ binarymime = "unavailable", chunking = "unavailable", ["8bitmime"] = "used" },
         receipt.extensions)
   end)

   it("composed here is 7-bit as ever", function()
      local receipt = send(nil, prefer, script [[
         <both>
         C~ MAIL
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
         S: 550 no
         <bye>
      ]],
         { raw = false, text = "gr\195\188n", extensions = { binarymime = "prefer", chunking = "skip" } })
      assert.equal("data_refused", receipt.kind)
      local said = table.concat(receipt.transcript, "\n")
      assert.truthy(said:find("MAIL FROM", 1, true))
      assert.is_nil(said:find("BODY=", 1, true))
   end)
end)
