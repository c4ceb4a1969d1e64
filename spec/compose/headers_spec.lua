local checked = require "spec.tools.checked"
local composing = require "spec.tools.composing"
local dkim_keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"

local base, refused = checked.base, checked.refused
local bytes = composing.bytes

describe("date", function()
   for _, date in ipairs { "Foo, 24 Nov 2026 12:00:00 +0000", "Tue, 99 Nov 2026 12:00:00 +0000",
      "Tue, 24 Nix 2026 12:00:00 +0000", "Tue, 24 Nov 2026 24:00:00 +0000", "Tue, 24 Nov 2026 12:00:61 +0000",
      0 / 0, 1 / 0, -1, 1e18, "2026-11-24", "Tue, 24 Nov 2026 12:00" .. ("z"):rep(1000),
      "Tue, 24 Nov 2026 12:00:00 +0000\r\nBcc: x", {}, false } do
      it("is refused where it is none: " .. tostring(date):sub(1, 30), function()
         assert.equal("date", refused({ date = date }).option)
      end)
   end

   it("is a time, fractions of a second left out, or a date of RFC 5322", function()
      for date, written in pairs { [0.5] = "Thu, 01 Jan 1970 00:00:00 +0000",
         [1764000000] = "Mon, 24 Nov 2025 16:00:00 +0000",
         ["Tue, 24 Nov 2026 12:00:00 +0100 (CET)"] = "Tue, 24 Nov 2026 12:00:00 +0100 (CET)",
         ["4 Nov 2026 12:00 GMT"] = "Wed, 4 Nov 2026 12:00:00 +0000" } do
         local message = assert(safe.message { from = base.from, to = base.to, text = "", date = date })
         assert.truthy(tostring(message):find("Date: " .. written .. "\r\n", 1, true), tostring(message))
      end
   end)
end)

describe("the option headers", function()
   for _, name in ipairs { "X A", "X:A", "", "X\195\164" } do
      it(("refuses the header name '%s'"):format(name), function()
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end)
   end

   it("has headers of options in those options only", function()
      for _, name in ipairs { "From", "TO", "bcc", "Subject", "Date", "Message-Id", "MIME-Version",
         "Content-Type" } do
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end
   end)
end)

