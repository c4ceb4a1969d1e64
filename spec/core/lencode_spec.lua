local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

local crlf, encode, inputs, unquote = bodies.crlf, bodies.encode, bodies.inputs, bodies.unquote

describe("an encoder", function()
   for _, kind in ipairs(bodies.kinds) do
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

      it("of " .. kind .. " takes slices of a string", function()
         local sliced = core.encoder(kind)
         for _, bytes in ipairs(inputs()) do
            local body = {}
            for at = 1, #bytes, 7 do body[#body + 1] = sliced:feed(bytes, at, 7) end
            assert.equal(encode(kind, bytes), table.concat(body) .. sliced:finish())
         end
         assert.has_error(function() sliced:feed("x", 3) end)
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

describe("text as base64", function()
   it("is the base64 of the text with CRLF line ends", function()
      for _, bytes in ipairs(inputs()) do
         local text = bytes:rep(1 + #bytes % 90)
         assert.equal(core.encode(crlf(text), "base64"), core.encode(text, "text as base64"))
      end
   end)
end)

describe("a whole body", function()
   it("is encoded in one step as in pieces", function()
      for _, kind in ipairs(bodies.kinds) do
         for _, bytes in ipairs(inputs()) do assert.equal(encode(kind, bytes), core.encode(bytes, kind)) end
      end
   end)

   it("that is text gets the encoding that suits it, with CRLF line ends", function()
      for body, encoding in pairs { [""] = "7bit", ["hi\n"] = "7bit", ["a\rb\nc\r\nd"] = "7bit",
         [("x"):rep(78)] = "7bit", [("x"):rep(79)] = "quoted-printable", ["line --=_1"] = "quoted-printable",
         ["-=_--=-"] = "7bit", ["=_"] = "7bit", ["From x"] = "quoted-printable",
         ["caf\195\169 au lait, s'il vous plait"] = "quoted-printable",
         ["\195\164\n\195\182"] = "text as base64", ["\127\1"] = "text as base64" } do
         local found, encoded = core.encode_text(body)
         assert.equal(encoding, found, body)
         assert.equal(encode(encoding, body), encoded)
      end
   end)

   it("with a NUL, or that is not UTF-8, is not text", function()
      assert.same({ nil, "nul" }, { core.encode_text "a\0" })
      assert.same({ nil, "utf8" }, { core.encode_text "\195" })
      assert.same({ nil, "utf8" }, { core.encode_text "\0\255" })
      assert.has_error(function() core.encode("a", "8bit") end)
      assert.has_error(function() core.encode_text(nil) end)
   end)
end)
