-- smtp.dkim: whole messages are signed.
local dkim = require "smtp.dkim"
local keys = require "spec.tools.dkim_keys"

local clock, read, head, signer, rfc = keys.clock, keys.read, keys.head, keys.signer, keys.rfc

describe("a message", function()
   it("is signed the same whatever ends its lines, and gets CRLF", function()
      local want = assert(dkim.sign(rfc.message, signer(), clock))
      for _, eol in ipairs { "\n", "\r" } do
         assert.equal(want, dkim.sign((rfc.message:gsub("\r\n", eol)), signer(), clock))
      end
   end)

   it("is unchanged below its signature", function()
      for _, message in ipairs { head .. "\r\n", head .. "\r\nbody", head, head .. "X: " .. ("x "):rep(400)
         .. "\r\n y\r\n\r\n\r\n  \r\n\r\n", head .. "\r\n\255\r\n" } do
         local tags, rest = read(assert(dkim.sign(message, signer())))
         assert.equal(1, #tags)
         assert.equal(message, rest)
      end
   end)

   it("may have a very long header", function()
      local message = head .. "To: " .. ("bob@example.net,\r\n "):rep(20000) .. "eve@example.net\r\n\r\n"
      local _, rest = read(assert(dkim.sign(message, signer())))
      assert.truthy(rest == message)
   end)

   it("may end within its headers", function()
      local _, rest = read(assert(dkim.sign("Subject: x\nFrom: a", signer())))
      assert.equal("Subject: x\r\nFrom: a\r\n", rest)
   end)

   it("without From, or with two, is refused", function()
      for _, message in ipairs { "", "\r\nFrom: a\r\n", "To: a\r\n\r\nFrom: a\r\n", head .. head .. "\r\n" } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.same({ "usage", "message" }, { err.kind, err.option })
         assert.truthy(err.what:find("From", 1, true))
      end
   end)

   it("that a server would change is refused", function()
      for message, why in pairs { [head .. "\r\n\0"] = "NUL", [head .. "\r\n" .. ("x"):rep(999)] = "998",
         [head .. "no header\r\n\r\n"] = "entry 2", [" x\r\n" .. head .. "\r\n"] = "entry 1",
         [head .. "To : a\r\n\r\n"] = "To has whitespace" } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.same({ "usage", "message" }, { err.kind, err.option })
         assert.truthy(err.what:find(why, 1, true), err.what)
      end
   end)

   it("is a string", function()
      for _, message in ipairs { 1, true, {} } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.equal("message", err.option)
      end
   end)
end)

describe("a large message", function()
   it("is signed the same whatever ends its lines", function()
      local text = "From: ann@football.example.com\r\nSubject: x\r\n\r\n"
         .. ("a line of a large message\r\n"):rep(20000)
      local want = assert(dkim.sign(text, signer(), clock))
      assert.equal(want, dkim.sign((text:gsub("\r\n", "\n")), signer(), clock))
   end)
end)
