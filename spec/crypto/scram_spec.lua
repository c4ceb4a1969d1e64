-- SCRAM of smtp.crypto, against the examples of the RFCs, and against servers that lie.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local octets = require "spec.tools.octets"

local function bytes(text)
   return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- ---- SCRAM ----

local NONCE = "rOprNGfwEbeRWgbNEkqO"
local BOTH = NONCE .. "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
local SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
local FIRST = "r=" .. BOTH .. ",s=" .. SALT .. ",i=4096"

local function begin(more)
   local settings = { hash = "SHA256", username = "user", password = "pencil", flag = "n",
      nonce = NONCE, iterations_min = 4096, iterations_max = 200000 }
   for key, value in pairs(more or {}) do settings[key] = value end
   return crypto.scram(settings)
end

-- Steps until there is more to say than "again".
local function step(exchange, challenge)
   local answer, word
   repeat answer, word = exchange:step(challenge) until word ~= "again"
   return answer, word
end

-- RFC 5802 3, from its formulas: -> ClientProof, ServerSignature
local function prove(hash, password, salt, iterations, message)
   local salted = crypto.pbkdf2(hash, password, salt, iterations)
   local client_key = crypto.hmac(hash, salted, "Client Key")
   local stored_key = crypto.digest(hash, client_key)
   local server_key = crypto.hmac(hash, salted, "Server Key")
   return octets.xor(client_key, crypto.hmac(hash, stored_key, message)),
      crypto.hmac(hash, server_key, message)
end

