local composing = require "spec.tools.composing"
local core = require "smtp.core"

local message, bytes, refused = composing.message, composing.bytes, composing.refused
local with_file = composing.with_file

describe("an attachment", function()
   it("from a file has its name, its type and its octets", function()
      with_file("\0\1\2binary", function(path)
         local text = bytes { attachments = { { path = path, filename = "x.PDF" } } }
         assert.truthy(text:find("Content-Type: application/pdf; name=\"x.PDF\"\r\n", 1, true))
         assert.truthy(text:find("\r\n\r\n" .. core.base64("\0\1\2binary") .. "\r\n", 1, true))
         text = bytes { attachments = { path = path } }
         assert.truthy(text:find('filename="' .. path:match("[^/]+$") .. '"', 1, true))
      end)
   end)

   it("from a function is read piece by piece, and the size is known, declared or not", function()
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
      assert.equal(#text, made.size)
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
      local err = refused { attachments = { content = "From ann Mon\nSubject: a\n\nb\n",
         content_type = "message/rfc822" } }
      assert.truthy(tostring(err):find('attachments[1] begins with the line "From …" of an mbox file', 1, true))
   end)

   it("by a name that ends with .eml is a message where it can be one", function()
      local function head(more)
         more.filename = "x.eml"
         return bytes { attachments = more }:match("\r\n%-%-=_1_1\r\n(.-\r\n)Content%-Disp")
      end
      local is_one = 'Content-Type: message/rfc822; name="x.eml"\r\nContent-Transfer-Encoding: 7bit\r\n'
      local is_none = 'Content-Type: application/octet-stream; name="x.eml"\r\nContent-Transfer-Encoding: base64\r\n'
      for content, wanted in pairs { ["Subject: a\n\nb\n"] = is_one, ["Subject: a\n\n\195\164\n"] = is_none,
         ["\0"] = is_none, [("x"):rep(1000)] = is_none, ["From ann Mon\nSubject: a\n\nb\n"] = is_none,
         ["From : ann\nBcc: bob\n\nb\n"] = is_one } do
         assert.equal(wanted, head { content = content })
         with_file(content, function(path)
            assert.equal(wanted, head { path = path })
            if wanted == is_one then
               assert.equal(is_one, head { path = path, content_type = "message/rfc822" })
            end
         end)
      end
      assert.equal(is_none, head { source = function() return nil end })
   end)

   -- The bytes, and whether they are known to be UTF-8.
   local long = ("x"):rep(47708) -- a piece, less one
   for what, row in pairs {
      ["ASCII"] = { "a;b\r\n", true }, ["nothing"] = { "", true }, ["UTF-8"] = { "gr\195\188n\n", true },
      ["UTF-8 with a byte order mark"] = { "\239\187\191a", true },
      ["UTF-8 that is cut into pieces"] = { long .. "\195\164" .. long .. "\240\159\152\128" .. long
         .. "\226\130\172", true },
      ["ISO-8859-1"] = { "gr\252n\n", false }, ["ISO-8859-1 after much ASCII"] = { long:rep(3) .. "\252n", false },
      ["UTF-8 that is cut off"] = { long .. "\226\130", false }, ["UTF-16"] = { "\255\254a\0", false },
      ["UTF-16 without a mark"] = { "a\0b\0", false },
   } do
      it("of text states its charset where it is known: " .. what, function()
         local wanted = "Content-Type: text/csv;" .. (row[2] and " charset=utf-8;" or "") .. ' name="x.csv"\r\n'
         local function field(more)
            more.filename = "x.csv"
            return bytes { attachments = more }:match("\r\n%-%-=_1_1\r\n(.-\r\n)Content%-Tr")
         end
         with_file(row[1], function(path) assert.equal(wanted, field { path = path }) end)
         assert.equal(wanted, field { content = row[1] })
      end)
   end

   local function head_of(more)
      more.content = "x"
      return bytes { attachments = more }:match("\r\n%-%-=_1_1\r\n(.-\r\n)\r\n")
   end

   -- The name, and what Content-Type and Content-Disposition become.
   for name, row in pairs {
      ["plain.txt"] = { ' name="plain.txt"', ' filename="plain.txt"' },
      ["Invoice (1).pdf"] = { ' name="Invoice (1).pdf"', ' filename="Invoice (1).pdf"' },
      ["a & b, c; d'e +1%.pdf"] = { [[ name="a & b, c; d'e +1%.pdf"]], [[ filename="a & b, c; d'e +1%.pdf"]] },
      ['q".txt'] = { [[ name="q\".txt"]], [[ filename="q\".txt"]] },
      ["back\\slash\\"] = { [[ name="back\\slash\\"]], [[ filename="back\\slash\\"]] },
      ["../x  y"] = { ' name="../x  y"', ' filename="../x  y"' },
      ["\195\164.txt"] = { ' name="=?UTF-8?B?w6QudHh0?="', " filename*=UTF-8''%C3%A4.txt" },
      ["\240\159\152\128 (2)"] = { ' name="=?UTF-8?B?8J+YgCAoMik=?="', " filename*=UTF-8''%F0%9F%98%80%20%282%29" },
      ["end "] = { ' name="=?UTF-8?B?ZW5kIA==?="', " filename*=UTF-8''end%20" },
      [" begin"] = { ' name="=?UTF-8?B?IGJlZ2lu?="', " filename*=UTF-8''%20begin" },
      ["=?UTF-8?Q?x?="] = { ' name="=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?="', " filename*=UTF-8''%3D%3FUTF-8%3FQ%3Fx%3F%3D" },
      [("four "):rep(15) .. "end"] = { '\r\n name="' .. ("four "):rep(15) .. 'end"',
         '\r\n filename="' .. ("four "):rep(15) .. 'end"' },
      [("n"):rep(79)] = { '\r\n name="=?UTF-8?B?' .. core.base64(("n"):rep(42)) .. '?=\r\n =?UTF-8?B?'
         .. core.base64(("n"):rep(37)) .. '?="', "\r\n filename*0*=UTF-8''" .. ("n"):rep(57) .. ";\r\n filename*1*="
         .. ("n"):rep(22) },
   } do
      it("called " .. name:sub(1, 20) .. " has these fields", function()
         assert.equal("Content-Type: a/b;" .. row[1] .. "\r\nContent-Transfer-Encoding: base64\r\n"
            .. "Content-Disposition: attachment;" .. row[2] .. "\r\n",
            head_of { filename = name, content_type = "a/b" })
      end)
   end

   it("has a name of up to 255 characters, which is cut between characters and fits its lines", function()
      for _, character in ipairs { "n", "\195\164", "\228\184\173", "\240\159\152\128", "%" } do
         local head = head_of { filename = character:rep(255), cid = "x" }
         local function byte(hex) return string.char(tonumber(hex, 16)) end
         for section in head:gsub("UTF%-8''", ""):gmatch("filename%*%d+%*=([^;\r]*)") do
            assert.truthy(core.is_utf8((section:gsub("%%(%x%x)", byte))))
         end
         for line in head:gmatch("[^\r\n]+") do assert(#line <= 78, line) end
         assert.equal("attachments[1].filename",
            refused({ attachments = { content = "x", filename = character:rep(256) } }).option)
      end
   end)

   -- A message with attachments of these names -> what each reader of Python's email package finds:
   -- the name by filename= and by name=, by the newer policy and by the older one.
   local function read_by_python(names)
      local list, found = {}, {}
      for i, name in ipairs(names) do list[i] = { content = "x", filename = name, content_type = "a/b" } end
      local script = [[
import sys, email, email.policy
from email.header import decode_header, make_header
raw = sys.stdin.buffer.read()
for policy in email.policy.default, email.policy.compat32:
    for part in email.message_from_bytes(raw, policy=policy).walk():
        if part.get_content_type() == 'a/b':
            name = part.get_param('name')
            if policy is email.policy.compat32: name = str(make_header(decode_header(name)))
            sys.stdout.buffer.write((part.get_filename() + '\0' + name + '\0').encode())
]]
      composing.with_file(bytes { text = "x", attachments = list }, function(path)
         composing.with_file(script, function(program)
            local pipe = io.popen(("env -u LD_PRELOAD python3 %s <%s 2>&1"):format(program, path))
            for name in pipe:read("*a"):gmatch("([^%z]*)%z") do found[#found + 1] = name end
            pipe:close()
         end)
      end)
      return found
   end

   it("is called in other programs as it is called here", function()
      local names = { "report.pdf", "Invoice (1).pdf", "a & b, c; d'e +1%.pdf", 'q"u"ote.txt', "back\\slash\\",
         "a  b.txt", "../../etc/passwd", "a%20b.txt", ".hidden", "it''s", "=?UTF-8?Q?x?=.txt", ("n"):rep(78),
         ("n"):rep(255), ("long name "):rep(25) .. "end", ("four "):rep(15) .. "end", "\195\188bersicht.csv",
         "\208\161\209\135\209\145\209\130 7 (1).pdf", ("\228\184\173"):rep(255), ("\240\159\152\128 a"):rep(60),
         "\215\151\215\169\215\145\215\149\215\159.pdf", "e\204\129tude.pdf", "\226\128\174fdp.exe", "1\194\1602" }
      local wanted = {}
      for i = 1, 4 * #names do wanted[i] = names[math.floor((i - 1) % (2 * #names) / 2) + 1] end
      assert.same(wanted, read_by_python(names))
   end)

   for given, written in pairs {
      ["text/csv"] = "text/csv; charset=utf-8; name=\"x\"",
      ["Text/x; y=1"] = "Text/x; y=1; charset=utf-8; name=\"x\"",
      ["text/x; Charset=latin1"] = 'text/x; Charset=latin1; name="x"',
      ["text/csv;charset=utf-8"] = "text/csv; charset=utf-8; name=\"x\"",
      ["Text/CSV ;\tCHARSET=\"utf-8\" ;"] = "Text/CSV; CHARSET=\"utf-8\"; name=\"x\"",
      ['a/b; title="; name=c  d"'] = 'a/b; title="; name=c  d"; name="x"',
      ['a/b; Name="own; name"'] = 'a/b; Name="own; name"', ["a/b; name*=UTF-8''own"] = "a/b; name*=UTF-8''own",
      ['a/b; x="' .. ("y "):rep(40) .. '"; z=1'] = 'a/b;\r\n x="' .. ("y "):rep(40) .. '";\r\n z=1; name="x"',
   } do
      it("of the type " .. given:sub(1, 30) .. " keeps its parameters", function()
         assert.equal("Content-Type: " .. written .. "\r\n",
            (head_of { filename = "x", content_type = given }:gsub("Content%-Transfer.*", "")))
      end)
   end

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
      ["an unknown disposition"] = { { content = "x", disposition = "hidden" }, "attachments[1].disposition" },
      ["a space in its cid"] = { { content = "x", cid = "a b" }, "attachments[1].cid" },
      ["a header in its content_id"] = { { content = "x", content_id = "a>\r\nX: y" }, "attachments[1].content_id" },
      ["both identifiers"] = { { content = "x", cid = "a", content_id = "b" }, "attachments[1].content_id" },
      ["a key in the list"] = { { { content = "x" }, name = "y" }, "attachments" },
   } do
      it("with " .. what .. " is refused by name", function()
         assert.equal(row[2], refused({ attachments = row[1] }).option)
      end)
   end

   it("whose path is not a name that can be shown needs a filename", function()
      for _, name in ipairs { "x\252.txt", "x\ny.txt" } do
         local path = "build/spec/" .. name
         assert(os.execute "mkdir -p build/spec")
         local file = assert(io.open(path, "w"))
         file:close()
         local err = refused { attachments = { path = path } }
         local made = message { attachments = { path = path, filename = "x.txt" } }
         os.remove(path)
         assert.same({ "attachments[1].path", 'Name it: filename = "report.pdf"' }, { err.option, err.hint })
         assert.truthy(made)
      end
   end)

   it("that can be read only once is refused without a wait for its other end", function()
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
