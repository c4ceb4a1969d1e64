local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local base, untouched, with = checked.base, checked.untouched, checked.with

describe("raw", function()
   it("that is an open folder is refused", function()
      local folder = assert(io.open("/", "rb"))
      local _, err = safe.send { transport = untouched(), tls = "skip", from = base.from, to = base.to, raw = folder }
      folder:close()
      assert.equal("raw", err.option)
   end)

   it("that is a closed file is refused as one", function()
      local file = assert(io.open("Makefile", "rb"))
      file:close()
      local _, err = safe.message { from = base.from, to = base.to, raw = file }
      assert.matches("got a closed file", err.what, 1, true)
      assert.matches("^Open the file", err.hint)
   end)

   it("excludes the options of composed messages", function()
      for _, name in ipairs { "cc", "bcc", "subject", "text", "headers", "date", "reply_to" } do
         local t = with { raw = "x\r\n", [name] = name == "headers" and {} or "a@b.example" }
         if name ~= "text" then t.text = nil end
         t.transport, t.tls_host = untouched(), "x"
         assert.equal(name, select(2, safe.send(t)).option)
      end
   end)

   it("is checked before anything is sent", function()
      for _, raw in ipairs { "a\0b", ("x"):rep(999), "Subject: x\r\nBcc: a@b\r\n\r\nx",
         "Subject: x\rbcc : a@b\r\rx", 7, {} } do
         local t = with { raw = raw, transport = untouched(), tls_host = "x" }
         t.text = nil
         assert.equal("raw", select(2, safe.send(t)).option)
      end
      local t = with { raw = "Subject: x\r\n\r\nBcc: not a header\r\n" }
      t.text = nil
      assert.is_table((request.send(t)))
   end)
end)

describe("a raw file", function()
   it("is refused with a Bcc header in it, as a string is", function()
      for _, text in ipairs { "Subject: x\r\nBcc: a@b\r\n\r\nx", "bcc : a@b\n\nx" } do
         local _, err = safe.send(talk.options({ raw = talk.file(text).new() }, talk.peer("")))
         assert.equal("raw", err.option)
      end
      local refused = talk.file("x\nBcc: a@b\n\n").new()
      refused:seek("set", 2)
      assert.is_nil((safe.send(talk.options({ raw = refused }, talk.peer("")))))
      assert.equal(2, refused:seek())
      local file = talk.file("x\nSubject: x\n\nBcc: no header\n").new()
      file:read("*l")
      local peer = talk.peer(talk.script [[
         S: 220 hi
         C: EHLO me.example
         S: 250-mx
         S: 250 HELP
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]])
      assert(safe.send(talk.options({ raw = file }, peer)))
      assert.equal("Subject: x\r\n\r\nBcc: no header\r\n.\r\n", peer.body)
   end)
end)

describe("the size of raw", function()
   it("is a whole number of bytes", function()
      for _, size in ipairs { -1, 1.5, "7", true } do
         local _, err = safe.send { transport = untouched(), tls = "skip", from = base.from, to = base.to,
            raw = "x\r\n", size = size }
         assert.equal("size", err.option)
      end
   end)
end)
