-- The private keys of DKIM: what is read, and what is wrong with what is not.
local command = require "spec.tools.command"
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local dkim = require "smtp.dkim"
local keys = require "spec.tools.dkim_keys"

local signer, refused, shows_nothing = keys.signer, keys.refused, keys.shows_nothing

describe("a private key", function()
   local key = keys.make()

   it("is given as PEM text and paths, RSA of 1,024 bits and more, Ed25519", function()
      for name, algorithm in pairs { rsa = "rsa-sha256", rsa1024 = "rsa-sha256", ed25519 = "ed25519-sha256" } do
         local path, pem = key(name)
         for _, given in ipairs { path, pem, "a comment\n" .. pem, (pem:gsub("\n", "\r\n")) } do
            local found = assert(dkim.check(signer { key = given }))
            assert.equal(algorithm, found[1].algorithm)
         end
      end
   end)

   it("of another kind is refused, with what is wrong and nothing of the key", function()
      for name, words in pairs { rsa768 = "1,024", rsa_pss = "neither an RSA nor", ed448 = "neither an RSA nor",
         ec = "neither an RSA nor", encrypted = "encrypted", encrypted_old = "encrypted",
         public = "public key", certificate = "public key", der = "binary form", damaged = "can be read",
         cut = "is cut off", none = "not a PEM file" } do
         local path, pem = key(name)
         shows_nothing(refused(signer { key = path }, "dkim.key", words), pem)
         if pem:find("-----BEGIN", 1, true) then
            shows_nothing(refused(signer { key = pem }, "dkim.key", words), pem)
         end
      end
   end)

   it("may have a byte order mark, other line ends and blanks around its lines", function()
      for _, name in ipairs { "rsa", "ed25519" } do
         local path, pem = key(name)
         local lines = pem:gsub("\n$", ""):gsub("\n", "\r\n")
         for _, given in ipairs { "\239\187\191" .. pem, "\239\187\191" .. lines, "\n\n" .. pem, lines,
            (pem:gsub("\n", "\r")), "   " .. pem:gsub("\n", "\n   "), "\t" .. pem:gsub("\n", "\t\r\n\t"), " \t" .. pem,
            (pem:gsub("\n", "  \n")), '"' .. pem .. '"', "'" .. pem:gsub("\n$", "") .. "'" } do
            assert(dkim.check(signer { key = given }))
            local file = path .. ".form"
            command.write(file, given)
            assert(dkim.check(signer { key = file }))
            os.remove(file)
         end
      end
   end)

   -- As a value, as a file, and in a list.
   local function refused_everywhere(given, words, label)
      local path = "build/spec/dkim/refused.form"
      command.write(path, given)
      for _, value in ipairs { given, path } do
         local err = refused(signer { key = value }, "dkim.key", words)
         assert.truthy(not label or err.hint:find(label, 1, true), err.hint)
         shows_nothing(err, given)
      end
      os.remove(path)
      refused({ signer(), signer { key = given } }, "dkim[2].key", words)
   end

   it("with \\n as two characters is refused with a hint that works", function()
      for _, name in ipairs { "rsa", "ed25519" } do
         local _, pem = key(name)
         for _, form in ipairs { "\\n", "\\r\\n", "\\\\n", "\\n\n" } do
            local escaped = pem:gsub("\n", (form:gsub("%%", "%%%%")))
            refused_everywhere(escaped, "\\n as two characters", 'key:gsub("\\\\+r", ""):gsub("\\\\+n", "\\n")')
            local repaired = escaped:gsub("\\+r", ""):gsub("\\+n", "\n")
            if form ~= "\\n\n" then assert(dkim.check(signer { key = repaired })) end
         end
         refused_everywhere('"' .. pem:gsub("\n", "\\n") .. '"', "\\n as two characters")
      end
   end)

   it("in base64 without the lines BEGIN and END is refused with a hint that works", function()
      for _, name in ipairs { "rsa", "ed25519", "rsa1024" } do
         for _, pem in ipairs { select(2, key(name)), keys.rfc.rsa } do
            local lines = pem:gsub("%-%-%-%-%-[^\n]+\n", "")
            for _, given in ipairs { lines, (lines:gsub("\n", "")), (lines:gsub("\n", "\r\n")), "  " .. lines } do
               refused_everywhere(given, "is base64 without the lines BEGIN and END")
               local label = select(2, dkim.check(signer { key = given })).hint:match("BEGIN ([A-Z ]+)")
               assert(dkim.check(signer { key = ("-----BEGIN %s-----\n%s\n-----END %s-----"):format(label,
                  given, label) }))
            end
         end
      end
   end)

   it("in another form is refused with what it is", function()
      local _, rsa = key("rsa")
      local _, ed25519, public = key("ed25519")
      local _, certificate = key("certificate")
      local _, encrypted = key("encrypted")
      local _, public_pem = key("public")
      local function armoured(label, more)
         return ("-----BEGIN %s-----\n%s%s\n-----END %s-----\n"):format(label, more, ("A"):rep(64), label)
      end
      local function bare(pem) return (pem:gsub("%-%-%-%-%-[^\n]+\n", "")) end
      for given, words in pairs { [rsa:gsub("\n", " ")] = "lost its line breaks",
         [rsa:gsub("\n", "")] = "lost its line breaks",
         [ed25519:gsub("KEY%-%-%-%-%-\n", "KEY----- ", 1)] = "lost its line breaks",
         [rsa:sub(1, 900)] = "is cut off", [public_pem:gsub("\n", "\\n")] = "public key",
         [bare(public_pem)] = "public key", [bare(certificate)] = "public key", [bare(encrypted)] = "encrypted",
         ["v=DKIM1; k=ed25519; p=" .. core.base64(public)] = "public key",
         ["p=" .. core.base64(public) .. ";"] = "public key",
         ["ssh-rsa " .. ("A"):rep(300) .. " ann@host"] = "public key",
         [armoured("OPENSSH PRIVATE KEY", "")] = "OpenSSH", [armoured("PGP PRIVATE KEY BLOCK", "\n")] = "PGP",
         ["PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"] = "PuTTY",
         ["\255\254" .. rsa:gsub(".", "%0\0")] = "UTF-16", [rsa:gsub(".", "%0\0")] = "UTF-16",
         [core.base64(public)] = "32 bytes in base64" } do
         refused_everywhere(given, words)
      end
   end)

   it("is not any other text", function()
      for given, words in pairs { [""] = "neither the text",
         ["/nowhere/key.pem"] = "/nowhere/key.pem: No such file or directory. Check the path, or its permissions",
         ["a\0b"] = "neither the text", ["/"] = "/: Is a directory", ["-----BEGIN"] = "is cut off",
         [("A"):rep(64)] = "neither the text",
         ["-----BEGIN PRIVATE KEY-----\n" .. ("A"):rep(70000)] = "is cut off" } do
         local err = refused(signer { key = given }, "dkim.key", words)
         if given:sub(1, 1) ~= "/" then shows_nothing(err, given) end
      end
   end)
end)

