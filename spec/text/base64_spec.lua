local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

local encode = bodies.encode

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

   it("comes in lines of 76 with CRLF after the last", function()
      for length = 0, 250 do
         local bytes = {}
         for i = 1, length do bytes[i] = string.char(bodies.random(256) - 1) end
         bytes = table.concat(bytes)
         local body = encode("base64", bytes)
         local whole = core.base64(bytes)
         assert.equal(whole, (body:gsub("\r\n", "")))
         assert.equal(bytes, core.base64_decode(whole))
         local lines = bodies.lines(body)
         assert.equal("", table.remove(lines))
         for i = 1, #lines do
            assert(#lines[i] == 76 or i == #lines and #lines[i] > 0, length)
         end
      end
   end)
end)
