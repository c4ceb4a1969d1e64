local composing = require "spec.tools.composing"
local safe = require "smtp.safe"

local bytes, refused = composing.bytes, composing.refused

-- The content types of all parts, in order, without parameters.
local function shape(text)
   local list = {}
   for kind in text:gmatch("Content%-Type: ([^;\r\n]+)") do list[#list + 1] = kind end
   return table.concat(list, " ")
end

describe("the parts of a message", function()
   local file = { content = "x", filename = "x.bin" }
   local picture = { content = "x", filename = "x.png", cid = "x" }
   local invitation = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"

   for _, row in ipairs {
      { "nothing on purpose", { text = "" }, "text/plain" },
      { "html without anything in it", { html = "" }, "text/html" },
      { "text", { text = "x" }, "text/plain" },
      { "html", { html = "x" }, "text/html" },
      { "text and html", { text = "x", html = "x" }, "multipart/alternative text/plain text/html" },
      { "a file", { attachments = file }, "multipart/mixed application/octet-stream" },
      { "text and a file", { text = "x", attachments = { file } },
         "multipart/mixed text/plain application/octet-stream" },
      { "html with a picture", { html = "x", attachments = picture },
         "multipart/related text/html image/png" },
      { "text, html with a picture, and a file", { text = "x", html = "x", attachments = { file, picture } },
         "multipart/mixed multipart/alternative text/plain multipart/related text/html image/png "
            .. "application/octet-stream" },
      { "a picture without html", { text = "x", attachments = picture }, "multipart/mixed text/plain image/png" },
      { "an invitation", { text = "x", calendar = invitation },
         "multipart/alternative text/plain text/calendar" },
      { "an invitation alone", { calendar = invitation }, "text/calendar" },
      { "all of it", { text = "x", html = "x", calendar = invitation, attachments = { file, picture } },
         "multipart/mixed multipart/alternative text/plain multipart/related text/html image/png "
            .. "text/calendar application/octet-stream" },
   } do
      it("for " .. row[1] .. " are nested as readers expect", function()
         assert.equal(row[3], shape(bytes(row[2])))
      end)
   end

   it("are not made of nothing", function()
      for _, t in ipairs { {}, { attachments = {} }, { subject = "Hello" }, { headers = { ["X-A"] = "b" } },
         { text = nil, html = nil, attachments = {} } } do
         local err = refused(t)
         assert.equal("text", err.option)
         assert.truthy(err.hint:find('text = ""', 1, true))
         t.from, t.to = "ann@me.example", "bob@there.example"
         t.host, t.tls, t.transport = "mx.example", "skip", function() error("it connects") end
         local _, why = safe.send(t)
         assert.same({ "usage", "text" }, { why.kind, why.option })
      end
      for _, t in ipairs { { text = "" }, { html = "" }, { attachments = { { content = "" } } },
         { attachments = { content = "" } }, { calendar = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" } } do
         assert(bytes(t))
      end
   end)

   it("are these bytes", function()
      assert.equal(table.concat({ "Date: Mon, 24 Nov 2025 16:00:00 +0000", "From: ann@me.example",
         "To: bob@there.example", "Message-ID: <1@me.example>", "MIME-Version: 1.0",
         'Content-Type: multipart/mixed; boundary="=_1_1"', "", "--=_1_1",
         "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 7bit", "", "hi", "--=_1_1",
         'Content-Type: text/csv; charset=utf-8; name="=?UTF-8?B?w6R4LmNzdg==?="', "Content-Transfer-Encoding: base64",
         "Content-Disposition: attachment; filename*=UTF-8''%C3%A4x.csv", "", "YTtiDQo=", "",
         "--=_1_1--", "" }, "\r\n"),
         (bytes { text = "hi", attachments = { { content = "a;b\r\n", filename = "\195\164x.csv" } } }))
   end)

   it("are the same for the same options, wherever they are made", function()
      local t = { text = "x", html = "x", attachments = { file, picture }, message_id = "<a.b.c@d>" }
      assert.equal((bytes(t)), (bytes(t)))
   end)

   it("hold no boundary of theirs in their text", function()
      local text = bytes { text = "--=_1_1\r\n--=_1_1--\r\n", html = "x" }
      assert.equal(4, select(2, text:gsub("\r\n%-%-=_1_1", "")) + 1)
      local inner = bytes { text = "x", html = "y" }
      text = bytes { text = "z", attachments = { content = inner, content_type = "message/rfc822" } }
      assert.truthy(text:find('boundary="=_1_1x"', 1, true))
      assert.truthy(text:find('boundary="=_1_1"', 1, true))
   end)

   it("have a method that readers find in both places", function()
      local text = bytes { calendar = { content = "BEGIN:VCALENDAR\nEND:VCALENDAR\n", method = "cancel" } }
      assert.truthy(text:find("text/calendar; charset=utf-8; method=CANCEL", 1, true))
      for _, bad in ipairs { "x", 7, { content = "x" }, { content = invitation, method = "CANCEL" },
         { content = invitation, method = "a b" }, { content = "BEGIN:VCALENDAR\n\255" } } do
         assert.equal("calendar", refused { calendar = bad }.option)
      end
   end)
end)