describe("keys that are kept", function()
   local key = keys.make()
   local path = "build/spec/dkim/kept.form"
   local parsed, opened, parse, open

   -- Counts the keys that are parsed, and the files that are opened.
   before_each(function()
      parsed, opened, parse, open = 0, 0, crypto.dkim_key, io.open
      function crypto.dkim_key(...)
         parsed = parsed + 1
         return parse(...)
      end
      function io.open(name, mode) -- luacheck: ignore 122
         if name == path and mode == "rb" then opened = opened + 1 end
         return open(name, mode)
      end
   end)

   after_each(function()
      crypto.dkim_key, io.open = parse, open -- luacheck: ignore 122
      os.remove(path)
   end)

   -- The text of an Ed25519 key: any 32 bytes are one.
   local function of_seed(number)
      local seed = ("%032d"):format(number)
      return "-----BEGIN PRIVATE KEY-----\n" .. core.base64("\48\46\2\1\0\48\5\6\3\43\101\112\4\34\4\32" .. seed)
         .. "\n-----END PRIVATE KEY-----\n"
   end

   local function get(value)
      return assert(dkim.check(signer { key = value }))[1].key
   end

   local function write_old(text, date)
      command.write(path, text)
      assert(os.execute(("touch -d '%s' %s"):format(date, path)))
   end

   it("are parsed once for the same text, and shared with files of that text", function()
      local first = get(of_seed(1))
      assert.equal(first, get(of_seed(1)))
      command.write(path, of_seed(1))
      assert.equal(first, get(path))
      assert.equal(1, parsed)
      assert.not_equal(first, get(of_seed(2)))
   end)

   it("of a file are read once, as long as its stamp is the same", function()
      write_old(of_seed(3), "2026-01-01 10:00:00.5")
      local first = get(path)
      for _ = 1, 3 do assert.equal(first, get(path)) end
      assert.same({ 1, 1 }, { parsed, opened })
      write_old(of_seed(4), "2026-01-01 10:00:00.6")
      assert.not_equal(first, get(path))
      write_old(of_seed(3), "2026-01-01 10:00:00.6")
      assert(os.remove(path))
      local _, err = dkim.check(signer { key = path })
      assert.truthy(tostring(err):find("No such file", 1, true))
   end)

   it("of a file are forgotten when it contains another", function()
      write_old(of_seed(10), "2026-01-01 10:00:00")
      local weak = setmetatable({ get(path) }, { __mode = "v" })
      write_old(of_seed(11), "2026-01-01 10:00:01")
      get(path)
      for _ = 1, 3 do collectgarbage() end
      assert.is_nil(weak[1])
   end)

   it("of a file that has just been written are looked for again", function()
      for number = 5, 8 do
         command.write(path, of_seed(number)) -- all within one step of the clock of many systems
         assert.equal(get(of_seed(number)), get(path))
      end
   end)

   it("of a file that is broken now, or not a key, are not used", function()
      write_old(of_seed(9), "2026-01-01 10:00:00")
      get(path)
      write_old("broken", "2026-01-01 10:00:00")
      local _, err = dkim.check(signer { key = path })
      assert.equal("dkim.key", err.option)
   end)

   it("are limited in number; those that are forgotten are collected", function()
      local weak = setmetatable({}, { __mode = "v" })
      for number = 1000, 1400 do weak[number] = get(of_seed(number)) end
      local last = get(of_seed(1400))
      for _ = 1, 3 do collectgarbage() end
      local count = 0
      for _ in pairs(weak) do count = count + 1 end
      assert.truthy(count >= 128 and count <= 256, count)
      assert.is_nil(weak[1000])
      assert.equal(last, weak[1400])
   end)

   it("that are forgotten still sign for those that use them", function()
      local signers = assert(dkim.check(signer { key = of_seed(3000) }))
      local before = assert(dkim.sign(keys.head .. "\r\n", signers, keys.clock))
      for number = 3001, 3300 do get(of_seed(number)) end
      for _ = 1, 3 do collectgarbage() end
      assert.equal(before, dkim.sign(keys.head .. "\r\n", signers, keys.clock))
   end)

   it("sign the same message again and again", function()
      for _, name in ipairs { "rsa", "ed25519" } do
         local signers = assert(dkim.check(signer { key = key(name) }))
         local first = assert(dkim.sign(keys.head .. "\r\n", signers, keys.clock))
         for _ = 1, 20 do assert.equal(first, dkim.sign(keys.head .. "\r\n", signers, keys.clock)) end
      end
   end)
end)
