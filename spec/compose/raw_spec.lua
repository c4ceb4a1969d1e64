local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

local base, untouched, with = checked.base, checked.untouched, checked.with

describe("raw", function()
   it("that is an open folder is refused", function()
      local folder = assert(io.open("/", "rb"))
      local _, err = safe.send { transport = untouched(), tls = "skip", from = base.from, to = base.to, raw = folder }
      folder:close()
      assert.equal("raw", err.option)
   end)
end)

describe("what is sent", function()
   it("as raw stands alone", function()
      for _, name in ipairs { "cc", "bcc", "subject", "text", "headers", "date", "reply_to" } do
         local t = with { raw = "x\r\n", [name] = name == "headers" and {} or "a@b.example" }
         if name ~= "text" then t.text = nil end
         t.transport, t.tls_host = untouched(), "x"
         assert.equal(name, select(2, safe.send(t)).option)
      end
   end)

   it("as raw is checked before anything is sent", function()
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
