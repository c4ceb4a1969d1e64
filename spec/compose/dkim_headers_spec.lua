-- Which headers a DKIM signature covers, as the caller says.
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"
local keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"

local clock, read, head, signer = keys.clock, keys.read, keys.head, keys.signer

local message = head .. "To: bob@example.net\r\nSubject: hi\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
   .. "Message-ID: <1@example.org>\r\nX-Own: 1\r\nX-Own: 2\r\n\r\nhello\r\n"

local function names(more, text)
   return read(assert(dkim.sign(text or message, signer(more), clock)))[1].h
end

local function occurrences(h, name)
   return select(2, (":" .. h:lower():gsub(":", "::") .. ":"):gsub(":" .. name:lower():gsub("%-", "%%-") .. ":", ""))
end

describe("headers", function()
   it("are those that the caller names, as often as they occur", function()
      assert.equal("From:From:To:To:X-Own:X-Own", names { headers = { "From", "To", "X-Own" } })
      assert.equal("X-Own:X-Own:From:From", names { headers = { "X-Own", "From" } })
   end)

   it("always contain From", function()
      assert.equal("From:From:Subject:Subject", names { headers = { "Subject" } })
      assert.equal("From:From", names { headers = {} })
      assert.equal("From:From", names { headers = { "FROM", "from" } })
      assert.equal("From:From", names { headers = { "Subject" }, skip = { "subject" } })
   end)

   it("may be one name, in any letter case", function()
      assert.equal("From:From:Subject:Subject", names { headers = "SUBJECT" })
      assert.equal("From:From:x-own:x-own", names { headers = { "x-own" } })
   end)

   it("that do not occur are signed only where another may not be added", function()
      assert.equal("From:From:Reply-To", names { headers = { "Reply-To", "Sender", "X-None" } })
   end)

   it("that are given twice are signed once more than they occur", function()
      assert.equal("From:From:X-Own:X-Own:X-Own:Sender:X-None",
         names { headers = { "X-Own", "X-Own", "Sender", "Sender", "X-None", "x-none" } })
      assert.equal("From:From:Subject:Subject", names { headers = { "Subject", "Subject" } })
   end)

   it("that are skipped are not signed, and can be replaced", function()
      local all = names {}
      local h = names { skip = { "Message-ID", "date" } }
      for _, name in ipairs { "Message-ID", "Date" } do
         assert.same({ 2, 0 }, { occurrences(all, name), occurrences(h, name) })
      end
      assert.equal(2, occurrences(h, "Subject"))
      assert.equal(all, names { skip = {} })
      assert.equal(all, names { skip = "X-Own" })
      local one = assert(dkim.sign(message, signer { skip = "Message-ID" }, clock))
      local other = assert(dkim.sign((message:gsub("<1@", "<2@")), signer { skip = "Message-ID" }, clock))
      assert.equal(read(one)[1].b, read(other)[1].b)
   end)

   it("differ between the signers of a list", function()
      local tags = read(assert(dkim.sign(message, { signer { headers = "Subject" }, signer(),
         signer { skip = "Date" } }, clock)))
      assert.equal("From:From:Subject:Subject", tags[1].h)
      assert.same({ 2, 0 }, { occurrences(tags[2].h, "Date"), occurrences(tags[3].h, "Date") })
   end)

   it("are chosen for composed and for raw messages as well", function()
      for _, more in ipairs { { text = "hi" }, { raw = message } } do
         local t = { from = "ann@example.org", to = "bob@example.net", dkim = signer { headers = { "Subject", "To" } } }
         for name, value in pairs(more) do t[name] = value end
         assert.equal("From:From:Subject", (read(tostring(assert(safe.message(t))))[1].h:match("^From:From:Subject")))
      end
   end)

   it("with invalid names are refused, and no error repeats them", function()
      local _, pem = keys.make()("ed25519")
      for option, value in pairs { headers = 5, skip = true } do
         local found, err = dkim.check(signer { [option] = value })
         assert.is_nil(found)
         assert.same({ "usage", "dkim." .. option }, { err.kind, err.option })
      end
      for _, value in ipairs { "", "From:To", "Sub ject", "Subject ", "Betreff\195\164", "a\r\nb", pem, 5, {} } do
         for _, option in ipairs { "headers", "skip" } do
            local found, err = dkim.check { signer(), signer { [option] = { "Date", value } } }
            assert.is_nil(found)
            assert.truthy(errors.is(err, "usage"))
            assert.equal(("dkim[2].%s[2]"):format(option), err.option)
            if type(value) == "string" and #value > 9 then assert.is_nil(tostring(err):find(value, 1, true)) end
         end
      end
      assert.equal("dkim.headers", select(2, dkim.check(signer { headers = { [2] = "Date" } })).option)
   end)

   it("that change on the way are refused", function()
      for _, name in ipairs { "Received", "return-path", "BCC", "Resent-Bcc", "DKIM-Signature" } do
         local _, err = dkim.check(signer { headers = { name } })
         assert.equal("dkim.headers", err.option)
         assert.truthy(err.what:find(name, 1, true))
         assert(dkim.check(signer { skip = { name } }))
      end
   end)

   it("without From are refused", function()
      local _, err = dkim.check(signer { skip = { "Date", "from" } })
      assert.equal("dkim.skip", err.option)
      assert.truthy(tostring(err):find("Leave From out of skip", 1, true))
   end)
end)
