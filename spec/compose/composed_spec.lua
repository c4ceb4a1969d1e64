local core = require "smtp.core"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

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

describe("from", function()
   it("is required", function()
      for _, from in ipairs { false, {} } do
         local _, err = safe.message { from = from or nil, to = "bob@there.example", text = "hi" }
         assert.equal("from", err.option)
      end
   end)
end)

describe("an author", function()
   it("is needed beside a sender in the envelope", function()
      for _, from in ipairs { {}, false } do
         local made, err = safe.message { from = from or nil, text = "",
            envelope = { from = "ann@me.example", to = "bob@there.example" } }
         assert.is_nil(made)
         assert.same({ "usage", "from", "from is missing" }, { err.kind, err.option, err.what })
         assert.matches("Name the author", err.hint)
      end
   end)
end)
