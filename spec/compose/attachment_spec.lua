local core = require "smtp.core"
local safe = require "smtp.safe"

local function message(more)
   local t = { from = "ann@me.example", to = "bob@there.example", date = 1764000000,
      message_id = "<1@me.example>" }
   for key, value in pairs(more) do t[key] = value end
   return safe.message(t)
end

local function bytes(more)
   local made, err = message(more)
   assert(made, tostring(err))
   return tostring(made), made
end

local function refused(more)
   local made, err = message(more)
   assert.is_nil(made)
   assert.is_true(safe.is_error(err, "usage"), tostring(err))
   return err
end

local function with_file(content, act)
   local path = os.tmpname()
   local file = assert(io.open(path, "wb"))
   file:write(content)
   file:close()
   act(path)
   os.remove(path)
end

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
         "Content-Type: text/csv; charset=utf-8; name=_x.csv", "Content-Transfer-Encoding: base64",
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

describe("an attachment", function()
   it("from a file has its name, its type and its octets", function()
      with_file("\0\1\2binary", function(path)
         local text = bytes { attachments = { { path = path, filename = "x.PDF" } } }
         assert.truthy(text:find("Content-Type: application/pdf; name=x.PDF\r\n", 1, true))
         assert.truthy(text:find("\r\n\r\n" .. core.base64("\0\1\2binary") .. "\r\n", 1, true))
         text = bytes { attachments = { path = path } }
         assert.truthy(text:find("filename=" .. path:match("[^/]+$"), 1, true))
      end)
   end)

   it("from a function is read piece by piece, and the size is known where it is declared", function()
      local function pieces()
         local i = 0
         return function()
            i = i + 1
            return ({ "ab", "", "c" })[i]
         end
      end
      local text, made = bytes { attachments = { source = pieces(), size = 3, filename = "x" } }
      assert.truthy(text:find("\r\n\r\nYWJj\r\n", 1, true))
      assert.equal(#text, made.size)
      text, made = bytes { attachments = { source = pieces(), filename = "x" } }
      assert.truthy(text:find("\r\n\r\nYWJj\r\n", 1, true))
      assert.is_nil(made.size)
   end)

   it("has a size that is known beforehand, to the octet", function()
      for _, count in ipairs { 0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 47708, 47709, 47710, 200000 } do
         local text, made = bytes { text = "x", attachments = { content = ("q"):rep(count), filename = "q" } }
         assert.equal(#text, made.size)
      end
   end)

   it("comes in pieces of at most 64 KiB", function()
      local made = assert(message { text = ("long\n"):rep(50000), attachments = { content = ("q"):rep(300000) } })
      local total, read = 0, made:source()
      for piece in read do
         assert(#piece > 0 and #piece <= 65536)
         total = total + #piece
      end
      assert.equal(made.size, total)
      assert.equal(made.size, #tostring(made)) -- and once more
   end)

   it("may be a message, which is not encoded", function()
      local text = bytes { attachments = { content = "Subject: a\n\nb\n", content_type = "message/rfc822" } }
      assert.truthy(text:find("Content-Transfer-Encoding: 7bit\r\nContent-Disposition: attachment\r\n\r\n"
         .. "Subject: a\r\n\r\nb\r\n", 1, true))
      assert.truthy(refused({ attachments = { content = "\255", content_type = "message/rfc822" } }).hint)
   end)

   for name, coded in pairs { ["plain.txt"] = "filename=plain.txt", ["a b.txt"] = 'filename="a b.txt"',
      ["\195\164.txt"] = "filename*=UTF-8''%C3%A4.txt", ['q".txt'] = "filename*=UTF-8''q%22.txt",
      ["semi;colon"] = "filename*=UTF-8''semi%3Bcolon", ["../x"] = "filename*=UTF-8''..%2Fx",
      [("n"):rep(100)] = "filename*0*=UTF-8''" .. ("n"):rep(50) .. "; filename*1*=" .. ("n"):rep(50) } do
      it("called " .. name:sub(1, 20) .. " is called that in any reader", function()
         local text = bytes { attachments = { content = "x", filename = name, content_type = "a/b" } }
            :gsub("\r\n ", " ")
         assert.truthy(text:find("Content-Disposition: attachment; " .. coded, 1, true), text)
         assert.truthy(text:find("Content%-Type: a/b; name=[^\r]+"), text)
      end)
   end

   it("cuts a long name between characters", function()
      local text = bytes { attachments = { content = "x", filename = ("\228\184\173"):rep(80) } }
      for section in text:gmatch("filename%*%d+%*=([^;\r]*)") do
         assert.is_nil(section:gsub("^UTF%-8''", ""):gsub("%%%x%x", ""):find("."))
      end
      for line in text:gmatch("[^\r\n]+") do assert(#line <= 78, line) end
   end)

   for what, row in pairs {
      ["no table"] = { 7, "attachments" }, ["a string in the list"] = { { "x" }, "attachments[1]" },
      ["an unknown option"] = { { content = "x", file_name = "x" }, "attachments[1].file_name" },
      ["nothing in it"] = { { { filename = "x" } }, "attachments[1]" },
      ["two contents"] = { { content = "x", path = "y" }, "attachments[1]" },
      ["a content that is no string"] = { { content = 7 }, "attachments[1].content" },
      ["a source that is no function"] = { { source = "x" }, "attachments[1].source" },
      ["a size beside content"] = { { content = "x", size = 1 }, "attachments[1].size" },
      ["a size that is none"] = { { source = print, size = -1 }, "attachments[1].size" },
      ["no file"] = { { path = "/nonexistent/x" }, "attachments[1].path" },
      ["a folder"] = { { path = "/" }, "attachments[1].path" },
      ["a line break in its name"] = { { content = "x", filename = "a\r\nBcc: x" }, "attachments[1].filename" },
      ["a NUL in its name"] = { { content = "x", filename = "a\0b" }, "attachments[1].filename" },
      ["a name that is no UTF-8"] = { { content = "x", filename = "\255" }, "attachments[1].filename" },
      ["an empty name"] = { { content = "x", filename = "" }, "attachments[1].filename" },
      ["no type"] = { { content = "x", content_type = "text" }, "attachments[1].content_type" },
      ["a header in its type"] = { { content = "x", content_type = "a/b\r\nX: y" }, "attachments[1].content_type" },
      ["wrong parameters"] = { { content = "x", content_type = "a/b; c" }, "attachments[1].content_type" },
      ["several parts"] = { { content = "x", content_type = "Multipart/mixed" }, "attachments[1].content_type" },
      ["an unknown disposition"] = { { content = "x", disposition = "hidden" }, "disposition" },
      ["a space in its cid"] = { { content = "x", cid = "a b" }, "attachments[1].cid" },
      ["a header in its content_id"] = { { content = "x", content_id = "a>\r\nX: y" }, "attachments[1].content_id" },
      ["both identifiers"] = { { content = "x", cid = "a", content_id = "b" }, "attachments[1].content_id" },
      ["a key in the list"] = { { { content = "x" }, name = "y" }, "attachments" },
   } do
      it("with " .. what .. " is refused by name", function()
         assert.equal(row[2], refused({ attachments = row[1] }).option)
      end)
   end

   it("that can be read only once is refused, and nobody waits for its other end", function()
      local path = os.tmpname()
      os.remove(path)
      assert(os.execute("mkfifo " .. path))
      local err = refused { attachments = { path = path } }
      os.remove(path)
      assert.equal("attachments[1].path", err.option)
      assert.truthy(err.hint:find("source = function", 1, true))
   end)

   it("that asks for a nearby option is told its name", function()
      assert.equal("Did you mean filename?", refused({ attachments = { content = "x", filname = "x" } }).hint)
   end)
end)

describe("a source that fails", function()
   local talk = require "spec.tools.talk"

local script = talk.script
   local opening = script [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
      S: 354 go
      MESSAGE
   ]]

   local function sent(attachment)
      local peer = talk.peer(opening)
      local options = talk.options({ raw = false, text = "x", attachments = attachment }, peer)
      local receipt, err = safe.send(options)
      assert.is_nil(receipt)
      return err, peer
   end

   for what, row in pairs {
      ["raises an error"] = { function() return { source = function() error("broken", 0) end } end, "broken" },
      ["returns nil and a reason"] = { function() return { source = function() return nil, "gone" end } end, "gone" },
      ["returns no string"] = { function() return { source = function() return 7 end } end, "number" },
      ["gives less than declared"] = { function() return { source = function() end, size = 5 } end, nil, "size" },
      ["gives more than declared"] = { function() return { source = function() return "xx" end, size = 1 } end, nil,
         "size" },
      ["is empty without end"] = { function() return { source = function() return "" end } end },
   } do
      it("because it " .. what .. " ends the connection before the message's end", function()
         local err, peer = sent(row[1]())
         assert.same({ "source", row[2], "no" }, { err.kind, err.cause, err.sent })
         if row[3] then assert.equal(row[3], err.reason) end
         assert.is_nil((peer.body or ""):find("\r\n.\r\n", 1, true))
         assert.truthy(peer.closed)
      end)
   end

   it("because the file grew or shrank since it was looked at does so, too", function()
      for _, now in ipairs { ("x"):rep(100001), ("x"):rep(99999), "" } do
         with_file(("x"):rep(100000), function(path)
            local peer = talk.peer(opening)
            local connect = peer.connect
            function peer.connect(...)
               local file = io.open(path, "wb")
               file:write(now)
               file:close()
               return connect(...)
            end
            local _, err = safe.send(talk.options({ raw = false, text = "x", attachments = { path = path } }, peer))
            assert.same({ "source", "size", "no" }, { err.kind, err.reason, err.sent })
            assert.is_nil((peer.body or ""):find("\r\n.\r\n", 1, true))
         end)
      end
   end)

   it("because the file is gone does so, too", function()
      local path = os.tmpname()
      local peer = talk.peer(opening)
      local connect = peer.connect
      function peer.connect(...)
         os.remove(path)
         return connect(...)
      end
      local _, err = safe.send(talk.options({ raw = false, text = "x", attachments = { path = path } }, peer))
      assert.equal("source", err.kind)
   end)

   it("is told with its cause by the composer alone as well", function()
      local made = assert(message { attachments = { source = function() error("broken", 0) end } })
      local ok, err = pcall(tostring, made)
      assert.is_false(ok)
      assert.same({ "source", "broken" }, { err.kind, err.cause })
      assert.truthy(tostring(err):find("raised an error: broken", 1, true))
   end)

   it("may yield, also under Lua 5.1", function()
      local i = 0
      local peer = talk.peer(script([[
         <opening>
         S: 250 ok
         <bye>
      ]], { opening = opening }))
      local thread = coroutine.create(function()
         return safe.send(talk.options({ raw = false, text = "x", attachments = { source = function()
            i = i + 1
            coroutine.yield("pause")
            return i < 4 and "piece" or nil
         end } }, peer))
      end)
      local pauses = 0
      local ok, said = coroutine.resume(thread)
      while said == "pause" do
         pauses = pauses + 1
         ok, said = coroutine.resume(thread)
      end
      assert.is_true(ok)
      assert.equal("accepted", said.recipients[1].state)
      assert.equal(4, pauses)
   end)
end)

describe("headers with options of their own", function()
   it("are written, and folded at tokens", function()
      local text = bytes { text = "", in_reply_to = "<a@b>", references = { "<a@b>", "<c@d>" }, priority = "high",
         list_unsubscribe = { "https://x.example/u", "mailto:u@x.example", one_click = true } }
      assert.truthy(text:find("In-Reply-To: <a@b>\r\nReferences: <a@b> <c@d>\r\nX-Priority: 1\r\n"
         .. "Importance: high\r\nList-Unsubscribe: <https://x.example/u>, <mailto:u@x.example>\r\n"
         .. "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", 1, true), text)
      local many = {}
      for i = 1, 60 do many[i] = ("<reference.%d@somewhere.example>"):format(i) end
      for line in bytes({ text = "", references = many }):gmatch("[^\r\n]+") do assert(#line <= 78, line) end
   end)

   it("of a long thread come as one string as well", function()
      local one = ("<%s@somewhere.example>"):format(("x"):rep(40))
      local text = bytes { text = "", references = (one .. " "):rep(50) }
      assert.equal(50, select(2, text:gsub(one, "")))
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
         assert.equal(row[2], refused(row[1]).option)
      end)
   end

   it("stand beside raw only where they say nothing of the content", function()
      for _, name in ipairs { "html", "attachments", "calendar", "in_reply_to", "references", "priority",
         "list_unsubscribe" } do
         local _, err = safe.message { from = "a@x.example", to = "b@x.example", raw = "Subject: x\n\nx\n",
            [name] = "x" }
         assert.equal(name, err.option)
      end
   end)
end)
