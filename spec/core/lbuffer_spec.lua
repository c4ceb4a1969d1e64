local core = require "smtp.core"
local smtp = require "smtp"
local source = require "smtp.compose.source"

-- An open file with this content, at its beginning.
local function file_of(text)
   local file = assert(io.tmpfile())
   file:write(text)
   file:seek("set", 0)
   return file
end

describe("a buffer", function()
   it("contains the next bytes of a file each time", function()
      local buffer, file = core.buffer(4), file_of("one two\0\r\n!")
      assert.equal(0, #buffer)
      local parts = {}
      while buffer:read(file, 3) do
         assert.equal(#buffer, #buffer:text())
         parts[#parts + 1] = buffer:text()
      end
      assert.same({ "one", " tw", "o\0\r", "\n!" }, parts)
      assert.equal(0, #buffer)
      assert.equal(nil, (buffer:read(file, 4)))
      file:close()
   end)

   it("ends with a line where one ends in what was read", function()
      local function parts_of(text, max)
         local buffer, file, parts = core.buffer(max), file_of(text), {}
         while buffer:read(file, max, true) do parts[#parts + 1] = buffer:text() end
         file:close()
         return parts
      end
      assert.same({ "one\r\n", "two\r\nthree\r\n", "four" }, parts_of("one\r\ntwo\r\nthree\r\nfour", 9))
      assert.same({ "a\n", "b\n" }, parts_of("a\nb\n", 2))
      assert.same({ "a\nb\n", "c\nd\n" }, parts_of("a\nb\nc\nd\n", 4))
      for _, len in ipairs { 998, 1000, 1001, 5000 } do
         local parts = parts_of("x\n" .. ("y"):rep(len) .. "\nz\n", len + 2)
         assert.equal("x\n" .. ("y"):rep(len) .. "\nz\n", table.concat(parts))
         assert.equal(len > 1000, parts[1] ~= "x\n")
      end
   end)

   it("goes on where the file is read otherwise", function()
      local buffer, file = core.buffer(10), file_of("line\nrest")
      assert.equal("line", file:read("*l"))
      assert.is_true(buffer:read(file, 10))
      assert.equal("rest", buffer:text())
      file:close()
   end)

   it("says why a file cannot be read", function()
      local buffer, file, locale = core.buffer(10), assert(io.open("/", "rb")), os.setlocale()
      finally(function() os.setlocale(locale) end)
      os.setlocale "C" -- the words are the system's
      local ok, why = buffer:read(file, 10)
      assert.equal(nil, ok)
      assert.equal("Is a directory", why)
      file:close()
   end)

   it("reads no closed file, no other value, and not more than it has room for", function()
      local buffer, file = core.buffer(10), file_of("x")
      assert.has_error(function() buffer:read(file, 11) end)
      assert.has_error(function() buffer:read("x", 1) end)
      file:close()
      assert.has_error(function() buffer:read(file, 1) end)
      assert.has_error(function() core.buffer(2 ^ 25) end)
      assert.has_error(function() core.scanner():feed(core.scanner()) end)
   end)

   it("is a piece for scanners, encoders and sessions", function()
      local buffer, file = core.buffer(100), file_of("a\r\nb\r\n")
      buffer:read(file, 100)
      file:close()
      local scanner = core.scanner(true)
      scanner:feed(buffer)
      assert.equal(6, scanner:finish().wire_len)
      local encoder = core.encoder "base64"
      assert.equal(core.encode("a\r\nb\r\n", "base64"), encoder:feed(buffer) .. encoder:finish())
      local filled = encoder:fill(buffer)
      assert.equal(#filled, #filled:text())
      assert.equal(core.encode("a\r\nb\r\n", "base64"), filled:text() .. encoder:finish())
   end)
end)

describe("a source", function()
   it("of a raw message gives whole lines, each piece by one call to send", function()
      local line = ("x"):rep(70) .. "\r\n"
      local file, sends = file_of("Subject: x\r\n\r\n" .. line:rep(6000)), 0
      local ok = "250 ok\r\n"
      local heard = { "220 hi\r\n", "250-mx\r\n250 CHUNKING\r\n", ok, ok, ok, "221 bye\r\n" }
      local transport = {
         connect = function() return true end, sslhandshake = function() end, settimeouts = function() end,
         close = function() end,
         send = function(_, data)
            if #data > 1000 then sends = sends + 1 end
            return #data
         end,
         receiveany = function() return table.remove(heard, 1) end,
      }
      smtp.send { transport = transport, tls = "skip", from = "a@b.example", to = "c@d.example", raw = file }
      file:close()
      assert.equal(math.ceil(6000 * #line / (31 * 4096)), sends)
   end)

   it("gives the same bytes in strings and in buffers that are used again", function()
      local text = ("0123456789"):rep(30000)
      local path = os.tmpname()
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
      file = assert(io.open(path, "rb"))
      for _, one in ipairs { source.of_path(path), (source.of_file(file)) } do
         local strings, texts, buffers = {}, {}, {}
         source.drain(one.open(), function(piece) strings[#strings + 1] = piece end)
         source.drain(one.open(true), function(piece)
            texts[#texts + 1], buffers[#buffers + 1] = piece:text(), piece
         end)
         assert.same({ #text, #text }, { #table.concat(strings), #table.concat(texts) })
         assert(text == table.concat(strings) and text == table.concat(texts))
         assert.equal(buffers[1], buffers[#buffers])
      end
      file:close()
      os.remove(path)
   end)
end)
