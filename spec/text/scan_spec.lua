local bodies = require "spec.tools.bodies"
local core = require "smtp.core"

local inputs = bodies.inputs

local function scan(...)
   local scanner = core.scanner()
   for i = 1, select("#", ...) do scanner:feed((select(i, ...))) end
   return scanner:finish()
end

describe("a scan", function()
   local function reference(bytes)
      local want = { wire_len = 0, line_max = 0, special = 0, nul = false, eightbit = false, control = false,
         long_line = false, from_line = false, odd_header = false,
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
      want.open = body ~= "" and body:sub(-1) ~= "\n"
      want.fault = not core.is_utf8(bytes) and "utf8" or want.nul and "nul" or nil
      want.encoding = want.special * 6 > #bytes and "text as base64" or "quoted-printable"
      local is_plain = not (want.eightbit or want.control or want.from_line or bytes:find("--=_", 1, true))
      if is_plain and want.line_max <= 78 then want.encoding = "7bit" end
      return want
   end

   it("reports what a body contains", function()
      for _, bytes in ipairs(inputs()) do assert.same(reference(bytes), scan(bytes)) end
      for length = 990, 1010 do
         local line = ("x"):rep(length)
         assert.same(reference(line), scan(line))
         assert.same(reference("a\r\n" .. line .. "\n"), scan("a\r\n" .. line .. "\n"))
      end
   end)

   it("reports the same however it is cut", function()
      local list = inputs()
      for i = 1, #list, 2 do
         local want = reference(list[i])
         for cut = 0, #list[i] do
            local got = scan(list[i]:sub(1, cut), "", list[i]:sub(cut + 1))
            for key in pairs(got) do
               if got[key] ~= want[key] then assert.same(want, got) end
            end
         end
      end
      assert.is_true(scan("x\nF", "r", "o", "m", " ").from_line)
      assert.is_false(scan("x", "From ", "\n", "Fro", "\n", "m ").from_line)
      assert.is_true(scan(("x"):rep(900), ("x"):rep(99)).long_line)
      assert.equal("quoted-printable", scan("a line x-", "-", "", "=", "_").encoding)
      assert.equal("7bit", scan("--", "-=", "\n_--", "=").encoding)
      assert.is_nil(scan("\240", "\159\152", "\128").fault)
      assert.equal("utf8", scan("\240\159", "\152").fault)
   end)

   it("knows every byte at every place", function()
      for c = 0, 255 do
         for before = 0, 16 do
            local bytes = ("x"):rep(before) .. string.char(c) .. " ~!" .. ("z"):rep(before)
            assert.same(reference(bytes), scan(bytes))
         end
      end
   end)
end)
