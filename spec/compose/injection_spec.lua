-- No text of the caller's becomes a command, a header or a part of its own: by whatever field it comes,
-- it is refused by name, and no connection is made.
local safe = require "smtp.safe"

local function untouched()
   local function fail() error("the transport was used") end
   return { connect = fail, send = fail, receiveany = fail, sslhandshake = fail, settimeouts = fail, close = fail }
end

local function send(more)
   local t = { host = "mx.example", tls = "skip", transport = untouched(), from = "ann@me.example",
      to = "bob@there.example", text = "hi" }
   for key, value in pairs(more) do t[key] = value end
   return safe.send(t)
end

local evil = { "x\r\nBcc: eve@evil.example", "x\nBcc: eve@evil.example", "x\rBcc: eve@evil.example",
   "x\r\n\r\n<script>", "x\0y", "x\r\n.\r\nMAIL FROM:<eve@evil.example>", "\r\n", "x\127y", "x\27[2Jy" }

-- Every option that takes text, and how the text gets there.
local fields = {
   subject = function(text) return { subject = text } end,
   ["from.name"] = function(text) return { from = { name = text, address = "a@x.example" } } end,
   ["to.name"] = function(text) return { to = { { name = text, address = "a@x.example" } } } end,
   ["cc.name"] = function(text) return { cc = { { name = text, address = "a@x.example" } } } end,
   ["reply_to.name"] = function(text) return { reply_to = { name = text, address = "a@x.example" } } end,
   ["sender.name"] = function(text) return { sender = { name = text, address = "a@x.example" } } end,
   ["a name before an address"] = function(text) return { to = text .. " <a@x.example>" } end,
   ["from"] = function(text) return { from = text } end,
   ["to"] = function(text) return { to = { "a@x.example", text } } end,
   ["an address with it in its local part"] = function(text) return { to = text .. "@x.example" } end,
   ["an address with it in its domain"] = function(text) return { to = "a@" .. text } end,
   ["an address with it behind"] = function(text) return { to = "a@x.example" .. text } end,
   ["a quoted local part"] = function(text) return { to = '"' .. text .. '"@x.example' } end,
   ["bcc"] = function(text) return { bcc = text } end,
   ["envelope.from"] = function(text) return { envelope = { from = text } } end,
   ["envelope.to"] = function(text) return { envelope = { to = { text } } } end,
   ["the name of a header"] = function(text) return { headers = { { text, "v" } } } end,
   ["the value of a header"] = function(text) return { headers = { ["X-A"] = text } } end,
   ["message_id"] = function(text) return { message_id = "<" .. text .. "@x>" } end,
   ["in_reply_to"] = function(text) return { in_reply_to = "<a@b>" .. text } end,
   ["references"] = function(text) return { references = { "<a@b>", text } } end,
   ["date"] = function(text) return { date = "Tue, 24 Nov 2026 12:00:00 +0000" .. text } end,
   ["list_unsubscribe"] = function(text) return { list_unsubscribe = "https://x.example/" .. text } end,
   ["calendar.method"] = function(text)
      return { calendar = { method = "REQUEST" .. text, content = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" } }
   end,
   ["attachments.filename"] = function(text) return { attachments = { content = "x", filename = text } } end,
   ["attachments.content_type"] = function(text)
      return { attachments = { content = "x", content_type = "a/b; c=" .. text } }
   end,
   ["a quoted parameter of a content_type"] = function(text)
      return { attachments = { content = "x", content_type = 'a/b; c="' .. text .. '"' } }
   end,
   ["attachments.cid"] = function(text) return { attachments = { content = "x", cid = text } } end,
   ["attachments.content_id"] = function(text) return { attachments = { content = "x", content_id = text } } end,
   ["attachments.disposition"] = function(text) return { attachments = { content = "x", disposition = text } } end,
   ["dsn.notify"] = function(text) return { dsn = { notify = { "failure", text } } } end,
   ["dsn.ret"] = function(text) return { dsn = { ret = "full" .. text } } end,
   ["dsn.envid"] = function(text) return { dsn = { envid = text } } end,
   ["envelope.to.notify"] = function(text)
      return { envelope = { to = { { address = "a@x.example", notify = text } } } }
   end,
   ["envelope.to.orcpt"] = function(text)
      return { envelope = { to = { { address = "a@x.example", orcpt = "a" .. text .. "@x.example" } } } }
   end,
   ["deliver_by"] = function(text) return { deliver_by = "60" .. text } end,
   ["deliver_by.mode"] = function(text) return { deliver_by = { seconds = 60, mode = "return" .. text } } end,
   ["hold_for"] = function(text) return { hold_for = "60" .. text } end,
   ["hold_until"] = function(text) return { hold_until = "2026-11-24T12:00:00Z" .. text } end,
   ["mt_priority"] = function(text) return { mt_priority = "3" .. text } end,
   ["an extension's name"] = function(text) return { extensions = { [text] = "skip" } } end,
   ["an extension's word"] = function(text) return { extensions = { dsn = "skip" .. text } } end,
   ["domain"] = function(text) return { domain = text } end,
   ["protocol"] = function(text) return { protocol = "lmtp" .. text } end,
   ["host"] = function(text) return { host = text } end,
   ["username"] = function(text) return { username = "x\r\n" .. text, password = "sesame-0" } end,
   ["password"] = function(text) return { username = "ann", password = "x\r\n" .. text } end,
   ["dkim.domain"] = function(text) return { dkim = { domain = text, selector = "s", key = "k" } } end,
   ["dkim.selector"] = function(text) return { dkim = { domain = "x.example", selector = text, key = "k" } } end,
   ["dkim.identity"] = function(text)
      return { dkim = { domain = "x.example", selector = "s", key = "k", identity = text .. "@x.example" } }
   end,
}

describe("what would be a line of its own", function()
   for field, make in pairs(fields) do
      it("in " .. field .. " is refused, and nothing is sent", function()
         for _, text in ipairs(evil) do
            local receipt, err = send(make(text))
            assert.is_nil(receipt, ("%q"):format(text))
            assert.is_true(safe.is_error(err, "usage"), ("%q: %s"):format(text, tostring(err)))
            assert.is_string(err.option)
            -- The error itself is one line for a log.
            assert.is_nil(tostring(err):find("[%z\1-\31\127]"))
         end
      end)
   end

   it("in text and html stays text: dots and boundaries mean nothing there", function()
      local sink = safe.sink()
      local text = "a\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n--=_1_x--\r\n"
      assert(safe.send { transport = sink:transport(), tls = "skip", from = "ann@me.example",
         to = "bob@there.example", text = text, html = text })
      assert.equal(1, #sink.messages)
      assert.same({ "bob@there.example" }, sink.messages[1].to)
   end)

   it("in what is sent raw is a dot more, never an end", function()
      local sink = safe.sink()
      for _, line_end in ipairs { "\r\n", "\n", "\r" } do
         local raw = ("Subject: x\n\na\n.\nMAIL FROM:<eve@evil.example>\n..\n"):gsub("\n", line_end)
         assert(safe.send { transport = sink:transport(), tls = "skip", from = "ann@me.example",
            to = "bob@there.example", raw = raw })
      end
      assert.equal(3, #sink.messages)
      for i = 1, 3 do
         assert.equal("Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n..\r\n", sink.messages[i].data)
      end
   end)
end)
