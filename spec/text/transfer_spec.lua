local bodies = require "spec.tools.bodies"

local crlf, encode, inputs, unquote = bodies.crlf, bodies.encode, bodies.inputs, bodies.unquote

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
         for _, line in ipairs(bodies.lines(body)) do
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