describe("SCRAM", function()
   it("keeps the name of its hash, though the caller forgets it", function()
      local exchange = begin { hash = table.concat { "SHA", "25", "6" } }
      for _ = 1, 3 do collectgarbage() end
      local junk = {}
      for i = 1, 1000 do junk[i] = ("%dXYZ"):format(i) end
      assert.equal(1000, #junk)
      assert.truthy(step(exchange, FIRST))
   end)

   it("speaks the example of RFC 5802 5", function()
      local exchange = begin { hash = "SHA1", nonce = "fyko+d2lbbFgONRv9qkxdawL" }
      assert.equal("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", exchange:first())
      local answer, content = step(exchange,
         "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
      assert.equal("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
         .. "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", answer)
      assert.is_false(content)
      answer, content = step(exchange, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
      assert.equal("", answer)
      assert.is_true(content)
   end)

   it("speaks the example of RFC 7677 3", function()
      local exchange = begin()
      assert.equal("n,,n=user,r=" .. NONCE, exchange:first())
      local answer, content = step(exchange, FIRST)
      assert.equal("c=biws,r=" .. BOTH .. ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", answer)
      assert.is_false(content)
      answer, content = step(exchange, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
      assert.equal("", answer)
      assert.is_true(content)
   end)

   for _, hash in ipairs { "SHA1", "SHA256", "SHA512" } do
      for _, way in ipairs {
         { "without binding", {}, "n,," },
         { "where the server seems to offer none", { flag = "y" }, "y,," },
         { "as somebody else", { authzid = "a=b,c" }, "n,a=a=3Db=2Cc," },
         { "bound to the channel", { flag = "p", binding_type = "tls-exporter",
            binding = bytes("00ff80") .. ("k"):rep(29) }, "p=tls-exporter,," },
         { "bound, as somebody else", { flag = "p", binding_type = "tls-server-end-point",
            binding = ("\255"):rep(64), authzid = "boss" }, "p=tls-server-end-point,a=boss," },
      } do
         it(("with %s %s gives what its formulas give"):format(hash, way[1]), function()
            local settings = { hash = hash }
            for key, value in pairs(way[2]) do settings[key] = value end
            local exchange = begin(settings)
            assert.equal(way[3] .. "n=user,r=" .. NONCE, exchange:first())
            local bare = "c=" .. core.base64(way[3] .. (settings.binding or "")) .. ",r=" .. BOTH
            local proof, signature = prove(hash, "pencil", core.base64_decode(SALT), 4096,
               "n=user,r=" .. NONCE .. "," .. FIRST .. "," .. bare)
            assert.equal(bare .. ",p=" .. core.base64(proof), step(exchange, FIRST))
            local _, content = exchange:step("v=" .. core.base64(signature))
            assert.is_true(content)
         end)
      end
   end

   it("has room for the longest of everything", function()
      local settings = { hash = "SHA512", username = ("="):rep(1024), authzid = (","):rep(1024),
         nonce = ("n"):rep(64), flag = "p", binding_type = ("t"):rep(32), binding = ("b"):rep(128) }
      local exchange = begin(settings)
      local first = "r=" .. settings.nonce .. "x,s=" .. SALT .. ",i=4096,x="
      first = first .. ("y"):rep(3072 - #first)
      local header = "p=" .. settings.binding_type .. ",a=" .. ("=2C"):rep(1024) .. ","
      local bare = "c=" .. core.base64(header .. settings.binding) .. ",r=" .. settings.nonce .. "x"
      local proof = prove("SHA512", "pencil", core.base64_decode(SALT), 4096,
         "n=" .. ("=3D"):rep(1024) .. ",r=" .. settings.nonce .. "," .. first .. "," .. bare)
      assert.equal(bare .. ",p=" .. core.base64(proof), step(exchange, first))
   end)

   it("has room for the longest nonce and the longest salt", function()
      for _, row in ipairs { { BOTH .. ("x"):rep(2900), "QQ==" },
         { BOTH, ("QUJD"):rep(750) } } do
         local first = "r=" .. row[1] .. ",s=" .. row[2] .. ",i=4096"
         local bare = "c=biws,r=" .. row[1]
         local proof = prove("SHA256", "pencil", core.base64_decode(row[2]), 4096,
            "n=user,r=" .. NONCE .. "," .. first .. "," .. bare)
         assert.equal(bare .. ",p=" .. core.base64(proof), step(begin(), first))
      end
   end)

   it("takes the bounds of its iterations as given, both included", function()
      for _, count in ipairs { 1, 2, 3 } do
         local exchange = begin { iterations_min = 1, iterations_max = 3 }
         local first = "r=" .. BOTH .. ",s=" .. SALT .. ",i=" .. count
         local proof = prove("SHA256", "pencil", core.base64_decode(SALT), count,
            "n=user,r=" .. NONCE .. "," .. first .. ",c=biws,r=" .. BOTH)
         assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), step(exchange, first))
      end
      local _, word = begin({ iterations_min = 2, iterations_max = 3 }):step(
         "r=" .. BOTH .. ",s=" .. SALT .. ",i=1")
      assert.equal("iterations", word)
      _, word = begin({ iterations_min = 2, iterations_max = 3 }):step(
         "r=" .. BOTH .. ",s=" .. SALT .. ",i=4")
      assert.equal("iterations", word)
   end)

   it("refuses arguments that nothing can be made of", function()
      for _, bad in ipairs { { nonce = "" }, { nonce = ("n"):rep(65) }, { flag = "x" }, { flag = "" },
         { flag = "ny" }, { username = ("x"):rep(1025) }, { authzid = ("x"):rep(1025) },
         { binding = ("x"):rep(129) }, { iterations_min = 0 }, { iterations_max = -1 } } do
         assert.is_false(pcall(begin, bad))
      end
      assert.same({ nil, "crypto" }, { begin { hash = "NO-SUCH" } })
   end)

   it("hashes in slices, so that others have their turn meanwhile", function()
      local iterations, seconds = 200000, {}
      local exchange = begin()
      local first = "r=" .. BOTH .. ",s=" .. SALT .. ",i=" .. iterations
      local answer, word
      repeat
         local from = os.clock()
         answer, word = exchange:step(first)
         seconds[#seconds + 1] = os.clock() - from
         if #seconds <= 3 then assert.same({ nil, "again" }, { answer, word }) end
      until word ~= "again"
      assert.is_false(word)
      -- Nine of ten calls: a busy host may take its time in the middle of any one.
      table.sort(seconds)
      local slow = seconds[math.ceil(#seconds * 0.9)]
      assert.is_true(slow < 0.005, ("%.1f ms"):format(slow * 1000))
      local proof, signature = prove("SHA256", "pencil", core.base64_decode(SALT), iterations,
         "n=user,r=" .. NONCE .. "," .. first .. ",c=biws,r=" .. BOTH)
      assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), answer)
      assert.same({ "", true }, { exchange:step("v=" .. core.base64(signature)) })
   end)

   it("can be left at any time", function()
      for _ = 1, 20 do
         begin():step("r=" .. BOTH .. ",s=" .. SALT .. ",i=200000")
         begin()
      end
      collectgarbage()
      assert.is_false(pcall(getmetatable(begin())))
   end)
end)

-- Says it to an exchange in its state, and to another one where the host was busy just then: what
-- does no work is quick once in three times. -> exchange, answer, word
local function say_quickly(ready, challenge)
   local slow
   for _ = 1, 3 do
      local exchange = ready()
      local from = os.clock()
      local answer, word = exchange:step(challenge)
      slow = os.clock() - from
      if slow < 0.05 then return exchange, answer, word end
   end
   error(("%.0f ms"):format(slow * 1000))
end

local function first_of(parts)
   return "r=" .. (parts.r or BOTH) .. ",s=" .. (parts.s or SALT) .. ",i=" .. (parts.i or "4096")
end

-- What a server may say first, and how it is refused. RFC 5802 5.1, 7.
local hostile = {
   { "one iteration", first_of { i = "1" }, "iterations" },
   { "too few iterations", first_of { i = "4095" }, "iterations" },
   { "too many iterations", first_of { i = "200001" }, "iterations" },
   { "iterations for an hour", first_of { i = "2147483647" }, "iterations" },
   { "iterations that would be few in 32 bits", first_of { i = "4294971392" }, "iterations" },
   { "iterations of 20 digits", first_of { i = "18446744073709555712" }, "iterations" },
   { "no iteration", first_of { i = "0" } },
   { "a leading zero", first_of { i = "04096" } },
   { "a negative number", first_of { i = "-1" } },
   { "a sign", first_of { i = "+4096" } },
   { "a space before the number", first_of { i = " 4096" } },
   { "a fraction", first_of { i = "4096.0" } },
   { "a number in hex", first_of { i = "0x1000" } },
   { "no number", first_of { i = "abc" } },
   { "an empty number", first_of { i = "" } },
   { "an empty nonce", first_of { r = "" } },
   { "a shortened nonce", first_of { r = NONCE:sub(1, -2) } },
   { "the client's nonce and nothing more", first_of { r = NONCE } },
   { "another nonce", first_of { r = "x" .. BOTH:sub(2) } },
   { "a nonce with the client's at its end", first_of { r = "x" .. NONCE } },
   { "the client's nonce in another case", first_of { r = BOTH:lower() } },
   { "a space in the nonce", first_of { r = BOTH .. " x" } },
   { "a NUL in the nonce", first_of { r = BOTH .. "\0" } },
   { "a line end in the nonce", first_of { r = BOTH .. "\r\n" } },
   { "an 8-bit nonce", first_of { r = BOTH .. "\195\164" } },
   { "no nonce", "s=" .. SALT .. ",i=4096" },
   { "no salt", "r=" .. BOTH .. ",i=4096" },
   { "no number of iterations", "r=" .. BOTH .. ",s=" .. SALT },
   { "salt first", "s=" .. SALT .. ",r=" .. BOTH .. ",i=4096" },
   { "iterations before the salt", "r=" .. BOTH .. ",i=4096,s=" .. SALT },
   { "an extension that must be understood", "m=x," .. FIRST },
   { "the same behind", FIRST .. ",m=x" },
   { "an attribute before the nonce", "x=y," .. FIRST },
   { "a second nonce", FIRST .. ",r=" .. BOTH },
   { "a second salt", FIRST .. ",s=" .. SALT },
   { "a second number", FIRST .. ",i=1" },
   { "a proof", FIRST .. ",v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
   { "an error", "e=unknown-user" },
   { "an empty attribute", "r=" .. BOTH .. ",,s=" .. SALT .. ",i=4096" },
   { "an empty attribute behind", FIRST .. ",,x=y" },
   { "a comma at the end", FIRST .. "," },
   { "a comma at the end of an extension", FIRST .. ",x=y," },
   { "a comma first", "," .. FIRST },
   { "an extension without a value", FIRST .. ",x" },
   { "an extension without a name", FIRST .. ",=y" },
   { "an extension whose name is no letter", FIRST .. ",1=y" },
   { "an extension with a long name", FIRST .. ",xy=z" },
   { "names in upper case", FIRST:upper() },
   { "an empty salt", first_of { s = "" } },
   { "a salt that is padding only", first_of { s = "====" } },
   { "a salt that is no base64", first_of { s = "!!!!" } },
   { "a salt without its padding", first_of { s = "QQ" } },
   { "a salt with padding within", first_of { s = "QQ==QQ==" } },
   { "a salt with a letter behind padding", first_of { s = "QQ=Q" } },
   { "a salt with too much padding", first_of { s = "Q===" } },
   { "a salt with a line end", first_of { s = "QUJD\r\nQUJD\r\n" } },
   { "a salt with spaces", first_of { s = " QUJDQUJD   " } },
   { "a name alone", "r" },
   { "a name and an equals sign", "r=" },
   { "nothing", "" },
   { "a NUL", "\0" },
   { "another language", "<1896.697170952@postoffice.reston.mci.net>" },
   { "more than is taken", FIRST .. ",x=" .. ("y"):rep(3072 - #FIRST - 2) },
   { "a megabyte of nonce", first_of { r = BOTH .. ("x"):rep(2 ^ 20) } },
   { "a megabyte of commas", FIRST .. (","):rep(2 ^ 20) },
   { "a megabyte of extensions", FIRST .. (",x=y"):rep(2 ^ 18) },
   { "a megabyte of digits", first_of { i = ("9"):rep(2 ^ 20) } },
}

describe("SCRAM, told first", function()
   for _, row in ipairs(hostile) do
      it(row[1] .. ", refuses at once and for good", function()
         local exchange, answer, word = say_quickly(begin, row[2])
         assert.is_nil(answer)
         assert.equal(row[3] or "protocol", word)
         assert.same({ nil, "protocol" }, { exchange:step(FIRST) })
         assert.same({ nil, "protocol" },
            { exchange:step("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") })
      end)
   end

   it("extensions after all it needs, ignores them, and signs them (RFC 5802 7)", function()
      for _, extensions in ipairs { ",x=y", ",x=y,z=a=b==", ",A=\195\164,b= ", ",x=y,x=y" } do
         local exchange = begin()
         local first = FIRST .. extensions
         local proof, signature = prove("SHA256", "pencil", core.base64_decode(SALT), 4096,
            "n=user,r=" .. NONCE .. "," .. first .. ",c=biws,r=" .. BOTH)
         assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), step(exchange, first))
         assert.same({ "", true }, { exchange:step("v=" .. core.base64(signature) .. extensions) })
      end
   end)

   it("more while it hashes, does not hear it", function()
      local exchange = begin()
      local first = first_of { i = "200000" }
      assert.same({ nil, "again" }, { exchange:step(first) })
      local proof = prove("SHA256", "pencil", core.base64_decode(SALT), 200000,
         "n=user,r=" .. NONCE .. "," .. first .. ",c=biws,r=" .. BOTH)
      assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), step(exchange, "i=1"))
   end)
end)

local SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

-- What a server may say last, and how it is refused.
local last = {
   { "a wrong signature", "v=" .. SIGNATURE:gsub("^6", "7"), "server_not_authentic" },
   { "a signature wrong in its last octet", "v=" .. SIGNATURE:gsub("4=$", "0="),
      "server_not_authentic" },
   { "the client's own proof", "v=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "server_not_authentic" },
   { "an empty signature", "v=", "server_not_authentic" },
   { "a shorter signature", "v=" .. SIGNATURE:sub(1, 40), "server_not_authentic" },
   { "one octet of it", "v=6g==", "server_not_authentic" },
   { "a longer signature", "v=" .. SIGNATURE:sub(1, -2) .. "AAAAA", "server_not_authentic" },
   { "the signature twice in one", "v=" .. SIGNATURE .. SIGNATURE, "server_not_authentic" },
   { "the signature without its padding", "v=" .. SIGNATURE:sub(1, -2), "server_not_authentic" },
   { "a signature that is no base64", "v=AAA!", "server_not_authentic" },
   { "the signature with a line end", "v=" .. SIGNATURE .. "\r\n", "server_not_authentic" },
   { "the signature with a space before it", "v= " .. SIGNATURE, "server_not_authentic" },
   { "the signature in hex", "v=" .. octets.hex(core.base64_decode(SIGNATURE)), "server_not_authentic" },
   { "two signatures", "v=" .. SIGNATURE .. ",v=" .. SIGNATURE },
   { "a signature and an error", "v=" .. SIGNATURE .. ",e=other-error" },
   { "a comma behind the signature", "v=" .. SIGNATURE .. "," },
   { "an attribute before the signature", "x=y,v=" .. SIGNATURE },
   { "an attribute without a value behind it", "v=" .. SIGNATURE .. ",x" },
   { "the signature without a name", SIGNATURE },
   { "the name in upper case", "V=" .. SIGNATURE },
   { "the client's attribute", "p=" .. SIGNATURE },
   { "nothing", "" },
   { "its first message again", FIRST },
   { "more than is taken", "v=" .. ("A"):rep(3072) },
   { "a megabyte", "v=" .. ("A"):rep(2 ^ 20) },
}

local function begin_to_prove()
   local exchange = begin()
   step(exchange, FIRST)
   return exchange
end

describe("SCRAM, told last", function()
   for _, row in ipairs(last) do
      it(row[1] .. ", does not believe the server", function()
         local exchange, answer, word = say_quickly(begin_to_prove, row[2])
         assert.is_nil(answer)
         assert.equal(row[3] or "protocol", word)
         assert.same({ nil, "protocol" }, { exchange:step("v=" .. SIGNATURE) })
      end)
   end

   it("an error, lets the server go on to refuse, and is never content", function()
      for _, said in ipairs { "e=invalid-proof", "e=", "e=other-error,v=" .. SIGNATURE } do
         local exchange = begin()
         step(exchange, FIRST)
         assert.same({ "", false }, { exchange:step(said) })
         assert.same({ nil, "protocol" }, { exchange:step("v=" .. SIGNATURE) })
      end
   end)

   it("more after the end, refuses", function()
      local exchange = begin()
      step(exchange, FIRST)
      assert.same({ "", true }, { exchange:step("v=" .. SIGNATURE) })
      for _, said in ipairs { "v=" .. SIGNATURE, FIRST, "" } do
         assert.same({ nil, "protocol" }, { exchange:step(said) })
      end
   end)

   it("the right signature of another password, does not believe the server", function()
      local exchange = begin { password = "pencil2" }
      step(exchange, FIRST)
      assert.same({ nil, "server_not_authentic" }, { exchange:step("v=" .. SIGNATURE) })
   end)
end)

describe("SCRAM", function()
   it("sends comma and equals sign in a name as =2C and =3D (RFC 5802 5.1)", function()
      local exchange = begin { username = "a,b=c,=2C" }
      local bare = "n=a=2Cb=3Dc=2C=3D2C,r=" .. NONCE
      assert.equal("n,," .. bare, exchange:first())
      local proof = prove("SHA256", "pencil", core.base64_decode(SALT), 4096,
         bare .. "," .. FIRST .. ",c=biws,r=" .. BOTH)
      assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), step(exchange, FIRST))
   end)
end)
