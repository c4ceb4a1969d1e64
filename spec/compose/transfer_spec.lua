local core = require "smtp.core"

local kinds = { "7bit", "quoted-printable", "base64" }

local function encode(kind, text)
   local encoder = core.encoder(kind)
   return encoder:feed(text) .. encoder:finish()
end

-- A generator that is the same under every Lua.
local state = 1
local function random(n)
   state = (state * 1103515245 + 12345) % 2147483648
   return math.floor(state / 65536) % n + 1
end

local letters = { "a", "b", " ", "\t", "\r", "\n", "\r\n", ".", "=", "From ", "\nFrom ", "\n.", " \n", "F",
   "\195\164", "\226\130\172", "\240\159\152\128", "\0", "\127", "\255", ("x"):rep(60), ("y z "):rep(16) }

local function text(max)
   local list = {}
   for i = 1, random(max) do list[i] = letters[random(#letters)] end
   return table.concat(list)
end

-- A few by chance; and all that matters at each column where a line may have to break.
local function inputs()
   local list = { "", " ", "\r", "F", "From", "From ", ".", "=" }
   while #list < 300 do list[#list + 1] = text(12) end
   local ends = { "\195\164\195\164", "\226\130\172", "\240\159\152\128z", ".", "From x", "  \nz", "\t", "=", "yz",
      "yz\n", "\255\255\255\255" }
   for column = 60, 77 do
      for _, last in ipairs(ends) do list[#list + 1] = ("x"):rep(column) .. last end
   end
   return list
end

local function crlf(bytes)
   return (bytes:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
end

local function from_hex(digits)
   return string.char(tonumber(digits, 16))
end

-- RFC 2045 6.7 backwards.
local function unquote(body)
   return (body:gsub("=\r\n", ""):gsub("=(%x%x)", from_hex))
end

local function lines_of(body)
   local list = {}
   for line in (body .. "\r\n"):gmatch("(.-)\r\n") do list[#list + 1] = line end
   return list
end

describe("base64", function()
   for bytes, want in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy" } do -- RFC 4648 10
      it(("of %q"):format(bytes), function()
         assert.equal(want, core.base64(bytes))
         assert.equal(want == "" and "" or want .. "\r\n", encode("base64", bytes))
         assert.equal(bytes, core.base64_decode(want))
      end)
   end

   it("writes each six bits as the alphabet says", function()
      local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
      for first = 0, 63 do
         for second = 0, 63 do
            local bits = first * 64 + second
            local bytes = string.char(math.floor(bits / 16), bits % 16 * 16)
            local want = alphabet:sub(first + 1, first + 1) .. alphabet:sub(second + 1, second + 1)
            assert(core.base64(bytes):sub(1, 2) == want)
            assert(core.base64("\0\0\0" .. bytes .. "\0\0\0\0"):sub(5, 6) == want)
         end
      end
   end)

   it("comes in lines of 76 with CRLF behind the last", function()
      for length = 0, 250 do
         local bytes = {}
         for i = 1, length do bytes[i] = string.char(random(256) - 1) end
         bytes = table.concat(bytes)
         local body = encode("base64", bytes)
         local whole = core.base64(bytes)
         assert.equal(whole, (body:gsub("\r\n", "")))
         assert.equal(bytes, core.base64_decode(whole))
         local lines = lines_of(body)
         assert.equal("", table.remove(lines))
         for i = 1, #lines do
            assert(#lines[i] == 76 or i == #lines and #lines[i] > 0, length)
         end
      end
   end)
end)

describe("quoted-printable", function()
   for bytes, want in pairs {
      ["a=b"] = "a=3Db", ["\195\164"] = "=C3=A4", ["\127\0\1"] = "=7F=00=01", ["tab\there"] = "tab\there",
      ["a\nb\rc\r\nd"] = "a\r\nb\r\nc\r\nd", ["\r\n\n\r"] = "\r\n\r\n\r\n", ["a \n"] = "a=20\r\n",
      ["a\t"] = "a=09", ["a  "] = "a =20", [" \t\n"] = " =09\r\n", [" "] = "=20", ["."] = "=2E",
      [".a\n..\n a."] = "=2Ea\r\n=2E.\r\n a.", ["From me"] = "=46rom me", ["x\nFrom \n"] = "x\r\n=46rom=20\r\n",
      ["From"] = "From", ["Fro"] = "Fro", ["F"] = "F", ["FFrom x"] = "FFrom x", ["From\nx"] = "From\r\nx",
      [" From x"] = " From x", [">From x"] = ">From x",
   } do
      it(("of %q"):format(bytes), function() assert.equal(want, encode("quoted-printable", bytes)) end)
   end

   it("breaks lines where nothing is torn", function()
      local x = ("x"):rep(75)
      for bytes, want in pairs {
         [x] = x, [x .. "y"] = x .. "=\r\ny", [x .. "\n"] = x .. "\r\n", [x .. "."] = x .. "=\r\n=2E",
         [x .. "From y"] = x .. "=\r\n=46rom y", [x .. " "] = x .. "=\r\n=20", [x .. " y"] = x .. "=\r\n y",
         [x:sub(2) .. " y"] = x:sub(2) .. " =\r\ny", [x:sub(2) .. " "] = x:sub(2) .. "=\r\n=20",
         [x:sub(4) .. "="] = x:sub(4) .. "=3D", [x:sub(3) .. "="] = x:sub(3) .. "=\r\n=3D",
         [x:sub(7) .. "\195\164"] = x:sub(7) .. "=C3=A4", [x:sub(6) .. "\195\164"] = x:sub(6) .. "=\r\n=C3=A4",
         [x:sub(9) .. "\226\130\172"] = x:sub(9) .. "=\r\n=E2=82=AC",
         [x:sub(13) .. "\240\159\152\128"] = x:sub(13) .. "=F0=9F=98=80",
         [x:sub(12) .. "\240\159\152\128"] = x:sub(12) .. "=\r\n=F0=9F=98=80",
      } do
         assert.equal(want, encode("quoted-printable", bytes))
      end
   end)

   it("has nothing that anybody on the way would change, and means what was put in", function()
      for _, bytes in ipairs(inputs()) do
         local body = encode("quoted-printable", bytes)
         assert.equal(crlf(bytes), unquote(body))
         for _, line in ipairs(lines_of(body)) do
            assert(#line <= 76 and not line:find("^%.") and not line:find("^From ") and not line:find("[ \t]$")
               and not line:find("[^\t -~]"), line)
            assert(not line:gsub("=%x%x", ""):find("=."), line)
            assert(not line:find("=%x?[a-f]"), line)
         end
         local torn = body:find("=\r\n=[89AB]%x")
         assert(not torn or bytes:find("\255"), body)
      end
   end)
end)

describe("7bit", function()
   it("has CRLF for every line end, and all else as it was", function()
      for _, bytes in ipairs(inputs()) do assert.equal(crlf(bytes), encode("7bit", bytes)) end
   end)
end)

describe("an encoder", function()
   for _, kind in ipairs(kinds) do
      it("of " .. kind .. " writes the same however its input is cut", function()
         local halves, octets = core.encoder(kind), core.encoder(kind)
         for _, bytes in ipairs(inputs()) do
            local whole = encode(kind, bytes)
            for cut = 0, #bytes do
               local body = halves:feed(bytes:sub(1, cut)) .. halves:feed(bytes:sub(cut + 1)) .. halves:finish()
               if body ~= whole then assert.equal(whole, body) end
            end
            local body = {}
            for i = 1, #bytes do body[i] = octets:feed(bytes:sub(i, i)) end
            assert.equal(whole, table.concat(body) .. octets:finish())
         end
      end)

      it("of " .. kind .. " writes much at once", function()
         local bytes = ("From \195\164\240\159\152\128.\r\n\255\255\255\255 "):rep(20000)
         local whole = encode(kind, bytes)
         local encoder, body = core.encoder(kind), {}
         for i = 1, #bytes, 65536 do body[#body + 1] = encoder:feed(bytes:sub(i, i + 65535)) end
         assert(whole == table.concat(body) .. encoder:finish())
         if kind == "quoted-printable" then assert(unquote(whole) == bytes) end
      end)

      it("of " .. kind .. " finds room for the worst", function()
         for _, worst in ipairs { "\n", "\255", ".\n", "\240", "\240\159", "a\240", " \n", "From \n", "=" } do
            for length = 1, 300 do
               local encoder = core.encoder(kind)
               local bytes = worst:rep(length)
               local body = encoder:feed(bytes) .. encoder:finish()
               if kind == "quoted-printable" then assert(unquote(body) == crlf(bytes)) end
            end
         end
      end)
   end

   it("keeps its own state", function()
      local one, other = core.encoder("base64"), core.encoder("base64")
      assert.equal("", one:feed("f"))
      assert.equal("", other:feed("fo"))
      assert.equal("Zm9v", one:feed("oo"))
      assert.equal("Zm8=\r\n", other:finish())
      assert.equal("\r\n", one:finish())
      assert.equal("", one:finish())
   end)

   it("of another kind is a mistake", function()
      assert.is_false(pcall(core.encoder, "8bit"))
      assert.is_false(pcall(core.encoder))
      assert.is_false(pcall(core.encoder("7bit").feed, io.stdout, "x"))
      assert.is_false(pcall(core.encoder("7bit").feed, core.encoder("7bit")))
   end)
end)

describe("what is encoded", function()
   it("is read back by another program", function()
      local name, script_name = os.tmpname(), os.tmpname()
      local file = assert(io.open(name, "wb"))
      local list = inputs()
      for _, bytes in ipairs(list) do
         for _, body in ipairs { crlf(bytes), encode("quoted-printable", bytes), bytes, encode("base64", bytes) } do
            file:write(("%d\n"):format(#body), body)
         end
      end
      file:close()
      local script = assert(io.open(script_name, "w"))
      script:write([[
import sys, quopri, base64
data = open(sys.argv[1], 'rb')
def take(): return data.read(int(data.readline()))
for i in range(int(sys.argv[2])):
    want = take(); got = quopri.decodestring(take()); assert want == got, (want, got)
    want = take(); got = base64.b64decode(take()); assert want == got, (want, got)
print('same')
]])
      script:close()
      local pipe = io.popen(("env -u LD_PRELOAD python3 %s %s %d 2>&1"):format(script_name, name, #list))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      os.remove(script_name)
      assert.equal("same\n", said)
   end)
end)

describe("a scan", function()
   local function reference(bytes)
      local want = { wire_len = 0, line_max = 0, special = 0, nul = false, eightbit = false, control = false,
         long_line = false, from_line = false, bcc = false, odd_header = false,
         bare = bytes:gsub("\r\n", ""):find("[\r\n]") ~= nil }
      local body = bytes:gsub("\r\n", "\n"):gsub("\r", "\n")
      for line, line_end in body:gmatch("([^\n]*)(\n?)") do
         if line ~= "" or line_end ~= "" then want.wire_len = want.wire_len + #line + 2 end
         want.line_max = math.max(want.line_max, #line)
         if #line > 998 then want.long_line = true end
         if line:sub(1, 5) == "From " then want.from_line = true end
      end
      for i = 1, #body do
         local c = body:byte(i)
         if c > 127 then want.eightbit = true end
         if c == 0 then want.nul = true end
         if c == 127 or c < 32 and c ~= 9 and c ~= 10 then want.control = true end
         if c == 61 or c > 126 or c < 32 and c ~= 9 and c ~= 10 then want.special = want.special + 1 end
      end
      return want
   end

   it("tells what a body holds", function()
      for _, bytes in ipairs(inputs()) do assert.same(reference(bytes), core.scan(bytes)) end
      for length = 990, 1010 do
         local line = ("x"):rep(length)
         assert.same(reference(line), core.scan(line))
         assert.same(reference("a\r\n" .. line .. "\n"), core.scan("a\r\n" .. line .. "\n"))
      end
   end)

   it("tells the same however it is cut", function()
      local list = inputs()
      for i = 1, #list, 2 do
         local want = reference(list[i])
         for cut = 0, #list[i] do
            local got = core.scan(list[i]:sub(1, cut), "", list[i]:sub(cut + 1))
            for key, value in pairs(want) do
               if got[key] ~= value then assert.same(want, got) end
            end
         end
      end
      assert.is_true(core.scan("x\nF", "r", "o", "m", " ").from_line)
      assert.is_false(core.scan("x", "From ", "\n", "Fro", "\n", "m ").from_line)
      assert.is_true(core.scan(("x"):rep(900), ("x"):rep(99)).long_line)
   end)

   it("knows every octet, wherever it stands", function()
      for c = 0, 255 do
         for before = 0, 16 do
            local bytes = ("x"):rep(before) .. string.char(c) .. " ~!" .. ("z"):rep(before)
            assert.same(reference(bytes), core.scan(bytes))
         end
      end
   end)
end)

describe("UTF-8", function()
   -- RFC 3629 4: the first and the last character of each length, and what is next to them.
   local good = { ["\127"] = 1, ["\194\128"] = 2, ["\223\191"] = 2, ["\224\160\128"] = 3, ["\237\159\191"] = 3,
      ["\238\128\128"] = 3, ["\239\191\191"] = 3, ["\240\144\128\128"] = 4, ["\244\143\191\191"] = 4 }
   local bad = { "\128", "\193\191", "\224\159\191", "\237\160\128",
      "\240\143\191\191", "\244\144\128\128", "\245\128\128\128",
      "\194", "\224\160", "\240\144\128", "\194\65", "\255" }

   it("is what RFC 3629 says, at any place of a text", function()
      for before = 0, 17 do
         local start = ("x"):rep(before)
         for character, len in pairs(good) do
            assert.is_true(core.is_utf8(start .. character .. "y"))
            assert.equal(len, core.utf8_len(start .. character, before + 1))
         end
         for _, broken in ipairs(bad) do
            assert.is_false(core.is_utf8(start .. broken))
            assert.is_false(core.is_utf8(start .. broken .. "y"))
            assert.is_nil(core.utf8_len(start .. broken, before + 1))
         end
      end
      assert.is_true(core.is_utf8(""))
      assert.has_error(function() core.utf8_len("a", 2) end)
   end)
end)

describe("a whole body", function()
   it("is encoded in one step as in pieces", function()
      for _, kind in ipairs(kinds) do
         for _, bytes in ipairs(inputs()) do assert.equal(encode(kind, bytes), core.encode(bytes, kind)) end
      end
   end)

   it("that is text gets the encoding that suits it, with CRLF line ends", function()
      for body, encoding in pairs { [""] = "7bit", ["hi\n"] = "7bit", ["a\rb\nc\r\nd"] = "7bit",
         [("x"):rep(78)] = "7bit", [("x"):rep(79)] = "quoted-printable", ["line --=_1"] = "quoted-printable",
         ["-=_--=-"] = "7bit", ["=_"] = "7bit", ["From x"] = "quoted-printable",
         ["caf\195\169 au lait, s'il vous plait"] = "quoted-printable",
         ["\195\164\n\195\182"] = "base64", ["\127\1"] = "base64" } do
         local found, encoded = core.encode_text(body)
         assert.equal(encoding, found, body)
         assert.equal(encode(encoding, encoding == "base64" and crlf(body) or body), encoded)
      end
   end)

   it("with a NUL, or that is not UTF-8, is no text", function()
      assert.same({ nil, "nul" }, { core.encode_text "a\0" })
      assert.same({ nil, "utf8" }, { core.encode_text "\195" })
      assert.same({ nil, "utf8" }, { core.encode_text "\0\255" })
      assert.has_error(function() core.encode("a", "8bit") end)
      assert.has_error(function() core.encode_text(nil) end)
   end)
end)
