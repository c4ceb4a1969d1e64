local headers = require "smtp.compose.headers"
local core = require "smtp.core"
local safe = require "smtp.safe"
local source = require "smtp.compose.source"
local request = require "smtp.client.request"

local function compose(more)
   local t = { from = "ann@me.example", to = "bob@there.example", date = 1764000000,
      message_id = "<1@me.example>" }
   for key, value in pairs(more) do t[key] = value end
   local made, err = safe.message(t)
   assert(made, tostring(err))
   return tostring(made)
end

-- A generator that is the same under every Lua.
local state = 42
local function random(n)
   state = (state * 1103515245 + 12345) % 2147483648
   return math.floor(state / 65536) % n + 1
end

describe("a text message", function()
   it("is these bytes", function()
      assert.equal(table.concat({ "Date: Mon, 24 Nov 2025 16:00:00 +0000", "From: ann@me.example",
         "To: bob@there.example", "Subject: Hello", "Message-ID: <1@me.example>", "MIME-Version: 1.0",
         "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 7bit", "", "hi", "" }, "\r\n"),
         compose { subject = "Hello", text = "hi" })
   end)

   it("is 7-bit with lines that fit, whatever the text", function()
      for _, text in ipairs { "\195\164", ("x"):rep(2000), ("\195\164"):rep(2000), "a\r\nb\rc\nd",
         ("a "):rep(600), "tab\t\nspace \n", "From x\n.\n" } do
         local bytes = compose { text = text, subject = text:gsub("[\r\n\t]", " ") }
         assert.is_nil(bytes:find("[\128-\255%z]"))
         for line in bytes:gmatch("[^\r\n]+") do assert(#line <= 998, #line) end
         assert.is_nil(bytes:gsub("\r\n", ""):find("[\r\n]"))
      end
   end)

   it("has a date in English whatever the locale", function()
      local before = os.setlocale()
      for _, name in ipairs { "de_DE.UTF-8", "tr_TR.UTF-8", "C" } do
         os.setlocale(name)
         assert.equal("Mon, 24 Nov 2025 16:00:00 +0000", headers.date(1764000000))
      end
      os.setlocale(before)
   end)

   it("has an identifier of its own each time, at the sender's domain", function()
      local seen = {}
      for _ = 1, 100 do
         local _, mail = request.send { from = "a@me.example", to = "b@x.example", text = "" }
         assert.truthy(mail.message_id:find("^<%x+@me%.example>$"))
         assert.is_nil(seen[mail.message_id])
         seen[mail.message_id] = true
      end
   end)

   it("keeps the order of headers", function()
      local bytes = compose { text = "", headers = { { "X-B", "1" }, { "X-A", "2" } } }
      assert.truthy(bytes:find("X-B: 1\r\nX-A: 2\r\n", 1, true))
      bytes = compose { text = "", headers = { ["X-B"] = "1", ["X-A"] = "2" } }
      assert.truthy(bytes:find("X-A: 2\r\nX-B: 1\r\n", 1, true))
   end)

   it("refuses what is not UTF-8", function()
      for _, bad in ipairs { "\255", "\192\128", "\237\160\128", "\195", "\244\144\128\128" } do
         assert.is_false(core.is_utf8(bad))
         for _, name in ipairs { "subject", "text" } do
            local _, err = request.send { from = "a@b", to = "c@d", [name] = bad }
            assert.equal(name, err.option)
         end
      end
   end)

   it("is read back by another program as what was put in", function()
      local letters = { "a", "B", " ", "\195\164", "\226\130\172", "\240\159\152\128", "?", "=", "_", ".",
         '"', "\\", ",", "=?", "x" }
      local function text(max)
         local list = {}
         for i = 1, random(max) do list[i] = letters[random(#letters)] end
         return table.concat(list)
      end
      local name, wants = os.tmpname(), {}
      local file = assert(io.open(name, "wb"))
      for i = 1, 300 do
         local subject, person = text(90), text(30)
         local lines = {}
         for k = 1, random(6) do lines[k] = text(120) end
         local body = table.concat(lines, "\n")
         local bytes = compose { subject = subject, text = body,
            to = { name = person, address = "b@x.example" } }
         file:write(("%d\n"):format(#bytes), bytes)
         wants[i] = subject .. "\0" .. person .. "\0" .. body
      end
      file:close()
      local want_name = os.tmpname()
      local want = assert(io.open(want_name, "wb"))
      want:write(table.concat(wants, "\1"))
      want:close()
      local script = [[
import sys, email, email.policy
from email.header import decode_header, make_header
from email.utils import parseaddr
wants = open(sys.argv[2], 'rb').read().decode().split('\1')
data = open(sys.argv[1], 'rb')
for want in wants:
    raw = data.read(int(data.readline()))
    m = email.message_from_bytes(raw, policy=email.policy.default)
    subject, name, body = want.split('\0')
    # Between encoded words there is no space (RFC 2047 6.2); the newer parser leaves one in names.
    to = email.message_from_bytes(raw)['To'].replace('\r\n', '')
    display_name = str(make_header(decode_header(parseaddr(to)[0])))
    got = m.get_payload(decode=True).decode().replace('\r\n', '\n')
    assert m['Subject'] == subject, (m['Subject'], subject)
    assert display_name == name, (display_name, name)
    assert got.rstrip('\n') == body.rstrip('\n'), (got, body)
print('same', len(wants))
]]
      local script_name = os.tmpname()
      local out = assert(io.open(script_name, "w"))
      out:write(script)
      out:close()
      local pipe = io.popen(("env -u LD_PRELOAD python3 %s %s %s 2>&1"):format(script_name, name, want_name))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      os.remove(want_name)
      os.remove(script_name)
      assert.equal("same 300\n", said)
   end)
end)

describe("the size of smtp.message", function()
   local keys = require "spec.tools.dkim_keys"
   local spec_server = require "spec.tools.server"
   local dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 }

   local function file(text)
      local handle = io.tmpfile()
      handle:write(text)
      handle:seek("set", 0)
      return handle
   end

   local function pieces(text)
      return text:gmatch(".?.?.?") -- its last one is empty
   end

   local function with_pieces(text)
      local next_piece, given = pieces(text), 0
      return function()
         if given >= #text then return nil end
         local piece = next_piece()
         given = given + #piece
         return piece
      end
   end

   local bodies = { "", "x", "x\r\n", "x\n", "x\r", ".", ".\n.", "a\nb\r\nc\rd", ("x"):rep(2000), "\195\164",
      ("=\n"):rep(50), "\n\n", "x\r\n\r\n" }

   local function contents()
      local list = {}
      for _, text in ipairs(bodies) do
         list[#list + 1] = { text = text }
         list[#list + 1] = { html = text }
         list[#list + 1] = { text = text, html = text }
         list[#list + 1] = { text = text, attachments = { { content = text }, { path = "LICENSE" } } }
         list[#list + 1] = { attachments = { { source = with_pieces(text), size = #text } } }
         list[#list + 1] = { attachments = { { source = with_pieces(text) } }, unsized = true }
         for _, raw in ipairs { "From: ann@me.example\n\n" .. text, "From: ann@me.example\r\n\r\n" .. text,
            "From: ann@me.example" } do
            if #text < 998 then
               list[#list + 1] = { raw = raw }
               list[#list + 1] = { raw = file(raw) }
               list[#list + 1] = { raw = file(raw), eightbit = true }
               list[#list + 1] = { raw = with_pieces(raw), eightbit = true }
               list[#list + 1] = { raw = with_pieces(raw), size = #raw, eightbit = true }
            end
         end
      end
      list[#list + 1] = { calendar = "BEGIN:VCALENDAR\nEND:VCALENDAR" }
      list[#list + 1] = { raw = "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "prefer" } }
      list[#list + 1] = { raw = file "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "prefer" } }
      list[#list + 1] = { raw = with_pieces "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "require" } }
      return list
   end

   local function all_of(message)
      local parts, read = {}, message:source()
      while true do
         local piece, err = read()
         assert(not err, tostring(err))
         if not piece then return table.concat(parts) end
         parts[#parts + 1] = piece
      end
   end

   for _, signed in ipairs { false, true } do
      it("is that of its bytes" .. (signed and ", signed" or ""), function()
         for _, t in ipairs(contents()) do
            local unsized = t.unsized
            t.unsized, t.from, t.to = nil, "ann@me.example", "bob@there.example"
            t.dkim = signed and not t.extensions and dkim or nil
            local message, err = safe.message(t)
            assert(message, tostring(err))
            local text = all_of(message)
            if unsized and not t.dkim then
               assert.is_nil(message.size)
            else
               assert.equal(#text, message.size)
            end
            if t.raw or t.dkim or not t.attachments then
               assert.equal(text, tostring(message))
               assert.equal(text, all_of(message))
            end
            if not t.extensions then
               assert.equal("\r\n", text:sub(-2))
               assert.is_nil(text:gsub("\r\n", ""):find("[\r\n]"))
            end
         end
      end)
   end

   it("is that of the receipt, and its bytes are those that are sent", function()
      for _, body in ipairs(bodies) do
         for _, t in ipairs { { text = body }, { html = body, text = body },
            { raw = "From: a@b\n\n" .. body:sub(1, 900) } } do
            t.from, t.to, t.extensions = "ann@me.example", "bob@there.example", { ["8bitmime"] = "prefer" }
            if not t.raw then t.date, t.message_id = 1764000000, "<1@me.example>" end
            local message = assert(safe.message(t))
            local server = spec_server.new { capabilities = { "8BITMIME" } }
            t.transport, t.host, t.tls, t.domain = server, "mx.example", "skip", "me.example"
            local receipt, err = safe.send(t)
            assert(receipt, tostring(err))
            assert.equal(tostring(message), server.taken[1].body)
            assert.equal(message.size, receipt.size)
         end
      end
   end)
end)

describe("a composed message that is small and in memory", function()
   local keys = require "spec.tools.dkim_keys"
   local signing = require "smtp.compose.sign"

   local function mail_of(more)
      local t = { from = "a@x.example", to = "b@x.example", subject = "hi", text = "one\ntwo" }
      for name, value in pairs(more or {}) do t[name] = value end
      local mail = assert(request.message(t))
      assert(signing.sign(mail, math.huge))
      return mail
   end

   local function whole(mail)
      local list = {}
      for piece in source.of_message(mail).open() do list[#list + 1] = piece end
      return table.concat(list)
   end

   it("is handed over as one string, signed or not", function()
      local dkim = { domain = "x.example", selector = "s", key = (keys.make()("rsa")) }
      for _, more in ipairs { {}, { html = "<b>hi</b>" }, { attachments = { { content = "a", filename = "b" } } },
         { dkim = dkim } } do
         local mail = mail_of(more)
         assert.equal(whole(mail), mail.text)
         assert.equal(#mail.text, mail.size)
      end
   end)

   it("is streamed where it is large, or a file or a function gives a part of it", function()
      assert.is_nil(mail_of({ text = ("x\n"):rep(200000) }).text)
      assert.is_nil(mail_of({ attachments = { { path = "LICENSE" } } }).text)
      assert.is_nil(mail_of({ attachments = { { source = function() end, filename = "a" } } }).text)
   end)
end)