describe("headers with options of their own", function()
   it("are written, and folded at tokens", function()
      local text = bytes { text = "", in_reply_to = "<a@b>", references = { "<a@b>", "<c@d>" }, priority = "high",
         list_unsubscribe = { "https://x.example/u", "mailto:u@x.example", one_click = true } }
      assert.truthy(text:find("In-Reply-To: <a@b>\r\nReferences: <a@b> <c@d>\r\nX-Priority: 1\r\n"
         .. "Importance: high\r\nList-Unsubscribe: <https://x.example/u>, <mailto:u@x.example>\r\n"
         .. "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", 1, true), text)
      text = bytes { text = "", list_unsubscribe = { "HTTPS://x.example/u", "MailTo:u@x.example", one_click = true } }
      assert.truthy(text:find("\r\nList-Unsubscribe: <HTTPS://x.example/u>, <MailTo:u@x.example>\r\n", 1, true), text)
      local many = {}
      for i = 1, 60 do many[i] = ("<reference.%d@somewhere.example>"):format(i) end
      for line in bytes({ text = "", references = many }):gmatch("[^\r\n]+") do assert(#line <= 78, line) end
   end)

   it("begin on the line of their name, whatever their first word is", function()
      local word = ("w"):rep(70)
      local name, encoded, address = word .. "@x.example", "\195\164" .. ("\228\184\173"):rep(30), ("a"):rep(64)
      local text = bytes { to = { { name = encoded, address = "a@b" } },
         cc = address .. "@" .. ("b"):rep(60) .. ".example", from = { { name = word .. " \195\164", address = "a@b" } },
         reply_to = { { name = word .. ", x", address = "a@b" } },
         subject = word:rep(3), in_reply_to = "<" .. name .. ">", references = "<" .. name .. "> <b@c>",
         message_id = "<m" .. name .. ">", headers = { [("X"):rep(76)] = encoded, ["X-Word"] = word .. word,
            ["X-Words"] = word .. " " .. word }, attachments = { { content = "x", cid = word, filename = word:rep(2),
            content_type = "a/" .. word } }, list_unsubscribe = { "https://x.example/" .. word, "mailto:" .. name } }
      local head = text:match("^(.-)\r\n\r\n") .. text:match("\r\n%-%-=.-(\r\n.-)\r\n\r\n")
      assert.is_nil(head:find("[^\r\n]+: *\r\n"), head)
      assert.is_nil(head:find(" \r\n", 1, true), head)
      assert.truthy(head:find("\r\nList-Unsubscribe: <https://x.example/" .. word .. ">,\r\n <mailto:", 1, true), head)
      assert.truthy(head:find("\r\nX-Words: " .. word .. "\r\n " .. word .. "\r\n", 1, true), head)
   end)

   it("that we know nothing of stay as they are where they are ASCII: they may be structured", function()
      local address = "<https://lists.example/archive/" .. ("0123456789"):rep(9) .. ">"
      local text = bytes { text = "", headers = { ["Archived-At"] = address, ["X-Note"] = ("x"):rep(1000) } }
      assert.truthy(text:find("\r\nArchived-At: " .. address .. "\r\n", 1, true), text)
      for line in text:gmatch("[^\r\n]+") do assert(#line <= 998, line) end
   end)

   local long_id = "<" .. ("x"):rep(900) .. "@me.example>"
   for what, row in pairs {
      ["an identifier too long for a line"] = { { message_id = long_id }, "message_id" },
      ["a reference too long for a line"] = { { references = { "<a@b>", long_id } }, "references" },
      ["a name too long for a line"] = { { headers = { [("X"):rep(77)] = "x" } }, "headers" },
      ["a method too long for a line"] = { { calendar = { content = "BEGIN:VCALENDAR\r\n", method = ("X"):rep(61) } },
         "calendar" },
      ["no identifier"] = { { in_reply_to = "a@b" }, "in_reply_to" },
      ["a line break in an identifier"] = { { references = "<a@b>\r\nBcc: <c@d>" }, "references" },
      ["an empty list of references"] = { { references = {} }, "references" },
      ["a number for references"] = { { references = 7 }, "references" },
      ["an unknown priority"] = { { priority = "urgent" }, "priority" },
      ["one click without https"] = { { list_unsubscribe = { "http://x.example/u", one_click = true } },
         "list_unsubscribe" },
      ["one click by mail only"] = { { list_unsubscribe = { "mailto:u@x.example", one_click = true } },
         "list_unsubscribe" },
      ["a header in a URI"] = { { list_unsubscribe = "https://x.example/\r\nBcc: y" }, "list_unsubscribe" },
      ["no URI"] = { { list_unsubscribe = "x.example" }, "list_unsubscribe" },
      ["a script for a URI"] = { { list_unsubscribe = "javascript:alert(1)" }, "list_unsubscribe" },
      ["the same header given by hand"] = { { headers = { ["List-Unsubscribe"] = "<https://x>" } }, "headers" },
      ["a signature given by hand"] = { { headers = { ["DKIM-Signature"] = "v=1" } }, "headers" },
      ["html that is no UTF-8"] = { { html = "\255" }, "html" },
      ["a NUL in html"] = { { html = "a\0b" }, "html" },
   } do
      it("are refused by name with " .. what, function()
         assert.equal(row[2], composing.refused(row[1]).option)
      end)
   end

   it("may be given beside raw only where they say nothing of the content", function()
      for _, name in ipairs { "html", "attachments", "calendar", "in_reply_to", "references", "priority",
         "list_unsubscribe" } do
         local _, err = safe.message { from = "a@x.example", to = "b@x.example", raw = "Subject: x\n\nx\n",
            [name] = "x" }
         assert.equal(name, err.option)
      end
   end)
end)

describe("a message that names no recipient in its header", function()
   it("says so in To", function()
      local undisclosed = "\r\nTo: undisclosed-recipients:;\r\n"
      for _, more in ipairs { { bcc = "eve@there.example" }, { bcc = { "a@x.example", "b@x.example" } },
         { envelope = { to = "eve@there.example" } },
         { bcc = "eve@there.example", envelope = { from = "", to = "bob@there.example" } } } do
         more.from, more.text = base.from, ""
         local text = tostring(assert(safe.message(more)))
         assert.truthy(text:find(undisclosed, 1, true), text)
         assert.is_nil(text:find("eve", 1, true))
      end
      local signed = tostring(assert(safe.message { from = base.from, bcc = "eve@there.example", text = "",
         dkim = { domain = "me.example", selector = "s", key = dkim_keys.rfc.ed25519 } }))
      assert.truthy(signed:find("[ :;]h=[%w:%s-]*%f[%w]To%f[%W]"), signed)
      assert.truthy(signed:find(undisclosed, 1, true), signed)
      local cc = tostring(assert(safe.message { from = base.from, cc = base.to, bcc = "eve@there.example", text = "" }))
      assert.is_nil(cc:find("\r\nTo:"))
   end)
end)
