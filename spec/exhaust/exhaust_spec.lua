-- What is too much for Lua: spec/exhaust holds programs that try everything there is.

local command = require "spec.tools.command"
-- EXHAUST=11 takes the longest messages that end within minutes. The program is the same under every
-- Lua: one of them takes it further than the others.
local sanitized = os.getenv("SMTP_SANITIZED")
local length = tonumber(os.getenv("EXHAUST")) or not sanitized and _VERSION == "Lua 5.4" and 9 or 7

-- Links it with objects that are being tested: by default those of the core.
local function build(name, objects)
   local folder = assert(package.cpath:match("(build/[^/]+)/%?%.so"), "a core from build/")
   local out = folder .. "/" .. name
   local flags = sanitized and "-O1 -g -fsanitize=address,undefined" or "-O2"
   local said = command.run(("cc -std=c11 -D_GNU_SOURCE %s -Icsrc -o %s spec/exhaust/%s.c "):format(flags, out, name)
      .. (objects or "@/engine/*.o @/engine/auth/*.o @/text/*.o"):gsub("@", folder .. "/obj"))
   assert.equal("", said)
   return out
end

describe("every message of up to " .. length .. " CR, LF, dots and letters", function()
   it("however cut is sent as RFC 5321 says, with one end", function()
      local messages, ways = 0, 0
      for n = 0, length do
         messages = messages + 4 ^ n
         ways = ways + 4 ^ n * (n + 4)
      end
      assert.equal(("%.0f messages, %.0f ways\n"):format(messages, ways), command.run(build("dots") .. " " .. length))
   end)
end)

describe("what is done in steps of AVX2", function()
   it("is what is done octet by octet", function()
      assert.equal("the same\n", command.run(build("twins", "")))
   end)
end)

describe("a secret", function()
   it("is wiped from a session's memory once it was said, given up, or the session broke", function()
      assert.equal("6 ways\n", command.run(build "secrets"))
   end)
end)

describe("a secret of smtp.crypto", function()
   -- The program contains a Lua of its own.
   local it = (sanitized or _VERSION ~= "Lua 5.4") and function() end or it

   it("is wiped where there is no memory for the string that it becomes", function()
      local program = build("memory", "@/crypto/*.o @/text/base64.o @/text/saslname.o -lcrypto -ldl "
         .. "$(pkg-config --cflags --libs lua5.4)")
      assert.equal("some calls failed, 0 blocks had it\n", command.run(program))
   end)
end)

describe("a private key", function()
   local key = require("spec.tools.dkim_keys").make()

   -- The integers of an RSA key (RFC 8017 A.1.2): modulus, exponent, and what is secret.
   local function integers(der)
      local list, at = {}, 1 + 4 -- after the tag and the length of the whole
      while at <= #der do
         local len, from = der:byte(at + 1), at + 2
         if len > 128 then
            local octets = len - 128
            len = 0
            for i = from, from + octets - 1 do len = len * 256 + der:byte(i) end
            from = from + octets
         end
         list[#list + 1] = der:sub(from, from + len - 1)
         at = from + len
      end
      return list
   end

   local function masked(octets)
      return (octets:gsub(".", function(c)
         local byte, mask, result = c:byte(), 0x55, 0
         for i = 0, 7 do
            local a, b = math.floor(byte / 2 ^ i) % 2, math.floor(mask / 2 ^ i) % 2
            result = result + (a ~= b and 2 ^ i or 0)
         end
         return ("%02x"):format(result)
      end))
   end

   local function look(path, parts)
      local program = build("keys", "@/crypto/dkim_key.o -lcrypto")
      return command.run(("%s %s %s"):format(program, path, table.concat(parts, " ")))
   end

   -- The sanitizer keeps what is freed, and maps more memory than can be read.
   local it = sanitized and function() end or it

   it("for RSA is wiped when it is dropped", function()
      local path = key "rsa"
      local list, parts = integers(command.run("sh -c 'openssl rsa -traditional -outform der 2>&-' <" .. path)), {}
      assert.equal(9, #list)
      for i = 4, 9 do -- the exponent, the primes, and what is made of them
         local octets = list[i]:sub(-24)
         parts[#parts + 1] = masked(octets)
         parts[#parts + 1] = masked(octets:reverse())
      end
      assert.equal("6 before, 0 after\n", look(path, parts))
   end)

   it("for Ed25519 is wiped when it is dropped", function()
      local path = key "ed25519"
      local der = command.run("openssl pkey -outform der -in " .. path)
      assert.equal("1 before, 0 after\n", look(path, { masked(der:sub(-32)) }))
   end)
end)
