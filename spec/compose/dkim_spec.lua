-- DKIM: canonicalization, keys, what is signed, and what is refused. That others find the signatures
-- valid is in live/dkim_spec.lua.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"
local keys = require "spec.tools.dkim_keys"

local rfc = keys.rfc

local function clock()
   return 1528637909
end

local function hash_of(how, pieces)
   local body = assert(crypto.dkim_body(how))
   for i = 1, #pieces do body:add(pieces[i]) end
   return core.base64(assert(body:finish()))
end

local function sha256(text)
   return core.base64(crypto.digest("SHA256", text))
end

local function octets(text)
   local list = {}
   for c in text:gmatch(".") do list[#list + 1] = c end
   return list
end

describe("the body", function()
   local rows = {
      { "of RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n", " C \r\nD \t E\r\n" },
      { "that is empty", "", "", "\r\n" },
      { "of one line end", "\r\n", "", "\r\n" },
      { "of empty lines", "\r\n\r\n\r\n", "", "\r\n" },
      { "of whitespace", " \t", "", " \t\r\n" },
      { "of lines of whitespace", " \r\n\t\r\n", "", " \r\n\t\r\n" },
      { "without a last line end", "a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n" },
      { "that ends with whitespace", "a\r\nb \t", "a\r\nb\r\n", "a\r\nb \t\r\n" },
      { "with empty lines inside", "a\r\n\r\n\r\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
      { "with blank lines inside", "a\r\n \r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n \r\n\t\r\nb\r\n" },
      { "that begins with empty lines", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
      { "with whitespace in front", " \t a\r\n  b\r\n", " a\r\n b\r\n", " \t a\r\n  b\r\n" },
      { "with lone CR and LF", "a\rb\n \r \rc\r", "a\rb\n \r \rc\r\r\n", "a\rb\n \r \rc\r\r\n" },
      { "with 8-bit octets and others", "\255 \128\0\11\r\n", "\255 \128\0\11\r\n", "\255 \128\0\11\r\n" },
   }
   for _, row in ipairs(rows) do
      for i, how in ipairs { "relaxed", "simple" } do
         it(row[1] .. ", " .. how .. ", has one hash, whole and at every cut", function()
            local body, want = row[2], sha256(row[2 + i])
            assert.equal(want, hash_of(how, { body }))
            assert.equal(want, hash_of(how, octets(body)))
            for cut = 1, #body - 1 do
               for second = cut, #body do
                  assert.equal(want, hash_of(how,
                     { body:sub(1, cut), body:sub(cut + 1, second), body:sub(second + 1) }))
               end
            end
         end)
      end
   end

   it("that is empty has the hashes that RFC 6376 3.4.3 and 3.4.4 give", function()
      assert.equal("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", hash_of("simple", {}))
      assert.equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", hash_of("relaxed", {}))
   end)

   -- The rules once more, as they are written.
   local function canonical(how, body)
      if how == "relaxed" then
         body = (body .. "\r\n"):gsub("[ \t]+", " "):gsub(" \r\n", "\r\n")
      else
         body = body .. "\r\n"
      end
      local last = #body
      while body:sub(last - 3, last) == "\r\n\r\n" do last = last - 2 end
      return how == "relaxed" and last == 2 and "" or body:sub(1, last)
   end

   it("has the same hash as by the words of the RFC, whatever is in it", function()
      local signs = { "a", " ", "\t", "\r\n" }
      local function try(body, depth)
         for _, how in ipairs { "relaxed", "simple" } do
            local want = sha256(canonical(how, body))
            for cut = 0, #body do
               assert.equal(want, hash_of(how, { body:sub(1, cut), body:sub(cut + 1) }))
            end
         end
         for i = 1, depth > 0 and #signs or 0 do try(body .. signs[i], depth - 1) end
      end
      try("", 5)
   end)

   it("may be long", function()
      local line = ("word  word\t\t word "):rep(50) .. "\r\n"
      local body = line:rep(300) .. ("\r\n"):rep(5000) .. ("x"):rep(20000) .. ("\r\n"):rep(5000)
      for _, how in ipairs { "relaxed", "simple" } do
         local want = sha256(canonical(how, body))
         for _, size in ipairs { 1, 7, 4095, 4096, 4097, #body } do
            local pieces = {}
            for at = 1, #body, size do pieces[#pieces + 1] = body:sub(at, at + size - 1) end
            assert.equal(want, hash_of(how, pieces))
         end
      end
   end)

   it("is over when it is over", function()
      local body = crypto.dkim_body("simple")
      assert(body:finish())
      body:add("more")
      assert.same({ nil, "crypto" }, { body:finish() })
   end)
end)

-- RFC 8463 A.3, with the signatures' h=.
local canonical_headers = "from:Joe SixPack <joe@football.example.com>\r\n"
   .. "to:Suzie Q <suzie@shopping.example.net>\r\nsubject:Is dinner ready?\r\n"
   .. "date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
   .. "message-id:<20030712040037.46341.5F8J@football.example.com>\r\n"

local function published(algorithm, selector)
   return canonical_headers .. ("dkim-signature:v=1; a=%s; c=relaxed/relaxed; "
      .. "d=football.example.com; i=@football.example.com; q=dns/txt; s=%s; t=1528637909; "
      .. "h=from : to : subject : date : message-id : from : subject : date; "
      .. "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b="):format(algorithm, selector)
end

describe("a key", function()
   it("for Ed25519 signs as RFC 8463 A.3 has it", function()
      local key = assert(crypto.dkim_key(rfc.ed25519))
      assert.equal("ed25519-sha256", key:algorithm())
      assert.equal("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq"
         .. "+eXdp1Q1Dw==", core.base64(key:sign(published("ed25519-sha256", "brisbane"))))
   end)

   it("for RSA signs as RFC 8463 A.3 has it", function()
      local key = assert(crypto.dkim_key(rfc.rsa))
      assert.equal("rsa-sha256", key:algorithm())
      assert.equal("F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+"
         .. "FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNc"
         .. "UxZQ4FADY+8=", core.base64(key:sign(published("rsa-sha256", "test"))))
      local body = rfc.message:match("\r\n\r\n(.*)$")
      assert.equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", hash_of("relaxed", { body }))
   end)

   it("shows nothing of itself", function()
      local key = crypto.dkim_key(rfc.ed25519)
      assert.is_nil(tostring(key):find("MC4C", 1, true))
      assert.equal("smtp.DkimKey", getmetatable(key))
   end)
end)

-- The signatures of a signed message, unfolded: a list of tables of tags; what stands below them.
local function read(signed)
   local list, headers = {}, assert(dkim.headers(signed:match("^(.-\r\n)\r\n") or signed))
   local rest = 1
   for _, header in ipairs(headers) do
      if header[1] ~= "DKIM-Signature" then break end
      local tags = {}
      for name, value in header[2]:gsub("\r\n ", ""):gmatch("(%l+)=([^;\r]*)") do tags[name] = value end
      list[#list + 1], rest = tags, rest + #header[2]
   end
   return list, signed:sub(rest)
end

local head = "From: ann@example.org\r\n"

local function signer(more)
   local t = { domain = "example.org", selector = "s", key = rfc.ed25519 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function names(message, more)
   return read(assert(dkim.sign(message, signer(more), clock)))[1].h
end

describe("a signature", function()
   it("is the same for the same message, key and time, to the octet", function()
      assert.equal(
         "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
         .. " d=football.example.com; s=brisbane; t=1528637909; h=From:From:Reply-To:To:To:\r\n"
         .. " Cc:Subject:Subject:Date:Date:Message-ID:Message-ID:MIME-Version:Content-Type:\r\n"
         .. " Content-Transfer-Encoding; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
         .. " b=6KDaOhjmtItb0hfc2ErpVzC6+zzbvty59lGhIqWe9vbD+K/KrY69Ns7aVAo/H3mZ+YGJRZA+\r\n"
         .. " 44tEqNpc6hKyDw==\r\n"
         .. "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=football.example.com;\r\n"
         .. " s=test; t=1528637909; h=From:From:Reply-To:To:To:Cc:Subject:Subject:Date:\r\n"
         .. " Date:Message-ID:Message-ID:MIME-Version:Content-Type:\r\n"
         .. " Content-Transfer-Encoding; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
         .. " b=HiNxoVIapQIRHZYiG5RQVPyZ1TYlZKEzQs6NtehoM85hs78uZT+NJJNsmWmM6KmXTIq4a6Ab\r\n"
         .. " Yn9ikaaLNQLIQdUWpJvhJ8gntYP/GnNENziYLWDJ/53Bv94jnDAxjstPzw8gCq+h20vuvf3p\r\n"
         .. " chzVk4cSADNwYmxb9rhQ0Xz6cgQ=\r\n" .. rfc.message,
         dkim.sign(rfc.message, {
            { domain = rfc.domain, selector = "brisbane", key = rfc.ed25519 },
            { domain = rfc.domain, selector = "test", key = rfc.rsa },
         }, clock))
   end)

   -- What is signed, by hand; Ed25519 and this key give one signature for one text.
   local function check(message, more, canonical)
      local signed = assert(dkim.sign(message, signer(more), clock))
      local header = signed:match("^(DKIM%-Signature:.-\r\n b=)")
      local tags = read(signed)[1]
      if tags.c:find("^relaxed") then
         header = header:gsub("DKIM%-Signature: ", "dkim-signature:"):gsub("\r\n", "")
      end
      assert.equal(core.base64(crypto.dkim_key(rfc.ed25519):sign(canonical .. header)), tags.b)
   end

   it("covers headers as RFC 6376 3.4.2 and the example of 3.4.5 relax them", function()
      check("FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n\r\n", nil, "from:X\r\nsubject:Y Z\r\n")
   end)

   it("covers headers as they are where they are simple (3.4.1)", function()
      check("FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n\r\n", { canonicalization = "simple/simple" },
         "FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n")
   end)

   it("covers every header of a name, from the bottom up (5.4.2)", function()
      check("To: 1\r\nFrom: a\r\nTo: 2\r\nTo:3\r\n\r\n", nil, "from:a\r\nto:3\r\nto:2\r\nto:1\r\n")
   end)

   it("covers an empty header and one of folds alone", function()
      check("From: a\r\nTo:\r\nSubject: \r\n \r\n\t\r\n\r\n", nil, "from:a\r\nto:\r\nsubject:\r\n")
   end)

   it("names From once more, and what says what the message is", function()
      assert.equal("From:From:Reply-To:To:Cc:Subject:MIME-Version:Content-Type:Content-Transfer-Encoding",
         names(head .. "\r\n"))
   end)

   it("names what is there once more than it is there", function()
      assert.equal("From:From:Sender:Sender:Reply-To:Reply-To:To:To:Cc:Cc:Subject:Subject:Subject:Date:"
         .. "Date:Message-ID:Message-ID:In-Reply-To:In-Reply-To:References:References:MIME-Version:"
         .. "MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding:"
         .. "Content-Transfer-Encoding:Auto-Submitted:List-Id:List-Unsubscribe:List-Unsubscribe:"
         .. "List-Unsubscribe-Post:List-Unsubscribe-Post",
         names(head .. "Sender: a\r\nReply-To: a\r\nTo: a\r\nCC: a\r\nSubject: a\r\nsubject: b\r\nDate: a\r\n"
            .. "Message-Id: a\r\nIn-Reply-To: a\r\nReferences: a\r\nMIME-Version: 1.0\r\n"
            .. "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nAuto-Submitted: no\r\n"
            .. "List-Id: a\r\nList-Unsubscribe: a\r\nList-Unsubscribe-Post: a\r\n\r\n"))
   end)

   it("leaves out what changes on the way", function()
      local h = names("Received: x\r\nReturn-Path: <x>\r\nBcc: x\r\nDKIM-Signature: x\r\nX-Own: x\r\n" .. head
         .. "\r\n")
      for _, name in ipairs { "Received", "Return-Path", "Bcc", "DKIM-Signature", "X-Own" } do
         assert.is_nil((":" .. h .. ":"):find(":" .. name .. ":", 1, true))
      end
   end)

   it("has no l= and no x=, and the time of now", function()
      local tags = read(dkim.sign(head .. "\r\n", signer()))[1]
      assert.same({ nil, nil }, { tags.l, tags.x })
      assert.truthy(math.abs(tonumber(tags.t) - os.time()) < 5)
   end)

   it("says which canonicalization it has; one word leaves the body simple (3.5)", function()
      for word, said in pairs { relaxed = "relaxed/simple", simple = "simple/simple",
         ["simple/relaxed"] = "simple/relaxed", ["relaxed/simple"] = "relaxed/simple" } do
         assert.equal(said, read(dkim.sign(head .. "\r\n", signer { canonicalization = word }))[1].c)
      end
   end)

   it("has an identity where one is given, in dkim-quoted-printable (2.11)", function()
      for identity, said in pairs { ["@example.org"] = "@example.org",
         ["ann@Sub.Example.ORG"] = "ann@Sub.Example.ORG", ["a=b@example.org"] = "a=3Db@example.org",
         ['"a; b"@example.org'] = '"a=3B=20b"@example.org' } do
         assert.equal(said, read(dkim.sign(head .. "\r\n", signer { identity = identity }))[1].i)
      end
   end)

   it("is folded, however long its parts are", function()
      local domain = ("a"):rep(60) .. "." .. ("b"):rep(60) .. ".example"
      for _, key in ipairs { rfc.ed25519, rfc.rsa, (keys.make()("rsa")) } do
         local signed = assert(dkim.sign(head .. ("References: <1@a>\r\n"):rep(50) .. "\r\n",
            signer { domain = domain, selector = ("s"):rep(60), key = key, canonicalization = "simple" }))
         for line in signed:gmatch("(.-)\r\n") do
            assert.truthy(#line <= 78 or line:find(domain, 1, true), line)
         end
         assert.is_nil(signed:find("\r\n \r\n", 1, true))
      end
   end)
end)

describe("a message", function()
   it("is signed the same whatever ends its lines, and gets CRLF", function()
      local want = assert(dkim.sign(rfc.message, signer(), clock))
      for _, eol in ipairs { "\n", "\r" } do
         assert.equal(want, dkim.sign((rfc.message:gsub("\r\n", eol)), signer(), clock))
      end
   end)

   it("stands unchanged below its signature", function()
      for _, message in ipairs { head .. "\r\n", head .. "\r\nbody", head, head .. "X: " .. ("x "):rep(400)
         .. "\r\n y\r\n\r\n\r\n  \r\n\r\n", head .. "\r\n\255\r\n" } do
         local tags, rest = read(assert(dkim.sign(message, signer())))
         assert.equal(1, #tags)
         assert.equal(message, rest)
      end
   end)

   it("may have a very long header", function()
      local message = head .. "To: " .. ("bob@example.net,\r\n "):rep(20000) .. "eve@example.net\r\n\r\n"
      local _, rest = read(assert(dkim.sign(message, signer())))
      assert.truthy(rest == message)
   end)

   it("may end within its headers", function()
      local _, rest = read(assert(dkim.sign("Subject: x\nFrom: a", signer())))
      assert.equal("Subject: x\r\nFrom: a\r\n", rest)
   end)

   it("without From, or with two, is refused", function()
      for _, message in ipairs { "", "\r\nFrom: a\r\n", "To: a\r\n\r\nFrom: a\r\n", head .. head .. "\r\n" } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.same({ "usage", "message" }, { err.kind, err.option })
         assert.truthy(err.what:find("From", 1, true))
      end
   end)

   it("that a server would change is refused", function()
      for message, why in pairs { [head .. "\r\n\0"] = "NUL", [head .. "\r\n" .. ("x"):rep(999)] = "998",
         [head .. "no header\r\n\r\n"] = "entry 2", [" x\r\n" .. head .. "\r\n"] = "entry 1",
         [head .. "To : a\r\n\r\n"] = "To has whitespace" } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.same({ "usage", "message" }, { err.kind, err.option })
         assert.truthy(err.what:find(why, 1, true), err.what)
      end
   end)

   it("is a string", function()
      for _, message in ipairs { 1, true, {} } do
         local signed, err = dkim.sign(message, signer())
         assert.is_nil(signed)
         assert.equal("message", err.option)
      end
   end)
end)

describe("signing in pieces", function()
   local headers = { { "From", "From: a@example.org\r\n" }, { "To", "To: b\r\n c\r\n" } }
   local by = assert(dkim.check { signer(), signer { key = rfc.rsa, canonicalization = "simple" },
      signer { selector = "t", canonicalization = "relaxed/simple" } })

   local function reading(pieces, of)
      local signing = assert(dkim.begin(of or by, clock))
      for _, piece in ipairs(pieces) do assert(signing:body(piece)) end
      return signing
   end

   it("gives the signatures of the whole, one for each signer", function()
      local message = "From: a@example.org\r\nTo: b\r\n c\r\n\r\nhello  you\r\n\r\n"
      local whole = assert(dkim.sign(message, by, clock))
      for _, pieces in ipairs { { "hello  you\r\n\r\n" }, octets("hello  you\r\n\r\n"), { "hello ", " you", "" } } do
         assert.equal(whole, reading(pieces):finish(headers) .. message)
      end
      assert.same({ "ed25519-sha256 s relaxed/relaxed", "rsa-sha256 s simple/simple",
         "ed25519-sha256 t relaxed/simple" }, (function(list)
         for i, tags in ipairs(list) do list[i] = tags.a .. " " .. tags.s .. " " .. tags.c end
         return list
      end)(read(whole)))
   end)

   it("tells another reading of the source by its fingerprint", function()
      local first = reading { "hello you\r\n" }
      assert(first:finish(headers))
      local print = assert(first:fingerprint(headers))
      assert.equal(32, #print)
      assert.equal(print, reading({ "hello", " you\r\n" }):fingerprint(headers))
      assert.equal(print, reading({ "hello you\r\n\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello you!\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello  you\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello you\r\n" }):fingerprint { headers[1] })
      assert.not_equal(print, reading({ "hello you\r\n" }):fingerprint { headers[1], { "To", "To: c\r\n" } })
      local relaxed = dkim.check(signer())
      assert.equal(reading({ "hello you\r\n" }, relaxed):fingerprint(headers),
         reading({ "hello \t you \r\n" }, relaxed):fingerprint(headers))
   end)

   it("takes nothing after the end", function()
      local signing = reading {}
      assert.equal(signing:finish(headers), signing:finish(headers))
      local ok, err = signing:body("more")
      assert.is_nil(ok)
      assert.equal("message", err.option)
   end)

   it("refuses what are no headers", function()
      for _, bad in ipairs { 1, { 1 }, { { "From" } }, { { "From", "From: a" } }, { { "From", "To: a\r\n" } },
         { { "From", "From: a\r\nBcc: b\r\n" } }, { { "From", "From: a\r\n\r\n" } }, { { "", ": a\r\n" } },
         { { "Fr om", "Fr om: a\r\n" } }, { { "From", "From : a\r\n" } },
         { { "From", "From: a\nb\r\n" } }, { { "From", "From: a\rb\r\n" } } } do
         local text, err = reading({}):finish(bad)
         assert.is_nil(text)
         assert.same({ "usage", "headers" }, { err.kind, err.option })
      end
      local text, err = reading({}):finish {}
      assert.is_nil(text)
      assert.equal("message", err.option)
   end)

   it("refuses what are no signers, no clock, no text", function()
      for _, bad in ipairs { { signer() }, { by, 5 }, { nil } } do
         local signing, err = dkim.begin(bad[1], bad[2])
         assert.is_nil(signing)
         assert.equal("usage", err.kind)
      end
      assert.equal("message", select(2, dkim.begin(by):body(nil)).option)
      assert.equal("message", select(2, dkim.headers(nil)).option)
   end)
end)

describe("the option dkim", function()
   local key = keys.make()

   local function refused(value, option, words)
      local found, err = dkim.check(value)
      assert.is_nil(found)
      assert.truthy(errors.is(err, "usage"))
      assert.equal(option, err.option)
      if words then assert.truthy(tostring(err):find(words, 1, true), tostring(err)) end
      return err
   end

   -- No field of it, and no key of the table that was checked, shows anything of the key.
   local function shows_nothing(err, pem)
      for _, shown in pairs(err) do
         for line in pem:gmatch("[^\r\n]+") do
            assert.is_nil(#line > 8 and tostring(shown):find(line, 1, true) or nil)
         end
      end
   end

   it("takes PEM text and paths, RSA of 1,024 bits and more, Ed25519", function()
      for name, algorithm in pairs { rsa = "rsa-sha256", rsa1024 = "rsa-sha256", ed25519 = "ed25519-sha256" } do
         local path, pem = key(name)
         for _, given in ipairs { path, pem, "a comment\n" .. pem, (pem:gsub("\n", "\r\n")) } do
            local found = assert(dkim.check(signer { key = given }))
            assert.equal(algorithm, found[1].algorithm)
         end
      end
   end)

   it("refuses other keys, with what is wrong and nothing of the key", function()
      for name, words in pairs { rsa768 = "1,024", rsa_pss = "neither an RSA nor", ed448 = "neither an RSA nor",
         ec = "neither an RSA nor", encrypted = "encrypted", encrypted_old = "encrypted",
         public = "public key", certificate = "public key", der = "no PEM file", damaged = "could be read",
         cut = "could be read", none = "no PEM file" } do
         local path, pem = key(name)
         shows_nothing(refused(signer { key = path }, "dkim.key", words), pem)
         if pem:find("-----BEGIN", 1, true) then
            shows_nothing(refused(signer { key = pem }, "dkim.key", words), pem)
         end
      end
   end)

   it("refuses what is no key at all", function()
      local _, pem = key("ed25519")
      local bare = pem:match("\n(.-)\n")
      for given, words in pairs { [""] = "neither the text", ["/nowhere/key.pem"] = "neither the text",
         [bare] = "neither the text", ["a\0b"] = "neither the text", ["/"] = "no PEM file",
         ["-----BEGIN"] = "could be read",
         ["-----BEGIN PRIVATE KEY-----\n" .. ("A"):rep(70000)] = "could be read" } do
         shows_nothing(refused(signer { key = given }, "dkim.key", words), given)
      end
      refused({ domain = "example.org", selector = "s" }, "dkim.key", "is missing")
      refused(signer { key = 5 }, "dkim.key", "must be a string")
      shows_nothing(refused(signer { selector = pem }, "dkim.selector"), pem)
      shows_nothing(refused(signer { domain = pem }, "dkim.domain"), pem)
      shows_nothing(refused(signer { identity = pem }, "dkim.identity"), pem)
      shows_nothing(refused(signer { canonicalization = pem }, "dkim.canonicalization"), pem)
      shows_nothing(refused({ pem }, "dkim[1]"), pem)
   end)

   it("refuses domains and selectors that DNS has not", function()
      for _, domain in ipairs { "", "org", "a..org", "exa mple.org", "example.org;x=1", "[192.0.2.1]",
         "b\195\188cher.example", ("a."):rep(130) .. "org", "example.org." } do
         refused(signer { domain = domain }, "dkim.domain")
      end
      for _, selector in ipairs { "", ".", "a.", ".a", "a..b", "a b", "a;b", "-a", "a-", "a\n", ("a"):rep(64),
         ("a."):rep(120) .. "a", "s\195\188" } do
         refused(signer { selector = selector }, "dkim.selector")
      end
      for _, selector in ipairs { "a", "2026", "a.b-c.d", "s_1", "_x", ("a"):rep(63) } do
         assert(dkim.check(signer { selector = selector }))
      end
      refused({ selector = "s", key = rfc.rsa }, "dkim.domain", "is missing")
      refused({ domain = "example.org", key = rfc.rsa }, "dkim.selector", "is missing")
   end)

   it("refuses an identity outside of the domain", function()
      for _, identity in ipairs { "ann@example.net", "ann@anexample.org", "ann", "example.org", "@", "ann@",
         "a b@example.org", "@.example.org", "ann@-.example.org", "@example.org;x", "" } do
         refused(signer { identity = identity }, "dkim.identity")
      end
   end)

   it("refuses other fields and words by name", function()
      refused(signer { keys = "x" }, "dkim.keys", 'no field "keys"')
      refused(signer { canonicalization = "nofws" }, "dkim.canonicalization", "relaxed/relaxed")
      refused({ signer(), signer { expire = 1 } }, "dkim[2].expire", "no field")
      refused({ signer(), domain = "example.org" }, "dkim", "is a list")
      refused({ signer(), "x" }, "dkim[2]", "must be a table")
      refused({}, "dkim.domain", "is missing")
      refused("x", "dkim", "must be a table")
      refused(true, "dkim")
   end)

   it("can be checked once and used often", function()
      local found = assert(dkim.check(signer()))
      assert.equal(found, dkim.check(found))
      assert.equal(dkim.sign(rfc.message, signer(), clock), dkim.sign(rfc.message, found, clock))
      assert.equal("smtp.DkimSigners", tostring(found))
   end)

   it("says where the signing library cannot be had, and why", function()
      local loaded, preload = package.loaded["smtp.crypto"], package.preload["smtp.crypto"]
      package.loaded["smtp.crypto"] = nil
      package.preload["smtp.crypto"] = function()
         error("smtp.crypto is built for OpenSSL 3, and this process has OpenSSL 1", 0)
      end
      local found, err = dkim.check(signer())
      package.loaded["smtp.crypto"], package.preload["smtp.crypto"] = loaded, preload
      assert.is_nil(found)
      assert.same({ "usage", "dkim" }, { err.kind, err.option })
      assert.truthy(err.what:find("this process has OpenSSL 1", 1, true))
   end)
end)
