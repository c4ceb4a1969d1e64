local composing = require "spec.tools.composing"
local core = require "smtp.core"

local message, bytes, refused = composing.message, composing.bytes, composing.refused
local with_file = composing.with_file

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
